"""The driver of the console on the box's own screen: the box's, and the finger beside it."""

from __future__ import annotations

from typing import Any, Protocol

from smartbox_tui.ui.driver import BoxDriver
from smartbox_tui.ui.touching import TouchThread


class Touched(Protocol):
    """What is used of the app."""

    touch: TouchThread | None

    def text_was_written(self) -> None: ...


class PanelDriver(BoxDriver):
    """What the finger does comes to the app by the way that the terminal's input comes."""

    def __init__(self, app: Any, **more: Any) -> None:
        super().__init__(app, **more)
        self._touched: Touched = app
        self._touch = self._touched.touch

    def written(self) -> None:
        self._touched.text_was_written()

    def start_application_mode(self) -> None:
        super().start_application_mode()
        if self._touch is not None:
            self._touch.start(self.process_message)

    def stop_application_mode(self) -> None:
        """The finger first: what it does from now on nobody sees."""
        if self._touch is not None:
            self._touch.end()
        super().stop_application_mode()
