"""Pictures of other makers: said what they are, stripped of all but the picture, and hostile ones survived."""

from __future__ import annotations

import io
import random
import zlib
from typing import Any

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from smartbox_tui.media.foreign import bare, describe_jpeg, describe_png, kind_of, obstacle
from smartbox_tui.media.jpeg import NotBaseline

RNG = np.random.default_rng(3)
COLOUR = np.kron(RNG.integers(0, 255, (12, 17, 3), dtype=np.uint8), np.ones((8, 8, 1), np.uint8))[:93, :131].copy()


def picture(mode: str = "RGB") -> Image.Image:
    return Image.fromarray(COLOUR).convert(mode)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def jpeg(mode: str = "RGB", **options: Any) -> bytes:
    return saved(picture(mode), "JPEG", **{"quality": 90, "subsampling": "4:2:2"} | options)


@pytest.mark.parametrize(
    ("data", "process", "sampling", "colour", "why"),
    [
        (jpeg(), "baseline", "422", "ycc", ""),
        (jpeg(subsampling="4:4:4"), "baseline", "444", "ycc", ""),
        (jpeg(subsampling="4:2:0"), "baseline", "420", "ycc", "4:2:0"),
        (jpeg(subsampling="4:1:1"), "baseline", "420", "ycc", "4:2:0"),  # what Pillow makes of it
        (jpeg(progressive=True), "progressive", "422", "ycc", "progressive"),
        (jpeg("L"), "baseline", "grey", "grey", ""),
        (jpeg("CMYK"), "baseline", "other", "cmyk", "CMYK"),
        (jpeg(keep_rgb=True, subsampling="4:4:4"), "baseline", "444", "rgb", ""),
        (jpeg().replace(b"\xff\xc0", b"\xff\xc1", 1), "extended", "422", "ycc", ""),
        (jpeg().replace(b"\xff\xc0", b"\xff\xc9", 1), "arithmetic", "422", "ycc", "arithmetic"),
        (jpeg().replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc1\x00\x11\x0c", 1), "extended", "422", "ycc", "12 bits"),
    ],
)
def test_a_jpeg_is_described_and_its_obstacle_named(
    data: bytes, process: str, sampling: str, colour: str, why: str
) -> None:
    found = describe_jpeg(data)
    assert (found.width, found.height, found.process, found.sampling, found.colour) == (
        131, 93, process, sampling, colour,
    )  # fmt: skip
    assert why in obstacle(found)
    assert bool(why) == bool(obstacle(found))
    if why:
        with pytest.raises(NotBaseline, match=why):
            bare(data)
    else:
        kept = bare(data)
        assert (simplejpeg.decode_jpeg(kept.data) == simplejpeg.decode_jpeg(data)).all()
        assert b"\xff\xc0" in kept.data
        assert kept.sampling == ("rgb" if colour == "rgb" else sampling)


def test_nothing_but_the_picture_is_left() -> None:
    exif = Image.Exif()
    exif[0x010E] = "Mustermann^Erika"
    plain = jpeg(icc_profile=b"the profile")
    data = jpeg(exif=exif, comment=b"Mustermann too", icc_profile=b"the profile")
    data = data[:2] + b"\xff\xe1\0\x1ahttp://ns.adobe.com/xap/" + data[2:] + b"\xff\xd8 a second picture \xff\xd9"
    assert b"Mustermann" in describe_jpeg(data).exif
    assert describe_jpeg(data).profile
    kept = bare(data).data
    assert b"Mustermann" not in kept
    assert b"adobe" not in kept
    assert b"second" not in kept
    assert b"the profile" in kept
    assert bare(kept).data == kept
    assert simplejpeg.decode_jpeg(kept).tobytes() == simplejpeg.decode_jpeg(plain).tobytes()


@pytest.mark.parametrize("data", [jpeg(), jpeg("L")], ids=["colour", "grey"])
def test_a_jpeg_that_is_cut_off_is_not_passed_on(data: bytes) -> None:
    rng = random.Random(4)
    for _ in range(60):
        with pytest.raises(NotBaseline):
            bare(data[: rng.randrange(len(data) - 1)])


def test_a_jpeg_of_two_scans_is_not_baseline_here() -> None:
    data = jpeg("L")
    with pytest.raises(NotBaseline, match="more than one scan"):
        bare(data[:-2] + b"\xff\xda" + data[-40:])


@pytest.mark.parametrize(
    ("data", "depth", "channels", "transparent"),
    [
        (saved(picture(), "PNG"), 8, "rgb", False),
        (saved(picture("L"), "PNG"), 8, "grey", False),
        (saved(picture("P"), "PNG"), 8, "palette", False),
        (saved(picture("1"), "PNG"), 1, "grey", False),
        (saved(picture("RGBA"), "PNG"), 8, "rgb", True),
        (saved(picture("LA"), "PNG"), 8, "grey", True),
        (saved(picture("P"), "PNG", transparency=0), 8, "palette", True),
        (saved(Image.fromarray(np.zeros((93, 131), np.uint16)), "PNG"), 16, "grey", False),
    ],
)
def test_a_png_is_described(data: bytes, depth: int, channels: str, transparent: bool) -> None:
    found = describe_png(data)
    assert (found.width, found.height, found.depth) == (131, 93, depth)
    assert (found.channels, found.transparent, found.animated) == (channels, transparent, False)
    for end in range(0, len(data) - 1, max(1, len(data) // 50)):
        with pytest.raises(ValueError, match=r"cut off|begin|check sum|header"):
            describe_png(data[:end])


def test_a_png_with_a_wrong_byte_is_said_so() -> None:
    data = bytearray(saved(picture(), "PNG"))
    data[len(data) // 2] ^= 1
    with pytest.raises(ValueError, match="check sum"):
        describe_png(bytes(data))


def chunk(kind: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


def test_interlaced_and_bomb() -> None:
    header = (9).to_bytes(4, "big") + (9).to_bytes(4, "big") + bytes((8, 0, 0, 0, 1))
    passes = [(2, 2), (1, 2), (3, 1), (2, 3), (5, 2), (4, 5), (9, 4)]  # columns, rows of Adam7
    raw = b"".join((b"\0" + b"x" * columns) * rows for columns, rows in passes)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    assert describe_png(start + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")).width == 9
    with pytest.raises(ValueError, match="cut off"):
        describe_png(start + chunk(b"IDAT", zlib.compress(raw[:-1])) + chunk(b"IEND", b""))
    bomb = zlib.compress(bytes(1 << 28))
    with pytest.raises(ValueError, match="more than its size"):
        describe_png(start + chunk(b"IDAT", bomb) + chunk(b"IEND", b""))
    huge = (65535).to_bytes(4, "big") * 2 + bytes((8, 2, 0, 0, 0))
    with pytest.raises(ValueError, match="million pixels"):
        describe_png(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", huge) + chunk(b"IEND", b""))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_bytes_make_it_stumble(data: st.DataObject) -> None:
    whole = bytearray(data.draw(st.sampled_from([jpeg(), jpeg("L"), saved(picture("P"), "PNG"), b"\xff\xd8"])))
    for _ in range(data.draw(st.integers(0, 6))):
        whole[data.draw(st.integers(0, min(len(whole), 700) - 1))] = data.draw(st.integers(0, 255))
    torn = bytes(whole[: data.draw(st.integers(0, len(whole)))]) + data.draw(st.binary(max_size=20))
    kind_of(torn)
    for ask in (describe_jpeg, describe_png, bare):
        try:
            ask(torn)
        except ValueError:
            continue


def test_files_are_told_apart() -> None:
    assert kind_of(jpeg()) == "jpeg"
    assert kind_of(saved(picture(), "PNG")) == "png"
    assert kind_of(saved(picture(), "GIF")) == "gif"
    assert kind_of(saved(picture(), "TIFF")) == "tiff"
    assert kind_of(saved(picture(), "WEBP")) == "webp"
    assert kind_of(b"\0\0\0\x20ftypisom") == "mp4"
    assert kind_of(b"\0\0\0\x14ftypqt  ") == "mov"
    assert kind_of((b"\x47" + bytes(187)) * 4) == "ts"
    assert kind_of((bytes(4) + b"\x47" + bytes(187)) * 4) == "m2ts"
    assert kind_of(bytes(128) + b"DICM") == "dicom"
    assert kind_of(b"") == kind_of(b"GG") == kind_of(b"hello") == ""
