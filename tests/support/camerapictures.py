"""Pictures as cameras leave them in a folder, and boxes that watch one. All patients are invented."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import simplejpeg
import zxingcpp

from tests.support.box import Box
from tests.support.exifbytes import camera, with_exif
from tests.support.orthanc import Orthanc

SETTLE_S = 0.4


def jpeg(
    number: int, *, sampling: str = "422", size: tuple[int, int] = (240, 320), code: str = "", scale: int = 12
) -> bytes:
    """Each number another picture; with a QR code in the middle of a larger one."""
    noise = np.random.default_rng(number)
    if code:
        size = (900, 1200)
    base = noise.integers(60, 180, (size[0] // 20, size[1] // 20, 3)).astype(np.uint8)
    pixels = np.repeat(np.repeat(base, 20, 0), 20, 1)
    if code:
        made = zxingcpp.create_barcode(code, zxingcpp.BarcodeFormat.QRCode)
        shown = np.array(zxingcpp.write_barcode_to_image(made, scale=scale))
        top, left = (size[0] - shown.shape[0]) // 2, (size[1] - shown.shape[1]) // 2
        pixels[top : top + shown.shape[0], left : left + shown.shape[1]] = shown[:, :, None]
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), 92, "RGB", sampling))


def clock(second: int, minute: int = 0) -> str:
    """Of today, as EXIF writes it: a morning in which pictures were taken."""
    return time.strftime("%Y:%m:%d ") + f"00:{minute:02d}:{second:02d}"


def taken(number: int, comment: str = "", *, second: int | None = None, **how: Any) -> bytes:
    """A picture with EXIF, taken in that second after midnight."""
    picture = {key: how.pop(key) for key in ("sampling", "size", "code", "scale") if key in how}
    when = clock(number if second is None else second, how.pop("minute", 0))
    return with_exif(jpeg(number, **picture), camera(comment, taken=when, **how))


def person(identity: str, name: str = "Prüf^Jördis", born: str = "1980-02-29", **more: Any) -> str:
    return json.dumps({"id": identity, "name": name, "birth_date": born, "sex": "F", **more}, ensure_ascii=False)


def put(folder: Path, name: str, data: bytes) -> Path:
    """As a transfer does it well: under another name first."""
    temporary = folder / f".{name}.part"
    temporary.write_bytes(data)
    return temporary.rename(folder / name)


def watching(folder: Path, port: int, more: str = "", send: str = "exam-close") -> str:
    return f"""
station_name = "TEST1"
language = "en"
[clock]
wait_s = 0
[watched]
settle_s = {SETTLE_S}
[[sources]]
id = "endo"
kind = "pattern"
size = "640x360"
fps = 15
preroll_s = 1
[[sources]]
id = "cam"
kind = "folder"
name = "Ward camera"
device = "{folder}"
still_class = "vl-photographic"
[[destinations]]
name = "archive"
host = "127.0.0.1"
port = {port}
aet = "ORTHANC"
timeout_s = 10
send = "{send}"
retry = {{ first_s = 0.2, max_s = 1 }}
{more}
"""


def start_dying(box: Box, steps: int) -> subprocess.Popen[bytes]:
    """An engine of tests.support.dying_intake."""
    with (box.folder / "engine.log").open("ab") as log:
        box.processes["engine"] = subprocess.Popen(
            [sys.executable, "-m", "tests.support.dying_intake", str(steps), *box.common],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    return box.processes["engine"]


def stored(archive: Orthanc, patient: str | None = None) -> list[pydicom.Dataset]:
    """The pictures that the archive has, of one patient or of all, in the order of acquisition."""
    found = [pydicom.dcmread(io.BytesIO(archive.get(f"/instances/{item}/file"))) for item in archive.instances()]
    found = [item for item in found if "PixelData" in item and patient in (None, item.PatientID)]
    return sorted(found, key=lambda item: (item.AcquisitionDateTime, item.InstanceNumber))


def waiting(folder: Path) -> list[str]:
    """Files that lie in the folder itself."""
    return sorted(item.name for item in folder.iterdir() if item.is_file() and not item.name.startswith("."))


def done(folder: Path) -> list[str]:
    return sorted(item.name for item in folder.glob("done/*/*"))


def sidecars(box: Box) -> list[dict[str, Any]]:
    """Of the watched source, wherever they lie in the spool."""
    found = []
    for path in (box.state / "spool").glob("*/*.json"):
        value = json.loads(path.read_bytes())
        if value.get("source") == "cam" and "sop_class" in value:
            found.append(value)
    return found


def age(path: Path, seconds: float) -> None:
    at = time.time() - seconds
    os.utime(path, (at, at))
