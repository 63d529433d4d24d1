"""Storage Commitment Push Model: N-ACTION, and the N-EVENT-REPORT that may follow on the same association (PS3.4
Annex J, PS3.7 10.1).

The association is proposed without role selection: the box is SCU by default, and the archive's report comes on it
as a request of the archive (PS3.4 J.3.3).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Any, Final, Self

from smartbox_tui.dicom.datasets import from_json, to_json
from smartbox_tui.dicom.scu import dimse
from smartbox_tui.dicom.scu.association import Association, associate
from smartbox_tui.dicom.scu.link import LinkLost
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.commitment import Reference, Report
from smartbox_tui.model.instance import EXPLICIT_VR_LE, IMPLICIT_VR_LE

STORAGE_COMMITMENT: Final = "1.2.840.10008.1.20.1"
INSTANCE: Final = "1.2.840.10008.1.20.1.1"
"""The well-known SOP Instance (PS3.4 J.3.5)."""
CONTEXTS: Final = ((STORAGE_COMMITMENT, IMPLICIT_VR_LE), (STORAGE_COMMITMENT, EXPLICIT_VR_LE))

REFERENCES_MAX: Final = 200
"""In one request: its answer fits into any archive's limits, and one that is lost is not lost for thousands."""
REPORT_MAX: Final = 1 << 20
_ACTION: Final = 1
ALL_KEPT: Final = 1
SOME_FAILED: Final = 2
"""Event type IDs (PS3.4 table J.3-2)."""

SUCCESS: Final = 0x0000
FAILED: Final = 0x0110
NO_SUCH_INSTANCE: Final = 0x0112
NO_SUCH_EVENT: Final = 0x0113
INVALID_ARGUMENT: Final = 0x0115
NO_SUCH_CLASS: Final = 0x0118
MISSING: Final = 0x0120
NO_RESOURCES: Final = 0x0213


class Asked(StrEnum):
    """taken: the archive will answer. later: ask it again. unsupported: it makes no such promises, or not to us."""

    TAKEN = "taken"
    LATER = "later"
    UNSUPPORTED = "unsupported"


STATUSES: Final = (
    # first, last status of N-ACTION (PS3.7 10.1.4.1.10, Annex C), outcome, sentence
    (0x0000, 0x0000, Asked.TAKEN, "The archive will answer."),
    (0xB000, 0xBFFF, Asked.TAKEN, "The archive will answer, with a warning of its own."),
    (0x0110, 0x0110, Asked.LATER, "The archive failed while processing the question."),
    (0x0131, 0x0131, Asked.LATER, "The archive has seen the number of the question before."),
    (0x0210, 0x0210, Asked.LATER, "The archive finds the message number used twice."),
    (0x0213, 0x0213, Asked.LATER, "The archive has reached a limit."),
    (0xA700, 0xA7FF, Asked.LATER, "The archive is out of resources."),
    (0x0112, 0x0112, Asked.UNSUPPORTED, "The archive knows no storage commitment."),
    (0x0114, 0x0115, Asked.UNSUPPORTED, "The archive does not accept the question."),
    (0x0117, 0x0119, Asked.UNSUPPORTED, "The archive knows no storage commitment."),
    (0x0122, 0x0122, Asked.UNSUPPORTED, "The archive does not support storage commitment."),
    (0x0123, 0x0123, Asked.UNSUPPORTED, "The archive does not know the question."),
    (0x0124, 0x0124, Asked.UNSUPPORTED, "The archive does not authorise the box to ask for commitment."),
    (0x0211, 0x0212, Asked.UNSUPPORTED, "The archive does not know the question."),
)
UNDEFINED: Final = "The archive answered the question with a status that DICOM does not define."


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    comment: str
    outcome: Asked
    sentence: str


def meaning(status: int) -> tuple[Asked, str]:
    """What an N-ACTION status says; one that nobody defined is asked again, later."""
    for first, last, outcome, sentence in STATUSES:
        if first <= status <= last:
            return outcome, sentence
    return Asked.LATER, UNDEFINED


