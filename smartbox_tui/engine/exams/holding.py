"""What capture says about the exam that it holds, and what the engine makes of it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import Any

from smartbox_tui.engine.exams.lifecycle import Exams
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model import exam as states
from smartbox_tui.model.exam import ExamState
from smartbox_tui.store import queries

log = logging.getLogger(__name__)


async def capture_holds(exams: Exams, exam_id: str | None) -> None:
    """Capture's exam as it says itself, after a (re)connection or when a trigger made one.

    An unassigned exam of capture's own becomes current when there is none, or only an older unassigned one (a
    pedal's emergency begins a new one); otherwise ours is held again.
    """
    async with exams.lock:
        if exam_id == exams.current:
            return
        if exam_id is not None:
            exam = await exams.import_exam(exam_id)
            if exam is not None and exam.state == ExamState.UNASSIGNED and _is_unassigned(exams, exams.current):
                await exams.close_exam(exams.current or "", "")
            if exam is not None and exams.current is None and exam.state in states.CURRENT:
                exams.current = exam_id
                exams.announce(exam_id)
                return
            if exams.current is None:  # closed while capture was out of reach
                await _tell(exams.capture.drop(exam_id))
                return
        if exams.current is not None:
            await exams.make_current(await exams.read(exams.current))


async def close_stray(exams: Exams, exam_id: str) -> None:
    """Closes an unassigned exam that is not current: made for a press from before another exam was opened."""
    async with exams.lock:
        if exam_id not in (exams.current, exams.suspended) and _is_unassigned(exams, exam_id):
            await exams.close_exam(exam_id, "")


def _is_unassigned(exams: Exams, exam_id: str | None) -> bool:
    row = queries.exam(exams.store.reader, exam_id) if exam_id else None
    return row is not None and row.state == ExamState.UNASSIGNED


async def _tell(call: Awaitable[Any]) -> None:
    try:
        await call
    except SmartBoxError as exc:
        log.info("capture did not take a command: %s", exc.code)
