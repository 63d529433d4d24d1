"""JPEG repair: markers mended, entropy-coded data untouched, everything else refused."""

from __future__ import annotations

import numpy as np
import pytest
import simplejpeg
from hypothesis import given
from hypothesis import strategies as st

from hw.fake.pictures import as_webcam
from smartbox_tui.media.jpeg import STANDARD_TABLES, NotBaseline, entropy_coded, repair


def jpeg(across: int = 2, down: int = 1, width: int = 64, height: int = 48) -> bytes:
    noise = np.random.default_rng(1)
    luma = noise.integers(0, 255, (height, width), np.uint8)
    chroma = noise.integers(0, 255, (2, height // down, width // across), np.uint8)
    return bytes(simplejpeg.encode_jpeg_yuv_planes(luma, chroma[0], chroma[1], quality=80))


WHOLE = jpeg()
WEBCAM = as_webcam(WHOLE)


@pytest.mark.parametrize(("across", "down", "sampling"), [(2, 1, "422"), (1, 1, "444"), (2, 2, "420")])
def test_a_whole_picture_stays_as_it_is(across: int, down: int, sampling: str) -> None:
    data = jpeg(across, down)
    found = repair(data)
    assert found.data == data
    assert (found.width, found.height, found.sampling) == (64, 48, sampling)


def test_what_webcams_leave_out_is_put_in_and_what_they_add_is_cut() -> None:
    found = repair(WEBCAM)
    assert entropy_coded(found.data) == entropy_coded(WHOLE)
    assert STANDARD_TABLES in found.data
    assert b"AVI1" not in found.data
    assert found.data.endswith(b"\xff\xd9")
    assert (simplejpeg.decode_jpeg(found.data) == simplejpeg.decode_jpeg(WHOLE)).all()


def test_repairing_twice_changes_nothing() -> None:
    once = repair(WEBCAM).data
    assert repair(once).data == once


def test_the_standard_tables_are_those_of_libjpeg() -> None:
    assert all(table in WHOLE for table in (STANDARD_TABLES[:33], STANDARD_TABLES[33:214]))


def test_restart_markers_and_stuffed_bytes_belong_to_the_data() -> None:
    cut = len(WHOLE) - 2
    with_restart = WHOLE[:cut] + b"\xff\xd0\xff\x00\x12" + WHOLE[cut:]
    assert repair(with_restart).data == with_restart


def changed(marker: int, offset: int, value: int) -> bytes:
    """The picture with one byte of the segment of `marker` changed."""
    at = WHOLE.index(bytes((0xFF, marker)))
    data = bytearray(WHOLE)
    data[at + 4 + offset] = value
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "begin"),
        (b"RIFF", "begin"),
        (WHOLE[:-2], "no end"),
        (WHOLE[:100], "header|ends"),
        (WHOLE.replace(b"\xff\xc0", b"\xff\xc2"), "baseline"),
        (WHOLE.replace(b"\xff\xc0", b"\xff\xc1"), "baseline"),
        (changed(0xC0, 0, 12), "8 bits"),
        (changed(0xC0, 5, 1), "three components"),
        (changed(0xC0, 7, 0x41), "sampled"),
        (changed(0xC0, 7, 0x12), "sampled"),
        (changed(0xDA, 2, 0x33), "Huffman"),
        (WHOLE[:-2] + b"\xff\xda" + WHOLE[-2:], "more than one scan"),
    ],
)
def test_anything_else_is_refused_with_the_reason(data: bytes, why: str) -> None:
    with pytest.raises(NotBaseline, match=why):
        repair(data)


@given(st.integers(0, len(WEBCAM)), st.binary(max_size=8))
def test_damage_never_does_more_than_refuse(at: int, noise: bytes) -> None:
    try:
        repair(WEBCAM[:at] + noise + WEBCAM[at + len(noise) :])
    except NotBaseline:
        pass
