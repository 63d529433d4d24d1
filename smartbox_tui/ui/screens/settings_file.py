"""All settings as one file: written to a stick or a folder of the box, and read from there. No secrets in it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from textual import on
from textual.binding import Binding
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from smartbox_tui.ui import file_words
from smartbox_tui.ui.i18n import N_
from smartbox_tui.ui.link import CommandWasAnswered, ReadingFailed, StateWasRead, new_id
from smartbox_tui.ui.screens.choice import ChoiceScreen, Option
from smartbox_tui.ui.screens.settings_base import SettingsBase, Title
from smartbox_tui.ui.settings_known import Known
from smartbox_tui.ui.state import Process
from smartbox_tui.ui.view import View
from smartbox_tui.ui.widgets.big_button import BigButton
from smartbox_tui.ui.widgets.biglist import BigList, Row
from smartbox_tui.ui.widgets.field import Field
from smartbox_tui.wire import commands

EXPORT: Final = "/v1/settings/export"
MEDIA: Final = (Path("/media"), Path("/run/media"), Path("/mnt"))
_LARGEST: Final = 1 << 20
_MOST_FILES: Final = 200


def places(media: Iterable[Path] = MEDIA) -> list[Path]:
    """Mounted media first, then the home folder."""
    found: list[Path] = []
    for root in media:
        for pattern in ("*", "*/*"):
            found += [path for path in sorted(root.glob(pattern)) if os.path.ismount(path)]
    return [*dict.fromkeys(found), Path.home()]


def files(folders: Iterable[Path]) -> list[Path]:
    """Settings files in these folders, the newest name first in each."""
    found: list[Path] = []
    for folder in folders:
        try:
            found += sorted(folder.glob("*.toml"), reverse=True)[:_MOST_FILES]
        except OSError:
            continue
    return found[:_MOST_FILES]


def file_row(view: View, path: Path, width: int) -> Row:
    where = Content.styled(str(path.parent), "$dim")
    return Row(Content.styled(path.name, "bold"), Content.styled(view.t("read in"), "$dim"), where)


class SettingsFileScreen(SettingsBase):
    """A place to write to above, the files that can be read below."""

    BINDINGS = [Binding("f2", "write", show=False)]

    DEFAULT_CSS = """
    SettingsFileScreen #field-place { padding: 0 1; }
    SettingsFileScreen #trouble { padding: 0 1; color: $wait; max-height: 4; display: none; }
    SettingsFileScreen #trouble.-said { display: block; }
    SettingsFileScreen.-low.-keyboard Title { height: 1; }
    SettingsFileScreen.-low.-keyboard #files { display: none; }
    SettingsFileScreen.-low.-keyboard #trouble.-said { display: none; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._files: list[Path] = []
        self._shown: tuple[object, ...] = ()

    def compose_body(self) -> Iterable[Widget]:
        yield Title()
        yield Static(id="trouble", markup=False)
        yield Field("place", N_("Folder or file"), purpose="host", value=str(places()[0]), maximum=1024)
        yield BigList(file_row, empty=lambda view: view.t("No settings file is there."), id="files")

    def compose_nav(self) -> Iterable[Widget]:
        yield from super().compose_nav()
        yield BigButton(N_("Write"), "screen.write", "F2", needs=Process.ENGINE, id="write", classes="-first")
        yield BigButton(N_("Read in"), "screen.load", "Enter", needs=Process.ENGINE, id="load")

    def on_mount(self) -> None:
        super().on_mount()
        self.run_worker(self._look(), name="settings-files", exit_on_error=False)

    async def _look(self) -> None:
        """A medium may be slow: never in the screen's own thread."""
        where = Path(self.query_one(Field).value)
        folder = where if where.is_dir() else where.parent
        self._files = await asyncio.to_thread(lambda: files(dict.fromkeys([folder, *places()])))
        self.refill()

    def fill(self, view: View, known: Known) -> None:
        detail = view.t("Passwords and other secrets are left out.")
        self.query_one(Title).say(view.t("All settings as one file"), detail)
        trouble = self.query_one("#trouble", Static)
        trouble.update(file_words.told(view.t, known.file_trouble))
        trouble.set_class(bool(known.file_trouble), "-said")
        shown = (tuple(self._files), view.t.language)
        if shown != self._shown:
            self._shown = shown
            self.query_one(BigList).fill(view, self._files, str)

    # ---- writing

    def action_write(self) -> None:
        self.query_one(Field).bad("")
        self.tuning.read(EXPORT, self)

    @on(StateWasRead)
    async def _exported(self, message: StateWasRead) -> None:
        message.stop()
        t = self.console.view().t
        place = Path(self.query_one(Field).value).expanduser()
        target = place / message.value["name"] if place.is_dir() or not place.suffix else place
        try:
            await asyncio.to_thread(_write, target, message.value["text"])
        except OSError as exc:
            self.query_one(Field).bad(t("That cannot be written: {why}", why=exc.strerror or str(exc)))
            return
        self.console.say(t("Written."), str(target), "information")
        await self._look()

    @on(ReadingFailed)
    def _failed(self, message: ReadingFailed) -> None:
        self.console.tell_error(message.error)

    # ---- reading in

    @on(BigList.Tapped)
    def _tapped(self, message: BigList.Tapped) -> None:
        message.stop()
        self._ask(message.entry)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_load()

    def action_load(self) -> None:
        """The file that is named above."""
        path = Path(self.query_one(Field).value).expanduser()
        if path.is_file():
            self._ask(path)
        else:
            self.query_one(Field).bad(self.console.view().t("Name a file, or touch one below."))

    def _ask(self, path: Path) -> None:
        def answer(_value: str) -> None:
            self.run_worker(self._import(path), name="settings-import", exit_on_error=False)

        self.app.push_screen(
            ChoiceScreen(
                lambda view: view.t("Read in {name}?", name=path.name),
                N_("It takes the place of all that was set on this box. It can be undone."),
                (Option("import", N_("Read it in"), "1"),),
                answer,
            )
        )

    async def _import(self, path: Path) -> None:
        t = self.console.view().t
        try:
            text = await asyncio.to_thread(_read, path)
        except (OSError, ValueError) as exc:
            why = exc.strerror if isinstance(exc, OSError) and exc.strerror else t("not a text file")
            self.query_one(Field).bad(t("That cannot be read: {why}", why=why))
            return
        self.console.order(commands.SettingsImport(id=new_id(), text=text), self)

    @on(CommandWasAnswered)
    def _answered(self, message: CommandWasAnswered) -> None:
        if isinstance(message.command, commands.SettingsImport):
            message.stop()
            self.tuning.saved(message.answer)


def _write(path: Path, text: str) -> None:
    """Synced: the stick is pulled out the moment the screen says so."""
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_LARGEST).decode()
