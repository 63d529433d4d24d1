"""Our own small archive, as a peer that takes what it is sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from smartbox_tui.dicom import scp


@contextmanager
def own_archive(folder: Path, *, require_called_aet: bool = False) -> Iterator[scp.Archive]:
    """It listens on a free port as ORTHANC and writes into `folder`."""
    made = scp.start("127.0.0.1", 0, "ORTHANC", folder, require_called_aet=require_called_aet)
    try:
        yield made
    finally:
        made.stop()
