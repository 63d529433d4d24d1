"""What an answer to a stored object means (PS3.18 10.5.3): its sequences first, then the status of HTTP. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from smartbox_tui.dicom.scu import status as dimse
from smartbox_tui.dicom.web import native
from smartbox_tui.dicom.web.client import Reply
from smartbox_tui.dicom.web.native import Values
from smartbox_tui.dicom.web.session import retry_after_s
from smartbox_tui.model.answer import Meaning, Outcome

REFERENCED: Final = "00081199"
FAILED: Final = "00081198"
REASON: Final = "00081197"
WARNING: Final = "00081196"
SOP_CLASS: Final = "00081150"
SOP_INSTANCE: Final = "00081155"
COMMENT: Final = "00000902"
_COMMENT_MAX: Final = 64

PROCESSING_FAILURE: Final = 0x0110
NO_CLASS: Final = (0x0118, 0x0122)
NO_SYNTAX: Final = (0xC122,)
"""FailureReasons of PS3.18 10.5.3 that are about what an object is sent as, not about the object."""

_B, _R = Outcome.BLOCKED, Outcome.RETRY
_LOG: Final = "The archive's log says more."

BY_STATUS: Final = {
    400: Meaning(_B, "The archive finds the request malformed.", _LOG),
    401: Meaning(
        _B, "The archive does not authorise the box to store.", "Have the box's account given that right."
    ),
    403: Meaning(
        _B, "The archive does not authorise the box to store.", "Have the box's account given that right."
    ),
    409: Meaning(_R, "The archive could not store the object, and does not say why.", _LOG),
    413: Meaning(
        _B,
        "The object is too large for the archive's web service.",
        "Have its limit raised, lower max_instance_bytes, or let such objects go by C-STORE (fallback).",
    ),
    415: Meaning(_B, "The archive does not take this kind of object.", "Its conformance statement names what."),
    429: Meaning(_R, "The archive has reached a limit.", "The box tries again."),
    500: Meaning(_R, "The archive failed while processing.", _LOG),
    503: Meaning(_R, "The archive is out of resources.", "Its disk may be full; the box tries again."),
    507: Meaning(_R, "The archive is out of resources.", "Its disk may be full; the box tries again."),
}
"""Where the answer names no object."""

UNNAMED: Final = Meaning(_R, "The archive's answer does not name the object: it does not count as stored.", _LOG)
CONTRADICTION: Final = Meaning(_R, "The archive's answer contradicts itself: it does not count as stored.", _LOG)
OTHER: Final = Meaning(_B, "The archive refused the object.", _LOG)
NO_REASON: Final = Meaning(_B, "The archive lists the object as failed, and does not say why.", _LOG)
REASONS: Final = {
    0xB00E: dimse.meaning(0x0111),
    0xB00F: Meaning(_R, "The archive is just storing an object with this UID.", "The box tries again."),
    0xC122: Meaning(_B, "The archive does not take this kind of object.", "Its conformance statement names what."),
}
"""FailureReasons that mean something else than the status of a C-STORE: 45070 and 45071 are those of archives that
answer a duplicate so, C122H is PS3.18's own."""


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """The archive's answer (model.answer.Answer). `reason`: its FailureReason, where it gave one."""

    meaning: Meaning
    told: str
    status: int
    reason: int | None = None

    @property
    def refuses_class(self) -> bool:
        return self.reason in NO_CLASS

    @property
    def refuses_syntax(self) -> bool:
        return self.status == 415 or self.reason in NO_SYNTAX

    @property
    def is_too_long(self) -> bool:
        return self.status == 413


def answer(reply: Reply, sop_instance_uid: str) -> WebAnswer:
    """What `reply` says about the one object that was sent. A failed one is failed even with 200, and only what is
    named as referenced, by a status that means success, is stored."""
    found = native.read(reply.body)
    values: Values = found[0] if found else {}
    referenced = native.items(values, REFERENCED)
    failed = native.items(values, FAILED)
    mine = next((item for item in failed if native.text(item, SOP_INSTANCE) == sop_instance_uid), None)
    taken = next((item for item in referenced if native.text(item, SOP_INSTANCE) == sop_instance_uid), None)
    if mine is None and taken is None and len(failed) == 1 and not native.text(failed[0], SOP_INSTANCE):
        mine = failed[0]  # it could not even read the UID
    comment = _comment(reply, values, mine or taken or {})
    if mine is not None:
        return _failed(reply.status, native.number(mine, REASON), comment)
    if taken is not None and 200 <= reply.status < 300:
        return _taken(reply.status, native.number(taken, WARNING), comment)
    if taken is not None:
        return WebAnswer(CONTRADICTION, _told(f"{reply.status}", comment), reply.status)
    meaning = UNNAMED if 200 <= reply.status < 300 else BY_STATUS.get(reply.status, OTHER)
    if reply.status >= 500 and reply.status not in BY_STATUS:
        meaning = BY_STATUS[500]
    pause = retry_after_s(reply)
    if pause and meaning.outcome is Outcome.RETRY:
        meaning = replace(meaning, pause_s=pause)
    return WebAnswer(meaning, _told(f"{reply.status}", comment), reply.status)


def failure(reason: int | None) -> Meaning:
    """Of a FailureReason (0008,1197): by the table of C-STORE, but nothing there means stored here."""
    if reason is None:
        return NO_REASON
    if reason in REASONS:
        return REASONS[reason]
    meaning = dimse.meaning(reason)
    stored = meaning.outcome in (Outcome.STORED, Outcome.STORED_WITH_WARNING)
    return NO_REASON if stored else meaning


def _failed(status: int, reason: int | None, comment: str) -> WebAnswer:
    word = f"{status}" if reason is None else f"{reason:04X}H"
    return WebAnswer(failure(reason), _told(word, comment), status, reason)


def _taken(status: int, warning: int | None, comment: str) -> WebAnswer:
    if not warning:
        return WebAnswer(dimse.meaning(0), "", status)
    meaning = dimse.meaning(warning)
    if meaning.outcome is not Outcome.STORED_WITH_WARNING:
        meaning = dimse.meaning(0x0001)  # named as stored: a warning of another number is one of its own
    return WebAnswer(meaning, _told(f"{warning:04X}H", comment), status)


def _told(word: str, comment: str) -> str:
    return f"{word}: {comment}" if comment else word


def _comment(reply: Reply, values: Values, item: Values) -> str:
    """ErrorComment (0000,0902), of the object or of the whole; else the Warning header's text (PS3.18 10.5.3.1)."""
    text = native.text(item, COMMENT) or native.text(values, COMMENT)
    if not text:
        text = reply.head.fields.get("warning", "").partition(": ")[2]
    return "".join(char for char in text if char.isprintable())[:_COMMENT_MAX].strip()
