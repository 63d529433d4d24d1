"""Bitstreams of others, damaged in every way: each parser answers or refuses, none crashes, hangs, eats memory."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from smartbox_tui.media import examine, exif, foreign, h264, hevc, jpeg, mp4, mpeg2, ts
from smartbox_tui.media.jpeg import NotBaseline
from tests.support.dcmtk import need
from tests.support.exifbytes import camera, with_exif
from tests.support.fuzzing import Target, on_file, run_confined

STREAMS = {
    "h264": "-c:v libx264 -preset ultrafast -x264-params 8x8dct=1:keyint=5:bframes=0 -profile:v high",
    "hevc": "-c:v libx265 -preset ultrafast -x265-params log-level=error:bframes=0",
    "mpeg2": "-c:v mpeg2video -bf 0 -g 5",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small real pictures and streams."""
    made, ffmpeg = tmp_path_factory.mktemp("fuzz"), need("ffmpeg")
    for codec, options in STREAMS.items():
        for container in ("mpegts", "mp4"):
            command = (
                f"{ffmpeg} -v error -f lavfi -i testsrc=size=96x64:rate=25 -frames:v 6 -pix_fmt yuv420p {options}"
            )
            path = made / f"{codec}.{container}"
            subprocess.run([*command.split(), "-f", container, str(path)], check=True)
    image = np.random.default_rng(1).integers(0, 255, (16, 32, 3), dtype=np.uint8)
    for sampling in ("422", "444", "420"):
        (made / f"{sampling}.jpg").write_bytes(simplejpeg.encode_jpeg(image, colorsubsampling=sampling))
    plain = (made / "422.jpg").read_bytes()
    (made / "exif.jpg").write_bytes(with_exif(plain, camera("1|A^B|1970-01-31|M|", orientation=6)))
    (made / "tiff").write_bytes(camera("1|A^B|1970-01-31|M|", taken="2026:11:21 06:30:00", offset="-03:30"))
    for kind in ("rgb24", "pal8"):
        command = f"{ffmpeg} -v error -f lavfi -i testsrc=size=32x16 -frames:v 1 -pix_fmt {kind} {made / kind}.png"
        subprocess.run(command.split(), check=True)
    return made


def elementary(data: bytes) -> None:
    """Everything that reads a byte stream, one after the other: a refusal by one says nothing of the next."""
    for call in (h264.find_sps, hevc.find_sps, mpeg2.find_sequence):
        try:
            call(data)
        except ValueError:
            pass
    list(h264.nal_units(data)), list(hevc.nal_units(data)), list(mpeg2.units(data))
    h264.starts_gop(data), hevc.starts_gop(data), mpeg2.starts_gop(data)
    mpeg2.picture_type(data), mpeg2.closed_gop(data), mpeg2.parameters(data)


def parameter_sets(data: bytes) -> None:
    """The units themselves, without start code: most of the damage reaches the bits."""
    for call in (h264.parse_sps, hevc.parse_sps):
        try:
            call(data)
        except ValueError:
            pass


TARGETS = {
    "repair": Target(jpeg.repair, (NotBaseline,)),
    "entropy_coded": Target(jpeg.entropy_coded, (NotBaseline,)),
    "describe_jpeg": Target(foreign.describe_jpeg, (ValueError,)),
    "bare": Target(foreign.bare, (NotBaseline,)),
    "describe_png": Target(foreign.describe_png, (ValueError,)),
    "kind_of": Target(foreign.kind_of, ()),
    "read_exif": Target(exif.read_exif, ()),
    "parse_tiff": Target(exif.parse_tiff, ()),
    "elementary": Target(elementary, ()),
    "parameter_sets": Target(parameter_sets, ()),
    "examine": Target(lambda data: examine.examine(lambda at, n: data[at : at + n], len(data)), (ValueError,)),
    "mp4": Target(lambda data: mp4.read_movie(lambda at, n: data[at : at + n], len(data)), (ValueError,)),
    "avcC": Target(lambda data: mp4.annex_b("h264", data), ()),
    "hvcC": Target(lambda data: mp4.annex_b("hevc", data), ()),
    "ts": Target(on_file(ts.scan), ()),
    "first unit": Target(on_file(ts.first_access_unit), ()),
}

SEEDS = {
    "describe_png": "*.png", "parse_tiff": "tiff", "read_exif": "exif.jpg", "mp4": "*.mp4", "ts": "*.mpegts",
    "first unit": "*.mpegts", "elementary": "*.mpegts", "examine": "*.m*", "kind_of": "*.*",
}  # fmt: skip


def seeds(name: str, folder: Path) -> list[bytes]:
    files = sorted(folder.glob(SEEDS.get(name, "*.jpg")))
    found = [path.read_bytes()[:20000] for path in files]
    if name in ("elementary", "parameter_sets", "avcC", "hvcC"):
        tracks = {}
        for codec in STREAMS:
            data = (folder / f"{codec}.mp4").read_bytes()
            track = mp4.read_movie(lambda at, n, data=data: data[at : at + n], len(data)).track  # type: ignore[misc]
            assert track is not None
            tracks[codec] = track.parameters
        sets = [unit for codec in ("h264", "hevc") for unit in mp4.parameter_sets(codec, tracks[codec])]
        if name == "parameter_sets":
            return sets
        if name == "elementary":
            return [
                b"".join(b"\0\0\1" + unit for unit in sets),
                *[data[200:4000] for data in found],
                tracks["mpeg2"],
            ]
        return [tracks["h264" if name == "avcC" else "hevc"]]
    assert found, name
    return found


@pytest.mark.parametrize("name", TARGETS)
def test_no_damage_makes_it_crash_hang_or_eat_memory(name: str, folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).hardlink_to(path)
    run_confined(f"tests.unit.test_fuzz_media:{name}", tmp_path, 100)
