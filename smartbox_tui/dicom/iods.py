"""The objects the box makes: SOP class, modules, modality, transfer syntaxes (PS3.3 A.8, A.32; PS3.6).

One table. The composer, the negotiation, the validator and the conformance statement read it, so that what is
stated, made and offered cannot differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from smartbox_tui.errors import SmartBoxError
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
)

NATIVE: Final = frozenset({IMPLICIT_VR_LE, EXPLICIT_VR_LE})
JPEG_FAMILY: Final = frozenset({JPEG_BASELINE, JPEG_EXTENDED})
VIDEO: Final = (H264_HP_41, H264_HP_42_2D, MPEG2_MPML, MPEG2_MPHL, HEVC_MP_51)
VIDEO_ALL: Final = (*VIDEO, *FRAGMENTABLE.values())

LOSSY_METHODS: Final[dict[str, str]] = {
    JPEG_BASELINE: "ISO_10918_1",
    JPEG_EXTENDED: "ISO_10918_1",
    MPEG2_MPML: "ISO_13818_2",
    MPEG2_MPHL: "ISO_13818_2",
    H264_HP_41: "ISO_14496_10",
    H264_HP_42_2D: "ISO_14496_10",
    HEVC_MP_51: "ISO_23008_2",
}
LOSSY_METHODS.update({twin: LOSSY_METHODS[uid] for uid, twin in FRAGMENTABLE.items()})
"""LossyImageCompressionMethod for each compressed transfer syntax (PS3.3 C.7.6.1.1.5.1)."""

SYNTAX_NAMES: Final[dict[str, str]] = {
    IMPLICIT_VR_LE: "Implicit VR Little Endian",
    EXPLICIT_VR_LE: "Explicit VR Little Endian",
    JPEG_BASELINE: "JPEG Baseline",
    JPEG_EXTENDED: "JPEG Extended",
    MPEG2_MPML: "MPEG2 Main Profile / Main Level",
    MPEG2_MPHL: "MPEG2 Main Profile / High Level",
    H264_HP_41: "MPEG-4 AVC/H.264 High Profile / Level 4.1",
    H264_HP_42_2D: "MPEG-4 AVC/H.264 High Profile / Level 4.2 for 2D Video",
    HEVC_MP_51: "HEVC/H.265 Main Profile / Level 5.1",
}
SYNTAX_NAMES.update({twin: f"Fragmentable {SYNTAX_NAMES[uid]}" for uid, twin in FRAGMENTABLE.items()})

_STILL_SYNTAXES: Final = (JPEG_BASELINE, JPEG_EXTENDED, EXPLICIT_VR_LE, IMPLICIT_VR_LE)

_COMMON: Final = (
    "Patient",
    "Patient Study",
    "General Study",
    "General Series",
    "General Equipment",
    "General Acquisition",
    "General Image",
    "Image Pixel",
    "SOP Common",
)
_VL: Final = (*_COMMON, "Acquisition Context", "VL Image")
_VIDEO: Final = (*_VL, "Cine", "Multi-frame")
_SC: Final = (*_COMMON, "SC Equipment", "SC Image")
_MULTI_FRAME_SC: Final = (*_COMMON, "SC Equipment", "Cine", "Multi-frame", "SC Multi-frame Image")


@dataclass(frozen=True, slots=True)
class Iod:
    """`modality` None: the worklist item's, else OT. `section` the IOD's in PS3.3."""

    word: str
    name: str
    section: str
    modules: tuple[str, ...]
    transfer_syntaxes: tuple[str, ...]
    modality: str | None = None
    multi_frame: bool = False
    video: bool = False
    anatomic_region: bool = False

    @property
    def sop_class_uid(self) -> str:
        return SOP_CLASSES[self.word]


def _still(word: str, name: str, section: str, modality: str, *, region: bool = False) -> Iod:
    return Iod(word, name, section, _VL, _STILL_SYNTAXES, modality, anatomic_region=region)


def _video(word: str, name: str, section: str, modality: str, *, region: bool = False) -> Iod:
    return Iod(word, name, section, _VIDEO, VIDEO_ALL, modality, True, True, anatomic_region=region)


_ALL: Final = (
    Iod("secondary-capture", "Secondary Capture Image", "A.8.1", _SC, _STILL_SYNTAXES),
    Iod(
        "multiframe-sc",
        "Multi-frame True Color Secondary Capture Image",
        "A.8.5",
        _MULTI_FRAME_SC,
        _STILL_SYNTAXES,
        multi_frame=True,
    ),
    _still("vl-endoscopic", "VL Endoscopic Image", "A.32.1", "ES", region=True),
    _still("vl-microscopic", "VL Microscopic Image", "A.32.2", "GM", region=True),
    _still("vl-photographic", "VL Photographic Image", "A.32.4", "XC"),
    _video("video-endoscopic", "Video Endoscopic Image", "A.32.5", "ES", region=True),
    _video("video-microscopic", "Video Microscopic Image", "A.32.6", "GM", region=True),
    _video("video-photographic", "Video Photographic Image", "A.32.7", "XC", region=True),
)

IODS: Final[dict[str, Iod]] = {iod.sop_class_uid: iod for iod in _ALL}
"""By SOP Class UID."""


def iod_of(sop_class_uid: str, transfer_syntax_uid: str) -> Iod:
    """The IOD for one picture. Raises invalid-object for a class the box does not make, or a wrong syntax."""
    iod = IODS.get(sop_class_uid)
    if iod is None:
        raise SmartBoxError(
            "invalid-object",
            f"SOP class {sop_class_uid} is none that the box makes.",
            f"One of: {', '.join(sorted(SOP_CLASSES))}.",
        )
    if transfer_syntax_uid not in iod.transfer_syntaxes:
        name = SYNTAX_NAMES.get(transfer_syntax_uid, transfer_syntax_uid)
        raise SmartBoxError(
            "invalid-object",
            f"{iod.name} is not made with transfer syntax {name}.",
            f"One of: {', '.join(SYNTAX_NAMES[uid] for uid in iod.transfer_syntaxes)}.",
        )
    return iod
