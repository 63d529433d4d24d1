"""Sequence headers of MPEG2 and HEVC and the boxes of MP4: what ffmpeg really wrote, and what garbage does."""

from __future__ import annotations

import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smartbox_tui.media import h264, hevc, mp4, mpeg2
from smartbox_tui.media.examine import Video, examine, sequence
from smartbox_tui.model.instance import (
    HEVC_MP_51,
    MPEG2_MPHL,
    MPEG2_MPML,
    hevc_transfer_syntax,
    mpeg2_transfer_syntax,
)

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg")


def made(codec: str, options: str, size: str, rate: str, form: str, path: Path | None = None) -> bytes:
    command = f"ffmpeg -v error -y -f lavfi -i testsrc=size={size}:rate={rate} -frames:v 6 -c:v {codec} {options}"
    target = [str(path)] if path else ["-"]
    done = subprocess.run([*command.split(), "-f", form, *target], stdout=subprocess.PIPE, check=True)
    return path.read_bytes() if path else done.stdout


def reader(data: bytes) -> mp4.Read:
    return lambda at, count: data[at : at + count]


@needs_ffmpeg
@pytest.mark.parametrize(
    ("size", "rate", "options", "level"),
    [
        ("720x576", "25", "-level 8 -b:v 4M -maxrate 5M -bufsize 1835008", mpeg2.LEVEL_MAIN),
        ("1920x1080", "30000/1001", "-level 4 -b:v 9M -maxrate 12M -bufsize 9781248", mpeg2.LEVEL_HIGH),
        ("722x478", "50", "-level 6 -b:v 2M -maxrate 20M -bufsize 7340032", mpeg2.LEVEL_HIGH_1440),
    ],
)
def test_sequence_headers_of_mpeg2(size: str, rate: str, options: str, level: int) -> None:
    stream = made("mpeg2video", f"-pix_fmt yuv420p -profile:v 4 -g 3 -bf 0 {options}", size, rate, "mpeg2video")
    found = mpeg2.find_sequence(stream)
    assert found is not None
    assert f"{found.width}x{found.height}" == size
    assert (found.profile, found.level, found.fps) == (mpeg2.PROFILE_MAIN, level, Fraction(rate))
    asked = dict(zip(options.split()[::2], options.split()[1::2], strict=True))
    assert found.bitrate == int(asked["-maxrate"][:-1]) * 1_000_000
    assert 0 <= found.vbv_bits - int(asked["-bufsize"]) < 16384
    assert (found.progressive, found.chroma_420, found.aspect) == (True, True, Fraction(1))
    assert mpeg2.starts_gop(stream)
    assert mpeg2.picture_type(stream) == "I"
    assert mpeg2.parameters(stream)[:4] == b"\0\0\1\xb3"
    assert mpeg2.find_sequence(mpeg2.parameters(stream)) == found


@needs_ffmpeg
def test_aspect_and_chroma_of_mpeg2() -> None:
    wide = made("mpeg2video", "-pix_fmt yuv422p -aspect 16:9", "720x576", "25", "mpeg2video")
    found = mpeg2.find_sequence(wide)
    assert found is not None
    assert found.aspect == Fraction(64, 45)
    assert not found.chroma_420
    assert mpeg2.find_sequence(made("mpeg1video", "-pix_fmt yuv420p", "320x240", "25", "mpeg1video")) is None


@needs_ffmpeg
@pytest.mark.parametrize(
    ("size", "rate", "options"),
    [
        ("1280x720", "30", ""),
        ("722x478", "30000/1001", "-preset ultrafast -x265-params scaling-list=default:bframes=4:log-level=none"),
        ("1920x1080", "25", "-preset slow -x265-params log-level=none:sar=2:range=full:colormatrix=bt709"),
    ],
)
def test_parameter_sets_of_hevc(size: str, rate: str, options: str) -> None:
    options = options or "-x265-params log-level=none"
    found = hevc.find_sps(made("libx265", f"-pix_fmt yuv420p {options}", size, rate, "hevc"))
    assert found is not None
    assert f"{found.width}x{found.height}" == size
    assert (found.profile_idc, found.fps, found.chroma, found.bit_depth) == (1, Fraction(rate), 1, 8)
    assert found.full_range == ("range=full" in options)
    assert found.colour.matrix == (1 if "bt709" in options else 2)
    assert found.aspect == (Fraction(12, 11) if "sar" in options else found.aspect)
    assert len(found.general) == 12
    assert not found.high_tier


@needs_ffmpeg
def test_main_10_is_told() -> None:
    found = hevc.find_sps(
        made("libx265", "-pix_fmt yuv420p10le -x265-params log-level=none", "320x240", "25", "hevc")
    )
    assert found is not None
    assert (found.profile_idc, found.bit_depth) == (2, 10)


@needs_ffmpeg
@pytest.mark.parametrize("form", ["mp4", "mpegts"])
@pytest.mark.parametrize(
    ("codec", "word", "options"),
    [
        ("libx264", "h264", "-x264-params 8x8dct=1:interlaced=1"),
        ("libx265", "hevc", "-x265-params log-level=none"),
        ("mpeg2video", "mpeg2", "-b:v 4M"),
    ],
)
def test_containers(tmp_path: Path, form: str, codec: str, word: str, options: str) -> None:
    data = made(codec, f"-pix_fmt yuv420p {options}", "720x576", "25", form, tmp_path / "a")
    video = examine(reader(data), len(data))
    container = "mp4" if form == "mp4" else "ts"
    assert (video.container, video.codec, video.width, video.height) == (container, word, 720, 576)
    assert (video.fps, video.audio, video.chroma_420, video.bit_depth) == (25, False, True, 8)
    assert video.progressive == ("interlaced" not in options)
    assert video.frames == (6 if form == "mp4" else None)
    assert not video.front


