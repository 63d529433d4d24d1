"""Storage commitment in values: what is asked for, what an archive says of it, what that makes of a delivery."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


@dataclass(frozen=True, slots=True)
class Reference:
    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class Report:
    """An archive's answer to one transaction: the UIDs that it keeps, and those that it does not, with its reason
    (0008,1197)."""

    transaction_uid: str
    kept: tuple[str, ...]
    failed: tuple[tuple[str, int], ...]


class Failure(StrEnum):
    """send: the object is sent again. ask: nothing is wrong with the object, the archive is asked again later.
    never: the archive makes no promise for it, however often it is asked."""

    SEND = "send"
    ASK = "ask"
    NEVER = "never"


FAILURES: Final = (
    # Failure Reason (PS3.3 C.14.1.1), what comes of it, sentence
    (0x0110, Failure.SEND, "The archive failed while it checked whether it keeps the picture."),
    (0x0112, Failure.SEND, "The archive does not have the picture that it had said to have stored."),
    (0x0119, Failure.SEND, "The archive has another kind of object under this number."),
    (0x0122, Failure.NEVER, "The archive makes no promise for this kind of object."),
    (0x0131, Failure.ASK, "The archive has seen the number of the question before."),
    (0x0213, Failure.ASK, "The archive has no resources to promise anything."),
)
UNDEFINED: Final = "The archive does not keep the picture, for a reason that DICOM does not define."


def failure(reason: int) -> tuple[Failure, str]:
    """What a Failure Reason means; one that nobody defined is a picture that the archive does not keep."""
    for code, outcome, sentence in FAILURES:
        if code == reason:
            return outcome, sentence
    return Failure.SEND, UNDEFINED
