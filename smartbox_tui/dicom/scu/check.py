"""Is it the right worklist, does it answer? Does it take performed steps? As `destination test`, step by step."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from smartbox_tui.dicom.scu import commit, find, get, mpps
from smartbox_tui.dicom.scu.association import Association, associate
from smartbox_tui.dicom.scu.echo import VERIFICATION, connected, echo_on, failed, leave, passed
from smartbox_tui.dicom.scu.link import connect
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.instance import IMPLICIT_VR_LE
from smartbox_tui.model.worklist import WorklistKeys

_ENOUGH: Final = 500
"""Entries: a test shows that the worklist answers, it is not the list."""


def check_worklist(peer: Peer, keys: WorklistKeys | None = None, *, charset: str = "latin-1") -> dict[str, Any]:
    """{"ok", "steps": [{step, ok, message, hint}], "accepted": []}, as `check_destination` gives it.

    Steps: connect, tls where the peer has it, associate, echo (where the server accepts verification), find: a
    query with `keys`, by default for today, and how many entries answered it. Ends at the first step that fails;
    that step also has the error's `code`, and the `cause` where it is of TLS. Never raises for what the network
    does; takes about three times the peer's time-out at most for each step.
    """
    today = datetime.now().astimezone().date()
    asked = WorklistKeys(date_from=today, date_to=today) if keys is None else keys

    def query(association: Association) -> dict[str, Any]:
        end = time.monotonic() + 2 * peer.timeout_s
        result = find.find_on(association, asked, lambda _: None, lambda: time.monotonic() > end, _ENOUGH, charset)
        return passed("find", _found(result)) | {"hint": _unreadable(result)}

    return _report(peer, find.CONTEXTS, "find", query)


def check_mpps(peer: Peer) -> dict[str, Any]:
    """As `check_worklist`. The last step is mpps: whether performed steps are accepted; none is created."""

    def accepted(association: Association) -> dict[str, Any]:
        mpps.context_of(association)
        return passed("mpps", f"{peer.name} accepts performed procedure steps.")

    return _report(peer, mpps.CONTEXTS, "mpps", accepted)


def check_promises(peer: Peer, *, commitment: bool, readback: bool) -> list[dict[str, Any]]:
    """The further steps of `check_destination`, commitment and readback: whether the archive takes such questions;
    none is asked. Each on an association of its own; takes about the peer's time-out for each."""
    steps = []
    for step, wanted, contexts, look, message in (
        ("commitment", commitment, commit.CONTEXTS, commit.context_of, "takes questions about commitment"),
        ("readback", readback, get.CONTEXTS, get.context_of, "gives objects back (C-GET)"),
    ):
        if not wanted:
            continue
        association: Association | None = None
        try:
            association = associate(peer, contexts)
            look(association)
            steps.append(passed(step, f"{peer.name} {message}."))
        except SmartBoxError as exc:
            steps += failed(peer, step, exc)
        if association is not None:
            association.release()
    return steps


def _found(result: find.FindResult) -> str:
    if not result.complete:
        return f"The worklist answers, with more than {result.count} entries; the rest was not waited for."
    if not result.count:
        return "The worklist answers: no entry for this query."
    return f"The worklist answers: {result.count} {'entry' if result.count == 1 else 'entries'} for this query."


def _unreadable(result: find.FindResult) -> str:
    if not result.skipped:
        return ""
    return (
        f"{result.skipped} more could not be read: no patient in them, or a name that is no text. If the server "
        "names no character set, give it in worklist.charset."
    )


def _report(
    peer: Peer, contexts: tuple[tuple[str, str], ...], last: str, purpose: Callable[[Association], dict[str, Any]]
) -> dict[str, Any]:
    steps: list[dict[str, Any]] = []
    association: Association | None = None
    step = "connect"
    try:
        link = connect(peer)
        steps += connected(peer, link)
        step = "associate"
        association = associate(peer, [(VERIFICATION, IMPLICIT_VR_LE), *contexts], link)
        steps.append(passed("associate", f"{peer.name} accepts an association from {peer.calling_aet}."))
        if association.context_id(VERIFICATION, IMPLICIT_VR_LE) is not None:
            step = "echo"
            echo_on(association)
            steps.append(passed("echo", "The server answers C-ECHO."))
        step = last
        steps.append(purpose(association))
    except SmartBoxError as exc:
        steps += failed(peer, step, exc)
        if association is not None:
            leave(association, exc)
    else:
        association.release()
    return {"ok": all(item["ok"] for item in steps), "steps": steps, "accepted": []}
