"""Good objects of every class and transfer syntax, and broken ones, for whoever judges objects."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
import simplejpeg
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from smartbox_tui.dicom.build import build_header
from smartbox_tui.dicom.compose import Composition, compose, from_part10
from smartbox_tui.dicom.iods import NATIVE
from smartbox_tui.dicom.lineage import Lineage, LossyStep
from smartbox_tui.dicom.rejection import build_rejection_note
from smartbox_tui.model.instance import (
    EXPLICIT_VR_LE,
    H264_HP_41,
    H264_HP_42_2D,
    HEVC_MP_51,
    IMPLICIT_VR_LE,
    JPEG_BASELINE,
    JPEG_EXTENDED,
    MPEG2_MPHL,
    MPEG2_MPML,
    SOP_CLASSES,
    Kind,
    Picture,
)
from smartbox_tui.model.rejection import RejectionNote
from tests.dicom.pictures import CLIP_WORDS, EQUIPMENT, ORDERED, STILL_WORDS, TAKEN, Media, clip, still

STILL_SYNTAXES = (JPEG_BASELINE, JPEG_EXTENDED, EXPLICIT_VR_LE, IMPLICIT_VR_LE)
DECODED = Lineage(before=(LossyStep("ISO_10918_1", 10.0),))


def stream(media: Media, name: str, *command: str) -> Path:
    """A bitstream made by ffmpeg beside the others, once."""
    path = media.still.with_name(name)
    if not path.exists():
        subprocess.run(["ffmpeg", "-v", "error", "-y", *command, str(path)], check=True)
    return path


def mp4(media: Media) -> Path:
    return stream(media, "30.mp4", "-i", str(media.clip_30), "-c", "copy")


def hevc(media: Media) -> Path:
    return stream(
        media, "hevc.ts", *"-f lavfi -i testsrc=size=1280x720:rate=30 -frames:v 30 -c:v libx265".split(),
        *"-preset ultrafast -pix_fmt yuv420p -x265-params log-level=error".split(),
    )  # fmt: skip


def extended(media: Media) -> Path:
    """The same picture as an extended sequential one: only its frame header's marker differs."""
    path = media.still.with_name("sof1.jpg")
    path.write_bytes(media.still.read_bytes().replace(b"\xff\xc0\x00\x11", b"\xff\xc1\x00\x11", 1))
    return path


def raw(media: Media, frames: int = 1) -> Path:
    path = media.still.with_name(f"{frames}.rgb")
    path.write_bytes(simplejpeg.decode_jpeg(media.still.read_bytes()).tobytes() * frames)
    return path


def burst(media: Media, syntax: str = JPEG_BASELINE) -> Composition:
    """Three frames, one fragment each, with their offsets."""
    data = (extended(media) if syntax == JPEG_EXTENDED else media.still).read_bytes()
    path = raw(media, 3) if syntax in NATIVE else media.still.with_name(f"burst-{syntax[-2:]}")
    if syntax not in NATIVE:
        path.write_bytes(data * 3)
    picture = still(
        "multiframe-sc", path, transfer_syntax_uid=syntax, kind=Kind.BURST, number_of_frames=3, frame_time_ms=200.0
    )
    header = build_header(ORDERED, picture, EQUIPMENT, DECODED if syntax in NATIVE else Lineage())
    frames = None if syntax in NATIVE else [(n * len(data), len(data)) for n in range(3)]
    return compose(header, path, path.stat().st_size, frames)


def note(path: Path) -> Composition:
    rejected = tuple(("1.2.3.10", SOP_CLASSES[word], f"1.2.3.10.{n}") for n, word in enumerate(STILL_WORDS, 1))
    made = RejectionNote("1.2.3.90.1", "1.2.3.90", 9000, 1, TAKEN, rejected)
    path.write_bytes(build_rejection_note(ORDERED, made, EQUIPMENT))
    return from_part10(path)


def object_of(picture: Picture, path: Path) -> Composition:
    lineage = DECODED if picture.transfer_syntax_uid in NATIVE else Lineage()
    return compose(build_header(ORDERED, picture, EQUIPMENT, lineage), path, path.stat().st_size)


def hevc_picture(word: str, path: Path, **changes: Any) -> Picture:
    return clip(word, path, **({"transfer_syntax_uid": HEVC_MP_51} | changes))


def good(media: Media) -> dict[str, Composition]:
    """Every SOP class in every transfer syntax that the box makes it in."""
    found: dict[str, Composition] = {"note": note(media.still.with_name("note.dcm"))}
    for syntax in STILL_SYNTAXES:
        path = raw(media) if syntax in NATIVE else extended(media) if syntax == JPEG_EXTENDED else media.still
        for word in (*STILL_WORDS, "multiframe-sc"):
            found[f"{word} {syntax}"] = object_of(still(word, path, transfer_syntax_uid=syntax), path)
        found[f"burst {syntax}"] = burst(media, syntax)
    full = still("vl-endoscopic", media.still_444, sampling="444")
    found["4:4:4"] = object_of(full, media.still_444)
    videos = {
        H264_HP_41: media.clip_30,
        H264_HP_42_2D: media.clip_60,
        MPEG2_MPML: media.mpeg2_ml,
        MPEG2_MPHL: media.mpeg2_hl,
    }
    for word in CLIP_WORDS:
        for syntax, path in videos.items():
            found[f"{word} {syntax}"] = object_of(clip(word, path, syntax), path)
        found[f"{word} hevc"] = object_of(hevc_picture(word, hevc(media)), hevc(media))
        found[f"{word} mp4"] = object_of(clip(word, mp4(media)), mp4(media))
    return found


