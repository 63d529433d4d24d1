"""QIDO-RS and the metadata of WADO-RS (PS3.18 10.6, 10.4): what an archive says it has."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from smartbox_tui.dicom.web import native
from smartbox_tui.dicom.web.session import JSON, Session, no_place
from smartbox_tui.errors import SmartBoxError

PAGE: Final = 500
MOST: Final = 20_000
"""Instances of one question; an answer that goes on has lost its way."""


@dataclass(frozen=True, slots=True)
class Found:
    """UIDs of one instance, as the archive names them; empty where it leaves one out."""

    study: str
    series: str
    sop: str
    sop_class: str


def search_instances(session: Session, *, study: str = "", series: str = "", sop: str = "") -> list[Found]:
    """The instances that have all of the UIDs that are given; at least one must be.

    Raises what Session.probe raises; archive-refused for an answer that is no DICOM JSON or without end.
    """
    path, query = "/instances", {"StudyInstanceUID": study, "SeriesInstanceUID": series, "SOPInstanceUID": sop}
    if study:
        path = f"/studies/{quote(study)}/instances"
        del query["StudyInstanceUID"]
    if study and series:
        path = f"/studies/{quote(study)}/series/{quote(series)}/instances"
        del query["SeriesInstanceUID"]
    asked = "&".join(f"{name}={quote(value)}" for name, value in query.items() if value)
    result: dict[str, Found] = {}
    offset = 0
    while len(result) < MOST:
        page = _page(session, f"{path}?{asked}{'&' if asked else ''}limit={PAGE}&offset={offset}")
        new = [item for item in page if item.sop and item.sop not in result]
        result |= {item.sop: item for item in new}
        offset += len(page)
        if not new or sop:  # some stop at fewer than were asked for, some know no offset
            break
    return [item for item in result.values() if sop in ("", item.sop)]


def _page(session: Session, path: str) -> list[Found]:
    reply = session.get(path, JSON)
    if reply.status == 204:  # how many say that there is nothing (PS3.18 8.3.4)
        return []
    if reply.status == 404:
        raise no_place(session.name, reply)
    if not reply.body.lstrip()[:1] == b"[":
        raise _no_json(session.name)
    return [
        Found(
            native.text(values, "0020000D"),
            native.text(values, "0020000E"),
            native.text(values, "00080018"),
            native.text(values, "00080016"),
        )
        for values in native.read(reply.body)
    ]


def metadata(session: Session, study: str, series: str, sop: str) -> dict[str, Any]:
    """The DICOM JSON of one instance without its bulk data (PS3.18 10.4.1.1.2). Raises not-found, and as
    `search_instances`."""
    path = f"/studies/{quote(study)}/series/{quote(series)}/instances/{quote(sop)}/metadata"
    reply = session.get(path, JSON)
    if reply.status in (204, 404):
        raise not_there(session.name)
    try:
        value = json.loads(reply.body)
    except (ValueError, RecursionError):
        raise _no_json(session.name) from None
    found = value[0] if isinstance(value, list) and len(value) == 1 else value
    if not isinstance(found, dict):
        raise _no_json(session.name)
    return found


def not_there(name: str) -> SmartBoxError:
    return SmartBoxError("not-found", f"{name} does not have the instance.", "It may have been moved or deleted.")


def _no_json(name: str) -> SmartBoxError:
    return SmartBoxError(
        "archive-refused", f"{name} answers with something else than DICOM JSON.", "Is this its DICOMweb address?"
    )
