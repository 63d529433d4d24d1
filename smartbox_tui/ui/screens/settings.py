"""The settings: sections, the entries of those that are lists, and the ways to history and file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from textual import on
from textual.binding import Binding
from textual.content import Content
from textual.widget import Widget

from smartbox_tui.settings import describe
from smartbox_tui.settings.describe import Section
from smartbox_tui.ui import setting_words, words
from smartbox_tui.ui.i18n import N_
from smartbox_tui.ui.screens.settings_base import SettingsBase, Title
from smartbox_tui.ui.screens.settings_file import SettingsFileScreen
from smartbox_tui.ui.screens.settings_form import SettingsFormScreen
from smartbox_tui.ui.screens.settings_history import SettingsHistoryScreen
from smartbox_tui.ui.screens.settings_value import SettingValueScreen
from smartbox_tui.ui.settings_known import Known
from smartbox_tui.ui.state import Process
from smartbox_tui.ui.view import View
from smartbox_tui.ui.widgets.big_button import BigButton
from smartbox_tui.ui.widgets.biglist import BigList, Row


class Line(NamedTuple):
    """A row of the list: what is opened, and its four texts."""

    key: str
    first: str
    right: str
    second: str
    style: str = ""


def line_row(view: View, line: Line, width: int) -> Row:
    return Row(
        Content.styled(line.first, "bold"),
        Content.styled(line.right, line.style or "$dim"),
        Content.styled(line.second, "$dim"),
        bar=line.style,
    )


class LinesScreen(SettingsBase):
    """A list of lines; subclasses make them and say what a touch does."""

    AUTO_FOCUS = "BigList"

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[Line] = []
        self._language = ""

    def compose_body(self) -> Iterable[Widget]:
        yield Title()
        yield BigList(line_row, empty=lambda view: view.t("Nothing here."), id="lines")

    def fill(self, view: View, known: Known) -> None:
        headline, detail, style = self.headline(view, known)
        self.query_one(Title).say(headline, detail, style)
        lines = self.lines(view, known)
        if lines != self._lines or view.t.language != self._language:
            self._lines, self._language = lines, view.t.language
            self.query_one(BigList).fill(view, lines, lambda line: line.key)

    def headline(self, view: View, known: Known) -> tuple[str, str, str]:
        """Headline, the line below it and that line's style."""
        raise NotImplementedError

    def lines(self, view: View, known: Known) -> list[Line]:
        raise NotImplementedError

    def opened(self, key: str) -> None:
        """The line of that key was touched."""
        raise NotImplementedError

    @on(BigList.Tapped)
    def _tapped(self, message: BigList.Tapped) -> None:
        message.stop()
        self.opened(message.entry.key)


class SettingsScreen(LinesScreen):
    """All sections."""

    BINDINGS = [Binding("h", "history", show=False), Binding("f", "file", show=False)]

    def compose_nav(self) -> Iterable[Widget]:
        yield from super().compose_nav()
        yield self.undo_button()
        yield BigButton(N_("History"), "screen.history", "h", id="history")
        yield BigButton(N_("File"), "screen.file", "f", id="file")

    def headline(self, view: View, known: Known) -> tuple[str, str, str]:
        if known.file_trouble:
            why = view.t("The settings file cannot be read: what it said before is in force.")
            return view.t("Settings"), why, "$wait"
        if known.trouble:
            why = view.t("The box's own settings did not hold: an earlier state is in force.")
            return view.t("Settings"), why, "$wait"
        last = known.history[0] if known.history else None
        if last is None:
            return view.t("Settings"), view.t("Nothing has been changed on this box yet."), "$dim"
        moment = words.when(last.at)
        at = f"{view.t.date(moment)} {view.t.clock(moment)}" if moment is not None else ""
        what = ", ".join(setting_words.path(view.t, place) for place, _before, _after in last.places()[:3])
        return view.t("Settings"), view.t("Last change: {at} · {what}", at=at, what=what), "$dim"

    def lines(self, view: View, known: Known) -> list[Line]:
        return [_section_line(view, known, section) for section in setting_words.ordered(describe.sections())]

    def opened(self, key: str) -> None:
        section = describe.section(key)
        if section is not None:
            screen = SettingsEntriesScreen(section) if section.list_key else SettingsFormScreen(section)
            self.app.push_screen(screen)

    def action_history(self) -> None:
        self.app.push_screen(SettingsHistoryScreen())

    def action_file(self) -> None:
        self.app.push_screen(SettingsFileScreen())


