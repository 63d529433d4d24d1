"""How old the worklist is, and whether it is whole: in plain sight above it."""

from __future__ import annotations

from typing import Final, Protocol

from textual.content import Content

from smartbox_tui.ui import words
from smartbox_tui.ui.people import Entry, People
from smartbox_tui.ui.sentences import sentence
from smartbox_tui.ui.view import Shown, View

_OLD: Final = 5
"""Refreshes missed before the list's age becomes loud."""


class Asking(Protocol):
    """The screen: what it shows, and whether it asks the server now."""

    shown: list[Entry]

    @property
    def asking(self) -> bool: ...

    def people(self, view: View) -> People: ...


class AgeLine(Shown):
    """How old the list is, how many it holds; loud when the server is away or the list not whole."""

    DEFAULT_CSS = """
    AgeLine { height: 1; padding: 0 1; background: $night; color: $dim; }
    AgeLine.-loud { background: $wait; color: $on-wait; text-style: bold; }
    AgeLine.-whose { color: $wait; text-style: bold; }
    """

    def __init__(self, screen: Asking) -> None:
        super().__init__(id="age")
        self._of = screen

    def show(self, view: View) -> None:
        self.set_class(self._left(view)[0], "-loud")
        super().show(view)

    def text(self, view: View, width: int, height: int) -> Content:
        left = self._left(view)[1]
        shown = view.t.n("{count} entry", "{count} entries", len(self._of.shown))
        right = Content(shown)
        return Content.assemble(left, " " * max(2, width - left.cell_length - right.cell_length), right)

    def _left(self, view: View) -> tuple[bool, Content]:
        t, screen = view.t, self._of
        people = screen.people(view)
        if screen.asking:
            return False, Content(t("Asking the worklist server …"))
        if people.asked and not people.error:
            found = t("The server's answer to “{what}”", what=people.asked)
            if not people.complete:
                return True, Content(found + " · " + t("NOT COMPLETE"))
            return False, Content(found)
        service = view.box.status.worklist if view.box.status else None
        age = None if people.age_s is None else people.age_s + max(0.0, view.now_s - people.heard_s)
        at = words.when(service.at) if service else None
        if at is not None and not people.asked:
            age = max(0.0, (view.now - at).total_seconds())
        whole = people.complete and not (service and service.truncated)
        away = (service is not None and service.state in ("unreachable", "rejected")) or bool(people.error)
        if age is None:
            if not away:
                return False, Content(t("No list has come yet."))
            return True, Content(self._why(view, people) + " · " + t("there is no list yet"))
        if away or age > _OLD * view.settings.worklist.refresh_s + 60:
            return True, Content(self._why(view, people) + ": " + t("the list is {age} old", age=t.span(age)))
        told = t("List of {time}", time=t.clock(view.clock.local(at))) if at else t("{age} old", age=t.span(age))
        return not whole, Content(told + ("" if whole else " · " + t("NOT COMPLETE")))

    def _why(self, view: View, people: People) -> str:
        service = view.box.status.worklist if view.box.status else None
        code = (service.code if service else "") or people.error
        if service is not None and service.state == "rejected" and code:
            return sentence(view.t, code)[0].rstrip(".")
        return view.t("Worklist server away")
