"""`smartbox dicom build` as the tests of it ask for it, and the files they give it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pydicom
import pytest
from PIL import Image
from pydicom.encaps import generate_frames
from pydicom.uid import UID

from smartbox_tui.cli import run
from smartbox_tui.model.instance import (
    H264_HP_41,
    HEVC_MP_51,
)
from tests.support.dcmtk import dciodvfy, need

PERSON = ["--patient-id", "T-1", "--name", "Test^Eins", "--birth-date", "1970-01-01", "--sex", "F"]


class Build:
    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capture = folder, capture

    def write(self, name: str, data: bytes) -> Path:
        (self.folder / name).write_bytes(data)
        return self.folder / name

    def __call__(self, word: str, *arguments: Any, person: bool = True) -> dict[str, Any]:
        """The answer with exit 0, or the error with exit 1, in which case no file is there."""
        target = self.folder / "out.dcm"
        before = target.read_bytes() if target.exists() else None
        words = ["dicom", "build", "--json", "--out", str(target), "--sop-class", word, *(PERSON if person else [])]
        status = run([*words, *map(str, arguments)])
        value: dict[str, Any] = json.loads(self._capture.readouterr().out)
        if status:
            assert (status, list(value)) == (1, ["error"])
            assert (target.read_bytes() if target.exists() else None) == before
            assert value["error"]["hint"]
        assert [path.name for path in self.folder.iterdir() if path.name.startswith(".")] == []
        return value

    def silent(self) -> None:
        self._capture.readouterr()

    def good(self, word: str, *arguments: Any, person: bool = True) -> tuple[pydicom.Dataset, dict[str, Any]]:
        value = self(word, "--overwrite", *arguments, person=person)
        assert "error" not in value, value
        path = Path(value["file"])
        assert value["bytes"] == path.stat().st_size
        assert run(["dicom", "validate", "--json", str(path)]) == 0
        self.silent()
        found = pydicom.dcmread(path)
        assert found.file_meta.TransferSyntaxUID == value["transfer_syntax_uid"]
        assert (found.SOPClassUID, found.SOPInstanceUID) == (value["sop_class_uid"], value["sop_instance_uid"])
        assert (found.StudyInstanceUID, found.SeriesInstanceUID) == (
            value["study_instance_uid"],
            value["series_instance_uid"],
        )
        judged = path
        if value["transfer_syntax_uid"] == HEVC_MP_51:  # a syntax that this dciodvfy does not know
            relabelled = pydicom.dcmread(path)
            relabelled.file_meta.TransferSyntaxUID = UID(H264_HP_41)
            relabelled.LossyImageCompressionMethod = "ISO_14496_10"
            judged = self.folder / "relabelled.dcm"
            pydicom.dcmwrite(judged, relabelled)
        full = found.PhotometricInterpretation == "YBR_FULL"  # dciodvfy knows it nowhere, cameras make it
        assert bool(dciodvfy(judged)[0]) == full, dciodvfy(judged)
        assert (full and word != "secondary-capture") == (
            "photometric-rare" in {item["rule"] for item in value["findings"]}
        )
        return found, value

    def bad(self, word: str, *arguments: Any, person: bool = True) -> dict[str, str]:
        value = self(word, *arguments, person=person)
        assert "error" in value, value
        error: dict[str, str] = value["error"]
        assert "Test^Eins" not in json.dumps(error)
        return error


def turned(orientation: int, when: str = "") -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F], exif[0x0110] = "Ricoh", "G900"
    exif[0x010E] = "Mustermann^Erika"
    if when:
        exif.get_ifd(0x8769)[0x9003] = when
    return exif


def frame(dataset: pydicom.Dataset, number: int = 0) -> bytes:
    frames = list(generate_frames(dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames", 1))))
    return frames[number]


def frame_of_video(dataset: pydicom.Dataset) -> bytes:
    (found,) = generate_frames(dataset.PixelData, number_of_frames=1)
    return found


CODECS = {
    "high": "libx264 -profile:v high -level 4.1 -pix_fmt yuv420p",
    "bframes": "libx264 -profile:v high -bf 2 -pix_fmt yuv420p",
    "main": "libx264 -profile:v main -pix_fmt yuv420p",
    "baseline": "libx264 -profile:v baseline -pix_fmt yuv420p",
    "422": "libx264 -profile:v high422 -pix_fmt yuv422p",
    "10bit": "libx264 -profile:v high10 -pix_fmt yuv420p10le",
    "interlaced": "libx264 -profile:v high -flags +ildct+ilme -x264-params interlaced=1 -pix_fmt yuv420p",
    "sar": "libx264 -profile:v high -pix_fmt yuv420p -vf setsar=4/3",
    "hevc": "libx265 -x265-params log-level=none -pix_fmt yuv420p",
    "hevc10": "libx265 -x265-params log-level=none -pix_fmt yuv420p10le",
    "mpeg2": "mpeg2video -bf 0 -g 12 -b:v 3M -pix_fmt yuv420p",
    "mpeg4": "mpeg4",
}


def video(build: Build, codec: str, name: str, *options: str) -> Path:
    path = build.folder / name
    source = ["-f", "lavfi", "-i", "testsrc2=size=352x288:rate=25"]
    sound = ["-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac"] if "sound" in options else []
    words = [
        need("ffmpeg"),
        "-v",
        "error",
        "-y",
        *source,
        *sound,
        "-frames:v",
        "20",
        "-c:v",
        *CODECS[codec].split(),
    ]
    subprocess.run([*words, str(path)], check=True)
    if "turned" in options:  # as telephones do it: in the track's matrix
        data, one, other = path.read_bytes(), matrix(1, 0, 0, 1), matrix(0, 1, -1, 0)
        at = data.index(one, data.index(b"tkhd"))
        path.write_bytes(data[:at] + other + data[at + len(one) :])
    return path


def matrix(*values: int) -> bytes:
    a, b, c, d = ((value << 16).to_bytes(4, "big", signed=True) for value in values)
    return a + b + bytes(4) + c + d


def hashes(path: Path) -> list[str]:
    words = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:v", "-f", "framemd5", "-"]
    text = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return [line.rpartition(",")[2].strip() for line in text.splitlines() if not line.startswith("#")]
