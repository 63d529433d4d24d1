"""A box whose clock is wrong after boot and set right later, by real processes: the dates follow before the first
send, the UIDs stay, the order is the one in which the pictures were taken."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pydicom
import pytest
from peewee import SqliteDatabase
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt
from pynetdicom.events import Event

from smartbox_tui.spool import clock as box_clock
from smartbox_tui.spool.examfile import read_exam, read_revision
from smartbox_tui.store import queries
from tests.engine.performed_rig import COMPLETED, accepted, messages, mpps, uid
from tests.support.box import Box, running, settings, until
from tests.support.movedclock import MovedClock
from tests.support.mpps import step_server, value_of
from tests.support.orthanc import Orthanc
from tests.support.reassigning import held_by, reassign

pytestmark = pytest.mark.orthanc

YEARS = -6 * 365 * 86400.0
FOR_EVER = "wait_s = 1e9"


@pytest.fixture
def moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archive: Orthanc) -> MovedClock:
    """After the archive was started: that one has the right time."""
    return MovedClock(tmp_path, monkeypatch)


@pytest.fixture
def wrong(moved: MovedClock, archive: Orthanc) -> Iterator[Box]:
    """A box six years behind, which waits for its clock for ever and sends at once."""
    moved.set(YEARS, synchronised=False)
    with running(settings(archive.port, send="immediately").replace("wait_s = 0", FOR_EVER)) as made:
        yield made


def states(box: Box, exam: str) -> list[str]:
    return [row["state"] for row in box.deliveries(exam)]


def acquired(item: pydicom.Dataset) -> float:
    return datetime.strptime(item.AcquisitionDateTime, "%Y%m%d%H%M%S.%f%z").timestamp()


def studied(item: pydicom.Dataset) -> float:
    text = f"{item.StudyDate}{item.StudyTime}{item.TimezoneOffsetFromUTC}"
    return datetime.strptime(text, "%Y%m%d%H%M%S.%f%z").timestamp()


def listed(box: Box, exam: str) -> list[str]:
    """The exam's pictures in the order in which the engine gives them to the screens."""
    with closing(SqliteDatabase(f"file:{box.state / 'smartbox.db'}?mode=ro", uri=True)) as database:
        return [row.sop_uid for row in queries.instances_of(database, exam)]


def in_order(items: list[pydicom.Dataset]) -> list[str]:
    return [item.SOPInstanceUID for item in sorted(items, key=lambda item: int(item.InstanceNumber))]


