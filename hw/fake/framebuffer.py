"""A made-up /dev/fb0: a real file that is mapped, its size and format answered from memory."""

from __future__ import annotations

import errno
import mmap
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.calls import SystemCalls
from hw.panel import framebuffer as fb
from hw.panel.framebuffer import Packing

XRGB = Packing(32, (16, 8), (8, 8), (0, 8))
XBGR = Packing(32, (0, 8), (8, 8), (16, 8))
RGB565 = Packing(16, (11, 5), (5, 6), (0, 5))
BGR888 = Packing(24, (16, 8), (8, 8), (0, 8))


class FakeFramebuffer(SystemCalls):
    """Give it as `calls`. `padding` bytes end each line, `virtual_height` rows lie in memory, seen from `y_offset`;
    `fail_open` is an errno, `gone` a driver that was removed, `cannot_blank` one without that call; `visual` and
    `kind` as in <linux/fb.h>. `blanked` is what FBIOBLANK asked for last."""

    path = "/dev/fb0"

    def __init__(
        self,
        folder: Path,
        size: tuple[int, int] = (800, 480),
        packing: Packing = XRGB,
        *,
        padding: int = 0,
        virtual_height: int = 0,
        millimetres: tuple[int, int] = (0, 0),
    ) -> None:
        self.file = folder / "fb0"
        self.size, self.packing, self.padding = size, packing, padding
        self.virtual_height = virtual_height or size[1]
        self.y_offset = 0
        self.millimetres = millimetres
        self.visual, self.kind = 2, 0
        self.fail_open = 0
        self.gone = False
        self.cannot_blank = False
        self.blanked = 0
        self.opened = 0
        self._extend()

    @property
    def line_length(self) -> int:
        return self.size[0] * self.packing.bits // 8 + self.padding

    def set_mode(self, size: tuple[int, int]) -> None:
        """Another resolution, as after a change of the screen."""
        self.size, self.virtual_height = size, max(size[1], self.virtual_height)
        self._extend()

    def shown(self) -> NDArray[np.uint8]:
        """What the screen shows, height x width x 3, RGB."""
        width, height = self.size
        size = self.packing.bits // 8
        raw = np.fromfile(self.file, np.uint8)
        start = self.y_offset * self.line_length
        lines = raw[start : start + height * self.line_length].reshape(height, self.line_length)
        lanes = lines[:, : width * size].reshape(height, width, size).astype(np.uint32)
        values = sum((lanes[..., at] << 8 * at for at in range(size)), np.zeros((height, width), np.uint32))
        colours = (self.packing.red, self.packing.green, self.packing.blue)
        channels = [((values >> shift) & (2**bits - 1)) * 255 // (2**bits - 1) for shift, bits in colours]
        return np.stack(channels, axis=2).astype(np.uint8)

    def text_over(self, left: int, top: int, right: int, bottom: int, value: int = 0) -> None:
        """The text console draws over an area, in pixels."""
        size = self.packing.bits // 8
        with self.file.open("r+b") as file:
            for y in range(top, bottom):
                file.seek((self.y_offset + y) * self.line_length + left * size)
                file.write(bytes([value]) * (right - left) * size)

    def open(self, path: str, flags: int) -> int:
        if self.fail_open:
            raise OSError(self.fail_open, os.strerror(self.fail_open), path)
        if self.gone or path != self.path:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        self.opened += 1
        return super().open(str(self.file), flags)

    def close(self, fd: int) -> None:
        super().close(fd)
        self.opened -= 1

    def mmap(self, fd: int, length: int, offset: int) -> mmap.mmap:
        if length > self.file.stat().st_size:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return super().mmap(fd, length, offset)

    def ioctl(self, fd: int, request: int, argument: Any) -> None:
        if self.gone:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        if request == fb.FBIOBLANK:
            if self.cannot_blank:
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
            self.blanked = argument
        elif request == fb.FBIOGET_VSCREENINFO:
            argument[:] = self._var()
        elif request == fb.FBIOGET_FSCREENINFO:
            memory = self.virtual_height * self.line_length
            argument[:] = fb.FIX.pack(
                b"fakefb", 0, memory, self.kind, 0, self.visual, 0, 1, 0, self.line_length, 0, 0, 0, 0, 0, 0
            )
        else:
            raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))

    def _var(self) -> bytes:
        width, height = self.size
        packing = self.packing
        colours = [(*each, 0) for each in (packing.red, packing.green, packing.blue, (0, 0))]
        wide, high = self.millimetres
        numbers = [width, height, width, self.virtual_height, 0, self.y_offset, packing.bits, 0]
        numbers += [number for each in colours for number in each] + [0, 0, high, wide]
        return fb.VAR.pack(*numbers, *[0] * (40 - len(numbers)))

    def _extend(self) -> None:
        with self.file.open("ab") as file:
            file.truncate(max(file.tell(), self.virtual_height * self.line_length))
