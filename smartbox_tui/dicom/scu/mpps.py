"""Modality Performed Procedure Step: N-CREATE and N-SET, and what the server's answers mean (PS3.4 F.7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from smartbox_tui.dicom.datasets import from_json
from smartbox_tui.dicom.scu import dimse
from smartbox_tui.dicom.scu.association import Association, associate
from smartbox_tui.dicom.scu.link import LinkLost
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.instance import EXPLICIT_VR_LE, IMPLICIT_VR_LE

PERFORMED_STEP: Final = "1.2.840.10008.3.1.2.3.3"
CONTEXTS: Final = ((PERFORMED_STEP, IMPLICIT_VR_LE), (PERFORMED_STEP, EXPLICIT_VR_LE))

_ANSWER_MAX: Final = 1 << 20
_NO_LONGER: Final = 0xA710
"""Error ID (0000,0903) of 0110H: the step is COMPLETED or DISCONTINUED, it may no longer be updated (PS3.4
F.7.2.2.2)."""


class StepOutcome(StrEnum):
    """done: it has it. exists (create): a step with this UID is there; after an unknown outcome it is ours. unknown
    (set): it knows no such step, so its N-CREATE is missing. final (set): it was completed or discontinued before;
    after an unknown outcome by us. refused: not without somebody doing something. later: try again."""

    DONE = "done"
    EXISTS = "exists"
    UNKNOWN = "unknown"
    FINAL = "final"
    REFUSED = "refused"
    LATER = "later"


OWN: Final = (
    # N-SET?, status, Error ID (None: any), outcome, sentence: what one of the two services alone says
    (False, 0x0111, None, StepOutcome.EXISTS, "The server has a step with this UID already."),
    (True, 0x0112, None, StepOutcome.UNKNOWN, "The server knows no such step."),
    (True, 0x0110, _NO_LONGER, StepOutcome.FINAL, "The step was completed or discontinued before."),
)
COMMON: Final = (
    # first, last, outcome, sentence (PS3.7 Annex C, PS3.4 F.7.2)
    (0x0000, 0x0000, StepOutcome.DONE, "Noted."),
    (0x0001, 0x0001, StepOutcome.DONE, "Noted, without some optional attributes."),
    (0x0107, 0x0107, StepOutcome.DONE, "Noted, without attributes the server does not know."),
    (0x0116, 0x0116, StepOutcome.DONE, "Noted; the server finds a value out of range."),
    (0xB000, 0xBFFF, StepOutcome.DONE, "Noted, with a warning of the server's own."),
    (0x0213, 0x0213, StepOutcome.LATER, "The server has reached a limit."),
    (0x0110, 0x0110, StepOutcome.LATER, "The server failed while processing."),
    (0x0210, 0x0210, StepOutcome.LATER, "The server finds the message number used twice."),
    (0xA700, 0xA7FF, StepOutcome.LATER, "The server is out of resources."),
    (0x0105, 0x0105, StepOutcome.REFUSED, "The server knows an attribute of the step not at all."),
    (0x0106, 0x0106, StepOutcome.REFUSED, "The server finds the value of an attribute invalid."),
    (0x0111, 0x0111, StepOutcome.REFUSED, "The server has a step with this UID already."),
    (0x0112, 0x0112, StepOutcome.REFUSED, "The server knows no such step."),
    (0x0115, 0x0115, StepOutcome.REFUSED, "The server does not accept an argument."),
    (0x0117, 0x0117, StepOutcome.REFUSED, "The server finds the step's UID invalid."),
    (0x0118, 0x0119, StepOutcome.REFUSED, "The server does not take this UID for a performed procedure step."),
    (0x0120, 0x0120, StepOutcome.REFUSED, "The server misses an attribute."),
    (0x0121, 0x0121, StepOutcome.REFUSED, "The server misses the value of an attribute."),
    (0x0122, 0x0122, StepOutcome.REFUSED, "The server does not support performed procedure steps."),
    (0x0124, 0x0124, StepOutcome.REFUSED, "The server does not authorise the box."),
    (0x0211, 0x0211, StepOutcome.REFUSED, "The server does not know the operation."),
    (0x0212, 0x0212, StepOutcome.REFUSED, "The server finds an argument of the wrong kind."),
)
UNDEFINED: Final = "The server answered with a status that DICOM does not define."


@dataclass(frozen=True, slots=True)
class Answer:
    """The server's status, its ErrorComment (0000,0902) as it came, what it means, and that as a sentence."""

    status: int
    comment: str
    outcome: StepOutcome
    sentence: str


