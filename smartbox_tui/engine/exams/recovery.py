"""The engine's start: what was open before, what a crash left between two writes (DESIGN section 7)."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path
from typing import Final

from smartbox_tui.engine.exams.lifecycle import Exams
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model import exam as states
from smartbox_tui.model.exam import ExamState
from smartbox_tui.spool.examfile import EXAM_FILE, read_exam
from smartbox_tui.spool.layout import exam_folders
from smartbox_tui.store import queries, queue
from smartbox_tui.wire import current

log = logging.getLogger(__name__)

AGAIN_S: Final = 10.0


async def before_serving(exams: Exams) -> None:
    """Quick, whatever the spool holds: deliveries in flight go back to the queue, the current exam is found."""
    await exams.write(lambda database: queue.recover(database, "the engine was restarted"))
    held = current.read_current(exams.runtime)
    if held is not None:
        exam = await exams.import_exam(held.exam)
        if exam is not None and exam.state in states.CURRENT:
            exams.current = exam.id
    for row in queries.exams(exams.store.reader, states=[*states.CURRENT, ExamState.SUSPENDED]):
        if row.id != exams.current:
            await _left_open(exams, row.id)


async def _left_open(exams: Exams, exam_id: str) -> None:
    """An exam whose row says it is not closed: open after a crash of the same boot, suspended after a reboot."""
    try:
        exam = await exams.run(read_exam, exams.folder(exam_id))
    except (OSError, ValueError):
        log.error("exam %s is in the database but not readable in the spool", exam_id)
        return
    if exam.state == ExamState.CLOSED:  # the row is behind its file
        await exams.import_exam(exam.id)
    elif exam.state == ExamState.UNASSIGNED:
        await exams.close_exam(exam.id, "")
    elif exam.boot_id == current.boot_id() and exams.current is None and exam.state in states.CURRENT:
        exams.current = exam.id
        current.write_current(exams.runtime, current.Current(exam.id, exam.revision, exam.boot_id))
    elif exams.suspended is None:
        if exam.state != ExamState.SUSPENDED:
            await exams.save(replace(exam, state=ExamState.SUSPENDED))
        exams.suspended = exam.id
    else:  # one question at a time: the newest waits, older ones are over
        await exams.close_exam(exam.id, "")


async def after_serving(exams: Exams) -> list[str]:
    """Walks the whole spool for what the store does not have, current exam first; returns what is unreadable. On a
    full disk again and again: all else must go on meanwhile, or nothing would ever make room."""
    while True:
        try:
            return await _walk(exams)
        except SmartBoxError as exc:
            if exc.code != "disk-full":
                raise
            log.error("the spool cannot be walked: %s", exc.code)
            await asyncio.sleep(AGAIN_S)


async def _walk(exams: Exams) -> list[str]:
    unreadable: list[str] = []
    if exams.current is not None:
        await exams.adopt(exams.current)
    folders = await exams.run(lambda: sorted(exam_folders(exams.spool), key=lambda path: path.stat().st_mtime))
    for folder in folders:
        if await exams.run(only_begun, folder):
            continue
        if queries.exam(exams.store.reader, folder.name) is None:
            imported = await exams.import_exam(folder.name)
            if imported is None:
                unreadable.append(folder.name)
                continue
            if imported.state != ExamState.CLOSED and imported.id != exams.current:
                await _left_open(exams, imported.id)
        try:
            await exams.adopt(folder.name)
        except SmartBoxError as exc:
            if exc.code == "disk-full":
                raise
            log.error("exam %s cannot be adopted: %s", folder.name, exc.code)
            unreadable.append(folder.name)
    await release_of_closed(exams)
    return unreadable


def only_begun(folder: Path) -> bool:
    """A folder with nothing in it but the first file of an exam: we died while it was made, before anybody had an
    answer, and no picture can be in it."""
    names = [path.name for path in folder.iterdir()]
    return EXAM_FILE not in names and all(name.startswith((".", "revision-")) for name in names)


async def release_of_closed(exams: Exams) -> None:
    """Held rows of exams that are closed: we died between closing the exam and releasing its rows."""
    held = {row.exam for row in queries.deliveries(exams.store.reader, state="held", limit=1_000_000)}
    for exam_id in held:
        row = queries.exam(exams.store.reader, exam_id)
        if row is not None and row.state == ExamState.CLOSED and row.patient_id:
            exam = await exams.run(read_exam, exams.folder(exam_id))
            await exams.run_release(exam_id, by_hand=bool(exam.extra.get("sent_by_hand")))
