"""A preview file that moves: a round endoscope picture, the fake capture's."""

from __future__ import annotations

import asyncio
import time
from functools import lru_cache
from pathlib import Path

import numpy as np

from smartbox_tui.wire.preview import PreviewWriter

WIDTH, HEIGHT = 480, 270
PERIOD_S = 0.1


@lru_cache(maxsize=16)
def scene(step: int) -> bytes:
    """RGB of one moment: a lit, reddish tunnel with folds and a highlight, black outside the circle."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    across, down = (x - WIDTH / 2) / (HEIGHT / 2), (y - HEIGHT / 2) / (HEIGHT / 2)
    radius = np.hypot(across, down)
    lumen = np.hypot(across - 0.18 * np.cos(step / 9), down - 0.12 * np.sin(step / 7))
    angle = np.arctan2(down, across)
    folds = 0.5 + 0.5 * np.sin(9 * lumen - step / 6 + 0.5 * np.sin(3 * angle))
    light = np.clip(lumen * 1.25, 0, 1) * (0.72 + 0.28 * folds)
    vessels = 0.06 * np.sin(23 * angle + 9 * lumen) * np.sin(7 * angle)
    red = 235 * (light + 0.06 + vessels * 0.3)
    green = 128 * (light * light + 0.03 - vessels)
    blue = 108 * (light * light * 0.9 + 0.03 - vessels)
    shine = np.exp(-(((across + 0.45) / 0.07) ** 2 + ((down + 0.35) / 0.05) ** 2)) * 200
    picture = np.stack([red + shine, green + shine, blue + shine], axis=-1)
    picture[radius > 0.98] = 6
    return np.clip(picture, 0, 255).astype(np.uint8).tobytes()


class MovingPreview:
    """Writes the file once at `start`, and goes on writing when it is to move."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: PreviewWriter | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self, moving: bool) -> None:
        self._writer = PreviewWriter(self._path, WIDTH, HEIGHT)
        self.show(0)
        if moving:
            self._task = asyncio.get_running_loop().create_task(self._move())

    def show(self, step: int) -> None:
        """Publishes the picture of that step."""
        assert self._writer is not None
        self._writer.slot()[:] = scene(step)
        self._writer.publish(time.monotonic_ns())

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
        if self._writer is not None:
            self._writer.close()

    async def _move(self) -> None:
        step = 0
        while True:
            await asyncio.sleep(PERIOD_S)
            step += 1
            await asyncio.to_thread(self.show, step)
