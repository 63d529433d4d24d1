"""A burst from the trigger to the archive and back: one object, every frame bit by bit, its offsets right."""

from __future__ import annotations

import io
import itertools
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pydicom
import pytest
import simplejpeg
from pydicom.encaps import generate_frames, parse_basic_offsets

from smartbox_tui.model.instance import JPEG_BASELINE, SOP_CLASSES
from smartbox_tui.spool.sidecar import read_sidecar
from tests.engine.test_codes_and_pictures import get
from tests.support.box import Box, until
from tests.support.dcmtk import dciodvfy
from tests.support.frames import assert_no_frame_lost_or_doubled, dataset_bytes, strip_of_jpeg
from tests.support.orthanc import Orthanc


def spooled(box: Box, instance: dict[str, Any]) -> list[bytes]:
    """The frames as capture wrote them."""
    folder = box.state / "spool" / instance["exam"]
    sidecar = read_sidecar(folder / f"{instance['id']}.json")
    data = (folder / sidecar.file).read_bytes()
    return [data[at : at + length] for at, length in sidecar.index]


def even(frame: bytes) -> bytes:
    return frame + b"\0" * (len(frame) % 2)


@pytest.mark.orthanc
def test_a_burst_arrives_as_one_object_with_every_frame(box: Box, archive: Orthanc, tmp_path: Path) -> None:
    exam = box.open_exam()
    still = box.ctl("still")["instance"]
    answer = box.ctl("still", "--burst", "7")
    burst = answer["instance"]
    assert answer["instances"] == [burst]
    assert (burst["kind"], burst["frames"]) == ("burst", 7)
    box.ctl("exam", "close")
    rows = box.wait_stored(exam["id"], 2)
    assert len(rows) == 2
    uid = burst["sop_instance_uid"]

    frames = spooled(box, burst)
    strips = [strip_of_jpeg(frame) for frame in frames]
    assert_no_frame_lost_or_doubled(strips, burst["frames_lost"])
    measured_ms = (strips[-1].number - strips[0].number) / 6 * 1000 / 30

    got = archive.file_of(uid)
    dataset = pydicom.dcmread(io.BytesIO(got))
    assert dataset.file_meta.TransferSyntaxUID == JPEG_BASELINE
    assert dataset.SOPClassUID == SOP_CLASSES["multiframe-sc"]
    assert int(dataset.NumberOfFrames) == 7
    assert float(dataset.FrameTime) == pytest.approx(measured_ms, abs=0.1)
    assert dataset.FrameIncrementPointer == pydicom.tag.Tag("FrameTime")
    assert dataset.PhotometricInterpretation == "YBR_FULL_422"
    assert list(dataset.ImageType) == ["ORIGINAL", "PRIMARY"]
    assert [bytes(frame) for frame in generate_frames(dataset.PixelData, number_of_frames=7)] == [
        even(frame) for frame in frames
    ]
    offsets = parse_basic_offsets(dataset.PixelData)
    lengths = [8 + len(even(frame)) for frame in frames]
    assert offsets == [0, *itertools.accumulate(lengths[:-1])]

    # One series for all pictures of the source, and it has one modality (IHE EIA; PS3.3 C.7.3.1).
    other = pydicom.dcmread(io.BytesIO(archive.file_of(still["sop_instance_uid"])))
    assert (dataset.SeriesInstanceUID, dataset.Modality) == (other.SeriesInstanceUID, other.Modality)
    assert dataset.InstanceNumber != other.InstanceNumber

    exported = box.smartbox("dicom", "export", "--study", exam["study_instance_uid"], "--out", str(tmp_path))
    file = next(item["file"] for item in exported["exported"] if item["sop_instance_uid"] == uid)
    assert dataset_bytes(Path(file).read_bytes()) == dataset_bytes(got)
    assert dciodvfy(Path(file))[0] == []
    (checked,) = box.smartbox("dicom", "validate", file)["files"]
    assert checked["ok"]
    assert [item for item in checked["findings"] if item["severity"] == "error"] == []


@pytest.mark.orthanc
def test_a_burst_has_a_picture_for_the_screens(box: Box) -> None:
    box.open_exam()
    burst = box.ctl("still", "--burst", "3")["instance"]
    until(lambda: box.ctl("exam", "current")["exam"]["instances"] == 1)
    for query in ("", "?width=160"):
        kind, data = get(box, f"/v1/instances/{burst['id']}/picture{query}")
        height, width = simplejpeg.decode_jpeg_header(data)[:2]
        assert kind == "image/jpeg"
        assert (width, height) == ((160, 90) if query else (640, 360))


@pytest.mark.orthanc
def test_a_burst_that_a_crash_cut_short_arrives_with_what_there_was(box: Box, archive: Orthanc) -> None:
    exam = box.open_exam()
    taking = subprocess.Popen(
        [sys.executable, "-m", "smartbox_tui.cli", "ctl", "still", "--burst", "30", *box.common],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    folder = box.state / "spool" / exam["id"]
    (path,) = until(lambda: list(folder.glob("*.mjpeg")))
    # a crash before the first picture is safe leaves none, and promises none
    until(path.with_suffix(".json").exists, what="its first picture to be safe")
    time.sleep(0.2)
    box.kill("capture")
    taking.wait(30)
    size = path.stat().st_size
    box.start("capture")
    until(lambda: len(box.ctl("exam", "show", exam["id"])["deliveries"]) == 1, 30, "the engine to adopt it")
    box.ctl("exam", "close")
    (row,) = box.wait_stored(exam["id"], 1)
    sidecar = read_sidecar(folder / f"{path.stem}.json")
    dataset = pydicom.dcmread(io.BytesIO(archive.file_of(row["sop_instance_uid"])))
    assert int(dataset.NumberOfFrames) == sidecar.frames == len(sidecar.index)
    assert 1 <= sidecar.frames < 30
    assert sidecar.bytes <= size
    assert len(list(generate_frames(dataset.PixelData, number_of_frames=sidecar.frames))) == sidecar.frames
