"""What every action of the console is made of: give a command, say a sentence, show a screen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from textual import on
from textual.app import App
from textual.message_pump import MessagePump
from textual.screen import Screen

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.schema import Settings
from smartbox_tui.ui.alarms import of_away
from smartbox_tui.ui.clock import Clock
from smartbox_tui.ui.i18n import Texts
from smartbox_tui.ui.link import BoxLink, CommandWasRefused, process_for
from smartbox_tui.ui.sentences import error_texts
from smartbox_tui.ui.state import BoxState, Presence, Process
from smartbox_tui.ui.view import View
from smartbox_tui.wire import commands, state

_KEPT_EXAMS: Final = 1000


class Orders(App[int]):
    """The lowest layer of the app; `app.py` is the highest."""

    box: BoxState
    t: Texts
    link: BoxLink
    settings: Settings
    wall: Clock

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._exams: dict[str, state.Exam] = {}

    @property
    def pressed_ns(self) -> int:
        """CLOCK_MONOTONIC of the last key or touch."""
        raise NotImplementedError

    def view(self) -> View:
        """What the screens are shown now."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Hands the view to the screen in front."""
        raise NotImplementedError

    # ---- screens

    def go(self, screen: Screen[None]) -> None:
        """Shows it above the capture screen, in place of whatever was there. Notices are about what was before."""
        self.home()
        self.push_screen(screen)

    def over(self, question: Screen[None]) -> None:
        """A question above the screen in front, in place of another one: Back leads where it was asked."""
        self.clear_notifications()
        if type(self.screen) is type(question) and len(self.screen_stack) > 2:
            self.pop_screen()
        self.push_screen(question)

    def home(self) -> None:
        """To the picture."""
        self.clear_notifications()
        while len(self.screen_stack) > 2:
            self.pop_screen()

    # ---- exams that were heard of

    def remember_exams(self, exams: Iterable[state.Exam]) -> None:
        """For the names on the screens that only have an id."""
        for exam in exams:
            self._exams.pop(exam.id, None)
            self._exams[exam.id] = exam
        while len(self._exams) > _KEPT_EXAMS:
            del self._exams[next(iter(self._exams))]

    def known_exam(self, exam: str) -> state.Exam | None:
        """As it was last heard of."""
        return self._exams.get(exam)

    def read(self, target: str, reply_to: MessagePump) -> None:
        """State of the engine; StateWasRead or ReadingFailed comes to `reply_to`."""
        self.link.read(target, reply_to)

    # ---- commands and their outcome

    def order(self, command: commands.Command, reply_to: MessagePump | None = None) -> None:
        """Gives the command; its outcome comes to `reply_to`, to the screen in front by default. That the process
        it needs is away is told at once, and the command is given all the same: it may be coming back."""
        process = process_for(command)
        presence = {Process.ENGINE: self.box.engine, Process.CAPTURE: self.box.capture}[process]
        if presence is Presence.AWAY:
            self.say(*of_away(self.t, self.box, process), "error")
        self.link.order(command, reply_to or self.screen)

    def say(self, what: str, hint: str = "", severity: Any = "warning") -> None:
        """A sentence and what to do, for some seconds, on whatever screen is in front."""
        self.notify(hint, title=what, severity=severity, markup=False)

    @on(CommandWasRefused)
    def tell_refusal(self, message: CommandWasRefused) -> None:
        """What no screen has taken for itself."""
        if self.is_quiet(message.command):
            return
        self.tell_error(message.error)

    def is_quiet(self, command: commands.Command) -> bool:
        """Whether nobody waits for the outcome: the box asked for it by itself."""
        if isinstance(command, commands.WorklistQuery):
            return command.cached
        return isinstance(command, commands.SettingsPut) and set(command.changes) == {"language"}

    def tell_error(self, error: SmartBoxError) -> None:
        """The contract's code in words."""
        what, below = error_texts(self.t, error)
        self.say(what, below, "error")
