"""A console on a fake box, in this process, driven by a pilot."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from textual.message import Message
from textual.pilot import Pilot
from textual.widgets import Input

from smartbox_tui.settings.paths import Paths
from smartbox_tui.settings.schema import Display, Pedal
from smartbox_tui.ui.app import ConsoleApp
from smartbox_tui.ui.panel import Panel
from smartbox_tui.ui.state import Presence
from smartbox_tui.ui.touching import TouchThread
from smartbox_tui.wire import commands
from tests.support.fakebox import PATIENT, FakeBox, assorted, loaded
from tests.ui.still_clock import StillClock

SMALL, MIDDLE = (80, 24), (120, 33)
PATIENCE_S = 90.0


def busy(box: FakeBox) -> None:
    """An exam under way: pictures, a clip, a recording, a queue with everything in it."""
    box.deliveries = {item.id: item for item in assorted()}
    box.open_exam(PATIENT, accession_number="2026-1180")
    for _ in range(5):
        box.take()
    box.take("clip", 42.0)
    box.record(192)


def with_exam(box: FakeBox) -> None:
    """A patient, nothing taken yet."""
    box.open_exam(PATIENT)


@dataclasses.dataclass
class Rig:
    box: FakeBox
    app: ConsoleApp
    pilot: Pilot[int]
    clock: StillClock
    messages: list[Message]

    async def until(self, holds: Callable[[], object]) -> None:
        """Waits for it, with a deadline far above what a loaded machine needs."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                await self.pilot.pause(0.01)
        await self.pilot.pause()

    async def command(self, kind: type[commands.Command]) -> commands.Command:
        """The first command of that kind that arrives."""
        await self.until(lambda: any(isinstance(item, kind) for item in self.box.commands))
        return next(item for item in self.box.commands if isinstance(item, kind))

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def type(self, text: str) -> None:
        await self.press(*("space" if sign == " " else sign for sign in text))

    async def settled(self) -> None:
        """All pictures of the screen have come, nothing is due to be drawn, and no cursor blinks."""
        gallery = self.app._gallery
        assert gallery is not None
        await self.pilot.pause(0.1)
        await self.until(lambda: not gallery._under_way and not self.app._redraw_due)
        for field in self.app.screen.query(Input):
            field.cursor_blink = False
        await self.pilot.pause(0.1)

    def said(self) -> list[str]:
        """Title and text of each notice that is shown."""
        return [f"{notice.title} {notice.message}" for notice in self.app._notifications]

    def text(self) -> str:
        """The screen in front as it can be read."""
        return "\n".join(strip.text for strip in self.app.screen._compositor.render_strips())


@contextlib.asynccontextmanager
async def console(
    script: Callable[[FakeBox], None] | None = None,
    *,
    size: tuple[int, int] = MIDDLE,
    language: str = "de",
    term: str = "xterm-256color",
    without_patient: str = "hold",
    keyboard: str = "touch",
    late: str = "",
    touch: TouchThread | None = None,
    panel: Callable[[Path], Panel] | None = None,
    pedals: tuple[Pedal, ...] | None = None,
) -> AsyncIterator[Rig]:
    """Connected to both processes when it begins; the one called `late` came up after the console. `panel` makes
    what the box's own screen has, given the runtime folder."""
    # a short folder of its own: pytest's are too long for a socket path
    with tempfile.TemporaryDirectory(prefix="sb-") as folder, contextlib.ExitStack() as stack:
        runtime = Path(folder)
        settings = dataclasses.replace(
            loaded().settings,
            language=language,
            without_patient=without_patient,
            display=Display(keyboard=keyboard),
            pedals=loaded().settings.pedals if pedals is None else pedals,
        )
        clock, messages = StillClock(), list[Message]()
        async with FakeBox(runtime) as box:
            if script is not None:
                script(box)
            if late:
                await box.away(late)
            app = ConsoleApp(
                Paths(runtime, runtime),
                dataclasses.replace(loaded(), settings=settings),
                clock=clock,
                environ={"TERM": term},
                touch=touch,
            )
            if panel is not None:
                app.panel = panel(runtime)
                app.panel.open()
                stack.callback(app.panel.close)
            async with app.run_test(size=size, notifications=True, message_hook=messages.append) as pilot:
                rig = Rig(box, app, pilot, clock, messages)
                here = Presence.HERE
                if late:
                    await rig.until(lambda: Presence.AWAY in (app.box.engine, app.box.capture))
                    await box.back(late)
                await rig.until(lambda: app.box.engine is here and app.box.capture is here)
                await rig.until(lambda: not app._redraw_due)
                yield rig
