"""The statement's sections on DICOM web services (PS3.2 Annex N), made from the tables that the client runs on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from smartbox_tui.dicom.conformance_page import Block, Heading, Text, table
from smartbox_tui.dicom.scu.status import TABLE
from smartbox_tui.dicom.web import query, retrieve, service, session, status, stow
from smartbox_tui.model.answer import Outcome

SERVICES: Final = (
    ("STOW-RS", "Store Instances (PS3.18 10.5)", "POST", "/studies"),
    ("QIDO-RS", "Search for Studies, for Instances (PS3.18 10.6)", "GET",
     "/studies, /instances, /studies/UID/instances, /studies/UID/series/UID/instances"),
    ("WADO-RS", "Retrieve Instance, Instance Metadata (PS3.18 10.4)", "GET",
     "/studies/UID/series/UID/instances/UID, the same with /metadata"),
)  # fmt: skip
"""What the box asks for, below a destination's `url`."""

_AUTH: Final = {
    service.NONE: "nothing is shown",
    service.BASIC: "user and password (RFC 7617)",
    service.BEARER: "a token from a file (RFC 6750)",
    service.OAUTH2: "a token of the service at `token_url`, client credentials grant (RFC 6749 4.4); renewed "
    "before it ends, and once after a 401",
    service.CERT: "the box's certificate (TLS client authentication)",
}
_DOORS: Final = "when an empty store request gets such an answer, too, it is about the service: everything waits"
_ACTIONS: Final = {
    Outcome.RETRY: "sent again after a pause, at least Retry-After; after `retry.attempts` such answers blocked",
    Outcome.BLOCKED: "blocked until somebody acts",
    Outcome.DUPLICATE: "stored when the answer to an earlier attempt was lost, else blocked",
}


_NEXT: Final = "sent in its next transfer syntax, see 5.3; blocked when none is left"


def overview() -> Iterator[Block]:
    yield Heading(2, "1.3 DICOM web services")
    yield table(
        "Service | Transactions | User agent | Origin server",
        [(name, what, "yes", "no") for name, what, *_ in SERVICES],
    )


def shown(services: tuple[tuple[str, str, str], ...]) -> list[tuple[str, ...]]:
    """Rows of (name, address, authentication)."""
    return [(name, url, _AUTH[auth]) for name, url, auth in services]


def services() -> Iterator[Block]:
    yield Heading(2, "5.3 DICOM web services (user agent)")
    yield Text(
        "To a destination of kind dicomweb. HTTP/1.1 over TCP or TLS; one connection for each of its "
        "`associations`, kept as long as the server keeps it. No redirect is followed, no proxy is used."
    )
    yield table("Service | Transactions | Method | Below the address", list(SERVICES))
    yield Text(
        f'STOW-RS: one object a request, `multipart/related; type="application/dicom"` with one part, the whole '
        f"file as in Annex A with its file meta information, streamed, with a Content-Length. Accept: "
        f"`{stow.ACCEPT}`. There is no negotiation: an object is sent in the first of its transfer syntaxes (see "
        f"7.2.1); when the answer is 415 or a Failure Reason of "
        f"{', '.join(f'{reason:04X}H' for reason in (*status.NO_CLASS, *status.NO_SYNTAX))} it is sent in the "
        f"next one, and when none is left it is blocked."
    )
    yield Text(
        f"QIDO-RS: `/studies?limit=1` to find out whether the service is there; instances by their UIDs, "
        f"{query.PAGE} at a time, to find out whether it holds them. Accept: `{session.JSON}`. WADO-RS: for "
        f"read-back. Accept: `{retrieve.ACCEPT}`."
    )
    yield Text(
        "With `fallback` objects go by C-STORE to `host`, `port` and `aet` while the web service cannot be reached "
        "or does not let the box in, and those that it does not take. An object whose outcome over STOW-RS is not "
        "known is never sent by C-STORE: it waits for the web service, where it is first looked for by QIDO-RS."
    )
    yield table("`auth` | The box shows who it is by", list(_AUTH.items()))
    yield Text(
        "Passwords, secrets and tokens stand in files, are read when they are used, and are sent over TLS only, or "
        "within the machine itself."
    )


def statuses() -> Iterator[Block]:
    yield Heading(3, "7.3.9 STOW-RS responses")
    yield Text(
        "Read as DICOM JSON, or as native XML. An object that the Failed SOP Sequence names has failed, whatever "
        "the status is. One that the Referenced SOP Sequence names is stored when the status is 200 to 299, with a "
        "Warning Reason with a warning. A success that names it nowhere does not count as stored."
    )
    forms = (*status.NO_CLASS, *status.NO_SYNTAX)
    rows: list[tuple[str, ...]] = [
        (f"{reason:04X}H", meaning.sentence, _NEXT if reason in forms else _ACTIONS[meaning.outcome])
        for reason, meaning in sorted({**{uid: status.failure(uid) for uid in forms}, **status.REASONS}.items())
    ]
    others_of = [row for row in TABLE if row.meaning.outcome in _ACTIONS]
    rows.append((f"the {len(others_of)} failures of 7.3.2", "as there", "as there"))
    rows.append(("none, or any other", status.NO_REASON.sentence, _ACTIONS[status.NO_REASON.outcome]))
    yield table("Failure Reason | Meaning | What the box does", rows)
    rows = [
        (
            f"{code}",
            meaning.sentence,
            _NEXT if code == 415 else f"{_ACTIONS[meaning.outcome]}{f'; {_DOORS}' * (code in stow.DOORS)}",
        )
        for code, meaning in sorted(status.BY_STATUS.items())
    ]
    others = sorted(set(stow.DOORS) - status.BY_STATUS.keys())
    rows += [
        (", ".join(map(str, others)), status.OTHER.sentence, f"{_ACTIONS[status.OTHER.outcome]}; {_DOORS}"),
        (
            "502, 504",
            "A proxy has no answer of the archive.",
            "the outcome is unknown: sent again under the same UID",
        ),
        ("408", "The request did not arrive.", "sent again; no attempt is counted"),
        ("any other from 500 on", status.BY_STATUS[500].sentence, _ACTIONS[status.BY_STATUS[500].outcome]),
        ("any other", status.OTHER.sentence, _ACTIONS[status.OTHER.outcome]),
        ("200 to 299", status.UNNAMED.sentence, _ACTIONS[status.UNNAMED.outcome]),
    ]
    yield table("Status, where no object is named | Meaning | What the box does", rows)
