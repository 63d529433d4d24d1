"""Codes held before the camera: a child for each source reads the preview, what it sees is told to the screens.

They decide what to do with it; a code in the picture during an exam changes nothing by itself. Never logged:
what it says may be a patient's.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from smartbox_tui.engine import children
from smartbox_tui.settings.schema import Settings
from smartbox_tui.wire import events

log = logging.getLogger(__name__)

PAUSES_S: Final = (1.0, 2.0, 5.0, 15.0, 60.0)
_STEADY_S: Final = 60.0
"""A child that lived that long died of something new."""


class CodeWatch:
    """All methods belong to the event loop."""

    def __init__(
        self, runtime: Path, settings: Callable[[], Settings], publish: Callable[[msgspec.Struct], None]
    ) -> None:
        self._runtime = runtime
        self._settings = settings
        self._publish = publish
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._closed = False

    def reconfigure(self) -> None:
        """Starts and ends children as the settings now say."""
        settings = self._settings()
        live = {item.id for item in settings.sources if item.kind != "folder"}
        wanted = live if settings.codes.camera and not self._closed else set()
        for source in self._tasks.keys() - wanted:
            task = self._tasks.pop(source)
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)
            task.cancel()
        for source in wanted - self._tasks.keys():
            self._tasks[source] = asyncio.create_task(self._watch(source), name=f"codes-{source}")

    async def close(self) -> None:
        """Ends all children; answers when they are gone."""
        self._closed = True
        self.reconfigure()
        await asyncio.gather(*self._leaving, return_exceptions=True)

    async def _watch(self, source: str) -> None:
        failures = 0
        while True:
            began_s = time.monotonic()
            try:
                why = await self._read(source)
            except OSError as exc:
                why = exc.strerror or "it cannot be started"
            except Exception:  # the codes are a convenience: nothing about them may end the engine
                log.exception("codes before %s", source)
                why = "a defect"
            if time.monotonic() - began_s > _STEADY_S:
                failures = 0
            pause_s = PAUSES_S[min(failures, len(PAUSES_S) - 1)]
            log.warning("the reader of codes before %s ended (%s): again in %.0f s", source, why, pause_s)
            failures += 1
            await asyncio.sleep(pause_s)

    async def _read(self, source: str) -> str:
        """Until the child ends; why it did."""
        process = await children.start("codes", "--runtime", str(self._runtime), "--source", source)
        try:
            assert process.stdout is not None
            while line := await process.stdout.readline():
                self._take(source, line)
            return f"status {await process.wait()}"
        finally:
            await children.end(process)

    def _take(self, source: str, line: bytes) -> None:
        try:
            text = json.loads(line)["text"]
        except (ValueError, KeyError, TypeError):
            log.warning("the reader of codes before %s says what is no code", source)
            return
        if isinstance(text, str) and text:
            self._publish(events.CodeSeen(source=source, text=text))
