"""Routes, end to end: rules, backups that stand in, and what becomes of the two deliveries of one picture."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from smartbox_tui.dicom import scp
from smartbox_tui.wire import client
from tests.support.box import Box, settings, until
from tests.support.dcmtk import free_port
from tests.support.orthanc import Orthanc, configure, end, launch, orthanc
from tests.support.peer import Call, scripted_peer
from tests.support.reassigning import RIGHT, held_by, notes_in, pictures_of, reassign, rejected
from tests.support.relay import Relay
from tests.support.spooled import put_exam, put_still


def destination(name: str, port: int, route: str = "", extra: str = "") -> str:
    return f"""
[[destinations]]
name = "{name}"
host = "127.0.0.1"
port = {port}
aet = "ORTHANC"
timeout_s = 5
retry = {{ first_s = 0.2, max_s = 1 }}
{f"route = {route}" if route else ""}
{extra}
"""


PRIMARY = 'route = { role = "primary" }'
BACKUP = '{ backup = "archive", after_s = 0.5 }'
INSTEAD = '{ backup = "archive", after_s = 0.5, instead = true }'


@contextlib.contextmanager
def box_with(config: str) -> Iterator[Box]:
    box = Box(config)
    try:
        (box.state / "spool").mkdir(parents=True)
        yield box
    finally:
        box.close()


@contextlib.contextmanager
def archive_at(folder: Path, port: int = 0) -> Iterator[scp.Archive]:
    made = scp.start("127.0.0.1", port, "ORTHANC", folder, require_called_aet=True)
    try:
        yield made
    finally:
        made.stop()


def states(box: Box, exam: str) -> dict[str, list[str]]:
    """By destination, sorted."""
    found: dict[str, list[str]] = {}
    for row in box.deliveries(exam):
        found.setdefault(row["destination"], []).append(row["state"])
    return {name: sorted(items) for name, items in found.items()}


def destinations(box: Box) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in box.ctl("destination", "list")["destinations"]}


def test_each_picture_goes_where_the_rules_say() -> None:
    away = free_port()
    config = settings(away, extra="route = { when = { emergency = false } }")
    config += '[[sources]]\nid = "derma"\nkind = "pattern"'
    config += destination("urgent", away, "{ when = { emergency = true } }")
    config += destination("skin", away, '{ when = { source = "derma" } }')
    config += destination("endoscopy", away, '{ when = { modality = "ES, XC", source = "endo" } }')
    config += destination("morning", away, '{ when = { hours = "06:00-12:00" } }')
    config += destination("night", away, '{ when = { hours = "18:00-06:00" } }')
    with box_with(config) as box:
        spool = box.state / "spool"
        usual, urgent = put_exam(spool), put_exam(spool)
        path = spool / urgent / "exam.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "emergency": "male"}))
        put_still(spool, usual)
        put_still(spool, urgent)
        box.start("engine")
        assert set(until(lambda: states(box, usual))) == {"archive", "endoscopy", "morning"}
        assert set(until(lambda: states(box, urgent))) == {"urgent", "endoscopy", "morning"}


def test_what_no_archive_gets_is_an_alarm_and_stays_on_the_box() -> None:
    with box_with(settings(free_port(), extra="route = { when = { emergency = true } }")) as box:
        exam = put_exam(box.state / "spool")
        put_still(box.state / "spool", exam)
        box.start("engine")
        until(lambda: box.ctl("exam", "show", exam)["exam"]["instances"] == 1)
        assert box.deliveries(exam) == []
        alarms = {item["code"]: item["message"] for item in box.ctl("status")["alarms"]}
        assert "endo" in alarms["routes"]


@pytest.fixture
def port() -> int:
    return free_port()


def test_a_backup_stands_in_and_the_primary_gets_the_picture_later(tmp_path: Path, port: int) -> None:
    with (
        archive_at(tmp_path / "backup") as backup,
        box_with(settings(port, extra=PRIMARY) + destination("spare", backup.port, BACKUP)) as box,
    ):
        exam = put_exam(box.state / "spool")
        for number in range(3):
            put_still(box.state / "spool", exam, number=number)
        box.start("engine")
        wanted = {"archive": ["waiting"] * 3, "spare": ["stored"] * 3}
        until(lambda: states(box, exam) == wanted)
        listed = destinations(box)
        assert (listed["spare"]["stands_in_for"], listed["spare"]["standing_in"]) == ("archive", True)
        assert (listed["archive"]["stands_in_for"], listed["archive"]["standing_in"]) == ("", False)
        with archive_at(tmp_path / "primary", port) as primary:
            box.wait_stored(exam, 6)
            assert {path.name for path in primary.stored()} == {path.name for path in backup.stored()}
            assert len(primary.stored()) == 3
            until(lambda: not destinations(box)["spare"]["standing_in"])
            late = put_exam(box.state / "spool")
            picture = put_still(box.state / "spool", late)
            adopt(box, picture.id)
            box.wait_stored(late, 1)
            assert len(backup.stored()) == 3, "with the primary there it gets nothing"


def adopt(box: Box, picture: str) -> None:
    command = {"type": "adopt", "id": str(uuid4()), "pictures": [picture]}
    client.command(box.runtime / "engine.sock", command)


def test_instead_the_backups_promise_is_enough(tmp_path: Path, port: int) -> None:
    with (
        archive_at(tmp_path / "backup") as backup,
        box_with(settings(port, extra=PRIMARY) + destination("spare", backup.port, INSTEAD)) as box,
    ):
        exam = put_exam(box.state / "spool")
        for number in range(3):
            put_still(box.state / "spool", exam, number=number)
        box.start("engine")
        wanted = {"archive": ["cancelled"] * 3, "spare": ["stored"] * 3}
        until(lambda: states(box, exam) == wanted)
        row = next(row for row in box.deliveries(exam) if row["destination"] == "archive")
        assert (row["code"], row["reason"]) == ("not-needed", "spare keeps it in its stead")
        with archive_at(tmp_path / "primary", port) as primary:
            until(lambda: destinations(box)["archive"]["state"] == "ok")
            late = put_exam(box.state / "spool")
            adopt(box, put_still(box.state / "spool", late).id)
            box.wait_stored(late, 1)
            assert len(primary.stored()) == 1
            box.stop("engine")
            for path in box.state.glob("smartbox.db*"):
                path.unlink()
            box.smartbox("store", "rebuild")
            box.start("engine")
            assert states(box, exam) == wanted
            assert len(primary.stored()) == 1


def test_a_primary_that_is_back_first_makes_the_backups_rows_needless(tmp_path: Path, port: int) -> None:
    with box_with(settings(port, extra=PRIMARY) + destination("spare", free_port(), BACKUP)) as box:
        exam = put_exam(box.state / "spool")
        put_still(box.state / "spool", exam)
        box.start("engine")
        until(lambda: states(box, exam) == {"archive": ["waiting"], "spare": ["waiting"]})
        with archive_at(tmp_path / "primary", port):
            until(lambda: states(box, exam) == {"archive": ["stored"], "spare": ["cancelled"]})
        row = next(row for row in box.deliveries(exam) if row["destination"] == "spare")
        assert (row["code"], row["reason"]) == ("not-needed", "archive has it")


def test_a_primary_that_answers_a_probe_and_takes_no_object_is_stood_in_for(tmp_path: Path) -> None:
    def script(call: Call) -> None:
        call.accept()
        if any(abstract == "1.2.840.10008.1.1" for abstract, _ in call.contexts.values()):
            call.read_message()
            call.respond(0, field=0x8030)
            call.answer_release()
        else:
            call.read_message()
            call.reset()

    with scripted_peer(script) as peer, archive_at(tmp_path / "backup") as backup:
        config = settings(peer.port, extra=PRIMARY) + destination("spare", backup.port, BACKUP)
        with box_with(config) as box:
            exam = put_exam(box.state / "spool")
            put_still(box.state / "spool", exam)
            box.start("engine")
            until(lambda: states(box, exam).get("spare") == ["stored"])
            assert states(box, exam)["archive"][0] in ("waiting", "queued", "sending")


def test_nobody_stands_in_for_what_is_held_or_paused(tmp_path: Path, port: int) -> None:
    with (
        archive_at(tmp_path / "backup") as backup,
        box_with(settings(port, extra=PRIMARY) + destination("spare", backup.port, BACKUP)) as box,
    ):
        spool = box.state / "spool"
        unassigned, is_open, paused, usual = (
            put_exam(spool, patient_id="", state="unassigned"),
            put_exam(spool, state="open"),
            put_exam(spool),
            put_exam(spool),
        )
        box.start("engine")
        until(lambda: destinations(box)["archive"]["state"] == "unreachable")
        box.ctl("queue", "pause", "--destination", "archive")
        for exam in (unassigned, is_open, paused):
            adopt(box, put_still(spool, exam).id)
        (row,) = until(lambda: box.deliveries(paused))
        box.ctl("queue", "pause", str(row["id"]))
        assert not destinations(box)["spare"]["standing_in"], "a person wants it to wait"
        box.ctl("queue", "resume", "--destination", "archive")
        adopt(box, put_still(spool, usual).id)
        until(lambda: states(box, usual).get("spare") == ["stored"])
        assert {name for exam in (unassigned, is_open, paused) for name in states(box, exam)} == {"archive"}
        box.ctl("queue", "resume", str(row["id"]))
        until(lambda: states(box, paused).get("spare") == ["stored"])
        assert len(backup.stored()) == 2


def test_a_backup_has_rules_of_its_own(tmp_path: Path, port: int) -> None:
    with archive_at(tmp_path / "backup") as backup:
        only = '{ backup = "archive", after_s = 0, when = { emergency = true } }'
        with box_with(settings(port, extra=PRIMARY) + destination("spare", backup.port, only)) as box:
            spool = box.state / "spool"
            usual, urgent = put_exam(spool), put_exam(spool)
            path = spool / urgent / "exam.json"
            path.write_text(json.dumps({**json.loads(path.read_text()), "emergency": "male"}))
            put_still(spool, usual)
            put_still(spool, urgent)
            box.start("engine")
            until(lambda: states(box, urgent).get("spare") == ["stored"])
            assert states(box, usual) == {"archive": ["waiting"]}
            assert len(backup.stored()) == 1


@pytest.mark.parametrize("route", [BACKUP, INSTEAD])
def test_killed_again_and_again_nothing_is_doubled(tmp_path: Path, port: int, route: str) -> None:
    with orthanc(tmp_path / "backup", OverwriteInstances=False) as backup, Relay(backup.port, 60_000) as slow:
        config = settings(port, extra=PRIMARY) + destination("spare", slow.port, route, "associations = 3")
        with box_with(config) as box:
            exam = put_exam(box.state / "spool")
            for number in range(40):
                put_still(box.state / "spool", exam, number=number)
            for seen in (1, 3, 10, 25):
                box.start("engine")
                until(lambda seen=seen: len(states(box, exam).get("spare", [])) >= seen)  # type: ignore[misc]
                box.kill("engine")
            slow.bytes_per_s = 100_000_000
            with archive_at(tmp_path / "primary", port) as primary:
                box.start("engine")

                def over() -> bool:
                    found = states(box, exam)
                    ended = [*found["archive"], *found.get("spare", [])]
                    return len(found["archive"]) == 40 and set(ended) <= {"stored", "cancelled"}

                until(over, 60)
                with sqlite3.connect(f"file:{box.state}/smartbox.db?mode=ro", uri=True) as database:
                    per_pair = "SELECT COUNT(*) FROM delivery GROUP BY instance, destination"
                    assert {row[0] for row in database.execute(per_pair)} == {1}
                at_backup = [item["MainDicomTags"]["SOPInstanceUID"] for item in backup.json("/instances?expand")]
                assert len(at_backup) == len(set(at_backup))
                everywhere = set(at_backup) | {path.stem for path in primary.stored()}
                assert everywhere == {row["sop_instance_uid"] for row in box.deliveries(exam)}
                assert len(everywhere) == 40
                if route is BACKUP:
                    assert len(primary.stored()) == 40


def test_a_correction_reaches_the_backup_that_had_the_picture(tmp_path: Path, port: int) -> None:
    with (
        orthanc(tmp_path / "backup") as backup,
        box_with(settings(port, extra=PRIMARY) + destination("spare", backup.port, BACKUP)) as box,
    ):
        exam = put_exam(box.state / "spool", patient_id="W-1")
        put_still(box.state / "spool", exam)
        box.start("engine")
        until(lambda: states(box, exam) == {"archive": ["waiting"], "spare": ["stored"]})
        (wrong,) = held_by(backup)
        reassign(box, exam, patient=RIGHT)
        until(lambda: pictures_of(backup, RIGHT["id"]) and notes_in(backup))
        (right,) = pictures_of(backup, RIGHT["id"])
        (note,) = notes_in(backup)
        assert rejected(note) == {wrong.SOPInstanceUID}
        assert right.SOPInstanceUID != wrong.SOPInstanceUID
        with orthanc_at(tmp_path / "primary", port) as primary:
            until(lambda: pictures_of(primary, RIGHT["id"]))
            (late,) = held_by(primary)
            assert late.SOPInstanceUID == right.SOPInstanceUID, "nothing of the wrong patient ever goes there"


@contextlib.contextmanager
def orthanc_at(folder: Path, port: int) -> Iterator[Orthanc]:
    http_port = free_port()
    process = launch(configure(folder, "ORTHANC", port, http_port, {}), port, http_port)
    try:
        yield Orthanc("ORTHANC", port, http_port)
    finally:
        end(process)
