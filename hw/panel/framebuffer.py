"""The panel's framebuffer: what the screen shows, as memory (<linux/fb.h>, Documentation/fb/api.rst).

The text console draws there, too: whoever writes pixels writes them again when text came over them.
"""

from __future__ import annotations

import mmap
import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hw.calls import SystemCalls, hardware_error
from hw.errors import DeviceGone, HardwareError, NotSupported

if TYPE_CHECKING:  # who only asks for sizes starts without it
    import numpy as np
    from numpy.typing import NDArray

FBIOGET_VSCREENINFO: Final = 0x4600
FBIOGET_FSCREENINFO: Final = 0x4602
FBIOBLANK: Final = 0x4611
FB_BLANK_UNBLANK: Final = 0
FB_BLANK_POWERDOWN: Final = 4

VAR: Final = struct.Struct("@40I")
"""struct fb_var_screeninfo: sizes, offsets, depth, grayscale; red, green, blue, transparency as offset, length,
msb_right; nonstd, activate; height and width in mm; timings."""
FIX: Final = struct.Struct("@16s L 4I 3H I L 2I 3H 2x")
"""struct fb_fix_screeninfo: id, start and bytes of the memory, type, aux, visual, steps, line length …"""

_PACKED_PIXELS: Final = 0
_TRUECOLOUR: Final = (2, 4)
"""FB_VISUAL_TRUECOLOR, FB_VISUAL_DIRECTCOLOR."""
_HINT: Final = "The live picture is drawn as blocks instead; panel.live = blocks says so for good."


