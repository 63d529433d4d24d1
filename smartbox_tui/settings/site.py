"""`site.toml`: what the box itself writes. Never the --config file."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import tomli_w

from smartbox_tui.settings.load import SITE_FILE, load

HEADER = "# Written by the box itself (ctl destination add, the settings screens). Edit while it is off.\n"


def put_entry(state: Path, config: Path | None, section: str, name_key: str, values: dict[str, Any]) -> None:
    """Adds or replaces an entry of a list of tables, checked as a whole before anything is kept.

    `values` with `removed = true` takes the entry back. Raises unknown-key and bad-value, and then nothing
    is changed.
    """
    path = state / SITE_FILE
    before = path.read_bytes() if path.exists() else None
    tree: dict[str, Any] = tomllib.loads(before.decode()) if before else {}
    entries = [item for item in tree.get(section, []) if item.get(name_key) != values[name_key]]
    tree[section] = [*entries, values]
    temporary = state / f".{SITE_FILE}.tmp"
    _write(temporary, HEADER + tomli_w.dumps(tree))
    temporary.replace(path)
    try:
        load(config, state)
    except Exception:
        if before is None:
            path.unlink()
        else:
            _write(temporary, before.decode())
            temporary.replace(path)
        raise


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
