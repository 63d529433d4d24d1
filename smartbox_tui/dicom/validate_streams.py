"""What a video bitstream really is: its container and its sequence header, from its head (PS3.5 8.2.5 to 8.2.12).

A stream of gigabytes is judged by its first 256 KiB, an MP4 by its sample description, wherever that stands.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from smartbox_tui.media.h264 import find_sps

Read = Callable[[int, int], bytes]
"""(offset in the stream, bytes) -> so many bytes, fewer at its end."""

HEAD: Final = 1 << 18
_PACKET: Final = 188
_TS_CODECS: Final = {0x01: "mpeg1", 0x02: "mpeg2", 0x1B: "h264", 0x24: "hevc"}
_TS_AUDIO: Final = frozenset({0x03, 0x04, 0x0F, 0x11, 0x81})
_MP4_CODECS: Final = {b"avc1": "h264", b"avc3": "h264", b"hvc1": "hevc", b"hev1": "hevc", b"mp4v": "mpeg2"}
_MPEG2_RATES: Final = {1: 24000 / 1001, 2: 24, 3: 25, 4: 30000 / 1001, 5: 30, 6: 50, 7: 60000 / 1001, 8: 60}


@dataclass(frozen=True, slots=True)
class Video:
    """`container` ts, mp4, raw or "" (none that is known); `codec` "" when unknown.

    profile, level  as the codec writes them; 0 where no sequence header was found
    fps             of the sequence header, else of an MP4's sample table, else None
    frames          of an MP4's sample table, else None
    """

    container: str
    codec: str = ""
    profile: int = 0
    level: int = 0
    width: int = 0
    height: int = 0
    fps: float | None = None
    frames: int | None = None
    audio: bool = False
    chroma_420: bool = True


def examine(read: Read, length: int) -> Video:
    """The stream of `length` bytes behind `read`. Raises ValueError for a torn one."""
    head = read(0, min(length, HEAD))
    if head[4:8] == b"ftyp":
        return _mp4(read, length)
    if len(head) > 2 * _PACKET and head[0] == head[_PACKET] == head[2 * _PACKET] == 0x47:
        return _ts(head)
    if head[:3] == b"\0\0\1" or head[:4] == b"\0\0\0\1":
        return Video("raw")
    return Video("")


# ---- MPEG transport stream (ISO/IEC 13818-1)


def _ts(head: bytes) -> Video:
    streams = _streams(head)
    audio = any(kind in _TS_AUDIO for kind in streams.values())
    for pid, kind in streams.items():
        if codec := _TS_CODECS.get(kind, ""):
            return _sequence("ts", codec, _elementary(head, pid), audio)
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


def _boxes(read: Read, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Type, and where the content begins and ends."""
    for _ in range(4096):
        head = read(at, 16) if at + 8 <= end else b""
        if len(head) < 8:
            return
        size, kind, start = int.from_bytes(head[:4], "big"), head[4:8], at + 8
        if size == 1 and len(head) == 16:
            size, start = int.from_bytes(head[8:], "big"), at + 16
        elif size == 0:
            size = end - at
        if size < start - at or at + size > end:
            raise ValueError("an MP4 box that goes beyond its stream")
        yield kind, start, at + size
        at += size


def _box(read: Read, span: tuple[int, int], *path: bytes) -> tuple[int, int] | None:
    for wanted in path:
        for kind, start, end in _boxes(read, *span):
            if kind == wanted:
                span = start, end
                break
        else:
            return None
    return span


def _mp4(read: Read, length: int) -> Video:
    movie = _box(read, (0, length), b"moov")
    if movie is None:
        raise ValueError("an MP4 without its moov box")
    video, audio = Video("mp4"), False
    for kind, start, end in _boxes(read, *movie):
        media = _box(read, (start, end), b"mdia") if kind == b"trak" else None
        handler = _box(read, media, b"hdlr") if media else None
        if media is None or handler is None:
            continue
        word = read(handler[0] + 8, 4)
        audio |= word == b"soun"
        if word == b"vide" and not video.codec:
            video = _track(read, media)
    return Video(**{name: getattr(video, name) for name in Video.__slots__} | {"audio": audio})


def _track(read: Read, media: tuple[int, int]) -> Video:
    table = _box(read, media, b"minf", b"stbl")
    description = _box(read, table, b"stsd") if table else None
    if table is None or description is None:
        raise ValueError("an MP4 track without sample table")
    for kind, start, end in _boxes(read, description[0] + 8, description[1]):
        codec = _MP4_CODECS.get(kind, "")
        setup = _box(read, (start + 78, end), {"h264": b"avcC", "hevc": b"hvcC"}.get(codec, b"esds"))
        data = read(setup[0], min(setup[1] - setup[0], 65536)) if setup else b""
        found = _sequence("mp4", codec, _annex_b(codec, data), audio=False)
        frames, fps = _samples(read, media, table)
        values = {name: getattr(found, name) for name in Video.__slots__}
        return Video(**values | {"frames": frames, "fps": found.fps or fps})
    raise ValueError("an MP4 track without sample description")


