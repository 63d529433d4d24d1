"""A small archive for `smartbox demo`: storage, verification, modality worklist, performed procedure steps.

Runs in the demo's own process. Objects go to disk as they arrive, in pieces, so memory does not grow with them.
"""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from smartbox_tui.dicom.iods import IODS
from smartbox_tui.dicom.performed_scp import PerformedSteps
from smartbox_tui.dicom.privacy import keep_values_out_of_warnings
from smartbox_tui.dicom.scu.peer import check_aet
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.instance import EXPLICIT_VR_LE, IMPLICIT_VR_LE, KEY_OBJECT_SELECTION

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_MAX_PDU: Final = 131072
_SUCCESS: Final = 0x0000
_PENDING: Final = 0xFF00
_CANCEL: Final = 0xFE00
_OUT_OF_RESOURCES: Final = 0xA700
_CANNOT_UNDERSTAND: Final = 0xC000


class Archive:
    """A running archive. `port` is the one it really listens on."""

    def __init__(self, server: Any, folder: Path, steps: PerformedSteps) -> None:
        self._server = server
        self._steps = steps
        self.folder = folder
        self.port: int = server.socket.getsockname()[1]

    def stored(self) -> list[Path]:
        """The complete objects so far, `<SOP Instance UID>.dcm`, oldest first."""
        return sorted(self.folder.glob("*.dcm"), key=lambda path: path.stat().st_mtime_ns)

    def performed(self) -> dict[str, dict[str, Any]]:
        """The performed procedure steps by SOP Instance UID, oldest first, in the DICOM JSON model."""
        return self._steps.all()

    def stop(self) -> None:
        """Ends all associations and the server's thread. Again: nothing."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()


def start(
    host: str,
    port: int,
    aet: str,
    folder: Path,
    worklist: Iterable[dict[str, Any]] = (),
    *,
    require_called_aet: bool = False,
) -> Archive:
    """Listens on `host`:`port` (0: any free port) and returns at once.

    worklist  Scheduled Procedure Steps in the DICOM JSON model (PS3.18 F), answered to every C-FIND that
              matches patient, date, modality and station (PS3.4 K.6.1.1)
    Raises bad-value (AE title), in-use (the port).
    """
    from pynetdicom import AE, _config, evt
    from pynetdicom.sop_class import (
        ModalityPerformedProcedureStep,
        ModalityWorklistInformationFind,
        Verification,
    )

    check_aet(aet)
    keep_values_out_of_warnings()
    folder.mkdir(parents=True, exist_ok=True)
    # Otherwise a 2 GiB clip is held in memory three times before the handler is called.
    _config.STORE_RECV_CHUNKED_DATASET = True
    ae = AE(ae_title=aet.strip(" "))
    ae.maximum_pdu_size = _MAX_PDU
    ae.require_called_aet = require_called_aet
    ae.add_supported_context(Verification)
    ae.add_supported_context(ModalityWorklistInformationFind)
    for iod in IODS.values():
        ae.add_supported_context(iod.sop_class_uid, list(iod.transfer_syntaxes))
    ae.add_supported_context(KEY_OBJECT_SELECTION, [EXPLICIT_VR_LE, IMPLICIT_VR_LE])
    ae.add_supported_context(ModalityPerformedProcedureStep, [EXPLICIT_VR_LE, IMPLICIT_VR_LE])
    items, steps = tuple(worklist), PerformedSteps()
    handlers: list[Any] = [
        (evt.EVT_C_STORE, _Storage(folder).handle),
        (evt.EVT_C_FIND, lambda event: _find(event, items)),
        (evt.EVT_N_CREATE, steps.create),
        (evt.EVT_N_SET, steps.set),
    ]
    try:
        server = ae.start_server((host, port), block=False, evt_handlers=handlers)
    except OSError as exc:
        raise SmartBoxError(
            "in-use", f"The archive cannot listen on {host}:{port}: {exc.strerror}.", "Choose another port."
        ) from exc
    return Archive(server, folder, steps)


class _Storage:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def handle(self, event: Any) -> int:
        """Moves the file that pynetdicom has written to its name; its UID, not the sender's text, is the name."""
        uid = str(event.request.AffectedSOPInstanceUID)
        if not uid or not all(char.isdigit() or char == "." for char in uid):
            return _CANNOT_UNDERSTAND
        try:
            # The name appears whole: a reader of the folder never sees half an object.
            with self._lock:
                temporary = self._folder / f".{uid}.part"
                _move(event.dataset_path, temporary)
                temporary.rename(self._folder / f"{uid}.dcm")
        except OSError:
            return _OUT_OF_RESOURCES
        return _SUCCESS


def _move(source: Path, target: Path) -> None:
    """pynetdicom removes its own temporary file afterwards, so a hard link is enough on one file system."""
    import shutil

    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


def _find(event: Any, items: tuple[dict[str, Any], ...]) -> Iterator[tuple[int, Dataset | None]]:
    from pydicom.dataset import Dataset

    query = event.identifier
    for value in items:
        if event.is_cancelled:
            yield _CANCEL, None
            return
        item = Dataset.from_json(value)
        if not matches(query, item):
            continue
        answer = Dataset()
        answer.SpecificCharacterSet = "ISO_IR 192"
        for element in item:
            answer[element.tag] = element
        yield _PENDING, answer


def matches(query: Dataset, item: Dataset) -> bool:
    """Universal, single value, wild card and date range matching (PS3.4 C.2.2.2) on the usual worklist keys."""
    for keyword in ("PatientName", "PatientID", "AccessionNumber", "StudyInstanceUID", "RequestedProcedureID"):
        if not _matches_text(str(query.get(keyword) or ""), str(item.get(keyword) or "")):
            return False
    asked = query.get("ScheduledProcedureStepSequence") or []
    have = item.get("ScheduledProcedureStepSequence") or []
    if not asked or not have:
        return True
    for keyword in ("Modality", "ScheduledStationAETitle", "ScheduledProcedureStepID"):
        if not _matches_text(str(asked[0].get(keyword) or ""), str(have[0].get(keyword) or "")):
            return False
    wanted = str(asked[0].get("ScheduledProcedureStepStartDate") or "")
    return _matches_date(wanted, str(have[0].get("ScheduledProcedureStepStartDate") or ""))


def _matches_text(pattern: str, value: str) -> bool:
    import re

    if not pattern:
        return True
    pattern, value = unicodedata.normalize("NFC", pattern), unicodedata.normalize("NFC", value)
    expression = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern)
    return re.fullmatch(expression, value, re.IGNORECASE | re.DOTALL) is not None


def _matches_date(wanted: str, value: str) -> bool:
    if not wanted:
        return True
    if "-" not in wanted:
        return wanted == value
    first, _, last = wanted.partition("-")
    return (not first or first <= value) and (not last or value <= last)
