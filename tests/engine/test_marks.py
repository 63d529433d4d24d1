"""The marks of a clip on their way: after their clip, about the rendition that lies there, never on the wrong
patient, never doubled."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest

from smartbox_tui.engine.marking import marks_of
from smartbox_tui.model.instance import EXPLICIT_VR_LE, H264_HP_41, IMPLICIT_VR_LE, MPEG2_MPML
from smartbox_tui.model.variant import MARKS, Variant, sop_uid_of
from smartbox_tui.spool.sidecar import Sidecar, SidecarState, write_sidecar
from tests.engine.test_renditions import EVERYTHING, VIDEO, blocked, box_of, own_uid, second
from tests.support.box import Box, until
from tests.support.dcmtk import dciodvfy
from tests.support.frames import bitstream_of, strips_of_clip
from tests.support.orthanc import Orthanc
from tests.support.reassigning import KOS, RIGHT, held_by, notes_in, pictures_of, reassign, rejected
from tests.support.spooled import put_exam, put_still
from tests.support.taking import Taking, put_clip, taking

DOCUMENTS = [(KOS, EXPLICIT_VR_LE)]
SAID = ({"id": "m1", "at_s": 0.5, "text": "Polyp", "frame": 14}, {"id": "m2", "at_s": 0.9, "text": ""})


def put_marked(spool: Path, exam: str, **values: Any) -> Sidecar:
    sidecar = put_clip(spool, exam, **values).with_(marks=SAID)
    write_sidecar(spool / exam, sidecar)
    return sidecar


def marks_uid(sidecar: Sidecar, **variant: str) -> str:
    return sop_uid_of(own_uid(sidecar), Variant(**variant, document=MARKS))


def names(document: pydicom.Dataset) -> list[tuple[str, int]]:
    return [
        (
            item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID,
            item.ReferencedSOPSequence[0].ReferencedFrameNumber,
        )
        for item in document.ContentSequence
        if item.ValueType == "IMAGE"
    ]


def title(document: pydicom.Dataset) -> str:
    return str(document.ConceptNameCodeSequence[0].CodeValue)


def marks_in(archive: Orthanc) -> list[pydicom.Dataset]:
    return [item for item in notes_in(archive) if title(item) == "113000"]


@pytest.fixture
def everything() -> Iterator[Taking]:
    with taking([*EVERYTHING, *DOCUMENTS]) as archive:
        yield archive


@pytest.mark.orthanc
def test_a_mark_arrives_with_the_number_of_its_frame_and_follows_its_clip_to_another_patient(
    box: Box, archive: Orthanc, tmp_path: Path
) -> None:
    exam = box.open_exam()
    box.ctl("record", "start")
    time.sleep(2)
    mark = box.ctl("record", "mark", "--text", "Polyp")["mark"]
    time.sleep(1)
    (clip,) = box.ctl("record", "stop")["instances"]
    assert len(box.deliveries(exam["id"])) == 1
    assert box.ctl("exam", "close")["exam"]["instances"] == 1
    rows = box.wait_stored(exam["id"], 2)
    assert [row["kind"] for row in rows] == ["clip", MARKS]
    (found,) = marks_in(archive)
    data = archive.file_of(clip["sop_instance_uid"])
    stream = tmp_path / "clip.ts"
    stream.write_bytes(bitstream_of(data))
    numbers = [strip.number for strip in strips_of_clip(stream, 640, 360)]
    ((uid, frame),) = names(found)
    assert uid == clip["sop_instance_uid"]
    # the picture's own number, read by ffmpeg, is that of the mark's moment
    assert numbers[frame - 1] - numbers[0] == pytest.approx(mark["at_s"] * 30, abs=1.5)
    assert (found.StudyInstanceUID, found.PatientID) == (exam["study_instance_uid"], "T-1001")
    assert found.SeriesInstanceUID != pydicom.dcmread(io.BytesIO(data)).SeriesInstanceUID
    assert "Polyp" in found.ContentSequence[0].TextValue
    file = tmp_path / "marks.dcm"
    file.write_bytes(archive.file_of(found.SOPInstanceUID))
    assert dciodvfy(file)[0] == []

    old = {clip["sop_instance_uid"], str(found.SOPInstanceUID)}
    reassign(box, exam["id"], patient=RIGHT)

    def settled() -> bool:
        now = box.deliveries(exam["id"])
        assert not [row for row in now if row["state"] == "blocked"], now
        return sorted(row["state"] for row in now) == ["stored"] * 3 + ["superseded"] * 2

    until(settled, 30, "clip, marks and the note")
    (note,) = [item for item in notes_in(archive) if title(item) == "113038"]
    assert rejected(note) == old
    assert note.PatientID == "T-1001"
    (right,) = pictures_of(archive, "R-2002")
    (new,) = [item for item in marks_in(archive) if item.PatientID == "R-2002"]
    assert names(new) == [(right.SOPInstanceUID, frame)]
    assert new.StudyInstanceUID == right.StudyInstanceUID
    assert not {str(new.SOPInstanceUID), str(new.SeriesInstanceUID)} & {*old, str(found.SeriesInstanceUID)}
    assert len(held_by(archive)) == 5
    # and back again
    reassign(box, exam["id"], patient={"id": "T-1001", "name": "Prüf^Jördis", "sex": "F"})
    until(lambda: len(box.deliveries(exam["id"])) == 8 and len(held_by(archive)) == 8, 30, "all of it anew")
    notes = [item for item in notes_in(archive) if title(item) == "113038"]
    assert len(notes) == 2
    gone = rejected(notes[0]) | rejected(notes[1])
    left = [item for item in marks_in(archive) if str(item.SOPInstanceUID) not in gone]
    assert [item.PatientID for item in left] == ["T-1001"]
    # the database is lost: nothing is sent a second time, nothing is missing
    assert box.stop("engine") == 0
    done = box.smartbox("store", "rebuild")
    assert (done["open"], done["unreadable"]) == (0, [])
    box.start("engine")
    until(lambda: [row["state"] for row in box.deliveries(exam["id"])].count("stored") == 4)
    time.sleep(1)
    assert len(held_by(archive)) == 8
    assert box.stop("engine") == 0
    assert box.smartbox("store", "check")["problems"] == []


def test_each_archive_hears_of_the_rendition_that_it_has(everything: Taking) -> None:
    keys = {"container": "mp4", "clip_class": "video-photographic", "charset": "latin-1"}
    with taking([*EVERYTHING, (KOS, IMPLICIT_VR_LE)]) as other:
        box = box_of(everything.port, second(other.port, **keys))
        try:
            spool = box.state / "spool"
            exam = put_exam(spool)
            sidecar = put_marked(spool, exam)
            put_clip(spool, exam, number=1)  # without marks
            put_still(spool, exam)
            box.start("engine")
            rows = box.wait_stored(exam, 8)
            own = {row["destination"]: row["sop_instance_uid"] for row in rows if row["kind"] == MARKS}
            derived = {"sop_class": "video-photographic", "container": "mp4"}
            assert own == {"archive": marks_uid(sidecar), "second": marks_uid(sidecar, **derived)}
            for archive, uid in (
                (everything, own_uid(sidecar)),
                (other, sop_uid_of(own_uid(sidecar), Variant(**derived))),
            ):
                order = archive.uids()
                (document,) = [item for item in archive.stored if item.SOPClassUID == KOS]
                assert names(document) == [(uid, 14), (uid, 28)], "the second mark has its frame from its time"
                assert order.index(uid) < order.index(document.SOPInstanceUID)
                clip = archive.stored[order.index(uid)]
                (series,) = document.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
                assert series.SeriesInstanceUID == clip.SeriesInstanceUID
                assert series.ReferencedSOPSequence[0].ReferencedSOPClassUID == clip.SOPClassUID
                assert (document.SpecificCharacterSet, document.PatientName) == (
                    clip.SpecificCharacterSet,
                    clip.PatientName,
                )
            assert box.stop("engine") == 0
            done = box.smartbox("store", "rebuild")
            assert (done["stored"], done["open"], done["instances"]) == (8, 0, 3)
            box.start("engine")
            box.wait_stored(exam, 8)
            assert (len(everything.stored), len(other.stored)) == (4, 4)
        finally:
            box.close()


def test_a_clip_that_is_encoded_anew_has_its_marks_renamed() -> None:
    with taking([(VIDEO, MPEG2_MPML), *DOCUMENTS]) as archive:
        box = box_of(archive.port, 'transcode = "mpeg2"')
        try:
            exam = put_exam(box.state / "spool")
            sidecar = put_marked(box.state / "spool", exam)
            box.start("engine")
            box.wait_stored(exam, 2)
            clip, document = archive.stored
            assert clip.SOPInstanceUID == sop_uid_of(own_uid(sidecar), Variant(codec="mpeg2"))
            assert document.SOPInstanceUID == marks_uid(sidecar, codec="mpeg2")
            assert names(document) == [(clip.SOPInstanceUID, 14), (clip.SOPInstanceUID, 28)]
        finally:
            box.close()


def test_nothing_is_said_of_a_clip_that_the_archive_does_not_have(everything: Taking) -> None:
    box = box_of(everything.port)
    try:
        spool = box.state / "spool"
        exam = put_exam(spool)
        refused, discarded = put_marked(spool, exam), put_marked(spool, exam, number=1)
        write_sidecar(spool / exam, discarded.with_(state=SidecarState.DISCARDED))
        everything.refuse = {own_uid(refused)}
        box.config.write_text(box.config.read_text().replace("max_s = 1", "max_s = 1, attempts = 1"))
        box.start("engine")
        row = blocked(box, exam)
        assert (row["kind"], row["code"]) == ("clip", "archive-refused")
        assert len(box.deliveries(exam)) == 1
        everything.refuse = set()
        box.ctl("queue", "prioritise", str(row["id"]))
        box.ctl("queue", "retry", str(row["id"]))
        rows = box.wait_stored(exam, 2)
        assert everything.uids() == [own_uid(refused), marks_uid(refused)]
        assert {item["priority"] for item in rows} == {rows[0]["priority"]}
    finally:
        box.close()


def test_an_archive_can_be_spared_and_one_without_key_objects_is(everything: Taking) -> None:
    with taking([(VIDEO, H264_HP_41)]) as other:
        box = box_of(everything.port, "marks = false\n" + second(other.port))
        try:
            exam = put_exam(box.state / "spool")
            sidecar = put_marked(box.state / "spool", exam)
            box.start("engine")
            (row,) = until(lambda: [each for each in box.deliveries(exam) if each["state"] == "cancelled"])
            assert (row["kind"], row["code"], row["destination"]) == (MARKS, "no-context", "second")
            assert "Key Object Selection" in row["reason"], "nobody is called for what nobody asked for"
            until(lambda: everything.uids() == [own_uid(sidecar)])
            assert len(box.deliveries(exam)) == 3
            assert box.stop("engine") == 0
            done = box.smartbox("store", "rebuild")
            assert done["stored"] == 2, "a document that nobody has is offered again"
            assert done["open"] == 1
        finally:
            box.close()


def test_killed_between_the_answer_and_the_row_the_marks_follow_once(everything: Taking) -> None:
    box = box_of(everything.port)
    try:
        spool = box.state / "spool"
        exam = put_exam(spool)
        clips = [put_marked(spool, exam, number=number) for number in range(6)]
        box.start("engine")
        until(lambda: everything.stored, what="the first one")
        for _ in range(3):
            box.kill("engine")
            box.start("engine")
        box.wait_stored(exam, 12)
        assert set(everything.uids()) == {own_uid(item) for item in clips} | {marks_uid(item) for item in clips}
    finally:
        box.close()


# ---- the parts


def sheet(frames: int, *marks: dict[str, Any]) -> Sidecar:
    values: dict[str, Any] = {"id": "a", "exam": "b", "revision": 1, "source": "s", "kind": "clip", "file": "a.ts"}
    values |= {"state": SidecarState.CLOSED, "command": "c", "trigger": "api", "trigger_ns": 0, "frame_ns": 0}
    values |= {"captured_at": "", "boot_id": "", "clock": "trusted", "width": 0, "height": 0, "fps_num": 30}
    return Sidecar(
        **values, fps_den=1, sop_class="video-endoscopic", sampling="420", media="", frames=frames, marks=marks
    )


def test_a_frame_that_no_sidecar_says_follows_from_the_time_and_lies_in_the_clip() -> None:
    said = sheet(100, {"at_s": 2.0}, {"at_s": 9.0}, {"at_s": 1.0, "frame": 25}, {"at_s": 3.0, "frame": 400}, {})
    assert [mark.frame for mark in marks_of(said, 100)] == [1, 25, 61, 100, 100]
    twice = marks_of(said, 200)
    assert [mark.frame for mark in twice] == [1, 49, 121, 199, 199], "encoded anew at twice the rate"
    for damaged in ({"at_s": "soon"}, {"at_s": 1.0, "frame": "x"}, "no mark"):
        with pytest.raises(ValueError, match=r"could not convert|invalid literal|not readable"):
            marks_of(sheet(10, damaged), 10)  # type: ignore[arg-type]
