"""Reading settings: defaults < file < site < environment. Errors name the file, the key and what to do."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import os
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings import history, last_good
from smartbox_tui.settings.schema import Loaded, Settings

PREFIX: Final = "SMARTBOX_"
SITE_FILE: Final = "site.toml"
SYSTEM_FILE: Final = Path("/etc/smartbox/smartbox.toml")
LIST_KEY: Final = {"sources": "id", "pedals": "id", "destinations": "name", "hooks": "name"}
"""The lists of tables, and the key that names an entry."""
PARENT_VARIABLE: Final = "SMARTBOX_PARENT"
"""Set by the demo for its children: the process id without which they must not go on."""
_OWN_VARIABLES: Final = frozenset({PARENT_VARIABLE, "SMARTBOX_LOG", "SMARTBOX_LOG_LEVEL"})

INSTEAD: Final = "instead"
"""Marks an entry of a list in the box's own file that replaces the one of the file before it as a whole."""

Tree = dict[str, Any]
T = TypeVar("T")


def load(
    config: Path | None,
    state: Path | None,
    environ: Mapping[str, str] | None = None,
    *,
    fallback: bool = False,
    kept: bool = False,
) -> Loaded:
    """Raises unknown-key, bad-value; not-found for a `config` that was named and is not there.

    `fallback`: what the box itself wrote must not keep it from starting. With a `site.toml` that does not hold, the
    newest one of the history that does is in force, none where there is none; `trouble` says why.
    `kept`: nor must a slip in the settings file. What it said when it last held is in force; `instead` says why.
    """
    if state is None:
        return load_with(config, None, None, environ)
    path = config or SYSTEM_FILE
    try:
        check_emptied(state, path)
        return _load(config, state, environ, _read(path, named=config is not None), fallback)
    except SmartBoxError as exc:
        past = last_good.read(state, path) if kept else None
        if past is None:
            raise
        with contextlib.suppress(SmartBoxError):  # it is not the file's fault, then
            good = _load(config, state, environ, past.text, fallback)
            return dataclasses.replace(good, kept=past.at, kept_because=f"{exc.message} {exc.hint}".strip())
        raise


def _load(
    config: Path | None, state: Path, environ: Mapping[str, str] | None, text: str | None, fallback: bool
) -> Loaded:
    """`text`: what the settings file says."""
    path = state / SITE_FILE

    def held(values: Tree | None) -> Loaded:
        return _together(config or SYSTEM_FILE, text, path, values, environ)

    try:
        return held(_read_toml(path, named=False))
    except SmartBoxError as exc:
        if not fallback:
            raise
        trouble = exc
    good = held(None)  # it is not the site's fault when this raises
    for number in reversed(history.numbers(state)):
        with contextlib.suppress(SmartBoxError):
            past = history.file(state, number)
            good = held(_read_toml(past, named=True))
            break
    return dataclasses.replace(good, trouble=trouble.message)


def load_with(
    config: Path | None, site: Path | None, values: Tree | None, environ: Mapping[str, str] | None = None
) -> Loaded:
    """As `load`, with `values` in the place of what the box's own file `site` holds; None: it holds nothing."""
    path = config or SYSTEM_FILE
    return _together(path, _read(path, named=config is not None), site, values, environ)


def _together(
    path: Path, text: str | None, site: Path | None, values: Tree | None, environ: Mapping[str, str] | None
) -> Loaded:
    origins: dict[str, str] = {}
    tree: Tree = {}
    files = []
    written = None if text is None else parse(text, str(path))
    for origin, found in ((path, written), (site, values)):
        if origin is not None and found is not None:
            files.append(origin)
            _merge(tree, found, str(origin), origins)
    _merge_environment(tree, os.environ if environ is None else environ, origins)
    return Loaded(_build(Settings, tree, "", origins), origins, tuple(files), text=text)


def check_emptied(state: Path, path: Path) -> None:
    """A power cut can leave nothing of a file that an editor was writing, and no settings at all are settings that
    hold, without a source. Raises bad-value for an empty file that said something when it last held."""
    past = last_good.read(state, path)
    lines = [] if past is None else past.text.split("\n")
    if any(not line.lstrip().startswith("#") and line.strip() for line in lines):
        text = _read(path, named=False)
        if text is not None and not text.strip():
            hint = "Write it again; where no settings are meant, a comment says so."
            raise SmartBoxError("bad-value", f"{path} is empty, and it was not before.", hint)


def settings_from(tree: Tree) -> Settings:
    """The settings of a whole tree, as the engine serves them. Raises as `load`."""
    origins: dict[str, str] = {}
    merged: Tree = {}
    _merge(merged, tree, "", origins)
    built: Settings = _build(Settings, merged, "", origins)
    return built


def build(kind: type[T], values: Tree, path: str) -> T:
    """One table of the schema from its values; `path` is what errors call it. Raises unknown-key, bad-value."""
    built: T = _build(kind, values, path + ".", {})
    return built


