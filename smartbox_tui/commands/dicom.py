"""`smartbox dicom send` and `export`: DICOM files, no engine needed."""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path
from typing import Any

from smartbox_tui.commands.options import Options
from smartbox_tui.commands.output import note, out
from smartbox_tui.errors import SmartBoxError


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Raises SmartBoxError; the exit status otherwise."""
    if arguments.action == "build":
        from smartbox_tui.commands.build import build

        return build(arguments, options)
    if arguments.action == "validate":
        from smartbox_tui.commands.validate import validate

        return validate(arguments, options)
    if arguments.action == "export":
        from smartbox_tui.commands.export import export

        return export(arguments, options)
    return send(arguments, options)


def peer_from(text: str, calling: str) -> Any:
    """A Peer from HOST:PORT:AET (an IPv6 address in brackets). Raises bad-value."""
    from smartbox_tui.dicom.scu.peer import Peer

    head, _, aet = text.rpartition(":")
    host, _, port = head.rpartition(":")
    if not (host and aet and port.isdigit()):
        raise SmartBoxError("bad-value", f"'{text}' is not HOST:PORT:AET.", "As in 10.0.0.5:104:PACS.")
    return Peer(host.strip("[]"), int(port), aet, calling)


def _secured(peer: Any, arguments: argparse.Namespace) -> Any:
    """The peer with TLS, where it is asked for. Raises bad-value."""
    from smartbox_tui.dicom.scu.tls import Tls

    ca, cert, key = (
        str(Path(given).absolute()) if (given := getattr(arguments, name)) else ""
        for name in ("ca_file", "cert_file", "key_file")
    )
    if arguments.tls:
        return dataclasses.replace(peer, tls=Tls(ca, cert, key, arguments.tls_name))
    if ca or cert or key or arguments.tls_name:
        raise SmartBoxError("bad-value", "Certificates are for TLS only.", "Give --tls, too.")
    return peer


def send(arguments: argparse.Namespace, options: Options) -> int:
    """Sends files as they are over one association; exit 1 when one of them is not stored."""
    from smartbox_tui.dicom.compose import from_part10
    from smartbox_tui.dicom.scu.store import StoreSession
    from smartbox_tui.model.answer import Outcome, TransferLost

    peer = _secured(peer_from(arguments.to, arguments.calling), arguments)
    failed: list[dict[str, str]] = []
    ready = []
    for path in arguments.files:
        try:
            ready.append((path, from_part10(path)))
        except SmartBoxError as exc:
            failed.append(_failure(path, exc.code, exc.message))
    sent = count = 0
    begin: float | None = None  # of the first object, as other senders count; until then it is not its link's time
    session = None
    try:
        for path, composition in ready:
            try:
                if session is None or not session.is_open:
                    session = StoreSession(
                        peer, sorted({(c.sop_class_uid, c.transfer_syntax_uid) for _, c in ready})
                    )
                    session.open()
                begin = begin or time.monotonic()
                result = session.store(composition)
            except TransferLost as exc:
                failed.append(_failure(path, exc.code, exc.message))
                session = None
                continue
            except SmartBoxError as exc:
                failed.append(_failure(path, exc.code, exc.message))
                if session is not None and not session.is_open:
                    session = None  # the next file tries anew; a dead peer answers at once or by its time-out
                continue
            meaning = result.meaning
            if meaning.outcome in (Outcome.STORED, Outcome.STORED_WITH_WARNING):
                sent += 1
                count += composition.dataset_length
            else:
                text = f"{meaning.sentence} ({result.status:04X}H{': ' + result.comment if result.comment else ''})"
                failed.append(_failure(path, "archive-refused", text))
        end = time.monotonic()
    finally:
        if session is not None:
            session.close()
    seconds = round(end - (begin or end), 3)
    value = {"sent": sent, "failed": failed, "bytes": count, "seconds": seconds}
    out(value, f"{sent} stored, {len(failed)} failed, {count} bytes in {seconds} s", as_json=options.json)
    for item in failed:
        note(f"{item['file']}: {item['message']}")
    return 1 if failed else 0


def _failure(path: Path, code: str, message: str) -> dict[str, str]:
    return {"file": str(path), "code": code, "message": message}