def _annex_b(codec: str, data: bytes) -> bytes:
    """The parameter sets of avcC or hvcC (ISO/IEC 14496-15), each after a start code."""
    units = []
    if codec == "h264" and len(data) > 8:
        at = 6
        for _ in range(data[5] & 31):
            size = int.from_bytes(data[at : at + 2], "big")
            units.append(data[at + 2 : at + 2 + size])
            at += 2 + size
    elif codec == "hevc" and len(data) > 23:
        at = 23
        for _ in range(data[22]):
            count, at = int.from_bytes(data[at + 1 : at + 3], "big"), at + 3
            for _ in range(count):
                size = int.from_bytes(data[at : at + 2], "big")
                units.append(data[at + 2 : at + 2 + size])
                at += 2 + size
                if at > len(data):
                    break
    else:
        return data
    return b"".join(b"\0\0\0\1" + unit for unit in units)


def _samples(read: Read, media: tuple[int, int], table: tuple[int, int]) -> tuple[int | None, float | None]:
    """How many samples, and how many a second: by the duration that most have, as lost frames change no rate."""
    header, times = _box(read, media, b"mdhd"), _box(read, table, b"stts")
    if header is None or times is None:
        return None, None
    data = read(header[0], 32)
    scale = int.from_bytes(data[20:24] if data[:1] == b"\1" else data[12:16], "big")
    data = read(times[0], min(times[1] - times[0], 8 + 8 * 65536))
    entries = list(struct.iter_unpack(">LL", data[8 : 8 + (len(data) - 8) // 8 * 8]))
    frames = sum(count for count, _ in entries)
    counts: dict[int, int] = {}
    for count, delta in entries:
        counts[delta] = counts.get(delta, 0) + count
    ticks = max(counts, key=lambda delta: counts[delta], default=0)
    return frames, (scale / ticks if ticks and scale else None)


# ---- sequence headers


def _sequence(container: str, codec: str, stream: bytes, audio: bool) -> Video:
    if codec == "h264":
        units = find_sps(stream)
        if units is not None:
            fps = float(units.fps) if units.fps else None
            return Video(
                container, codec, units.profile_idc, units.level_idc, units.width, units.height, fps, audio=audio
            )
    elif codec in ("mpeg1", "mpeg2"):
        return _mpeg2(container, codec, stream, audio)
    elif codec == "hevc":
        return _hevc(container, stream, audio)
    return Video(container, codec, audio=audio)


def _mpeg2(container: str, codec: str, stream: bytes, audio: bool) -> Video:
    """Sequence header and extension (ISO/IEC 13818-2 6.2.2): `profile` 4 is Main; `level` 8 Main, 4 High."""
    at = stream.find(b"\0\0\1\xb3")
    extension = stream.find(b"\0\0\1\xb5", at)
    if at < 0 or len(stream) < at + 8 or extension < 0 or len(stream) < extension + 10:
        return Video(container, codec, audio=audio)
    bits = int.from_bytes(stream[extension + 4 : extension + 10], "big")
    head = int.from_bytes(stream[at + 4 : at + 8], "big")
    width = (bits >> 31 & 3) << 12 | head >> 20
    height = (bits >> 29 & 3) << 12 | head >> 8 & 0xFFF
    return Video(
        container,
        codec,
        profile=bits >> 40 & 7,
        level=bits >> 36 & 15,
        width=width,
        height=height,
        fps=_MPEG2_RATES.get(head & 15),
        audio=audio,
        chroma_420=bits >> 33 & 3 == 1,
    )


def _hevc(container: str, stream: bytes, audio: bool) -> Video:
    """Profile, level and size of the SPS (ITU-T H.265 7.3.2.2, 7.3.3). `profile` 1 is Main, `level` 30 times it."""
    at = stream.find(b"\0\0\1")
    while at >= 0:
        unit = stream[at + 3 : at + 3 + 512]
        if len(unit) > 16 and unit[0] >> 1 & 63 == 33:
            data = unit[2:].replace(b"\0\0\3", b"\0\0")
            bits = f"{int.from_bytes(data, 'big'):0{len(data) * 8}b}"
            chroma, width, height = _hevc_size(bits, sub_layers=data[0] >> 1 & 7)
            return Video(
                container, "hevc", data[1] & 31, data[12], width, height, audio=audio, chroma_420=chroma == 1
            )
        at = stream.find(b"\0\0\1", at + 3)
    return Video(container, "hevc", audio=audio)


def _hevc_size(bits: str, sub_layers: int) -> tuple[int, int, int]:
    """Chroma format, width and height after the conformance window."""
    position = 8 + 96
    flags = [bits[position + 2 * n : position + 2 * n + 2] for n in range(sub_layers)]
    position += 16 if sub_layers else 0
    position += sum(88 * (flag[:1] == "1") + 8 * (flag[1:] == "1") for flag in flags)

    def ue() -> int:
        nonlocal position
        one = bits.find("1", position)
        zeros = one - position
        if one < 0 or zeros > 32 or one + zeros >= len(bits):
            raise ValueError("a torn sequence parameter set")
        position = one + zeros + 1
        return int(bits[one : one + zeros + 1], 2) - 1

    ue()
    chroma = ue()
    position += chroma == 3
    width, height = ue(), ue()
    if bits[position : position + 1] == "1":
        position += 1
        left, right, top, bottom = ue(), ue(), ue(), ue()
        across, down = {1: (2, 2), 2: (2, 1)}.get(chroma, (1, 1))
        width, height = width - across * (left + right), height - down * (top + bottom)
    return chroma, width, height