@dataclass(frozen=True)
class Broken:
    """`rule`: what the box must find. `silent`: why dciodvfy says nothing; empty where it finds an error too."""

    rule: str
    change: Callable[[Dataset], object]
    base: str = "still"
    silent: str = ""


def _delete(keyword: str) -> Callable[[Dataset], object]:
    return lambda data: data.__delattr__(keyword)


def _set(keyword: str, value: object) -> Callable[[Dataset], object]:
    return lambda data: data.__setattr__(keyword, value)


def _syntax(uid: str) -> Callable[[Dataset], object]:
    return lambda data: data.file_meta.__setattr__("TransferSyntaxUID", uid)


def _inside(sequence: str, change: Callable[[Dataset], object]) -> Callable[[Dataset], object]:
    return lambda data: change(data[sequence].value[0])


BITSTREAM = "dciodvfy does not look into the bitstream"
SYNTAX = "dciodvfy takes the attributes for themselves, not against the transfer syntax"

BROKEN: dict[str, Broken] = {
    "no study UID": Broken("missing", _delete("StudyInstanceUID")),
    "empty study UID": Broken("empty", _set("StudyInstanceUID", "")),
    "no series UID": Broken("missing", _delete("SeriesInstanceUID")),
    "no patient name": Broken("missing", _delete("PatientName")),
    "no patient ID": Broken("missing", _delete("PatientID")),
    "no birth date": Broken("missing", _delete("PatientBirthDate")),
    "no sex": Broken("missing", _delete("PatientSex")),
    "no accession number": Broken("missing", _delete("AccessionNumber")),
    "no referring physician": Broken("missing", _delete("ReferringPhysicianName")),
    "no modality": Broken("missing", _delete("Modality")),
    "no manufacturer": Broken("missing", _delete("Manufacturer")),
    "no series number": Broken("missing", _delete("SeriesNumber")),
    "no instance number": Broken("missing", _delete("InstanceNumber")),
    "no patient orientation": Broken("missing", _delete("PatientOrientation")),
    "no image type": Broken("missing", _delete("ImageType")),
    "no acquisition context": Broken("missing", _delete("AcquisitionContextSequence")),
    "no anatomic region": Broken(
        "missing", _delete("AnatomicRegionSequence"), silent="dciodvfy demands it of video classes only"
    ),
    "clip without region": Broken("missing", _delete("AnatomicRegionSequence"), "clip"),
    "no rows": Broken("missing", _delete("Rows")),
    "no planar configuration": Broken("missing", _delete("PlanarConfiguration")),
    "no pixels": Broken("missing", _delete("PixelData")),
    "no character set": Broken("missing", _delete("SpecificCharacterSet")),
    "sex X": Broken("enumerated", _set("PatientSex", "X")),
    "burned in MAYBE": Broken("enumerated", _set("BurnedInAnnotation", "MAYBE")),
    "image type NEW": Broken("enumerated", _set("ImageType", ["NEW", "PRIMARY"])),
    "lossy 02": Broken("enumerated", _set("LossyImageCompression", "02")),
    "bad date": Broken("form", _set("StudyDate", "20261341")),
    "bad time": Broken("form", _set("StudyTime", "25:00")),
    "bad UID": Broken("form", _set("StudyInstanceUID", "1.2.abc")),
    "small letters in CS": Broken("form", _set("PatientSex", "m")),
    "SH too long": Broken("form", _set("AccessionNumber", "A" * 17)),
    "two series numbers": Broken("vm", lambda data: data.add_new(0x00200011, "IS", ["1", "2"])),
    "wrong VR": Broken("vr", lambda data: data.add_new(0x00100020, "SH", "1")),
    "code without meaning": Broken("code", _inside("AnatomicRegionSequence", _delete("CodeMeaning"))),
    "code without scheme": Broken("code", _inside("AnatomicRegionSequence", _delete("CodingSchemeDesignator"))),
    "reference without UID": Broken(
        "missing", _inside("ReferencedStudySequence", _delete("ReferencedSOPInstanceUID"))
    ),
    "high bit 8": Broken("bits", _set("HighBit", 8)),
    "one sample of colour": Broken("samples", _set("SamplesPerPixel", 1)),
    "clip without frame time": Broken("missing", _delete("FrameTime"), "clip"),
    "clip without pointer": Broken("missing", _delete("FrameIncrementPointer"), "clip"),
    "clip without frames": Broken("missing", _delete("NumberOfFrames"), "clip"),
    "clip in RGB": Broken("photometric", _set("PhotometricInterpretation", "RGB"), "clip", SYNTAX),
    "burst without annotation": Broken("missing", _delete("BurnedInAnnotation"), "burst"),
    "no conversion type": Broken("missing", _delete("ConversionType"), "burst"),
    "other UID in group 2": Broken(
        "group-2", lambda data: setattr(data.file_meta, "MediaStorageSOPInstanceUID", "1.2")
    ),
    "lossy 00": Broken("lossy", _set("LossyImageCompression", "00"), silent=SYNTAX),
    "method of video": Broken("lossy-method", _set("LossyImageCompressionMethod", "ISO_13818_2"), silent=SYNTAX),
    "wrong rows": Broken("size", _set("Rows", 481), silent=BITSTREAM),
    "4:2:2 as 4:4:4": Broken("photometric", _set("PhotometricInterpretation", "YBR_FULL")),
    "baseline as extended": Broken("jpeg-process", _syntax(JPEG_EXTENDED), silent=BITSTREAM),
    "two of three frames": Broken("offset-table", _set("NumberOfFrames", 2), "burst", BITSTREAM),
    "no JPEG": Broken("bitstream", _set("PixelData", encapsulate([bytes(100)])), silent=BITSTREAM),
    "JPEG cut off": Broken(
        "jpeg-end",
        lambda data: setattr(data, "PixelData", _cut(data.PixelData)),
        silent=BITSTREAM,
    ),
    "raw H.264": Broken(
        "container", _set("PixelData", encapsulate([b"\0\0\0\1\x67" + bytes(99)])), "clip", BITSTREAM
    ),
    "clip of two fragments": Broken(
        "fragments", lambda data: setattr(data, "PixelData", _halves(data.PixelData)), "clip", BITSTREAM
    ),
    "1080p60 as level 4.1": Broken("level", _syntax(H264_HP_41), "clip 60", BITSTREAM),
    "H.264 as MPEG2": Broken("codec", _syntax(MPEG2_MPHL), "clip", BITSTREAM),
    "HD as MPEG2 main level": Broken("level", _syntax(MPEG2_MPML), "mpeg2 hl"),
    "25 as 50 frames/s": Broken("frame-time", _set("FrameTime", "20"), "mpeg2 hl"),
    "30 as 25 frames/s": Broken("frame-time", _set("FrameTime", "40"), "clip", BITSTREAM),
    "note without evidence": Broken("missing", _delete("CurrentRequestedProcedureEvidenceSequence"), "note"),
    "note without title": Broken("missing", _delete("ConceptNameCodeSequence"), "note"),
    "note without content date": Broken("missing", _delete("ContentDate"), "note"),
    "note without content": Broken(
        "missing", _delete("ContentSequence"), "note", "dciodvfy takes a container without content"
    ),
    "note of modality ES": Broken("modality", _set("Modality", "ES"), "note"),
    "MP4 with other frames": Broken("frames", _set("NumberOfFrames", 31), "mp4", BITSTREAM),
    "native too short": Broken(
        "pixel-length", lambda data: setattr(data, "PixelData", data.PixelData[:-2]), "native"
    ),
}  # fmt: skip