OnReport = Callable[[Report], int]
"""Told each report that can be read, before it is answered; gives the status of the answer."""


class CommitSession:
    """One association for any number of requests. A context manager, of one thread; `wake` may come from any."""

    def __init__(self, peer: Peer, on_report: OnReport) -> None:
        self._peer, self._on_report = peer, on_report
        self._association: Association | None = None
        self._context_id, self._explicit = 0, False
        self._stopped = False

    def open(self) -> None:
        """Connects and negotiates. Raises what `associate` raises, no-context, refused (woken)."""
        association = associate(self._peer, CONTEXTS)
        try:
            self._context_id, self._explicit = context_of(association)
        except SmartBoxError:
            association.release()
            raise
        self._association = association
        if self._stopped:
            self.wake()

    def request(self, transaction_uid: str, references: Sequence[Reference]) -> Answer:
        """N-ACTION for at most REFERENCES_MAX objects. Reports that come before its answer are told as well.

        Raises SmartBoxError outcome-unknown: it was sent, and the answer is missing; the network's codes: it was
        not sent whole. The association is gone then.
        """
        if not 1 <= len(references) <= REFERENCES_MAX:
            raise ValueError(f"{len(references)} references")
        association = self._open_one()
        message_id = association.next_message_id()
        command = dimse.n_action_rq(message_id, STORAGE_COMMITMENT, INSTANCE, _ACTION)
        dataset = from_json(action_of(transaction_uid, references), explicit=self._explicit)
        try:
            association.link.send(association.command_pdus(self._context_id, command, dataset))
        except LinkLost as exc:
            association.drop()
            raise SmartBoxError(
                exc.code,
                f"The connection to {self._peer.name} was lost before it was asked for commitment: {exc.why}.",
                "The box asks again by itself.",
            ) from exc
        try:
            answer = self._answer(association, message_id)
        except LinkLost as exc:
            association.drop()
            raise SmartBoxError(
                "outcome-unknown",
                f"{self._peer.name} was asked for commitment, but did not answer: {exc.why}.",
                "The box asks again by itself.",
            ) from exc
        status = int(answer[dimse.STATUS])
        return Answer(status, str(answer.get(dimse.ERROR_COMMENT, "")), *meaning(status))

    def listen(self, seconds: float, enough: Callable[[], bool] = lambda: False) -> None:
        """Takes reports on this association for so long, or until `enough` or the archive ends it. Never raises for
        what the network does: the report may as well come on another association."""
        association = self._association
        if association is None or not association.is_open():
            return
        deadline = time.monotonic() + seconds
        try:
            while not enough() and (left := deadline - time.monotonic()) > 0:
                command, data = self._receive(association, left)
                self._take(association, command, data)
        except LinkLost as exc:
            if exc.code == "timeout":
                return
            association.abort()

    def _answer(self, association: Association, message_id: int) -> dimse.Command:
        deadline = time.monotonic() + 4 * self._peer.timeout_s
        while time.monotonic() < deadline:
            command, data = self._receive(association, self._peer.timeout_s)
            field = int(command.get(dimse.COMMAND_FIELD, 0))
            if not field & dimse.RESPONSE:
                self._take(association, command, data)
                continue
            if not dimse.answers(command, dimse.N_ACTION_RQ, message_id) or dimse.STATUS not in command:
                raise LinkLost("refused", "its answer belongs to another message")
            return command
        raise LinkLost("timeout", "it talks of other things")

    def _receive(self, association: Association, timeout_s: float) -> tuple[dimse.Command, bytes | None]:
        return association.receive_message(self._context_id, max_dataset=REPORT_MAX, timeout_s=timeout_s)

    def _take(self, association: Association, command: dimse.Command, data: bytes | None) -> None:
        status = answer_to(command, data, explicit=self._explicit, on_report=self._on_report)
        association.link.send(association.command_pdus(self._context_id, dimse.response(command, status)))

    def _open_one(self) -> Association:
        if self._association is None or not self._association.is_open():
            raise SmartBoxError(
                "refused",
                f"{self._peer.name} has ended the association.",
                "The box asks again by itself.",
            )
        return self._association

    @property
    def is_open(self) -> bool:
        return self._association is not None and self._association.is_open()

    def wake(self) -> None:
        """From any thread: what waits ends soon. For good."""
        self._stopped = True
        if self._association is not None:
            self._association.link.wake()

    def close(self) -> None:
        if self._association is not None:
            self._association.release()

    def abort(self) -> None:
        if self._association is not None:
            self._association.abort()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close() if kind is None else self.abort()


