"""Kinds of picture, their SOP classes and transfer syntaxes, and the values a DICOM header is made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from smartbox_tui.model.patient import Patient


class Kind(StrEnum):
    STILL = "still"
    BURST = "burst"
    CLIP = "clip"


def taken_order(
    boot: int, captured_at: str, trigger_ns: int, frame_ns: int, part: int = 0
) -> tuple[int, float, int, int, int]:
    """Sorts pictures in the order in which they were taken, however the wall clock jumped: by the number of their
    boot, then by the press, which is what somebody did; a clip begins before it, with its pre-roll. Of a boot that
    is not known (0) by wall time first. `store.queries` has the same rule in SQL.
    """
    moment = 0.0
    if not boot:
        try:
            moment = datetime.fromisoformat(captured_at).timestamp()
        except ValueError:
            moment = 0.0
    return boot, moment, trigger_ns, frame_ns, part


SOP_CLASSES: Final = {
    "secondary-capture": "1.2.840.10008.5.1.4.1.1.7",
    "multiframe-sc": "1.2.840.10008.5.1.4.1.1.7.4",
    "vl-endoscopic": "1.2.840.10008.5.1.4.1.1.77.1.1",
    "video-endoscopic": "1.2.840.10008.5.1.4.1.1.77.1.1.1",
    "vl-microscopic": "1.2.840.10008.5.1.4.1.1.77.1.2",
    "video-microscopic": "1.2.840.10008.5.1.4.1.1.77.1.2.1",
    "vl-photographic": "1.2.840.10008.5.1.4.1.1.77.1.4",
    "video-photographic": "1.2.840.10008.5.1.4.1.1.77.1.4.1",
}
"""The words of the settings (`still_class`, `clip_class`, `burst_class`) and their UIDs (PS3.4 B.5)."""

KEY_OBJECT_SELECTION: Final = "1.2.840.10008.5.1.4.1.1.88.59"
IMPLICIT_VR_LE: Final = "1.2.840.10008.1.2"
EXPLICIT_VR_LE: Final = "1.2.840.10008.1.2.1"
JPEG_BASELINE: Final = "1.2.840.10008.1.2.4.50"
JPEG_EXTENDED: Final = "1.2.840.10008.1.2.4.51"
MPEG2_MPML: Final = "1.2.840.10008.1.2.4.100"
MPEG2_MPHL: Final = "1.2.840.10008.1.2.4.101"
H264_HP_41: Final = "1.2.840.10008.1.2.4.102"
H264_HP_42_2D: Final = "1.2.840.10008.1.2.4.104"
HEVC_MP_51: Final = "1.2.840.10008.1.2.4.107"

FRAGMENTABLE: Final = {
    MPEG2_MPML: "1.2.840.10008.1.2.4.100.1",
    MPEG2_MPHL: "1.2.840.10008.1.2.4.101.1",
    H264_HP_41: "1.2.840.10008.1.2.4.102.1",
    H264_HP_42_2D: "1.2.840.10008.1.2.4.104.1",
}
"""The twin of a video syntax whose one stream may lie in several fragments (PS3.5 A.4.5 to A.4.7)."""

RECORDED: Final = {
    "h264": (H264_HP_41, H264_HP_42_2D),
    "mpeg2": (MPEG2_MPML, MPEG2_MPHL),
    "hevc": (HEVC_MP_51,),
}
"""The transfer syntaxes of clips, by the settings' word for the codec: size and rate decide which of them."""

MADE: Final[dict[Kind, tuple[str, ...]]] = {
    Kind.STILL: (JPEG_BASELINE,),
    Kind.BURST: (JPEG_BASELINE,),
    Kind.CLIP: tuple(syntax for syntaxes in RECORDED.values() for syntax in syntaxes),
}
"""The transfer syntaxes that the box records in, and so proposes."""


def h264_transfer_syntax(level_idc: int) -> str:
    """High Profile up to level 4.1 is ...4.102, 4.2 is ...4.104 (PS3.5 8.2.7, 8.2.8). Raises ValueError above."""
    if level_idc <= 41:
        return H264_HP_41
    if level_idc == 42:
        return H264_HP_42_2D
    raise ValueError(f"H.264 level {level_idc / 10} has no DICOM transfer syntax")


MPEG2_RATES: Final = (25, 30000 / 1001, 30, 50, 60000 / 1001, 60)
"""Frames a second that an object in MPEG2 may have (PS3.5 tables 8-1 and 8-2)."""

MPEG2_HD_SIZES: Final = ((1280, 720), (1920, 1080))
"""Columns and rows that MP@HL is bound to; what is smaller is padded (PS3.5 8.2.6)."""

