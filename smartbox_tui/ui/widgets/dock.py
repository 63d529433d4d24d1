"""What is asked once, in a line above the lower edge: it takes no focus and holds up no trigger."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content

from smartbox_tui.ui.view import Follower, Shown, View
from smartbox_tui.ui.widgets.big_button import BigButton


class AskText(Shown):
    """The question in bold, what goes with it below."""

    DEFAULT_CSS = """
    AskText { width: 1fr; height: 3; padding: 0 1; color: $text; content-align: left middle; }
    """

    def text(self, view: View, width: int, height: int) -> Content:
        ask = view.ask
        if ask is None:
            return Content("")
        lines = [Content.styled(ask.what, "bold"), Content(ask.detail)]
        return Content("\n").join([line.truncate(max(1, width), ellipsis=True) for line in lines if line.plain])


class AskDock(Horizontal, Follower):
    """Not there when nothing is asked. F3 says yes, F4 no, wherever the focus is."""

    DEFAULT_CSS = """
    AskDock { height: 3; display: none; background: $calm-deep; }
    AskDock.-asks { display: block; }
    AskDock.-grave { background: $wait-deep; }
    AskDock BigButton { width: auto; min-width: 12; padding: 0 1; margin-left: 1; }
    """

    def compose(self) -> ComposeResult:
        yield AskText()
        yield BigButton(_yes, "app.ask_yes", "F3", id="ask-yes", classes="-on")
        yield BigButton(_no, "app.ask_no", "F4", id="ask-no")

    def show(self, view: View) -> None:
        self.set_class(view.ask is not None, "-asks")
        self.set_class(view.ask is not None and view.ask.grave, "-grave")

    def on_mount(self) -> None:
        for button in self.query(BigButton):
            button.can_focus = False


def _yes(view: View) -> str:
    return view.t(view.ask.yes) if view.ask is not None else ""


def _no(view: View) -> str:
    return view.t(view.ask.no) if view.ask is not None else ""