def context_of(association: Association) -> tuple[int, bool]:
    """The accepted context and whether it is Explicit VR. Raises no-context."""
    if (found := association.context_of(STORAGE_COMMITMENT)) is not None:
        return found
    raise SmartBoxError(
        "no-context",
        f"{association.peer.name} accepts the association, but no storage commitment.",
        "Have it enabled for our AE title in the archive, or choose readback instead of commitment.",
    )


def action_of(transaction_uid: str, references: Sequence[Reference]) -> dict[str, Any]:
    """The Action Information (PS3.4 table J.3-1) in the DICOM JSON model."""
    return {
        "00081195": {"vr": "UI", "Value": [transaction_uid]},
        "00081199": {
            "vr": "SQ",
            "Value": [
                {
                    "00081150": {"vr": "UI", "Value": [item.sop_class_uid]},
                    "00081155": {"vr": "UI", "Value": [item.sop_instance_uid]},
                }
                for item in references
            ],
        },
    }


def answer_to(command: dimse.Command, data: bytes | None, *, explicit: bool, on_report: OnReport) -> int:
    """The status that a request of an archive is answered with (PS3.7 10.1.1.1.8); a report that can be read is
    told before. Nothing but an N-EVENT-REPORT of the well-known instance is known."""
    if command.get(dimse.COMMAND_FIELD) != dimse.N_EVENT_REPORT_RQ:
        return 0x0211
    if command.get(dimse.SOP_CLASS_UID) != STORAGE_COMMITMENT:
        return NO_SUCH_CLASS
    if command.get(dimse.SOP_INSTANCE_UID) != INSTANCE:
        return NO_SUCH_INSTANCE
    if command.get(dimse.EVENT_TYPE) not in (ALL_KEPT, SOME_FAILED):
        return NO_SUCH_EVENT
    if data is None:
        return NO_RESOURCES
    if not data:
        return MISSING
    try:
        report = read_report(data, explicit=explicit)
    except ValueError:
        return FAILED
    return on_report(report)


def read_report(data: bytes, *, explicit: bool) -> Report:
    """The Event Information (PS3.4 table J.3-2). Raises ValueError: no data set, no Transaction UID, an item
    without its UID. What stands in both sequences has failed."""
    values = to_json(data, explicit=explicit)
    failed = {
        _uid(item, "00081155"): _number(item, "00081197") for item in values.get("00081198", {}).get("Value", ())
    }
    kept = [_uid(item, "00081155") for item in values.get("00081199", {}).get("Value", ())]
    return Report(
        _uid(values, "00081195"),
        tuple(uid for uid in dict.fromkeys(kept) if uid not in failed),
        tuple(failed.items()),
    )


def _uid(item: Any, tag: str) -> str:
    found = item.get(tag, {}).get("Value", [""])[0] if isinstance(item, dict) else ""
    if not isinstance(found, str) or not found:
        raise ValueError("a UID is missing")
    return found


def _number(item: dict[str, Any], tag: str) -> int:
    """0 where none is given: no reason that DICOM defines."""
    return int((item.get(tag, {}).get("Value") or [0])[0] or 0)