_MPEG2_SD_ROWS: Final = {25: 576, 30000 / 1001: 480, 30: 480}
_MPEG2_HD_RATE_1080: Final = 30


def mpeg2_transfer_syntax(width: int, height: int, fps: float, bitrate: int) -> str:
    """Main Profile at Main Level to 720 columns, 480 rows at 30 or 576 at 25 frames/s and 15 Mbit/s, is ...4.100;
    at High Level, 1280x720 or 1920x1080 and 80 Mbit/s, ...4.101 (PS3.5 8.2.5, 8.2.6; ISO/IEC 13818-2 table 8-13).
    Raises ValueError for what neither allows."""
    rate = next((legal for legal in MPEG2_RATES if abs(fps / legal - 1) < 0.0005), None)
    if rate is None:
        raise ValueError(f"DICOM has no MPEG2 at {fps:g} frames/s, only at 25, 29.97, 30, 50, 59.94 and 60")
    if width <= 720 and height <= _MPEG2_SD_ROWS.get(rate, 0) and bitrate <= 15_000_000:
        return MPEG2_MPML
    if (width, height) not in MPEG2_HD_SIZES:
        raise ValueError(f"DICOM has no MPEG2 of {width}x{height} at {fps:g} frames/s, only 1280x720 and 1920x1080")
    if bitrate > 80_000_000 or (height == 1080 and rate > _MPEG2_HD_RATE_1080):
        raise ValueError(f"MPEG2 Main Profile has no {width}x{height} at {fps:g} frames/s and {bitrate} bit/s")
    return MPEG2_MPHL


def hevc_transfer_syntax(profile_idc: int, level_idc: int) -> str:
    """Main Profile up to level 5.1, 30 times which is 153, is ...4.107 (PS3.5 8.2.10). Raises ValueError above."""
    if profile_idc != 1:
        raise ValueError(f"HEVC profile {profile_idc} is not Main, the only one here with a DICOM transfer syntax")
    if not 30 <= level_idc <= 153:
        raise ValueError(f"HEVC level {level_idc / 30:g} has no DICOM transfer syntax")
    return HEVC_MP_51


@dataclass(frozen=True, slots=True)
class Equipment:
    """Who made the pictures: the station, and the grabber behind the source."""

    station_name: str
    institution_name: str = ""
    manufacturer: str = "SmartBox"
    model_name: str = "SmartBox"
    serial_number: str = ""
    software_version: str = ""


@dataclass(frozen=True, slots=True)
class StudyValues:
    """One header revision of an exam: everything about patient, study and order.

    `scheduled` and `codes` hold what a worklist item brought (DICOM JSON model, PS3.18 F), kept as it came.
    """

    revision: int
    patient: Patient
    study_instance_uid: str
    study_at: datetime
    accession_number: str = ""
    referring_physician: str = ""
    study_description: str = ""
    study_id: str = ""
    charset: str = "utf-8"
    worklist: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Picture:
    """One closed bitstream of known length and what is known about it.

    sampling        JPEG chroma sampling "422", "444", or "420" for the MPEG family; "rgb" or "grey" for a JPEG
                    or pixels without luma and chroma
    number_of_frames  counted in the bitstream, never estimated
    frame_time_ms   nominal milliseconds from frame to frame (0018,1063), clips and bursts only
    uncompressed_bytes   of all frames with 8 bits a sample, for the compression ratio as measured
    lossless        its pixels have never been compressed with loss (PS3.3 C.7.6.1.1.5)
    """

    sop_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    kind: Kind
    series_number: int
    instance_number: int
    captured_at: datetime
    columns: int
    rows: int
    bitstream_bytes: int
    sampling: str
    number_of_frames: int = 1
    frame_time_ms: float | None = None
    duration_s: float | None = None
    burned_in_annotation: bool = True
    modality: str = ""
    """Of the series, for a class that says none (Secondary Capture); empty: not known."""
    frames_lost: int = 0
    clock_unsure: bool = False
    """`captured_at` was said by a clock not synchronised since the box was started."""

    performed_step: tuple[str, str] | None = None
    """(SOP Instance UID, ID) of the performed procedure step that it was made in."""

    lossless: bool = False
    lossy_before: tuple[tuple[str, float], ...] = ()
    """(defined term, ratio) of the lossy compressions before the bitstream's own, oldest first: a camera's."""

    @property
    def samples(self) -> int:
        return 1 if self.sampling == "grey" else 3

    @property
    def uncompressed_bytes(self) -> int:
        return self.columns * self.rows * self.samples * self.number_of_frames
