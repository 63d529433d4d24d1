"""What was changed, by whom, when; and back to how it was before any of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from textual import on
from textual.content import Content
from textual.widget import Widget

from smartbox_tui.ui import setting_words, words
from smartbox_tui.ui.i18n import N_
from smartbox_tui.ui.screens.choice import ChoiceScreen, Option
from smartbox_tui.ui.screens.settings_base import SettingsBase, Title
from smartbox_tui.ui.settings_known import Known, Past
from smartbox_tui.ui.view import View
from smartbox_tui.ui.widgets.biglist import BigList, Row


def past_row(view: View, past: Past, width: int) -> Row:
    t = view.t
    moment = words.when(past.at)
    local = view.clock.local(moment) if moment is not None else None
    at = f"{t.date(local)} {t.clock(local)}" if local is not None else "?"
    action = t(setting_words.ACTIONS.get(past.action, past.action))
    if past.of is not None:
        action = t("undone: change {number}", number=past.of)
    who = past.who or t("by hand")
    return Row(
        Content.assemble((f"{past.number}  ", "$dim"), (at, "bold"), f"  {who}"),
        Content.styled(action, "$dim"),
        Content.styled(" · ".join(changes(view, past)) or "–", "$dim"),
    )


def changes(view: View, past: Past) -> list[str]:
    """Each as `where: before → after`."""
    return [
        f"{setting_words.path(view.t, place)}: {setting_words.value(view.t, place.key, before)}"
        f" → {setting_words.value(view.t, place.key, after)}"
        for place, before, after in past.places()
    ]


class SettingsHistoryScreen(SettingsBase):
    """Newest first."""

    AUTO_FOCUS = "BigList"

    def __init__(self) -> None:
        super().__init__()
        self._shown: tuple[Any, ...] = ()

    def compose_body(self) -> Iterable[Widget]:
        yield Title()
        yield BigList(past_row, empty=lambda view: view.t("Nothing has been changed on this box yet."), id="past")

    def compose_nav(self) -> Iterable[Widget]:
        yield from super().compose_nav()
        yield self.undo_button()

    def fill(self, view: View, known: Known) -> None:
        detail = view.t("Touch a change to go back to before it.")
        self.query_one(Title).say(view.t("History of the settings"), detail)
        shown = (known.history, view.t.language)
        if shown != self._shown:
            self._shown = shown
            self.query_one(BigList).fill(view, known.history, lambda past: str(past.number))

    @on(BigList.Tapped)
    def _tapped(self, message: BigList.Tapped) -> None:
        message.stop()
        past: Past = message.entry
        self.app.push_screen(
            ChoiceScreen(
                lambda view: view.t("Back to before change {number}?", number=past.number),
                lambda view: " · ".join(changes(view, past)[:4]),
                (Option("undo", N_("Go back"), "1"),),
                lambda _value: self.tuning.undo_setting(past.number),
            )
        )
