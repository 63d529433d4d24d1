"""Codes in pictures, and which of them are new; posters of what can and cannot be decoded."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import simplejpeg
import zxingcpp

from smartbox_tui.commands.media import Seen
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.media.codes import codes_in, luma_of_rgb
from smartbox_tui.media.poster import WIDEST, write_poster

KINDS = zxingcpp.BarcodeFormat


def code(text: str, kind: object = KINDS.QRCode, scale: int = 4) -> np.ndarray:
    made = zxingcpp.create_barcode(text, kind)
    return np.array(zxingcpp.write_barcode_to_image(made, scale=scale))


def scene(*codes: np.ndarray, seed: int = 0) -> np.ndarray:
    """Codes in a 640 x 360 picture of something else."""
    picture = np.random.default_rng(seed).normal(110, 25, (360, 640)).clip(0, 255).astype(np.uint8)
    for number, each in enumerate(codes):
        high, wide = each.shape
        picture[40 : 40 + high, 30 + 200 * number : 30 + 200 * number + wide] = each
    return picture


@pytest.mark.parametrize("kind", [KINDS.QRCode, KINDS.DataMatrix])
@pytest.mark.parametrize("text", ["4711", "PID-00047/11", "Müller^Jörg|1961-03-14", "01234567890123456789"])
def test_qr_and_data_matrix_say_exactly_what_was_written(kind: object, text: str) -> None:
    assert codes_in(scene(code(text, kind))) == [text]


def test_turned_mirrored_dark_noisy_and_two_at_once() -> None:
    qr = code("A-1")
    for seen in (np.rot90(qr), qr[::-1], 255 - qr, (qr // 3 + 60).astype(np.uint8)):
        assert codes_in(scene(np.ascontiguousarray(seen))) == ["A-1"]
    assert sorted(codes_in(scene(qr, code("B-2", KINDS.DataMatrix)))) == ["A-1", "B-2"]
    assert codes_in(scene(qr, qr)) == ["A-1"], "the same twice is one"


@pytest.mark.parametrize("kind", [KINDS.Code128, KINDS.Code39, KINDS.EAN13, KINDS.MicroQRCode, KINDS.Aztec])
def test_other_kinds_are_not_read(kind: object) -> None:
    assert codes_in(scene(code("4006381333931" if kind == KINDS.EAN13 else "4711", kind, 1))) == []


def test_a_picture_without_a_code_has_none() -> None:
    for seed in range(20):
        assert codes_in(scene(seed=seed)) == []


def test_luma_of_rgb() -> None:
    rgb = bytes([255, 255, 255, 0, 0, 0, 255, 0, 0, 0, 255, 0])
    assert luma_of_rgb(rgb, 4, 1).tolist() == [[255, 0, 76, 149]]


def test_a_code_is_new_once_and_again_after_it_was_away() -> None:
    seen = Seen(5.0)
    assert seen.new(["a"], 0.0) == ["a"]
    assert seen.new(["a"], 4.0) == []
    assert seen.new(["a", "b"], 8.0) == ["b"], "it was never away"
    assert seen.new([], 12.9) == []
    assert seen.new(["a"], 13.1) == ["a"]


def clip(path: Path, width: int, height: int, frames: int = 20) -> Path:
    """A transport stream whose first frame is all white, the others black."""
    with av.open(str(path), "w", format="mpegts") as out:
        stream = out.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(frames):
            pixels = np.full((height, width, 3), 0 if number else 255, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        out.mux(stream.encode())
    return path


@pytest.mark.parametrize(("size", "asked", "expected"), [
    ((1920, 1080), 960, (960, 540)),
    ((1920, 1080), 5000, (WIDEST, 540)),
    ((320, 240), 960, (320, 240)),
    ((1280, 720), 160, (160, 90)),
])  # fmt: skip
def test_a_poster_is_the_first_frame_scaled(
    tmp_path: Path, size: tuple[int, int], asked: int, expected: tuple[int, int]
) -> None:
    write_poster(clip(tmp_path / "a.ts", *size), tmp_path / "p.jpg", asked)
    pixels = simplejpeg.decode_jpeg((tmp_path / "p.jpg").read_bytes())
    assert (pixels.shape[1], pixels.shape[0]) == expected
    assert pixels.mean() > 250, "the first one, with its levels"
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["a.ts", "p.jpg"]


def test_a_damaged_start_is_passed_over(tmp_path: Path) -> None:
    whole = clip(tmp_path / "a.ts", 320, 240).read_bytes()
    (tmp_path / "b.ts").write_bytes(whole[188 * 3 :] + whole)
    write_poster(tmp_path / "b.ts", tmp_path / "p.jpg")
    assert (tmp_path / "p.jpg").stat().st_size > 500


@pytest.mark.parametrize("content", [b"", b"no picture at all" * 1000, bytes(188 * 50)])
def test_what_cannot_be_decoded_is_said_and_leaves_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.ts").write_bytes(content)
    with pytest.raises(SmartBoxError) as caught:
        write_poster(tmp_path / "a.ts", tmp_path / "p.jpg")
    assert caught.value.code == "invalid-object"
    with pytest.raises(SmartBoxError) as caught:
        write_poster(tmp_path / "none.ts", tmp_path / "p.jpg")
    assert caught.value.code == "not-found"
    assert [path.name for path in tmp_path.iterdir()] == ["a.ts"]
