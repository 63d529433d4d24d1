"""DICOM of others, files to validate and answers of servers: damaged in every way, or made to be read for ever."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from smartbox_tui.dicom import datasets
from smartbox_tui.dicom.build import build_header
from smartbox_tui.dicom.compose import compose, from_part10
from smartbox_tui.dicom.given import read_attributes
from smartbox_tui.dicom.headers import numbers_of
from smartbox_tui.dicom.lineage import Lineage, LossyStep
from smartbox_tui.dicom.part10 import read_meta
from smartbox_tui.dicom.scu import dimse
from smartbox_tui.dicom.validate import validate_file
from smartbox_tui.dicom.worklist import entry_of
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.instance import EXPLICIT_VR_LE, IMPLICIT_VR_LE, Kind
from tests.dicom.pictures import EQUIPMENT, ORDERED, WORKLIST, clip, still
from tests.support.dcmtk import need
from tests.support.fuzzing import MEMORY, Target, on_file, run_confined

PIXELS = 0x7FE00001
DECODED = Lineage(before=(LossyStep("ISO_10918_1", 10.0),))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small objects of the box's own, one of each shape: one fragment, many, video, native, Implicit VR."""
    made = tmp_path_factory.mktemp("objects")
    image = np.random.default_rng(1).integers(0, 255, (16, 32, 3), dtype=np.uint8)
    jpeg, raw, burst, stream = (made / name for name in ("jpeg", "raw", "burst", "clip.ts"))
    jpeg.write_bytes(simplejpeg.encode_jpeg(image, colorsubsampling="422"))
    raw.write_bytes(image.tobytes())
    size = jpeg.stat().st_size
    burst.write_bytes(jpeg.read_bytes() * 3)
    command = f"{need('ffmpeg')} -v error -f lavfi -i testsrc=size=96x64:rate=25 -frames:v 6 -pix_fmt yuv420p"
    command += f" -c:v libx264 -preset ultrafast -x264-params 8x8dct=1:keyint=5:bframes=0 -f mpegts {stream}"
    subprocess.run(command.split(), check=True)
    small = {"columns": 32, "rows": 16}
    many = {"kind": Kind.BURST, "number_of_frames": 3, "frame_time_ms": 100.0}
    film = clip("video-endoscopic", stream, columns=96, rows=64, number_of_frames=6, frame_time_ms=40.0)
    for name, picture, path in (
        ("still", still("vl-endoscopic", jpeg, **small), jpeg),
        ("burst", still("multiframe-sc", burst, **small, **many), burst),
        ("explicit", still("vl-endoscopic", raw, transfer_syntax_uid=EXPLICIT_VR_LE, **small), raw),
        ("implicit", still("secondary-capture", raw, transfer_syntax_uid=IMPLICIT_VR_LE, **small), raw),
        ("clip", film, stream),
    ):
        header = build_header(ORDERED, picture, EQUIPMENT, DECODED if path == raw else Lineage())
        frames = [(n * size, size) for n in range(3)] if path == burst else None
        compose(header, path, path.stat().st_size, frames).write(made / f"{name}.dcm")
    order = {key: value for key, value in WORKLIST.items() if key != "smartbox"}
    (made / "answer").write_bytes(datasets.from_json(order, explicit=False))
    (made / "answer.explicit").write_bytes(datasets.from_json(order, explicit=True))
    (made / "command").write_bytes(dimse.store_rq(1, "1.2.3", "1.2.3.4"))
    (made / "attributes").write_text('{"PatientName": "A^B", "00100020": {"vr": "LO", "Value": ["1"]}}')
    return made


def stream_of(path: Path) -> None:
    for _ in from_part10(path).chunks(4096):
        pass


def planned(explicit: bool) -> Callable[[bytes], object]:
    return lambda data: entry_of(datasets.to_json(data, explicit=explicit))


TARGETS = {
    "validate": Target(on_file(validate_file), ()),
    "from_part10": Target(on_file(stream_of), (SmartBoxError,)),
    "read_meta": Target(lambda data: read_meta(data, "It"), (SmartBoxError,)),
    "numbers_of": Target(on_file(numbers_of), (ValueError,)),
    "parse_until": Target(lambda data: datasets.parse_until(data, PIXELS, explicit=True), (ValueError,)),
    "answer": Target(planned(False), (ValueError,)),
    "answer.explicit": Target(planned(True), (ValueError,)),
    "command": Target(dimse.decode, (ValueError,)),
    "attributes": Target(read_attributes, (SmartBoxError,)),
}


