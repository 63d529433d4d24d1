"""What a header already written says: read back when the row that named it was lost."""

from __future__ import annotations

from pathlib import Path


def numbers_of(header: Path) -> tuple[int, int]:
    """(SeriesNumber, InstanceNumber) of a header file. Raises ValueError when it is not a DICOM header."""
    import pydicom  # a slow import, needed after a crash only
    from pydicom.errors import InvalidDicomError

    try:
        dataset = pydicom.dcmread(header, specific_tags=["SeriesNumber", "InstanceNumber"])
        return int(dataset.SeriesNumber), int(dataset.InstanceNumber)
    except (InvalidDicomError, AttributeError, TypeError, EOFError) as exc:
        raise ValueError(f"{header.name} is not a DICOM header: {exc}") from exc
