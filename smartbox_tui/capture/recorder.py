"""A running recording: access units in, clip files out. Neither reader nor encoder waits for the disk."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from smartbox_tui.capture.access import AccessUnit
from smartbox_tui.capture.clipfile import TAKE_BACK_NS
from smartbox_tui.capture.intake import Ending, Intake
from smartbox_tui.capture.parts import Parts
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.ending import DISK_FULL
from smartbox_tui.spool.sidecar import Sidecar
from smartbox_tui.wire.state import Recording

log = logging.getLogger(__name__)

SYNC_S: Final = 0.2
"""What a power cut may cost, with the time of one fsync on top."""

START_S: Final = 3.0


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
        self._ended = ended
        self._must_end = must_end
        self._intake = Intake(drained)
        self._parts = Parts(folder, first, max_bytes, begun)
        self._started = threading.Event()
        self._finished = threading.Event()
        self._error: SmartBoxError | None = None
        self._taken = 0
        self._synced = 0
        name = f"record-{first.source}"
        self._threads = [
            threading.Thread(target=self._write, name=name),
            threading.Thread(target=self._sync, name=f"{name}-sync", daemon=True),
        ]

    def preload(self, units: list[AccessUnit]) -> None:
        """What the recording begins with, before `start`; it is in memory already, so its size is no matter."""
        self._intake.preload(units)

    # ---- from the encoder's thread

    def feed(self, unit: AccessUnit) -> None:
        """Never blocks. A disk that does not answer for long costs whole GOPs, counted as lost."""
        self._intake.feed(unit)

    # ---- from the commands' threads

    def start(self) -> Sidecar:
        """Starts; answers when the first part and what it begins with is on disk. Raises disk-full, no-signal."""
        for thread in self._threads:
            thread.start()
        if not self._started.wait(START_S):
            self._intake.end_unless_begun("never began")
        self._started.wait()  # a slow disk is no reason to give up what has already come
        if self._error is not None:
            raise self._error
        if (sidecar := self._parts.started) is None:
            raise SmartBoxError(
                "no-signal", "No picture came to record.", "Check the video cable and the processor."
            )
        return sidecar

    def stop(self, at_ns: int, command: str, note: str = "") -> list[Sidecar]:
        """Ends with the last frame at or before `at_ns`; answers all parts, closed and durable.

        A gesture is known up to a second after its press: what was written meanwhile is taken back. A press from
        longer ago, or from before this recording was asked for, ends it now.
        """
        now_ns = time.monotonic_ns()
        if at_ns and at_ns <= max(now_ns - TAKE_BACK_NS, self.first.trigger_ns):
            at_ns = now_ns
        self._intake.end(Ending(at_ns, command, note))
        self._finished.wait()
        return self.closed

    def cut(self, why: str) -> None:
        """The source is gone: closes what is there; the next part begins when it is back. Never blocks."""
        self._intake.cut(why)

    def mark(self, mark_id: str, text: str, at_ns: int) -> dict[str, Any]:
        """Sets a mark in the part that is being written. Raises not-recording, device-gone, disk-full."""
        return self._parts.mark(mark_id, text, at_ns)

    def state(self) -> Recording:
        return self._parts.state()

    @property
    def closed(self) -> list[Sidecar]:
        """The parts that nothing comes to any more."""
        return self._parts.closed

    @property
    def since_ns(self) -> int:
        """When the first frame was taken (CLOCK_MONOTONIC); 0: there is none yet."""
        return self._parts.since_ns

    @property
    def waiting_bytes(self) -> int:
        """What is fed and not yet written."""
        return self._intake.bytes

    @property
    def written(self) -> int | None:
        """Units written so far; None: none waits."""
        return self._taken if self._intake.waits else None

    @property
    def synced(self) -> int:
        """Turns of the syncing thread."""
        return self._synced

    @property
    def finished(self) -> bool:
        return self._finished.is_set()

    # ---- the writer's thread

    def _write(self) -> None:
        reason = ""
        try:
            self._write_all()
        except SmartBoxError as exc:
            reason = exc.message
            self._error = exc
        except OSError as exc:
            log.exception("recording of %s ended by the disk", self.first.source)
            reason = f"the disk failed: {exc.strerror}"
            self._error = SmartBoxError("refused", f"The disk failed while recording: {exc.strerror}.", "Check it.")
        except Exception:
            # A defect of ours: whoever waits for the end must not wait for ever, and what is there is closed.
            log.exception("recording of %s ended by a defect", self.first.source)
            reason = "an internal error"
            self._error = SmartBoxError("refused", "The recording ended by an internal error.", "The log has it.")
        self._finish(reason)

    def _write_all(self) -> None:
        for taken in itertools.count(1):
            unit = self._intake.next()
            if unit is None:
                return
            if isinstance(unit, str):
                self._parts.close_here(unit)
                continue
            if not self._parts.take(unit):
                self._intake.lose(unit)
            self._taken = taken
            if not self._started.is_set() and taken >= self._intake.preloaded and self._parts.sync_current():
                self._started.set()

    def _finish(self, reason: str) -> None:
        ending = self._intake.ending or Ending(0)
        reason = reason or ending.failure
        note = "; ".join(filter(None, (ending.note, reason)))
        not_closed = self._parts.finish(ending.at_ns, ending.command, note)
        self._error = self._error or not_closed
        self._ended(self, reason)
        self._finished.set()
        self._started.set()

    # ---- the syncing thread

    def _sync(self) -> None:
        while not self._finished.wait(SYNC_S):
            self._synced += 1
            try:
                self._parts.sync()
            except OSError as exc:
                # What the kernel could not write it forgets: going on would promise what is not there.
                log.exception("fsync of the recording of %s failed", self.first.source)
                self._end(f"the disk failed: {exc.strerror}")
                return
            if self._must_end():
                self._end(DISK_FULL)

    def _end(self, why: str) -> None:
        """By itself, with what was taken up to now."""
        self._intake.end(Ending(time.monotonic_ns(), failure=why))
