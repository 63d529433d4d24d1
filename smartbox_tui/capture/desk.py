"""What every command needs: ids, sources, triggers' times, drafts of sidecars, free space."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from uuid import UUID

from smartbox_tui.capture.clock import NS
from smartbox_tui.capture.exams import Held
from smartbox_tui.capture.recorder import Recorder
from smartbox_tui.capture.session import Session
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.spool.clock import box_clock, suspended_ns
from smartbox_tui.spool.sidecar import Sidecar, SidecarState
from smartbox_tui.wire.current import boot_id


def picture_id(command: str) -> str:
    """The canonical form of a command's UUID. Raises bad-value."""
    try:
        return str(UUID(command))
    except ValueError:
        raise SmartBoxError("bad-value", f"{command!r} is not a UUID.", "Make one for each command.") from None


def used_before(identity: str) -> SmartBoxError:
    """The error of an id that already names something of another kind."""
    return SmartBoxError(
        "bad-value", f"The id {identity} was used for another command.", "Make a new UUID for each command."
    )


def trigger_ns(at_ns: int | None) -> int:
    """The time of a trigger; a clock of the future is now. Raises bad-value."""
    now_ns = time.monotonic_ns()
    if at_ns is None:
        return now_ns
    if at_ns < 0:
        raise SmartBoxError("bad-value", "A trigger's time cannot be negative.", "It is CLOCK_MONOTONIC in ns.")
    return min(at_ns, now_ns)


class Sessions:
    """The sources by id, in the settings' order."""

    def __init__(self, sessions: Mapping[str, Session]) -> None:
        self._sessions = dict(sessions)

    def __iter__(self) -> Iterator[Session]:
        return iter(self._sessions.values())

    def named(self, source: str | None) -> Session:
        """The source asked for, the first where none was. Raises unknown-source."""
        if source is None and self._sessions:
            return next(iter(self._sessions.values()))
        if source in self._sessions:
            return self._sessions[source]
        raise SmartBoxError(
            "unknown-source",
            f"There is no source {source!r}." if source else "No source is configured.",
            f"Configured: {', '.join(self._sessions) or 'none'}.",
        )

    def recording(self, source: str | None) -> tuple[Session, Recorder] | None:
        """The source that records, and its recorder; `source` alone where it is named. Raises unknown-source."""
        sessions = [self.named(source)] if source is not None else list(self._sessions.values())
        for session in sessions:
            if (recorder := session.recorder) is not None:
                return session, recorder
        return None


def draft(
    session: Session, held: Held, *, identity: str, command: str, trigger: str, at_ns: int, clip: bool
) -> Sidecar:
    """A sidecar that lacks what only the frame knows."""
    settings = session.settings
    clock = box_clock(held.folder.parent, boot_id())
    return Sidecar(
        id=identity,
        exam=held.id,
        revision=held.revision,
        source=session.id,
        kind="clip" if clip else "still",
        file=f"{identity}.ts" if clip else f"{identity}.jpg",
        state=SidecarState.PINNED,
        command=command,
        trigger=trigger,
        trigger_ns=at_ns,
        frame_ns=at_ns,
        captured_at="",
        boot_id=clock.boot_id,
        boot=clock.number,
        suspended_ns=suspended_ns(),
        clock=clock.state,
        width=0,
        height=0,
        fps_num=session.fps.numerator,
        fps_den=session.fps.denominator,
        sop_class=settings.clip_class if clip else settings.still_class,
        sampling="420" if clip else "422",
        media=f"{settings.codec}-ts" if clip else "jpeg",
        container=settings.container if clip else "ts",
        appended=held.parts,
        series_class=settings.series_class,
        burned_in_annotation=settings.burned_in_annotation,
        device=session.device,
    )


def preroll_from(session: Session, at_ns: int) -> int:
    return at_ns - int(session.settings.preroll_s * NS)
