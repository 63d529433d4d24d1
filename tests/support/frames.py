"""Which frames a still or a clip shows, read off the test pattern's strip by decoders that are not ours."""

from __future__ import annotations

import itertools
import json
import subprocess
from pathlib import Path

import numpy as np
import simplejpeg

from hw.video.strip import Strip, read_strip
from tests.support.dcmtk import need


def strip_of_jpeg(data: bytes) -> Strip:
    strip = read_strip(simplejpeg.decode_jpeg(data, colorspace="GRAY")[:, :, 0])
    assert strip.ok, "the strip of the still is not readable"
    return strip


def strips_of_clip(path: Path, width: int, height: int) -> list[Strip]:
    """The strips of all frames, decoded by the ffmpeg command."""
    rows = -(-2 * width // 80) + 2
    command = [
        need("ffmpeg"), "-v", "error", "-i", str(path), "-fps_mode", "passthrough",
        "-vf", f"crop={width}:{rows - rows % 2 + 2}:0:0", "-f", "rawvideo", "-pix_fmt", "gray", "-",
    ]  # fmt: skip
    data = subprocess.run(command, capture_output=True, check=True).stdout
    lines = rows - rows % 2 + 2
    frames = np.frombuffer(data, np.uint8).reshape(-1, lines, width)
    assert height >= lines
    strips = [read_strip(frame) for frame in frames]
    assert all(strip.ok for strip in strips), "a strip of the clip is not readable"
    return strips


def count_frames(path: Path) -> int:
    """What ffprobe counts by decoding."""
    command = [
        need("ffprobe"), "-v", "error", "-count_frames", "-select_streams", "v:0",
        "-show_entries", "stream=nb_read_frames,profile,level,has_b_frames", "-of", "json", str(path),
    ]  # fmt: skip
    (stream,) = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["streams"]
    assert stream["profile"] == "High"
    assert stream["has_b_frames"] == 0
    return int(stream["nb_read_frames"])


def assert_no_frame_lost_or_doubled(strips: list[Strip], lost: int) -> None:
    """The numbers grow; what is missing between first and last is what the box says it lost."""
    numbers = [strip.number for strip in strips]
    assert all(later > earlier for earlier, later in itertools.pairwise(numbers)), "a frame is doubled"
    assert numbers[-1] - numbers[0] + 1 == len(numbers) + lost


def bitstream_of(data: bytes) -> bytes:
    """The single fragment of an encapsulated object (without its pad byte only if the stream itself has none)."""
    import io

    import pydicom
    from pydicom.encaps import generate_fragments

    dataset = pydicom.dcmread(io.BytesIO(data))
    fragments = list(generate_fragments(dataset.PixelData))
    assert len(fragments) == 2, "an empty offset table and one fragment"
    return fragments[1]


def dataset_bytes(data: bytes) -> bytes:
    """A Part 10 file from the first element after group 2 on."""
    length = int.from_bytes(data[140:144], "little")
    assert data[128:132] == b"DICM"
    assert data[132:136] == b"\x02\x00\x00\x00"
    return data[144 + length :]
