"""Archives that are asked for commitment: a real Orthanc that knows the box, and a pynetdicom peer that answers
when and what a test wants."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance, Verification

from smartbox_tui.dicom.iods import IODS
from smartbox_tui.model.instance import EXPLICIT_VR_LE, IMPLICIT_VR_LE, KEY_OBJECT_SELECTION
from tests.support.orthanc import Orthanc, orthanc

COMMITMENT = "commitment = true"


def port_of(config: str) -> int:
    """The box's own port in its settings."""
    found = re.search(r"^port = (\d+)", config, re.MULTILINE)
    assert found is not None
    return int(found[1])


@contextlib.contextmanager
def committing_orthanc(folder: Path, box_port: int) -> Iterator[Orthanc]:
    known = {"AET": "SMARTBOX", "Host": "127.0.0.1", "Port": box_port, "AllowStorageCommitment": True}
    with orthanc(folder, DicomModalities={"box": known}) as running:
        yield running


@dataclass
class Question:
    """As the archive got it."""

    uid: str
    references: list[tuple[str, str]]


@dataclass
class Committer:
    """`respond(question)` gives the N-ACTION status; `after(question, association)` runs in a thread of its own
    once it was answered with success."""

    port: int = 0
    aet: str = "COMMITTER"
    stored: dict[str, int] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)  # of the box's answers to reports
    respond: Callable[[Question], int] = lambda _: 0x0000
    after: Callable[[Question, Any], Any] = lambda *_: None
    refused: dict[str, int] = field(default_factory=dict)  # SOP Instance UID: status of its C-STORE

    def report(
        self,
        question: Question,
        *,
        association: Any = None,
        port: int = 0,
        failed: dict[str, int] | None = None,
        uid: str | None = None,
        kept: list[tuple[str, str]] | None = None,
        role: bool = True,
        instance: str = StorageCommitmentPushModelInstance,
        event: int | None = None,
    ) -> int | None:
        """N-EVENT-REPORT on this association, else on a new one to `port`; the status of the answer, None: none."""
        data = Dataset()
        data.TransactionUID = question.uid if uid is None else uid
        failed = failed or {}
        data.ReferencedSOPSequence = []
        for sop_class, sop in question.references if kept is None else kept:
            if sop not in failed:
                data.ReferencedSOPSequence.append(_item(sop_class, sop))
        if failed:
            data.FailedSOPSequence = []
            for sop_class, sop in question.references:
                if sop in failed:
                    item = _item(sop_class, sop)
                    item.FailureReason = failed[sop]
                    data.FailedSOPSequence.append(item)
        kind = event if event is not None else 2 if failed else 1
        own = association is None
        if own:
            ae = AE(ae_title=self.aet)
            ae.add_requested_context(StorageCommitmentPushModel)
            roles = [build_role(StorageCommitmentPushModel, scp_role=True)] if role else []
            association = ae.associate("127.0.0.1", port, ae_title="SMARTBOX", ext_neg=roles)
            if not association.is_established:
                self.statuses.append(-1)
                return None
        answer, _ = association.send_n_event_report(data, kind, StorageCommitmentPushModel, instance)
        if own:
            association.release()
        status = answer.Status if "Status" in answer else None
        self.statuses.append(-1 if status is None else status)
        return status


def _item(sop_class: str, sop: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, sop
    return item


@contextlib.contextmanager
def committer(*, supports: bool = True, port: int = 0) -> Iterator[Committer]:
    """An archive that stores into the void and answers questions about commitment."""
    made = Committer()
    threads: list[threading.Thread] = []

    def store(event: Any) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        made.stored[uid] = made.stored.get(uid, 0) + 1
        return made.refused.get(uid, 0x0000)

    def action(event: Any) -> tuple[int, None]:
        info = event.action_information
        references = [
            (str(item.ReferencedSOPClassUID), str(item.ReferencedSOPInstanceUID))
            for item in info.ReferencedSOPSequence
        ]
        question = Question(str(info.TransactionUID), references)
        made.questions.append(question)
        status = made.respond(question)
        if status == 0:
            thread = threading.Thread(target=made.after, args=(question, event.assoc), daemon=True)
            threads.append(thread)
            thread.start()
        return status, None

    ae = AE(ae_title=made.aet)
    ae.add_supported_context(Verification)
    for iod in IODS.values():
        ae.add_supported_context(iod.sop_class_uid, list(iod.transfer_syntaxes))
    ae.add_supported_context(KEY_OBJECT_SELECTION, [EXPLICIT_VR_LE, IMPLICIT_VR_LE])
    if supports:
        ae.add_supported_context(StorageCommitmentPushModel)
    server = ae.start_server(
        ("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, store), (evt.EVT_N_ACTION, action)]
    )
    made.port = server.socket.getsockname()[1]
    try:
        yield made
    finally:
        server.shutdown()
        for thread in threads:
            thread.join(5)
