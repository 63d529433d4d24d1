"""A disk that is full in the middle of opening or closing an exam: the repeated command does the rest; and at the
engine's start: it lives on and tries again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest

from smartbox_tui.engine.exams import recovery
from smartbox_tui.engine.exams.adopt import Adopter
from smartbox_tui.engine.exams.lifecycle import Exams
from smartbox_tui.engine.ports import NoSteps, NoWorklist
from smartbox_tui.engine.who import Registry
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.destination import Destination
from smartbox_tui.settings.schema import Settings
from smartbox_tui.spool.examfile import ExamFile, RevisionFile
from smartbox_tui.store import queries
from smartbox_tui.store.database import Store
from smartbox_tui.wire import commands
from tests.support.spooled import put_still

FULL = SmartBoxError("disk-full", "No space left.", "Free some.")


class Capture:
    async def hold(self, exam_id: str, revision: int) -> dict[str, Any]:
        return {}

    async def drop(self, exam_id: str) -> dict[str, Any]:
        return {}


@dataclass
class Steps(NoSteps):
    """Fails so many times."""

    failures: int = 0
    told: list[str] = field(default_factory=list)
    begun: set[str] = field(default_factory=set)

    def opened(self, exam: ExamFile, revision: RevisionFile) -> None:
        if self.failures:
            self.failures -= 1
            raise FULL
        self.begun.add(exam.id)

    def ended(self, exam: ExamFile, revision: RevisionFile, discontinued: str) -> None:
        if self.failures:
            self.failures -= 1
            raise FULL
        self.told.append(discontinued)


@pytest.fixture
def exams(tmp_path: Path) -> Iterator[Exams]:
    spool = tmp_path / "spool"
    spool.mkdir()
    settings = Settings(destinations=(Destination(name="archive", host="127.0.0.1", aet="A"),))
    store = Store(tmp_path / "smartbox.db")
    with ThreadPoolExecutor(1) as thread:
        yield Exams(
            spool=spool,
            runtime=tmp_path,
            store=store,
            settings=lambda: settings,
            adopter=Adopter(spool, store, lambda: settings),
            spool_thread=thread,
            capture=Capture(),
            registry=Registry(store.reader, NoWorklist()),
            performed=Steps(),
            publish=lambda event: None,
            wake_delivery=lambda: None,
        )
    store.close()


async def opened(exams: Exams) -> str:
    patient = {"id": "T-1", "name": "Test^Eins", "birth_date": "1970-01-01", "sex": "O"}
    exam = await exams.open(commands.ExamOpen(id=str(uuid4()), patient=patient))
    put_still(exams.spool, exam.id)
    return exam.id


def states_of(exams: Exams) -> list[str]:
    return [row.state for row in queries.deliveries(exams.store.reader)]


@pytest.mark.parametrize("again", ["the same command", "another one", "the next exam"])
def test_what_came_behind_the_exams_file_is_made_up(exams: Exams, again: str) -> None:
    async def run() -> None:
        exam_id = await opened(exams)
        cast(Steps, exams.performed).failures = 1
        close = commands.ExamClose(id=str(uuid4()), discontinued="cancelled")
        with pytest.raises(SmartBoxError, match="No space"):
            await exams.close(close)
        assert states_of(exams) == ["held"]
        if again == "the next exam":
            assert await opened(exams) == exams.current
        else:
            repeat = close if again == "the same command" else commands.ExamClose(id=str(uuid4()))
            assert (await exams.close(repeat)).state == "closed"
            assert exams.current is None
        assert cast(Steps, exams.performed).told == ["cancelled"]
        assert states_of(exams) == ["queued"]
        assert exams.view(exam_id).state == "closed"

    asyncio.run(run())


def test_a_row_that_is_behind_its_exams_file_follows(exams: Exams, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        exam_id = await opened(exams)
        write = exams.write

        async def full(job: Any) -> Any:
            raise FULL

        close = commands.ExamClose(id=str(uuid4()))
        await exams.adopt(exam_id)
        monkeypatch.setattr(exams, "write", full)
        with pytest.raises(SmartBoxError, match="No space"):
            await exams.close(close)
        monkeypatch.setattr(exams, "write", write)
        first = (await exams.read(exam_id)).closed_at
        assert (await exams.close(close)).closed_at == first
        assert states_of(exams) == ["queued"]

    asyncio.run(run())


def test_an_opening_that_was_stopped_is_completed_by_the_repeated_command(exams: Exams) -> None:
    async def run() -> None:
        steps = cast(Steps, exams.performed)
        steps.failures = 1
        patient = {"id": "T-1", "name": "Test^Eins", "birth_date": "1970-01-01", "sex": "O"}
        command = commands.ExamOpen(id=str(uuid4()), patient=patient)
        with pytest.raises(SmartBoxError, match="No space"):
            await exams.open(command)
        assert (await exams.open(command)).id == exams.current == command.id
        assert steps.begun == {command.id}

    asyncio.run(run())


def test_a_start_on_a_full_disk_goes_on_when_there_is_room(exams: Exams, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        exam_id = await opened(exams)
        adopt, calls = exams.adopt, 0

        async def full(exam: str, only: list[str] | None = None) -> list[str]:
            nonlocal calls
            calls += 1
            if calls < 4:
                raise FULL
            return await adopt(exam, only)

        monkeypatch.setattr(recovery, "AGAIN_S", 0.01)
        monkeypatch.setattr(exams, "adopt", full)
        assert await recovery.after_serving(exams) == []
        assert calls > 4, "the current exam first, then all"
        assert [row.exam for row in queries.deliveries(exams.store.reader)] == [exam_id]

    asyncio.run(run())
