"""A unit maker on a thread of its own: one whose driver never answers keeps nobody else."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Final

from hw.base import VideoFormat
from smartbox_tui.capture.access import AccessUnit, Stream
from smartbox_tui.capture.encoder import UnitMaker
from smartbox_tui.capture.selftest import sentence

log = logging.getLogger(__name__)

LIMIT_S: Final = 0.3
"""For one unit. Less than what the queue before the encoder holds, so that nothing is lost when it has passed."""

_SLICES: Final = 3
"""A machine that stood still (suspended, stopped) lets one of them pass at once, not all."""


class Failed(ValueError):
    """The maker made nothing of a picture, or not in time: it is of no more use."""


class Late(Failed):
    """It has not answered in time: its driver hangs, or the machine had no time for it. `answered` says later which
    it was: whether it has answered since, and let go of everything."""

    def __init__(self, limit_s: float, answered: Callable[[], bool]) -> None:
        super().__init__(f"it has not answered for {limit_s:.1f} s")
        self.answered = answered


class Guarded:
    """See UnitMaker. `make` is called in the thread that alone uses what it makes, and closes it at last."""

    def __init__(
        self,
        make: Callable[[], UnitMaker],
        form: VideoFormat,
        name: str,
        *,
        open_s: float,
        limit_s: float = LIMIT_S,
    ) -> None:
        """Raises Failed where it does not open within `open_s`; `limit_s` is for each unit."""
        self.format = form
        self._limit_s = limit_s
        self.stream: Stream | None = None
        self._make = make
        self._jobs: SimpleQueue[Callable[[UnitMaker], AccessUnit | None] | None] = SimpleQueue()
        self._answers: SimpleQueue[AccessUnit | Exception | None] = SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=f"hardware-{name}", daemon=True)
        self._thread.start()
        self._answer(open_s)

    def encode(
        self,
        picture: Any,
        timestamp_ns: int,
        lost: int,
        *,
        idr: bool,
        limit_s: float = 0.0,
    ) -> AccessUnit | None:
        """See UnitMaker. Raises Failed for whatever went wrong, also when the limit (or another one) has passed."""
        if self._closed:
            raise Failed("it was closed")
        self._jobs.put(lambda maker: maker.encode(picture, timestamp_ns, lost, idr=idr))
        unit = self._answer(limit_s or self._limit_s)
        if unit is not None:
            self.stream = unit.stream
        return unit

    def close(self) -> None:
        """See UnitMaker; one that hangs is left to its thread."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)

    def _answer(self, limit_s: float) -> AccessUnit | None:
        for _ in range(_SLICES):
            try:
                answer = self._answers.get(timeout=limit_s / _SLICES)
            except Empty:
                continue
            if isinstance(answer, Exception):
                self.close()
                raise Failed(sentence(answer)) from answer
            return answer
        self.close()
        thread = self._thread
        raise Late(limit_s, lambda: not thread.is_alive())

    # ---- the maker's own thread

    def _work(self) -> None:
        try:
            maker = self._make()
        except Exception as exc:  # noqa: BLE001  raised again where it is waited for
            self._answers.put(exc)
            return
        self._answers.put(None)
        try:
            while (job := self._jobs.get()) is not None:
                try:
                    self._answers.put(job(maker))
                except Exception as exc:  # noqa: BLE001  raised again where it is waited for
                    self._answers.put(exc)
        finally:
            maker.close()
