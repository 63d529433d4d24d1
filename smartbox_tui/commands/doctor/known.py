"""All that the box knows of its patients: from the spool, from the engine, with the engine dead from the database.
It is read to be taken out of what leaves the box, and kept nowhere."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from smartbox_tui.commands.doctor.check import Context
from smartbox_tui.commands.doctor.scrub import leaves
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.spool.layout import exam_folders, is_uuid
from smartbox_tui.wire import client

_OF_REVISIONS: Final = ("patient", "accession_number", "referring_physician", "study_id")
_OF_ENTRIES: Final = (
    "patient",
    "accession_number",
    "referring_physician",
    "requested_procedure_id",
    "step_id",
    "study_instance_uid",
)
_TAGS: Final = frozenset(
    "00080050 00080090 00100010 00100020 00100030 00101000 00101001 00101002 00101005 00101040 00101060 00102154 "
    "00104000 00321032 00380010 00380300 00400006 00400009 00401001 00402016 00402017".split()
)
"""Of a worklist entry as it came (PS3.18 F.2): whose it is, who ordered it, and by which numbers."""
_NOBODYS: Final = frozenset({"", "M", "F", "O", "*"})
_LONGEST: Final = 200
"""Signs: what is longer is no name and no number of a patient, but a whole text."""
_ANSWER_S: Final = 20.0


class Unknown(Exception):
    """Who the box's patients are could not be found out: nothing may leave it."""


def known(context: Context) -> set[str]:
    """Raises Unknown with a sentence."""
    found: set[str] = set()
    try:
        found.update(_spool(context.folders.spool))
        if context.engine is not None:
            found.update(_engine(context))
        elif context.folders.database.exists():
            found.update(_database(context.folders.database))
    except (OSError, SmartBoxError, sqlite3.Error) as exc:
        text = exc.message if isinstance(exc, SmartBoxError) else str(exc)
        raise Unknown(f"the box's patients, who must not be in it, could not be read: {text}") from exc
    return {text for text in found if text.strip() not in _NOBODYS and len(text) <= _LONGEST}


def _spool(spool: Path) -> Iterator[str]:
    """Every revision of every exam."""
    for folder in exam_folders(spool):
        for path in folder.glob("revision-*.json"):
            value = _json(path.read_bytes())
            for key in _OF_REVISIONS:
                yield from _texts(value.get(key))
            yield from _tagged(value.get("worklist"))


def _engine(context: Context) -> Iterator[str]:
    """Also whoever is only in the worklist."""
    socket = context.folders.engine_socket
    for exam in client.request(socket, "GET", "/v1/exams", timeout_s=_ANSWER_S)["exams"]:
        for key in _OF_REVISIONS:
            yield from _texts(exam.get(key))
    if context.engine is not None and context.engine.get("worklist") is not None:
        query = {"type": "worklist-query", "id": str(uuid.uuid4()), "cached": True, "date": "any"}
        for item in client.command(socket, query, timeout_s=_ANSWER_S)["items"]:
            for key in _OF_ENTRIES:
                yield from _texts(item.get(key))


def _database(path: Path) -> Iterator[str]:
    """No engine lives: this connection is the only one, and it writes nothing."""
    with sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True) as connection:
        for row in connection.execute("SELECT patient, patient_id, accession FROM exam"):
            for value in row:
                yield from _texts(value)
        for item, source in connection.execute("SELECT item, source FROM worklist_item"):
            for key in _OF_ENTRIES:
                yield from _texts(_json(item).get(key))
            yield from _tagged(_json(source))


def _tagged(value: Any) -> Iterator[str]:
    """The values of _TAGS in a data set as JSON, also those in its sequences."""
    if isinstance(value, list):
        for item in value:
            yield from _tagged(item)
    elif isinstance(value, dict):
        for tag, element in value.items():
            if tag in _TAGS:
                yield from _texts(element.get("Value") if isinstance(element, dict) else element)
            elif isinstance(element, dict):
                yield from _tagged(element.get("Value"))


def _texts(value: Any) -> Iterator[str]:
    for text in leaves(value):
        if not is_uuid(text):
            yield text


def _json(data: bytes | str) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
