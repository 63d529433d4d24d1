"""The services that the box offers on its own port: one table, for the port and for the conformance statement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from smartbox_tui.dicom.scu import commit, dimse, echo
from smartbox_tui.model.commitment import Report
from smartbox_tui.model.instance import EXPLICIT_VR_LE, IMPLICIT_VR_LE


@dataclass(frozen=True, slots=True)
class Service:
    """sop_classes   the abstract syntaxes that it takes
    transfer_syntaxes  in the order of our preference
    ours          the box's role: SCP, or SCU of a service whose SCP calls
    commands      the requests that it takes (PS3.7 E.1)
    known_only    taken of AE titles in the settings alone, else of everybody who knows the box's own
    longest       bytes of a data set; a longer one is refused
    """

    name: str
    sop_classes: tuple[str, ...]
    transfer_syntaxes: tuple[str, ...]
    ours: str
    commands: tuple[int, ...]
    known_only: bool
    longest: int = 1 << 20


@dataclass(frozen=True, slots=True)
class Incoming:
    """One request with its data set: empty without one, None where it was longer than the service takes."""

    calling_aet: str
    host: str
    command: dimse.Command
    data: bytes | None
    explicit: bool


Handler = Callable[[Incoming], int]
"""Gives the status of the response. Called in the thread of the association, several at once."""
Handlers = Mapping[str, Handler]
"""By the service's name."""

VERIFICATION: Final = Service(
    "Verification", (echo.VERIFICATION,), (IMPLICIT_VR_LE, EXPLICIT_VR_LE), "SCP", (dimse.C_ECHO_RQ,), False, 0
)
COMMITMENT: Final = Service(
    "Storage Commitment",
    (commit.STORAGE_COMMITMENT,),
    (EXPLICIT_VR_LE, IMPLICIT_VR_LE),
    "SCU",
    (dimse.N_EVENT_REPORT_RQ,),
    True,
    commit.REPORT_MAX,
)
SERVICES: Final = (VERIFICATION, COMMITMENT)


def verified(_: Incoming) -> int:
    """C-ECHO is answered with success (PS3.7 9.1.5)."""
    return commit.SUCCESS


def committed(on_report: Callable[[str, Report], int]) -> Handler:
    """The handler of reports; `on_report` is told the calling AE title, too."""

    def handle(incoming: Incoming) -> int:
        return commit.answer_to(
            incoming.command,
            incoming.data,
            explicit=incoming.explicit,
            on_report=lambda report: on_report(incoming.calling_aet, report),
        )

    return handle
