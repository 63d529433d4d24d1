"""Bit by bit through a header of a video stream: fixed lengths and Exp-Golomb codes; and where its units lie."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

HEADER_MAX: Final = 2048
"""Bytes that a sequence header is read to: a real one has less than a hundred, garbage must not take long."""

_START: Final = b"\x00\x00\x01"


class Bits:
    """Reads bits, most significant first; ValueError past the end."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = len(data) * 8

    def take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise ValueError("the sequence parameter set ends too early")
        return self._value >> self._left & ((1 << count) - 1)

    def flag(self) -> bool:
        return bool(self.take(1))

    def ue(self) -> int:
        """Exp-Golomb, unsigned (ITU-T H.264 9.1)."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise ValueError("not an Exp-Golomb code")
        return (1 << zeros) - 1 + self.take(zeros)

    def below(self, limit: int) -> int:
        """`ue` of a count; ValueError for `limit` and more."""
        value = self.ue()
        if value >= limit:
            raise ValueError("a count in the sequence parameter set is out of range")
        return value

    def se(self) -> int:
        """Exp-Golomb, signed (ITU-T H.264 9.1.1)."""
        code = self.ue()
        return (code + 1) // 2 if code % 2 else -(code // 2)


def units_between(stream: bytes) -> Iterator[bytes]:
    """What stands between the start codes of a byte stream (Annex B of both), without the zeros behind it."""
    at = stream.find(_START)
    while at >= 0:
        start = at + 3
        at = stream.find(_START, start)
        unit = stream[start : at if at >= 0 else len(stream)].rstrip(b"\x00")
        if unit:
            yield unit


def raw_bytes(unit: bytes) -> bytes:
    """A NAL unit's payload without its emulation prevention bytes (ITU-T H.264 7.4.1), no more than HEADER_MAX."""
    return unit[:HEADER_MAX].replace(b"\x00\x00\x03", b"\x00\x00")