def seeds(name: str, folder: Path) -> list[bytes]:
    if (folder / name).exists():
        return [(folder / name).read_bytes()]
    found = [path.read_bytes() for path in sorted(folder.glob("*.dcm"))]
    return [data[read_meta(data, "It").size :] for data in found] if name == "parse_until" else found


@pytest.mark.parametrize("name", TARGETS)
def test_no_damage_makes_it_crash_hang_or_eat_memory(name: str, folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).hardlink_to(path)
    run_confined(f"tests.unit.test_fuzz_dicom:{name}", tmp_path, 50)


# ---- what no damage makes by chance

SQ = b"\x08\0\x10\x11SQ\0\0"
UNDEFINED = b"\xff" * 4
ITEM = b"\xfe\xff\0\xe0"


def _nested(depth: int, *, closed: bool) -> bytes:
    end = b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    return (SQ + UNDEFINED + ITEM + UNDEFINED) * depth + (end * depth if closed else b"")


def _nested_lengths(depth: int) -> bytes:
    data = b""
    for _ in range(depth):
        item = ITEM + len(data).to_bytes(4, "little") + data
        data = SQ + len(item).to_bytes(4, "little") + item
    return data


def _elements(count: int) -> bytes:
    tags = ((0x0009 + 2 * (n >> 15), n & 0x7FFF) for n in range(count))
    return b"".join(g.to_bytes(2, "little") + e.to_bytes(2, "little") + b"LO\0\0" for g, e in tags)


def _public(count: int) -> bytes:
    tags = ((0x000A + 2 * (n >> 15), n & 0x7FFF) for n in range(count))
    return b"".join(g.to_bytes(2, "little") + e.to_bytes(2, "little") + b"LO\x02\0A " for g, e in tags)


def _values(count: int) -> bytes:
    return b"\x08\0\x08\x10UC\0\0" + (2 * count).to_bytes(4, "little") + b"1\\" * count


FIRST = b"\xe0\x7f\x10\0OB\0\0" + UNDEFINED + ITEM + bytes(4)
EVIL = {
    "a thousand sequences": _nested(1000, closed=True),
    "a hundred thousand beginnings": _nested(100_000, closed=False),
    "nested with lengths": _nested_lengths(1000),
    "items without end": SQ + UNDEFINED + (ITEM + bytes(4)) * 300_000,
    "a hundred thousand private elements": _elements(100_000),
    "forty thousand elements": _public(40_000),
    "half a million values": _values(500_000),
    "fragments without number": FIRST + (ITEM + bytes(4)) * 300_000,
    "a fragment of 4 GiB": FIRST + ITEM + b"\xfe" + b"\xff" * 3,
    "pixels of 4 GiB": b"\xe0\x7f\x10\0OB\0\0\xfe\xff\xff\xff",
    "an offset table of itself": b"\xe0\x7f\x01\0OV\0\0" + bytes(4) + b"\xe0\x7f\x01\0OV\0\0\xf4\xff\xff\xff",
    "offset tables without end": (b"\xe0\x7f\x01\0OV\0\0" + bytes(4)) * 200_000,
}  # fmt: skip
CHILD = """
import faulthandler, resource, sys
from pathlib import Path
from smartbox_tui.dicom import datasets
from smartbox_tui.dicom.validate import validate_file
folder, good = Path(sys.argv[1]), Path(sys.argv[2])
validate_file(good)
pages = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (pages + int(sys.argv[3]),) * 2)
for path in sorted(folder.iterdir()):
    print(path.name, file=sys.stderr, flush=True)
    faulthandler.dump_traceback_later(30, exit=True)
    assert [item for item in validate_file(path) if item.severity == "error"]
    try:
        datasets.to_json(path.read_bytes()[int(sys.argv[4]):], explicit=True)
    except ValueError:
        pass
"""


def test_what_was_made_to_be_read_for_ever_ends(folder: Path, tmp_path: Path) -> None:
    good = folder / "still.dcm"
    meta = good.read_bytes()[: read_meta(good.read_bytes(), "It").size]
    for name, data in EVIL.items():
        (tmp_path / name).write_bytes(meta + data)
    arguments = [str(tmp_path), str(good), str(MEMORY), str(len(meta))]
    result = subprocess.run([sys.executable, "-c", CHILD, *arguments], capture_output=True, check=False)
    assert result.returncode == 0, result.stderr.decode()[-3000:]


@pytest.mark.parametrize("name", ["still", "implicit", "clip"])
def test_a_headers_numbers(name: str, folder: Path) -> None:
    assert numbers_of(folder / f"{name}.dcm") == (1, 7)
