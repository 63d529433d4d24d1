"""Is an object what it says it is? Group 2, the IOD's attributes, every value, and the pixels' bitstream.

A table of the standard's demands, not the composer's own: what makes objects must not judge them.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from smartbox_tui.dicom.compose import Composition, FileSlice, Segment, from_part10
from smartbox_tui.dicom.datasets import parse_until
from smartbox_tui.dicom.iods import IODS, SYNTAX_NAMES
from smartbox_tui.dicom.validate_pixels import Pixels, check_pixels
from smartbox_tui.dicom.validate_report import Finding, Report
from smartbox_tui.dicom.validate_table import CLASSES
from smartbox_tui.dicom.validate_values import Values, check_modality, check_presence, check_values
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.instance import IMPLICIT_VR_LE

_PIXELS: Final = 0x7FE00001
"""The first tag of the pixel data's group; the offset tables of PS3.3 C.7.6.3.1.8 stand before (7FE0,0010)."""

_HEADS: Final = (1 << 16, 1 << 24)
"""Bytes of a data set in which its pixel data must begin: the first that suffices is read."""


def validate_file(path: Path) -> list[Finding]:
    """What is wrong with a DICOM file. Raises not-found when it cannot be opened; all else is a finding."""
    try:
        composition = from_part10(path)
    except SmartBoxError as exc:
        if exc.code != "invalid-object":
            raise
        why = exc.message.removeprefix(path.name).strip()
        return [Finding("error", "part10", "PS3.10 7.1", f"The file {why}", exc.hint)]
    return validate_composition(composition)


def validate_composition(composition: Composition) -> list[Finding]:
    """What is wrong with an object. Reads its header and the head of its bitstream, whatever its length.

    Raises OSError when the bitstream cannot be read.
    """
    report = Report()
    syntax = composition.transfer_syntax_uid
    if syntax not in SYNTAX_NAMES:
        report.warning(
            "transfer-syntax",
            "PS3.5 10",
            "The transfer syntax is none that this box knows: the data set was not looked at.",
            f"One of: {', '.join(SYNTAX_NAMES.values())}.",
        )
        return report.findings
    with _Access(composition.segments, composition.dataset_length) as access:
        _check(composition, access, report)
    return report.findings


def _check(composition: Composition, access: _Access, report: Report) -> None:
    implicit = composition.transfer_syntax_uid == IMPLICIT_VR_LE
    for size in _HEADS:
        head = access.read(0, size)
        try:
            elements, start = parse_until(head, _PIXELS, explicit=not implicit)
        except ValueError as exc:
            if len(head) < access.length and size != _HEADS[-1]:
                continue
            hint = "It is damaged, or written in another transfer syntax."
            report.error("data-set", "PS3.5 7", f"The data set cannot be read: {exc}.", hint)
            return
        if start + 12 <= len(head) or len(head) == access.length:
            break
    values = Values(elements)
    _check_group_2(composition, values, report)
    check_values(values, report)
    sop_class = composition.sop_class_uid
    if sop_class not in CLASSES:
        report.warning(
            "sop-class",
            "PS3.4 B.5",
            "The SOP class is none that this box makes: its modules were not checked further.",
            "Only the values were looked at.",
        )
        return
    check_presence(values, sop_class, report)
    check_modality(values, sop_class, report)
    iod = IODS.get(sop_class)
    if iod is None:  # a document: no pixels
        return
    if composition.transfer_syntax_uid not in iod.transfer_syntaxes:
        report.error(
            "transfer-syntax",
            f"PS3.3 {iod.section}",
            f"{iod.name} is not written in this transfer syntax.",
            f"One of: {', '.join(SYNTAX_NAMES[uid] for uid in iod.transfer_syntaxes)}.",
        )
    if not iod.multi_frame and (values.decimal(0x00280008) or 1) != 1:
        report.error("frames", f"PS3.3 {iod.section}", f"{iod.name} has one frame.", "Use a multi-frame class.")
    pixels = Pixels(access.read, start, access.length, implicit)
    check_pixels(values, composition.transfer_syntax_uid, pixels, report)


def _check_group_2(composition: Composition, values: Values, report: Report) -> None:
    for tag, stated, name in (
        (0x00080016, composition.sop_class_uid, "SOPClassUID"),
        (0x00080018, composition.sop_instance_uid, "SOPInstanceUID"),
    ):
        if tag in values.elements and not values.is_empty(tag) and values.text(tag) != stated:
            report.error(
                "group-2",
                "PS3.10 7.1",
                f"{name} in group 2 is not that of the data set.",
                "Write the same in both.",
            )


class _Access:
    """Bytes from anywhere in a data set of many segments."""

    def __init__(self, segments: Sequence[Segment], length: int) -> None:
        self._segments, self.length = segments, length
        self._starts: list[int] = []
        at = 0
        for segment in segments:
            self._starts.append(at)
            at += len(segment) if isinstance(segment, bytes) else segment.length
        self._fds: dict[Path, int] = {}

    def read(self, offset: int, count: int) -> bytes:
        """Fewer bytes only at the end of the object, or of a file that is shorter than it should be."""
        found = bytearray()
        index = bisect_right(self._starts, offset) - 1
        while len(found) < count and 0 <= index < len(self._segments):
            segment, inside = self._segments[index], offset + len(found) - self._starts[index]
            wanted = count - len(found)
            part = (
                segment[inside : inside + wanted]
                if isinstance(segment, bytes)
                else self._pread(segment, inside, wanted)
            )
            found += part
            end = inside + len(part) == (len(segment) if isinstance(segment, bytes) else segment.length)
            if not end:
                break
            index += 1
        return bytes(found)

    def _pread(self, piece: FileSlice, inside: int, wanted: int) -> bytes:
        if piece.path not in self._fds:
            self._fds[piece.path] = os.open(piece.path, os.O_RDONLY | os.O_CLOEXEC)
        count = min(wanted, piece.length - inside)
        return os.pread(self._fds[piece.path], max(count, 0), piece.offset + inside)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._fds:
            os.close(self._fds.popitem()[1])
