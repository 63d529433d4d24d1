"""The engine's view of the capture process: its sources, its exam, what it closes; and the way to command it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import msgspec

from smartbox_tui.errors import PROCESS_AWAY, SmartBoxError
from smartbox_tui.settings.schema import Settings
from smartbox_tui.wire import commands, events, state
from smartbox_tui.wire.preview import preview_name
from smartbox_tui.wire.stream import Link

log = logging.getLogger(__name__)


class Listener(Protocol):
    """What the engine does with what capture says."""

    async def capture_holds(self, exam_id: str | None) -> None: ...

    async def adopt(self, exam_id: str, only: list[str] | None = None) -> list[str]: ...

    async def discarded(self, exam_id: str, picture: str) -> None: ...

    async def catch_up(self) -> None: ...

    async def emergency(self, exam_id: str) -> None: ...


class CaptureLink:
    """Follows capture's events for ever. `sources` is what it said last; away, each source says so."""

    def __init__(self, socket: Path, settings: Callable[[], Settings], changed: Callable[[], None]) -> None:
        self._socket = socket
        self._settings = settings
        self._changed = changed
        self._link: Link | None = None
        self._sources: dict[str, state.Source] = {}
        self._pedals: dict[str, state.Pedal] = {}
        self.away = True
        self._restart_owed = False

    # ---- commands: exams.CapturePort

    async def hold(self, exam_id: str, revision: int) -> dict[str, Any]:
        return await self._command(commands.HoldExam(id=str(uuid4()), exam=exam_id, revision=revision))

    async def drop(self, exam_id: str) -> dict[str, Any]:
        return await self._command(commands.DropExam(id=str(uuid4()), exam=exam_id))

    async def restart(self) -> str:
        """The settings of sources or pedals have changed: `restarting`, `after-recording`, `away` (it starts with
        them), or `by-hand` for a capture of another version."""
        try:
            await self._command(commands.Restart(id=str(uuid4())))
        except SmartBoxError as exc:
            # it may be starting, and have read the settings already: then it is told once it can be reached
            self._restart_owed = exc.code in (PROCESS_AWAY, "timeout")
            return {PROCESS_AWAY: "away", "timeout": "away", "in-use": "after-recording"}.get(exc.code, "by-hand")
        return "restarting"

    async def _command(self, command: commands.Command) -> dict[str, Any]:
        if self._link is None:
            raise SmartBoxError(
                "no-engine", "The capture process is not connected yet.", "It is started by itself."
            )
        answer: dict[str, Any] = await self._link.command(command)
        return answer

    # ---- state

    @property
    def sources(self) -> list[state.Source]:
        """As configured, each with what capture said of it last, or that capture is away."""
        return [self._away(item.id) if self.away else self._sources.get(item.id, self._away(item.id))
                for item in self._settings().sources]  # fmt: skip

    @property
    def pedals(self) -> list[state.Pedal]:
        """As capture said them last; none while it is away."""
        return [] if self.away else list(self._pedals.values())

    def _away(self, source_id: str) -> state.Source:
        item = next(source for source in self._settings().sources if source.id == source_id)
        return state.Source(
            id=item.id,
            name=item.name or item.id,
            kind=item.kind,
            device=item.device,
            width=item.width,
            height=item.height,
            fps=item.fps,
            signal=False,
            signal_state="gone",
            signal_text="The capture process is away.",
            preview=preview_name(item.id),
        )

    # ---- the stream

    async def follow(self, listener: Listener) -> None:
        """Runs until cancelled; what goes wrong with one event is logged and the next one is taken."""
        async with Link(self._socket) as link:
            self._link = link
            async for event in link.events():
                if event is None:
                    if not self.away:
                        log.warning("the capture process is away")
                    self.away = True
                    self._changed()
                    continue
                try:
                    await self._take(event, listener)
                except SmartBoxError as exc:
                    log.error("after capture's %s: %s: %s", event.type, exc.code, exc.message)
                except Exception:  # a defect in one event must not end the engine: the next snapshot mends it
                    log.exception("capture's event %s could not be taken", event.type)

    async def _take(self, event: events.Event, listener: Listener) -> None:
        if event.type == "snapshot":
            snapshot = msgspec.json.decode(event.data, type=state.CaptureSnapshot)
            self._sources = {item.id: item for item in snapshot.sources}
            self._pedals = {item.id: item for item in snapshot.pedals}
            self.away = False
            self._changed()
            if self._restart_owed:
                self._restart_owed = False
                await self.restart()
                return
            held = snapshot.exam.id if snapshot.exam else None
            await listener.capture_holds(held)
            for item in snapshot.instances:
                if item.discarded:  # perhaps while we were away
                    await listener.discarded(item.exam, item.id)
            await listener.catch_up()
            return
        data = events.typed(event)
        match data:
            case events.SourceChanged():
                self._sources[data.source.id] = data.source
                self._changed()
            case events.PedalChanged():
                self._pedals[data.pedal.id] = data.pedal
                self._changed()
            case events.StillTaken():
                await listener.adopt(data.exam, [data.instance.id])
            case events.RecordingStopped():
                await listener.adopt(data.exam, [item.id for item in data.instances])
            case events.PictureDiscarded():
                await listener.discarded(data.exam, data.picture)
            case events.EmergencyAsked():
                await listener.emergency(data.exam)
            case events.ExamHeld():
                await listener.capture_holds(data.exam.id if data.exam else None)
            case _:
                pass
