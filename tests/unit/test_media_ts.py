"""Transport streams: what the muxer writes others can read, and torn files are cut after the last whole frame."""

from __future__ import annotations

import json
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartbox_tui.media import h264, ts
from smartbox_tui.media.tsmux import PACKET, TsMuxer, crc32_mpeg

FRAME_NS = 1_000_000_000 // 30


def units(sizes: list[int], gop: int = 5) -> list[bytes]:
    """Packets of made-up access units of these sizes."""
    mux = TsMuxer()
    return [
        mux.access_unit(b"\x00\x00\x00\x01\x09\xf0" + bytes([7]) * size, index * FRAME_NS, idr=index % gop == 0)
        for index, size in enumerate(sizes)
    ]


def test_crc_of_the_tables_is_that_of_mpeg() -> None:
    assert crc32_mpeg(b"123456789") == 0x0376E6E7


# Around every seam: one packet, the last packet exactly full, the length field's end.
SIZES = [*range(140, 180), *range(340, 370), 65500, 65508, 65513, 65514, 65515, 65600, 200_000]


def test_every_size_is_whole_packets_and_found_again(tmp_path: Path) -> None:
    written = units(SIZES)
    assert all(len(each) % PACKET == 0 for each in written)
    path = tmp_path / "a.ts"
    path.write_bytes(b"".join(written))
    scan = ts.scan(path)
    assert (scan.frames, scan.end, scan.whole) == (len(SIZES), path.stat().st_size, True)
    assert scan.first_pts is not None
    assert scan.last_pts is not None
    assert scan.last_pts - scan.first_pts == (len(SIZES) - 1) * FRAME_NS * 9 // 100_000


@pytest.mark.parametrize("size", SIZES)
def test_each_size_is_told_whole_or_torn_when_it_is_the_last(tmp_path: Path, size: int) -> None:
    before, last = units([500, size])
    path = tmp_path / "a.ts"
    path.write_bytes(before + last)
    assert ts.scan(path).frames == 2
    for cut in {PACKET, 1, len(last) - PACKET, len(last) // 2} - {0}:
        path.write_bytes((before + last)[:-cut])
        scan = ts.scan(path)
        assert (scan.frames, scan.end) == (1, len(before))


@pytest.mark.parametrize("tail", [bytes(PACKET * 3), b"\x47" + bytes(500), b"garbage" * 100, b"\x47\x01\x00"])
def test_zeros_and_garbage_at_the_end_are_cut(tmp_path: Path, tail: bytes) -> None:
    whole = b"".join(units([500, 70_000, 300]))
    path = tmp_path / "a.ts"
    path.write_bytes(whole + tail)
    scan = ts.scan(path)
    assert (scan.frames, scan.end, scan.whole) == (3, len(whole), False)


def test_a_hole_in_the_middle_ends_the_clip_before_it(tmp_path: Path) -> None:
    written = units([5000] * 10)
    path = tmp_path / "a.ts"
    data = bytearray(b"".join(written))
    start = sum(map(len, written[:6]))
    data[start + 5 * PACKET : start + 9 * PACKET] = bytes(4 * PACKET)
    path.write_bytes(data)
    assert ts.scan(path).frames == 6
    # The same with whole packets gone: the counters do not follow each other.
    path.write_bytes(data[: start + 5 * PACKET] + data[start + 9 * PACKET :])
    assert ts.scan(path).frames == 6


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=12), st.integers(0, 40_000))
@settings(max_examples=60, deadline=None)
def test_wherever_it_is_cut_the_whole_units_before_are_kept(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], cut: int
) -> None:
    written = units(sizes)
    data = b"".join(written)
    cut = min(cut, len(data))
    path = tmp_path_factory.mktemp("cut") / "a.ts"
    path.write_bytes(data[:cut])
    ends = [sum(map(len, written[: index + 1])) for index in range(len(written))]
    kept = [end for end in ends if end <= cut]
    scan = ts.scan(path)
    assert (scan.frames, scan.end) == (len(kept), kept[-1] if kept else 0)


def test_no_file_content_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.ts"
    for data in (b"", b"x", bytes(1000)):
        path.write_bytes(data)
        assert ts.scan(path).frames == 0
        assert ts.first_access_unit(path) == b""


def test_blocks_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.ts"
    data = b"".join(units([900, 5000, 100, 20_000, 40, 2500] * 5))
    path.write_bytes(data[:-PACKET])
    expected = ts.scan(path)
    for block in (1, 2, 3, 7, 50):
        monkeypatch.setattr(ts, "_BLOCK", block)
        assert ts.scan(path) == expected


@pytest.mark.parametrize("torn", [False, True])
def test_missing_frames_follow_from_the_times_of_whole_units(
    torn: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers 3, 7, 8 and 9 were lost; and 11, before the last."""
    mux, path = TsMuxer(), tmp_path / "a.ts"
    numbers = [0, 1, 2, 4, 5, 6, 10, 12]
    late_ns = [0, 9_000_000, -9_000_000, 3_000_000, 0, 8_000_000, -2_000_000, 0]  # a source is not exact
    data = b"".join(
        mux.access_unit(b"\0\0\0\1\x09\xf0" + bytes(3000), number * FRAME_NS + late, idr=number == 0)
        for number, late in zip(numbers, late_ns, strict=True)
    )
    path.write_bytes(data[:-PACKET] if torn else data)
    for block in (1, 5, 16384):
        monkeypatch.setattr(ts, "_BLOCK", block)
        assert ts.scan(path, frame_ticks=3000).missing == (4 if torn else 5)
    assert ts.scan(path).missing == 0


def test_ffprobe_reads_a_real_stream_of_ours_without_a_word(tmp_path: Path) -> None:
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 320, 240, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, 30), Fraction(30, 1)
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "keyint=10:aud=1:annexb=1"}
    mux = TsMuxer()
    path = tmp_path / "a.ts"
    first = b""
    with path.open("wb") as file:
        for index in range(25):
            frame = av.VideoFrame(320, 240, "yuv420p")
            frame.pts = index
            for packet in encoder.encode(frame):
                first = first or bytes(packet)
                file.write(mux.access_unit(bytes(packet), index * FRAME_NS, idr=packet.is_keyframe))
    command = ["ffprobe", "-v", "warning", "-count_frames", "-show_streams", "-of", "json", path]
    answer = subprocess.run(command, capture_output=True, check=True)
    assert not answer.stderr
    (stream,) = json.loads(answer.stdout)["streams"]
    assert (stream["codec_name"], stream["nb_read_frames"], stream["r_frame_rate"]) == ("h264", "25", "30/1")
    assert ts.first_access_unit(path) == first
    sps = h264.find_sps(first)
    assert sps is not None
    assert (sps.width, sps.height) == (320, 240)