def test_dates_follow_the_clock_and_nothing_else_changes(wrong: Box, moved: MovedClock, archive: Orthanc) -> None:
    began = time.time()
    exam = wrong.open_exam()
    assert exam["opened_at"].startswith("2020")
    first = wrong.ctl("still")["instance"]
    wrong.ctl("record", "start")
    time.sleep(1.0)
    moved.set(YEARS - 90_000, synchronised=False)  # somebody sets it by hand, and wrongly
    second = wrong.ctl("still")["instance"]
    clip = wrong.ctl("record", "stop")["instances"][0]
    until(lambda: len(wrong.deliveries(exam["id"])) == 3)
    status = wrong.ctl("status")
    assert status["clock"] == "unsure"
    assert "clock" in [alarm["code"] for alarm in status["alarms"]]
    time.sleep(1.5)
    assert states(wrong, exam["id"]) == ["queued"] * 3, "nothing is sent before the clock is known"
    rows = wrong.deliveries(exam["id"])
    assert all(row["code"] == "clock" and "not synchronised" in row["reason"] for row in rows)
    before = wrong.ctl("exam", "show", exam["id"])["exam"]
    assert before["dates"] == "unsure"
    assert second["captured_at"] < first["captured_at"], "the test's clock was set back"
    moved.set(0, synchronised=True)
    wrong.wait_stored(exam["id"], 3)
    ended = time.time()
    found = held_by(archive)
    assert {item.SOPInstanceUID for item in found} == {item["sop_instance_uid"] for item in (first, second, clip)}
    assert {item.StudyInstanceUID for item in found} == {exam["study_instance_uid"]}
    assert len({(item.StudyDate, item.StudyTime) for item in found}) == 1
    for item in found:
        assert began - 15 <= acquired(item) <= ended, "within the pre-roll and now"
        assert began - 1 <= studied(item) <= ended
        assert "ImageComments" not in item or "synchronised" not in item.ImageComments
    by_uid = {item.SOPInstanceUID: item for item in found}
    moments = [acquired(by_uid[item["sop_instance_uid"]]) for item in (first, second)]
    measured = (second["frame_ns"] - first["frame_ns"]) / 1e9
    assert moments[1] - moments[0] == pytest.approx(measured, abs=0.01)
    assert float(by_uid[clip["sop_instance_uid"]].AcquisitionDuration) == pytest.approx(
        clip["duration_s"], abs=0.01
    )
    stills = [item for item in found if "NumberOfFrames" not in item]
    assert in_order(stills) == [first["sop_instance_uid"], second["sop_instance_uid"]]
    after = wrong.ctl("exam", "show", exam["id"])["exam"]
    assert after["dates"] == ""
    assert datetime.fromisoformat(after["opened_at"]).timestamp() == pytest.approx(studied(found[0]), abs=0.01)
    # what is taken now has the same patient, study and series, and a time that is sure
    third = wrong.ctl("still")["instance"]
    wrong.wait_stored(exam["id"], 4)
    (item,) = [item for item in held_by(archive) if item.SOPInstanceUID == third["sop_instance_uid"]]
    assert item.StudyDate == found[0].StudyDate
    assert item.SeriesInstanceUID == by_uid[first["sop_instance_uid"]].SeriesInstanceUID
    assert acquired(item) > max(acquired(other) for other in stills)
    wrong.ctl("exam", "close")
    assert_only_once(archive)


def assert_only_once(archive: Orthanc) -> None:
    uids = [item.SOPInstanceUID for item in held_by(archive)]
    assert len(uids) == len(set(uids))


def test_what_capture_took_alone_follows_too(wrong: Box, moved: MovedClock, archive: Orthanc) -> None:
    """The engine is away while the pictures are taken and while the clock is set: capture notes the anchor."""
    exam = wrong.open_exam()["id"]
    wrong.kill("engine")
    taken = [wrong.ctl("still")["instance"] for _ in range(2)]
    began = time.time() - 60
    moved.set(0, synchronised=True)
    until(lambda: box_clock.anchors(wrong.state / "spool"), 10, "capture notes the anchor")
    taken.append(wrong.ctl("still")["instance"])
    wrong.start("engine")
    wrong.wait_stored(exam, 3)
    found = held_by(archive)
    assert in_order(found) == [item["sop_instance_uid"] for item in taken]
    assert all(began < acquired(item) <= time.time() for item in found)
    assert sorted(found, key=acquired) == sorted(found, key=lambda item: int(item.InstanceNumber))


def test_an_exam_of_nobody_follows_and_gets_its_patient(wrong: Box, moved: MovedClock, archive: Orthanc) -> None:
    taken = wrong.ctl("still")["instance"]  # no exam is open: capture makes one
    exam = until(lambda: wrong.ctl("exam", "current")["exam"])
    assert exam["state"] == "unassigned"
    moved.set(0, synchronised=True)
    until(lambda: not wrong.ctl("exam", "current")["exam"]["dates"], 15, "the dates to follow")
    assert wrong.ctl("exam", "current")["exam"]["state"] == "unassigned"
    patient = {"id": "T-2002", "name": "Muster^Ärne", "birth_date": "1970-01-01", "sex": "M"}
    reassign(wrong, exam["id"], patient=patient)
    wrong.wait_stored(exam["id"], 1)
    (item,) = held_by(archive)
    assert item.PatientID == "T-2002"
    assert item.SOPInstanceUID == taken["sop_instance_uid"]
    assert abs(acquired(item) - time.time()) < 120
    assert abs(studied(item) - time.time()) < 120


