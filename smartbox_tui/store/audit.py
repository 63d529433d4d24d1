"""Who did what: one line for each change of a patient or of the settings. No patient data, no secrets."""

from __future__ import annotations

import json
from typing import Any

from smartbox_tui.store.queue import now_text
from smartbox_tui.store.tables import Audit


def add(database: Any, who: str, action: str, exam: str, detail: dict[str, Any]) -> int:
    """Inside a write job. `action` is a past-tense word (exam-reassigned, settings-changed ...); the line's id."""
    row = {"at": now_text(), "who": who, "action": action, "exam": exam, "detail": json.dumps(detail)}
    return int(Audit.insert(row).execute(database))


def lines(database: Any, *, exam: str | None = None, action: str | None = None, limit: int = 200) -> list[Any]:
    """Newest first."""
    query = Audit.select().order_by(Audit.id.desc()).limit(limit)
    if exam is not None:
        query = query.where(Audit.exam == exam)
    if action is not None:
        query = query.where(Audit.action == action)
    return list(query.execute(database))


def line(database: Any, identity: int) -> Any | None:
    return next(iter(Audit.select().where(Audit.id == identity).execute(database)), None)