class StepLost(SmartBoxError):
    """No answer. `outcome_unknown` False: the server cannot have the whole request. True (code outcome-unknown): it
    was sent completely; repeat it, and take `exists` or `final` for done."""

    def __init__(self, code: str, message: str, hint: str, *, outcome_unknown: bool) -> None:
        super().__init__(code, message, hint)
        self.outcome_unknown = outcome_unknown


def create(peer: Peer, uid: str, dataset: dict[str, Any]) -> Answer:
    """N-CREATE of the step `uid` with `dataset` (DICOM JSON, `performed.created`), on an association of its own.

    Raises SmartBoxError: what `associate` raises; no-context; invalid-object; StepLost.
    """
    return _call(peer, uid, dataset, dimse.N_CREATE_RQ, dimse.n_create_rq)


def set_final(peer: Peer, uid: str, dataset: dict[str, Any]) -> Answer:
    """N-SET of the step `uid` to a final state (`performed.ended`). Raises as `create` does."""
    return _call(peer, uid, dataset, dimse.N_SET_RQ, dimse.n_set_rq)


def meaning(status: int, comment: str = "", error_id: int = 0, *, setting: bool) -> tuple[StepOutcome, str]:
    """What an answer says; `setting` for N-SET, else N-CREATE. A status nobody defined is refused."""
    for of_set, code, identity, outcome, sentence in OWN:
        told = identity in (None, error_id) or "no longer be updated" in comment.lower()
        if (of_set, code) == (setting, status) and told:
            return outcome, sentence
    for first, last, outcome, sentence in COMMON:
        if first <= status <= last:
            return outcome, sentence
    return StepOutcome.REFUSED, UNDEFINED


def context_of(association: Association) -> tuple[int, bool]:
    """The accepted context and whether it is Explicit VR. Raises no-context."""
    if (found := association.context_of(PERFORMED_STEP)) is not None:
        return found
    raise SmartBoxError(
        "no-context",
        f"{association.peer.name} accepts the association, but no performed procedure steps.",
        "Have MPPS enabled for our AE title, or check that this is the right server and port.",
    )


def _call(
    peer: Peer, uid: str, dataset: dict[str, Any], field: int, request: Callable[[int, str, str], bytes]
) -> Answer:
    from_json(dataset, explicit=False)  # what cannot be written is told before anybody is called
    association = associate(peer, CONTEXTS)
    try:
        context_id, explicit = context_of(association)
    except SmartBoxError:
        association.release()
        raise
    try:
        message_id = association.next_message_id()
        command = request(message_id, PERFORMED_STEP, uid)
        pdus = association.command_pdus(context_id, command, from_json(dataset, explicit=explicit))
        try:
            association.link.send(pdus)
        except LinkLost as exc:
            raise StepLost(
                exc.code,
                f"The connection to {peer.name} was lost before the performed step was sent: {exc.why}.",
                "The box sends it again by itself.",
                outcome_unknown=False,
            ) from exc
        answer = _answer(association, context_id, field, message_id)
    except BaseException:
        association.abort()
        raise
    association.release()
    return answer


def _answer(association: Association, context_id: int, field: int, message_id: int) -> Answer:
    try:
        answer, _ = association.receive_message(context_id, max_dataset=_ANSWER_MAX)
        if not dimse.answers(answer, field, message_id) or dimse.STATUS not in answer:
            raise LinkLost("refused", "its answer belongs to another message")
    except LinkLost as exc:
        raise StepLost(
            "outcome-unknown",
            f"The performed step was sent to {association.peer.name}, but its answer is missing: {exc.why}.",
            "The box sends it again by itself, and the server says if it has it.",
            outcome_unknown=True,
        ) from exc
    status, comment = int(answer[dimse.STATUS]), str(answer.get(dimse.ERROR_COMMENT, ""))
    error_id = int(answer.get(dimse.ERROR_ID, 0))
    return Answer(status, comment, *meaning(status, comment, error_id, setting=field == dimse.N_SET_RQ))
