"""What can be set, derived from the schema: for the screens, the API and whoever checks a path."""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings import rules
from smartbox_tui.settings.load import LIST_KEY, Tree
from smartbox_tui.settings.schema import Settings

BOX: Final = "box"
"""The section of the keys that stand in no table."""
MASK: Final = "***"
_TYPES: Final = {str: "text", int: "integer", float: "number", bool: "bool"}
_INPUTS: Final[dict[Any, str]] = {
    rules.host: "host",
    rules.ae_title: "aet",
    rules.ae_title_or_empty: "aet",
    rules.code_string: "aet",
}
_RESTARTS: Final = {
    "port": "engine",
    "clock": "engine",
    "sources": "capture",
    "pedals": "capture",
    "recording": "capture",
    "without_patient": "capture",
    "scanner": "console",
    "panel.live": "console",
    "panel.font": "console",
    "panel.dpi": "console",
    "display.preview_fps": "console",
}
"""Which process must be started anew before a changed value holds, by the section or the key's path; all others
hold at once."""


@dataclass(frozen=True, slots=True)
class Key:
    """One value. `key` is its path within its section or entry (`host`, `retry.first_s`); `type` text, integer,
    number or bool; `input` what is typed: text, host, aet, number; `choices` none: anything that the rule allows;
    `fixed`: this version knows one value only; `restart` the process that must be started anew, empty: none."""

    key: str
    type: str
    doc: str
    default: Any
    choices: tuple[Any, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    input: str = "text"
    required: bool = False
    secret: bool = False
    fixed: bool = False
    restart: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """`list_key`: the key that names an entry of a list of tables; empty: it is one table."""

    name: str
    list_key: str
    keys: tuple[Key, ...]

    def path(self, key: str, entry: str = "") -> str:
        """The dotted path of a key of this section, in a list that of the entry's."""
        return ".".join(part for part in ("" if self.name == BOX else self.name, entry, key) if part)

    def key(self, name: str) -> Key | None:
        return next((item for item in self.keys if item.key == name), None)


@lru_cache(maxsize=4)
def sections(kind: Any = Settings) -> tuple[Section, ...]:
    """In the schema's order, the section BOX first."""
    hints = typing.get_type_hints(kind)
    box: list[Key] = []
    found = []
    for item in dataclasses.fields(kind):
        hint = hints[item.name]
        if item.name in LIST_KEY:
            entry = typing.get_args(hint)[0]
            found.append(Section(item.name, LIST_KEY[item.name], tuple(_keys(entry, item.name))))
        elif dataclasses.is_dataclass(hint):
            found.append(Section(item.name, "", tuple(_keys(hint, item.name))))
        else:
            box.append(_key(item, hint, "", _RESTARTS.get(item.name, "")))
    return (Section(BOX, "", tuple(box)), *found)


def _keys(kind: Any, section: str, prefix: str = "") -> Iterator[Key]:
    hints = typing.get_type_hints(kind)
    for item in dataclasses.fields(kind):
        if dataclasses.is_dataclass(hints[item.name]):
            yield from _keys(hints[item.name], section, f"{prefix}{item.name}.")
        else:
            restart = _RESTARTS.get(f"{section}.{prefix}{item.name}", _RESTARTS.get(section, ""))
            yield _key(item, hints[item.name], prefix, restart)


def _key(item: Any, hint: Any, prefix: str, restart: str) -> Key:
    rule = item.metadata["rule"]
    kind = _TYPES[hint]
    default: Any = None if item.default is dataclasses.MISSING else item.default
    if item.default_factory is not dataclasses.MISSING:
        default = item.default_factory()
    return Key(
        key=prefix + item.name,
        type=kind,
        doc=item.metadata["doc"],
        default=default,
        choices=rule.choices if isinstance(rule, rules.Choice) else (),
        minimum=rule.minimum if isinstance(rule, rules.Bounds) else None,
        maximum=rule.maximum if isinstance(rule, rules.Bounds) else None,
        input="number" if kind in ("integer", "number") else _INPUTS.get(rule, "text"),
        required=bool(item.metadata.get("required")),
        secret=bool(item.metadata["secret"]),
        fixed=isinstance(rule, rules.Choice) and rule.fixed,
        restart=restart,
    )


def section(name: str, kind: Any = Settings) -> Section | None:
    return next((item for item in sections(kind) if item.name == name), None)


@dataclass(frozen=True, slots=True)
class Place:
    """What a dotted path names: a key (of `entry` in a list), a whole entry (`key` is None), or a whole section."""

    section: Section
    entry: str
    key: Key | None


def place(path: str, kind: Any = Settings) -> Place:
    """Raises unknown-key, which names the nearest known one."""
    head, _, rest = path.partition(".")
    found = section(head, kind)
    if found is None or found.name == BOX:
        box = sections(kind)[0]
        if (key := box.key(path)) is not None:
            return Place(box, "", key)
        raise _unknown(path, [item.key for item in box.keys] + [item.name for item in sections(kind)[1:]])
    entry = ""
    if found.list_key:
        entry, _, rest = rest.partition(".")
        if not entry:
            raise SmartBoxError("bad-value", f"'{path}' is a list of entries.", f"Name one: {head}.NAME")
    if not rest:
        return Place(found, entry, None)
    key = found.key(rest)
    if key is None:
        raise _unknown(path, [found.path(item.key, entry) for item in found.keys])
    return Place(found, entry, key)


def _unknown(path: str, known: list[str]) -> SmartBoxError:
    near = difflib.get_close_matches(path, known, 1, 0.5)
    hint = f"Did you mean '{near[0]}'?" if near else "See `ctl settings show`."
    return SmartBoxError("unknown-key", f"There is no setting '{path}'.", hint)


def tree(settings: Any) -> Tree:
    """All values as TOML has them: tables, lists of tables, and plain values."""
    values: Tree = {}
    for item in dataclasses.fields(settings):
        value = getattr(settings, item.name)
        if dataclasses.is_dataclass(value):
            values[item.name] = tree(value)
        elif isinstance(value, tuple):
            values[item.name] = [tree(entry) for entry in value]
        else:
            values[item.name] = value
    return values


def flat(settings: Any) -> dict[str, Any]:
    """Every value by its dotted path, the entries of lists by their names."""
    found: dict[str, Any] = {}

    def walk(node: Any, path: str) -> None:
        for item in dataclasses.fields(node):
            value = getattr(node, item.name)
            if dataclasses.is_dataclass(value):
                walk(value, f"{path}{item.name}.")
            elif isinstance(value, tuple):
                for entry in value:
                    walk(entry, f"{path}{item.name}.{getattr(entry, LIST_KEY[item.name])}.")
            else:
                found[path + item.name] = value

    walk(settings, "")
    return found


def masked(path: str, value: Any, kind: Any = Settings) -> Any:
    """The value as it may be shown: a secret that is set as ***."""
    try:
        key = place(path, kind).key
    except SmartBoxError:
        return MASK  # of a key that this version does not know nobody knows whether it is secret
    return MASK if key is not None and key.secret and value else value


def changed(old: Any, new: Any) -> dict[str, tuple[Any, Any]]:
    """What is other in effect: path to (before, after), None where there was or is none. An entry that came or went
    is one path, its value the keys that differ from their defaults. Secrets are masked."""
    kind = type(old)
    before, after = flat(old), flat(new)
    found: dict[str, tuple[Any, Any]] = {}
    for path in [*before, *(path for path in after if path not in before)]:
        if path in before and path in after:
            if before[path] != after[path]:
                found[path] = (masked(path, before[path], kind), masked(path, after[path], kind))
            continue
        where = place(path, kind)
        entry = where.section.path("", where.entry)
        if entry not in found:
            table = _table(before if path in before else after, where, kind)
            found[entry] = (table, None) if path in before else (None, table)
    return found


def _table(values: dict[str, Any], where: Place, kind: Any) -> dict[str, Any]:
    found = {}
    for key in where.section.keys:
        path = where.section.path(key.key, where.entry)
        if path in values and values[path] != key.default and key.key != where.section.list_key:
            found[key.key] = masked(path, values[path], kind)
    return found


def shown(settings: Any) -> Tree:
    """`tree` with secrets masked."""
    values = tree(settings)
    for path, value in flat(settings).items():
        if masked(path, value, type(settings)) != value:
            table, name = _table_at(values, path)
            table[name] = MASK
    return values


def _table_at(values: Tree, path: str) -> tuple[Tree, str]:
    parts = path.split(".")
    node: Any = values
    if parts[0] in LIST_KEY:
        name_key = LIST_KEY[parts[0]]
        node = next(item for item in values[parts[0]] if item[name_key] == parts[1])
        parts = parts[2:]
    for part in parts[:-1]:
        node = node[part]
    return node, parts[-1]


def why_not(section_name: str, key: Key, value: Any) -> str:
    """The rule's sentence about a value of the right type; empty: it holds."""
    kind: Any = Settings
    parts = [section_name] if section_name != BOX else []
    for part in [*parts, *key.key.split(".")[:-1]]:
        hint = typing.get_type_hints(kind)[part]
        kind = typing.get_args(hint)[0] if part in LIST_KEY else hint
    item = next(item for item in dataclasses.fields(kind) if item.name == key.key.split(".")[-1])
    rule = item.metadata["rule"]
    return (rule(value) or "") if rule else ""
