"""A console on the box's own panel: a made-up touch panel, the real thread that reads it, the real app."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from hw.base import TouchSource
from hw.fake.touch import FakePanel
from hw.identity import Node
from hw.panel.contacts import Protocol
from hw.panel.touch import EvdevTouch
from smartbox_tui.ui.touching import TouchThread
from tests.support.fakebox import FakeBox
from tests.ui.rig import MIDDLE, Rig, console


@dataclass
class Panel:
    """`rig` and a finger on it, in cells."""

    rig: Rig
    device: FakePanel
    thread: TouchThread

    def place(self, x: float, y: float) -> tuple[float, float]:
        """The middle of a cell, on the panel's axes."""
        size = self.rig.app.size
        return (x + 0.5) / size.width, (y + 0.5) / size.height

    def middle(self, selector: str) -> tuple[float, float]:
        region = self.rig.app.screen.query_one(selector).region
        assert region.area, f"{selector} is not to be seen"
        return region.x + region.width // 2, region.y + region.height // 2

    def down(self, x: float, y: float) -> None:
        self.device.down(*self.place(x, y))

    def move(self, x: float, y: float) -> None:
        self.device.move(*self.place(x, y))

    def up(self) -> None:
        self.device.up()

    def tap(self, x: float, y: float) -> None:
        self.down(x, y)
        self.up()

    def touch(self, selector: str) -> None:
        self.tap(*self.middle(selector))

    async def ready(self) -> None:
        """The thread has the device, and the app knows how large it is."""
        await self.rig.until(lambda: self.device.grabbed and self.thread.placement)

    async def seen(self, state: str) -> None:
        await self.rig.until(lambda: self.rig.app.box.touch == state)


def thread_for(device: FakePanel) -> TouchThread:
    def make(name: str, never: tuple[str, ...]) -> TouchSource:
        there = [Node(device.path, "usb-1")]
        return EvdevTouch(device=name, never=never, calls=device, nodes=lambda subsystem: there)

    return TouchThread(make)


@contextlib.asynccontextmanager
async def panel(
    script: Callable[[FakeBox], None] | None = None,
    *,
    device: FakePanel | None = None,
    waits: bool = True,
    size: tuple[int, int] = MIDDLE,
    **more: Any,
) -> AsyncIterator[Panel]:
    """The thread ends with the block. `waits`: until the panel is there."""
    device = device or FakePanel(Protocol.SLOTS)
    thread = thread_for(device)
    async with console(script, touch=thread, size=size, **more) as rig:
        driver = rig.app._driver
        assert driver is not None
        try:
            thread.start(driver.process_message)
            made = Panel(rig, device, thread)
            if waits:
                await made.ready()
            yield made
        finally:
            thread.end()  # before the app, as the driver of a real terminal does it
