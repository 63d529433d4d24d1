"""The date picker as a screen of its own: so its cells are large even where the terminal is small."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date

from textual import on
from textual.containers import Center
from textual.content import Content
from textual.widget import Widget

from smartbox_tui.ui.i18n import N_
from smartbox_tui.ui.screens.base import BoxScreen
from smartbox_tui.ui.view import Shown, View
from smartbox_tui.ui.widgets.date_picker import DatePad

_ASKED = {"decade": N_("Born when?"), "year": N_("Year?"), "month": N_("Month?"), "day": N_("Day?")}


class Asked(Shown):
    """Which part of the date is asked for, and what was chosen before."""

    DEFAULT_CSS = "Asked { width: 1fr; height: 3; content-align: center middle; text-align: center; }"

    def __init__(self, pad: DatePad) -> None:
        super().__init__(id="asked")
        self._pad = pad

    def text(self, view: View, width: int, height: int) -> Content:
        chosen = self._pad.reading(view.t)
        asked = Content.styled(view.t(_ASKED[self._pad.stage]), "bold")
        return Content.assemble(chosen, "  ", asked) if chosen else asked


class BirthDateScreen(BoxScreen):
    """Calls `chosen` with the day and goes back to the form. Back goes back part by part."""

    BINDINGS = [("escape", "back", "")]
    AUTO_FOCUS = "#date-pad"

    DEFAULT_CSS = """
    BirthDateScreen #body { align: center middle; }
    BirthDateScreen Center { height: 1fr; align: center middle; }
    BirthDateScreen #nav .gap { display: none; }
    """

    def __init__(self, value: date | None, chosen: Callable[[date], None]) -> None:
        super().__init__()
        self._pad = DatePad(value, id="date-pad")
        self._chosen = chosen

    def compose_body(self) -> Iterable[Widget]:
        yield Center(self._pad)

    def compose_nav(self) -> Iterable[Widget]:
        yield from super().compose_nav()
        yield Asked(self._pad)

    def show(self, view: View) -> None:
        self._pad.show(view)
        super().show(view)

    def action_back(self) -> None:
        if not self._pad.back():
            super().action_back()

    @on(DatePad.StageChanged)
    def _stage_changed(self) -> None:
        self.draw()

    @on(DatePad.Chosen)
    def _was_chosen(self, message: DatePad.Chosen) -> None:
        super().action_back()
        self._chosen(message.day)
