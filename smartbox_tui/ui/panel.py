"""What only the box's own screen has: the picture in pixels, a sound, darkness. Other terminals have none.

Nothing here may cost the operator the screen: what the panel lacks is told to the log, and done without.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Protocol

from hw.calls import SystemCalls
from hw.errors import HardwareError
from hw.panel.display import Display, turned
from hw.panel.framebuffer import Framebuffer
from hw.panel.palette import PALETTE
from hw.panel.sound import Sounder
from hw.panel.vt import VirtualTerminal, own_terminal
from smartbox_tui.settings.schema import Panel as PanelSettings
from smartbox_tui.ui.live_pixels import Colours, LivePixels, Place
from smartbox_tui.ui.sleep import Sleep
from smartbox_tui.ui.state import BoxState

log = logging.getLogger(__name__)

FRAMEBUFFER: Final = "/dev/fb0"


class App(Protocol):
    """What is used of the app."""

    panel: Panel | None


class Panel:
    """All but `open` is called in the app's event loop, and none of it blocks."""

    def __init__(
        self,
        terminal: VirtualTerminal,
        settings: PanelSettings,
        runtime: Path,
        *,
        calls: SystemCalls | None = None,
        sysfs: Path = Path("/sys"),
    ) -> None:
        self._settings = settings
        self._sounder = Sounder(terminal)
        self._display = Display(Framebuffer(FRAMEBUFFER, calls), sysfs)
        # a driver may take a third of a second to light a panel: not in the event loop
        self._hands = ThreadPoolExecutor(1, "panel-light")
        self.sleep = Sleep(settings.blank_min * 60)
        self._dark = False
        colours = Colours(PALETTE[0], PALETTE[14], PALETTE[15])
        self.pixels: LivePixels | None = None
        if settings.live != "blocks" and turned(sysfs):
            log.warning("the text console is turned: the live picture is drawn as blocks")
        elif settings.live != "blocks":
            self.pixels = LivePixels(runtime, terminal, Framebuffer(FRAMEBUFFER, calls), colours)

    def open(self) -> None:
        """Begins; what fails is done without."""
        if self.pixels is not None:
            try:
                self.pixels.start()
            except HardwareError as error:
                log.warning("the live picture is drawn as blocks: %s. %s", error, error.hint)
                self.pixels = None
        self._hands.submit(self._display.open)
        self._hands.submit(self._display.dark, False)  # the console before this one may have died in the dark
        self.adjust(self._settings)

    def close(self) -> None:
        """The screen is left lit."""
        if self.pixels is not None:
            self.pixels.end()
        self._light(False)
        self._hands.submit(self._display.close)
        self._hands.shutdown()

    def adjust(self, settings: PanelSettings) -> None:
        """The settings are these now."""
        self._settings = settings
        self.sleep.after_s = settings.blank_min * 60
        self._hands.submit(self._display.brightness, settings.brightness)

    def put(self, place: Place) -> None:
        """Where the live picture is; called before anything is written to the terminal."""
        if self.pixels is not None:
            self.pixels.put(place)

    def taken(self) -> None:
        """A picture was taken."""
        if self._settings.beep:
            self._sounder.beep()

    @property
    def dark(self) -> bool:
        return self._dark

    def look(self, now_s: float) -> None:
        """The time has come this far: is it to go dark?"""
        self._light(self.sleep.due(now_s))

    def touched(self, now_s: float) -> bool:
        """A finger, a key, a press: lights the screen. Whether it was dark."""
        self.sleep.stir(now_s)
        was_dark = self._dark
        self._light(False)
        return was_dark

    def heard(self, before: BoxState, after: BoxState, now_s: float) -> None:
        """What happens in the box keeps the screen lit, or lights it."""
        if self.sleep.heard(before, after, now_s):
            self._light(False)

    def _light(self, dark: bool) -> None:
        if dark == self._dark:
            return
        self._dark = dark
        if self.pixels is not None:
            self.pixels.darken(dark)
        self._hands.submit(self._display.dark, dark)


@contextlib.contextmanager
def at_panel(
    app: App, settings: PanelSettings, runtime: Path, terminal: VirtualTerminal | None = None
) -> Iterator[None]:
    """While the app runs; nothing where it does not run on the box's own screen."""
    terminal = terminal or own_terminal()
    if terminal is None:
        yield
        return
    panel = app.panel = Panel(terminal, settings, runtime)
    panel.open()
    try:
        yield
    finally:
        panel.close()
