"""Giving an exam's pictures to somebody else: UIDs, notes, deliveries, another exam, and back again."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.wire import client
from tests.support.box import Box, running, settings, until
from tests.support.orthanc import Orthanc
from tests.support.reassigning import KOS, RIGHT, held_by, notes_in, pictures_of, reassign, rejected
from tests.support.relay import Relay

pytestmark = pytest.mark.orthanc


def states(box: Box, exam: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in box.deliveries(exam):
        found.setdefault(row["state"], []).append(row["sop_instance_uid"])
    return found


def wait_settled(box: Box, exam: str) -> dict[str, list[str]]:
    def settled() -> dict[str, list[str]]:
        now = states(box, exam)
        return {} if {"held", "queued", "sending", "waiting", "preparing"} & set(now) else now

    return until(settled, 30, "everything delivered")


def test_stored_pictures_get_new_uids_in_a_new_study_and_a_note_names_the_old_ones(
    box: Box, archive: Orthanc
) -> None:
    exam = box.open_exam()
    old = {box.ctl("still")["instance"]["sop_instance_uid"] for _ in range(3)}
    box.ctl("exam", "close")
    box.wait_stored(exam["id"], 3)
    command = str(uuid4())
    right = reassign(box, exam["id"], command, patient=RIGHT, accession="A-77")
    assert right["id"] == exam["id"]
    assert (right["patient"]["id"], right["accession_number"]) == ("R-2002", "A-77")
    assert right["study_instance_uid"] != exam["study_instance_uid"]
    now = wait_settled(box, exam["id"])
    assert set(now["superseded"]) == old
    taken = pictures_of(archive, "R-2002")
    assert {item.StudyInstanceUID for item in taken} == {right["study_instance_uid"]}
    new = {item.SOPInstanceUID for item in taken}
    assert len(new) == 3
    assert not new & old
    assert {item.SeriesInstanceUID for item in taken} & {
        item.SeriesInstanceUID for item in pictures_of(archive, "T-1001")
    } == set()
    (note,) = notes_in(archive)
    assert rejected(note) == old
    assert (note.StudyInstanceUID, note.PatientID) == (exam["study_instance_uid"], "T-1001")
    title = note.ConceptNameCodeSequence[0]
    assert (title.CodeValue, title.CodingSchemeDesignator) == ("113038", "DCM")
    assert set(now["stored"]) == new | {note.SOPInstanceUID}
    # the same press again, and again after a restart, finds what it did
    assert reassign(box, exam["id"], command, patient=RIGHT)["study_instance_uid"] == right["study_instance_uid"]
    box.kill("engine")
    box.start("engine")
    assert reassign(box, exam["id"], command, patient=RIGHT)["study_instance_uid"] == right["study_instance_uid"]
    assert len(held_by(archive)) == 7
    assert box.stop("engine") == 0
    assert box.smartbox("store", "check")["problems"] == []


def test_it_is_undone_by_the_same_way_and_everything_is_where_it_belongs(box: Box, archive: Orthanc) -> None:
    exam = box.open_exam()
    box.ctl("still")
    box.ctl("exam", "close")
    box.wait_stored(exam["id"], 1)
    reassign(box, exam["id"], patient=RIGHT)
    wait_settled(box, exam["id"])
    first = {"id": "T-1001", "name": "Prüf^Jördis", "birth_date": "1980-02-29", "sex": "F"}
    back = reassign(box, exam["id"], patient=first)
    wait_settled(box, exam["id"])
    mine = [item for item in pictures_of(archive, "T-1001") if item.StudyInstanceUID == back["study_instance_uid"]]
    assert len(mine) == 1
    (mine_uid,) = {item.SOPInstanceUID for item in mine}
    notes = notes_in(archive)
    assert len(notes) == 2
    assert mine_uid not in set().union(*(rejected(note) for note in notes))
    every = {item.SOPInstanceUID for item in held_by(archive) if item.SOPClassUID != KOS}
    assert every - set().union(*(rejected(note) for note in notes)) == {mine_uid}


def test_what_was_never_sent_keeps_its_uid_and_nobody_is_told(box: Box, archive: Orthanc) -> None:
    taken = box.ctl("still")["instance"]
    box.ctl("exam", "close")
    (row,) = until(lambda: box.deliveries(taken["exam"]), what="the delivery")
    assert (row["state"], row["code"]) == ("held", "no-patient")
    assert [item["id"] for item in box.ctl("exam", "list", "--unassigned")["exams"]] == [taken["exam"]]
    exam = reassign(box, taken["exam"], patient=RIGHT)
    assert (exam["state"], exam["released"]) == ("closed", True)
    (stored,) = box.wait_stored(exam["id"], 1)
    assert stored["sop_instance_uid"] == taken["sop_instance_uid"]
    (found,) = held_by(archive)
    assert (found.PatientID, found.StudyInstanceUID) == ("R-2002", exam["study_instance_uid"])
    assert box.ctl("exam", "list", "--unassigned")["exams"] == []


def test_the_current_unassigned_exam_gets_its_patient_and_goes_on(box: Box, archive: Orthanc) -> None:
    first = box.ctl("still")["instance"]
    exam = until(lambda: box.ctl("exam", "current")["exam"])
    assert exam["state"] == "unassigned"
    box.ctl("record", "start")
    assert reassign(box, exam["id"], patient=RIGHT)["state"] == "open"
    held = client.get(box.runtime / "capture.sock", "/v1/status")["exam"]
    assert (held["id"], held["state"], held["patient"]["name"]) == (exam["id"], "open", "Richtig^Rosa")
    second = box.ctl("still")["instance"]
    time.sleep(1)
    assert box.ctl("status")["sources"][0]["recording"], "the recording runs on"
    box.ctl("exam", "close")
    box.wait_stored(exam["id"], 3)
    found = held_by(archive)
    assert {item.PatientID for item in found} == {"R-2002"}
    assert len({item.StudyInstanceUID for item in found}) == 1
    assert len({item.SeriesInstanceUID for item in found}) == 1, "one series per exam and source"
    assert {first["sop_instance_uid"], second["sop_instance_uid"]} < {item.SOPInstanceUID for item in found}


def test_an_emergency_is_reconciled_while_it_runs(archive: Orthanc) -> None:
    box = Box(settings(archive.port, send="immediately"))
    try:
        box.start()
        exam = box.ctl("exam", "open", "--emergency", "male")["exam"]
        sent = box.ctl("still")["instance"]["sop_instance_uid"]
        box.wait_stored(exam["id"], 1)
        right = reassign(box, exam["id"], patient=RIGHT)
        assert (right["state"], right["emergency"]) == ("open", None)
        later = box.ctl("still")["instance"]
        box.ctl("exam", "close")
        now = wait_settled(box, exam["id"])
        assert now["superseded"] == [sent]
        found = pictures_of(archive, "R-2002")
        assert len(found) == 2
        assert later["sop_instance_uid"] in {item.SOPInstanceUID for item in found}
        assert {item.SeriesInstanceUID for item in found} == {later["series_instance_uid"]}, "capture knew it"
    finally:
        box.close()


def test_pictures_move_into_another_exam_as_a_new_series_of_its_study(box: Box, archive: Orthanc) -> None:
    stray = box.ctl("still")["instance"]
    target = box.open_exam()  # the unassigned one is closed by this, its picture stays held
    box.ctl("still")
    box.ctl("exam", "close")
    box.wait_stored(target["id"], 1)
    answer = reassign(box, stray["exam"], to_exam=target["id"])
    assert (answer["id"], answer["instances"]) == (target["id"], 2)
    box.wait_stored(target["id"], 2)
    assert box.ctl("exam", "show", stray["exam"])["exam"]["merged_into"] == target["id"]
    found = held_by(archive)
    assert {(item.StudyInstanceUID, item.PatientID) for item in found} == {(target["study_instance_uid"], "T-1001")}
    assert len({item.SeriesInstanceUID for item in found}) == 2
    assert len({item.SeriesNumber for item in found}) == 2
    assert len({(item.StudyDate, item.StudyTime) for item in found}) == 1
    # the whole exam goes to another patient: what was moved into it goes along
    right = reassign(box, target["id"], patient=RIGHT)
    wait_settled(box, target["id"])
    moved = pictures_of(archive, "R-2002")
    assert {item.StudyInstanceUID for item in moved} == {right["study_instance_uid"]}
    assert len(moved) == 2
    # and the database made anew from the spool says the same
    assert box.stop("engine") == 0
    assert box.smartbox("store", "rebuild")["instances"] == 4
    assert box.smartbox("store", "check")["problems"] == []
    box.start("engine")
    assert box.ctl("exam", "show", target["id"])["exam"]["instances"] == 2
    assert {row["state"] for row in box.deliveries(target["id"])} == {"stored"}


def test_bad_reassignments_are_refused_and_change_nothing(box: Box, archive: Orthanc) -> None:
    exam = box.open_exam()
    box.ctl("still")
    box.ctl("exam", "close")
    box.wait_stored(exam["id"], 1)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({}, "bad-value"),
        ({"patient": RIGHT, "emergency": "male"}, "bad-value"),
        ({"patient": {"id": "", "name": "X"}}, "bad-value"),
        ({"worklist": "no-such-entry"}, "not-found"),
        ({"to_exam": exam["id"]}, "bad-value"),
        ({"to_exam": str(uuid4())}, "not-found"),
    ]
    for who, code in wrong:
        with pytest.raises(SmartBoxError) as caught:
            reassign(box, exam["id"], **who)
        assert caught.value.code == code, who
    with pytest.raises(SmartBoxError) as caught:
        reassign(box, str(uuid4()), patient=RIGHT)
    assert caught.value.code == "not-found"
    assert box.ctl("exam", "show", exam["id"])["exam"]["patient"]["id"] == "T-1001"
    assert states(box, exam["id"]).keys() == {"stored"}
    assert len(archive.instances()) == 1


@pytest.fixture
def slow(archive: Orthanc) -> Iterator[tuple[Box, Relay]]:
    """A box whose way to the archive takes a second for every 100 kB."""
    with Relay(archive.port, bytes_per_s=100_000) as relay, running(settings(relay.port)) as made:
        yield made, relay


def test_what_is_being_sent_is_aborted_and_counts_as_sent(slow: tuple[Box, Relay], archive: Orthanc) -> None:
    box, _relay = slow
    exam = box.open_exam()
    box.ctl("record", "start")
    time.sleep(6)
    box.ctl("record", "stop")
    box.ctl("exam", "close")
    (row,) = until(lambda: [item for item in box.deliveries(exam["id"]) if item["state"] == "sending"])
    reassign(box, exam["id"], patient=RIGHT)
    rows = {item["sop_instance_uid"]: item for item in box.deliveries(exam["id"])}
    # aborted before its last fragment, or cut while the archive had not answered yet
    assert rows[row["sop_instance_uid"]]["state"] in ("cancelled", "superseded")
    assert len([item for item in rows.values() if item["kind"] == "clip"]) == 2
    wait_settled(box, exam["id"])
    (note,) = notes_in(archive)
    assert rejected(note) == {row["sop_instance_uid"]}
    left = [
        item for item in held_by(archive) if item.SOPClassUID != KOS and item.SOPInstanceUID not in rejected(note)
    ]
    assert [item.PatientID for item in left] == ["R-2002"]


def test_the_audit_names_who_and_what_but_no_patient(box: Box, archive: Orthanc) -> None:
    exam = box.open_exam()
    box.ctl("still")
    box.ctl("exam", "close")
    box.wait_stored(exam["id"], 1)
    reassign(box, exam["id"], patient=RIGHT)
    wait_settled(box, exam["id"])
    box.stop("engine")
    from smartbox_tui.store import audit
    from smartbox_tui.store.database import Store

    store = Store(box.state / "smartbox.db")
    lines = audit.lines(store.reader, exam=exam["id"])
    store.close()
    (line,) = [item for item in lines if item.action == "exam-reassigned"]
    assert "pid" in line.who
    assert json.loads(line.detail)["pictures"] == 1
    text = f"{line.who}{line.detail}{box.log('engine')}{box.log('capture')}"
    for secret in ("Richtig", "Rosa", "R-2002", "Prüf", "T-1001"):
        assert secret not in text
