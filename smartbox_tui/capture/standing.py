"""Pictures that show nothing: black, of one colour, or standing still; for grabbers that report nothing themselves.

A converter that holds its last picture delivers it again and again, a compressing or analogue one never with the
same bytes: so small means of the picture are compared, in which noise is next to nothing.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from hw.base import Frame
from smartbox_tui.capture.clock import NS

_EVERY_NS: Final = NS // 2
_ROWS, _COLUMNS = 9, 16
FROZEN_NS: Final = 3 * NS
"""A living picture has noise: that long bit for bit the same is a standing picture."""

_MOVED: Final = 0.6
"""Of 255, in any field: noise of a few levels moves the mean of thousands of pixels by hundredths of that."""
_STILL_NS: Final = 10 * NS
_EMPTY_NS: Final = 3 * NS
_SPREAD: Final = 24
"""Between the darkest and the brightest pixels, but for a few: analogue noise."""
_FEW: Final = 0.2
_BLACK: Final = 32


class Look(StrEnum):
    """What the pictures of the last seconds look like."""

    PICTURE = ""
    BLACK = "black"
    UNIFORM = "uniform"
    STILL = "still"


class Standing:
    """`read` in the reader's thread, `see` in the preview's, `look` from any. `again` after a loss: what was before
    it says nothing."""

    def __init__(self) -> None:
        self.look = Look.PICTURE
        self._last: Frame | None = None
        self._same_since_ns = 0
        self._seen_ns = 0
        self._means: npt.NDArray[np.float64] | None = None
        self._moved_ns = 0
        self._empty: Look = Look.PICTURE
        self._empty_ns = 0

    def again(self) -> None:
        self.look, self._means, self._empty, self._last = Look.PICTURE, None, Look.PICTURE, None

    def read(self, frame: Frame, now_ns: int) -> bool:
        """Whether it and all for three seconds are the same bytes. Differing pictures differ early, so this costs
        next to nothing; equal ones a third of a millisecond."""
        if self._last is None or frame.data != self._last.data:
            self._same_since_ns = now_ns
        self._last = frame
        return now_ns - self._same_since_ns > FROZEN_NS

    def see(self, rows: npt.NDArray[np.uint8], timestamp_ns: int) -> None:
        """`rows` is a picture in RGB, (height, 3 * width). Looks twice a second, and costs a millisecond then."""
        if 0 <= timestamp_ns - self._seen_ns < _EVERY_NS:
            return
        self._seen_ns = timestamp_ns
        picture = rows.reshape(rows.shape[0], -1, 3)
        empty = _emptiness(picture)
        if empty is not self._empty:
            self._empty, self._empty_ns = empty, timestamp_ns
        means, before = _means(picture), self._means  # `again` may forget it at any moment
        if before is None or before.shape != means.shape or np.abs(means - before).max() > _MOVED:
            self._means, self._moved_ns = means, timestamp_ns
        if empty and timestamp_ns - self._empty_ns >= _EMPTY_NS:
            self.look = empty
        elif timestamp_ns - self._moved_ns >= _STILL_NS:
            self.look = Look.STILL
        else:
            self.look = Look.PICTURE


def _means(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """The mean green of each field of the picture."""
    high, wide = picture.shape[0] // _ROWS, picture.shape[1] // _COLUMNS
    green = picture[: high * _ROWS, : wide * _COLUMNS, 1]
    means: npt.NDArray[np.float64] = green.reshape(_ROWS, high, _COLUMNS, wide).mean(axis=(1, 3), dtype=np.float64)
    return means


def _emptiness(picture: npt.NDArray[np.uint8]) -> Look:
    some = picture[::4, ::4].reshape(-1, 3)
    low, high = np.percentile(some, (_FEW, 100 - _FEW), axis=0)
    if (high - low).max() > _SPREAD:
        return Look.PICTURE
    return Look.BLACK if some.mean() < _BLACK else Look.UNIFORM
