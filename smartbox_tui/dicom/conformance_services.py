"""The statement's sections on services: what is proposed, asked, sent, and what each answer means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from smartbox_tui.dicom import conformance_origins as origins
from smartbox_tui.dicom import conformance_promises as promises
from smartbox_tui.dicom import conformance_samples as samples
from smartbox_tui.dicom import conformance_web as web
from smartbox_tui.dicom.conformance_objects import brought, class_name, examples, named, origin, syntax
from smartbox_tui.dicom.conformance_page import Block, Heading, Text, table
from smartbox_tui.dicom.conformance_samples import Path, tag_of, vr_of
from smartbox_tui.dicom.iods import Iod
from smartbox_tui.dicom.scp_port import ASSOCIATIONS_MAX
from smartbox_tui.dicom.scu import commit, echo, find, get, mpps, query
from smartbox_tui.dicom.scu.association import CONTEXTS_MAX, OUR_MAX_PDU, REJECTIONS
from smartbox_tui.dicom.scu.negotiation import APPLICATION_CONTEXT
from smartbox_tui.dicom.scu.status import TABLE, UNKNOWN
from smartbox_tui.model.answer import Outcome
from smartbox_tui.model.instance import IMPLICIT_VR_LE
from smartbox_tui.model.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

VERIFICATION_CONTEXTS: Final = ((echo.VERIFICATION, IMPLICIT_VR_LE),)
NAMES: Final = {
    **promises.NAMES,
    find.MODALITY_WORKLIST: "Modality Worklist Information Model - FIND",
    mpps.PERFORMED_STEP: "Modality Performed Procedure Step",
}
_ACTIONS: Final = {
    Outcome.STORED: "stored",
    Outcome.STORED_WITH_WARNING: "stored, the warning is kept with the delivery",
    Outcome.RETRY: "sent again after a pause; after `retry.attempts` such answers blocked",
    Outcome.BLOCKED: "blocked until somebody acts; shown with the archive's comment",
    Outcome.DUPLICATE: "stored when the answer to an earlier attempt was lost, else blocked",
}
_STEP_ACTIONS: Final = {
    mpps.StepOutcome.DONE: "done",
    mpps.StepOutcome.EXISTS: "done",
    mpps.StepOutcome.UNKNOWN: "the N-CREATE is sent again, then the N-SET; in the end blocked",
    mpps.StepOutcome.FINAL: "done when the answer to an earlier attempt was lost, else blocked",
    mpps.StepOutcome.REFUSED: "blocked until somebody acts",
    mpps.StepOutcome.LATER: "sent again after a pause; after `retry.attempts` such answers blocked",
}


@dataclass(frozen=True, slots=True)
class Context:
    """What the box may propose: the service that does, and one presentation context."""

    service: str
    sop_class: str
    transfer_syntax: str

    @property
    def name(self) -> str:
        return NAMES.get(self.sop_class) or class_name(self.sop_class)


def contexts(offered: tuple[tuple[str, str], ...]) -> list[Context]:
    """Everything that the box proposes of itself; `offered` are the storage ones."""
    return [
        *(Context("Verification", *pair) for pair in VERIFICATION_CONTEXTS),
        *(Context("Storage", *pair) for pair in offered),
        *(Context("Modality Worklist", *pair) for pair in find.CONTEXTS),
        *(Context("Performed Procedure Step", *pair) for pair in mpps.CONTEXTS),
        *(Context("Storage Commitment", *pair) for pair in commit.CONTEXTS),
        *(Context("Query/Retrieve", *pair) for pair in get.CONTEXTS),
    ]


def worklist(iods: list[Iod]) -> Iterator[Block]:
    yield Heading(3, "5.2.1 Basic worklist management (SCU)")
    yield Text(
        "C-FIND for Scheduled Procedure Steps, at every refresh and when somebody searches. Answers are kept on "
        "the box and shown with their age while the server is away. A query whose answers exceed `worklist.limit` "
        "is ended with C-CANCEL, and the list says so. Fuzzy matching: none; extended "
        "negotiation: none."
    )
    yield Text(
        "Matching keys. A name with other than ASCII letters is asked for with * in their place, and the answers "
        "are compared on the box; an ID that is not ASCII is sent in ISO_IR 100 or ISO_IR 192."
    )
    matching = dict.fromkeys(query.MATCHING, "single value, wild card")
    matching |= dict.fromkeys(query.STEP_MATCHING, "single value")
    matching[query.STEP_RANGE] = "single value, range of days"
    rows: list[tuple[str, ...]] = []
    step = "ScheduledProcedureStepSequence"
    for key in samples.return_keys():
        if key[0] == step and not any(row[1] == tag_of(step) for row in rows):
            rows.append((named((step,)), tag_of(step), vr_of(step), "", ""))
        uses = [samples.uses(key, iod) for iod in examples(iods)]
        words = [
            word
            for word, used in (
                ("list", any(use[0] for use in uses)),
                ("objects", any(use[1] for use in uses)),
                ("performed step", any(use[2] for use in uses)),
            )
            if used
        ]
        matched = matching.get(key[-1], "")
        rows.append((named(key), tag_of(key[-1]), vr_of(key[-1]), matched, ", ".join(words) or "kept only"))
    yield table("Key asked for | Tag | VR | Matching | Used in", rows)
    yield Text(
        "All keys are asked for in every query (return keys); a key without a matching value is sent empty. Used "
        "in: `list` shown, searched or told apart by it; `objects`, `performed step`: copied, see Annex D; `kept "
        "only`: kept with the entry."
    )


def performed(iods: list[Iod]) -> Iterator[Block]:
    yield Heading(3, "5.2.2 Modality Performed Procedure Step (SCU)")
    yield Text(
        "One step for an exam, one more for each time it is appended to. N-CREATE (IN PROGRESS) when the exam is "
        "opened; N-SET to COMPLETED when it is closed with pictures, to DISCONTINUED when it is closed without any "
        "or somebody says so. When an exam is given to another patient its step is DISCONTINUED as 110514, and "
        "another is created. Messages are kept and sent in their order when the server is away. No N-SET in "
        "between, no N-GET, no N-EVENT-REPORT."
    )
    _, keys = brought(iods)
    made = {word: samples.step_values(word) for word in ("created", "completed", "discontinued")}
    bare = {word: samples.step_values(word, ordered=False) for word in made}
    rows = []
    for path in sorted({path for values in made.values() for path in values}, key=_order):
        ended = {word: _presence(path, made[word], bare[word]) for word in ("completed", "discontinued")}
        final = ended["completed"]
        if len(set(ended.values())) > 1:
            final = "; ".join(f"{word.upper()}: {text}" for word, text in ended.items())
        text = origin(path, origins.STEP, keys)
        create = _presence(path, made["created"], bare["created"])
        rows.append((named(path), tag_of(path[-1]), vr_of(path[-1]), create, final, text))
    yield table("Attribute | Tag | VR | N-CREATE | N-SET | Value", rows)
    yield Text(
        "`value`: sent with its value, empty when there is none; `with order`: only when the exam is of a worklist "
        "entry that has the value; `empty`: sent without a value; `-`: not sent."
    )


def _order(path: Path) -> tuple[str, ...]:
    return tuple(tag_of(keyword) for keyword in path)


def _presence(path: Path, made: dict[Path, str], bare: dict[Path, str]) -> str:
    if path not in made:
        return "-"
    filled, without = _filled(path, made), _filled(path, bare)
    if path not in bare:
        return "with order"
    return "value" if filled and without else "with order, else empty" if filled else "empty"


def _filled(path: Path, values: dict[Path, str]) -> bool:
    return bool(values.get(path)) or any(other[: len(path)] == path != other for other in values)


def association() -> Iterator[Block]:
    yield Heading(2, "7.1 General association parameters")
    yield table(
        "Parameter | Value",
        [
            ("Application Context Name", APPLICATION_CONTEXT),
            ("Implementation Class UID", IMPLEMENTATION_CLASS_UID),
            ("Implementation Version Name", IMPLEMENTATION_VERSION_NAME),
            ("Maximum PDU length received", f"{OUR_MAX_PDU} bytes"),
            ("Maximum PDU length sent", "what the peer takes; 128 KiB where it says unlimited, 1 MiB at most"),
            ("Presentation contexts in one association", f"at most {CONTEXTS_MAX}, one transfer syntax each"),
            ("Asynchronous operations", "none: one operation at a time"),
            ("SCP/SCU role selection", "for C-GET the box proposes itself as SCP of the object's class; of callers "
             "it accepts the role of SCP of Storage Commitment"),
            ("Extended negotiation, user identity", "none"),
            ("Associations initiated at a time", "for storage as many as the destination's `associations` says, 1 "
             "by default, 16 at most, fewer where it takes fewer; one for the steps to a performed procedure step "
             "server, one for the worklist's refresh and one for a search by hand, one for a connection test, one "
             "to a destination for commitment or read-back"),
            ("Associations accepted", f"at most {ASSOCIATIONS_MAX} at a time, see 7.2.2"),
        ],
    )  # fmt: skip


def proposed(items: list[Context]) -> Iterator[Block]:
    yield Text(
        "Presentation contexts. Each is proposed with one transfer syntax, and the box takes the best of those "
        "that the peer accepts; the role is SCU. An association carries those of the objects that wait for the "
        "peer, each in all the transfer syntaxes that it may be sent in."
    )
    rows = [(item.service, item.name, item.sop_class, syntax(item.transfer_syntax), "SCU") for item in items]
    yield table("Service | Abstract syntax | UID | Transfer syntax | Role", rows)
    yield Text(
        "Order of preference, and what becomes of the object. A still or multi-frame image: JPEG Baseline as "
        "captured; JPEG Extended (the same data, SOF1 for SOF0); Explicit, then Implicit VR Little Endian (decoded "
        "to RGB; lossy compression, its ratio and method stay stated). All under the same SOP Instance UID. A "
        "clip: the transfer syntax it is recorded in; its fragmentable twin, in which one of 4 GiB or more is "
        "several fragments; and only where the destination's setting `transcode` names another codec, a derived "
        "instance encoded anew as MPEG2 or H.264. A rejection note and the marks of a clip: Explicit, then "
        "Implicit VR Little Endian."
    )
    yield Text(
        "When a peer accepts none of them the object is blocked, with a sentence that names what was offered and "
        "what the peer takes. To find that out the box may open one more association that proposes all of the "
        "table above and sends nothing."
    )
    yield Text(
        "The technician's command `smartbox dicom send` sends given files as they are, each in the SOP class and "
        "transfer syntax that the file itself states."
    )


def statuses() -> Iterator[Block]:
    yield Heading(2, "7.3 Status codes")
    yield Heading(3, "7.3.1 Association rejections and failures")
    rows: list[tuple[str, ...]] = [
        (str(source), str(reason), why, hint) for (source, reason), (_, why, hint) in REJECTIONS.items()
    ]
    yield table("Source | Reason | Meaning | Told to people", rows)
    yield Text(
        "A rejected or lost association, a time-out and an abort are network failures: the object or message waits "
        "and is sent again, with pauses that grow from `retry.first_s` to `retry.max_s`. When the last byte of an "
        "object was sent and no answer came, the outcome is unknown: it is sent again under the same UID."
    )
    yield Heading(3, "7.3.2 C-STORE responses")
    rows = [(_range(row.first, row.last), row.meaning.sentence, _ACTIONS[row.meaning.outcome]) for row in TABLE]
    rows.append(("any other", UNKNOWN.sentence, _ACTIONS[UNKNOWN.outcome]))
    yield table("Status | Meaning | What the box does", rows)
    yield Text("The first row that holds a status counts. Nothing is called stored without such an answer.")
    yield Heading(3, "7.3.3 C-FIND responses")
    pending: list[tuple[str, ...]] = [
        (_range(status, status), "an entry follows", "taken into the list") for status in find.PENDING
    ]
    rows = [("0000H", "no more entries", "the list is complete"), *pending]
    rows += [
        (_range(first, last), f"the server {text}", hint)
        for first, last, text, hint in sorted(find.SENTENCES)
    ]  # fmt: skip
    rows.append(("any other", "a failure", "told with its status; the entries heard before stay"))
    yield table("Status | Meaning | What the box does, or says", rows)
    yield Text(f"{_range(find.CANCELLED, find.CANCELLED)} after the box's own C-CANCEL ends the query normally.")
    yield Heading(3, "7.3.4 N-CREATE and N-SET responses")
    rows = [
        (_range(status, status) + (f", Error ID {identity:04X}H" if identity else ""),
         "N-SET" if of_set else "N-CREATE", text, _STEP_ACTIONS[outcome])
        for of_set, status, identity, outcome, text in mpps.OWN
    ]  # fmt: skip
    rows += [
        (_range(first, last), "both", text, _STEP_ACTIONS[outcome]) for first, last, outcome, text in mpps.COMMON
    ]
    rows.append(("any other", "both", mpps.UNDEFINED, _STEP_ACTIONS[mpps.StepOutcome.REFUSED]))
    yield table("Status | Service | Meaning | What the box does", rows)
    yield Text("The first row that holds a status and the service counts.")
    yield Heading(3, "7.3.5 C-ECHO responses")
    yield table(
        "Status | Meaning | What the box does",
        [
            ("0000H", "success", "the connection test goes on"),
            ("any other", "failure", "the test fails and says it"),
        ],
    )
    yield from promises.statuses()
    yield from web.statuses()


def _range(first: int, last: int) -> str:
    return f"{first:04X}H" if first == last else f"{first:04X}H to {last:04X}H"
