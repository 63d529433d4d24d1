"""Is it the right archive, and does it take what we make? `destination test` of the contract, step by step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from smartbox_tui.dicom.scu import dimse
from smartbox_tui.dicom.scu.association import Association, associate
from smartbox_tui.dicom.scu.link import Link, LinkLost, connect
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.dicom.scu.tls import TlsTrouble
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.instance import IMPLICIT_VR_LE

VERIFICATION: Final = "1.2.840.10008.1.1"


def echo(peer: Peer) -> None:
    """One C-ECHO on an association of its own (PS3.4 Annex A). Returns when it succeeded.

    Raises SmartBoxError: what `associate` raises; no-context (verification not accepted); timeout, refused
    (lost); archive-refused (a status other than success).
    """
    association = associate(peer, [(VERIFICATION, IMPLICIT_VR_LE)])
    try:
        echo_on(association)
    except SmartBoxError as exc:
        leave(association, exc)
        raise
    association.release()


def check_destination(peer: Peer, contexts: Iterable[tuple[str, str]] = ()) -> dict[str, Any]:
    """The report of `destination test`: {"ok", "steps": [{step, ok, message, hint}], "accepted": [...]}.

    Steps: connect, tls where the peer has it, associate, echo, and store when `contexts` (SOP class, transfer
    syntax) are given: how many of them (of the first 127) the archive accepts. Ends at the first step that
    fails; that step also has the error's `code`, and the `cause` where it is of TLS. Never raises for what the
    network does.
    """
    pairs = list(dict.fromkeys(contexts))
    steps: list[dict[str, Any]] = []
    accepted: list[dict[str, Any]] = []
    association: Association | None = None
    step = "connect"
    try:
        link = connect(peer)
        steps += connected(peer, link)
        step = "associate"
        association = associate(peer, [(VERIFICATION, IMPLICIT_VR_LE), *pairs][:128], link)
        steps.append(passed("associate", f"{peer.name} accepts an association from {peer.calling_aet}."))
        step = "echo"
        echo_on(association)
        steps.append(passed("echo", "The archive answers C-ECHO."))
        if pairs:
            step = "store"
            accepted = _accepted(association)
            steps.append(_store_step(peer, accepted))
    except SmartBoxError as exc:
        steps += failed(peer, step, exc)
        if association is not None:
            accepted = _accepted(association)
            leave(association, exc)
    else:
        association.release()
    return {"ok": all(item["ok"] for item in steps), "steps": steps, "accepted": accepted}


def leave(association: Association, error: SmartBoxError) -> None:
    """A peer that has answered gets a release, whatever it said; one that has not gets an abort."""
    if error.code in ("no-context", "archive-refused"):
        association.release()
    else:
        association.abort()


def echo_on(association: Association) -> None:
    """C-ECHO on an association that asked for it; raises as `echo` does."""
    peer = association.peer
    context_id = association.context_id(VERIFICATION, IMPLICIT_VR_LE)
    if context_id is None:
        raise SmartBoxError(
            "no-context",
            f"{peer.name} accepts the association, but not the verification service.",
            "Allow C-ECHO for our AE title in the archive; storing may work all the same.",
        )
    message_id = association.next_message_id()
    try:
        association.link.send(association.command_pdus(context_id, dimse.echo_rq(message_id, VERIFICATION)))
        answer = association.receive_command()
    except LinkLost as exc:
        raise SmartBoxError(
            exc.code, f"{peer.name} did not answer C-ECHO: {exc.why}.", "The archive's log says more."
        ) from exc
    if not dimse.answers(answer, dimse.C_ECHO_RQ, message_id):
        raise SmartBoxError("refused", f"{peer.name} answered C-ECHO with another message.", "Is it an archive?")
    status = int(answer.get(dimse.STATUS, -1))
    if status != 0:
        raise SmartBoxError(
            "archive-refused",
            f"{peer.name} answered C-ECHO with status {status:04X}H.",
            "Ask the archive's administrator whether the box may use it.",
        )


def _accepted(association: Association) -> list[dict[str, Any]]:
    return [
        {
            "sop_class": context.sop_class_uid,
            "transfer_syntax": context.transfer_syntax_uid,
            "accepted": context.accepted,
        }
        for context in association.contexts
        if context.sop_class_uid != VERIFICATION
    ]


def _store_step(peer: Peer, accepted: list[dict[str, Any]]) -> dict[str, Any]:
    count = sum(bool(item["accepted"]) for item in accepted)
    if count:
        return passed("store", f"{count} of {len(accepted)} kinds of object are accepted.")
    return {
        "step": "store",
        "ok": False,
        "message": f"{peer.name} accepts none of the {len(accepted)} kinds of object the box sends.",
        "hint": "Compare its conformance statement; choose another still_class, clip_class or codec.",
        "code": "no-context",
    }


def connected(peer: Peer, link: Link) -> list[dict[str, Any]]:
    """The steps connect and, with TLS, tls of a report."""
    steps = [passed("connect", f"{peer.host}:{peer.port} takes the connection.")]
    if peer.tls is not None:
        text, hint = link.secured
        steps.append(passed("tls", f"The connection is encrypted: {text}.") | {"hint": hint})
    return steps


def failed(peer: Peer, step: str, error: SmartBoxError) -> list[dict[str, Any]]:
    """The step that went wrong; what TLS finds wrong while connecting is a step of its own."""
    found: dict[str, Any] = {"ok": False, "message": error.message, "hint": error.hint, "code": error.code}
    if not isinstance(error, TlsTrouble):
        return [{"step": step, **found}]
    found["cause"] = error.cause
    if step != "connect":
        return [{"step": step, **found}]
    steps = [] if error.cause == "files" else [passed("connect", f"{peer.host}:{peer.port} takes the connection.")]
    return [*steps, {"step": "tls", **found}]


def passed(step: str, message: str) -> dict[str, Any]:
    """A step of a report that went well."""
    return {"step": step, "ok": True, "message": message, "hint": ""}
