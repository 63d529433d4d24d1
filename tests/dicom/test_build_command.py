"""`smartbox dicom build`: real files in, objects out that others take; for each that does not fit its sentence."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import simplejpeg
from PIL import Image, ImageOps
from pydicom import config
from pydicom.encaps import generate_frames
from pydicom.uid import UID

from smartbox_tui.cli import run
from smartbox_tui.dicom.compose import from_part10
from smartbox_tui.model.instance import (
    EXPLICIT_VR_LE,
    H264_HP_41,
    HEVC_MP_51,
    IMPLICIT_VR_LE,
    JPEG_BASELINE,
    JPEG_EXTENDED,
    MPEG2_MPML,
    SOP_CLASSES,
)
from tests.support.dcmtk import dciodvfy, need
from tests.support.orthanc import Orthanc
from tests.unit.test_media_foreign import COLOUR, jpeg, picture, saved

PERSON = ["--patient-id", "T-1", "--name", "Test^Eins", "--birth-date", "1970-01-01", "--sex", "F"]


@pytest.fixture(autouse=True)
def _pydicom_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config.settings, "reading_validation_mode", config.IGNORE)


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


@pytest.fixture
def build(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Build:
    return Build(tmp_path, capsys)


def frame(dataset: pydicom.Dataset, number: int = 0) -> bytes:
    frames = list(generate_frames(dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames", 1))))
    return frames[number]


def turned(orientation: int, when: str = "") -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F], exif[0x0110] = "Ricoh", "G900"
    exif[0x010E] = "Mustermann^Erika"
    if when:
        exif.get_ifd(0x8769)[0x9003] = when
    return exif


# ---- JPEG


@pytest.mark.parametrize("word", ["secondary-capture", "vl-endoscopic", "vl-microscopic", "vl-photographic"])
@pytest.mark.parametrize(
    ("data", "colour"),
    [
        (jpeg(), "YBR_FULL_422"),
        (jpeg(subsampling="4:4:4"), "YBR_FULL"),
        (jpeg(keep_rgb=True, subsampling="4:4:4"), "RGB"),
        (jpeg("L"), "MONOCHROME2"),
    ],
    ids=["422", "444", "rgb", "grey"],
)
def test_a_jpeg_that_fits_goes_in_bit_for_bit(build: Build, word: str, data: bytes, colour: str) -> None:
    if colour == "RGB" and word != "secondary-capture":
        assert "luma and chroma" in build.bad(word, build.write("a.jpg", data))["message"]
        return
    found, value = build.good(word, build.write("a.jpg", data))
    assert value["transfer_syntax_uid"] == JPEG_BASELINE
    assert (found.PhotometricInterpretation, found.Rows, found.Columns) == (colour, 93, 131)
    assert found.SamplesPerPixel == (1 if colour == "MONOCHROME2" else 3)
    assert simplejpeg.decode_jpeg(frame(found)).tobytes() == simplejpeg.decode_jpeg(data).tobytes()
    assert (found.LossyImageCompression, found.LossyImageCompressionMethod) == ("01", "ISO_10918_1")
    assert (found.PatientName, found.PatientBirthDate, found.PatientSex) == ("Test^Eins", "19700101", "F")
    assert "AcquisitionDateTime" not in found  # nobody knows when
    assert "ContentTime" not in found
    assert found.ImageType == ["ORIGINAL", "PRIMARY"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (jpeg(subsampling="4:2:0"), "4:2:0"),
        (jpeg(progressive=True), "progressive"),
        (jpeg(exif=turned(6)), "turned or mirrored"),
    ],
    ids=["420", "progressive", "turned"],
)
def test_a_jpeg_that_does_not_fit_is_told_and_mended(build: Build, data: bytes, why: str) -> None:
    path = build.write("a.jpg", data)
    error = build.bad("vl-photographic", path)
    assert why in error["message"]
    assert "--reencode" in error["hint"]
    assert "--transfer-syntax explicit" in error["hint"]
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")).astype(int)

    decoded, value = build.good("vl-photographic", "--transfer-syntax", "explicit", path)
    assert value["transfer_syntax_uid"] == EXPLICIT_VR_LE
    pixels = np.frombuffer(decoded.PixelData[: upright.size], np.uint8).reshape(upright.shape)
    assert np.abs(pixels - upright).max() <= 3
    assert decoded.PhotometricInterpretation == "RGB"
    assert (decoded.LossyImageCompression, decoded.LossyImageCompressionMethod) == ("01", "ISO_10918_1")

    anew, value = build.good("vl-photographic", "--reencode", path)
    assert value["transfer_syntax_uid"] == JPEG_BASELINE
    assert anew.PhotometricInterpretation == "YBR_FULL_422"
    assert list(anew.LossyImageCompressionMethod) == ["ISO_10918_1", "ISO_10918_1"]
    assert float(anew.LossyImageCompressionRatio[0]) == pytest.approx(upright.size / len(data), rel=0.01)
    assert anew.ImageType == ["DERIVED", "PRIMARY"]
    assert why.split()[0] in anew.DerivationDescription
    assert np.abs(simplejpeg.decode_jpeg(frame(anew)).astype(int) - upright).mean() < 14
    assert b"Mustermann" not in Path(value["file"]).read_bytes()


def test_extended_and_implicit(build: Build) -> None:
    path = build.write("a.jpg", jpeg())
    found, _ = build.good("vl-endoscopic", "--transfer-syntax", "jpeg-extended", path)
    assert found.file_meta.TransferSyntaxUID == JPEG_EXTENDED
    assert frame(found).rstrip(b"\0") == jpeg().replace(b"\xff\xc0", b"\xff\xc1", 1)
    foreign = build.write("b.jpg", jpeg().replace(b"\xff\xc0", b"\xff\xc1", 1))
    found, _ = build.good("vl-endoscopic", foreign)
    assert found.file_meta.TransferSyntaxUID == JPEG_EXTENDED
    assert (
        "not baseline"
        in build.bad("vl-endoscopic", "--overwrite", "--transfer-syntax", JPEG_BASELINE, foreign)["message"]
    )
    found, _ = build.good("vl-endoscopic", "--transfer-syntax", "implicit", path)
    assert found.file_meta.TransferSyntaxUID == IMPLICIT_VR_LE
    assert found.PixelData[: COLOUR.size] == simplejpeg.decode_jpeg(jpeg()).tobytes()


def test_what_the_camera_says(build: Build) -> None:
    data = jpeg(exif=turned(1, "2025:03:04 05:06:07"))
    found, value = build.good("vl-photographic", build.write("a.jpg", data))
    assert found.AcquisitionDateTime.startswith("20250304050607")
    assert (found.ContentDate, found.StudyDate) == ("20250304", "20250304")
    assert (found.Manufacturer, found.ManufacturerModelName) == ("Ricoh", "G900")
    assert "time-zone" in {item["rule"] for item in value["findings"]}
    assert b"Mustermann" not in Path(value["file"]).read_bytes()
    found, value = build.good(
        "vl-photographic", "--captured-at", "2025-03-04T05:06:07+05:30", "--study-date", "2025-03-04",
        build.folder / "a.jpg",
    )  # fmt: skip
    assert found.StudyTime is None or found.StudyTime == ""
    assert found.StudyDate == "20250304"


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.jpg", jpeg("CMYK"), "CMYK"),
        ("a.jpg", jpeg()[:-600], "damaged|no end"),
        ("a.jpg", jpeg()[:100], "no whole JPEG"),
        ("a.jpg", jpeg()[: len(jpeg()) * 2 // 3] + b"\xff\xd9", "damaged"),
        ("a.jpg", jpeg().replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc1\x00\x11\x0c", 1), "12 bits"),
        ("a.jpg", jpeg().replace(b"\xff\xc0", b"\xff\xc3", 1), "lossless"),
        ("a.png", saved(picture(), "PNG")[:-20], "cut off"),
        ("a.png", saved(Image.fromarray(np.zeros((4, 4), np.uint16)), "PNG"), "16 bits"),
        ("a.png", saved(Image.new("RGBA", (9, 9), (1, 2, 3, 100)), "PNG"), "transparent"),
        ("a.gif", saved(picture(), "GIF"), "GIF"),
        ("a.tif", saved(picture(), "TIFF"), "TIFF"),
        ("a.dcm", bytes(128) + b"DICM", "DICOM object already"),
        ("a.txt", b"hello", "nothing that is known"),
        ("a.jpg", b"", "nothing that is known"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_told(build: Build, name: str, data: bytes, words: str) -> None:
    path = build.write(name, data)
    for more in ([], ["--reencode"]):
        error = build.bad("vl-photographic", *more, path)
        assert any(word in error["message"] for word in words.split("|")), error


# ---- PNG and raw


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "1"])
def test_a_png_keeps_every_sample(build: Build, mode: str) -> None:
    found, value = build.good("secondary-capture", build.write("a.png", saved(picture(mode), "PNG")))
    grey = mode in ("L", "1")
    wanted = np.asarray(picture(mode).convert("L" if grey else "RGB")).tobytes()
    assert value["transfer_syntax_uid"] == EXPLICIT_VR_LE
    assert found.PixelData[: len(wanted)] == wanted
    assert found.PhotometricInterpretation == ("MONOCHROME2" if grey else "RGB")
    assert found.LossyImageCompression == "00"
    assert "LossyImageCompressionRatio" not in found
    assert "LossyImageCompressionMethod" not in found
    assert found.ConversionType == "WSD"
    build.good("vl-photographic", build.folder / "a.png")


def test_a_png_that_was_once_a_jpeg_may_say_so(build: Build) -> None:
    path = build.write("a.png", saved(picture(), "PNG"))
    said = build.write(
        "a.json",
        b'{"LossyImageCompression": "01", "LossyImageCompressionRatio": 12.5, '
        b'"LossyImageCompressionMethod": "ISO_10918_1"}',
    )
    found, _ = build.good("vl-photographic", "--attributes", said, path)
    assert (found.LossyImageCompression, found.LossyImageCompressionRatio) == ("01", 12.5)
    error = build.bad("vl-photographic", "--overwrite", "--attributes", said, build.write("a.jpg", jpeg()))
    assert "LossyImageCompression" in error["message"]


def test_a_png_compressed_because_somebody_asked(build: Build) -> None:
    path = build.write("a.png", saved(picture(), "PNG"))
    found, _ = build.good("vl-photographic", "--transfer-syntax", "jpeg-baseline", "--quality", "90", path)
    assert found.PhotometricInterpretation == "YBR_FULL_422"
    assert found.LossyImageCompressionMethod == "ISO_10918_1"
    assert found.ImageType[0] == "DERIVED"


@pytest.mark.parametrize("form", ["rgb24", "bgr24", "gray8"])
def test_raw_pixels(build: Build, form: str) -> None:
    pixels = {"rgb24": COLOUR, "bgr24": COLOUR[:, :, ::-1], "gray8": COLOUR[:, :, 0]}[form]
    path = build.write("a.raw", pixels.tobytes())
    found, _ = build.good("vl-photographic", "--raw-size", "131x93", "--raw-format", form, path)
    wanted = (COLOUR[:, :, 0] if form == "gray8" else COLOUR).tobytes()
    assert found.PixelData[: len(wanted)] == wanted
    assert found.LossyImageCompression == "00"
    error = build.bad("vl-photographic", "--overwrite", "--raw-size", "131x94", "--raw-format", form, path)
    assert "no whole number" in error["message"]
    assert build.bad("vl-photographic", "--overwrite", "--raw-size", "0x93", path)["code"] == "bad-value"


# ---- several


def test_several_jpegs_are_one_object_with_a_table(build: Build) -> None:
    paths = [build.write(f"{n}.jpg", jpeg(quality=60 + 10 * n)) for n in range(3)]
    found, value = build.good("multiframe-sc", "--frame-time", "40", *paths)
    assert (value["frames"], found.NumberOfFrames, found.FrameTime) == (3, 3, 40)
    for number, path in enumerate(paths):
        assert frame(found, number).rstrip(b"\0") == path.read_bytes().rstrip(b"\0")
    assert found.PixelData[4:8] == (12).to_bytes(4, "little")  # the Basic Offset Table
    one, _ = build.good("multiframe-sc", paths[0])
    assert one.NumberOfFrames == 1


def test_several_pngs_and_raw_frames(build: Build) -> None:
    paths = [build.write(f"{n}.png", saved(picture(mode), "PNG")) for n, mode in enumerate(("RGB", "L", "P"))]
    found, _ = build.good("multiframe-sc", "--frame-time", "100", *paths)
    assert (found.NumberOfFrames, found.SamplesPerPixel) == (3, 3)
    assert len(found.PixelData) == 3 * COLOUR.size + 3 * COLOUR.size % 2
    raw = build.write("a.raw", COLOUR.tobytes() * 5)
    found, _ = build.good("multiframe-sc", "--frame-time", "100", "--raw-size", "131x93", raw)
    assert found.PixelData[: 5 * COLOUR.size] == COLOUR.tobytes() * 5
    assert "5 pictures" in build.bad("vl-photographic", "--overwrite", "--raw-size", "131x93", raw)["message"]


def test_pictures_that_are_not_alike(build: Build) -> None:
    small = build.write("s.jpg", saved(picture().resize((64, 48)), "JPEG", subsampling="4:2:2"))
    one, other = build.write("a.jpg", jpeg()), build.write("b.jpg", jpeg(subsampling="4:4:4"))
    png = build.write("a.png", saved(picture(), "PNG"))
    assert "64x48" in build.bad("multiframe-sc", "--frame-time", "40", one, small)["message"]
    assert "another way" in build.bad("multiframe-sc", "--frame-time", "40", one, other)["message"]
    assert "different kinds" in build.bad("multiframe-sc", "--frame-time", "40", one, png)["message"]
    assert "How fast" in build.bad("multiframe-sc", one, one)["message"]
    assert "one picture" in build.bad("vl-photographic", one, other)["message"]
    grey = build.write("g.jpg", jpeg("L"))
    assert "three samples" in build.bad("multiframe-sc", grey)["message"]
    found, _ = build.good("multiframe-sc", "--frame-time", "40", "--reencode", one, other)
    assert list(found.LossyImageCompressionMethod) == ["ISO_10918_1", "ISO_10918_1"]
    found, _ = build.good("multiframe-sc", "--frame-time", "40", "--reencode", grey)
    assert found.SamplesPerPixel == 3


# ---- videos

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


def frame_of_video(dataset: pydicom.Dataset) -> bytes:
    (found,) = generate_frames(dataset.PixelData, number_of_frames=1)
    return found


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


# ---- what is said


def test_attributes_in_either_form(build: Build) -> None:
    said = {
        "PatientName": {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"},
        "00100020": {"vr": "LO", "Value": ["00123"]},
        "(0010,0030)": "19610314",
        "0010,1020": 1.75,
        "StudyID": "7",
        "ReferringPhysicianName": "Groß^Änne",
        "ImageComments": "a \\ is allowed here",
        "OtherPatientNames": ["A^B", "C^D"],
        "PatientAge": None,
        "AnatomicRegionSequence": [
            {"CodeValue": "71854001", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Kolon"},
        ],
        "ProcedureCodeSequence": {
            "vr": "SQ",
            "Value": [
                {
                    "00080100": {"vr": "SH", "Value": ["1-650"]},
                    "00080102": {"vr": "SH", "Value": ["99OPS"]},
                    "00080104": {"vr": "LO", "Value": ["Koloskopie"]},
                }
            ],
        },
        "StudyInstanceUID": "1.2.3.4",
    }
    path = build.write("a.json", json.dumps(said).encode())
    still = build.write("a.jpg", jpeg())
    found, value = build.good("vl-endoscopic", "--attributes", path, still, person=False)
    assert found.PatientName == "Yamada^Tarou=山田^太郎=やまだ^たろう"
    assert (found.PatientID, found.PatientBirthDate, found.PatientSize) == ("00123", "19610314", 1.75)
    assert (found.StudyID, found.ReferringPhysicianName) == ("7", "Groß^Änne")
    assert found.ImageComments == "a \\ is allowed here"
    assert list(found.OtherPatientNames) == ["A^B", "C^D"]
    assert found.ProcedureCodeSequence[0].CodeMeaning == "Koloskopie"
    assert found.AnatomicRegionSequence[0].CodeMeaning == "Kolon"
    assert (value["study_instance_uid"], value["findings"]) == ("1.2.3.4", [])


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        ('{"PatientNme": "x"}', "unknown-key", "PatientNme"),
        ('{"Rows": 5}', "bad-value", "Rows"),
        ('{"NumberOfFrames": 5}', "bad-value", "NumberOfFrames"),
        ('{"PhotometricInterpretation": "RGB"}', "bad-value", "PhotometricInterpretation"),
        ('{"SOPClassUID": "1.2.3"}', "bad-value", "SOPClassUID"),
        ('{"SpecificCharacterSet": "ISO_IR 100"}', "bad-value", "SpecificCharacterSet"),
        ('{"TransferSyntaxUID": "1.2.840.10008.1.2"}', "bad-value", "none of a data set"),
        ('{"0002,0010": "1.2.840.10008.1.2"}', "bad-value", "none of a data set"),
        ('{"PixelData": ""}', "bad-value", "PixelData"),
        ('{"60003000": ""}', "bad-value", "60003000"),
        ('{"0009,0010": "x"}', "bad-value", "private"),
        ('{"00100009": "x"}', "unknown-key", "00100009"),
        ('{"ICCProfile": "AAAA"}', "bad-value", "binary"),
        ('{"StudyID": 7}', "bad-value", "StudyID must be a text"),
        ('{"StudyID": true}', "bad-value", "StudyID"),
        ('{"PatientSize": "tall"}', "bad-value", "no number"),
        ('{"PatientSize": NaN}', "bad-value", "PatientSize"),
        ('{"SeriesNumber": 1.5}', "bad-value", "SeriesNumber"),
        ('{"SeriesNumber": 99999999999}', "bad-value", "SeriesNumber"),
        ('{"StudyDate": "2026-07-01"}', "invalid-object", "StudyDate"),
        ('{"Laterality": "X"}', "invalid-object", "Laterality"),
        ('{"StudyID": ["1", "2"]}', "invalid-object", "StudyID"),
        ('{"StudyID": "longer than sixteen"}', "invalid-object", "StudyID"),
        ('{"StudyID": "a\\\\b"}', "bad-value", "backslash"),
        ('{"SeriesDescription": "a\\u0007b"}', "invalid-object", "SeriesDescription"),
        ('{"Modality": ""}', "invalid-object", "Modality"),
        ('{"ProcedureCodeSequence": "x"}', "bad-value", "ProcedureCodeSequence"),
        ('{"ProcedureCodeSequence": [{"CodeVal": "x"}]}', "unknown-key", "CodeVal"),
        ('{"ProcedureCodeSequence": [{"CodeValue": "x"}]}', "invalid-object", "ProcedureCodeSequence"),
        ('{"StudyID": {"vr": "LO", "Value": ["7"]}}', "bad-value", "VR"),
        ('{"StudyID": {"vr": "SH", "InlineBinary": "AA=="}}', "bad-value", "InlineBinary"),
        ('{"StudyID": "1", "0020,0010": "2"}', "bad-value", "twice"),
        ('{"StudyID": "1", "StudyID": "2"}', "bad-value", "twice"),
        ('{"PatientID": "other"}', "bad-value", "PatientID"),
        ('["PatientID"]', "bad-value", "one JSON object"),
        ('{"PatientID": ', "bad-value", "line 1"),
        ("[" * 100000, "bad-value", "JSON"),
    ],
)  # fmt: skip
def test_attributes_that_cannot_be(build: Build, said: str, code: str, words: str) -> None:
    error = build.bad(
        "vl-photographic", "--attributes", build.write("a.json", said.encode()), build.write("a.jpg", jpeg())
    )
    assert error["code"] == code, error
    assert words in error["message"]


def test_the_nearest_keyword_is_named(build: Build) -> None:
    path = build.write("a.json", b'{"patientname": "Test^Zwei"}')
    assert "PatientName" in build.bad("vl-photographic", "--attributes", path, build.write("a.jpg", jpeg()))["hint"]


def test_character_sets(build: Build) -> None:
    still = build.write("a.jpg", jpeg())
    latin = build.write("latin.json", '{"PatientName": "Müller^Jörg"}'.encode())
    polish = build.write("polish.json", '{"PatientName": "Łukasz"}'.encode())
    found, _ = build.good("vl-photographic", "--charset", "latin-1", "--attributes", latin, still, person=False)
    assert (found.SpecificCharacterSet, found.PatientName) == ("ISO_IR 100", "Müller^Jörg")
    error = build.bad(
        "vl-photographic", "--overwrite", "--charset", "latin-1", "--attributes", polish, still, person=False
    )
    assert "PatientName" in error["message"]
    assert "Łukasz" not in json.dumps(error, ensure_ascii=False)
    found, _ = build.good("vl-photographic", "--attributes", polish, still, person=False)
    assert found.PatientName == "Łukasz"


def test_options_say_what_it_belongs_to(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    still = build.write("a.jpg", jpeg())
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"id": "T-2", "name": "Test^Zwei", "sex": "M"}'))
    words = (
        "--patient-file - --accession A-1 --study-uid 1.2.3 --series-uid 1.2.4 --sop-uid 1.2.5 "
        "--study-description Kolo --study-date 2025-05-06T07:08:09+02:00 --modality XC "
        "--series-number 4 --instance-number 9 --burned-in no"
    )
    found, _ = build.good("secondary-capture", *words.split(), still, person=False)
    assert (found.PatientID, found.PatientName, found.PatientSex) == ("T-2", "Test^Zwei", "M")
    assert (found.AccessionNumber, found.StudyDescription) == ("A-1", "Kolo")
    assert (found.StudyInstanceUID, found.SeriesInstanceUID, found.SOPInstanceUID) == ("1.2.3", "1.2.4", "1.2.5")
    assert (found.StudyDate, found.StudyTime[:6], found.TimezoneOffsetFromUTC) == ("20250506", "070809", "+0200")
    assert (found.Modality, found.SeriesNumber, found.InstanceNumber) == ("XC", 4, 9)
    assert found.BurnedInAnnotation == "NO"


def test_nobodys_picture_is_noted(build: Build) -> None:
    found, value = build.good("vl-photographic", build.write("a.jpg", jpeg()), person=False)
    assert (found.PatientID, found.PatientName) == ("", "")
    assert [item["rule"] for item in value["findings"]] == ["no-patient"]
    error = build.bad("vl-photographic", "--overwrite", "--name", "Test^Eins", build.folder / "a.jpg", person=False)
    assert error["message"].startswith("id:")


# ---- the file


def test_a_file_that_is_there_stays(build: Build) -> None:
    still = build.write("a.jpg", jpeg())
    build.good("vl-photographic", still)
    before = (build.folder / "out.dcm").read_bytes()
    assert build.bad("vl-photographic", still)["code"] == "refused"
    assert build.bad("vl-endoscopic", "--overwrite", build.write("b.jpg", jpeg()[:99]))["code"] == "invalid-object"
    assert (build.folder / "out.dcm").read_bytes() == before
    for words, target in (("no folder", "away/o.dcm"), ("folder", "."), ("one of the media", "a.jpg")):
        path = build.folder / target
        status = run(
            ["dicom", "build", "--sop-class", "vl-photographic", "--overwrite", "--out", str(path), str(still)]
        )
        assert status == 1, words
    assert still.read_bytes() == jpeg()


def test_a_folder_that_cannot_be_written(build: Build, capsys: pytest.CaptureFixture[str]) -> None:
    still = build.write("a.jpg", jpeg())
    words = ["dicom", "build", "--json", "--sop-class", "vl-photographic", "--out", "/proc/self/o.dcm", str(still)]
    assert run(words) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "refused"


def test_no_descriptor_is_left_open(build: Build) -> None:
    still, clip = build.write("a.jpg", jpeg()), video(build, "high", "a.mp4")
    build.good("vl-photographic", still)
    before = len(os.listdir("/proc/self/fd"))
    build.good("vl-photographic", still)
    build.good("video-endoscopic", "--container", "ts", clip)
    build.bad("vl-photographic", "--overwrite", clip)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.orthanc
def test_orthanc_gives_them_back_byte_for_byte(build: Build, archive: Orthanc, tmp_path: Path) -> None:
    made = [
        ("vl-photographic", [build.write("a.jpg", jpeg())]),
        ("vl-endoscopic", [build.write("g.jpg", jpeg("L"))]),
        ("secondary-capture", [build.write("a.png", saved(picture(), "PNG"))]),
        ("multiframe-sc", ["--frame-time", "40", build.folder / "a.jpg", build.folder / "a.jpg"]),
        ("video-endoscopic", [video(build, "high", "a.mp4")]),
        ("video-photographic", [video(build, "mpeg2", "a.ts")]),
    ]
    for word, arguments in made:
        _, value = build.good(word, *arguments)
        assert SOP_CLASSES[word] == value["sop_class_uid"]
        peer = f"127.0.0.1:{archive.port}:{archive.aet}"
        assert run(["dicom", "send", "--to", peer, value["file"]]) == 0
        build.silent()
        back = tmp_path / "back.dcm"
        back.write_bytes(archive.file_of(value["sop_instance_uid"]))
        ours, theirs = (b"".join(from_part10(path).chunks()) for path in (Path(value["file"]), back))
        assert ours == theirs, word
