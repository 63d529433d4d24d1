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
class _Layer:
    """One plane of the picture: `texture` is the box plus the way it moves; `mask` is 255 where it shows."""

    texture: Plane
    mask: Plane
    offset: int
    row: int
    column: int
    rows: int
    columns: int
    shift: int


class Mucosa:
    """Prepared planes of one size; `draw` makes the I420 picture (limited range) of one moment.

    Takes about 0.2 s and 10 MB for 1920x1080. The same size always gives the same pictures.
    """

    def __init__(self, width: int, height: int) -> None:
        self._width = width
        self._height = height
        luma_size = width * height
        self._template = bytearray(bytes((BLACK,)) * luma_size + bytes((NEUTRAL,)) * (luma_size // 2))

        # Everything in pairs of pixels, so that luma and chroma have the same geometry.
        box_rows = height // 2
        box_columns = max(2, min(round(height * 1.2), round(width * 0.94)) // 2)
        column = max(0, (width // 2 - box_columns) - round(width * 0.015))
        self._reach = max(2, height // 24)
        rows, columns = box_rows + self._reach, box_columns + self._reach

        y, cb, cr = _paint(rows, columns)
        mask = _octagon(box_rows, box_columns)
        quarter = luma_size // 4
        wide = np.repeat(np.repeat(mask, 2, axis=0), 2, axis=1)
        self._layers = (
            _Layer(_enlarge(y), wide, 0, 0, column * 2, box_rows * 2, box_columns * 2, 0),
            _Layer(cb, mask, luma_size, 0, column, box_rows, box_columns, 1),
            _Layer(cr, mask, luma_size + quarter, 0, column, box_rows, box_columns, 1),
        )
        # Inside the mask the template is 0: one AND and one OR then make the masked picture.
        for layer in self._layers:
            self._window(self._template, layer)[layer.mask == 255] = 0
        self._wedge()

    def draw(self, seconds: float) -> bytearray:
        """A new I420 picture as it looks `seconds` after the start."""
        picture = bytearray(self._template)
        reach = self._reach
        down = round(reach * (1 + math.sin(2 * math.pi * seconds / _PERIOD_Y_S)))
        right = round(reach * (1 + math.sin(2 * math.pi * seconds / _PERIOD_X_S)))
        for layer in self._layers:
            top, left = down >> layer.shift, right >> layer.shift
            crop = layer.texture[top : top + layer.rows, left : left + layer.columns]
            window = self._window(picture, layer)
            floor = self._window(self._template, layer)
            np.bitwise_and(crop, layer.mask, out=window)
            np.bitwise_or(window, floor, out=window)
        return picture

    def luma(self, picture: bytearray) -> Plane:
        """The luma plane of a picture, writable."""
        return np.frombuffer(picture, np.uint8, self._width * self._height).reshape(self._height, self._width)

    def neutralise(self, width: int, height: int) -> None:
        """Make the chroma of the top left `width` x `height` pixels neutral in every picture drawn from now on."""
        for layer in self._layers[1:]:
            stride = self._width // 2
            plane = np.frombuffer(self._template, np.uint8, stride * (self._height // 2), layer.offset)
            rows, columns = -(-height // 2), -(-width // 2)
            plane.reshape(-1, stride)[:rows, :columns] = NEUTRAL
            overlap = max(0, columns - layer.column)
            layer.mask[:rows, :overlap] = 0

    def _window(self, picture: bytearray, layer: _Layer) -> Plane:
        stride = self._width >> layer.shift
        plane = np.frombuffer(picture, np.uint8, stride * (self._height >> layer.shift), layer.offset)
        shaped: Plane = plane.reshape(-1, stride)
        return shaped[layer.row : layer.row + layer.rows, layer.column : layer.column + layer.columns]

    def _wedge(self) -> None:
        """Eight grey steps at the lower left, where a video processor shows its own data."""
        luma = self.luma(self._template)
        left, step, size = self._width // 40, self._height // 16, self._height // 20
        top = self._height - 9 * step
        room = self._layers[0].column - self._width // 80
        for i, level in enumerate(np.linspace(BLACK, 235, 8).astype(np.uint8)):
            row = top + i * step
            luma[row : row + size, left : min(left + size * 2, room)] = level


def _noise(rng: np.random.Generator, rows: int, columns: int, cells: int) -> Field:
    """Smooth noise of -1..1 with `cells` bumps over the height."""
    across = max(2, round(cells * columns / rows))
    grid = rng.uniform(-1, 1, (cells + 2, across + 2)).astype(np.float32)
    x, x_weight = _knots(columns, across)
    y, y_weight = _knots(rows, cells)
    lines = grid[:, x] * (1 - x_weight) + grid[:, x + 1] * x_weight
    field = lines[y] * (1 - y_weight[:, None]) + lines[y + 1] * y_weight[:, None]
    return field.astype(np.float32, copy=False)


def _knots(size: int, cells: int) -> tuple[npt.NDArray[np.intp], Field]:
    position = np.linspace(0, cells, size, dtype=np.float32)
    index = position.astype(np.intp)
    part = position - index.astype(np.float32)
    weight: Field = part * part * (3 - 2 * part)
    return index, weight


def _paint(rows: int, columns: int) -> tuple[Plane, Plane, Plane]:
    """Y, Cb, Cr of BT.601 limited range, all at half resolution."""
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

    luma = 16 + 0.257 * red + 0.504 * green + 0.098 * blue
    cb = 128 - 0.148 * red - 0.291 * green + 0.439 * blue
    cr = 128 + 0.439 * red - 0.368 * green - 0.071 * blue
    planes = [np.clip(plane, 16, 235).astype(np.uint8) for plane in (luma, cb, cr)]
    return planes[0], planes[1], planes[2]


def _enlarge(plane: Plane) -> Plane:
    """Twice the size, smoothed, with the faint grain of a sensor."""
    rows, columns = plane.shape
    wide = np.empty((rows, columns * 2), np.uint16)
    wide[:, ::2] = plane
    wide[:, 1:-1:2] = (wide[:, 0:-2:2] + wide[:, 2::2]) >> 1
    wide[:, -1] = wide[:, -2]
    tall = np.empty((rows * 2, columns * 2), np.uint16)
    tall[::2] = wide
    tall[1:-1:2] = (wide[:-1] + wide[1:]) >> 1
    tall[-1] = tall[-2]
    tile = np.random.default_rng(_SEED).integers(0, 4, (128, 128), np.uint16)
    grain = np.tile(tile, (-(-tall.shape[0] // 128), -(-tall.shape[1] // 128)))
    tall += grain[: tall.shape[0], : tall.shape[1]]
    return np.clip(tall, 16, 235).astype(np.uint8)


def _octagon(rows: int, columns: int) -> Plane:
    """255 inside a box with cut corners, 0 outside."""
    y = np.arange(rows)[:, None]
    x = np.arange(columns)[None, :]
    edge_y, edge_x = np.minimum(y, rows - 1 - y), np.minimum(x, columns - 1 - x)
    margin = max(1, rows // 60)
    inside = (edge_y >= margin) & (edge_x >= 0) & (edge_x + edge_y >= rows * 0.22 + margin)
    return np.where(inside, np.uint8(255), np.uint8(0))
