"""The presentation contexts the requirement names: each negotiated, sent, and read back from a real archive."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import simplejpeg

from smartbox_tui.dicom.build import build_header
from smartbox_tui.dicom.compose import Composition, compose, from_part10
from smartbox_tui.dicom.lineage import Lineage, LossyStep
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.dicom.scu.store import StoreSession
from smartbox_tui.model.instance import (
    EXPLICIT_VR_LE,
    H264_HP_41,
    IMPLICIT_VR_LE,
    JPEG_BASELINE,
    JPEG_EXTENDED,
    MPEG2_MPHL,
    MPEG2_MPML,
)
from tests.dicom.pictures import CLIP_WORDS, EQUIPMENT, ORDERED, Media, clip, composition, still
from tests.support.dcmtk import storescp
from tests.support.orthanc import Orthanc

JPEG = Lineage(before=(LossyStep("ISO_10918_1", 10.0),))


def stills(media: Media, folder: Path) -> list[Composition]:
    """Secondary Capture and Multi-frame True Color SC in each of the four syntaxes of a still."""
    jpeg = media.still.read_bytes()
    extended, pixels = folder / "sof1.jpg", folder / "pixels"
    extended.write_bytes(jpeg.replace(b"\xff\xc0", b"\xff\xc1", 1))  # extended sequential covers 8-bit baseline
    pixels.write_bytes(simplejpeg.decode_jpeg(jpeg).tobytes())
    made = []
    for word in ("secondary-capture", "multiframe-sc"):
        made.append(composition(ORDERED, still(word, media.still), media.still))
        for path, syntax in ((extended, JPEG_EXTENDED), (pixels, EXPLICIT_VR_LE), (pixels, IMPLICIT_VR_LE)):
            lineage = JPEG if path is pixels else Lineage()
            header = build_header(ORDERED, still(word, path, transfer_syntax_uid=syntax), EQUIPMENT, lineage)
            made.append(compose(header, path, path.stat().st_size))
    return made


def clips(media: Media) -> list[Composition]:
    made = []
    for word in CLIP_WORDS:
        made.append(composition(ORDERED, clip(word, media.clip_30), media.clip_30))
        for path, syntax in ((media.mpeg2_ml, MPEG2_MPML), (media.mpeg2_hl, MPEG2_MPHL)):
            made.append(composition(ORDERED, clip(word, path, syntax), path))
    return made


def test_the_list_is_complete(media: Media, tmp_path: Path) -> None:
    items = stills(media, tmp_path) + clips(media)
    assert {item.transfer_syntax_uid for item in items} == {
        IMPLICIT_VR_LE,
        EXPLICIT_VR_LE,
        JPEG_BASELINE,
        JPEG_EXTENDED,
        MPEG2_MPML,
        MPEG2_MPHL,
        H264_HP_41,
    }
    assert len({(item.sop_class_uid, item.transfer_syntax_uid) for item in items}) == len(items) == 17


@pytest.mark.orthanc
def test_orthanc_takes_each_and_gives_it_back(archive: Orthanc, media: Media, tmp_path: Path) -> None:
    items = stills(media, tmp_path) + clips(media)
    pairs = [(item.sop_class_uid, item.transfer_syntax_uid) for item in items]
    with StoreSession(Peer("127.0.0.1", archive.port, archive.aet), pairs) as session:
        assert session.accepted == pairs
        for item in items:
            assert session.store(item).status == 0
    for item in items:
        back = tmp_path / "back.dcm"
        back.write_bytes(archive.file_of(item.sop_instance_uid))
        assert b"".join(from_part10(back).chunks()) == b"".join(item.chunks()), item.transfer_syntax_uid


def test_storescp_takes_each(media: Media, tmp_path: Path) -> None:
    items = stills(media, tmp_path) + clips(media)
    pairs = [(item.sop_class_uid, item.transfer_syntax_uid) for item in items]
    with storescp(tmp_path / "scp", "+B") as peer:
        with StoreSession(Peer("127.0.0.1", peer.port, "STORESCP"), pairs) as session:
            assert [session.store(item).status for item in items] == [0] * len(items)
        held = {item.sop_instance_uid: item for item in map(from_part10, peer.files())}
    assert set(held) == {item.sop_instance_uid for item in items}
    assert all(held[item.sop_instance_uid].transfer_syntax_uid == item.transfer_syntax_uid for item in items)


def test_importing_the_room_loads_neither_pydicom_nor_pynetdicom_nor_numpy() -> None:
    modules = ("build", "compose", "export", "iods", "scp", "scu.store", "scu.echo", "scu.status")
    code = (
        "import sys\n"
        + "".join(f"import smartbox_tui.dicom.{name}\n" for name in modules)
        + "print([name for name in ('pydicom', 'pynetdicom', 'numpy') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