def test_what_was_sent_keeps_its_dates_and_says_so(wrong: Box, moved: MovedClock, archive: Orthanc) -> None:
    exam = wrong.open_exam()["id"]
    wrong.ctl("still")
    until(lambda: len(wrong.deliveries(exam)) == 1)
    assert wrong.stop("engine") == 0
    wrong.config.write_text(wrong.config.read_text(encoding="utf-8").replace(FOR_EVER, "wait_s = 0.001"))
    wrong.start("engine")
    wrong.wait_stored(exam, 1)
    alarms = [alarm["code"] for alarm in wrong.ctl("status")["alarms"]]
    assert "clock-unsure" in alarms
    assert "clock" not in alarms
    (sent,) = held_by(archive)
    assert "not synchronised" in sent.ImageComments
    assert sent.StudyDate.startswith("2020")
    wrong.ctl("queue", "pause", "--destination", "archive")
    second = wrong.ctl("still")["instance"]
    until(lambda: len(wrong.deliveries(exam)) == 2)
    moved.set(0, synchronised=True)
    until(lambda: wrong.ctl("exam", "show", exam)["exam"]["dates"] == "final", 15, "the exam to say so")
    wrong.ctl("queue", "resume", "--destination", "archive")
    wrong.wait_stored(exam, 2)
    found = {item.SOPInstanceUID: item for item in held_by(archive)}
    assert len(found) == 2
    assert found[sent.SOPInstanceUID] == sent
    other = found[second["sop_instance_uid"]]
    assert (other.StudyDate, other.StudyTime) == (sent.StudyDate, sent.StudyTime)
    assert "not synchronised" in other.ImageComments
    assert in_order(list(found.values())) == [sent.SOPInstanceUID, second["sop_instance_uid"]]
    # under new UIDs everything may be told as it was
    reassign(wrong, exam, patient={"id": "T-3", "name": "Recht^Ig", "birth_date": "1970-01-01", "sex": "F"})
    again = until(lambda: [item for item in held_by(archive) if item.PatientID == "T-3"][:2])
    until(lambda: len([item for item in held_by(archive) if item.PatientID == "T-3"]) == 2)
    for item in again:
        assert abs(studied(item) - time.time()) < 300
        assert "ImageComments" not in item


def test_boots_have_their_order_whatever_the_clock_says(wrong: Box, moved: MovedClock, archive: Orthanc) -> None:
    """One exam over a reboot, the second boot with an older wall clock; it is known in neither."""
    exam = wrong.open_exam()["id"]
    taken = [wrong.ctl("still")["instance"]]
    until(lambda: len(wrong.deliveries(exam)) == 1)
    for name in ("capture", "engine"):
        wrong.kill(name)
    (wrong.runtime / "current.json").unlink()
    moved.boot()
    moved.set(2 * YEARS, synchronised=False)
    wrong.start()
    assert wrong.ctl("status")["suspended"]["id"] == exam
    wrong.ctl("exam", "resume", exam)
    taken += [wrong.ctl("still")["instance"] for _ in range(2)]
    until(lambda: len(wrong.deliveries(exam)) == 3)
    assert taken[1]["captured_at"] < taken[0]["captured_at"]
    assert listed(wrong, exam) == [item["sop_instance_uid"] for item in taken]
    moved.set(0, synchronised=True)
    wrong.wait_stored(exam, 3)
    found = held_by(archive)
    assert in_order(found) == [item["sop_instance_uid"] for item in taken]
    early, *late = sorted(found, key=lambda item: int(item.InstanceNumber))
    assert "not synchronised" in early.ImageComments, "of the first boot nobody knows the time"
    assert all("ImageComments" not in item and abs(acquired(item) - time.time()) < 300 for item in late)
    folder = wrong.state / "spool" / exam
    numbers = [boot.number for boot in box_clock.read_boots(wrong.state / "spool").values()]
    assert numbers == [1, 2]
    revision = read_revision(folder, read_exam(folder).revision)
    assert len(revision.anchors) == 1


class SlowArchive:
    """Takes everything, and a while for it; knows how often it got each object."""

    def __init__(self, pause_s: float) -> None:
        self.pause_s = pause_s
        self.begun: list[str] = []

    def store(self, event: Event) -> int:
        self.begun.append(str(event.request.AffectedSOPInstanceUID))
        time.sleep(self.pause_s)
        return 0x0000


