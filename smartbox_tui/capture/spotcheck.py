"""A look at what the hardware makes while it is in use: a driver that goes wrong after hours gives no error.

Now and then an IDR picture is decoded and held against the one that went in, in a thread of its own.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import Any, Final

import av
import numpy as np
import numpy.typing as npt

from smartbox_tui.capture import precedence
from smartbox_tui.capture.access import AccessUnit
from smartbox_tui.capture.clock import NS
from smartbox_tui.capture.convert import rows
from smartbox_tui.capture.fitting import Fitter
from smartbox_tui.capture.selftest import decoded
from smartbox_tui.model.formats import Format

log = logging.getLogger(__name__)

_BLOCK: Final = 16
_MOST_APART: Final = 24.0
"""Of 255, as the mean over all blocks. Noise that the bits do not suffice for is gone in a block's mean; a green or
a foreign picture is twice as far away."""


class SpotCheck:
    """`look` belongs to the encoding thread. `every_s` apart; what is looked at keeps a picture alive meanwhile."""

    def __init__(self, name: str, codec: str, plan: Format, every_s: float) -> None:
        self._name, self._codec, self._plan = name, codec, plan
        self._every_ns = int(every_s * NS)
        self._next_ns = 0
        self._work: deque[tuple[Any, AccessUnit] | None] = deque()
        self._changed = threading.Condition()
        self.wrong = ""
        """What was seen that must not be recorded, as a sentence's part; empty: nothing."""
        self._thread = threading.Thread(target=self._run, name=f"check-{name}", daemon=True)
        self._thread.start()

    def look(self, picture: Any, unit: AccessUnit) -> None:
        """A unit and what it was made of (VideoFrame yuv420p). Never blocks."""
        if not unit.idr or unit.timestamp_ns < self._next_ns or self._work:
            return
        self._next_ns = unit.timestamp_ns + self._every_ns
        with self._changed:
            self._work.append((picture, unit))
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._work.append(None)
            self._changed.notify()

    def _run(self) -> None:
        precedence.of_preview()
        fitter = Fitter(self._plan)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._work)
                item = self._work[0]
            if item is None:
                return
            try:
                self.wrong = self._compared(fitter.fit(item[0]), item[1])
            except (av.FFmpegError, ValueError) as exc:
                self.wrong = f"what it made cannot be decoded: {exc}"
            if self.wrong:
                return
            del item
            with self._changed:
                self._work.popleft()

    def _compared(self, picture: Any, unit: AccessUnit) -> str:
        found = list(decoded(self._codec, [unit.data]))
        if len(found) != 1:
            return f"{len(found)} pictures can be decoded of one"
        (got,) = found
        if (got.width, got.height) != (picture.width, picture.height):
            return "it made a picture of another size"
        apart = max(
            float(np.abs(means(one) - means(other)).mean())
            for one, other in zip(got.planes, picture.planes, strict=True)
        )
        return "" if apart <= _MOST_APART else "what it made is not the picture that it was given"


def means(plane: Any) -> npt.NDArray[np.float32]:
    """Of the plane's blocks; what is left at the right and at the bottom is not looked at."""
    pixels = rows(plane)
    down, across = (side // _BLOCK for side in pixels.shape)
    if not down or not across:
        return pixels.astype(np.float32)
    whole = pixels[: down * _BLOCK, : across * _BLOCK].reshape(down, _BLOCK, across, _BLOCK)
    found: npt.NDArray[np.float32] = whole.mean(axis=(1, 3), dtype=np.float32)
    return found
