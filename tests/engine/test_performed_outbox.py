"""What an exam puts into the outbox, once or twice, before or after a try: on a spool and a store, no network."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from smartbox_tui.dicom.preload import preload
from smartbox_tui.engine.orders.performed import PerformedSteps
from smartbox_tui.settings.destination import Destination
from smartbox_tui.settings.schema import Mpps, Settings
from smartbox_tui.spool.examfile import ExamFile, RevisionFile, write_exam, write_revision
from smartbox_tui.store import audit, records
from smartbox_tui.store import performed as outbox
from smartbox_tui.store.database import Store
from smartbox_tui.wire import times
from tests.engine.performed_rig import COMPLETED, DISCONTINUED, REASON, STATUS, uid
from tests.support.mpps import value_of
from tests.support.spooled import put_still

OPENED, CLOSED = "2026-11-21T10:00:00.000+01:00", "2026-11-21T10:30:00.000+01:00"
PATIENT = {"id": "T-1", "name": "Test^Eva", "birth_date": "1970-01-01", "sex": "F"}
SERVER = Mpps(host="127.0.0.1", aet="MPPS")


class House:
    def __init__(self, folder: Path) -> None:
        preload()
        self.spool = folder / "spool"
        self.store = Store(folder / "smartbox.db")
        self.settings = Settings(mpps=SERVER)
        self.woken = 0
        self.steps = PerformedSteps(self.spool, self.store, lambda: self.settings, wake=self._wake)

    def _wake(self) -> None:
        self.woken += 1

    def exam(self, *, pictures: int = 1, closed: bool = False, **values: Any) -> tuple[ExamFile, RevisionFile]:
        exam = ExamFile(str(uuid4()), "open", "1.2.3.4", OPENED, "engine")
        if closed:
            exam = replace(exam, state="closed", closed_at=CLOSED)
        exam = replace(exam, **values)
        revision = RevisionFile(1, PATIENT, OPENED, performed=True)
        (self.spool / exam.id).mkdir(parents=True)
        self.write(exam, revision)
        for number in range(pictures):
            put_still(self.spool, exam.id, number=number)
        return exam, revision

    def write(self, exam: ExamFile, revision: RevisionFile) -> None:
        write_revision(self.spool / exam.id, revision)
        write_exam(self.spool / exam.id, exam)
        self.store.write(lambda db: records.put_exam(db, exam, revision)).result()

    def rows(self, exam: ExamFile, generation: int = 0) -> dict[str, Any]:
        return {row.verb: row for row in outbox.of_step(self.store.reader, uid(exam.id, 0, generation))}

    def states(self, exam: ExamFile, generation: int = 0) -> dict[str, str]:
        return {verb: row.state for verb, row in self.rows(exam, generation).items()}

    def try_one(self, state: str, **values: Any) -> None:
        """One message is sent, and ends so."""

        def job(db: Any) -> None:
            row = outbox.next_message(db, "mpps", time.time())
            outbox.begin_try(db, row.id)
            outbox.end_try(db, row, state, "", "", **values)

        self.store.write(job).result()

    def correct(self, exam: ExamFile, revision: RevisionFile) -> None:
        other = replace(
            revision, revision=2, patient={**PATIENT, "id": "R-1"}, study_instance_uid="1.2.3.5", generation=1
        )
        self.steps.corrected(exam, revision, exam, other)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.store.close()


def test_said_twice_is_said_once(house: House) -> None:
    exam, revision = house.exam(closed=True)
    for _ in range(2):
        house.steps.opened(exam, revision)
        house.steps.ended(exam, revision, "")
    assert house.states(exam) == {"create": "waiting", "set": "waiting"}
    assert house.woken
    end = json.loads(house.rows(exam)["set"].dataset)
    assert (value_of(end, STATUS), value_of(end, "00400251")) == (COMPLETED, "103000")
    begin = json.loads(house.rows(exam)["create"].dataset)
    assert (value_of(begin, "00400244"), value_of(begin, "00400245")) == ("20261121", "100000")


def test_nobody_is_told_where_nobody_wants_it(house: House) -> None:
    house.settings = Settings(destinations=(Destination(name="a", host="h", aet="A"),))
    assert not house.steps.wanted
    exam, revision = house.exam(closed=True)
    house.steps.ended(exam, revision, "")
    house.settings = Settings(mpps=SERVER)
    for quiet in (replace(revision, performed=False), replace(revision, patient={"id": "", "name": ""})):
        house.steps.opened(exam, quiet)
        house.steps.ended(exam, quiet, "")
    assert outbox.messages(house.store.reader) == []


def test_a_server_nobody_can_call_is_left_out(house: House) -> None:
    house.settings = Settings(
        mpps=Mpps(host="h"), destinations=(Destination(name="mpps", host="h", aet="A", mpps=True),)
    )
    exam, revision = house.exam()
    house.steps.opened(exam, revision)
    assert [row.peer for row in outbox.messages(house.store.reader)] == ["mpps (archive)"]


@pytest.mark.parametrize("twice", [False, True], ids=["once", "again after a crash"])
@pytest.mark.parametrize(
    ("tries", "old", "final"),
    [
        ([], {"create": "dropped", "set": "dropped"}, False),
        ([("waiting", {"uncertain": False})], {"create": "dropped", "set": "dropped"}, False),
        ([("blocked", {"uncertain": False})], {"create": "dropped", "set": "dropped"}, False),
        ([("waiting", {})], {"create": "waiting", "set": "waiting"}, False),  # it may have arrived
        ([("sent", {})], {"create": "sent", "set": "waiting"}, False),
        ([("sent", {}), ("blocked", {})], {"create": "sent", "set": "waiting"}, False),
        ([("sent", {}), ("sent", {})], {"create": "sent", "set": "sent"}, True),
    ],
    ids=["nothing left", "away", "refused", "perhaps", "begun", "end refused", "over"],
)
def test_a_closed_exam_is_corrected(
    house: House, tries: list[tuple[str, dict[str, Any]]], old: dict[str, str], final: bool, twice: bool
) -> None:
    exam, revision = house.exam(closed=True)
    house.steps.ended(exam, revision, "")
    for state, values in tries:
        house.try_one(state, **values)
    house.correct(exam, revision)
    if twice:
        house.correct(exam, revision)
    assert house.states(exam) == old
    assert house.states(exam, 1) == {"create": "waiting", "set": "waiting"}
    new = json.loads(house.rows(exam, 1)["set"].dataset)
    assert value_of(new, STATUS) == COMPLETED
    if old["set"] == "waiting":
        end = json.loads(house.rows(exam)["set"].dataset)
        assert (value_of(end, STATUS), value_of(end, *REASON)) == (DISCONTINUED, "110514")
    lines = audit.lines(house.store.reader, exam=exam.id, action="performed-step-final")
    assert len(lines) == final
    assert "T-1" not in "".join(line.detail for line in lines)


def test_an_open_exam_is_corrected_and_goes_on(house: House) -> None:
    exam, revision = house.exam()
    house.steps.opened(exam, revision)
    house.try_one("sent")
    house.correct(exam, revision)
    assert house.states(exam) == {"create": "sent", "set": "waiting"}
    assert house.states(exam, 1) == {"create": "waiting"}
    house.try_one("sent")  # the end of the wrong one, which is older
    house.correct(exam, revision)
    assert house.states(exam) == {"create": "sent", "set": "sent"}
    assert audit.lines(house.store.reader, action="performed-step-final") == []  # it is as it should be


def test_what_a_crash_left_out_is_made_and_nothing_else(house: House) -> None:
    open_, _ = house.exam()
    closed, _ = house.exam(closed=True, closed_at=times.now(), extra={"discontinued": "equipment"})
    whole, revision = house.exam(closed=True, closed_at=times.now())
    house.steps.ended(whole, revision, "")
    before = house.rows(whole)["set"].changed_at
    house.steps.recover()
    assert house.states(open_) == {"create": "waiting"}
    assert house.states(closed) == {"create": "waiting", "set": "waiting"}
    assert value_of(json.loads(house.rows(closed)["set"].dataset), *REASON) == "110501"
    assert house.rows(whole)["set"].changed_at == before
    count = len(outbox.messages(house.store.reader))
    house.steps.recover()
    assert len(outbox.messages(house.store.reader)) == count


def test_the_start_does_not_look_at_all_exams_of_all_years(house: House, caplog: pytest.LogCaptureFixture) -> None:
    revision = RevisionFile(1, PATIENT, OPENED, performed=True)

    def job(db: Any) -> None:
        for _ in range(3000):
            exam = ExamFile(
                str(uuid4()), "closed", "1.2.3", OPENED, "engine", closed_at="2020-01-01T10:00:00+01:00"
            )
            records.put_exam(db, exam, revision)

    house.store.write(job).result()
    house.steps.recover()
    assert "not readable" not in caplog.text  # none of them lies in the spool: it would have been missed
