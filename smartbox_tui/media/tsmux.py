"""MPEG transport stream (ISO/IEC 13818-1) with one video stream, written one access unit at a time.

Nothing is held back: what `access_unit` answers is whole, so a file that ends after any of its answers is a
whole stream. One access unit is one PES packet, and each can be told to be whole without the next one: by its
length where that fits the field, else by the stuffing that its last packet always has (`media.ts` relies on it).
"""

from __future__ import annotations

from typing import Final

import numpy as np

PACKET: Final = 188
PMT_PID: Final = 0x1000
VIDEO_PID: Final = 0x0100
CLOCK_HZ: Final = 90_000

_FIRST_PTS: Final = CLOCK_HZ
"""A second of lead: the clock reference is behind the first picture and never negative."""

_PCR_LEAD: Final = CLOCK_HZ // 2
"""The decoder has half a second to take in a large IDR picture before its time."""

STREAM_TYPES: Final = {"mpeg2": 0x02, "h264": 0x1B, "hevc": 0x24}
"""stream_type of the program map (table 2-34)."""

_BODY: Final = PACKET - 4
_AFTER_PCR: Final = _BODY - 8
_LENGTH_MAX: Final = 0xFFFF
_PTS_WRAP: Final = 1 << 33


def crc32_mpeg(data: bytes) -> int:
    """CRC-32/MPEG-2 of a table section (Annex A)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x04C11DB7 if crc & 0x80000000 else crc << 1) & 0xFFFFFFFF
    return crc


def _section(table: int, number: int, body: bytes) -> bytes:
    """A pointer field and a section of one table, current, version 0 (2.4.4)."""
    head = bytes((table,)) + (0xB000 | len(body) + 9).to_bytes(2, "big") + number.to_bytes(2, "big") + b"\xc1\0\0"
    section = head + body
    return b"\0" + section + crc32_mpeg(section).to_bytes(4, "big")


_PAT: Final = _section(0, 1, b"\x00\x01" + (0xE000 | PMT_PID).to_bytes(2, "big"))


def _program_map(codec: str) -> bytes:
    pid = (0xE000 | VIDEO_PID).to_bytes(2, "big")
    return _section(2, 1, pid + b"\xf0\x00" + bytes((STREAM_TYPES[codec],)) + pid + b"\xf0\x00")


class TsMuxer:
    """Makes the packets of one stream of a codec of STREAM_TYPES, without B-frames. Times are relative to its first
    access unit, in nanoseconds."""

    def __init__(self, codec: str = "h264") -> None:
        self._tables = ((0, _PAT), (PMT_PID, _program_map(codec)))
        self._table_count = 0
        self._count = 0

    def access_unit(self, unit: bytes, since_ns: int, *, idr: bool) -> bytes:
        """The packets of one access unit (Annex B), tables first where `idr`: a point to begin at."""
        pts = _FIRST_PTS + since_ns * CLOCK_HZ // 1_000_000_000
        length = len(unit) + 8
        payload = b"".join(
            (
                b"\x00\x00\x01\xe0",
                (length if length <= _LENGTH_MAX else 0).to_bytes(2, "big"),
                b"\x84\x80\x05",
                _stamp(pts),
                unit,
            )
        )
        packets = self._packets(payload, pts - _PCR_LEAD, idr=idr)
        if not idr:
            return packets
        tables = b"".join(self._table(pid, section) for pid, section in self._tables)
        self._table_count = (self._table_count + 1) & 15
        return tables + packets

    def _table(self, pid: int, section: bytes) -> bytes:
        head = bytes((0x47, 0x40 | pid >> 8, pid & 0xFF, 0x10 | self._table_count))
        return (head + section).ljust(PACKET, b"\xff")

    def _packets(self, payload: bytes, pcr: int, *, idr: bool) -> bytes:
        field = bytes((0x50 if idr else 0x10,)) + _clock_reference(pcr)
        if len(payload) <= _AFTER_PCR:
            return self._packet(0x40, field, payload)
        # One byte of stuffing in the first packet, where else the last one would have none.
        first = _AFTER_PCR - (1 if (len(payload) - _AFTER_PCR) % _BODY == 0 else 0)
        tail = (len(payload) - first) % _BODY
        full = (len(payload) - first) // _BODY
        parts = [self._packet(0x40, field, payload[:first])]
        if full:
            block = np.empty((full, PACKET), np.uint8)
            block[:, 0], block[:, 1], block[:, 2] = 0x47, VIDEO_PID >> 8, VIDEO_PID & 0xFF
            block[:, 3] = 0x10 | (self._count + np.arange(full)) & 15
            block[:, 4:] = np.frombuffer(payload, np.uint8, full * _BODY, first).reshape(full, _BODY)
            self._count = (self._count + full) & 15
            parts.append(block.tobytes())
        parts.append(self._packet(0, b"\x00", payload[len(payload) - tail :]))
        return b"".join(parts)

    def _packet(self, flags: int, field: bytes, payload: bytes) -> bytes:
        """One packet, filled up in its adaptation field. A field of flags alone may shrink to its length."""
        size = _BODY - 1 - len(payload)
        field = field.ljust(size, b"\xff")[:size]
        count, self._count = self._count, (self._count + 1) & 15
        return bytes((0x47, flags | VIDEO_PID >> 8, VIDEO_PID & 0xFF, 0x30 | count, size)) + field + payload


def _stamp(pts: int) -> bytes:
    """A PTS without DTS (2.4.3.7)."""
    pts %= _PTS_WRAP
    return bytes(
        (
            0x21 | pts >> 29 & 0x0E,
            pts >> 22 & 0xFF,
            0x01 | pts >> 14 & 0xFE,
            pts >> 7 & 0xFF,
            0x01 | pts << 1 & 0xFE,
        )
    )


def _clock_reference(base: int) -> bytes:
    """A PCR with extension 0 (2.4.3.5)."""
    return (base % _PTS_WRAP << 15 | 0x7E00).to_bytes(6, "big")
