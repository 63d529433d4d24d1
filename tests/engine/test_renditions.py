"""What destinations get that is not as captured, by real engines and real peers: classes, syntaxes, containers."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pydicom
import pytest
import simplejpeg

from smartbox_tui.dicom.iods import IODS
from smartbox_tui.model.instance import (
    EXPLICIT_VR_LE,
    H264_HP_41,
    IMPLICIT_VR_LE,
    JPEG_BASELINE,
    JPEG_EXTENDED,
    SOP_CLASSES,
)
from smartbox_tui.model.uids import uid_of
from smartbox_tui.model.variant import Variant, sop_uid_of
from smartbox_tui.spool.bitstream import remuxed_name
from tests.support import clips
from tests.support.box import Box, settings, until
from tests.support.dcmtk import dciodvfy, storescp
from tests.support.orthanc import orthanc
from tests.support.spooled import put_exam, put_still
from tests.support.taking import Taking, put_burst, put_clip, taking

ENDOSCOPIC, PHOTOGRAPHIC = SOP_CLASSES["vl-endoscopic"], SOP_CLASSES["vl-photographic"]
VIDEO, VIDEO_PHOTOGRAPHIC = SOP_CLASSES["video-endoscopic"], SOP_CLASSES["video-photographic"]
EVERYTHING = [(iod.sop_class_uid, syntax) for iod in IODS.values() for syntax in iod.transfer_syntaxes]


def second(port: int, **keys: str) -> str:
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
    return f"""