def _cut(pixels: bytes) -> bytes:
    """The one fragment, of its first part, in its item."""
    start = pixels.index(b"\xff\xd8")
    part = pixels[start : start + 20000]
    return pixels[:8] + b"\xfe\xff\x00\xe0" + len(part).to_bytes(4, "little") + part + b"\xfe\xff\xdd\xe0\0\0\0\0"


def _halves(pixels: bytes) -> bytes:
    size = int.from_bytes(pixels[12:16], "little")
    body = pixels[16 : 16 + size]
    parts = [body[: 188 * 400], body[188 * 400 :]]
    items = b"".join(b"\xfe\xff\x00\xe0" + len(part).to_bytes(4, "little") + part for part in (b"", *parts))
    return items + b"\xfe\xff\xdd\xe0\0\0\0\0"


def bases(media: Media) -> dict[str, Composition]:
    return {
        "note": note(media.still.with_name("note.dcm")),
        "still": object_of(still("vl-endoscopic", media.still), media.still),
        "native": object_of(still("vl-endoscopic", raw(media), transfer_syntax_uid=EXPLICIT_VR_LE), raw(media)),
        "burst": burst(media),
        "clip": object_of(clip("video-endoscopic", media.clip_30), media.clip_30),
        "clip 60": object_of(clip("video-endoscopic", media.clip_60, H264_HP_42_2D), media.clip_60),
        "mpeg2 hl": object_of(clip("video-endoscopic", media.mpeg2_hl, MPEG2_MPHL), media.mpeg2_hl),
        "mp4": object_of(clip("video-endoscopic", mp4(media)), mp4(media)),
    }


def write_broken(broken: Broken, base: Path, path: Path) -> None:
    """The base's file with its one defect, written without the care that pydicom would take."""
    data = pydicom.dcmread(base)
    broken.change(data)
    pydicom.dcmwrite(path, data, enforce_file_format=False)
