"""What a header already written says: read back when the row that named it was lost."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from smartbox_tui.dicom.datasets import parse_until
from smartbox_tui.dicom.part10 import read_meta
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.instance import IMPLICIT_VR_LE

_SERIES_NUMBER: Final = 0x00200011
_INSTANCE_NUMBER: Final = 0x00200013


def numbers_of(header: Path) -> tuple[int, int]:
    """(SeriesNumber, InstanceNumber) of a header file. Raises ValueError when it is not a whole DICOM header,
    OSError."""
    data = header.read_bytes()
    try:
        meta = read_meta(data, header.name)
        explicit = meta.transfer_syntax_uid != IMPLICIT_VR_LE
        elements, _ = parse_until(data[meta.size :], _INSTANCE_NUMBER + 1, explicit=explicit)
        values = {item.tag: item.value for item in elements if isinstance(item.value, bytes)}
        return int(values[_SERIES_NUMBER]), int(values[_INSTANCE_NUMBER])
    except (SmartBoxError, ValueError, KeyError) as exc:
        raise ValueError(f"{header.name} is not a DICOM header ({type(exc).__name__})") from None