[[destinations]]
name = "second"
host = "127.0.0.1"
port = {port}
aet = "ORTHANC"
timeout_s = 10
send = "immediately"
retry = {{ first_s = 0.2, max_s = 1 }}
{lines}"""


def box_of(port: int, extra: str = "") -> Box:
    box = Box(settings(port, send="immediately", extra=extra))
    (box.state / "spool").mkdir(parents=True)
    return box


@pytest.fixture
def everything() -> Iterator[Taking]:
    with taking(EVERYTHING) as archive:
        yield archive


def decoded(folder: Path, sidecar: Any) -> bytes:
    """As the JPEG decoder sees it."""
    data = (folder / sidecar.file).read_bytes()
    index = sidecar.index or [(0, len(data))]
    return b"".join(simplejpeg.decode_jpeg(data[at : at + size]).tobytes() for at, size in index)


def own_uid(sidecar: Any) -> str:
    return uid_of(UUID(sidecar.id))


def blocked(box: Box, exam: str) -> dict[str, Any]:
    (row,) = until(lambda: [row for row in box.deliveries(exam) if row["state"] == "blocked"], what="blocked")
    return row


# ---- classes


def test_another_class_is_a_derived_instance_of_its_own(everything: Taking) -> None:
    with taking(EVERYTHING) as other:
        box = box_of(everything.port, second(other.port, still_class="vl-photographic"))
        try:
            exam = put_exam(box.state / "spool")
            sidecar = put_still(box.state / "spool", exam)
            box.start("engine")
            rows = box.wait_stored(exam, 2)
            (captured,), (derived,) = everything.stored, other.stored
            assert (captured.SOPInstanceUID, captured.SOPClassUID) == (own_uid(sidecar), ENDOSCOPIC)
            assert list(captured.ImageType) == ["ORIGINAL", "PRIMARY"]
            assert derived.SOPInstanceUID == sop_uid_of(own_uid(sidecar), Variant(sop_class="vl-photographic"))
            assert (derived.SOPClassUID, derived.Modality) == (PHOTOGRAPHIC, "XC")
            assert list(derived.ImageType) == ["DERIVED", "PRIMARY"]
            (source,) = derived.SourceImageSequence
            assert source.ReferencedSOPInstanceUID == captured.SOPInstanceUID
            assert "VL Photographic Image" in derived.DerivationDescription
            assert derived.PixelData == captured.PixelData
            assert derived.StudyInstanceUID == captured.StudyInstanceUID
            assert derived.SeriesInstanceUID != captured.SeriesInstanceUID, "a series has one modality"
            assert {row["sop_instance_uid"] for row in rows} == {derived.SOPInstanceUID, captured.SOPInstanceUID}
            # after the database is lost, nobody gets anything a second time
            assert box.stop("engine") == 0
            done = box.smartbox("store", "rebuild")
            assert (done["stored"], done["open"]) == (2, 0)
            box.start("engine")
            box.wait_stored(exam, 2)
            assert (len(everything.stored), len(other.stored)) == (1, 1)
        finally:
            box.close()


def test_export_for_a_destination_writes_what_it_gets(everything: Taking, tmp_path: Path) -> None:
    box = box_of(everything.port, 'still_class = "vl-photographic"\ncharset = "latin-1"')
    try:
        exam = put_exam(box.state / "spool")
        put_still(box.state / "spool", exam)
        box.start("engine")
        box.wait_stored(exam, 1)
        (got,) = everything.stored
        arguments = ("dicom", "export", "--destination", "archive", "--out", str(tmp_path / "out"))
        (file,) = box.smartbox(*arguments)["exported"]
        exported = pydicom.dcmread(file["file"])
        del exported.file_meta
        assert exported == got
        assert got.SpecificCharacterSet == "ISO_IR 100"
        (file,) = box.smartbox("dicom", "export", str(got.SOPInstanceUID), "--out", str(tmp_path / "plain"))[
            "exported"
        ]
        assert pydicom.dcmread(file["file"]).SOPClassUID == ENDOSCOPIC
    finally:
        box.close()


def test_export_makes_for_itself_what_nobody_needed_yet(tmp_path: Path) -> None:
    box = Box(settings(104, send="manual", extra='container = "ts"'))
    try:
        spool = box.state / "spool"
        spool.mkdir(parents=True)
        exam = put_exam(spool)
        sidecar = put_clip(spool, exam, container="mp4")
        hashes = clips.pictures(spool / exam / sidecar.file)
        box.start("engine")
        (row,) = until(lambda: box.deliveries(exam))
        assert (row["state"], row["code"]) == ("held", "manual")
        for arguments, container, uid in (
            ((), "mp4", own_uid(sidecar)),
            (("--destination", "archive"), "ts", sop_uid_of(own_uid(sidecar), Variant(container="ts"))),
        ):
            out = tmp_path / container
            (file,) = box.smartbox("dicom", "export", *arguments, "--out", str(out))["exported"]
            assert file["sop_instance_uid"] == uid
            assert [path.name for path in out.iterdir()] == [f"{uid}.dcm"], "nothing else is left there"
            (stream,) = pydicom.encaps.generate_frames(pydicom.dcmread(file["file"]).PixelData, number_of_frames=1)
            path = tmp_path / f"back.{container}"
            path.write_bytes(stream)
            assert clips.pictures(path) == hashes
            assert (stream[4:8] == b"ftyp") is (container == "mp4")
        assert (spool / exam / sidecar.file).exists(), "the spool was only read"
        assert not (spool / exam / "derived").exists()
    finally:
        box.close()


# ---- syntaxes


def test_sof1_is_composed_on_the_way_out(tmp_path: Path) -> None:
    with taking([(ENDOSCOPIC, JPEG_EXTENDED), (SOP_CLASSES["multiframe-sc"], JPEG_EXTENDED)]) as archive:
        box = box_of(archive.port)
        try:
            exam = put_exam(box.state / "spool")
            still, burst = put_still(box.state / "spool", exam), put_burst(box.state / "spool", exam)
            box.start("engine")
            box.wait_stored(exam, 2)
        finally:
            box.close()
    by_uid = {item.SOPInstanceUID: item for item in archive.stored}
    for sidecar in (still, burst):
        got = by_uid[own_uid(sidecar)]
        assert list(got.ImageType) == ["ORIGINAL", "PRIMARY"]
        frames = pydicom.encaps.generate_frames(got.PixelData, number_of_frames=sidecar.frames)
        for frame in frames:
            at = frame.index(b"\xff\xc1\x00\x11\x08")
            assert b"\xff\xc0\x00\x11\x08" not in frame
            back = frame[:at] + b"\xff\xc0" + frame[at + 2 :]
            assert np.array_equal(simplejpeg.decode_jpeg(frame), simplejpeg.decode_jpeg(back))


def test_nothing_suitable_is_told_with_what_was_offered_and_what_is_taken() -> None:
    with taking([(PHOTOGRAPHIC, JPEG_BASELINE)]) as archive:
        box = box_of(archive.port)
        try:
            exam = put_exam(box.state / "spool")
            put_still(box.state / "spool", exam)
            box.start("engine")
            row = blocked(box, exam)
            assert row["code"] == "no-context"
            offered, _, takes = row["reason"].partition("It takes:")
            for name in ("JPEG Baseline", "JPEG Extended", "Explicit VR", "Implicit VR", "VL Endoscopic Image"):
                assert name in offered
            assert "VL Photographic Image as JPEG Baseline" in takes
            assert "1.2.840" not in row["reason"]
            assert row["attempts"] == 0
        finally:
            box.close()
    assert archive.stored == []


@pytest.mark.parametrize(("option", "syntax"), [("+xi", IMPLICIT_VR_LE), ("+xe", EXPLICIT_VR_LE)])
def test_an_archive_without_jpeg_gets_the_pixels_under_the_same_uid(
    tmp_path: Path, option: str, syntax: str
) -> None:
    with storescp(tmp_path / "scp", option, "+B") as archive:
        box = box_of(archive.port)
        try:
            exam = put_exam(box.state / "spool")
            still, burst = put_still(box.state / "spool", exam), put_burst(box.state / "spool", exam)
            pixels = {item.id: decoded(box.state / "spool" / exam, item) for item in (still, burst)}
            box.start("engine")
            box.wait_stored(exam, 2)
            derived = box.state / "spool" / exam / "derived"
            until(lambda: not [path for path in derived.iterdir() if path.suffix == ".rgb"], what="pixels to go")
        finally:
            box.close()
        found = {item.SOPInstanceUID: item for item in map(pydicom.dcmread, archive.files())}
        for path in archive.files():
            assert dciodvfy(path)[0] == []
    assert set(found) == {own_uid(still), own_uid(burst)}
    for sidecar in (still, burst):
        got = found[own_uid(sidecar)]
        if syntax == IMPLICIT_VR_LE:
            assert got.file_meta.TransferSyntaxUID == syntax
        assert (got.PhotometricInterpretation, got.PlanarConfiguration) == ("RGB", 0)
        assert list(got.ImageType) == ["ORIGINAL", "PRIMARY"]
        assert (got.LossyImageCompression, got.LossyImageCompressionMethod) == ("01", "ISO_10918_1")
        assert got.PixelData == pixels[sidecar.id]


# ---- containers


def test_the_pictures_own_mp4_takes_the_place_of_the_ts(everything: Taking) -> None:
    box = box_of(everything.port)
    try:
        spool = box.state / "spool"
        exam = put_exam(spool)
        sidecar = put_clip(spool, exam, container="mp4", rest=b"\x47" * 500)
        hashes = clips.pictures(spool / exam / sidecar.file, sidecar.bytes)
        box.start("engine")
        box.wait_stored(exam, 1)
        (got,) = everything.stored
        assert (got.SOPInstanceUID, got.SOPClassUID) == (own_uid(sidecar), VIDEO)
        assert list(got.ImageType) == ["ORIGINAL", "PRIMARY"]
        (stream,) = pydicom.encaps.generate_frames(got.PixelData, number_of_frames=1)
        assert stream[4:8] == b"ftyp"
        mp4 = spool / exam / remuxed_name(sidecar.id)
        assert clips.pictures(mp4) == hashes
        assert stream[: mp4.stat().st_size] == mp4.read_bytes()
        assert not (spool / exam / sidecar.file).exists()
        instance = box.ctl("instance", "show", own_uid(sidecar))["instance"]
        assert instance["bytes"] == mp4.stat().st_size
        assert box.stop("engine") == 0
        assert box.smartbox("store", "check")["problems"] == []
        box.smartbox("store", "rebuild")
        box.start("engine")
        box.wait_stored(exam, 1)
        assert len(everything.stored) == 1
    finally:
        box.close()


@pytest.mark.parametrize(("own", "wanted"), [("ts", "mp4"), ("mp4", "ts")])
def test_another_container_is_a_derived_instance(everything: Taking, own: str, wanted: str) -> None:
    with taking(EVERYTHING) as other:
        extra = second(other.port, container=wanted, clip_class="video-photographic")
        box = box_of(everything.port, extra)
        try:
            spool = box.state / "spool"
            exam = put_exam(spool)
            sidecar = put_clip(spool, exam, container=own)
            hashes = clips.pictures(spool / exam / sidecar.file)
            box.start("engine")
            box.wait_stored(exam, 2)
            (captured,), (derived,) = everything.stored, other.stored
            assert captured.SOPInstanceUID == own_uid(sidecar)
            variant = Variant(sop_class="video-photographic", container=wanted)
            assert derived.SOPInstanceUID == sop_uid_of(own_uid(sidecar), variant)
            assert (derived.SOPClassUID, list(derived.ImageType)) == (VIDEO_PHOTOGRAPHIC, ["DERIVED", "PRIMARY"])
            assert derived.NumberOfFrames == captured.NumberOfFrames == sidecar.frames
            assert "MP4" in derived.DerivationDescription
            (stream,) = pydicom.encaps.generate_frames(derived.PixelData, number_of_frames=1)
            path = box.folder / f"back.{wanted}"
            path.write_bytes(stream)
            assert clips.pictures(path) == hashes
            made = spool / exam / "derived"
            until(lambda: not [item for item in made.iterdir() if item.suffix in (".ts", ".mp4")], what="tidying")
            assert (spool / exam / (remuxed_name(sidecar.id) if own == "mp4" else sidecar.file)).exists()
            assert box.stop("engine") == 0
            assert box.smartbox("store", "check")["problems"] == []
        finally:
            box.close()


def test_an_archive_that_takes_the_twin_only_gets_the_twin() -> None:
    from smartbox_tui.model.instance import FRAGMENTABLE

    with taking([(VIDEO, FRAGMENTABLE[H264_HP_41])]) as archive:
        box = box_of(archive.port)
        try:
            exam = put_exam(box.state / "spool")
            sidecar = put_clip(box.state / "spool", exam)
            box.start("engine")
            box.wait_stored(exam, 1)
        finally:
            box.close()
    assert archive.uids() == [own_uid(sidecar)]


# ---- the whole box


@pytest.mark.orthanc
def test_a_recording_of_an_mp4_source_arrives_as_mp4(tmp_path: Path) -> None:
    with orthanc(tmp_path / "orthanc") as archive:
        config = settings(archive.port, send="immediately").replace(
            "preroll_s = 5", 'preroll_s = 5\ncontainer = "mp4"'
        )
        box = Box(config)
        try:
            box.start()
            exam = box.open_exam()["id"]
            box.ctl("record", "start")
            time.sleep(1.5)
            stopped = box.ctl("record", "stop")
            rows = box.deliveries(exam)
            assert [row["state"] in ("queued", "preparing", "sending", "stored") for row in rows] == [True]
            box.ctl("exam", "close")
            box.wait_stored(exam, 1)
            uid = stopped["instances"][0]["sop_instance_uid"]
            got = pydicom.dcmread(io.BytesIO(archive.file_of(uid)))
            (stream,) = pydicom.encaps.generate_frames(got.PixelData, number_of_frames=1)
            assert stream[4:8] == b"ftyp"
            path = tmp_path / "back.mp4"
            path.write_bytes(stream)
            assert len(clips.pictures(path)) == got.NumberOfFrames == stopped["frames"]
            assert dciodvfy_of(tmp_path, archive.file_of(uid)) == []
            instance = box.ctl("instance", "show", uid)["instance"]
            (mp4,) = (box.state / "spool" / exam).glob("*.mp4")
            assert instance["bytes"] == mp4.stat().st_size
            until(lambda: not list((box.state / "spool" / exam).glob("*.ts")), what="the TS to go")
        finally:
            box.close()


@pytest.mark.orthanc
def test_orthanc_that_takes_plain_pixels_only_gets_them(tmp_path: Path) -> None:
    with orthanc(tmp_path / "orthanc", AcceptedTransferSyntaxes=[EXPLICIT_VR_LE]) as archive:
        box = box_of(archive.port)
        try:
            exam = put_exam(box.state / "spool")
            still = put_still(box.state / "spool", exam)
            pixels = decoded(box.state / "spool" / exam, still)
            box.start("engine")
            box.wait_stored(exam, 1)
            got = pydicom.dcmread(io.BytesIO(archive.file_of(own_uid(still))))
            assert got.file_meta.TransferSyntaxUID == EXPLICIT_VR_LE
            assert got.PixelData == pixels
        finally:
            box.close()


def dciodvfy_of(folder: Path, data: bytes) -> list[str]:
    path = folder / "checked.dcm"
    path.write_bytes(data)
    return dciodvfy(path)[0]
