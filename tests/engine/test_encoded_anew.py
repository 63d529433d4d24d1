"""Archives that take another codec only; patients corrected and children killed while something is made."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from uuid import uuid4

import pydicom
import pytest

from smartbox_tui.model.instance import MPEG2_MPML
from smartbox_tui.model.variant import Variant, sop_uid_of
from smartbox_tui.wire import client
from tests.engine.test_renditions import EVERYTHING, VIDEO, blocked, box_of, own_uid, second
from tests.support import clips
from tests.support.box import Box, until
from tests.support.dcmtk import dciodvfy
from tests.support.reassigning import KOS, RIGHT, reassign, rejected
from tests.support.spooled import put_exam
from tests.support.taking import put_clip, taking

MPEG2 = [(VIDEO, MPEG2_MPML)]


def test_an_archive_of_mpeg2_gets_a_derived_instance(tmp_path: Path) -> None:
    with taking(MPEG2) as archive, taking(EVERYTHING) as other:
        box = box_of(archive.port, 'transcode = "mpeg2"\n' + second(other.port, transcode="mpeg2"))
        try:
            spool = box.state / "spool"
            exam = put_exam(spool)
            first, then = put_clip(spool, exam), put_clip(spool, exam, number=1)
            box.start("engine")
            box.wait_stored(exam, 4)
            assert sorted(other.uids()) == sorted([own_uid(first), own_uid(then)]), "as captured, where it is taken"
            assert len(archive.stored) == 2
            derived = {item.SOPInstanceUID: item for item in archive.stored}
            for sidecar in (first, then):
                got = derived[sop_uid_of(own_uid(sidecar), Variant(codec="mpeg2"))]
                assert list(got.ImageType) == ["DERIVED", "PRIMARY"]
                assert got.SourceImageSequence[0].ReferencedSOPInstanceUID == own_uid(sidecar)
                assert list(got.LossyImageCompressionMethod) == ["ISO_14496_10", "ISO_13818_2"]
                assert len(got.LossyImageCompressionRatio) == 2
                assert "MPEG2" in got.DerivationDescription
                assert got.NumberOfFrames == sidecar.frames
                (stream,) = pydicom.encaps.generate_frames(got.PixelData, number_of_frames=1)
                path = tmp_path / "back.ts"
                path.write_bytes(stream)
                assert len(clips.pictures(path)) == sidecar.frames
                file = tmp_path / "back.dcm"
                meta = pydicom.dataset.FileMetaDataset()
                meta.TransferSyntaxUID = MPEG2_MPML
                got.file_meta = meta
                got.save_as(file, enforce_file_format=True)
                assert dciodvfy(file)[0] == []
            assert box.stop("engine") == 0
            done = box.smartbox("store", "rebuild")
            assert (done["stored"], done["open"]) == (4, 0)
            box.start("engine")
            box.wait_stored(exam, 4)
            assert (len(archive.stored), len(other.stored)) == (2, 2)
        finally:
            box.close()


def test_without_the_setting_nothing_is_encoded_anew() -> None:
    with taking(MPEG2) as archive:
        box = box_of(archive.port)
        try:
            exam = put_exam(box.state / "spool")
            put_clip(box.state / "spool", exam)
            box.start("engine")
            row = blocked(box, exam)
            assert row["code"] == "no-context"
            assert "It takes: Video Endoscopic Image as MPEG2 Main Profile / Main Level." in row["reason"]
        finally:
            box.close()


def test_what_may_have_arrived_as_captured_is_not_sent_in_another_codec() -> None:
    with taking(MPEG2) as archive:
        box = box_of(archive.port, 'transcode = "mpeg2"')
        try:
            exam = put_exam(box.state / "spool")
            put_clip(box.state / "spool", exam)
            box.start("engine")
            box.wait_stored(exam, 1)
            assert box.stop("engine") == 0
            (box.state / "spool" / exam / "ledger.jsonl").unlink()  # as if the answer had been lost
            box.smartbox("store", "rebuild")
            box.start("engine")
            assert "it would be there twice" in blocked(box, exam)["reason"]
            assert len(archive.stored) == 1
        finally:
            box.close()


def test_a_corrected_patient_the_note_names_what_each_archive_saw() -> None:
    kos = [(KOS, "1.2.840.10008.1.2")]  # and this one takes notes in Implicit VR only
    with taking([*MPEG2, *kos]) as archive, taking([*EVERYTHING, (KOS, "1.2.840.10008.1.2.1")]) as other:
        extra = 'transcode = "mpeg2"\n' + second(other.port, container="mp4", clip_class="video-photographic")
        box = box_of(archive.port, extra)
        try:
            spool = box.state / "spool"
            exam = put_exam(spool)
            sidecar = put_clip(spool, exam)
            box.start("engine")
            box.wait_stored(exam, 2)
            (old,), (old_other,) = archive.stored, other.stored
            reassign(box, exam, patient=RIGHT)

            def over() -> bool:
                return {row["state"] for row in box.deliveries(exam)} == {"stored", "superseded"}

            until(over, 30, "everything delivered")
            assert (len(archive.stored), len(other.stored)) == (3, 3)
            for taken, before, variant in (
                (archive.stored, old, Variant(codec="mpeg2")),
                (other.stored, old_other, Variant(sop_class="video-photographic", container="mp4")),
            ):
                assert before.SOPInstanceUID == sop_uid_of(own_uid(sidecar), variant)
                (note,) = [item for item in taken if item.SOPClassUID == KOS]
                assert rejected(note) == {before.SOPInstanceUID}
                reference = note.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
                assert reference.SeriesInstanceUID == before.SeriesInstanceUID
                assert reference.ReferencedSOPSequence[0].ReferencedSOPClassUID == before.SOPClassUID
                (new,) = [item for item in taken if item.SOPClassUID != KOS and item is not before]
                assert new.PatientID == RIGHT["id"]
                assert new.SOPInstanceUID not in (before.SOPInstanceUID, own_uid(sidecar))
                assert new.StudyInstanceUID != before.StudyInstanceUID
                source = new.SourceImageSequence[0].ReferencedSOPInstanceUID
                assert new.SOPInstanceUID == sop_uid_of(source, variant)
            assert len({row["sop_instance_uid"] for row in box.deliveries(exam)}) == 6
        finally:
            box.close()


def children_of(box: Box) -> list[int]:
    """The media children of the engine, by /proc."""
    engine, found = box.processes["engine"].pid, []
    for path in Path("/proc").iterdir():
        if not path.name.isdigit():
            continue
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            words = (path / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if parent == engine and b"media" in words and b"transcode" in words:
            found.append(int(path.name))
    return found


@pytest.mark.crash
def test_kills_while_preparing_cost_nothing() -> None:
    with taking(MPEG2) as archive:
        box = box_of(archive.port, 'transcode = "mpeg2"')
        try:
            spool = box.state / "spool"
            exam = put_exam(spool)
            sidecar = put_clip(spool, exam, frames=1500)
            box.start("engine")
            for number in range(3):
                (child,) = until(lambda: children_of(box), 30, "a media child")
                (row,) = box.deliveries(exam)
                assert (row["state"], row["reason"]) == ("preparing", "is made ready: MPEG2")
                if number == 1:
                    box.kill("engine")
                    gone = Path(f"/proc/{child}")
                    until(lambda gone=gone: not gone.exists(), 10, "the child to go, too")  # type: ignore[misc]
                    box.start("engine")
                else:
                    os.kill(child, signal.SIGKILL)
                    until(lambda: box.deliveries(exam)[0]["state"] != "preparing" or None, 10)
                    command = {"type": "queue-change", "id": str(uuid4()), "action": "retry", "all": True}
                    client.command(box.runtime / "engine.sock", command)
            box.wait_stored(exam, 1)
            (got,) = archive.stored
            assert got.NumberOfFrames == sidecar.frames
            assert got.SOPInstanceUID == sop_uid_of(own_uid(sidecar), Variant(codec="mpeg2"))
            derived = spool / exam / "derived"
            until(lambda: [item.suffix for item in derived.iterdir()] == [".dcm"], 20, "what nobody needs to go")
        finally:
            box.close()


def test_cancelled_while_preparing_ends_the_child() -> None:
    with taking(MPEG2) as archive:
        box = box_of(archive.port, 'transcode = "mpeg2"')
        try:
            spool = box.state / "spool"
            exam = put_exam(spool)
            put_clip(spool, exam, frames=1500)
            box.start("engine")
            until(lambda: children_of(box), 30, "a media child")
            (row,) = box.deliveries(exam)
            box.ctl("queue", "cancel", str(row["id"]))
            until(lambda: not children_of(box), 10, "the child to end")
            assert [item["state"] for item in box.deliveries(exam)] == ["cancelled"]
            derived = spool / exam / "derived"
            until(lambda: list(derived.iterdir()) == [], 20, "what it began to go")
        finally:
            box.close()
    assert archive.stored == []
