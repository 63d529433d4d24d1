"""Every object that the box can send: each class in each transfer syntax, container and character set.

Made by what makes them on the box: the encoders and the muxer of capture, the media children's remux and decode,
the header, what relabels it, and the composer. Small pictures, few frames.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import simplejpeg

from hw.base import PixelFormat, VideoFormat
from smartbox_tui.capture.encoder import Encoder
from smartbox_tui.dicom.build import build_header
from smartbox_tui.dicom.compose import Composition, compose, document
from smartbox_tui.dicom.iods import IODS
from smartbox_tui.dicom.marks import build_marks
from smartbox_tui.dicom.rejection import build_rejection_note
from smartbox_tui.dicom.relabel import decoded, relabelled
from smartbox_tui.media.decode import decode
from smartbox_tui.media.encoders import CODECS
from smartbox_tui.media.jpeg import baseline_at
from smartbox_tui.media.remux import remux
from smartbox_tui.media.tsmux import TsMuxer
from smartbox_tui.media.units import Clip
from smartbox_tui.model.instance import (
    EXPLICIT_VR_LE,
    FRAGMENTABLE,
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
    StudyValues,
)
from smartbox_tui.model.marks import Mark, MarkedFrames
from smartbox_tui.model.patient import Patient
from smartbox_tui.model.rejection import RejectionNote
from tests.dicom.pictures import CLIP_WORDS, EQUIPMENT, ORDERED, STILL_WORDS, TAKEN, clip, still

STUDIES: dict[str, StudyValues] = {
    "utf-8": replace(
        ORDERED, patient=Patient("JP-1", "Yamada^Tarou=山田^太郎=やまだ^たろう", date(1961, 3, 14), "M")
    ),
    "latin-1": replace(ORDERED, charset="latin-1", study_instance_uid="1.2.3.4.8"),
}
SIZE = (64, 48)
NATIVE = (EXPLICIT_VR_LE, IMPLICIT_VR_LE)
STILL_SYNTAXES = (JPEG_BASELINE, JPEG_EXTENDED, *NATIVE)
BURST = 3
VIDEOS = {
    # syntax: codec, width, height, frames a second (the level follows from them), frames
    H264_HP_41: ("h264", 128, 96, 25, 5),
    H264_HP_42_2D: ("h264", 1280, 720, 75, 4),
    MPEG2_MPML: ("mpeg2", 720, 576, 25, 4),
    MPEG2_MPHL: ("mpeg2", 1280, 720, 50, 4),
    HEVC_MP_51: ("hevc", 128, 96, 25, 5),
}


@dataclass(frozen=True)
class Case:
    """`stream` what any decoder should find in it: a file, and whose frames it has; None for a document."""

    name: str
    word: str
    syntax: str
    charset: str
    composition: Composition
    frames: int
    stream: Path | None


def jpegs(folder: Path) -> list[bytes]:
    """Of different lengths, odd and even; smooth, so that decoders differ by their upsampling alone."""
    width, height = SIZE
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    found = []
    for number in range(BURST):
        planes = [128 + 100 * np.sin(x / 17 + number), 128 + 100 * np.cos(y / 13), 2 * (x + y) + 5 * number]
        image = np.clip(np.stack(planes, axis=-1), 0, 255).astype(np.uint8)
        found.append(simplejpeg.encode_jpeg(image, quality=85 + 4 * number, colorsubsampling="422"))
    return found


def transport_stream(path: Path, syntax: str) -> None:
    """As capture records it. Fails when the stream is of another syntax than the matrix says."""
    name, width, height, fps, frames = VIDEOS[syntax]
    codec, form = CODECS[name], VideoFormat(PixelFormat.YUYV, width, height, Fraction(fps), False)
    noise = np.random.default_rng(1)  # a stream of a few packets is taken for something else by whoever probes it
    encoder, muxer, data = Encoder(codec, form, codec.plan(width, height, form.fps), 4_000_000), TsMuxer(name), b""
    for number in range(frames):
        picture = av.VideoFrame(width, height, "yuv420p")
        for plane in picture.planes:
            plane.update(noise.integers(64, 192, plane.buffer_size, np.uint8).tobytes())
        at_ns = number * 1_000_000_000 // fps
        unit = encoder.encode(picture, at_ns, 0, idr=not number)
        data += muxer.access_unit(unit.data, at_ns, idr=unit.idr)
        assert unit.stream.transfer_syntax_uid == syntax
    path.write_bytes(data)


def in_mp4(source: Path, path: Path) -> None:
    with Clip(source) as opened, path.open("w+b") as file:
        remux(opened, "mp4", path, file)


def uncompressed(source: Path, index: list[tuple[int, int]], path: Path) -> None:
    with path.open("wb") as file:
        decode(source, None, index, file)


def _extended(data: bytes, index: list[tuple[int, int]]) -> list[tuple[int, bytes]]:
    return [(at + baseline_at(data[at : at + length]), b"\xc1") for at, length in index]


def _pictures(folder: Path, charset: str) -> list[Case]:
    data, index, at = b"", [], 0
    for jpeg in jpegs(folder):
        index.append((at, len(jpeg)))
        data, at = data + jpeg, at + len(jpeg)
    burst, one = folder / "burst.mjpeg", folder / "still.jpg"
    burst.write_bytes(data)
    one.write_bytes(data[: index[0][1]])
    found = []
    for word in (*STILL_WORDS, "multiframe-sc"):
        many = word == "multiframe-sc"
        path, frames = (burst, index) if many else (one, index[:1])
        pixels = path.with_suffix(".rgb")
        if not pixels.exists():
            uncompressed(path, frames, pixels)
        for syntax in STILL_SYNTAXES:
            changes: dict[str, Any] = {"columns": SIZE[0], "rows": SIZE[1]}
            if many:
                changes |= {
                    "kind": Kind.BURST,
                    "number_of_frames": BURST,
                    "frame_time_ms": 200.0,
                    "duration_s": 0.6,
                }
            header = build_header(STUDIES[charset], still(word, path, **changes), EQUIPMENT)
            if syntax in NATIVE:
                item = compose(decoded(header, syntax), pixels, pixels.stat().st_size)
            elif syntax == JPEG_EXTENDED:
                patches = _extended(path.read_bytes(), frames)
                head = relabelled(header, syntax)
                item = compose(head, path, path.stat().st_size, frames if many else None, patches=patches)
            else:
                item = compose(header, path, path.stat().st_size, frames if many else None)
            name = f"{word} {syntax} {charset}"
            found.append(Case(name, word, syntax, charset, item, len(frames), path))
    return found


def _videos(folder: Path, charset: str) -> list[Case]:
    found = []
    for syntax, (_, width, height, fps, frames) in VIDEOS.items():
        for container in ("ts", "mp4"):
            path = folder / f"{syntax}.{container}"
            if not path.exists():
                transport_stream(path, syntax) if container == "ts" else in_mp4(path.with_suffix(".ts"), path)
            for word in CLIP_WORDS:
                values: dict[str, Any] = {"columns": width, "rows": height, "number_of_frames": frames}
                values |= {"frame_time_ms": 1000 / fps, "duration_s": frames / fps, "transfer_syntax_uid": syntax}
                for twin in ("", FRAGMENTABLE.get(syntax, "")):
                    if twin and container == "mp4":
                        continue
                    header = build_header(STUDIES[charset], clip(word, path, **values), EQUIPMENT)
                    head = relabelled(header, twin) if twin else header
                    item = compose(head, path, path.stat().st_size)
                    name = f"{word} {twin or syntax} {container} {charset}"
                    found.append(Case(name, word, twin or syntax, charset, item, frames, path))
                    if not FRAGMENTABLE.get(syntax):
                        break
    return found


def _note(charset: str) -> Case:
    rejected = tuple(("1.2.3.10", uid, f"1.2.3.10.{n}") for n, uid in enumerate(SOP_CLASSES.values(), 1))
    uid = f"1.2.3.90.{len(charset)}"
    note = RejectionNote(uid, "1.2.3.90", 9000, 1, TAKEN, rejected)
    item = document(build_rejection_note(STUDIES[charset], note, EQUIPMENT))
    return Case(f"note {charset}", "note", EXPLICIT_VR_LE, charset, item, 0, None)


def _marks(charset: str) -> Case:
    """Text of its own in the character set, and references to frames."""
    said = "ポリープ, größer" if charset == "utf-8" else "Polyp, größer"
    marks = (Mark(0.5, 13, said), Mark(2.0, 51))
    uid = f"1.2.3.91.{len(charset)}"
    clip_of = ("1.2.3.11", SOP_CLASSES["video-endoscopic"], "1.2.3.11.1")
    made = MarkedFrames(uid, "1.2.3.91", 8001, 1, TAKEN, clip_of, marks)
    item = document(build_marks(STUDIES[charset], made, EQUIPMENT))
    return Case(f"marks {charset}", "marks", EXPLICIT_VR_LE, charset, item, 0, None)


def cases(folder: Path) -> list[Case]:
    """All of them, each with a UID of its own. Fails when a class or syntax that the code offers is missing."""
    found = [
        case
        for charset in STUDIES
        for case in (*_pictures(folder, charset), *_videos(folder, charset), _note(charset), _marks(charset))
    ]
    offered = {(iod.word, syntax) for iod in IODS.values() for syntax in iod.transfer_syntaxes}
    assert offered <= {(case.word, case.syntax) for case in found}
    assert len({case.composition.sop_instance_uid for case in found}) == len(found)
    return found
