"""Small things worth keeping over a restart, by name."""

from __future__ import annotations

import json
from typing import Any

from smartbox_tui.store.tables import Fact


def put(database: Any, name: str, value: Any) -> None:
    """Inside a write job. `value` is what JSON can hold."""
    Fact.replace(name=name, value=json.dumps(value, ensure_ascii=False)).execute(database)


def get(database: Any, name: str) -> Any:
    """None where there is none."""
    found = next(iter(Fact.select().where(Fact.name == name).execute(database)), None)
    return None if found is None else json.loads(found.value)