def parse(text: str, what: str) -> Tree:
    """TOML. Raises bad-value with the line."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise SmartBoxError("bad-value", f"{what} is not readable as TOML: {exc}", "Mend that line.") from exc


def _read_toml(path: Path, named: bool) -> Tree | None:
    text = _read(path, named)
    return None if text is None else parse(text, str(path))


def _read(path: Path, named: bool) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if named:
            raise SmartBoxError("not-found", f"There is no settings file {path}.", "Check --config.") from None
        return None
    except UnicodeDecodeError as exc:
        raise SmartBoxError("bad-value", f"{path} is not readable as TOML: {exc}", "Mend that line.") from exc
    except OSError as exc:
        raise SmartBoxError("refused", f"{path} cannot be read: {exc.strerror}", "Check its permissions.") from exc


def _merge(tree: Tree, values: Tree, origin: str, origins: dict[str, str], path: str = "") -> None:
    for name, value in values.items():
        here = f"{path}{name}"
        if isinstance(value, dict):
            if not isinstance(tree.get(name, {}), dict):
                raise _bad(here, "must be a table", origins, f"[{here}]")
            _merge(tree.setdefault(name, {}), value, origin, origins, here + ".")
        elif not path and name in LIST_KEY and isinstance(value, list):
            if not isinstance(tree.get(name, []), list):
                raise _bad(here, "must be a list of tables", origins, f"[[{here}]]")
            _merge_list(tree.setdefault(name, []), value, name, origin, origins)
        else:
            tree[name] = value
            origins[here] = origin


def _merge_list(old: list[Tree], new: list[Any], section: str, origin: str, origins: dict[str, str]) -> None:
    name_key = LIST_KEY[section]
    for item in new:
        if not isinstance(item, dict) or not isinstance(item.get(name_key), str):
            raise SmartBoxError(
                "bad-value", f"{origin}: each [[{section}]] needs its {name_key}.", f'{name_key} = "..."'
            )
        found = next((entry for entry in old if entry[name_key] == item[name_key]), None)
        if item.get("removed") is True:  # the box's own file takes back what the file before it says
            if found is not None:
                old.remove(found)
            continue
        if found is None:
            found = {}
            old.append(found)
        elif item.get(INSTEAD) is True:  # nothing of what the file before it says about this entry holds
            found.clear()
            _forget(origins, f"{section}.{item[name_key]}.")
        item = {key: value for key, value in item.items() if key != INSTEAD}
        _merge(found, item, origin, origins, f"{section}.{item[name_key]}.")


def _forget(origins: dict[str, str], prefix: str) -> None:
    for path in [path for path in origins if path.startswith(prefix)]:
        del origins[path]


def _merge_environment(tree: Tree, environ: Mapping[str, str], origins: dict[str, str]) -> None:
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or variable in _OWN_VARIABLES:
            continue
        parts = variable[len(PREFIX) :].lower().split("__")
        node: Any = tree
        path = ""
        for index, part in enumerate(parts[:-1]):
            if index == 0 and part in LIST_KEY:
                node = node.setdefault(part, [])
            elif isinstance(node, list):
                node = _entry(node, parts[0], part)
                part = node[LIST_KEY[parts[0]]]
            else:
                node = node.setdefault(part, {})
            path += part + "."
        if not isinstance(node, dict):
            raise SmartBoxError("unknown-key", f"{variable} does not name a key.", f"{variable}__KEY")
        node[parts[-1]] = _from_text(environ[variable])
        origins[path + parts[-1]] = variable


def _entry(entries: list[Tree], section: str, name: str) -> Tree:
    """The entry of that name, whatever its case and dashes (a variable has neither), or a new one."""
    name_key = LIST_KEY[section]
    for entry in entries:
        if str(entry[name_key]).lower().replace("-", "_") == name:
            return entry
    entry = {name_key: name}
    entries.append(entry)
    return entry


def _from_text(text: str) -> Any:
    """A variable's value as TOML has it (true, 104, 0.5, {...}); anything else is the text itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _build(kind: Any, tree: Tree, path: str, origins: dict[str, str]) -> Any:
    hints = typing.get_type_hints(kind)
    known = {item.name: item for item in dataclasses.fields(kind)}
    for name in tree:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.5)
            where = origins.get(path + name, "")
            raise SmartBoxError(
                "unknown-key",
                f"There is no setting '{path}{name}'" + (f" (in {where})." if where else "."),
                f"Did you mean '{path}{near[0]}'?" if near else f"Known here: {', '.join(known)}.",
            )
    values: Tree = {}
    for name, item in known.items():
        here = path + name
        if name not in tree:
            if item.metadata.get("required"):
                raise SmartBoxError("bad-value", f"The setting '{here}' is missing.", item.metadata["doc"])
            origins.setdefault(here, "default")
            continue
        values[name] = _value(hints[name], _worded(item.metadata["rule"], tree[name]), here, origins)
        rule = item.metadata["rule"]
        why = rule(values[name]) if rule else None
        if why:
            raise _bad(here, why, origins, item.metadata["doc"])
    return kind(**values)


def _worded(rule: Any, value: Any) -> Any:
    """TOML's true and false for a key that also knows neither of them."""
    words = isinstance(value, bool) and "true" in getattr(rule, "choices", ())
    return str(value).lower() if words else value


def _value(hint: Any, value: Any, here: str, origins: dict[str, str]) -> Any:
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, dict):
            raise _bad(here, "must be a table", origins, f"[{here}]")
        return _build(hint, value, here + ".", origins)
    if typing.get_origin(hint) is tuple:
        kind = typing.get_args(hint)[0]
        name_key = LIST_KEY[here]
        if not isinstance(value, list):
            raise _bad(here, "must be a list of tables", origins, f"[[{here}]]")
        return tuple(_build(kind, item, f"{here}.{item[name_key]}.", origins) for item in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is str and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)  # a variable like SMARTBOX_STATION_NAME=7 is a text all the same
    if not isinstance(hint, types.GenericAlias) and (type(value) is not hint):
        words = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
        raise _bad(here, f"must be {words.get(hint, hint)}", origins, "")
    return value


def _bad(here: str, why: str, origins: dict[str, str], doc: str) -> SmartBoxError:
    where = origins.get(here, "")
    return SmartBoxError(
        "bad-value", f"{here}: {why}" + (f" (in {where})" if where else ""), doc or "Mend the value."
    )
