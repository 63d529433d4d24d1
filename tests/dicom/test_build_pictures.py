"""`smartbox dicom build` of pictures: objects that others take; for each that does not fit its sentence."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from PIL import Image, ImageOps

from smartbox_tui.model.instance import (
    EXPLICIT_VR_LE,
    IMPLICIT_VR_LE,
    JPEG_BASELINE,
    JPEG_EXTENDED,
)
from tests.dicom.building import Build, frame, turned
from tests.unit.test_media_foreign import COLOUR, jpeg, picture, saved

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
