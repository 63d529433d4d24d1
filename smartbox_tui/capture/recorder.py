"""A running recording: access units in, clip files out. Neither reader nor encoder waits for the disk."""

from __future__ import annotations

import contextlib
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from smartbox_tui.capture.access import AccessUnit
from smartbox_tui.capture.clipfile import TAKE_BACK_NS, ClipFile
from smartbox_tui.capture.clock import NS, wall_of
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.ending import DISK_FULL
from smartbox_tui.model.uids import further
from smartbox_tui.spool.sidecar import Sidecar, write_sidecar
from smartbox_tui.wire.state import Recording

log = logging.getLogger(__name__)

SYNC_S: Final = 0.2
"""What a power cut may cost, with the time of one fsync on top."""

QUEUE_BYTES: Final = 32 << 20
"""What waits while the disk does not answer: half a minute at 8 Mbit/s. Then frames are counted as lost."""

START_S: Final = 3.0
_DRAIN_S: Final = 2.0
_GAP_NS: Final = NS


class Recorder:
    """`first` is the sidecar of the first part; it lacks what only the first frame knows.

    begun        called with the sidecar of each part once it is durable, from the writer's thread
    ended        called once, when the last part is closed, with all sidecars and the reason (empty: it was asked)
    drained      tells whether all frames read so far have been fed
    must_end     asked a few times a second: whether the disk is about to be full
    """

    def __init__(
        self,
        folder: Path,
        first: Sidecar,
        *,
        max_bytes: int,
        begun: Callable[[Sidecar], None],
        ended: Callable[[Recorder, str], None],
        drained: Callable[[], bool],
        must_end: Callable[[], bool] = lambda: False,
    ) -> None:
        self.folder = folder
        self.first = first
        self._max_bytes = max_bytes
        self._begun, self._ended_call, self._drained, self._must_end = begun, ended, drained, must_end
        self._queue: deque[AccessUnit] = deque()
        self._queue_bytes = self._preloaded = self._lost_here = self._until_ns = 0
        self._most_queued = QUEUE_BYTES
        self._changed = threading.Condition()
        self._dropping = self._came = False
        self._stop_ns: int | None = None
        self._cut: tuple[int, str] | None = None
        self._stop_command = self._note = self._failure = ""
        self._clip: ClipFile | None = None
        self._before: ClipFile | None = None  # the part before, while a stop may still reach back into it
        self._clip_lock = threading.RLock()
        self._started, self._finished = threading.Event(), threading.Event()
        self._error: SmartBoxError | None = None
        self.closed: list[Sidecar] = []
        self._taken = self._synced = self.since_ns = 0
        name = f"record-{first.source}"
        self._threads = [
            threading.Thread(target=self._write, name=name),
            threading.Thread(target=self._sync, name=f"{name}-sync", daemon=True),
        ]

    def preload(self, units: list[AccessUnit]) -> None:
        """What the recording begins with, before `start`; it is in memory already, so its size is no matter."""
        self._queue.extend(units)
        self._preloaded = len(units)
        self._came = any(unit.idr for unit in units)
        self._queue_bytes = sum(len(unit.data) for unit in units)
        self._most_queued = QUEUE_BYTES + self._queue_bytes

    # ---- from the encoder's thread

    def feed(self, unit: AccessUnit) -> None:
        """Never blocks. A disk that does not answer for long costs whole GOPs, counted as lost."""
        with self._changed:
            if self._queue_bytes > self._most_queued:
                self._dropping = True
            if self._dropping:
                if not unit.idr or self._queue_bytes > self._most_queued // 2:
                    self._lost_here += 1 + unit.lost
                    return
                self._dropping = False
            if self._lost_here:
                lost, self._lost_here = self._lost_here, 0
                unit = AccessUnit(unit.data, unit.timestamp_ns, unit.idr, unit.lost + lost, unit.stream)
            self._queue.append(unit)
            self._queue_bytes += len(unit.data)
            self._came = self._came or unit.idr
            self._changed.notify_all()

    # ---- from the commands' threads

    def start(self) -> Sidecar:
        """Starts; answers when the first part and what it begins with is on disk. Raises disk-full, no-signal."""
        for thread in self._threads:
            thread.start()
        if not self._started.wait(START_S):
            with self._changed:
                if not self._came:
                    self._stop_ns, self._note = 0, "never began"
                    self._changed.notify_all()
        self._started.wait()  # a slow disk is no reason to give up what has already come
        if self._error is not None:
            raise self._error
        if self._clip is None and not self.closed:
            raise SmartBoxError(
                "no-signal", "No picture came to record.", "Check the video cable and the processor."
            )
        return self.closed[0] if self.closed else self._current().sidecar

    def stop(self, at_ns: int, command: str, note: str = "") -> list[Sidecar]:
        """Ends with the last frame at or before `at_ns`; answers all parts, closed and durable.

        A gesture is known up to a second after its press: what was written meanwhile is taken back. A press from
        longer ago, or from before this recording was asked for, ends it now.
        """
        now_ns = time.monotonic_ns()
        with self._changed:
            if self._stop_ns is None:
                if at_ns and at_ns <= max(now_ns - TAKE_BACK_NS, self.first.trigger_ns):
                    at_ns = now_ns
                self._stop_ns, self._stop_command, self._note = at_ns, command, note
            self._changed.notify_all()
        self._finished.wait()
        return self.closed

    def cut(self, why: str) -> None:
        """The source is gone: closes what is there; the next part begins when it is back. Never blocks."""
        with self._changed:
            self._cut = self._cut or (time.monotonic_ns(), why)
            self._changed.notify_all()

    def mark(self, mark_id: str, text: str, at_ns: int) -> dict[str, Any]:
        """Sets a mark in the part that is being written. Raises not-recording, device-gone, disk-full."""
        with self._clip_lock:
            clip = self._current()
            if self._before is not None and at_ns < clip.first_ns:
                clip = self._before
            mark = {"id": mark_id, "at_s": clip.at_s(at_ns), "text": text}
            clip.mark(mark, at_ns)
            self._begun(clip.sidecar)
            return mark

    def _current(self) -> ClipFile:
        if self._clip is None and self.closed and not self.finished:
            raise SmartBoxError("device-gone", "There is no picture to mark now.", "Plug the grabber in again.")
        if self._clip is None:
            raise SmartBoxError("not-recording", "The recording has ended.", "Start a new one.")
        return self._clip

    @property
    def waiting_bytes(self) -> int:
        """What is fed and not yet written."""
        return self._queue_bytes

    @property
    def written(self) -> int | None:
        """Units written so far; None: none waits."""
        return self._taken if self._queue else None

    @property
    def synced(self) -> int:
        """Turns of the syncing thread."""
        return self._synced

    @property
    def finished(self) -> bool:
        return self._finished.is_set()

    def state(self) -> Recording:
        clip, opened = self._clip, (self._before, self._clip)
        closed = self.closed[:]  # read last: a part that is being closed is counted once
        known = {part.id for part in closed}
        parts = [each for each in opened if each is not None and each.sidecar.id not in known]
        frames = sum(part.frames for part in closed) + sum(part.frames for part in parts)
        lost = sum(part.frames_lost for part in closed) + sum(part.lost for part in parts)
        end_ns = clip.last_ns if clip else self._until_ns or self.since_ns
        seconds = max(0.0, (end_ns - self.since_ns) / NS) if self.since_ns else 0.0
        return Recording(since=wall_of(self.since_ns), seconds=round(seconds, 3), frames=frames, frames_lost=lost)

    # ---- the writer's thread

    def _write(self) -> None:
        reason = ""
        try:
            for taken in itertools.count(1):
                if (unit := self._next()) is None:
                    break
                if isinstance(unit, str):
                    self._close_here(unit)
                    continue
                self._take(unit)
                self._taken = taken
                if not self._started.is_set() and self._clip is not None and taken >= self._preloaded:
                    self._clip.sync()
                    self._started.set()
        except SmartBoxError as exc:
            reason, self._error = exc.message, exc
        except OSError as exc:
            log.exception("recording of %s ended by the disk", self.first.source)
            reason = f"the disk failed: {exc.strerror}"
            self._error = SmartBoxError("refused", f"The disk failed while recording: {exc.strerror}.", "Check it.")
        except Exception:
            # A defect of ours: whoever waits for the end must not wait for ever, and what is there is closed.
            log.exception("recording of %s ended by a defect", self.first.source)
            reason = "an internal error"
            self._error = SmartBoxError("refused", "The recording ended by an internal error.", "The log has it.")
        self._finish(reason or self._failure)

    def _next(self) -> AccessUnit | str | None:
        """The next unit; None when the recording is over; a text where it is cut, and why."""
        with self._changed:
            while True:
                if self._cut is not None and self._all_before(self._cut[0]):
                    (_, why), self._cut = self._cut, None
                    return why
                if self._queue:
                    unit = self._queue.popleft()
                    self._queue_bytes -= len(unit.data)
                    if self._stop_ns is not None and unit.timestamp_ns > self._stop_ns:
                        return None
                    return unit
                # With a source that delivers nothing no later frame will ever say that all are here.
                if self._stop_ns is not None and self._all_before(self._stop_ns):
                    return None
                self._changed.wait(0.02 if self._stop_ns is not None or self._cut is not None else None)

    def _all_before(self, at_ns: int) -> bool:
        """Whether every unit from before that moment has been written."""
        if self._queue:
            return self._queue[0].timestamp_ns > at_ns
        over_ns = time.monotonic_ns() - at_ns
        return over_ns > _DRAIN_S * NS or (over_ns > NS // 10 and self._drained() and not self._queue)

    def _take(self, unit: AccessUnit) -> None:
        clip = self._clip
        if clip is None or (unit.stream is not clip.stream and not unit.stream.same_as(clip.stream)):
            if unit.idr:
                self._roll(unit)
                self._current().write(unit)
            else:  # nothing before an IDR can be decoded: the next unit that is fed tells of it
                with self._changed:
                    self._lost_here += 1 + unit.lost
            return
        if unit.timestamp_ns - clip.last_ns > _GAP_NS + NS / clip.stream.fps:
            seconds = (unit.timestamp_ns - clip.last_ns) / NS
            log.warning("recording of %s: no picture for %.1f s", self.first.source, seconds)
            with self._clip_lock:
                note = "; ".join(filter(None, (clip.sidecar.note, f"no signal for {seconds:.1f} s")))
                clip.sidecar = clip.sidecar.with_(note=note)
        if not clip.fits(unit, self._max_bytes) and clip.frames:
            moved = [] if unit.idr else clip.take_back_gop()
            if unit.idr or moved:
                self._roll((moved or [unit])[0])
                clip = self._current()
                for each in moved:
                    clip.write(each)
        clip.write(unit)
        before = self._before
        if before is not None and unit.timestamp_ns - before.last_ns > TAKE_BACK_NS:
            self._close_before()

    def _roll(self, unit: AccessUnit) -> None:
        """The next part, beginning with `unit`. The one before is closed later: a stop is known only up to a second
        after its press, and its frames after that go, whichever part they are in."""
        if self._before is not None:
            self._close_before()
        old = self._clip
        part = len(self.closed) + (1 if old else 0)
        identity = str(further(UUID(self.first.id), part))
        sidecar = self.first.with_(id=identity, file=f"{identity}.ts", part=part)
        clip = ClipFile(self.folder, sidecar, unit)
        with self._clip_lock:
            self._clip, self._before = clip, old
            if old is not None:
                with contextlib.suppress(SmartBoxError, OSError):  # then they stay at its last frame
                    clip.take_marks(old, unit.timestamp_ns)
        self.since_ns = self.since_ns or unit.timestamp_ns
        self._begun(clip.sidecar)

    def _close_before(self, stop_command: str = "", note: str = "") -> None:
        with self._clip_lock:
            if (before := self._before) is None:
                return
            closed = before.close(stop_command=stop_command, note=note)
            self.closed.append(closed)
            self._before = None
        self._begun(closed)

    def _close_here(self, why: str) -> None:
        with self._clip_lock:
            clip = self._clip
            if clip is None:
                return
            self._close_before()
            self._until_ns = clip.last_ns
            closed = clip.close(stop_command="", note=why)
            self._clip = None
        if closed.frames:
            self.closed.append(closed)
        self._begun(closed)

    def _ended_while_gone(self, note: str) -> None:
        """The last part was closed already: that it was asked to end is noted there."""
        if self._clip is not None or not self.closed or not (self._stop_command or note):
            return
        last = self.closed[-1]
        last = last.with_(stop_command=self._stop_command, note="; ".join(filter(None, (last.note, note))))
        write_sidecar(self.folder, last)
        self.closed[-1] = last
        self._begun(last)

    def _finish(self, reason: str) -> None:
        note = "; ".join(filter(None, (self._note, reason)))
        with self._clip_lock:
            clip, stop_ns = self._clip, self._stop_ns
            with contextlib.suppress(SmartBoxError, OSError):  # then it only ends a little late
                if clip is not None and stop_ns:
                    if self._before is not None and clip.first_ns > stop_ns:
                        clip.take_back_all()
                        self._before.take_marks(clip, clip.first_ns)
                        self._before.take_back(stop_ns)
                    else:
                        clip.take_back(stop_ns)
            last = clip is not None and clip.frames > 0
            self._tried(lambda: self._close_before("" if last else self._stop_command, "" if last else note))
            self._tried(lambda: self._close_last(note) if clip is not None else self._ended_while_gone(note))
            self._clip = self._before = None
        self._ended_call(self, reason)
        self._finished.set()
        self._started.set()

    def _close_last(self, note: str) -> None:
        if self._clip is None:
            return
        sidecar = self._clip.close(stop_command=self._stop_command, note=note)
        self._begun(sidecar)
        if sidecar.frames:
            self.closed.append(sidecar)

    def _tried(self, close: Callable[[], None]) -> None:
        try:
            close()
        except (SmartBoxError, OSError) as exc:
            # The sidecar says `recording`: the next start counts what the file holds and closes it.
            log.error("recording of %s is not closed: %s", self.first.source, exc)
            self._error = self._error or SmartBoxError("disk-full", str(exc))

    @staticmethod
    def _keep_frames(clip: ClipFile) -> None:
        with contextlib.suppress(SmartBoxError):  # disk-full: the writer finds that out by itself
            clip.keep_frames()

    def _end(self, why: str) -> None:
        """By itself, with what was taken up to now."""
        with self._changed:
            if self._stop_ns is None:
                self._stop_ns, self._failure = time.monotonic_ns(), why
            self._changed.notify_all()

    # ---- the syncing thread

    def _sync(self) -> None:
        while not self._finished.wait(SYNC_S):
            self._synced += 1
            try:
                for clip in (self._before, self._clip):
                    if clip is not None:
                        clip.sync()
                with self._clip_lock:
                    for clip in (self._before, self._clip):
                        if clip is not None:
                            self._keep_frames(clip)
            except OSError as exc:
                # What the kernel could not write it forgets: going on would promise what is not there.
                log.exception("fsync of the recording of %s failed", self.first.source)
                self._end(f"the disk failed: {exc.strerror}")
                return
            if self._must_end():
                self._end(DISK_FULL)
