"""Pictures that were taken, decoded for the screen: fetched from the engine and decoded in a thread, a few kept.

A picture never changes, so its pixels are kept under its own id; only when the box has none yet is it asked again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

import numpy as np

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.ui.halfblocks import Pixels, scale

log = logging.getLogger(__name__)

AT_ONCE: Final = 2
AGAIN_S: Final = 5.0
"""How long a picture that could not be had is left alone."""
_MOST_BYTES: Final = 64 << 20


class Size(StrEnum):
    """Small: a thumbnail. Large: the whole screen."""

    SMALL = "small"
    LARGE = "large"


class Grain(NamedTuple):
    """`width`: pixels across, `kept`: how many pictures. `exact`: no more pixels than that, else what the decoder
    gives, which is less than twice as many as a rule."""

    width: int
    kept: int
    exact: bool = True


BLOCKS: Final = {Size.SMALL: Grain(64, 300), Size.LARGE: Grain(400, 10)}
"""Half blocks have one a column."""


def pixel_grain(small: int, large: int, room: int) -> Mapping[Size, Grain]:
    """For pictures that are so many pixels wide on the panel; `room`: how many small ones a screen may show, which
    must all be kept, or they would be fetched for ever. Some 40 MB with the largest letters."""
    return {Size.SMALL: Grain(small, max(60, room), exact=False), Size.LARGE: Grain(large, 3, exact=False)}


def decode(jpeg: bytes, width: int, *, exact: bool = True) -> Pixels:
    """RGB, scaled down while decoding: at most `width` pixels wide, or where it is not `exact` at least, as far as
    the picture has them. Raises ValueError for what is no JPEG."""
    import simplejpeg

    header = simplejpeg.decode_jpeg_header(jpeg)
    height, across = int(header[0]), int(header[1])
    if across < 1 or height < 1:
        raise ValueError("an empty picture")
    small: Any = simplejpeg.decode_jpeg(
        jpeg, "RGB", fastdct=True, fastupsample=True, min_width=width, min_height=1, min_factor=1, strict=False
    )
    pixels = np.asarray(small, np.uint8)
    if pixels.shape[1] > (width if exact else 2 * width):
        pixels = scale(pixels, width, max(1, round(width * pixels.shape[0] / pixels.shape[1])))
    return np.ascontiguousarray(pixels)


class Gallery:
    """`want` gives a picture or None and sees to it that it comes; `came` is called when one has."""

    def __init__(
        self,
        fetch: Callable[[str], Awaitable[bytes]],
        start: Callable[[Awaitable[None]], Any],
        came: Callable[[], None],
        now_s: Callable[[], float],
        grain: Mapping[Size, Grain] = BLOCKS,
    ) -> None:
        self._grain = grain
        self._fetch, self._start, self._came, self._now_s = fetch, start, came, now_s
        self._kept: dict[Size, OrderedDict[str, Pixels]] = {size: OrderedDict() for size in Size}
        self._under_way: set[tuple[str, Size]] = set()
        self._failed: dict[tuple[str, Size], float] = {}
        self._gate = asyncio.Semaphore(AT_ONCE)

    def want(self, picture: str, size: Size) -> Pixels | None:
        """None: it is not there yet, or cannot be had."""
        kept = self._kept[size]
        if picture in kept:
            kept.move_to_end(picture)
            return kept[picture]
        key = (picture, size)
        if key not in self._under_way and self._now_s() - self._failed.get(key, -AGAIN_S) >= AGAIN_S:
            self._under_way.add(key)
            self._start(self._bring(picture, size))
        return None

    def failed(self, picture: str, size: Size) -> bool:
        """Whether it was asked for in vain."""
        return (picture, size) in self._failed

    async def _bring(self, picture: str, size: Size) -> None:
        key = (picture, size)
        grain = self._grain[size]
        try:
            async with self._gate:
                data = await self._fetch(picture)
                if len(data) > _MOST_BYTES:
                    raise ValueError("too large")
                pixels = await asyncio.to_thread(decode, data, grain.width, exact=grain.exact)
        except (SmartBoxError, ValueError) as exc:
            log.info("a picture cannot be shown: %s", type(exc).__name__)
            self._failed[key] = self._now_s()
            if len(self._failed) > 1000:
                self._failed.pop(next(iter(self._failed)))
        else:
            self._failed.pop(key, None)
            kept = self._kept[size]
            kept[picture] = pixels
            while len(kept) > grain.kept:
                kept.popitem(last=False)
        finally:
            self._under_way.discard(key)
        self._came()
