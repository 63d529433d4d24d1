"""`site.toml`: what the box itself writes, never the --config file. Only the engine changes it, a change at a time.

Each change is checked as a whole before it is kept; the file is replaced in one step; the state before it is in the
history by then, so that every change can be undone, an undoing too.
"""

from __future__ import annotations

import contextlib
import errno
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import tomli_w

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings import describe, history, hooks, whole
from smartbox_tui.settings.edit import Editor, carry_secrets, keys_of, names, set_value, whole_list
from smartbox_tui.settings.history import Change
from smartbox_tui.settings.load import (
    LIST_KEY,
    PREFIX,
    SITE_FILE,
    SYSTEM_FILE,
    Tree,
    check_emptied,
    load_with,
    parse,
)
from smartbox_tui.settings.schema import Loaded, Settings

HEADER: Final = "# Written by the box itself: the settings screens, ctl settings, ctl destination add.\n"
_EXPORT_HEADER: Final = "# Settings of a SmartBox, {at}. Secrets are left out; ctl settings import FILE reads it.\n"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`change` is None when nothing was to change; `before` what was in force, `loaded` what is now."""

    before: Loaded
    loaded: Loaded
    change: Change | None


class Site:
    """The box's own settings file and its history.

    `environ` as `load` takes it. Every method raises SmartBoxError and then has changed nothing: unknown-key,
    bad-value, not-found, refused (a variable decides), disk-full.
    """

    def __init__(
        self,
        state: Path,
        config: Path | None,
        environ: Mapping[str, str] | None = None,
        allow: Callable[[Settings, Settings], None] = lambda _before, _after: None,
    ) -> None:
        """`allow` is asked before a change is kept, and raises when something else stands against it."""
        self.state, self.config, self._environ, self._allow = state, config, environ, allow
        self.path = state / SITE_FILE

    def load(self) -> Loaded:
        return self._load(self._read())

    def _current(self) -> Loaded:
        """What is in force; a file that does not hold (somebody edited it just now) is set aside first."""
        check_emptied(self.state, self.config or SYSTEM_FILE)
        self.repair()
        return self.load()

    def _load(self, data: bytes) -> Loaded:
        tree = _tree(data, str(self.path)) if data else None
        return load_with(self.config, self.path, tree, self._environ)

    def _read(self) -> bytes:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as exc:
            raise SmartBoxError(
                "refused", f"{self.path} cannot be read: {exc.strerror}", "Its permissions?"
            ) from exc

    # ---- changes

    def put(self, changes: Mapping[str, Any], who: str, command: str = "") -> Outcome:
        """By dotted path, see wire.commands.SettingsPut."""
        before = self._current()
        tree = _tree(self._read(), str(self.path))
        base = load_with(self.config, None, None, self._environ)  # what is there without the box's own file
        editor = Editor(tree, names(before), names(base))
        for path, value in changes.items():
            self._not_by_variable(path, value, before)
            editor.change(path, value)
        return self._keep(_text(tree), before, Change(0, who=who, action="put", command=command), list(changes))

    def undo(self, number: int | None, who: str, command: str = "") -> Outcome:
        """Back to how it was before that change; None: before the last one. Raises not-found."""
        before = self._current()
        with _disk_errors():
            self._catch_up()
        kept = history.numbers(self.state)
        if number is None:
            number = kept[-1] if len(kept) > 1 else None
        if number is None or number not in kept[1:]:
            raise SmartBoxError(
                "not-found",
                "There is no change of the settings to undo."
                if number is None
                else f"There is no change {number} of the settings.",
                "See `ctl settings history`; the box keeps the last fifty.",
            )
        with _disk_errors():
            earlier = history.content(self.state, kept[kept.index(number) - 1])
        return self._keep(
            earlier, before, Change(0, who=who, action="undo", of=number, command=command), [], strict=False
        )

    def import_text(self, text: str, who: str, command: str = "") -> Outcome:
        """The file replaces all that the box itself has written; secrets, which no export holds, stay."""
        tree = parse(text, "The imported file")
        before = self._current()
        base = load_with(self.config, None, None, self._environ)
        for section, name_key in LIST_KEY.items():
            if section in tree:
                tree[section] = whole_list(tree[section], names(base)[section], section, name_key)
        carry_secrets(tree, _tree(self._read(), str(self.path)))
        return self._keep(_text(tree), before, Change(0, who=who, action="import", command=command), [])

    def _keep(self, data: bytes, before: Loaded, note: Change, asked: list[str], *, strict: bool = True) -> Outcome:
        """Checks, then writes. `strict` also asks for keys that need each other."""
        after = self._load(data)
        if strict:
            whole.check(after.settings, before.settings)
        self._confine(before, after)
        self._allow(before.settings, after.settings)
        values = describe.changed(before.settings, after.settings)
        old = self._read()
        if data == old or (not values and _same(data, old)):
            self._acknowledge()
            return Outcome(before, before, None)
        with _disk_errors():
            self._catch_up()
            number = history.numbers(self.state)[-1] + 1
            values = values or dict.fromkeys(asked, (None, None))
            told = {path: list(pair) for path, pair in values.items()}
            note = replace(note, number=number, at=_now(), values=told)
            history.append(self.state, data, note)
            try:
                self._replace(data)
            except OSError:
                history.drop(self.state, number)
                raise
        return Outcome(before, after, note)

    def _confine(self, before: Loaded, after: Loaded) -> None:
        """Whoever may change settings must not become whoever may run programs as the engine."""
        kept = {item.name: item.command for item in before.settings.hooks}
        for item in after.settings.hooks:
            path = f"hooks.{item.name}.command"
            ours = after.origins.get(path) == str(self.path) and kept.get(item.name) != item.command
            if ours and not hooks.confined(item.command, self.config or SYSTEM_FILE):
                folder = (self.config or SYSTEM_FILE).absolute().parent / hooks.FOLDER
                raise SmartBoxError("bad-value", f"{path}: {hooks.NOT_CONFINED}", f"Have it put into {folder}.")

    def _acknowledge(self) -> None:
        """Somebody was here: that a file was set aside is told no longer. The state before it is the same."""
        change = self.set_aside()
        if change is not None:
            history.drop(self.state, change.number)

    def _replace(self, data: bytes) -> None:
        if data:
            history.write(self.path, data)
        else:
            self.path.unlink(missing_ok=True)
            history.sync_folder(self.state)

    def _catch_up(self) -> None:
        """Makes the file as it stands the newest state of the history: somebody edited it by hand, or the plug was
        pulled after a change was kept and before it was in force: that one never was."""
        data, kept = self._read(), history.numbers(self.state)
        if not kept:
            history.append(self.state, data, Change(0, _now(), action="by-hand"))
        elif history.content(self.state, kept[-1]) != data:
            if len(kept) > 1 and history.content(self.state, kept[-2]) == data:
                history.drop(self.state, kept[-1])
                return
            values: dict[str, list[Any]] = {}
            with contextlib.suppress(SmartBoxError):
                newest = self._load(history.content(self.state, kept[-1]))
                found = describe.changed(newest.settings, self._load(data).settings)
                values = {path: list(pair) for path, pair in found.items()}
            history.append(self.state, data, Change(kept[-1] + 1, _now(), action="by-hand", values=values))

    def _not_by_variable(self, path: str, value: Any, before: Loaded) -> None:
        place = describe.place(path)
        touched = [path] if place.key is not None else []
        if place.key is None:
            known = [item for item in before.origins if item.startswith(path + ".")]
            touched = known if value is None else [f"{path}.{key}" for key in keys_of(value)]
        for item in touched:
            origin = before.origins.get(item, "")
            if origin.startswith(PREFIX):
                raise SmartBoxError(
                    "refused",
                    f"{item}: the variable {origin} decides it: what the box writes would not count.",
                    f"Take {origin} out of the environment of the box's processes.",
                )

    # ---- at the start

    def repair(self) -> str:
        """Moves a file that does not hold aside and writes the newest state that does; says why.

        Raises what `load` raises when the file is not at fault."""
        try:
            self.load()
        except SmartBoxError as exc:
            why = exc.message
        else:
            return ""
        load_with(self.config, None, None, self._environ)
        good = b""
        for number in reversed(history.numbers(self.state)):
            try:
                good = history.content(self.state, number)
                self._load(good)
                break
            except (SmartBoxError, OSError):
                good = b""
        with _disk_errors():
            if not history.numbers(self.state):
                history.append(self.state, b"", Change(0, _now(), "", "by-hand"))
            aside = history.folder(self.state) / f"bad-{datetime.now().astimezone():%Y%m%dT%H%M%S}.toml"
            if self.path.is_dir():
                self.path.rename(aside.with_suffix(".folder"))
            else:
                aside.hardlink_to(self.path)  # without reading it, and with a file in its place at every moment
                history.sync_folder(aside.parent)
            history.write(self.path, good or HEADER.encode())
            number = history.numbers(self.state)[-1] + 1
            history.append(self.state, good or HEADER.encode(), Change(number, _now(), "box", "set-aside"))
        return why

    def changes(self) -> list[Change]:
        """Newest first."""
        return history.changes(self.state)

    def made_by(self, command: str) -> Change | None:
        """The change that this command has made: a repeat of it makes none."""
        self._current()
        with _disk_errors():
            if history.numbers(self.state):
                self._catch_up()  # one that was kept and never was in force is none
        return next((item for item in self.changes() if item.command == command), None)

    def set_aside(self) -> Change | None:
        """The last change, when it was the box that set a file aside and nobody has changed anything since."""
        kept = history.numbers(self.state)
        last = history.change(self.state, kept[-1]) if kept else None
        return last if last is not None and last.action == "set-aside" else None

    # ---- export

    def export(self, loaded: Loaded) -> str:
        """All that differs from the defaults or was written by somebody, secrets left out. What it holds of a list
        is the whole list."""
        tree: Tree = {section: [] for section in LIST_KEY}
        for path, value in describe.flat(loaded.settings).items():
            place = describe.place(path)
            assert place.key is not None
            if place.key.secret:
                continue
            if value != place.key.default or loaded.origins.get(path, "default") != "default":
                set_value(tree, place, value)
        ordered = {name: tree[name] for name in tree if name not in LIST_KEY} | {
            name: tree[name] for name in LIST_KEY
        }
        return _EXPORT_HEADER.format(at=_now()) + tomli_w.dumps(ordered)


def _tree(data: bytes, name: str) -> Tree:
    try:
        return parse(data.decode(), name)
    except UnicodeDecodeError as exc:
        raise SmartBoxError("bad-value", f"{name} is not UTF-8: {exc.reason}", "Mend that line.") from exc


def _text(tree: Tree) -> bytes:
    tree = {key: value for key, value in tree.items() if value not in ({}, [])}
    try:
        return (HEADER + tomli_w.dumps(tree)).encode()
    except (TypeError, ValueError, AttributeError) as exc:
        raise SmartBoxError(
            "bad-value", "A value is none that a settings file can hold.", "Texts, numbers, true, false, tables."
        ) from exc


def _same(one: bytes, other: bytes) -> bool:
    try:
        return tomllib.loads(one.decode()) == tomllib.loads(other.decode())
    except ValueError:
        return False


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        code = "disk-full" if exc.errno in (errno.ENOSPC, errno.EDQUOT) else "refused"
        raise SmartBoxError(
            code,
            f"The settings cannot be written: {exc.strerror}.",
            "Nothing was changed; see the disk of --state.",
        ) from exc