@needs_ffmpeg
def test_an_mp4_with_its_index_in_front_with_sound_and_in_fragments(tmp_path: Path) -> None:
    made("libx264", "", "320x240", "25", "mp4", tmp_path / "silent")
    sound = "-f lavfi -i sine -map 0 -map 1 -c:v copy -c:a aac -t 0.2 -movflags faststart -f mp4"
    command = ["ffmpeg", "-v", "error", "-i", str(tmp_path / "silent"), *sound.split(), str(tmp_path / "a")]
    subprocess.run(command, check=True)
    front = (tmp_path / "a").read_bytes()
    video = examine(reader(front), len(front))
    assert (video.front, video.audio, video.codec) == (True, True, "h264")
    pieces = made("libx264", "-movflags frag_keyframe+empty_moov", "320x240", "25", "mp4", tmp_path / "b")
    video = examine(reader(pieces), len(pieces))
    assert (video.codec, video.frames) == ("h264", None)


@needs_ffmpeg
def test_mpeg4_part_2_is_not_taken_for_mpeg2(tmp_path: Path) -> None:
    data = made("mpeg4", "", "320x240", "25", "mp4", tmp_path / "a")
    assert examine(reader(data), len(data)).codec == ""


@given(st.binary(max_size=3000))
@settings(max_examples=300, deadline=None)
def test_garbage_is_an_answer_or_a_value_error(data: bytes) -> None:
    for torn in (data, b"\0\0\0\1" + data, b"\x00\x00\x00\x18ftypisom" + data):
        for look in (lambda b: examine(reader(b), len(b)), h264.find_sps, hevc.find_sps, mpeg2.find_sequence):
            try:
                look(torn)
            except ValueError:
                pass
    for head in (b"\0\0\1\x67\x64", b"\0\0\1\x42\x01", b"\0\0\1\xb3"):
        for codec in ("h264", "hevc", "mpeg2"):
            try:
                assert isinstance(sequence(codec, head + data), Video)
            except ValueError:
                pass
    mp4.parameter_sets("h264", data)
    mp4.parameter_sets("hevc", data)


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    if shutil.which("ffmpeg") is None:
        pytest.skip("no ffmpeg")
    folder = tmp_path_factory.mktemp("streams")
    return [
        made(codec, f"-pix_fmt yuv420p {options}", "320x240", "25", form, folder / f"{codec}.{form}")
        for codec, options in (
            ("libx264", "-bf 2"),
            ("libx265", "-x265-params log-level=none"),
            ("mpeg2video", ""),
        )
        for form in ("mp4", "mpegts")
    ]


@given(st.integers(0, 5), st.integers(0, 1 << 20), st.binary(min_size=1, max_size=12))
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_streams_are_an_answer_or_a_value_error(
    streams: list[bytes], which: int, place: int, patch: bytes
) -> None:
    data = streams[which]
    at = place % min(len(data), 4096) if place % 2 else len(data) - 1 - place % min(len(data), 4096)
    torn = data[:at] + patch + data[at + len(patch) :]
    for each in (torn, torn[: at + 1]):
        try:
            examine(reader(each), len(each))
        except ValueError:
            pass


def test_what_dicom_allows_of_mpeg2() -> None:
    assert mpeg2_transfer_syntax(720, 576, 25, 15_000_000) == MPEG2_MPML
    assert mpeg2_transfer_syntax(640, 480, 29.97, 4_000_000) == MPEG2_MPML
    assert mpeg2_transfer_syntax(1280, 720, 60, 40_000_000) == MPEG2_MPHL
    assert mpeg2_transfer_syntax(1920, 1080, 30, 80_000_000) == MPEG2_MPHL
    for width, height, fps, bitrate in (
        (720, 576, 30, 4_000_000),  # no 576 rows at 30
        (720, 480, 15, 4_000_000),  # no such rate
        (800, 600, 25, 4_000_000),  # no such size
        (1920, 1080, 50, 20_000_000),  # MP@HL has not so many samples a second
        (1280, 720, 25, 90_000_000),
    ):
        with pytest.raises(ValueError, match="MPEG2"):
            mpeg2_transfer_syntax(width, height, fps, bitrate)


def test_the_levels_of_iso_13818_2() -> None:
    assert mpeg2.level_for(720, 576, Fraction(25), 15_000_000) == mpeg2.LEVEL_MAIN
    assert mpeg2.level_for(720, 576, Fraction(30), 15_000_000) == mpeg2.LEVEL_HIGH
    assert mpeg2.level_for(1920, 1080, Fraction(30), 15_000_000) == mpeg2.LEVEL_HIGH
    with pytest.raises(ValueError, match="level"):
        mpeg2.level_for(1920, 1080, Fraction(60), 15_000_000)


def test_what_dicom_allows_of_hevc() -> None:
    assert hevc_transfer_syntax(1, 153) == HEVC_MP_51
    for profile, level in ((2, 93), (1, 156), (1, 0)):
        with pytest.raises(ValueError, match="HEVC"):
            hevc_transfer_syntax(profile, level)
