"""What an object is in a few values, however it comes in; and bounded memory for any size."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import random
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit

from smartbox_tui.dicom.compose import from_part10
from smartbox_tui.dicom.fingerprint import Fingerprint, Reader
from smartbox_tui.errors import SmartBoxError

FRAMES = [os.urandom(1000), b"\xe0\x7f\x10\0" + os.urandom(501), os.urandom(3)]


def made(syntax: str, *, frames: list[bytes] | None = None, undefined: bool = False) -> bytes:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3"
    dataset.PatientID, dataset.PatientName = "Ü-1", "Prüf^Jördis"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2", "1.2.1"
    item = Dataset()
    item.CodeValue = "x"
    dataset.ProcedureCodeSequence = [item]
    dataset["ProcedureCodeSequence"].is_undefined_length = undefined
    dataset.add_new(0x00091001, "OB", b"\xe0\x7f\x10\0OB\0\0abcd")  # looks like pixel data, and is none
    dataset.add_new(0x00090010, "LO", "US")
    if frames is None:
        dataset.PixelData = b"".join(FRAMES)
        dataset["PixelData"].VR = "OB"
    else:
        dataset.PixelData = encapsulate(frames)
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
    dataset.add_new(0xFFFCFFFC, "OB", b"\0\0")
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def body(data: bytes, tmp_path: Path) -> bytes:
    """The data set without group 2."""
    path = tmp_path / "x.dcm"
    path.write_bytes(data)
    return b"".join(from_part10(path).chunks())


def read(data: bytes, syntax: str = "", chance: random.Random | None = None) -> Fingerprint:
    reader = Reader(syntax)
    position = 0
    while position < len(data):
        size = chance.choice((1, 2, 7, 100, 4000)) if chance else len(data)
        reader.feed(data[position : position + size])
        position += size
    return reader.finish()


def padded(frames: list[bytes]) -> bytes:
    return b"".join(frame + b"\0" * (len(frame) % 2) for frame in frames)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit])
def test_the_same_however_it_comes(tmp_path: Path, syntax: str, undefined: bool, seed: int) -> None:
    frames = FRAMES if syntax == JPEGBaseline8Bit else None
    data = made(syntax, frames=frames, undefined=undefined)
    pixels = padded(FRAMES) if frames else b"".join(FRAMES)
    digest = hashlib.sha256(pixels).hexdigest()
    wanted = Fingerprint(syntax, "1.2.840.10008.5.1.4.1.1.7", "1.2.3", "1.2", "1.2.1", "Ü-1", digest, len(pixels))
    chance = random.Random(seed)
    assert read(data) == read(data, chance=chance) == wanted
    assert read(body(data, tmp_path), syntax, chance) == wanted


def test_fragments_may_be_cut_anew_and_one_bit_is_another_picture() -> None:
    frames = [bytes(1000), bytes(range(250)) * 4]
    whole = read(made(JPEGBaseline8Bit, frames=frames))
    assert read(made(JPEGBaseline8Bit, frames=[frames[0] + frames[1]])).pixels == whole.pixels
    other = bytearray(frames[1])
    other[77] ^= 1
    assert read(made(JPEGBaseline8Bit, frames=[frames[0], bytes(other)])).pixels != whole.pixels


@pytest.mark.parametrize("share", [0.05, 0.3, 0.9, 0.99])
def test_what_is_cut_off_is_no_object(share: float) -> None:
    data = made(JPEGBaseline8Bit, frames=FRAMES)
    end = data.rindex(b"\xfe\xff\xdd\xe0")
    with pytest.raises(SmartBoxError) as caught:
        read(data[: int(end * share)])
    assert caught.value.code == "invalid-object"


@pytest.mark.parametrize("seed", range(40))
def test_broken_bytes_end_in_an_error_or_in_other_values(seed: int) -> None:
    chance = random.Random(seed)
    data = bytearray(made(chance.choice((ExplicitVRLittleEndian, ImplicitVRLittleEndian)), undefined=True))
    for _ in range(chance.randint(1, 20)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    with contextlib.suppress(SmartBoxError):  # and nothing else
        read(bytes(data), chance=chance)


def test_a_document_without_pixels() -> None:
    data = made(ExplicitVRLittleEndian)
    dataset = pydicom.dcmread(io.BytesIO(data))
    del dataset.PixelData
    del dataset[0xFFFCFFFC]
    del dataset[0x00091001]
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    found = read(buffer.getvalue())
    assert (found.sop_instance_uid, found.pixels, found.length) == ("1.2.3", "", 0)


def test_memory_does_not_grow_with_the_object(tmp_path: Path) -> None:
    """300 MB in one fragment."""
    data = body(made(JPEGBaseline8Bit, frames=[b"ab"]), tmp_path)
    head = data[: data.index(b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff") + 12]
    reader = Reader(JPEGBaseline8Bit)
    piece, count = os.urandom(1 << 20), 300
    before = _rss()
    reader.feed(head + b"\xfe\xff\x00\xe0\0\0\0\0" + b"\xfe\xff\x00\xe0" + (count << 20).to_bytes(4, "little"))
    for _ in range(count):
        reader.feed(piece)
    reader.feed(b"\xfe\xff\xdd\xe0\0\0\0\0")
    assert reader.finish().length == count << 20
    assert _rss() - before < 20 << 20


def _rss() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
