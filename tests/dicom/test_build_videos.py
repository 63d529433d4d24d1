"""`smartbox dicom build` of videos: taken as they are, told why not, in another container, encoded anew."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from smartbox_tui.model.instance import (
    H264_HP_41,
    HEVC_MP_51,
    MPEG2_MPML,
)
from tests.dicom.building import PERSON, Build, frame_of_video, hashes, video
from tests.support.dcmtk import need
from tests.unit.test_media_foreign import jpeg

# ---- videos


@pytest.mark.parametrize("word", ["video-endoscopic", "video-microscopic", "video-photographic"])
@pytest.mark.parametrize(
    ("codec", "suffix", "syntax"),
    [
        ("high", "mp4", H264_HP_41),
        ("high", "ts", H264_HP_41),
        ("bframes", "mp4", H264_HP_41),
        ("bframes", "ts", H264_HP_41),
        ("hevc", "mp4", HEVC_MP_51),
        ("mpeg2", "ts", MPEG2_MPML),
    ],
)
def test_a_video_that_fits_goes_in_as_it_is(build: Build, word: str, codec: str, suffix: str, syntax: str) -> None:
    path = video(build, codec, f"a.{suffix}")
    found, value = build.good(word, path)
    data = path.read_bytes()
    assert frame_of_video(found) == data + b"\0" * (len(data) % 2)
    assert value["transfer_syntax_uid"] == syntax
    assert (found.NumberOfFrames, found.FrameTime, found.Rows, found.Columns) == (20, 40, 288, 352)
    assert (found.PhotometricInterpretation, found.LossyImageCompression) == ("YBR_PARTIAL_420", "01")
    assert found.ImageType == ["ORIGINAL", "PRIMARY"]


@pytest.mark.parametrize(
    ("codec", "name", "options", "words"),
    [
        ("main", "a.mp4", [], "H264 Main|8.2.7|not High"),
        ("baseline", "a.ts", [], "Baseline|8.2.7"),
        ("422", "a.mp4", [], "High 4:2:2|4:2:0"),
        ("10bit", "a.mp4", [], "High 10|8 bits"),
        ("sar", "a.mp4", [], "not square"),
        ("hevc10", "a.mp4", [], "HEVC Main 10|8.2.10"),
        ("high", "a.mp4", ["turned"], "rotated"),
        ("high", "a.mp4", ["sound"], "sound|8.2.12"),
        ("high", "a.mov", [], "QuickTime"),
        ("high", "a.mkv", [], "MATROSKA"),
        ("high", "a.avi", [], "AVI"),
        ("high", "a.h264", [], "bare bitstream"),
        ("high", "a.m2ts", [], "192-byte"),
        ("mpeg2", "a.mpg", [], "programme stream"),
        ("mpeg4", "a.mp4", [], "no H.264"),
    ],
)  # fmt: skip
def test_a_video_that_does_not_fit_is_told(
    build: Build, codec: str, name: str, options: list[str], words: str
) -> None:
    error = build.bad("video-endoscopic", video(build, codec, name, *options))
    assert all(word in error["message"] for word in words.split("|")), error
    assert error["code"] == "invalid-object"
    assert "ffmpeg" in error["hint"]
    assert not (words == "rotated" and "--transcode" in error["hint"])


def test_interlaced_is_noted(build: Build) -> None:
    _, value = build.good("video-endoscopic", video(build, "interlaced", "a.mp4"))
    assert "interlaced" in {item["rule"] for item in value["findings"]}


@pytest.mark.parametrize(
    ("name", "container"), [("a.mov", "mp4"), ("a.mov", "ts"), ("a.ts", "mp4"), ("a.mp4", "ts")]
)
def test_another_container_holds_the_same_frames(build: Build, name: str, container: str) -> None:
    path = video(build, "high", name)
    found, value = build.good("video-endoscopic", "--container", container, path)
    inside = build.write(f"inside.{container}", frame_of_video(found))
    assert hashes(inside) == hashes(path)
    assert value["frames"] == 20
    assert (inside.read_bytes()[4:8] == b"ftyp") == (container == "mp4")


def test_sound_is_left_out_when_asked(build: Build) -> None:
    path = video(build, "high", "a.mp4", "sound")
    found, _ = build.good("video-endoscopic", "--container", "mp4", path)
    assert b"soun" not in frame_of_video(found)


@pytest.mark.parametrize(("codec", "to"), [("main", "h264"), ("422", "h264"), ("hevc", "mpeg2"), ("high", "mpeg2")])
@pytest.mark.parametrize("container", ["mp4", "ts"])
def test_a_video_encoded_anew_says_both_losses(build: Build, codec: str, to: str, container: str) -> None:
    path = video(build, codec, "a.mp4")
    found, _ = build.good("video-endoscopic", "--transcode", to, "--container", container, path)
    methods = {"h264": "ISO_14496_10", "mpeg2": "ISO_13818_2", "hevc": "ISO_23008_2"}
    first = methods["hevc" if codec == "hevc" else "h264"]
    assert list(found.LossyImageCompressionMethod) == [first, methods[to]]
    assert len(found.LossyImageCompressionRatio) == 2
    assert found.ImageType == ["DERIVED", "PRIMARY"]
    assert "Encoded anew" in found.DerivationDescription
    assert found.NumberOfFrames == 20


def test_a_torn_video_is_told(build: Build) -> None:
    whole = video(build, "high", "a.mp4").read_bytes()
    build.bad("video-endoscopic", build.write("cut.mp4", whole[: len(whole) * 2 // 3]))
    stream = video(build, "high", "a.ts").read_bytes()
    middle = (len(stream) // 2) // 188 * 188
    error = build.bad("video-endoscopic", build.write("middle.ts", stream[middle:]))
    assert error["code"] == "invalid-object"


def test_options_and_media_that_do_not_go_together(build: Build) -> None:
    clip, still = video(build, "high", "a.mp4"), build.write("a.jpg", jpeg())
    for word, arguments, words in (
        ("vl-endoscopic", [clip], "is a video"),
        ("multiframe-sc", [clip], "is a video"),
        ("video-endoscopic", [still], "is a picture"),
        ("video-endoscopic", [clip, clip], "holds one video"),
        ("video-endoscopic", ["--transfer-syntax", "explicit", clip], "--transfer-syntax"),
        ("video-endoscopic", ["--reencode", clip], "--reencode"),
        ("vl-endoscopic", ["--container", "mp4", still], "--container"),
        ("vl-endoscopic", ["--frame-time", "40", still], "--frame-time"),
        ("vl-endoscopic", ["--quality", "0", still], "--quality"),
        ("vl-endoscopic", ["--transfer-syntax", H264_HP_41, still], "transfer syntax"),
        ("vl-endoscopic", ["--study-uid", "1.02.3", still], "--study-uid"),
        ("vl-endoscopic", ["--study-date", "soon", still], "--study-date"),
        ("vl-endoscopic", ["--captured-at", "2025-01-01", still], "--captured-at"),
        ("vl-endoscopic", ["--series-number", "-1", still], "--series-number"),
        ("1.2.840.10008.5.1.4.1.1.2", [still], "SOP class"),
        ("vl-endoscopic", [build.folder / "away.jpg"], "cannot be read"),
        ("vl-endoscopic", [build.folder], "cannot be read"),
    ):
        assert words in build.bad(word, *arguments)["message"], words


def test_a_stream_of_two_gibibytes_costs_no_memory(build: Build, tmp_path: Path) -> None:
    """A long recording, stood for by a short one repeated; what is measured is a process of its own."""
    stream = video(build, "high", "a.ts")
    long = tmp_path / "long.ts"
    words = [need("ffmpeg"), "-v", "error", "-stream_loop", "40", "-i", str(stream), "-c", "copy", str(long)]
    subprocess.run(words, check=True)
    peaks = []
    for path in (stream, long):
        code = (
            "import resource, sys; from smartbox_tui.cli import run; status = run(sys.argv[1:]); "
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr); sys.exit(status)"
        )
        words = [
            sys.executable,
            "-c",
            code,
            "dicom",
            "build",
            "--json",
            "--overwrite",
            "--out",
            str(tmp_path / "o.dcm"),
        ]
        done = subprocess.run(
            [*words, "--sop-class", "video-endoscopic", *PERSON, str(path)],
            capture_output=True,
            text=True,
            check=True,
        )
        peaks.append(int(done.stderr.split()[-1]))
    assert long.stat().st_size > 30 * stream.stat().st_size
    assert peaks[1] < peaks[0] + (16 << 10)  # KiB
