"""The main job through all processes against a real Orthanc, as somebody at the command line does it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pydicom
import pytest

from tests.support.box import Box, settings
from tests.support.dcmtk import dciodvfy
from tests.support.frames import (
    assert_no_frame_lost_or_doubled,
    bitstream_of,
    count_frames,
    dataset_bytes,
    strip_of_jpeg,
    strips_of_clip,
)
from tests.support.orthanc import Orthanc, orthanc
from tests.support.stalls import StallWatch

FPS = 30
FRAME_NS = 1e9 / FPS


def exported(box: Box, folder: Path, study: str) -> dict[str, bytes]:
    files = box.smartbox("dicom", "export", "--study", study, "--out", str(folder))["exported"]
    return {item["sop_instance_uid"]: Path(item["file"]).read_bytes() for item in files}


def assert_frame_of_trigger(instance: dict[str, Any], data: bytes) -> None:
    """The strip tells the source's start, the trigger's time tells the frame that was due."""
    strip = strip_of_jpeg(bitstream_of(data))
    start_ns = instance["frame_ns"] - strip.number * FRAME_NS
    due = int((instance["trigger_ns"] - start_ns) / FRAME_NS)
    assert abs(strip.number - due) <= 1, (strip, due)
    assert abs(strip.ms - strip.number * 1000 / FPS) <= 1


@pytest.mark.orthanc
def test_an_exam_with_stills_and_a_clip_arrives_as_it_was_taken(box: Box, archive: Orthanc, tmp_path: Path) -> None:
    exam = box.open_exam()
    stills = [box.ctl("still")["instance"] for _ in range(2)]
    time.sleep(6.5)  # so that the ring holds the pre-roll
    started = time.monotonic_ns()
    with StallWatch() as machine:
        box.ctl("record", "start")
        time.sleep(10)
        stills.append(box.ctl("still")["instance"])  # at full resolution while recording
        mark = box.ctl("record", "mark", "--text", "polyp")["mark"]
        assert mark["at_s"] > 9
        time.sleep(10)
        stopped = box.ctl("record", "stop")
    assert stopped["deliveries"] == "created"
    (clip,) = stopped["instances"]
    held = box.deliveries(exam["id"])
    assert {row["state"] for row in held} == {"held"}
    closed = box.ctl("exam", "close")["exam"]
    assert (closed["state"], closed["released"], closed["instances"]) == ("closed", True, 4)
    rows = box.wait_stored(exam["id"], 5)
    assert sorted(row["kind"] for row in rows) == ["clip", "marks", "still", "still", "still"]

    files = exported(box, tmp_path / "out", exam["study_instance_uid"])
    assert set(files) == {item["sop_instance_uid"] for item in [*stills, clip]}
    assert len(archive.instances()) == 5
    for uid, data in files.items():
        assert dataset_bytes(archive.file_of(uid)) == dataset_bytes(data), uid
        errors, _ = dciodvfy(tmp_path / "out" / f"{uid}.dcm")
        assert errors == []
    for item in stills:
        assert_frame_of_trigger(item, files[item["sop_instance_uid"]])

    dataset = pydicom.dcmread(tmp_path / "out" / f"{clip['sop_instance_uid']}.dcm")
    assert dataset.PatientName == "Prüf^Jördis"
    assert dataset.StudyInstanceUID == exam["study_instance_uid"]
    stream = tmp_path / "clip.ts"
    stream.write_bytes(bitstream_of(files[clip["sop_instance_uid"]]))
    assert int(dataset.NumberOfFrames) == count_frames(stream) == clip["frames"] == stopped["frames"]
    strips = strips_of_clip(stream, 640, 360)
    assert_no_frame_lost_or_doubled(strips, clip["frames_lost"])
    assert clip["frames_lost"] == 0 or machine.withheld, (
        f"lost although the machine was {machine.worst_s} s late at most"
    )
    assert len(strips) >= 25 * FPS - 2
    preroll = (clip["trigger_ns"] - clip["frame_ns"]) / 1e9
    assert 5 <= preroll <= 6.1  # from the last IDR before the asked five seconds
    assert clip["trigger_ns"] >= started


@pytest.mark.orthanc
def test_an_emergency_child_and_a_discarded_picture(box: Box, archive: Orthanc, tmp_path: Path) -> None:
    exam = box.ctl("exam", "open", "--emergency", "child", "--age", "8Y")["exam"]
    assert exam["patient"]["birth_date"] is None
    assert exam["patient"]["age"] == "008Y"
    keep = box.ctl("still")["instance"]
    drop = box.ctl("still")["instance"]
    gone = box.ctl("discard-last", "--reason", "blurred")["instance"]
    assert gone["sop_instance_uid"] == drop["sop_instance_uid"]
    box.ctl("exam", "close")
    rows = {row["sop_instance_uid"]: row["state"] for row in box.deliveries(exam["id"])}
    assert rows.get(drop["sop_instance_uid"], "cancelled") == "cancelled"
    from tests.support.box import until

    until(lambda: len(archive.instances()) == 1)
    stored = pydicom.dcmread(__import__("io").BytesIO(archive.file_of(keep["sop_instance_uid"])))
    assert stored.PatientAge == "008Y"
    assert stored.PatientBirthDate == ""
    assert "NOTFALL" in str(stored.PatientName)


@pytest.mark.orthanc
def test_a_trigger_with_no_patient_is_taken_and_held(box: Box, archive: Orthanc) -> None:
    taken = box.ctl("still")["instance"]
    from tests.support.box import until

    until(lambda: box.ctl("exam", "current")["exam"])
    exam = box.ctl("exam", "current")["exam"]
    assert exam["state"] == "unassigned"
    next_exam = box.open_exam()
    assert next_exam["instances"] == 0
    other = box.ctl("still")["instance"]
    assert other["exam"] == next_exam["id"] != taken["exam"] == exam["id"]
    box.ctl("exam", "close")
    box.wait_stored(next_exam["id"], 1)
    (row,) = box.deliveries(exam["id"])
    assert row["state"] == "held"
    assert box.ctl("exam", "show", exam["id"])["exam"]["state"] == "closed"
    assert [item["id"] for item in box.ctl("exam", "list", "--unassigned")["exams"]] == [exam["id"]]
    assert len(archive.instances()) == 1


@pytest.mark.orthanc
def test_immediately_sends_while_the_exam_is_open_and_manual_waits_for_release(archive: Orthanc) -> None:
    for send in ("immediately", "manual"):
        box = Box(settings(archive.port, send=send))
        try:
            box.start()
            exam = box.open_exam()
            box.ctl("still")
            if send == "immediately":
                box.wait_stored(exam["id"], 1)
                continue
            box.ctl("exam", "close")
            (row,) = box.deliveries(exam["id"])
            assert row["state"] == "held"
            assert box.ctl("exam", "release", exam["id"])["exam"]["released"]
            box.wait_stored(exam["id"], 1)
        finally:
            box.close()


@pytest.mark.orthanc
def test_files_are_sent_as_they_are(box: Box, archive: Orthanc, tmp_path: Path) -> None:
    exam = box.open_exam()
    for _ in range(3):
        box.ctl("still")
    box.ctl("exam", "close")
    box.wait_stored(exam["id"], 3)
    files = exported(box, tmp_path / "out", exam["study_instance_uid"])
    with orthanc(tmp_path / "second") as second:
        paths = [str(path) for path in sorted((tmp_path / "out").glob("*.dcm"))]
        done = box.smartbox("dicom", "send", "--to", f"127.0.0.1:{second.port}:ORTHANC", *paths)
        assert (done["sent"], done["failed"]) == (3, [])
        for uid, data in files.items():
            assert dataset_bytes(second.file_of(uid)) == dataset_bytes(data)
        broken = tmp_path / "broken.dcm"
        broken.write_bytes(b"not DICOM")
        result = box.raw(
            "dicom", "send", "--json", "--to", f"127.0.0.1:{second.port}:ORTHANC", str(broken), paths[0]
        )
        assert result.returncode == 1
        import json

        value = json.loads(result.stdout)
        assert (value["sent"], [item["code"] for item in value["failed"]]) == (1, ["invalid-object"])
