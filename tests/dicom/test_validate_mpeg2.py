"""MPEG2 in the sizes, rates and with the display aspect that PS3.5 8.2.5 and 8.2.6 allow, and in others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from smartbox_tui.dicom.validate import validate_composition
from smartbox_tui.media.mpeg2 import find_sequence
from smartbox_tui.model.instance import MPEG2_MPHL, MPEG2_MPML
from tests.dicom.pictures import Media, clip
from tests.dicom.validate_corpus import object_of, stream


def made(media: Media, size: str, rate: str, level: int) -> Path:
    options = f"-frames:v 10 -c:v mpeg2video -profile:v 4 -level {level} -bf 0 -b:v 4M -pix_fmt yuv420p -f mpegts"
    source = f"-f lavfi -i testsrc=size={size}:rate={rate}"
    name = f"mpeg2-{size}-{rate.replace('/', '-')}-{level}.ts"
    return stream(media, name, *source.split(), *options.split())


@pytest.mark.parametrize(
    ("size", "rate", "level", "syntax", "rules"),
    [
        ("640x480", "30000/1001", 8, MPEG2_MPML, set()),
        ("720x576", "25", 8, MPEG2_MPML, set()),
        ("1280x720", "50", 4, MPEG2_MPHL, set()),
        ("720x576", "30", 4, MPEG2_MPML, {"level", "mpeg2-format", "level-rate"}),
        ("800x600", "25", 4, MPEG2_MPHL, {"mpeg2-format"}),
        ("1280x720", "24", 4, MPEG2_MPHL, {"mpeg2-format"}),
        ("640x480", "25", 8, MPEG2_MPHL, {"mpeg2-format"}),
    ],
)
def test_sizes_and_rates(media: Media, size: str, rate: str, level: int, syntax: str, rules: set[str]) -> None:
    path = made(media, size, rate, level)
    wide, high = map(int, size.split("x"))
    top, _, bottom = rate.partition("/")
    milliseconds = 1000 * int(bottom or 1) / int(top)
    picture = clip("video-endoscopic", path, syntax)
    picture = replace(
        picture, columns=wide, rows=high, number_of_frames=10, frame_time_ms=milliseconds, duration_s=0.4
    )
    found = validate_composition(object_of(picture, path))
    assert {item.rule for item in found if item.severity == "error"} == rules


def test_the_display_aspect_of_high_level(media: Media, tmp_path: Path) -> None:
    data = made(media, "1280x720", "25", 4).read_bytes()
    at = data.index(b"\0\0\1\xb3")
    told = find_sequence(data[at : at + 200])
    assert told is not None
    square = bytearray(data)
    while at >= 0:
        square[at + 7] = 0x10 | square[at + 7] & 15
        at = data.find(b"\0\0\1\xb3", at + 4)
    (tmp_path / "square.ts").write_bytes(square)
    picture = clip("video-endoscopic", tmp_path / "square.ts", MPEG2_MPHL)
    picture = replace(picture, columns=1280, rows=720, number_of_frames=10, frame_time_ms=40.0, duration_s=0.4)
    found = validate_composition(object_of(picture, tmp_path / "square.ts"))
    assert [(item.severity, item.rule) for item in found] == [("warning", "mpeg2-aspect")]
