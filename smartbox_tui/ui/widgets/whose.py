"""One line above a list: whose pictures are to get somebody chosen from it."""

from __future__ import annotations

from typing import Protocol, cast

from textual.content import Content

from smartbox_tui.ui import words
from smartbox_tui.ui.purpose import Purpose
from smartbox_tui.ui.view import Shown, View
from smartbox_tui.wire import state


class _Knows(Protocol):
    def known_exam(self, exam: str) -> state.Exam | None: ...


class WhoseLine(Shown):
    """Not there when a new exam is to be opened."""

    DEFAULT_CSS = """
    WhoseLine { height: 1; padding: 0 1; background: $wait; color: $on-wait; text-style: bold; display: none; }
    WhoseLine.-whose { display: block; }
    """

    def __init__(self, purpose: Purpose) -> None:
        super().__init__(id="whose", classes="-whose" if purpose.exam is not None else "")
        self._purpose = purpose

    def text(self, view: View, width: int, height: int) -> Content:
        if self._purpose.exam is None:
            return Content("")
        exam = cast(_Knows, self.app).known_exam(self._purpose.exam)
        parts = [view.t("Whose pictures are these?"), words.exam_line(view.t, view.clock, exam) if exam else ""]
        return Content("  ".join(part for part in parts if part)).truncate(max(1, width), ellipsis=True)