def _section_line(view: View, known: Known, section: Section) -> Line:
    t = view.t
    if section.list_key:
        names = known.entries(section)
        count = t.n("{count} entry", "{count} entries", len(names)) if names else t("none")
        return Line(section.name, setting_words.section(t, section.name), count, ", ".join(names) or "–")
    said: list[str] = []
    for key in section.keys:
        found = known.values.get(section.path(key.key))
        if not key.fixed and found not in ("", None) and (key.key in ("host", "port", "aet") or len(said) < 3):
            said.append(f"{setting_words.label(t, section.name, key.key)}: {setting_words.value(t, key, found)}")
    host = section.key("host")
    if host is not None and not known.values.get(section.path("host")):
        said = [t("not set up")]
    return Line(section.name, setting_words.section(t, section.name), "", " · ".join(said[:3]))


class SettingsEntriesScreen(LinesScreen):
    """The entries of a list: archives, picture sources, pedals."""

    BINDINGS = [Binding("a", "add", show=False)]

    def __init__(self, section: Section) -> None:
        super().__init__()
        self._section = section

    def compose_nav(self) -> Iterable[Widget]:
        yield from super().compose_nav()
        yield BigButton(N_("Add"), "screen.add", "a", needs=Process.ENGINE, id="add", classes="-first")
        yield self.undo_button()

    def headline(self, view: View, known: Known) -> tuple[str, str, str]:
        headline = setting_words.section(view.t, self._section.name)
        return headline, view.t("Touch one to see and change it."), "$dim"

    def lines(self, view: View, known: Known) -> list[Line]:
        return [self._line(view, known, name) for name in known.entries(self._section)]

    def _line(self, view: View, known: Known, name: str) -> Line:
        def of(key: str) -> Any:
            return known.values.get(self._section.path(key, name))

        def said(key: str) -> str:
            return setting_words.value(view.t, self._section.key(key), of(key))

        match self._section.name:
            case "destinations":
                status = view.box.status.destinations if view.box.status else []
                state = next((item for item in status if item.name == name), None)
                word = view.t(words.DESTINATION.get(state.state, state.state)) if state is not None else ""
                style = {"ok": "$good", "rejected": "$red"}.get(state.state, "$wait") if state is not None else ""
                return Line(name, name, word, f"{of('aet')} · {of('host')}:{of('port')}", style)
            case "pedals":
                does = " / ".join(said(key) for key in ("short", "long", "double"))
                return Line(name, name, said("kind"), does)
            case "hooks":
                return Line(name, name, said("kind"), of("events") or "–")
            case _:
                detail = " · ".join(str(part) for part in (of("device"), of("size")) if part)
                return Line(name, of("name") or name, said("kind"), detail)

    def opened(self, key: str) -> None:
        self.app.push_screen(SettingsFormScreen(self._section, key))

    def action_add(self) -> None:
        """First its short name: it stays."""
        key = self._section.key(self._section.list_key)
        assert key is not None
        taken = self.tuning.known.entries(self._section)

        def named(name: Any) -> None:
            self.app.push_screen(SettingsFormScreen(self._section, str(name), new=True))

        headline = setting_words.NEW_ENTRY[self._section.name]
        self.app.push_screen(SettingValueScreen(self._section, key, "", "", named, headline=headline, taken=taken))
