"""The composed stream is the file, whichever way it is read, and a damaged bitstream is never sent."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
import simplejpeg
from pydicom.encaps import generate_frames

from smartbox_tui.dicom.build import build_header
from smartbox_tui.dicom.compose import compose, from_part10
from smartbox_tui.dicom.export import export
from smartbox_tui.dicom.lineage import Lineage, LossyStep
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.instance import EXPLICIT_VR_LE, IMPLICIT_VR_LE, Kind
from tests.dicom.pictures import EQUIPMENT, ORDERED, Media, clip, composition, still

GIB = 1 << 30


@pytest.mark.parametrize("size", [1, 7, 4096, 1 << 20])
def test_the_stream_is_the_same_in_pieces_of_any_size(size: int, media: Media) -> None:
    item = composition(ORDERED, still("vl-endoscopic", media.still), media.still)
    if size == 1:
        item = compose(build_header(ORDERED, still("vl-endoscopic", media.still), EQUIPMENT), media.still, 999)
    whole = b"".join(item.chunks(1 << 22))
    assert b"".join(item.chunks(size)) == whole
    assert len(whole) == item.dataset_length
    assert b"".join(item.chunks(size, with_meta=True)) == item.meta + whole


def test_many_small_buffers_are_filled_like_one_large(media: Media) -> None:
    item = composition(ORDERED, clip("video-endoscopic", media.clip_30), media.clip_30)
    space = bytearray(item.dataset_length + 100)
    views = [memoryview(space)[start : start + 37] for start in range(0, len(space), 37)]
    with item.reader() as reader:
        assert reader.readinto_all(views) == item.dataset_length
        assert reader.readinto(memoryview(bytearray(10))) == 0
    assert bytes(space[: item.dataset_length]) == b"".join(item.chunks())


def test_pydicom_reads_the_picture_back(media: Media, objects: Path) -> None:
    path = export(composition(ORDERED, still("vl-endoscopic", media.still), media.still), objects / "new")
    dataset = pydicom.dcmread(path)
    assert path.name == f"{dataset.SOPInstanceUID}.dcm"
    (frame,) = generate_frames(dataset.PixelData, number_of_frames=1)
    jpeg = media.still.read_bytes()
    assert frame == jpeg + b"\0" * (len(jpeg) % 2)
    assert simplejpeg.decode_jpeg(frame).shape == (480, 640, 3)


def test_a_file_read_back_is_sent_as_it_is(media: Media, objects: Path) -> None:
    made = composition(ORDERED, clip("video-endoscopic", media.clip_30), media.clip_30)
    again = from_part10(export(made, objects))
    assert again.meta == made.meta
    assert b"".join(again.chunks()) == b"".join(made.chunks())
    assert (again.sop_class_uid, again.sop_instance_uid, again.transfer_syntax_uid) == (
        made.sop_class_uid,
        made.sop_instance_uid,
        made.transfer_syntax_uid,
    )


def test_only_the_asked_length_of_a_growing_file_belongs_to_the_object(tmp_path: Path) -> None:
    bitstream = tmp_path / "grows"
    bitstream.write_bytes(b"\xff\xd8" + b"A" * 997 + b"later")
    item = compose(build_header(ORDERED, still("vl-endoscopic", bitstream), EQUIPMENT), bitstream, 999)
    (frame,) = generate_frames(pydicom.dcmread(io.BytesIO(whole(item))).PixelData, number_of_frames=1)
    assert frame == b"\xff\xd8" + b"A" * 997 + b"\0"


def whole(item: object) -> bytes:
    return b"".join(item.chunks(with_meta=True))  # type: ignore[attr-defined]


def test_each_frame_of_a_burst_has_its_offset(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    jpegs = [
        simplejpeg.encode_jpeg(rng.integers(0, 255, (32 + 8 * i, 64, 3), dtype=np.uint8), colorsubsampling="422")
        for i in range(5)
    ]
    assert {len(jpeg) % 2 for jpeg in jpegs} == {0, 1}, "both parities must occur, or padding is not tested"
    bitstream = tmp_path / "burst"
    bitstream.write_bytes(b"".join(jpegs))
    index, position = [], 0
    for jpeg in jpegs:
        index.append((position, len(jpeg)))
        position += len(jpeg)
    picture = still("multiframe-sc", bitstream, kind=Kind.BURST, number_of_frames=5, frame_time_ms=100.0)
    data = whole(compose(build_header(ORDERED, picture, EQUIPMENT), bitstream, position, index))
    dataset = pydicom.dcmread(io.BytesIO(data))
    frames = list(generate_frames(dataset.PixelData, number_of_frames=5))
    assert [frame[: len(jpeg)] for frame, jpeg in zip(frames, jpegs, strict=True)] == jpegs
    table = pydicom.encaps.parse_basic_offsets(dataset.PixelData)
    assert len(table) == 5
    start = len(dataset.PixelData[: 8 + 4 * 5])
    for offset, jpeg in zip(table, jpegs, strict=True):
        assert dataset.PixelData[start + offset + 8 :][: len(jpeg)] == jpeg


def test_a_burst_beyond_4_gib_has_an_extended_offset_table(tmp_path: Path) -> None:
    bitstream = tmp_path / "huge"
    with bitstream.open("wb") as file:
        file.truncate(5 * GIB)
    picture = still("multiframe-sc", bitstream, kind=Kind.BURST, number_of_frames=5, frame_time_ms=100.0)
    index = [(number * GIB, GIB) for number in range(5)]
    item = compose(build_header(ORDERED, picture, EQUIPMENT), bitstream, 5 * GIB, index)
    with item.reader(with_meta=True) as reader:
        head = bytearray(1 << 16)
        reader.readinto(memoryview(head))
    dataset = pydicom.dcmread(io.BytesIO(head), stop_before_pixels=True)
    assert np.frombuffer(dataset.ExtendedOffsetTable, "<u8").tolist() == [n * (GIB + 8) for n in range(5)]
    assert np.frombuffer(dataset.ExtendedOffsetTableLengths, "<u8").tolist() == [GIB] * 5


@pytest.mark.parametrize("syntax", [EXPLICIT_VR_LE, IMPLICIT_VR_LE])
def test_decoded_pixels_go_without_encapsulation(syntax: str, tmp_path: Path) -> None:
    pixels = np.random.default_rng(3).integers(0, 255, (33, 21, 3), dtype=np.uint8)
    bitstream = tmp_path / "pixels"
    bitstream.write_bytes(pixels.tobytes())
    picture = still("vl-endoscopic", bitstream, columns=21, rows=33, transfer_syntax_uid=syntax)
    lineage = Lineage(before=(LossyStep("ISO_10918_1", 12.345),))
    item = compose(build_header(ORDERED, picture, EQUIPMENT, lineage), bitstream, pixels.size)
    dataset = pydicom.dcmread(io.BytesIO(whole(item)))
    assert dataset.PhotometricInterpretation == "RGB"
    assert dataset.LossyImageCompression == "01", "decoding does not undo the loss"
    assert (dataset.LossyImageCompressionRatio, dataset.LossyImageCompressionMethod) == (12.35, "ISO_10918_1")
    assert np.array_equal(dataset.pixel_array, pixels)


def test_a_bitstream_shorter_than_it_was_is_refused(media: Media) -> None:
    header = build_header(ORDERED, still("vl-endoscopic", media.still), EQUIPMENT)
    with pytest.raises(SmartBoxError) as caught:
        compose(header, media.still, media.still.stat().st_size + 1)
    assert caught.value.code == "invalid-object"
    with pytest.raises(SmartBoxError, match="not there"):
        compose(header, media.still.with_name("gone"), 10)


def test_a_bitstream_that_shrinks_while_it_is_read_stops_the_object(tmp_path: Path) -> None:
    bitstream = tmp_path / "shrinks"
    bitstream.write_bytes(b"x" * 5000)
    item = compose(build_header(ORDERED, still("vl-endoscopic", bitstream), EQUIPMENT), bitstream, 5000)
    bitstream.write_bytes(b"x" * 100)
    with pytest.raises(SmartBoxError) as caught:
        whole(item)
    assert caught.value.code == "invalid-object"
    with pytest.raises(SmartBoxError):
        export(item, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == [], "half a file must not stay"


def test_4_gib_do_not_fit_into_one_fragment(tmp_path: Path) -> None:
    bitstream = tmp_path / "huge"
    with bitstream.open("wb") as file:
        file.truncate(4 * GIB)
    picture = clip("video-endoscopic", bitstream)
    header = build_header(ORDERED, picture, EQUIPMENT)
    for length in (4 * GIB - 3, 4 * GIB - 2, 4 * GIB):
        with pytest.raises(SmartBoxError, match="4 GiB"):
            compose(header, bitstream, length)
    fits = compose(header, bitstream, 4 * GIB - 4)
    assert fits.dataset_length > 4 * GIB - 4


@pytest.mark.parametrize(
    "content",
    [b"", b"no dicom" * 100, bytes(128) + b"DICM", bytes(128) + b"DICM" + b"\x02\0\x10\0UI\xff\xff1.2"],
    ids=["empty", "text", "no group 2", "cut off"],
)
def test_a_file_that_is_no_dicom_is_refused_with_its_name(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_bytes(content)
    with pytest.raises(SmartBoxError, match=r"letter\.txt") as caught:
        from_part10(path)
    assert caught.value.code == "invalid-object"


def test_a_file_that_is_not_there_or_a_folder_is_said_so(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.dcm", tmp_path):
        with pytest.raises(SmartBoxError) as caught:
            from_part10(path)
        assert caught.value.code == "not-found"


def test_a_foreign_file_without_a_right_group_length_can_be_sent(media: Media, objects: Path) -> None:
    path = export(composition(ORDERED, still("vl-endoscopic", media.still), media.still), objects)
    data = bytearray(path.read_bytes())
    data[140:144] = b"\1\0\0\0"  # (0002,0000) says nonsense
    before = hashlib.sha256(b"".join(from_part10(path).chunks())).digest()
    path.write_bytes(data)
    assert hashlib.sha256(b"".join(from_part10(path).chunks())).digest() == before
