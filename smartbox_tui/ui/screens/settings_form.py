"""A section or an entry: every setting with its value and where it comes from. Nothing holds before it is saved."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple, cast

from textual import on
from textual.binding import Binding
from textual.content import Content
from textual.widget import Widget

from smartbox_tui.settings import web
from smartbox_tui.settings.describe import Key, Section
from smartbox_tui.settings.destination import is_used
from smartbox_tui.ui import setting_words
from smartbox_tui.ui.i18n import N_
from smartbox_tui.ui.link import CommandWasAnswered, CommandWasRefused, new_id
from smartbox_tui.ui.screens.calibrate import CalibrateScreen, Touched
from smartbox_tui.ui.screens.choice import ChoiceScreen, Option
from smartbox_tui.ui.screens.settings_base import SettingsBase, Title
from smartbox_tui.ui.screens.settings_connection import ConnectionTestScreen
from smartbox_tui.ui.screens.settings_teach import TeachScreen
from smartbox_tui.ui.screens.settings_value import RESET, SettingValueScreen
from smartbox_tui.ui.settings_known import Known
from smartbox_tui.ui.state import Process
from smartbox_tui.ui.view import View
from smartbox_tui.ui.widgets.big_button import BigButton
from smartbox_tui.ui.widgets.biglist import BigList, Row
from smartbox_tui.wire import commands

TESTED: Final = {"destinations": "destination", "worklist": "worklist", "mpps": "mpps", "hooks": "hook"}


class Item(NamedTuple):
    """A setting as the list shows it; `error` in words, empty: none."""

    key: Key
    label: str
    value: str
    doc: str
    origin: str
    changed: bool
    error: str


def item_row(view: View, item: Item, width: int) -> Row:
    style = "bold $wait" if item.error else "bold $good" if item.changed else "bold"
    return Row(
        Content(item.label),
        Content.styled(item.value, style),
        Content.styled(item.error or item.doc, "$wait" if item.error else "$dim"),
        Content.styled(item.origin, "$dim"),
        bar="$wait" if item.error else "$good" if item.changed else "",
    )


class SettingsFormScreen(SettingsBase):
    """`entry` names one of a list; `new`: it is not saved yet."""

    BINDINGS = [
        Binding("f2", "save", show=False),
        Binding("t", "test", show=False),
        Binding("x", "remove", show=False),
    ]
    AUTO_FOCUS = "BigList"

    def __init__(self, section: Section, entry: str = "", *, new: bool = False) -> None:
        super().__init__()
        self._section, self._entry, self._new = section, entry, new
        self._pending: dict[str, Any] = {}
        self._error = ("", "")
        self._items: list[Item] = []
        self._language = ""
        self._saving = False

    def compose_body(self) -> Iterable[Widget]:
        yield Title()
        yield BigList(item_row, empty=lambda view: view.t("Nothing here."), id="items")

    def compose_nav(self) -> Iterable[Widget]:
        yield from super().compose_nav()
        yield BigButton(N_("✓ Save"), "screen.save", "F2", needs=Process.ENGINE, id="save", classes="-first")
        if self._section.name in TESTED:
            yield BigButton(N_("Test"), "screen.test", "t", needs=Process.ENGINE, id="test")
        if self._section.name == "pedals":
            yield BigButton(N_("Teach"), "screen.test", "t", needs=Process.CAPTURE, id="test")
        if self._section.name == "panel":
            yield BigButton(N_("Calibrate"), "screen.test", "t", needs=Process.ENGINE, id="test")
        if self._entry and not self._new:
            yield BigButton(N_("Remove"), "screen.remove", "x", needs=Process.ENGINE, id="remove")

    # ---- what is shown

    def fill(self, view: View, known: Known) -> None:
        where = setting_words.section(view.t, self._section.name)
        headline = " → ".join(part for part in (where, self._entry) if part)
        count = len(self._pending)
        if count or self._new:
            line = view.t("Not saved yet.")
            self.query_one(Title).say(headline, line, "bold $good")
        else:
            self.query_one(Title).say(headline, view.t("Touch a line to change it."))
        items = [self._item(view, known, key) for key in self._shown(known)]
        if items != self._items or view.t.language != self._language:
            self._items, self._language = items, view.t.language
            self.query_one(BigList).fill(view, items, lambda item: item.key.key)

    def _keys(self) -> list[Key]:
        return [key for key in self._section.keys if not key.fixed and key.key != self._section.list_key]

    def _shown(self, known: Known) -> list[Key]:
        """Without what says nothing here: keys of another kind, those of TLS where that is off; unless entered."""
        said = {*self._pending, self._error[0]}
        return [
            key
            for key in self._keys()
            if key.key in said or self._saved(known, key) != key.default or self._tells(known, key)
        ]

    def _tells(self, known: Known, key: Key) -> bool:
        kinds = setting_words.OF_KIND.get(f"{self._section.name}.{key.key}")
        kind = self._now(known, "kind")
        if kinds is not None and kind not in kinds:
            return False
        if self._section.name == "destinations":
            if not is_used(key.key, str(kind), fallback=self._now(known, "fallback") is True):
                return False
            if kind == "dicomweb" and not web.is_used(key.key, str(self._now(known, "auth"))):
                return False
            if kind == "dicomweb" and key.key in setting_words.WITH_TLS:
                # its address says whether it is encrypted; its fall-back has a setting for that
                return str(self._now(known, "url")).startswith("https:") or self._now(known, "tls") is True
        if key.key in setting_words.OF_BACKUP:
            return self._now(known, "route.role") == "backup" or bool(self._now(known, "route.backup"))
        return key.key not in setting_words.WITH_TLS or self._now(known, "tls") is not False

    def _now(self, known: Known, name: str) -> Any:
        """What stands on the screen; None where the section has no such key."""
        key = self._section.key(name)
        return None if key is None else self._pending.get(name, self._saved(known, key))

    def _item(self, view: View, known: Known, key: Key) -> Item:
        t, path = view.t, self._path(key)
        found = self._pending.get(key.key, self._saved(known, key))
        text = t("as before") if found is RESET else setting_words.value(t, key, found)
        origin, name = known.origin(path)
        said = "" if origin == "default" else t(setting_words.ORIGINS[origin])
        if origin == "environment":
            said = f"{said}: {name}"
        error = self._error[1] if self._error[0] == key.key else ""
        label = setting_words.label(t, self._section.name, key.key)
        return Item(key, label, text, setting_words.doc(t, key), said, key.key in self._pending, error)

    def _path(self, key: Key) -> str:
        return self._section.path(key.key, self._entry)

    def _saved(self, known: Known, key: Key) -> Any:
        return known.values.get(self._path(key), key.default)

    # ---- changing

    @on(BigList.Tapped)
    def _tapped(self, message: BigList.Tapped) -> None:
        message.stop()
        item: Item = message.entry
        key, known, t = item.key, self.tuning.known, self.console.view().t
        origin, name = known.origin(self._path(key))
        if origin == "environment":
            self.console.say(t("This is fixed from outside."), t("The variable {name} decides it.", name=name))
            return
        now = self._pending.get(key.key, self._saved(known, key))
        if key.type == "bool":
            self._take(key, not now)
            return
        now = self._saved(known, key) if now is RESET else now
        self.app.push_screen(
            SettingValueScreen(
                self._section,
                key,
                self._entry,
                now,
                lambda value: self._take(key, value),
                resettable=origin == "box",
            )
        )

    def _take(self, key: Key, value: Any) -> None:
        if value is not RESET and value == self._saved(self.tuning.known, key) and not self._new:
            self._pending.pop(key.key, None)
        else:
            self._pending[key.key] = value
        if self._error[0] == key.key:
            self._error = ("", "")
        self.refill()

    def action_save(self) -> None:
        """All at once: what belongs together is checked together."""
        if self._saving or not (self._pending or self._new):
            return
        self._saving = True
        changes: dict[str, Any] = {
            self._section.path(key, self._entry): None if value is RESET else value
            for key, value in self._pending.items()
        }
        if self._new:
            table: dict[str, Any] = {}
            for key, value in self._pending.items():
                node = table
                *parents, last = key.split(".")
                for part in parents:
                    node = node.setdefault(part, {})
                node[last] = value
            changes = {self._section.path("", self._entry): table}
        self.console.order(commands.SettingsPut(id=new_id(), changes=changes), self)

    @on(CommandWasAnswered)
    def _answered(self, message: CommandWasAnswered) -> None:
        if isinstance(message.command, commands.SettingsPut):
            message.stop()
            self._saving = False
            self.tuning.saved(message.answer)
            removed = any(value is None and path == self._section.path("", self._entry)
                          for path, value in message.command.changes.items())  # fmt: skip
            self._pending.clear()
            self._error = ("", "")
            if removed:
                self.action_back()
                return
            if self._new:
                self._new = False
                self.refresh(recompose=True)
            self.refill()

    @on(CommandWasRefused)
    def _refused(self, message: CommandWasRefused) -> None:
        if not isinstance(message.command, commands.SettingsPut):
            return
        self._saving = False
        path, separator, why = message.error.message.partition(": ")
        key = next((key for key in self._keys() if self._path(key) == path), None)
        if key is not None and separator and message.error.code == "bad-value":
            message.stop()
            self._error = (key.key, setting_words.reason(self.console.view().t, key, why.split(" (in ")[0]))
            self.refill()
            lines = self.query_one(BigList)
            lines.move(next(at for at, item in enumerate(self._items) if item.key is key) - lines.cursor)

    def action_remove(self) -> None:
        if not self._entry or self._new:
            return

        def remove(_value: str) -> None:
            changes = {self._section.path("", self._entry): None}
            self.console.order(commands.SettingsPut(id=new_id(), changes=changes), self)

        self.app.push_screen(
            ChoiceScreen(
                lambda view: view.t("Remove {name}?", name=self._entry),
                N_("It can be brought back: Undo on the settings screen."),
                (Option("remove", N_("Remove"), "x", "-red"),),
                remove,
            )
        )

    def action_back(self) -> None:
        """Asks once when something is not saved."""
        if not (self._pending or self._new) or self.app.screen is not self:
            super().action_back()
            return

        def answer(value: str) -> None:
            if value == "save":
                self.action_save()
            else:
                self._pending.clear()
                self._new = False
                super(SettingsFormScreen, self).action_back()

        options = (Option("save", N_("Save"), "1"), Option("drop", N_("Leave it as it was"), "2"))
        self.app.push_screen(ChoiceScreen(N_("Save the changes?"), N_("They do not hold yet."), options, answer))

    # ---- trying

    def action_test(self) -> None:
        """Of an archive or a server its connection, of a pedal which one it is, of the panel where touches lie."""
        if self._section.name == "pedals":
            self.app.push_screen(TeachScreen(self._taught))
            return
        if self._section.name == "panel":
            if cast(Touched, self.app).touch is not None:
                self.app.push_screen(CalibrateScreen())
            else:
                t = self.console.view().t
                self.console.say(t("Only at the box itself."), t("This screen has no touch panel of its own."))
            return
        what = TESTED.get(self._section.name)
        if what is None:
            return
        values = {key: value for key, value in self._pending.items() if value is not RESET}
        if self._new:
            values = {key.key: values.get(key.key, key.default) for key in self._keys()}
        self.app.push_screen(ConnectionTestScreen(what, self._entry, values))

    def _taught(self, pedal: dict[str, Any]) -> None:
        for name in ("kind", "device"):
            key = self._section.key(name)
            if key is not None and pedal.get(name):
                self._take(key, pedal[name])
