"""Connection tests: the settings as they stand on the screen, tried before they are saved. In steps, in words."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterable, Iterator
from typing import Any, Final

from smartbox_tui.dicom.scu.check import check_mpps, check_promises, check_worklist
from smartbox_tui.dicom.scu.echo import check_destination
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.dicom.scu.tls import ENCRYPTED
from smartbox_tui.dicom.web.check import check_web
from smartbox_tui.engine.calling import Server, peer_of, service_of
from smartbox_tui.engine.delivery.forms import NOTE_FORMS, every_form
from smartbox_tui.engine.delivery.medium.check import check_folder
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings import describe, web
from smartbox_tui.settings.destination import NEEDED, Destination
from smartbox_tui.settings.load import build
from smartbox_tui.settings.schema import Mpps, Settings, Worklist
from smartbox_tui.settings.whole import NEEDS

STEP_S: Final = 4.0
"""For the connection and for each answer, less where the settings say less."""
LONGEST_S: Final = 15.0
_TLS_S: Final = 2.5
_SILENT: Final = ("refused", "timeout")


def server_of(what: str, name: str, values: dict[str, Any], settings: Settings) -> Server:
    """The saved settings with `values` over them; a destination that is not saved yet has only those.

    Raises not-found, unknown-key, bad-value."""
    saved: Server
    match what:
        case "destination":
            found = next((item for item in settings.destinations if item.name == name), None)
            if found is None and not values:
                raise SmartBoxError(
                    "not-found", f"There is no destination '{name}'.", "See `ctl destination list`."
                )
            saved, path = found or Destination(name=name or "new"), f"destinations.{name or 'new'}"
        case "worklist":
            saved, path = settings.worklist, what
        case "mpps":
            saved, path = settings.mpps, what
        case _:
            raise SmartBoxError("bad-value", f"'{what}' cannot be tested.", "One of destination, worklist, mpps.")
    tree = describe.tree(saved)
    for key, value in values.items():
        node, parts = tree, key.split(".")
        for part in parts[:-1]:
            inner = node.get(part)
            node = inner if isinstance(inner, dict) else {}
        node[parts[-1]] = value
    server: Server = build(type(saved), tree, path)
    for key, why in _missing(server):
        raise SmartBoxError("bad-value", f"{path}.{key}: {why}", f"Give {path}.{key}.")
    return server


def _missing(server: Server) -> Iterator[tuple[str, str]]:
    kind = server.kind if isinstance(server, Destination) else "dimse"
    for key in NEEDED[kind]:
        if not getattr(server, key):
            yield key, NEEDS[kind] if isinstance(server, Destination) else "a server needs host, port and aet"
    if isinstance(server, Destination):
        yield from web.problems(server)


async def check(what: str, name: str, values: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """The report of `destination test` (CONTRACT), and the `peer` that was called; within LONGEST_S.

    Raises what `server_of` raises; nothing for what the network does."""
    server = server_of(what, name, values, settings)
    peer = peer_of(server, settings.aet, STEP_S)
    try:
        report = await asyncio.wait_for(asyncio.to_thread(_check, server, peer, settings), LONGEST_S)
    except TimeoutError:  # a name server that does not answer, say
        why = f"{peer.name} was not reached within {LONGEST_S:g} s."
        report = _report("connect", why, "Check the address, the network and the DNS server.", "timeout")
    called = {"host": peer.host, "port": peer.port, "aet": peer.called_aet, "calling_aet": peer.calling_aet}
    if isinstance(server, Destination) and server.kind == "dicomweb":
        service = service_of(server, peer)
        called |= {"host": service.host, "port": service.port, "url": service.name}
    if isinstance(server, Destination) and server.kind == "folder":
        called |= {"path": server.path}
    return {**report, "peer": called}


def _check(server: Server, peer: Peer, settings: Settings) -> dict[str, Any]:
    match server:
        case Worklist():
            report = check_worklist(peer, charset=server.charset)
        case Mpps():
            report = check_mpps(peer)
        case Destination(kind="dicomweb"):
            return _check_web(server, peer, settings)
        case Destination(kind="folder"):
            return check_folder(server, STEP_S)
        case Destination():
            notes = [form.pair for form in NOTE_FORMS] if server.rejection_note or server.marks else []
            report = check_destination(peer, [*offered_contexts(settings, [server]), *notes])
            if report["ok"]:
                steps = check_promises(peer, commitment=server.commitment, readback=server.readback)
                report["steps"] += steps
                report["ok"] = all(item["ok"] for item in steps)
    last = report["steps"][-1]
    greeted = peer.tls is None and not last["ok"] and last["step"] == "associate" and last.get("code") in _SILENT
    if greeted and speaks_tls(peer):
        last |= {
            "code": "tls",
            "cause": ENCRYPTED.cause,
            "message": f"{peer.name}: {ENCRYPTED.why}.",
            "hint": ENCRYPTED.hint,
        }
    return report


def _check_web(server: Destination, peer: Peer, settings: Settings) -> dict[str, Any]:
    """With the fall-back as one more step, whose association also tells what the archive takes."""
    report = check_web(service_of(server, peer))
    if server.fallback:
        behind = check_destination(peer, offered_contexts(settings, [server]))
        last = behind["steps"][-1]
        report["steps"].append({**last, "step": "fallback"})
        report |= {"ok": report["ok"] and behind["ok"], "accepted": behind["accepted"]}
    return report


def speaks_tls(peer: Peer) -> bool:
    """Whether what listens there answers a TLS greeting, with a handshake or with an alert of TLS. Nobody is
    trusted for it, and nothing is sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection((peer.host, peer.port), min(peer.timeout_s, _TLS_S)) as plain:
            plain.settimeout(min(peer.timeout_s, _TLS_S))
            with context.wrap_socket(plain):
                return True
    except ssl.SSLError as exc:
        return "ALERT" in (exc.reason or "")
    except (OSError, ValueError):
        return False


def _report(step: str, message: str, hint: str, code: str) -> dict[str, Any]:
    return {
        "ok": False,
        "steps": [{"step": step, "ok": False, "message": message, "hint": hint, "code": code}],
        "accepted": [],
    }


def offered_contexts(
    settings: Settings, destinations: Iterable[Destination] | None = None
) -> list[tuple[str, str]]:
    """(SOP class, transfer syntax) of everything that the configured sources' pictures may be sent as, to these
    destinations, else to all that are set (and to one with the defaults, where none is)."""
    servers = tuple(settings.destinations if destinations is None else destinations) or (None,)
    return sorted(
        {form.pair for source in settings.sources for server in servers for form in every_form(source, server)}
    )
