"""A panel for tests: a framebuffer in a file, a virtual terminal from memory, a folder for /sys, who draws."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hw.calls import SystemCalls
from hw.fake.framebuffer import XRGB, FakeFramebuffer
from hw.fake.vt import FakeTerminal
from hw.panel.framebuffer import Framebuffer, Packing
from hw.panel.vt import VirtualTerminal
from smartbox_tui.settings.schema import Panel as PanelSettings
from smartbox_tui.ui.live_pixels import Colours, LivePixels, Place
from smartbox_tui.ui.panel import Panel
from smartbox_tui.ui.pixel_places import Area, cut, in_pixels
from smartbox_tui.ui.still_pixels import Still
from smartbox_tui.wire.preview import PreviewWriter

TEXT = 0x55
"""Every byte of what the text console is said to have drawn."""


class FakePanel:
    """`cells` of 8 x 16 pixels; `shown` is what a person would see."""

    def __init__(self, folder: Path, cells: tuple[int, int] = (80, 24), packing: Packing = XRGB) -> None:
        self.cells = cells
        self.screen = FakeFramebuffer(folder, (cells[0] * 8, cells[1] * 16), packing)
        self.text(Area(0, 0, *cells))
        self.ink = self.screen.shown()[0, 0]
        self.terminal = FakeTerminal(cells=cells)
        self.sysfs = folder / "sys"
        self.light = self.sysfs / "class" / "backlight" / "panel"
        self.light.mkdir(parents=True)
        for name, value in (("max_brightness", "255"), ("brightness", "255"), ("bl_power", "0"), ("type", "raw")):
            (self.light / name).write_text(value)

    def panel(self, runtime: Path, settings: PanelSettings | None = None) -> Panel:
        terminal = VirtualTerminal(0, self.terminal.number, self.terminal)
        calls: SystemCalls = self.screen
        return Panel(terminal, settings or PanelSettings(), runtime, calls=calls, sysfs=self.sysfs)

    def text(self, area: Area) -> None:
        """The text console draws these cells."""
        pixels = in_pixels(area, (8, 16))
        self.screen.text_over(pixels.x, pixels.y, pixels.right, pixels.bottom, TEXT)

    def shown(self, area: Area | None = None) -> Any:
        """Of an area of cells: height x width x 3."""
        pixels = in_pixels(area or Area(0, 0, *self.cells), (8, 16))
        return self.screen.shown()[pixels.rows, pixels.columns]

    def is_text(self, area: Area) -> bool:
        """Whether nothing was drawn over the text there."""
        return bool((self.shown(area) == self.ink).all())

    def is_picture(self, area: Area) -> bool:
        """Whether no pixel of text is left there."""
        return not bool((self.shown(area) == self.ink).all(axis=2).any())

    def mean(self, area: Area) -> float:
        return float(np.mean(self.shown(area)))


FILE = "preview-endo"
COLOURS = Colours((10, 15, 20), (79, 195, 208), (232, 238, 243))
WIDGET = Area(2, 3, 60, 18)


def until(condition: Callable[[], object]) -> None:
    give_up = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < give_up, "did not happen"
        time.sleep(0.01)


class PixelRig:
    """Pixels on a made-up panel, and who writes the pictures."""

    def __init__(self, folder: Path, packing: Packing = XRGB, size: tuple[int, int] = (320, 180)) -> None:
        self.fake = FakePanel(folder, packing=packing)
        terminal = VirtualTerminal(0, 1, self.fake.terminal)
        self.pixels = LivePixels(folder, terminal, Framebuffer(calls=self.fake.screen), COLOURS)
        self.writer = PreviewWriter(folder / FILE, *size)
        self.stamp = 0

    def picture(self, colour: tuple[int, int, int]) -> None:
        with self.writer.slot() as slot:
            np.frombuffer(slot, np.uint8).reshape(-1, 3)[:] = colour
        self.stamp += 1
        self.writer.publish(self.stamp)

    def place(self, *holes: Area, area: Area = WIDGET) -> None:
        self.pixels.put(Place(self.fake.cells, area, tuple(cut(area, holes))))

    def stills(self, *stills: Still) -> None:
        """These are on the screen, and no live picture."""
        self.pixels.put(Place(self.fake.cells, stills=stills))

    def dark(self, area: Area) -> bool:
        """Whether nothing is there: no picture, no text."""
        return bool((self.fake.shown(area) == COLOURS.bar).all())

    def settle(self) -> None:
        """Longer than the thread needs for whatever is due."""
        time.sleep(0.4)


@contextlib.contextmanager
def drawing(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[PixelRig]:
    """A rig that draws, made with the test's parameters where it has any; at the end the framebuffer is closed."""
    rig = PixelRig(tmp_path, *getattr(request, "param", ()))
    rig.pixels.start()
    yield rig
    rig.pixels.end()
    rig.writer.close()
    assert rig.fake.screen.opened == 0
