"""The same instance in another transfer syntax: header, SOF1, fragments, and what must not change."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
import simplejpeg

from smartbox_tui.dicom.build import build_header
from smartbox_tui.dicom.compose import compose, document
from smartbox_tui.dicom.lineage import Lineage, LossyStep
from smartbox_tui.dicom.part10 import read_meta
from smartbox_tui.dicom.rejection import build_rejection_note
from smartbox_tui.dicom.relabel import decoded, reencoded, relabelled
from smartbox_tui.dicom.validate import validate_composition
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.media.jpeg import NotBaseline, baseline_at
from smartbox_tui.model.instance import (
    EXPLICIT_VR_LE,
    FRAGMENTABLE,
    H264_HP_41,
    IMPLICIT_VR_LE,
    JPEG_BASELINE,
    JPEG_EXTENDED,
    KEY_OBJECT_SELECTION,
)
from smartbox_tui.model.rejection import RejectionNote
from tests.dicom.pictures import EQUIPMENT, ORDERED, TAKEN, UNASSIGNED, Media, clip, still


def body(header: bytes) -> bytes:
    return header[read_meta(header, "x").size :]


@pytest.mark.parametrize("study", [ORDERED, UNASSIGNED], ids=["ordered", "unassigned"])
@pytest.mark.parametrize("syntax", [EXPLICIT_VR_LE, IMPLICIT_VR_LE])
def test_decoded_is_what_would_be_built_for_the_pixels(media: Media, study: object, syntax: str) -> None:
    picture = still("vl-endoscopic", media.still)
    captured = build_header(study, picture, EQUIPMENT)  # type: ignore[arg-type]
    ratio = picture.uncompressed_bytes / picture.bitstream_bytes
    from dataclasses import replace

    native = replace(picture, transfer_syntax_uid=syntax)
    lineage = Lineage(before=(LossyStep("ISO_10918_1", ratio),))
    assert decoded(captured, syntax) == build_header(study, native, EQUIPMENT, lineage)  # type: ignore[arg-type]


def test_relabelled_leaves_the_data_set_alone(media: Media) -> None:
    header = build_header(ORDERED, still("vl-endoscopic", media.still), EQUIPMENT)
    again = relabelled(header, JPEG_EXTENDED)
    assert body(again) == body(header)
    assert read_meta(again, "x").transfer_syntax_uid == JPEG_EXTENDED
    assert relabelled(again, JPEG_BASELINE) == header


def test_what_is_no_header_is_an_error() -> None:
    for damaged in (b"", bytes(200), b"x" * 500):
        with pytest.raises(SmartBoxError) as caught:
            decoded(damaged, EXPLICIT_VR_LE)
        assert caught.value.code == "invalid-object"
        with pytest.raises(SmartBoxError):
            relabelled(damaged, JPEG_EXTENDED)


def test_a_note_in_implicit_vr_says_the_same() -> None:
    note = RejectionNote("1.2.6", "1.2.7", 900, 1, TAKEN, (("1.2.2", KEY_OBJECT_SELECTION, "1.2.5"),))
    made = build_rejection_note(ORDERED, note, EQUIPMENT)
    implicit = document(reencoded(made, IMPLICIT_VR_LE))
    assert implicit.transfer_syntax_uid == IMPLICIT_VR_LE
    back = pydicom.dcmread(BytesIO(b"".join(implicit.chunks(with_meta=True))))
    first = pydicom.dcmread(BytesIO(made))
    del back.file_meta, first.file_meta
    assert back == first
    assert [item for item in validate_composition(implicit) if item.severity == "error"] == []


def test_sof1_by_one_byte(media: Media) -> None:
    data = media.still.read_bytes()
    at = baseline_at(data[:65536])
    assert data[at - 1 : at + 1] == b"\xff\xc0"
    header = relabelled(build_header(ORDERED, still("vl-endoscopic", media.still), EQUIPMENT), JPEG_EXTENDED)
    made = compose(header, media.still, len(data), patches=[(at, b"\xc1")])
    assert [item for item in validate_composition(made) if item.severity == "error"] == []
    read = pydicom.dcmread(BytesIO(b"".join(made.chunks(with_meta=True))))
    (frame,) = pydicom.encaps.generate_frames(read.PixelData, number_of_frames=1)
    assert frame[: len(data)] == data[:at] + b"\xc1" + data[at + 1 :]
    assert np.array_equal(simplejpeg.decode_jpeg(frame), simplejpeg.decode_jpeg(data))
    with pytest.raises(NotBaseline):
        baseline_at(frame)


def test_a_stream_of_more_than_4_gib_is_several_fragments_of_the_twin(media: Media, tmp_path: Path) -> None:
    path = tmp_path / "long.ts"
    size = (1 << 32) + 1001
    path.write_bytes(media.clip_30.read_bytes())
    os.truncate(path, size)  # sparse: it takes no room
    header = build_header(ORDERED, clip("video-endoscopic", media.clip_30, H264_HP_41), EQUIPMENT)
    with pytest.raises(SmartBoxError) as caught:
        compose(header, path, size)
    assert caught.value.code == "invalid-object"
    made = compose(relabelled(header, FRAGMENTABLE[H264_HP_41]), path, size)
    pieces = [item for item in made.segments if not isinstance(item, bytes)]
    assert [item.offset for item in pieces] == [0, pieces[0].length]
    assert sum(item.length for item in pieces) == size
    assert all(item.length % 2 == 0 for item in pieces[:-1])
    findings = [item.rule for item in validate_composition(made) if item.severity == "error"]
    assert "fragments" not in findings
    assert "transfer-syntax" not in findings
    assert "cap" not in findings
