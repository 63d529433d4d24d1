"""Values and bitstreams that the DICOM tests make objects from."""

from __future__ import annotations

import datetime
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import simplejpeg

from smartbox_tui.dicom.build import build_header
from smartbox_tui.dicom.compose import Composition, compose
from smartbox_tui.model.instance import (
    H264_HP_41,
    H264_HP_42_2D,
    JPEG_BASELINE,
    MPEG2_MPHL,
    MPEG2_MPML,
    SOP_CLASSES,
    Equipment,
    Kind,
    Picture,
    StudyValues,
)
from smartbox_tui.model.patient import Patient
from smartbox_tui.model.uids import uid_of

SUMMER = datetime.timezone(datetime.timedelta(hours=2))
TAKEN = datetime.datetime(2026, 7, 1, 12, 30, 5, 123456, tzinfo=SUMMER)
EQUIPMENT = Equipment(
    "ENDO1",
    institution_name="Klinik am See",
    manufacturer="Grabber & Söhne",
    model_name="G 4",
    serial_number="0042",
    software_version="0.1.0",
)

STILL_WORDS = ("secondary-capture", "vl-endoscopic", "vl-microscopic", "vl-photographic")
CLIP_WORDS = ("video-endoscopic", "video-microscopic", "video-photographic")

WORKLIST: dict[str, Any] = {
    "00080005": {"vr": "CS", "Value": ["ISO_IR 100"]},
    "00100020": {"vr": "LO", "Value": ["4711-22"]},
    "00100021": {"vr": "LO", "Value": ["KLINIK"]},
    "00401001": {"vr": "SH", "Value": ["RP-1180"]},
    "00321060": {"vr": "LO", "Value": ["Koloskopie"]},
    "00081110": {
        "vr": "SQ",
        "Value": [
            {
                "00081150": {"vr": "UI", "Value": ["1.2.840.10008.3.1.2.3.1"]},
                "00081155": {"vr": "UI", "Value": ["1.2.3.99"]},
            }
        ],
    },
    "00321064": {
        "vr": "SQ",
        "Value": [
            {
                "00080100": {"vr": "SH", "Value": ["1-650"]},
                "00080102": {"vr": "SH", "Value": ["99OPS"]},
                "00080104": {"vr": "LO", "Value": ["Diagnostische Koloskopie"]},
            }
        ],
    },
    "00400100": {
        "vr": "SQ",
        "Value": [
            {
                "00080060": {"vr": "CS", "Value": ["ES"]},
                "00400007": {"vr": "LO", "Value": ["Koloskopie, ggf. Polypektomie für Ärzte"]},
                "00400009": {"vr": "SH", "Value": ["SPS-7"]},
            }
        ],
    },
    "smartbox": {"came_from": "a key that is no tag"},
}

ORDERED = StudyValues(
    revision=1,
    patient=Patient("4711-22", "Müller^Jörg", datetime.date(1961, 3, 14), "M"),
    study_instance_uid="1.2.3.4.5",
    study_at=TAKEN - datetime.timedelta(minutes=10),
    accession_number="2026-1180",
    referring_physician="Groß^Änne",
    worklist=WORKLIST,
)
UNASSIGNED = StudyValues(1, Patient("", ""), "1.2.3.4.6", TAKEN)
EMERGENCY_CHILD = StudyValues(
    1,
    Patient("N20260701", "NOTFALL^Kind", None, None, age="008Y", comments="Emergency, identity not yet known."),
    "1.2.3.4.7",
    TAKEN,
)


@dataclass(frozen=True)
class Media:
    still: Path
    still_444: Path
    clip_30: Path  # 1280x720, 30 frames/s, level 4.1, 30 frames
    clip_60: Path  # 1920x1080, 60 frames/s, level 4.2, 20 frames
    mpeg2_ml: Path  # 720x576, 25 frames/s, 25 frames
    mpeg2_hl: Path  # 1920x1080, 25 frames/s, 25 frames


def make_media(folder: Path, ffmpeg: str) -> Media:
    rng = np.random.default_rng(1)
    image = rng.integers(0, 255, (480, 640, 3), dtype=np.uint8)
    names = ("422.jpg", "444.jpg", "30.ts", "60.ts", "ml.ts", "hl.ts")
    made = Media(*(folder / name for name in names))
    for path, sampling in ((made.still, "422"), (made.still_444, "444")):
        path.write_bytes(simplejpeg.encode_jpeg(image, quality=85, colorsubsampling=sampling))
    for path, size, rate, frames, level in (
        (made.clip_30, "1280x720", 30, 30, "4.1"),
        (made.clip_60, "1920x1080", 60, 20, "4.2"),
    ):
        source = f"testsrc=size={size}:rate={rate}"
        codec = "-c:v libx264 -preset ultrafast -x264-params 8x8dct=1:keyint=30:bframes=0 -profile:v high"
        command = f"-v error -f lavfi -i {source} -frames:v {frames} {codec} -level {level} -pix_fmt yuv420p"
        subprocess.run([ffmpeg, *command.split(), "-f", "mpegts", str(path)], check=True)
    for path, size, profile in ((made.mpeg2_ml, "720x576", "-level 8"), (made.mpeg2_hl, "1920x1080", "-level 4")):
        codec = f"-c:v mpeg2video -profile:v 4 {profile} -bf 0 -g 25 -b:v 4M -pix_fmt yuv420p"
        command = f"-v error -f lavfi -i testsrc=size={size}:rate=25 -frames:v 25 {codec} -f mpegts"
        subprocess.run([ffmpeg, *command.split(), str(path)], check=True)
    return made


def still(word: str, path: Path, *, sampling: str = "422", **changes: Any) -> Picture:
    picture = Picture(
        sop_instance_uid=uid_of(uuid4()),
        series_instance_uid=uid_of(uuid4()),
        sop_class_uid=SOP_CLASSES[word],
        transfer_syntax_uid=JPEG_BASELINE,
        kind=Kind.STILL,
        series_number=1,
        instance_number=7,
        captured_at=TAKEN,
        columns=640,
        rows=480,
        bitstream_bytes=path.stat().st_size,
        sampling=sampling,
    )
    return replace(picture, **changes)


_CLIPS = {
    H264_HP_41: (30, 30, 1280, 720),
    H264_HP_42_2D: (20, 60, 1920, 1080),
    MPEG2_MPML: (25, 25, 720, 576),
    MPEG2_MPHL: (25, 25, 1920, 1080),
}


def clip(word: str, path: Path, syntax: str = H264_HP_41, **changes: Any) -> Picture:
    frames, rate, columns, rows = _CLIPS[syntax]
    picture = still(
        word,
        path,
        sampling="420",
        transfer_syntax_uid=syntax,
        kind=Kind.CLIP,
        columns=columns,
        rows=rows,
        number_of_frames=frames,
        frame_time_ms=1000 / rate,
        duration_s=frames / rate,
    )
    return replace(picture, **changes)


def composition(study: StudyValues, picture: Picture, path: Path) -> Composition:
    return compose(build_header(study, picture, EQUIPMENT), path, path.stat().st_size)
