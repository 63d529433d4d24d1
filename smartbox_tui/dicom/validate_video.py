"""A video's container, codec, profile, level, size and rate against its transfer syntax (PS3.5 8.2.5 to 8.2.12)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from smartbox_tui.dicom.validate_report import Report
from smartbox_tui.dicom.validate_values import Values, number_of_frames
from smartbox_tui.media.examine import Video, examine
from smartbox_tui.media.mp4 import Read
from smartbox_tui.model.formats import H264_41, H264_42, HEVC_51
from smartbox_tui.model.instance import (
    H264_HP_41,
    H264_HP_42_2D,
    HEVC_MP_51,
    MPEG2_MPHL,
    MPEG2_MPML,
    mpeg2_transfer_syntax,
)

_PIXEL: Final = "PS3.3 C.7.6.3"


@dataclass(frozen=True, slots=True)
class VideoRule:
    """What a transfer syntax allows. `profile` and `levels` as the codec writes them; `blocks` macroblocks (HEVC:
    luma samples) a frame and a second at its highest level."""

    section: str
    codec: str
    profile: int
    levels: frozenset[int]
    name: str
    blocks: tuple[int, int]
    unit: int = 16


VIDEO_RULES: Final = {
    MPEG2_MPML: VideoRule(
        "PS3.5 8.2.5", "mpeg2", 4, frozenset({8, 10}), "MPEG2 Main Profile at Main Level", (1620, 40500)
    ),
    MPEG2_MPHL: VideoRule(
        "PS3.5 8.2.6", "mpeg2", 4, frozenset({4, 6, 8, 10}), "MPEG2 Main Profile at High Level", (8704, 244800)
    ),
    H264_HP_41: VideoRule(
        "PS3.5 8.2.7", "h264", 100, frozenset(range(9, 42)), "H.264 High Profile to Level 4.1", H264_41
    ),
    H264_HP_42_2D: VideoRule(
        "PS3.5 8.2.8", "h264", 100, frozenset(range(9, 43)), "H.264 High Profile to Level 4.2", H264_42
    ),
    HEVC_MP_51: VideoRule(
        "PS3.5 8.2.10",
        "hevc",
        1,
        frozenset(range(30, 154)),
        "HEVC Main Profile to Level 5.1",
        HEVC_51,
        unit=1,
    ),
}
"""Macroblock rates: ITU-T H.264 table A-1; ISO/IEC 13818-2 table 8-11; ITU-T H.265 table A.8."""


def check_video(values: Values, syntax: str, read: Read, length: int, report: Report) -> None:
    """A stream of `length` bytes behind `read`, in one of VIDEO_RULES' transfer syntaxes."""
    rule = VIDEO_RULES[syntax]
    try:
        video = examine(read, length)
    except ValueError:
        report.error("bitstream", rule.section, "The video's own headers are torn.", "It is damaged.")
        return
    if video.container not in ("ts", "mp4"):
        report.error(
            "container",
            rule.section,
            "The video is neither MPEG-TS nor MP4.",
            "Put the bitstream into MPEG-TS or MP4.",
        )
        return
    if video.codec != rule.codec:
        report.error(
            "codec", rule.section, f"The bitstream is not {rule.name}.", "Write the transfer syntax it has."
        )
    elif not video.width:
        report.error("bitstream", rule.section, "The video begins without its sequence header.", "It is damaged.")
    else:
        _check_sequence(values, rule, video, report)
    if video.audio:
        report.warning("audio", "PS3.5 8.2", "The video has sound.", "Archives seldom play it; record without.")


def _check_sequence(values: Values, rule: VideoRule, video: Video, report: Report) -> None:
    section = rule.section
    if video.profile != rule.profile or not video.chroma_420:
        report.error(
            "profile", section, f"The bitstream's profile is not that of {rule.name}.", "Encode it in that profile."
        )
    if video.level not in rule.levels:
        report.error(
            "level", section, f"The bitstream's level is not one of {rule.name}.", "Use the syntax of its level."
        )
    if (video.height, video.width) != (values.number(0x00280010), values.number(0x00280011)):
        report.error("size", _PIXEL, "Rows and Columns are not the bitstream's.", "Write the bitstream's size.")
    milliseconds, cine = values.decimal(0x00181063), values.decimal(0x00180040)
    fps = video.fps or (1000 / milliseconds if milliseconds else None)
    blocks = -(-video.width // rule.unit) * -(-video.height // rule.unit)
    if fps and blocks * fps > rule.blocks[1] * 1.001:
        report.error(
            "level-rate",
            section,
            f"The bitstream has more macroblocks a second than {rule.name} allows.",
            "Use the syntax of a higher level, or a lower rate.",
        )
    if blocks > rule.blocks[0]:  # a warning: the recording cannot be mended, and most decoders take it
        report.warning(
            "level-size", section, f"The picture is larger than {rule.name} allows.", "Record in a smaller size."
        )
    if rule.codec == "mpeg2" and video.codec == "mpeg2":
        _check_mpeg2(rule, video, report)
    # 3 %: an MP4 that counts in milliseconds has frames of 16 and 17 of them; 24 and 25 frames/s are 4 % apart.
    if video.fps and milliseconds and abs(milliseconds * video.fps / 1000 - 1) > 0.03:
        report.error(
            "frame-time",
            "PS3.3 C.7.6.5",
            "FrameTime is not the bitstream's.",
            "Write 1000 divided by its frame rate.",
        )
    if milliseconds and cine and abs(cine - 1000 / milliseconds) > 1:
        report.warning("cine-rate", "PS3.3 C.7.6.5", "CineRate and FrameTime differ.", "Write the same rate.")
    if video.frames is not None and video.frames != number_of_frames(values):
        report.error(
            "frames", "PS3.3 C.7.6.6", "NumberOfFrames is not the MP4's.", "Count the frames in the bitstream."
        )


def _check_mpeg2(rule: VideoRule, video: Video, report: Report) -> None:
    """The sizes and rates that DICOM allows of what the levels allow (PS3.5 tables 8-1, 8-2, and 8.2.6)."""
    high = rule.section == VIDEO_RULES[MPEG2_MPHL].section
    try:
        syntax = mpeg2_transfer_syntax(video.width, video.height, float(video.fps or 0), 0)
    except ValueError as exc:
        report.error("mpeg2-format", rule.section, f"{exc}.", "Encode it in a size and at a rate that are listed.")
        return
    if (syntax == MPEG2_MPHL) != high:
        report.error(
            "mpeg2-format",
            rule.section,
            f"A picture of this size is not one of {rule.name} in DICOM.",
            f"Write the transfer syntax {syntax}.",
        )
    elif high and not video.wide:  # a warning: the pixels are square, which is what the rule is for
        report.warning(
            "mpeg2-aspect",
            rule.section,
            "The bitstream's aspect_ratio_information is not 0011 (16:9).",
            "Let the encoder write a display aspect ratio of 16:9.",
        )
