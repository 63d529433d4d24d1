"""Changing the tree of a settings file by dotted paths. Pure: nothing is read, written or checked by the rules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings import describe
from smartbox_tui.settings.load import INSTEAD, LIST_KEY, Tree
from smartbox_tui.settings.schema import Loaded


class Editor:
    """Changes the tree of the box's own file. `before` and `base`: the names of the entries of each list, in effect
    and without the box's own file."""

    def __init__(self, tree: Tree, before: dict[str, list[str]], base: dict[str, list[str]]) -> None:
        self._tree, self._names, self._base = tree, before, base

    def change(self, path: str, value: Any) -> None:
        """One path. Raises unknown-key, not-found, bad-value."""
        place = describe.place(path)
        if place.key is None and place.entry:
            self._entry(place, value)
        elif place.key is None:
            self._section(place, value)
        elif place.entry and place.entry not in self._names[place.section.name]:
            raise SmartBoxError(
                "not-found", f"There is no '{place.entry}' in {place.section.name}.", "See `ctl settings show`."
            )
        elif place.key.key == place.section.list_key and value != place.entry:
            raise SmartBoxError("bad-value", f"{path}: a name stays", "Make a new entry and remove this one.")
        elif value is None:
            self._unset(place)
        else:
            set_value(self._tree, place, value)

    def _section(self, place: describe.Place, value: Any) -> None:
        name = place.section.name
        if value is None:
            self._tree.pop(name, None)
        elif isinstance(value, dict):
            for key in keys_of(value):
                describe.place(f"{name}.{key}")
            _merge_table(self._tree.setdefault(name, {}), value)
        else:
            raise SmartBoxError("bad-value", f"{name}: must be a table", f"Name a key: {name}.KEY")

    def _entry(self, place: describe.Place, value: Any) -> None:
        section, name_key = place.section.name, place.section.list_key
        entries = self._tree.setdefault(section, [])
        at = next((index for index, item in enumerate(entries) if item[name_key] == place.entry), len(entries))
        in_file = place.entry in self._base[section]
        if value is None:
            if place.entry not in self._names[section]:
                raise SmartBoxError(
                    "not-found", f"There is no '{place.entry}' in {section}.", "See `ctl settings show`."
                )
            self._names[section].remove(place.entry)
            entries[at : at + 1] = [{name_key: place.entry, "removed": True}] if in_file else []
            return
        if not isinstance(value, dict) or value.get(name_key, place.entry) != place.entry:
            raise SmartBoxError("bad-value", f"{section}.{place.entry}: must be a table of that name", "")
        marks = {INSTEAD: True} if in_file else {}
        entries[at : at + 1] = [{name_key: place.entry, **marks, **_plain(value)}]
        if place.entry not in self._names[section]:
            self._names[section].append(place.entry)

    def _unset(self, place: describe.Place) -> None:
        assert place.key is not None
        node = _find(self._tree, place)
        parts = place.key.key.split(".")
        tables = [node]
        for part in parts[:-1]:
            tables.append(tables[-1].get(part) if isinstance(tables[-1], dict) else None)
        if isinstance(tables[-1], dict):
            tables[-1].pop(parts[-1], None)
        for at in range(len(tables) - 1, 0, -1):  # a table that has become empty goes, too
            if tables[at] == {}:
                tables[at - 1].pop(parts[at - 1], None)
        section = place.section.name
        if place.entry:
            bare = {place.section.list_key: place.entry}
            if place.entry in self._base[section]:
                self._tree[section] = [item for item in self._tree.get(section, []) if item != bare]
        elif self._tree.get(section) == {}:
            self._tree.pop(section)


def _find(tree: Tree, place: describe.Place) -> Any:
    if place.section.name == describe.BOX:
        return tree
    node = tree.get(place.section.name)
    if not place.entry:
        return node
    return next((item for item in node or [] if item[place.section.list_key] == place.entry), None)


def set_value(tree: Tree, place: describe.Place, value: Any) -> None:
    """Makes the tables and the entry that it needs."""
    assert place.key is not None
    node = _find(tree, place)
    if node is None:
        node = {place.section.list_key: place.entry} if place.entry else {}
        if place.entry:
            tree.setdefault(place.section.name, []).append(node)
        else:
            tree[place.section.name] = node
    parts = place.key.key.split(".")
    for part in parts[:-1]:
        node = node.setdefault(part, {})
    node[parts[-1]] = value


def _merge_table(node: Tree, values: Tree) -> None:
    for key, value in values.items():
        if isinstance(value, dict):
            _merge_table(node.setdefault(key, {}), value)
        elif value is None:
            node.pop(key, None)
        else:
            node[key] = value


def keys_of(value: Any, prefix: str = "") -> Iterator[str]:
    """The dotted keys of a table of values."""
    for key, item in value.items() if isinstance(value, dict) else ():
        if isinstance(item, dict):
            yield from keys_of(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def _plain(value: Tree) -> Tree:
    """Without what is null: that is the default."""
    return {
        key: _plain(item) if isinstance(item, dict) else item for key, item in value.items() if item is not None
    }


def names(loaded: Loaded) -> dict[str, list[str]]:
    """Of the entries of each list."""
    return {
        section: [getattr(item, name_key) for item in getattr(loaded.settings, section)]
        for section, name_key in LIST_KEY.items()
    }


def whole_list(entries: Any, base: list[str], section: str, name_key: str) -> list[Any]:
    """The imported entries in the place of the file's ones. Raises bad-value."""
    if not isinstance(entries, list) or not all(isinstance(item, dict) for item in entries):
        raise SmartBoxError("bad-value", f"{section}: must be a list of tables", f"[[{section}]]")
    named = [item.get(name_key) for item in entries]
    kept = [{**item, INSTEAD: True} if item.get(name_key) in base else item for item in entries]
    return kept + [{name_key: name, "removed": True} for name in base if name not in named]


def carry_secrets(tree: Tree, old: Tree) -> None:
    """Those of `old` that `tree` has a place for and no value."""
    for section in describe.sections():
        for key in section.keys:
            if not key.secret:
                continue
            entries = old.get(section.name, []) if section.list_key else [{}]
            for entry in entries:
                place = describe.Place(section, entry.get(section.list_key, ""), key)
                was, now = _find(old, place), _find(tree, place)
                if isinstance(was, dict) and isinstance(now, dict) and key.key in was:
                    now.setdefault(key.key, was[key.key])
