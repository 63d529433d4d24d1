"""What a video bitstream really is: its container and its sequence header, from its head. Pure, no decoder.

A stream of gigabytes is judged by its first 256 KiB, an MP4 by its sample description, wherever that stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from smartbox_tui.media import h264, hevc, mp4, mpeg2
from smartbox_tui.media.mp4 import Read
from smartbox_tui.media.vui import UNSPECIFIED, Colour

HEAD: Final = 1 << 18
_PACKET: Final = 188
_PICTURE_HEAD: Final = 4096
_TS_CODECS: Final = {0x01: "mpeg1", 0x02: "mpeg2", 0x1B: "h264", 0x24: "hevc"}
_TS_AUDIO: Final = frozenset({0x03, 0x04, 0x0F, 0x11, 0x81})


@dataclass(frozen=True, slots=True)
class Video:
    """`container` ts, mp4, raw or "" (none that is known); `codec` "" when unknown.

    profile, level  as the codec writes them; 0 where no sequence header was found
    fps             of the sequence header, else of an MP4's sample table, else None
    frames          of an MP4's sample table, else None
    aspect          of a sample, None where the stream does not tell
    front           an MP4's moov comes before its media data
    brand           the major one of an MP4: "qt" is QuickTime
    wide            MPEG2's aspect_ratio_information says 16:9
    vbv_bits        MPEG2's buffer
    colour          of H.264 and HEVC; MPEG2's display extension is not read
    turned          an MP4 that is to be shown rotated or mirrored
    """

    container: str
    codec: str = ""
    profile: int = 0
    level: int = 0
    width: int = 0
    height: int = 0
    fps: Fraction | None = None
    frames: int | None = None
    audio: bool = False
    chroma_420: bool = True
    bit_depth: int = 8
    progressive: bool = True
    aspect: Fraction | None = None
    bitrate: int | None = None
    front: bool = False
    high_tier: bool = False
    brand: str = ""
    wide: bool = False
    vbv_bits: int = 0
    colour: Colour = UNSPECIFIED
    turned: bool = False


def examine(read: Read, length: int) -> Video:
    """The stream of `length` bytes behind `read`. Raises ValueError for a torn one."""
    head = read(0, min(length, HEAD))
    if mp4.is_mp4(head):
        return _mp4(read, length)
    if len(head) > 2 * _PACKET and head[0] == head[_PACKET] == head[2 * _PACKET] == 0x47:
        return _ts(head)
    if head[:3] == b"\0\0\1" or head[:4] == b"\0\0\0\1":
        return Video("raw")
    return Video("")


def sequence(codec: str, stream: bytes, container: str = "raw") -> Video:
    """What the first sequence header of an elementary stream tells. Raises ValueError for a torn one."""
    if codec == "h264" and (avc := h264.find_sps(stream)) is not None:
        return Video(
            container, codec, avc.profile_idc, avc.level_idc, avc.width, avc.height, avc.fps,
            chroma_420=avc.chroma == 1, bit_depth=avc.bit_depth, progressive=avc.progressive, aspect=avc.aspect,
            colour=avc.colour,
        )  # fmt: skip
    if codec in ("mpeg1", "mpeg2") and (old := mpeg2.find_sequence(stream)) is not None:
        return Video(
            container, codec, old.profile, old.level, old.width, old.height, old.fps,
            chroma_420=old.chroma_420, progressive=old.progressive, aspect=old.aspect, bitrate=old.bitrate,
            wide=old.wide, vbv_bits=old.vbv_bits,
        )  # fmt: skip
    if codec == "hevc" and (new := hevc.find_sps(stream)) is not None:
        return Video(
            container, codec, new.profile_idc, new.level_idc, new.width, new.height, new.fps,
            chroma_420=new.chroma == 1, bit_depth=new.bit_depth, progressive=new.progressive, aspect=new.aspect,
            high_tier=new.high_tier, colour=new.colour,
        )  # fmt: skip
    return Video(container, codec)


# ---- MPEG transport stream (ISO/IEC 13818-1)


def _ts(head: bytes) -> Video:
    streams = _streams(head)
    audio = any(kind in _TS_AUDIO for kind in streams.values())
    for pid, kind in streams.items():
        if codec := _TS_CODECS.get(kind, ""):
            return replace(sequence(codec, _elementary(head, pid), "ts"), audio=audio)
    return Video("ts", audio=audio)


def _packets(head: bytes) -> Iterator[tuple[int, bool, bytes]]:
    """PID, whether a unit begins, and payload of each packet."""
    for at in range(0, len(head) - _PACKET + 1, _PACKET):
        packet = head[at : at + _PACKET]
        if packet[0] != 0x47:
            return
        start = 5 + packet[4] if packet[3] & 0x20 else 4
        if packet[3] & 0x10 and start < _PACKET:
            yield (packet[1] & 0x1F) << 8 | packet[2], bool(packet[1] & 0x40), packet[start:]


def _streams(head: bytes) -> dict[int, int]:
    """Stream type by PID, of the first program."""
    table = None
    for pid, begins, body in _packets(head):
        if not begins or not (pid == 0 or pid == table):
            continue
        section = body[1 + body[0] :]
        if len(section) < 12:
            continue
        end = min(len(section), 3 + ((section[1] & 15) << 8 | section[2]) - 4)
        if pid == 0:
            for at in range(8, end - 3, 4):
                if section[at : at + 2] != b"\0\0":
                    table = (section[at + 2] & 0x1F) << 8 | section[at + 3]
                    break
            continue
        at, found = 12 + ((section[10] & 15) << 8 | section[11]), {}
        while at + 5 <= end:
            found[(section[at + 1] & 0x1F) << 8 | section[at + 2]] = section[at]
            at += 5 + ((section[at + 3] & 15) << 8 | section[at + 4])
        return found
    return {}


def _elementary(head: bytes, wanted: int) -> bytes:
    """The stream of one PID without its PES headers."""
    found = bytearray()
    started = False
    for pid, begins, body in _packets(head):
        if pid != wanted:
            continue
        if begins:
            started = body[:3] == b"\0\0\1" and len(body) > 9
            body = body[9 + body[8] :] if started else b""
        if started:
            found += body
    return bytes(found)


# ---- MP4 (ISO/IEC 14496-12)


def _mp4(read: Read, length: int) -> Video:
    movie = mp4.read_movie(read, length)
    track = movie.track
    if track is None:
        return Video("mp4", audio=movie.audio, front=movie.front, brand=movie.brand)
    found = sequence(track.codec, mp4.annex_b(track.codec, track.parameters), "mp4")
    if track.codec == "mpeg2" and not found.width and track.first is not None:  # its headers stand in each GOP
        found = sequence(track.codec, read(track.first, _PICTURE_HEAD), "mp4")
    return replace(
        found,
        frames=track.frames,
        fps=found.fps or track.fps,
        audio=movie.audio,
        front=movie.front,
        brand=movie.brand,
        turned=track.turned,
    )
