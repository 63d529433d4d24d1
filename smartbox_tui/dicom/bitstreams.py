"""The pictures inside a composed object, as they were captured: without head, items and padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from smartbox_tui.dicom.compose import Composition, FileSlice, Reader, Segment

_ITEM: Final = b"\xfe\xff\x00\xe0"
_PIXELS: Final = b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff"

JPEG: Final = "jpg"
TS: Final = "ts"
MP4: Final = "mp4"


def bitstreams(composition: Composition) -> list[tuple[Segment, ...]]:
    """One for each fragment of an encapsulated object; empty for any other. Opens nothing."""
    cursor = _Cursor(composition.segments)
    if not cursor.enter():
        return []
    found: list[tuple[Segment, ...]] = []
    while True:
        head = cursor.take(8)
        if len(head) != 1 or not isinstance(head[0], bytes) or head[0][:4] != _ITEM:
            return found
        parts = cursor.take(int.from_bytes(head[0][4:8], "little"))
        if len(parts) > 1 and parts[-1] == b"\0":  # to an even length
            parts.pop()
        found.append(tuple(parts))


def ending(segments: Sequence[Segment]) -> str:
    """jpg, mp4, ts by the first bytes; empty for what is none of them. Raises OSError, invalid-object."""
    view = memoryview(bytearray(12))
    with Reader(segments) as reader:
        head = bytes(view[: reader.readinto(view)])
    if head[:2] == b"\xff\xd8":
        return JPEG
    if head[4:8] == b"ftyp":
        return MP4
    return TS if head[:1] == b"\x47" else ""


def length_of(segments: Sequence[Segment]) -> int:
    return sum(len(item) if isinstance(item, bytes) else item.length for item in segments)


class _Cursor:
    """A place in the segments of a data set."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._segments = list(segments)

    def enter(self) -> bool:
        """Goes behind the Basic Offset Table of the pixel data; False where there is none."""
        first = self._segments[0] if self._segments else b""
        if not isinstance(first, bytes):
            return False
        at = first.find(_PIXELS)
        while at >= 0:
            table = at + len(_PIXELS)
            end = table + 8 + int.from_bytes(first[table + 4 : table + 8], "little")
            # the head of the first fragment's item ends what compose() puts before it
            if first[table : table + 4] == _ITEM and end + 8 == len(first) and first[end : end + 4] == _ITEM:
                self._segments[0] = first[end:]
                return True
            at = first.find(_PIXELS, at + 1)
        return False

    def take(self, count: int) -> list[Segment]:
        """The next bytes, or what is left of them."""
        taken: list[Segment] = []
        while count and self._segments:
            item = self._segments[0]
            if isinstance(item, bytes):
                part, rest = item[:count], item[count:]
                taken.append(part)
                count -= len(part)
                self._replace(rest)
                continue
            length = min(count, item.length)
            taken.append(FileSlice(item.path, item.offset, length))
            count -= length
            left = item.length - length
            self._replace(FileSlice(item.path, item.offset + length, left) if left else b"")
        return taken

    def _replace(self, rest: Segment) -> None:
        if rest:
            self._segments[0] = rest
        else:
            self._segments.pop(0)
