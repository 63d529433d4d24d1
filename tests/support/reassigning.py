"""Reassigning in tests: the command, and what the archive holds afterwards."""

from __future__ import annotations

import io
from typing import Any
from uuid import uuid4

import pydicom

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.wire import client
from tests.support.box import Box
from tests.support.orthanc import Orthanc

RIGHT = {"id": "R-2002", "name": "Richtig^Rosa", "birth_date": "1975-05-05", "sex": "F"}
KOS = "1.2.840.10008.5.1.4.1.1.88.59"


def reassign(box: Box, exam: str, identity: str | None = None, **who: Any) -> dict[str, Any]:
    command = {"type": "exam-reassign", "id": identity or str(uuid4()), "exam": exam, **who}
    try:
        value: dict[str, Any] = client.command(box.runtime / "engine.sock", command)["exam"]
    except SmartBoxError as exc:
        if "internal" in exc.message:
            raise RuntimeError(box.log("engine")) from exc
        raise
    return value


def held_by(archive: Orthanc) -> list[pydicom.Dataset]:
    return [pydicom.dcmread(io.BytesIO(archive.get(f"/instances/{item}/file"))) for item in archive.instances()]


def pictures_of(archive: Orthanc, patient: str) -> list[pydicom.Dataset]:
    return [item for item in held_by(archive) if item.PatientID == patient and item.SOPClassUID != KOS]


def notes_in(archive: Orthanc) -> list[pydicom.Dataset]:
    return [item for item in held_by(archive) if item.SOPClassUID == KOS]


def rejected(note: pydicom.Dataset) -> set[str]:
    return {
        item.ReferencedSOPInstanceUID
        for study in note.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