@pytest.fixture
def slow() -> Iterator[tuple[SlowArchive, int]]:
    archive = SlowArchive(3.0)
    entity = AE(ae_title="SLOW")
    entity.supported_contexts = AllStoragePresentationContexts
    for context in entity.supported_contexts:
        context.transfer_syntax = ALL_TRANSFER_SYNTAXES[:]
    entity.add_supported_context("1.2.840.10008.1.1")
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, archive.store)])
    yield archive, server.server_address[1]
    server.shutdown()


def test_a_clock_set_while_sending_doubles_nothing(moved: MovedClock, slow: tuple[SlowArchive, int]) -> None:
    """Years forward and back while an archive takes its time: no lease runs out, no pause freezes."""
    archive, port = slow
    moved.set(0, synchronised=True)
    box = Box(settings(port, "SLOW"))
    try:
        box.start()
        exam = box.open_exam()["id"]
        taken = [box.ctl("still")["instance"]["sop_instance_uid"] for _ in range(3)]
        box.ctl("exam", "close")
        until(lambda: archive.begun)
        moved.set(-YEARS, synchronised=True)  # forward
        until(lambda: len(archive.begun) == 2)
        moved.set(YEARS, synchronised=True)
        rows = box.wait_stored(exam, 3)
        assert [row["attempts"] for row in rows] == [1, 1, 1]
        assert archive.begun == taken
        assert box.ctl("status")["queue"]["oldest_open_s"] is None
        assert "a defect" not in box.log("engine")
    finally:
        box.close()


def test_what_waits_is_as_old_as_it_is(moved: MovedClock) -> None:
    """The age of the oldest open delivery, and a pause, when the clock is set by years in between."""
    moved.set(YEARS, synchronised=False)
    box = Box(settings(1, "NOBODY"))  # nobody listens there
    try:
        box.start()
        exam = box.open_exam()["id"]
        box.ctl("still")
        box.ctl("exam", "close")
        until(lambda: [row["state"] for row in box.deliveries(exam)] == ["waiting"])

        def age_s() -> float:
            return float(box.ctl("status")["queue"]["oldest_open_s"] or 0)

        def pause_s() -> float:
            """Until the next try, by the clock that the box sees; far off where there is none just now."""
            texts = [row["next_attempt_at"] for row in box.deliveries(exam)]
            return datetime.fromisoformat(texts[0]).timestamp() - moved.now() if texts[0] else -YEARS

        for offset_s in (0.0, 2 * YEARS, -YEARS):
            moved.set(offset_s, synchronised=False)
            until(lambda: 0 < age_s() < 120, 10, "an age that is not the clock's leap")
            until(lambda: abs(pause_s()) < 60, 10, "a pause that is not the clock's leap")
    finally:
        box.close()


def test_performed_steps_wait_for_the_clock_too(tmp_path: Path, moved: MovedClock, archive: Orthanc) -> None:
    """A step begun and ended before the clock was known is told once, with its right times."""
    with step_server(tmp_path / "mpps") as server:
        moved.set(YEARS, synchronised=False)
        config = settings(archive.port, extra=mpps(server.port)).replace("wait_s = 0", FOR_EVER)
        box = Box(config)
        try:
            box.start()
            began = time.time()
            exam = box.open_exam()
            box.ctl("still")
            box.ctl("exam", "close")
            until(lambda: messages(box) == [("create", "waiting"), ("set", "waiting")], 20)
            time.sleep(1.5)
            assert accepted(server) == []
            moved.set(0, synchronised=True)
            box.wait_stored(exam["id"], 1)
            until(lambda: server.states() == {uid(exam): COMPLETED}, 20)
            ended = time.time()
            assert len(accepted(server)) == 2, "one beginning, one end"
            step = server.steps()[uid(exam)]
            moments = [
                datetime.strptime(f"{value_of(step, day)}{value_of(step, clock)}"[:14], "%Y%m%d%H%M%S").timestamp()
                for day, clock in (("00400244", "00400245"), ("00400250", "00400251"))
            ]
            assert began - 2 <= moments[0] <= moments[1] <= ended, "in whole seconds"
        finally:
            box.close()
