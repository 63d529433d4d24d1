"""What every screen has: banner and alarms above, the emergency below, and a view that is handed down."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Protocol, cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Container, Horizontal
from textual.css.query import NoMatches
from textual.geometry import Size
from textual.message import Message
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, Static

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.ui.aim import Aim
from smartbox_tui.ui.completion import Completion
from smartbox_tui.ui.i18n import N_
from smartbox_tui.ui.purpose import Purpose
from smartbox_tui.ui.state import Process, current_exam
from smartbox_tui.ui.view import Follower, Shown, View
from smartbox_tui.ui.widgets.alarms import AlarmBar
from smartbox_tui.ui.widgets.banner import PatientBanner
from smartbox_tui.ui.widgets.big_button import BigButton
from smartbox_tui.ui.widgets.dock import AskDock
from smartbox_tui.ui.widgets.keyboard import Keyboard
from smartbox_tui.ui.widgets.preview import Preview
from smartbox_tui.ui.widgets.signal_line import SignalLine
from smartbox_tui.wire import commands, state


class Console(Protocol):
    """What a screen asks of the app."""

    completion: Completion

    def view(self) -> View: ...

    def order(self, command: commands.Command, reply_to: MessagePump | None = None) -> None: ...

    def say(self, what: str, hint: str = "", severity: Any = "warning") -> None: ...

    def tell_error(self, error: SmartBoxError) -> None: ...

    def read(self, target: str, reply_to: MessagePump) -> None: ...

    def remember_exams(self, exams: Iterable[state.Exam]) -> None: ...

    def known_exam(self, exam: str) -> state.Exam | None: ...

    def order_reassign(self, command: commands.ExamReassign) -> None: ...

    def choose_other(self, purpose: Purpose) -> None: ...

    def type_patient(self, patient_id: str, purpose: Purpose) -> None: ...

    def ask_reason(self) -> None: ...


def emergency_button() -> BigButton:
    """One touch away from everywhere."""
    return BigButton(N_("EMERGENCY"), "app.emergency", "e", needs=Process.ENGINE, id="emergency", classes="-red")


def _waiting(view: View) -> int:
    """Exams with pictures and without a name, the one under way left out."""
    exam = current_exam(view.box)
    count = view.box.status.unassigned if view.box.status else 0
    under_way = exam is not None and exam.unassigned and bool(view.box.pictures)
    return max(0, count - under_way)


def _assign_label(view: View) -> str:
    if current_exam(view.box) is None:
        count = _waiting(view)
        return view.t.n("{count} without a name", "{count} without a name", count)
    return view.t("Assign a patient")


class Head(Horizontal, Follower):
    """The patient banner; beside it the way to a name, where pictures have none."""

    def __init__(self) -> None:
        super().__init__(id="head")

    def compose(self) -> ComposeResult:
        yield PatientBanner(id="banner")
        yield BigButton(_assign_label, "app.assign", "", needs=Process.ENGINE, id="assign", classes="-red")

    def show(self, view: View) -> None:
        exam = current_exam(view.box)
        nobody = exam is not None and (exam.unassigned or exam.emergency == "unknown")
        self.set_class(nobody or (exam is None and _waiting(view) > 0), "-assign")


class TypingTaken(Message):
    """From the field that has the focus, on the way that its changes go: what was typed before was heard of."""

    def __init__(self, act: Callable[[], None]) -> None:
        super().__init__()
        self.act = act


class BoxScreen(Screen[None]):
    """Subclasses give `compose_body` and `compose_nav`; widgets that follow the state have a `show`."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide"), (140, "-huge")]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (30, "-tall"), (44, "-high")]
    AUTO_FOCUS = ""
    BRIEF: ClassVar[bool] = True
    """Whether the signal line says in brief what the capture screen's column says at length."""

    DEFAULT_CSS = """
    BoxScreen { background: $night; color: $text; layout: vertical; }
    BoxScreen #body { height: 1fr; }
    BoxScreen #nav { height: 3; }
    BoxScreen.-high #nav { height: 5; }
    BoxScreen.-high #nav BigButton { height: 5; }
    BoxScreen #nav BigButton { width: auto; min-width: 10; padding: 0 1; margin-right: 1; }
    BoxScreen.-narrow #nav BigButton { margin-right: 0; }
    BoxScreen #nav .gap { width: 1fr; height: 1; }
    BoxScreen #nav #emergency { margin-right: 0; padding: 0 2; }
    BoxScreen.-narrow #nav #emergency { padding: 0 1; }
    BoxScreen #head { height: auto; }
    BoxScreen #head PatientBanner { width: 1fr; }
    BoxScreen #head BigButton { width: auto; min-width: 14; padding: 0 2; display: none; }
    BoxScreen #head.-assign BigButton { display: block; }
    BoxScreen #head.-assign PatientBanner { height: 3; }
    BoxScreen.-high #head PatientBanner { height: 4; padding: 1 2; }
    BoxScreen.-high #head BigButton { height: 4; }
    BoxScreen.-narrow #nav #back { width: 10; min-width: 10; padding: 0; }
    BoxScreen.-low.-keyboard AskDock, BoxScreen.-tall.-keyboard AskDock { display: none; }
    BoxScreen.-low.-keyboard #nav { display: none; }
    BoxScreen.-low.-keyboard AlarmBar { max-height: 1; }
    BoxScreen.-tall.-keyboard AlarmBar { max-height: 2; }
    BoxScreen.-high Keyboard { height: 20; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.aim = Aim()

    def compose(self) -> ComposeResult:
        self._fit_classes()
        yield Head()
        yield AlarmBar(id="alarms")
        with Container(id="body"):
            yield from self.compose_body()
        yield SignalLine(brief=self.BRIEF, id="signal")
        yield AskDock(id="ask")
        with Horizontal(id="nav"):
            yield from self.compose_nav()
            yield Static("", classes="gap")
            yield emergency_button()

    def _fit_classes(self) -> None:
        """Textual sets them when the screen hears of its size, after its first picture: all of it would move once,
        under a finger that may be coming down."""
        size = self.app.size
        for cells, points in ((size.width, self.HORIZONTAL_BREAKPOINTS), (size.height, self.VERTICAL_BREAKPOINTS)):
            self.add_class(max(point for point in points if point[0] <= cells)[1])

    def compose_body(self) -> Iterable[Widget]:
        """The widgets between the banner and the signal line."""
        raise NotImplementedError

    def compose_nav(self) -> Iterable[Widget]:
        """The buttons at the lower edge, without the emergency."""
        yield BigButton(N_("◀ Back"), "screen.back", "Esc", id="back")

    def action_back(self) -> None:
        """To the picture. The capture screen itself stays."""
        if len(self.app.screen_stack) > 1 and self.app.screen is self:
            self.app.pop_screen()

    def after_typing(self, act: Callable[..., None], *arguments: Any) -> None:
        """Calls it once the field that has the focus has taken what was typed before, and the screen has heard of
        it: the key of a priority binding overtakes those, and would choose from the list as it was."""
        field = self.focused
        if isinstance(field, Input):
            self.in_turn(field.post_message, TypingTaken(lambda: act(*arguments)))
        else:
            act(*arguments)

    def in_turn(self, act: Callable[..., object], *arguments: Any) -> None:
        """Calls it once the field that has the focus has taken what was typed before, and before it takes what is
        typed after. The screen may not have heard of it yet."""
        if isinstance(self.focused, Input):
            self.focused.call_later(act, *arguments)
        else:
            act(*arguments)

    @on(TypingTaken)
    def _act_after_typing(self, message: TypingTaken) -> None:
        message.stop()
        message.act()

    def _refresh_layout(self, size: Size | None = None, scroll: bool = False) -> None:
        """Keeps where things were before a line that came or went has moved them."""
        before = self._compositor.visible_widgets
        super()._refresh_layout(size, scroll)
        self.aim.laid_out(before, self._compositor.visible_widgets, time.monotonic())

    def show(self, view: View) -> None:
        """Hands the view to every widget that follows it."""
        for widget in self.query("*"):
            if isinstance(widget, (Shown, BigButton, Preview, Keyboard, Follower)):
                widget.show(view)

    def on_mount(self) -> None:
        self.draw()

    def on_screen_resume(self) -> None:
        self.draw()

    def draw(self) -> None:
        """Shows the state as it is now. A screen that is being put up or taken down has not all its widgets: then
        nothing is drawn, and nobody is hurt."""
        with contextlib.suppress(NoMatches):
            self.show(self.console.view())

    @property
    def console(self) -> Console:
        """The app, as far as screens may use it."""
        return cast(Console, self.app)
