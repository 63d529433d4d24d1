"""The statement's sections on what follows storage: commitment, read-back, and the box's own port."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from smartbox_tui.dicom.conformance_objects import syntax
from smartbox_tui.dicom.conformance_page import Block, Heading, Text, table
from smartbox_tui.dicom.scp_association import ARTIM_S, MAX_PDU, MESSAGE_S, Rules
from smartbox_tui.dicom.scp_port import ASSOCIATIONS_MAX
from smartbox_tui.dicom.scp_table import SERVICES
from smartbox_tui.dicom.scu import commit, echo, get
from smartbox_tui.model.commitment import FAILURES, UNDEFINED, Failure

NAMES: Final = {
    echo.VERIFICATION: "Verification",
    commit.STORAGE_COMMITMENT: "Storage Commitment Push Model",
    get.STUDY_GET: "Study Root Query/Retrieve Information Model - GET",
    get.STUDY_FIND: "Study Root Query/Retrieve Information Model - FIND",
}
_ASKED: Final = {
    commit.Asked.TAKEN: "waits for the report",
    commit.Asked.LATER: "asks again after a pause, under another Transaction UID",
    commit.Asked.UNSUPPORTED: "the objects stay `stored`, an alarm says so; asks again after an hour",
}
_FAILED: Final = {
    Failure.SEND: "sends the object again under the same UID; after `retry.attempts` times in a row blocked",
    Failure.ASK: "asks again after a pause; after `retry.attempts` times in a row blocked",
    Failure.NEVER: "the object stays `stored`, an alarm says so",
}
_REPORTS: Final = (
    (commit.SUCCESS, "understood, and kept before it is answered; what was not asked about, or is answered "
                     "already, changes nothing"),
    (commit.FAILED, "the data set cannot be read, or has no Transaction UID"),
    (commit.NO_SUCH_INSTANCE, "another SOP Instance than the well-known one"),
    (commit.NO_SUCH_EVENT, "another Event Type ID than 1 or 2"),
    (commit.INVALID_ARGUMENT, "a Transaction UID that the box has not used"),
    (commit.NO_SUCH_CLASS, "another SOP class"),
    (commit.MISSING, "no data set"),
    (0x0211, "another request"),
    (commit.NO_RESOURCES, f"a data set of more than {commit.REPORT_MAX >> 20} MiB, or no room on the box's disk"),
)  # fmt: skip


def services() -> Iterator[Block]:
    yield Heading(3, "5.2.5 Storage Commitment Push Model (SCU)")
    yield Text(
        "For destinations with the setting `commitment`. When nothing more is about to be stored there, or after "
        f"some seconds, the box asks with N-ACTION about at most {commit.REFERENCES_MAX} objects; Transaction UIDs "
        "are UUIDs under 2.25, kept before they are sent and used once. The report (N-EVENT-REPORT) is taken on "
        "the same association, which is kept for some seconds, or on a new one to the box's own port, also after a "
        "restart and for two months. Without one the box asks again after `commitment_wait_h`, under another "
        "Transaction UID; an answer to the first still counts. An object of which the archive says that it does "
        "not keep it is sent again. No N-EVENT-REPORT of another service, no RetrieveAETitle is used."
    )
    yield Heading(3, "5.2.6 Query/Retrieve (SCU)")
    yield Text(
        "For destinations with the setting `readback`, in the place of commitment or where the archive takes no "
        "such questions: each stored object is fetched again with C-GET at IMAGE level (unique keys of all levels) "
        "and compared: SOP Instance, Study and Series Instance UID, Patient ID, and a SHA-256 over the pixel data, "
        "in the transfer syntax that the archive chooses of those that the object may be sent in. For it the box "
        "proposes itself as SCP of the object's SOP class (role selection). When nothing comes it is asked with "
        "C-FIND at IMAGE level whether the object is there: if not, it is sent again. An object that differs is "
        "blocked, and never sent again by itself; what an archive has encoded anew is compared without its pixels."
    )


def acceptance() -> Iterator[Block]:
    rules = Rules(frozenset(), frozenset())
    yield Text(
        "The box listens on `port` for the following. Called AE title: the box's own, or one of the calling AE "
        "titles of its destinations. Services marked `known` are accepted of AE titles in the settings alone "
        "(destinations, worklist, procedure steps, `callers`); with no other context proposed the association is "
        "rejected (source 1, reason 3). Capital letters count. No TLS on this port, no user identity."
    )
    rows = []
    for service in SERVICES:
        for uid in service.sop_classes:
            syntaxes = "; ".join(syntax(item) for item in service.transfer_syntaxes)
            callers = "known" if service.known_only else "anybody"
            rows.append((service.name, NAMES[uid], uid, syntaxes, service.ours, callers))
    yield table("Service | Abstract syntax | UID | Transfer syntaxes | Role of the box | Callers", rows)
    yield Text(
        "As SCU of Storage Commitment the box accepts the caller's role selection as SCP, and a caller that says "
        f"nothing of roles. At most {ASSOCIATIONS_MAX} associations at a time, one more is rejected for now "
        f"(source 3, reason 2). Maximum PDU length received: {MAX_PDU} bytes. A caller that is silent is cut off: "
        f"{ARTIM_S:g} s before its request, {MESSAGE_S:g} s within a message, {rules.idle_s:g} s between messages."
    )


def statuses() -> Iterator[Block]:
    yield Heading(3, "7.3.6 N-ACTION responses (Storage Commitment)")
    rows = [
        (f"{first:04X}H" if first == last else f"{first:04X}H to {last:04X}H", text, _ASKED[outcome])
        for first, last, outcome, text in commit.STATUSES
    ]
    rows.append(("any other", commit.UNDEFINED, _ASKED[commit.Asked.LATER]))
    yield table("Status | Meaning | What the box does", rows)
    yield Heading(3, "7.3.7 Failure reasons in reports, and answers to reports")
    rows = [(f"{code:04X}H", text, _FAILED[outcome]) for code, outcome, text in FAILURES]
    rows.append(("any other", UNDEFINED, _FAILED[Failure.SEND]))
    yield table("Failure Reason (0008,1197) | Meaning | What the box does", rows)
    yield table("Status answered | When", [(f"{code:04X}H", text) for code, text in _REPORTS])
    yield Heading(3, "7.3.8 C-GET responses")
    yield table(
        "Status | Meaning | What the box does",
        [
            ("any, the object has come", "fetched", "compares it"),
            ("any, no object has come", "C-FIND finds it", "asks again; in the end blocked"),
            ("0000H, no object has come", "C-FIND finds nothing", "sends the object again"),
        ],
    )
