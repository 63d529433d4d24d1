"""`smartbox dicom send` and `export`: DICOM files, no engine needed."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any
from uuid import UUID

from smartbox_tui.commands.options import Options
from smartbox_tui.commands.output import note, out
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.paths import paths


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Raises SmartBoxError; the exit status otherwise."""
    if arguments.action == "validate":
        from smartbox_tui.commands.validate import validate

        return validate(arguments, options)
    return send(arguments, options) if arguments.action == "send" else export(arguments, options)


def peer_from(text: str, calling: str) -> Any:
    """A Peer from HOST:PORT:AET (an IPv6 address in brackets). Raises bad-value."""
    from smartbox_tui.dicom.scu.peer import Peer

    head, _, aet = text.rpartition(":")
    host, _, port = head.rpartition(":")
    if not (host and aet and port.isdigit()):
        raise SmartBoxError("bad-value", f"'{text}' is not HOST:PORT:AET.", "As in 10.0.0.5:104:PACS.")
    return Peer(host.strip("[]"), int(port), aet, calling)


def send(arguments: argparse.Namespace, options: Options) -> int:
    """Sends files as they are over one association; exit 1 when one of them is not stored."""
    from smartbox_tui.dicom.compose import from_part10
    from smartbox_tui.dicom.scu.status import Outcome
    from smartbox_tui.dicom.scu.store import StoreSession, TransferLost

    peer = peer_from(arguments.to, arguments.calling)
    failed: list[dict[str, str]] = []
    ready = []
    for path in arguments.files:
        try:
            ready.append((path, from_part10(path)))
        except SmartBoxError as exc:
            failed.append(_failure(path, exc.code, exc.message))
    sent = count = 0
    begin = time.monotonic()
    session = None
    try:
        for path, composition in ready:
            try:
                if session is None or not session.is_open:
                    session = StoreSession(
                        peer, sorted({(c.sop_class_uid, c.transfer_syntax_uid) for _, c in ready})
                    )
                    session.open()
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
    finally:
        if session is not None:
            session.close()
    seconds = round(time.monotonic() - begin, 3)
    value = {"sent": sent, "failed": failed, "bytes": count, "seconds": seconds}
    out(value, f"{sent} stored, {len(failed)} failed, {count} bytes in {seconds} s", as_json=options.json)
    for item in failed:
        note(f"{item['file']}: {item['message']}")
    return 1 if failed else 0


def _failure(path: Path, code: str, message: str) -> dict[str, str]:
    return {"file": str(path), "code": code, "message": message}


def export(arguments: argparse.Namespace, options: Options) -> int:
    """Writes DICOM files from the spool alone; reads only, so it can run beside an engine."""
    from smartbox_tui.dicom import export as files
    from smartbox_tui.dicom.headers import numbers_of
    from smartbox_tui.engine.rendition import composition_from_spool
    from smartbox_tui.settings.load import load
    from smartbox_tui.spool.examfile import read_exam
    from smartbox_tui.spool.layout import exam_folders, header_name, sidecar_paths
    from smartbox_tui.spool.sidecar import SidecarState, read_sidecar

    folders = paths(options.state, options.runtime)
    settings = load(options.config, folders.state, fallback=True).settings
    charset = "utf-8"
    if arguments.destination:
        named = {item.name: item for item in settings.destinations}
        if arguments.destination not in named:
            raise SmartBoxError(
                "not-found",
                f"There is no destination '{arguments.destination}'.",
                "Give --config, or leave it out.",
            )
        charset = named[arguments.destination].charset
    wanted = {_picture_of(uid): uid for uid in arguments.uids}
    station = (settings.station_name, settings.institution_name)
    exported, waiting = [], 0
    for folder in exam_folders(folders.spool):
        try:
            exam = read_exam(folder)
        except (OSError, ValueError):
            note(f"{folder.name}: the exam's file is not readable; see smartbox store check")
            continue
        if arguments.study and exam.study_instance_uid != arguments.study:
            continue
        for path in sorted(sidecar_paths(folder)):
            if wanted and path.stem not in wanted:
                continue
            sidecar = read_sidecar(path)
            header = folder / header_name(sidecar.id, exam.revision)
            if sidecar.state is not SidecarState.CLOSED and not (
                wanted and sidecar.state is SidecarState.DISCARDED
            ):
                continue
            if not header.exists():
                waiting += 1  # the engine has not adopted it yet
                continue
            composition = composition_from_spool(
                folder, sidecar.id, charset=charset, station=station, numbers=numbers_of(header)
            )
            file = files.export(composition, arguments.out)
            exported.append(
                {"sop_instance_uid": composition.sop_instance_uid, "file": str(file), "bytes": file.stat().st_size}
            )
            wanted.pop(sidecar.id, None)
    if wanted or (arguments.study and not exported):
        missing = next(iter(wanted.values()), arguments.study)
        raise SmartBoxError(
            "not-found",
            f"There is nothing of {missing} in this spool.",
            "Check --state; the engine adopts pictures first.",
        )
    if waiting:
        note(f"{waiting} pictures are not adopted yet: start the engine once")
    value = {"exported": exported, "count": len(exported)}
    out(value, f"{len(exported)} files in {arguments.out}", as_json=options.json)
    return 0


def _picture_of(uid: str) -> str:
    """The picture's UUID of our own SOP Instance UID. Raises not-found for another's."""
    prefix, _, number = uid.rpartition(".")
    if prefix == "2.25" and number.isdigit() and int(number) < 1 << 128:
        return str(UUID(int=int(number)))
    raise SmartBoxError("not-found", f"{uid} is not a UID of this box.", "See `ctl exam show ID`.")