@dataclass(frozen=True, slots=True)
class Packing:
    """How a pixel lies in memory: bits, and each colour's (shift, bits)."""

    bits: int
    red: tuple[int, int]
    green: tuple[int, int]
    blue: tuple[int, int]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of one pixel; 24 bits are three bytes on an axis of their own."""
        import numpy as np

        return np.dtype({16: "<u2", 24: "u1", 32: "<u4"}[self.bits])


@dataclass(frozen=True, slots=True)
class Screen:
    """What a framebuffer shows. `millimetres`: width and height as the driver says, (0, 0) when it does not."""

    name: str
    width: int
    height: int
    line_length: int
    offset: int
    packing: Packing
    millimetres: tuple[int, int]


def parse(path: str, var: bytes, fix: bytes) -> Screen:
    """Of the two structs. Raises NotSupported for a depth that cannot be drawn."""
    v, f = VAR.unpack(var), FIX.unpack(fix)
    width, height, virtual_width, virtual_height, x, y, bits, grey = v[:8]
    colours = [(v[at], v[at + 1]) for at in (8, 11, 14)]
    line_length = f[9] or virtual_width * bits // 8
    if f[3] != _PACKED_PIXELS or f[5] not in _TRUECOLOUR or bits not in (16, 24, 32) or grey:
        raise NotSupported("use", path, f"{bits} bits a pixel of kind {f[3]}/{f[5]} cannot be drawn", _HINT)
    if any(not 4 <= length <= 8 or shift + length > bits for shift, length in colours):
        raise NotSupported("use", path, "its colours cannot be read", _HINT)
    if bits == 24 and any(shift % 8 or length != 8 for shift, length in colours):
        raise NotSupported("use", path, "its 24 bits a pixel are not three bytes", _HINT)
    if not (0 < width <= 16384 and 0 < height <= 16384) or line_length < width * bits // 8:
        raise NotSupported("use", path, f"its size {width}x{height} makes no sense", _HINT)
    if x + width > max(virtual_width, width) or y + height > max(virtual_height, height):
        raise NotSupported("use", path, "what it shows lies outside its memory", _HINT)
    high, wide = v[22], v[23]
    known = 0 < high < 10_000 and 0 < wide < 10_000  # -1: not known
    return Screen(
        f[0].split(b"\0", 1)[0].decode("ascii", "replace"),
        width,
        height,
        line_length,
        y * line_length + x * bits // 8,
        Packing(bits, *colours),
        (wide, high) if known else (0, 0),
    )


class Framebuffer:
    """/dev/fb0 while it is open. Not thread-safe: one thread draws. All but `close` raise HardwareError."""

    def __init__(self, path: str = "/dev/fb0", calls: SystemCalls | None = None) -> None:
        self.path = path
        self._calls = calls or SystemCalls()
        self._fd = -1
        self._map: mmap.mmap | None = None
        self._screen: Screen | None = None

    @property
    def screen(self) -> Screen | None:
        """As it was at the last `open` or `look`; None while it is closed."""
        return self._screen

    def open(self) -> Screen:
        """Maps the memory. May be called again after `close` or an error."""
        self.close()
        try:
            self._fd = self._calls.open(self.path, os.O_RDWR)
            screen = self._ask()
            length = screen.offset + screen.line_length * screen.height
            self._map = self._calls.mmap(self._fd, max(length, self._memory), 0)
        except (OSError, ValueError, OverflowError) as error:
            self.close()
            cause = error if isinstance(error, OSError) else OSError(0, str(error))
            raise hardware_error("open", self.path, cause) from error
        except HardwareError:
            self.close()
            raise
        self._screen = screen
        return screen

    def look(self) -> Screen:
        """What is shown now: another resolution or a panned one is followed. A call of some microseconds."""
        if self._fd < 0 or self._map is None:
            raise DeviceGone("look at", self.path, "the framebuffer is not open", "Start the console again.")
        try:
            screen = self._ask()
        except OSError as error:
            raise hardware_error("look at", self.path, error) from error
        if screen.offset + screen.line_length * screen.height > len(self._map):
            return self.open()  # a larger mode than the one that was mapped
        self._screen = screen
        return screen

    def pixels(self) -> NDArray[Any]:
        """The visible screen as height x width of the packing's dtype: writing there shows it. Valid until the
        next call of `open`, `look` or `close`; not kept by the caller. 24 bits: x 3 bytes."""
        import numpy as np

        if self._map is None or self._screen is None:
            raise DeviceGone("draw on", self.path, "the framebuffer is not open", "Start the console again.")
        screen = self._screen
        size, shape = screen.packing.bits // 8, (screen.height, screen.width)
        # an ndarray's `buffer` does not keep the map from being unmapped, frombuffer does
        memory = np.frombuffer(self._map, np.uint8)
        if size == 3:
            return np.ndarray((*shape, 3), np.uint8, memory, screen.offset, (screen.line_length, 3, 1))
        dtype = screen.packing.dtype
        return np.ndarray(shape, dtype, memory, screen.offset, (screen.line_length, size))

    def blank(self, dark: bool) -> None:
        """Switches the panel's signal off and on (FBIOBLANK). NotSupported where the driver cannot."""
        if self._fd < 0:
            raise DeviceGone("blank", self.path, "the framebuffer is not open", "Start the console again.")
        try:
            self._calls.ioctl(self._fd, FBIOBLANK, FB_BLANK_POWERDOWN if dark else FB_BLANK_UNBLANK)
        except OSError as error:
            raise hardware_error("blank", self.path, error) from error

    def close(self) -> None:
        """Never raises, may be called twice."""
        if self._map is not None:
            try:
                self._map.close()
            except (BufferError, OSError):  # somebody still holds a view: the map goes with it
                pass
        self._map = self._screen = None
        if self._fd >= 0:
            try:
                self._calls.close(self._fd)
            except OSError:
                pass
        self._fd = -1

    def _ask(self) -> Screen:
        var, fix = bytearray(VAR.size), bytearray(FIX.size)
        self._calls.ioctl(self._fd, FBIOGET_VSCREENINFO, var)
        self._calls.ioctl(self._fd, FBIOGET_FSCREENINFO, fix)
        self._memory: int = FIX.unpack(fix)[2]
        return parse(self.path, bytes(var), bytes(fix))
