"""The picture of the test pattern: a made-up view through an endoscope, prepared once, cropped per frame.

Made without any real image: folds around a dark lumen, blotches, vessels and wet highlights out of smoothed
noise with a fixed seed, seen through the cut-cornered mask of a video endoscope on a black screen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.uint8]
Field = npt.NDArray[np.float32]

BLACK = 16
NEUTRAL = 128

_SEED = 20_26
_PERIOD_X_S = 11.0
_PERIOD_Y_S = 7.0


@dataclass(frozen=True, slots=True)
class _Corner:
    """A corner of the window that the mask cuts: `keep` is 255 inside the mask, `cover` the colour outside it."""

    top: int
    left: int
    keep: Plane
    cover: Plane


@dataclass(frozen=True, slots=True)
class _Layer:
    """One plane: `texture` is what moves behind the window at (top, left) of (rows, columns)."""

    texture: Plane
    offset: int
    top: int
    left: int
    rows: int
    columns: int
    shift: int
    corners: tuple[_Corner, ...]


class Mucosa:
    """Prepared planes of one size; `draw` makes the I420 picture (limited range) of one moment.

    1920x1080 takes about 0.15 s and 6 MB (40 MB while it is made). The same size always gives the same pictures.
    """

    def __init__(self, width: int, height: int) -> None:
        """`width` and `height` are even."""
        self._width = width
        self._height = height
        luma_size = width * height
        self._screen = np.full(luma_size * 3 // 2, NEUTRAL, np.uint8)
        self._screen[:luma_size] = BLACK
        self._neutral = (0, 0)

        # Everything in pairs of pixels, so that luma and chroma have the same geometry.
        top = height // 120
        rows = height // 2 - 2 * top
        columns = max(2, min(round(height * 1.2), round(width * 0.94)) // 2)
        left = max(0, width // 2 - columns - round(width * 0.015))
        self._reach = max(2, height // 24)

        # What stays is allocated before what is only needed for painting: the heap shrinks again afterwards.
        shape = (rows + self._reach, columns + self._reach)
        y, cb, cr = (
            np.empty((2 * shape[0], 2 * shape[1]), np.uint8),
            np.empty(shape, np.uint8),
            np.empty(shape, np.uint8),
        )
        _paint(y, cb, cr)
        cut = round(rows * 0.22)
        fine = _corners(2 * rows, 2 * columns, 2 * cut, BLACK)
        coarse = _corners(rows, columns, cut, NEUTRAL)
        chroma = (top, left, rows, columns, 1, coarse)
        self._layers = (
            _Layer(y, 0, 2 * top, 2 * left, 2 * rows, 2 * columns, 0, fine),
            _Layer(cb, luma_size, *chroma),
            _Layer(cr, luma_size + luma_size // 4, *chroma),
        )
        self._wedge()

    def draw(self, seconds: float) -> memoryview:
        """A new I420 picture as it looks `seconds` after the start. It costs little more than writing it."""
        picture = np.empty(self._screen.size, np.uint8)
        reach = self._reach
        down = round(reach * (1 + math.sin(2 * math.pi * seconds / _PERIOD_Y_S)))
        right = round(reach * (1 + math.sin(2 * math.pi * seconds / _PERIOD_X_S)))
        for layer in self._layers:
            plane, screen = self._plane(picture, layer), self._plane(self._screen, layer)
            top, left, bottom, end = layer.top, layer.left, layer.top + layer.rows, layer.left + layer.columns
            plane[:top], plane[bottom:] = screen[:top], screen[bottom:]
            plane[top:bottom, :left], plane[top:bottom, end:] = screen[top:bottom, :left], screen[top:bottom, end:]
            window = plane[top:bottom, left:end]
            x, y = right >> layer.shift, down >> layer.shift
            window[:] = layer.texture[y : y + layer.rows, x : x + layer.columns]
            for corner in layer.corners:
                rows, columns = corner.keep.shape
                part = window[corner.top : corner.top + rows, corner.left : corner.left + columns]
                np.bitwise_and(part, corner.keep, out=part)
                np.bitwise_or(part, corner.cover, out=part)
            if layer.shift:
                plane[: self._neutral[0], : self._neutral[1]] = NEUTRAL
        return picture.data

    def luma(self, picture: memoryview) -> Plane:
        """The luma plane of a picture, writable."""
        return np.frombuffer(picture, np.uint8, self._width * self._height).reshape(self._height, self._width)

    def neutralise(self, width: int, height: int) -> None:
        """Make the chroma of the top left `width` x `height` pixels neutral in every picture drawn from now on."""
        self._neutral = (-(-height // 2), -(-width // 2))

    def _plane(self, picture: Plane, layer: _Layer) -> Plane:
        columns, rows = self._width >> layer.shift, self._height >> layer.shift
        return picture[layer.offset : layer.offset + rows * columns].reshape(rows, columns)

    def _wedge(self) -> None:
        """Eight grey steps at the lower left, where a video processor shows its own data."""
        luma = self._plane(self._screen, self._layers[0])
        left, step, size = self._width // 40, self._height // 16, self._height // 20
        top = self._height - 9 * step
        room = self._layers[0].left - self._width // 80
        for i, level in enumerate(np.linspace(BLACK, 235, 8).astype(np.uint8)):
            row = top + i * step
            luma[row : row + size, left : min(left + size * 2, room)] = level


def _corners(rows: int, columns: int, cut: int, colour: int) -> tuple[_Corner, ...]:
    """The four corners of a window, cut off at 45 degrees, `cut` pixels from each edge."""
    y, x = np.arange(cut)[:, None], np.arange(cut)[None, :]
    inside = y + x >= cut
    corners = []
    for top, down in ((0, 1), (rows - cut, -1)):
        for left, right in ((0, 1), (columns - cut, -1)):
            part = inside[::down, ::right]
            keep = np.where(part, np.uint8(255), np.uint8(0))
            corners.append(_Corner(top, left, keep, np.where(part, np.uint8(0), np.uint8(colour))))
    return tuple(corners)


def _noise(rng: np.random.Generator, rows: int, columns: int, cells: int) -> Field:
    """Smooth noise of -1..1 with about `cells` bumps over the height, its grid turned by a chance angle.

    Without the turn the eye finds the grid: vessels would run along rows and columns.
    """
    angle = rng.uniform(0.2, 1.3)
    across, down = cells * math.cos(angle) / rows, cells * math.sin(angle) / rows
    y = np.arange(rows, dtype=np.float32)[:, None]
    x = np.arange(columns, dtype=np.float32)[None, :]
    u = x * across + y * down
    v = y * across + (columns - x) * down
    i, a = _knots(u)
    j, b = _knots(v)
    grid = rng.uniform(-1, 1, (int(j.max()) + 2, int(i.max()) + 2)).astype(np.float32)
    flat, width = grid.ravel(), grid.shape[1]
    corner = j * width + i
    above = flat[corner] * (1 - a) + flat[corner + 1] * a
    below = flat[corner + width] * (1 - a) + flat[corner + width + 1] * a
    field: Field = above * (1 - b) + below * b
    return field


def _knots(position: Field) -> tuple[npt.NDArray[np.int32], Field]:
    index = position.astype(np.int32)
    part = position - index.astype(np.float32)
    weight: Field = part * part * (3 - 2 * part)
    return index, weight


def _paint(luma: Plane, cb: Plane, cr: Plane) -> None:
    """Fill the planes (4:2:0, BT.601, limited range). Made at chroma's resolution; luma is enlarged from it."""
    rows, columns = cb.shape
    rng = np.random.default_rng(_SEED)
    y = (np.arange(rows, dtype=np.float32) / rows - 0.44)[:, None]
    x = (np.arange(columns, dtype=np.float32) / rows - 0.56 * columns / rows)[None, :]
    coarse, blotches = _noise(rng, rows, columns, 4), _noise(rng, rows, columns, 14)
    distance = np.sqrt(x * x * 0.85 + y * y * 1.1) * (1 + 0.22 * coarse)

    # Folds stand closer together towards the lumen, as the tube recedes.
    folds = np.sin(7.5 * np.log(distance + 0.05) + 1.6 * coarse)
    light: Field = np.clip(distance * 3.4 - 0.18, 0, 1) * (1.12 - 0.62 * distance)
    light *= 0.80 + 0.17 * folds + 0.07 * blotches
    np.clip(light, 0.02, 1.0, out=light)

    branches = np.abs(_noise(rng, rows, columns, 9) + 0.3 * _noise(rng, rows, columns, 27))
    twigs = np.abs(_noise(rng, rows, columns, 22) + 0.3 * coarse)
    vessels = np.clip(1 - branches / 0.035, 0, 1) * 0.75 + np.clip(1 - twigs / 0.05, 0, 1) * 0.35
    vessels = np.minimum(vessels, 1) * np.clip(light * 2 - 0.5, 0, 1)

    red = light * (232 - 50 * vessels + 10 * blotches)
    green = light * (128 - 78 * vessels + 16 * blotches + 10 * coarse)
    blue = light * (104 - 60 * vessels + 12 * blotches + 10 * coarse)

    gleam = np.clip((_noise(rng, rows, columns, 40) + 0.35 * folds - 1.02) * 9, 0, 1) * np.clip(
        light * 3 - 1.2, 0, 1
    )
    red, green, blue = (channel + (248 - channel) * gleam for channel in (red, green, blue))

    np.clip(128 - 0.148 * red - 0.291 * green + 0.439 * blue, 16, 235, out=cb, casting="unsafe")
    np.clip(128 + 0.439 * red - 0.368 * green - 0.071 * blue, 16, 235, out=cr, casting="unsafe")
    small = np.clip(16 + 0.257 * red + 0.504 * green + 0.098 * blue, 16, 235).astype(np.uint8)
    _enlarge(small, luma)


def _enlarge(plane: Plane, out: Plane) -> None:
    """Twice the size, smoothed, with the faint grain of a sensor."""
    rows, columns = plane.shape
    wide = np.empty((rows, columns * 2), np.uint16)
    wide[:, ::2] = plane
    wide[:, 1:-1:2] = (wide[:, 0:-2:2] + wide[:, 2::2]) >> 1
    wide[:, -1] = wide[:, -2]
    out[::2] = wide
    out[1:-1:2] = (wide[:-1] + wide[1:]) >> 1
    out[-1] = out[-2]
    tile = np.random.default_rng(_SEED).integers(0, 4, (128, 128), np.uint8)
    grain = np.tile(tile, (-(-out.shape[0] // 128), -(-out.shape[1] // 128)))
    out += grain[: out.shape[0], : out.shape[1]]
    np.clip(out, 16, 235, out=out)
