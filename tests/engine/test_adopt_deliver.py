"""The engine alone, as a process, on a spool filled by hand: adoption, delivery, what a crash leaves, rebuild."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from smartbox_tui.dicom import scp
from smartbox_tui.spool import ledger
from smartbox_tui.spool.sidecar import SidecarState
from smartbox_tui.wire import client
from tests.support.archive import own_archive
from tests.support.box import Box, CtlError, settings, until
from tests.support.dcmtk import free_port
from tests.support.spooled import put_exam, put_still


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[scp.Archive]:
    with own_archive(tmp_path / "archive", require_called_aet=True) as made:
        yield made


@pytest.fixture
def box(archive: scp.Archive) -> Iterator[Box]:
    made = Box(settings(archive.port))
    (made.state / "spool").mkdir(parents=True)
    yield made
    made.close()


def test_what_capture_left_is_adopted_and_delivered(box: Box, archive: scp.Archive) -> None:
    spool = box.state / "spool"
    exam = put_exam(spool)
    left = [put_still(spool, exam, number=number) for number in range(3)]
    put_still(spool, exam, number=9, state=SidecarState.RECORDING)  # not over yet: nobody's to take
    put_still(spool, exam, number=9, state=SidecarState.PINNED)
    put_still(spool, exam, number=9, state=SidecarState.DISCARDED)
    box.start("engine")
    rows = box.wait_stored(exam, 3)
    assert len(archive.stored()) == 3
    assert {row["reason"] for row in rows} == {""}
    numbers = []
    import pydicom

    for path in archive.stored():
        dataset = pydicom.dcmread(path)
        numbers.append((dataset.SeriesNumber, dataset.InstanceNumber))
        assert dataset.PatientName == "Test^Spool"
    assert sorted(numbers) == [(1, 1), (1, 2), (1, 3)]
    told = list(ledger.read(spool / exam))
    assert len(told) == 3
    assert {item.state for item in told} == {"stored"}
    assert {path.stem for path in (spool / exam).glob("*.jpg")} >= {item.id for item in left}


def test_export_beside_a_running_engine_equals_what_the_archive_got(
    box: Box, archive: scp.Archive, tmp_path: Path
) -> None:
    import pydicom

    spool = box.state / "spool"
    exam = put_exam(spool)
    put_still(spool, exam)
    box.start("engine")
    box.wait_stored(exam, 1)
    (file,) = box.smartbox("dicom", "export", "--out", str(tmp_path / "out"))["exported"]
    (stored,) = archive.stored()
    ours, theirs = Path(file["file"]).read_bytes(), stored.read_bytes()

    def without_meta(data: bytes, path: Path) -> bytes:
        return data[pydicom.filereader.read_file_meta_info(path).FileMetaInformationGroupLength + 144 :]

    assert without_meta(ours, Path(file["file"])) == without_meta(theirs, stored)


def test_unassigned_pictures_are_held_and_not_released(box: Box, archive: scp.Archive) -> None:
    spool = box.state / "spool"
    exam = put_exam(spool, patient_id="")
    put_still(spool, exam)
    box.start("engine")
    (row,) = until(lambda: box.deliveries(exam))
    assert (row["state"], row["reason"]) == ("held", "no patient is assigned")
    with pytest.raises(CtlError) as caught:
        box.ctl("exam", "release", exam)
    assert (caught.value.code, caught.value.status) == ("refused", 1)
    assert archive.stored() == []


def test_an_archive_that_comes_back_needs_no_hand(tmp_path: Path) -> None:
    port = free_port()
    box = Box(settings(port))
    try:
        (box.state / "spool").mkdir(parents=True)
        exam = put_exam(box.state / "spool")
        put_still(box.state / "spool", exam)
        box.start("engine")
        (row,) = until(lambda: [row for row in box.deliveries(exam) if row["state"] == "waiting"])
        assert row["code"] == "refused"
        assert row["attempts"] == 0  # only an archive's answers count
        (destination,) = box.ctl("destination", "list")["destinations"]
        assert destination["state"] == "unreachable"
        assert destination["reason"]
        archive = scp.start("127.0.0.1", port, "ORTHANC", tmp_path / "late")
        try:
            box.wait_stored(exam, 1)
            (destination,) = box.ctl("destination", "list")["destinations"]
            assert (destination["state"], destination["reason"]) == ("ok", "")
        finally:
            archive.stop()
    finally:
        box.close()


def test_an_archive_is_asked_before_there_is_anything_to_send(box: Box, archive: scp.Archive) -> None:
    box.start("engine")
    until(lambda: box.ctl("destination", "list")["destinations"][0]["state"] == "ok")
    other = Box(settings(free_port()))
    try:
        other.start("engine")
        until(lambda: other.ctl("destination", "list")["destinations"][0]["state"] == "unreachable")
        assert "destination-archive" in {item["code"] for item in other.ctl("status")["alarms"]}
        exam = put_exam(other.state / "spool")
        sidecar = put_still(other.state / "spool", exam)
        command = {"type": "adopt", "id": str(uuid4()), "pictures": [sidecar.id]}
        client.command(other.runtime / "engine.sock", command)
        (row,) = until(lambda: [row for row in other.deliveries(exam) if row["state"] == "waiting"])
        assert (row["code"], row["attempts"]) == ("refused", 0)
        assert row["next_attempt_at"]
    finally:
        other.close()


def test_a_wrong_title_is_told_and_blocks_nothing(archive: scp.Archive) -> None:
    box = Box(settings(archive.port, aet="WRONG"))
    try:
        (box.state / "spool").mkdir(parents=True)
        exam = put_exam(box.state / "spool")
        put_still(box.state / "spool", exam)
        box.start("engine")
        (row,) = until(lambda: [row for row in box.deliveries(exam) if row["state"] == "waiting"])
        assert row["code"] == "called-aet-rejected"
        (destination,) = box.ctl("destination", "list")["destinations"]
        assert destination["state"] == "rejected"
        done = box.raw("ctl", "destination", "test", "archive", "--json")
        assert done.returncode == 1
    finally:
        box.close()


@contextlib.contextmanager
def pacs(status: list[int], classes: tuple[str, ...] = ("1.2.840.10008.5.1.4.1.1.77.1.1",)) -> Iterator[int]:
    """An archive that answers with these statuses in turn, the last one for ever; yields its port."""
    from pynetdicom import AE, evt

    entity = AE("ORTHANC")
    for uid in ("1.2.840.10008.1.1", *classes):
        entity.add_supported_context(uid, ["1.2.840.10008.1.2", "1.2.840.10008.1.2.4.50"])
    left = list(status)

    def answer(_event: object) -> int:
        return left.pop(0) if len(left) > 1 else left[0]

    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, answer)])
    assert server is not None
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


def one_still_to(port: int, wanted: str) -> tuple[Box, dict[str, Any]]:
    box = Box(settings(port))
    (box.state / "spool").mkdir(parents=True)
    exam = put_exam(box.state / "spool")
    put_still(box.state / "spool", exam)
    box.start("engine")
    (row,) = until(lambda: [row for row in box.deliveries(exam) if row["state"] == wanted])
    return box, row


def test_an_archive_that_refuses_blocks_with_its_status_until_somebody_retries() -> None:
    with pacs([0xC123, 0x0000]) as port:
        box, row = one_still_to(port, "blocked")
        try:
            assert (row["code"], row["attempts"]) == ("archive-refused", 1)
            assert "C123H" in row["reason"]
            assert "blocked" in {item["code"] for item in box.ctl("status")["alarms"]}
            assert box.ctl("queue", "retry", str(row["id"])) == {"changed": 1}
            until(lambda: box.deliveries(row["exam"])[0]["state"] == "stored")
        finally:
            box.close()


def test_an_archive_out_of_resources_gets_the_configured_attempts_then_it_is_blocked() -> None:
    with pacs([0xA700]) as port:
        box, row = one_still_to(port, "blocked")
        try:
            assert (row["code"], row["attempts"]) == ("archive-refused", 5)
        finally:
            box.close()


def test_an_archive_that_is_short_of_resources_for_a_moment_gets_it_later() -> None:
    with pacs([0xA700, 0xA701, 0x0000]) as port:
        box, row = one_still_to(port, "stored")
        try:
            assert row["attempts"] == 3
        finally:
            box.close()


def test_an_archive_that_takes_no_such_object_blocks_and_can_be_cancelled() -> None:
    with pacs([0x0000], classes=()) as port:
        box, row = one_still_to(port, "blocked")
        try:
            assert row["code"] == "no-context"
            assert row["reason"]
            assert box.ctl("queue", "cancel", "--all") == {"changed": 1}
            assert box.ctl("queue", "list", "--state", "cancelled")["deliveries"][0]["id"] == row["id"]
        finally:
            box.close()


def test_a_duplicate_is_stored_only_after_an_unknown_outcome() -> None:
    with pacs([0x0111]) as port:
        box, row = one_still_to(port, "blocked")
        try:
            assert "0111H" in row["reason"]
        finally:
            box.close()


def test_the_database_deleted_and_rebuilt_sends_nothing_again(box: Box, archive: scp.Archive) -> None:
    spool = box.state / "spool"
    exam = put_exam(spool)
    for number in range(3):
        put_still(spool, exam, number=number)
    box.start("engine")
    before = box.wait_stored(exam, 3)
    with pytest.raises(CtlError, match="in-use"):
        box.smartbox("store", "rebuild")
    assert box.stop("engine") == 0
    assert box.smartbox("store", "check")["ok"]
    for path in box.state.glob("smartbox.db*"):
        path.unlink()
    done = box.smartbox("store", "rebuild")
    assert (done["exams"], done["instances"], done["stored"], done["open"]) == (1, 3, 3, 0)
    folder = archive.stored()[0].parent
    shutil.rmtree(folder)
    folder.mkdir()
    box.start("engine")
    after = box.deliveries(exam)
    assert {row["sop_instance_uid"] for row in after} == {row["sop_instance_uid"] for row in before}
    assert {row["state"] for row in after} == {"stored"}
    one_more = put_exam(spool)
    put_still(spool, one_more)
    box.ctl("status")
    box.stop("engine")
    box.start("engine")
    box.wait_stored(one_more, 1)  # had the others been sent again, they would have gone before it
    assert len(archive.stored()) == 1


def test_a_lost_database_is_rebuilt_by_the_engine_itself(box: Box, archive: scp.Archive) -> None:
    spool = box.state / "spool"
    exam = put_exam(spool)
    put_still(spool, exam)
    box.start("engine")
    box.wait_stored(exam, 1)
    box.kill("engine")
    for path in box.state.glob("smartbox.db*"):
        path.unlink()
    box.start("engine")
    (row,) = until(lambda: box.ctl("queue", "list")["deliveries"])
    assert row["state"] == "stored"


def test_a_row_lost_before_it_was_written_keeps_the_headers_numbers(box: Box, archive: scp.Archive) -> None:
    spool = box.state / "spool"
    exam = put_exam(spool)
    for number in range(2):
        put_still(spool, exam, number=number)
    box.start("engine")
    box.wait_stored(exam, 2)
    box.stop("engine")
    headers = {path.name: path.read_bytes() for path in (spool / exam).glob("*.dcm")}
    with sqlite3.connect(box.state / "smartbox.db") as connection:
        (victim,) = connection.execute("SELECT id FROM instance WHERE instance_number = 1").fetchone()
        connection.execute("DELETE FROM delivery_change")
        connection.execute("DELETE FROM delivery WHERE instance = ?", (victim,))
        connection.execute("DELETE FROM instance WHERE id = ?", (victim,))
    box.start("engine")
    until(lambda: len(box.deliveries(exam)) == 2)
    assert {path.name: path.read_bytes() for path in (spool / exam).glob("*.dcm")} == headers
    assert sorted(item["sop_instance_uid"] for item in box.deliveries(exam)) == sorted(
        path.stem for path in archive.stored()
    )


def test_check_finds_what_is_damaged(box: Box) -> None:
    spool = box.state / "spool"
    exam = put_exam(spool)
    good, short, other = (put_still(spool, exam, number=number) for number in range(3))
    box.start("engine")
    box.wait_stored(exam, 3)
    box.stop("engine")
    (spool / exam / short.file).write_bytes(b"\xff\xd8")
    data = bytearray((spool / exam / other.file).read_bytes())
    data[len(data) // 2] ^= 1
    (spool / exam / other.file).write_bytes(data)
    done = box.raw("store", "check", "--json")
    assert done.returncode == 1
    import json

    found = {item["what"] for item in json.loads(done.stdout)["problems"]}
    assert found == {short.file, other.file}
    assert good.file not in found
