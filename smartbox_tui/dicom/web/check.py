"""Is it the right web service, does it take us and what we make? As `destination test`, step by step."""

from __future__ import annotations

from typing import Any, Final

from smartbox_tui.dicom.scu.echo import passed
from smartbox_tui.dicom.scu.tls import TlsTrouble
from smartbox_tui.dicom.web import service as kinds
from smartbox_tui.dicom.web.client import Interrupted, lost
from smartbox_tui.dicom.web.secrets import Unproven
from smartbox_tui.dicom.web.service import Service
from smartbox_tui.dicom.web.session import ANSWERED, Session
from smartbox_tui.errors import SmartBoxError

_SHOWN: Final = {
    kinds.BASIC: "user and password",
    kinds.BEARER: "the token",
    kinds.OAUTH2: "a token of the token service",
    kinds.CERT: "the box's certificate",
}


def check_web(service: Service) -> dict[str, Any]:
    """{"ok", "steps": [{step, ok, message, hint}], "accepted": []}: web services agree on nothing beforehand.

    Steps: connect; tls with https; authenticate where something is shown; query (one study); store: a request with
    nothing in it. A service that lets nobody search may still store: the last step decides. A failed step also has
    the error's `code`, and the `cause` where it is of TLS. Never raises for what the network does.
    """
    steps: list[dict[str, Any]] = []
    with Session(service) as session:
        step = "connect"
        try:
            _connect(session, steps)
            step = "authenticate"
            session.credentials()
            step = "query"
            asked = _query(session)
            step = "store"
            session.knock()
        except SmartBoxError as exc:
            steps += _failed(service, step, exc)
        else:
            if service.auth.kind in _SHOWN:
                steps.append(passed("authenticate", f"{service.name} takes {_SHOWN[service.auth.kind]}."))
            steps += [asked, passed("store", f"{service.name} takes store requests.")]
    return {"ok": all(item["ok"] for item in steps), "steps": steps, "accepted": []}


def _connect(session: Session, steps: list[dict[str, Any]]) -> None:
    service = session.service
    try:
        session.client.connect()
    except Interrupted as exc:
        raise lost(service.name, exc) from exc
    steps.append(passed("connect", f"{service.host}:{service.port} takes the connection."))
    if service.is_secure:
        text, hint = session.client.secured
        steps.append(passed("tls", f"The connection is encrypted: {text}.") | {"hint": hint})


def _query(session: Session) -> dict[str, Any]:
    """Searching is not what the box needs the service for: where it is refused, the step says so."""
    try:
        session.look()
    except Unproven:
        raise
    except SmartBoxError as exc:
        if exc.code not in ANSWERED or not session.knock():
            raise
        return passed("query", f"{session.name} answers.") | {"hint": f"It lets nobody search: {exc.message}"}
    return passed("query", f"{session.name} answers a search.")


def _failed(service: Service, step: str, error: SmartBoxError) -> list[dict[str, Any]]:
    found: dict[str, Any] = {"ok": False, "message": error.message, "hint": error.hint, "code": error.code}
    if error.code == "calling-aet-rejected":
        step = "authenticate"
    if not isinstance(error, TlsTrouble):
        return [{"step": step, **found}]
    found["cause"] = error.cause
    if step != "connect" or error.cause == "files":
        return [{"step": "tls", **found}]
    return [
        passed("connect", f"{service.host}:{service.port} takes the connection."),
        {"step": "tls", **found},
    ]
