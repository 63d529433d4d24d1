"""What a recorded stream is, as its own headers tell it: profile, level, size, rate, and so its transfer syntax."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from smartbox_tui.media import h264, hevc, mpeg2
from smartbox_tui.model.instance import (
    MPEG2_MPHL,
    MPEG2_MPML,
    h264_transfer_syntax,
    hevc_transfer_syntax,
    mpeg2_transfer_syntax,
)

_LEVELS: Final = {mpeg2.LEVEL_MAIN: MPEG2_MPML, mpeg2.LEVEL_HIGH: MPEG2_MPHL}


@dataclass(frozen=True, slots=True)
class Told:
    """`fps` None where the stream does not tell it."""

    width: int
    height: int
    fps: Fraction | None
    transfer_syntax_uid: str


def told(codec: str, unit: bytes) -> Told:
    """Of an access unit (Annex B) with parameter sets. Raises ValueError with a sentence where there are none, or
    where no DICOM transfer syntax allows what they tell."""
    match codec:
        case "h264":
            return _h264(unit)
        case "mpeg2":
            return _mpeg2(unit)
        case "hevc":
            return _hevc(unit)
        case _:
            raise ValueError(f"no codec is called {codec!r}")


def starts_gop(codec: str, unit: bytes) -> bool:
    """Whether decoding can begin with this access unit: an IDR picture, for MPEG2 a sequence header."""
    match codec:
        case "mpeg2":
            return mpeg2.starts_gop(unit)
        case "hevc":
            return hevc.starts_gop(unit)
        case _:
            return any(kind == h264.NAL_IDR for kind, _ in h264.nal_units(unit))


def _h264(unit: bytes) -> Told:
    sps = h264.find_sps(unit)
    if sps is None:
        raise ValueError("the H.264 stream begins without its parameter set")
    if sps.profile_idc != h264.PROFILE_HIGH:
        raise ValueError(f"the H.264 stream has profile {sps.profile_idc} instead of High Profile")
    return Told(sps.width, sps.height, sps.fps, h264_transfer_syntax(sps.level_idc))


def _mpeg2(unit: bytes) -> Told:
    sequence = mpeg2.find_sequence(unit)
    if sequence is None:
        raise ValueError("the MPEG2 stream begins without its sequence header")
    if sequence.profile != mpeg2.PROFILE_MAIN or sequence.level not in _LEVELS or not sequence.chroma_420:
        raise ValueError(
            f"the MPEG2 stream has profile {sequence.profile} at level {sequence.level} instead of Main Profile at "
            "Main or High Level"
        )
    if sequence.fps is None or sequence.aspect != 1:
        raise ValueError("the MPEG2 stream tells no frame rate, or pixels that are not square")
    syntax = mpeg2_transfer_syntax(sequence.width, sequence.height, float(sequence.fps), sequence.bitrate)
    if syntax != _LEVELS[sequence.level] or sequence.vbv_bits > mpeg2.BOUNDS[sequence.level].vbv_bits:
        raise ValueError(f"the MPEG2 stream is not what its level {sequence.level} allows")
    return Told(sequence.width, sequence.height, sequence.fps, syntax)


def _hevc(unit: bytes) -> Told:
    sps = hevc.find_sps(unit)
    if sps is None:
        raise ValueError("the HEVC stream begins without its parameter set")
    if sps.chroma != 1 or sps.bit_depth != 8:
        raise ValueError("the HEVC stream is not 4:2:0 with 8 bits")
    return Told(sps.width, sps.height, sps.fps, hevc_transfer_syntax(sps.profile_idc, sps.level_idc))
