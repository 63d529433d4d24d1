"""Objects as files: one `<SOP Instance UID>.dcm` each; the name holds no patient data."""

from __future__ import annotations

from pathlib import Path

from smartbox_tui.dicom.compose import Composition
from smartbox_tui.errors import SmartBoxError


def export(composition: Composition, folder: Path) -> Path:
    """Writes the Part 10 file into `folder` (made when it is missing) and returns its path; durable.

    An existing file of that name is replaced: the same UID means the same object. Raises disk-full,
    refused (the folder cannot be written), invalid-object (the bitstream is damaged).
    """
    path = folder / f"{composition.sop_instance_uid}.dcm"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        composition.write(path)
    except OSError as exc:
        raise SmartBoxError(
            "refused",
            f"{folder} cannot be written: {exc.strerror}.",
            "Check that the medium is there and writable.",
        ) from exc
    return path
