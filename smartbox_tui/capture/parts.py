"""The parts of a recording on disk: where one ends and the next begins, marks in the right one, the last moments
taken back."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from smartbox_tui.capture.access import AccessUnit
from smartbox_tui.capture.clipfile import TAKE_BACK_NS, ClipFile
from smartbox_tui.capture.clock import NS, wall_of
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.uids import further
from smartbox_tui.spool.sidecar import Sidecar, write_sidecar
from smartbox_tui.wire.state import Recording

log = logging.getLogger(__name__)

_GAP_NS: Final = NS


class Parts:
    """`first` is the sidecar of the first part; it lacks what only the first frame knows. `begun` is called with
    the sidecar of each part once it is durable.

    `take`, `close_here` and `finish` belong to the writer's thread, `sync` to the syncing one, the others to any.
    """

    def __init__(self, folder: Path, first: Sidecar, max_bytes: int, begun: Callable[[Sidecar], None]) -> None:
        self._folder = folder
        self._first = first
        self._max_bytes = max_bytes
        self._begun = begun
        self._lock = threading.RLock()
        self._current: ClipFile | None = None
        self._before: ClipFile | None = None  # the part before, while a stop may still reach back into it
        self._finished = False
        self._until_ns = 0
        self.closed: list[Sidecar] = []
        self.since_ns = 0
        """When the recording's first frame was taken; 0: there is none yet."""

    # ---- from any thread

    @property
    def started(self) -> Sidecar | None:
        """The sidecar of the first part that is known; None: no picture came."""
        current = self._current
        if self.closed:
            return self.closed[0]
        return current.sidecar if current is not None else None

    def mark(self, mark_id: str, text: str, at_ns: int) -> dict[str, Any]:
        """Sets a mark in the part that is being written. Raises not-recording, device-gone, disk-full."""
        with self._lock:
            clip = self._open_one()
            if self._before is not None and at_ns < clip.first_ns:
                clip = self._before
            mark = {"id": mark_id, "at_s": clip.at_s(at_ns), "text": text}
            clip.mark(mark, at_ns)
            self._begun(clip.sidecar)
            return mark

    def state(self) -> Recording:
        clip, opened = self._current, (self._before, self._current)
        closed = self.closed[:]  # read last: a part that is being closed is counted once
        known = {part.id for part in closed}
        parts = [each for each in opened if each is not None and each.sidecar.id not in known]
        frames = sum(part.frames for part in closed) + sum(part.frames for part in parts)
        lost = sum(part.frames_lost for part in closed) + sum(part.lost for part in parts)
        end_ns = clip.last_ns if clip else self._until_ns or self.since_ns
        seconds = max(0.0, (end_ns - self.since_ns) / NS) if self.since_ns else 0.0
        return Recording(since=wall_of(self.since_ns), seconds=round(seconds, 3), frames=frames, frames_lost=lost)

    def sync(self) -> None:
        """What was written is safe, the marks' frames with it. Raises OSError."""
        for clip in (self._before, self._current):
            if clip is not None:
                clip.sync()
        with self._lock:
            for clip in (self._before, self._current):
                if clip is not None:
                    with contextlib.suppress(SmartBoxError):  # disk-full: the writer finds that out by itself
                        clip.keep_frames()

    def sync_current(self) -> bool:
        """What was written to the newest part is safe; False: there is none. Raises OSError."""
        if self._current is None:
            return False
        self._current.sync()
        return True

    def _open_one(self) -> ClipFile:
        if self._current is None and self.closed and not self._finished:
            raise SmartBoxError("device-gone", "There is no picture to mark now.", "Plug the grabber in again.")
        if self._current is None:
            raise SmartBoxError("not-recording", "The recording has ended.", "Start a new one.")
        return self._current

    # ---- from the writer's thread

    def take(self, unit: AccessUnit) -> bool:
        """Writes the unit, into a new part where it must. False: it cannot begin one. Raises disk-full, OSError."""
        clip = self._current
        if clip is None or (unit.stream is not clip.stream and not unit.stream.same_as(clip.stream)):
            if not unit.idr:
                return False
            self._begin(unit).write(unit)
            return True
        if unit.timestamp_ns - clip.last_ns > _GAP_NS + NS / clip.stream.fps:
            self._note_gap(clip, (unit.timestamp_ns - clip.last_ns) / NS)
        if not clip.fits(unit, self._max_bytes) and clip.frames:
            moved = [] if unit.idr else clip.take_back_gop()
            if unit.idr or moved:
                clip = self._begin((moved or [unit])[0])
                for each in moved:
                    clip.write(each)
        clip.write(unit)
        before = self._before
        if before is not None and unit.timestamp_ns - before.last_ns > TAKE_BACK_NS:
            self._close_before()
        return True

    def close_here(self, why: str) -> None:
        """The source is gone: nothing that comes later belongs to this part."""
        with self._lock:
            clip = self._current
            if clip is None:
                return
            self._close_before()
            self._until_ns = clip.last_ns
            closed = clip.close(stop_command="", note=why)
            self._current = None
        if closed.frames:
            self.closed.append(closed)
        self._begun(closed)

    def finish(self, stop_ns: int, command: str, note: str) -> SmartBoxError | None:
        """Takes back what came after `stop_ns` (0: nothing) and closes all; what kept a part from being closed."""
        with self._lock:
            clip = self._current
            with contextlib.suppress(SmartBoxError, OSError):  # then it only ends a little late
                if clip is not None and stop_ns:
                    self._take_back(clip, stop_ns)
            last = clip is not None and clip.frames > 0
            said = ("", "") if last else (command, note)
            before_failed = self._tried(lambda: self._close_before(*said))
            last_failed = self._tried(lambda: self._close_last(command, note))
            self._current = self._before = None
            self._finished = True
        return before_failed or last_failed

    def _note_gap(self, clip: ClipFile, seconds: float) -> None:
        log.warning("recording of %s: no picture for %.1f s", self._first.source, seconds)
        with self._lock:
            note = "; ".join(filter(None, (clip.sidecar.note, f"no signal for {seconds:.1f} s")))
            clip.sidecar = clip.sidecar.with_(note=note)

    def _begin(self, unit: AccessUnit) -> ClipFile:
        """The next part, beginning with `unit`. The one before is closed later: a stop is known only up to a second
        after its press, and its frames after that go, whichever part they are in."""
        if self._before is not None:
            self._close_before()
        old = self._current
        part = len(self.closed) + (1 if old else 0)
        identity = str(further(UUID(self._first.id), part))
        clip = ClipFile(self._folder, self._first.with_(id=identity, file=f"{identity}.ts", part=part), unit)
        with self._lock:
            self._current, self._before = clip, old
            if old is not None:
                with contextlib.suppress(SmartBoxError, OSError):  # then they stay at its last frame
                    clip.take_marks(old, unit.timestamp_ns)
        self.since_ns = self.since_ns or unit.timestamp_ns
        self._begun(clip.sidecar)
        return clip

    def _take_back(self, clip: ClipFile, after_ns: int) -> None:
        before = self._before
        if before is not None and clip.first_ns > after_ns:
            clip.take_back_all()
            before.take_marks(clip, clip.first_ns)
            before.take_back(after_ns)
        else:
            clip.take_back(after_ns)

    def _close_before(self, command: str = "", note: str = "") -> None:
        with self._lock:
            before = self._before
            if before is None:
                return
            closed = before.close(stop_command=command, note=note)
            self.closed.append(closed)
            self._before = None
        self._begun(closed)

    def _close_last(self, command: str, note: str) -> None:
        if self._current is None:
            self._note_ending(command, note)
            return
        sidecar = self._current.close(stop_command=command, note=note)
        self._begun(sidecar)
        if sidecar.frames:
            self.closed.append(sidecar)

    def _note_ending(self, command: str, note: str) -> None:
        """The last part was closed already: that it was asked to end is noted there."""
        if not self.closed or not (command or note):
            return
        last = self.closed[-1]
        last = last.with_(stop_command=command, note="; ".join(filter(None, (last.note, note))))
        write_sidecar(self._folder, last)
        self.closed[-1] = last
        self._begun(last)

    def _tried(self, close: Callable[[], None]) -> SmartBoxError | None:
        try:
            close()
        except (SmartBoxError, OSError) as exc:
            # The sidecar says `recording`: the next start counts what the file holds and closes it.
            log.error("recording of %s is not closed: %s", self._first.source, exc)
            return exc if isinstance(exc, SmartBoxError) else SmartBoxError("disk-full", str(exc))
        return None
