"""The marks of a clip, a document of its own, for an archive that has the clip.

Its delivery is born in the transaction in which the clip's is stored, and it names the very rendition that lies
there: it is never sent before its clip, nor without it, nor about another rendition.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid5

from smartbox_tui.dicom.marks import build_marks
from smartbox_tui.engine import rendition
from smartbox_tui.engine.composing import NotMade, Wanted, writing
from smartbox_tui.engine.delivery import variants
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.delivery import DeliveryState as State
from smartbox_tui.model.instance import SOP_CLASSES, Equipment
from smartbox_tui.model.marks import Mark, MarkedFrames
from smartbox_tui.model.variant import MARKS, Variant, derived_uuid, sop_uid_of
from smartbox_tui.settings.destination import Destination
from smartbox_tui.spool.bitstream import DERIVED
from smartbox_tui.spool.durable import make_folder, write_new
from smartbox_tui.spool.examfile import ExamFile, RevisionFile, read_exam, read_revision
from smartbox_tui.spool.layout import header_name
from smartbox_tui.spool.sidecar import Sidecar, read_sidecar

SERIES_NUMBER: Final = 8000
"""And the number of the clip's series more; rejection notes have theirs from 9000 on."""

log = logging.getLogger(__name__)


def birth(folder: Path, row: Any, variant: Variant, destination: Destination, station: tuple[str, str]) -> Any:
    """The keywords for `queue.enqueue` of the marks of a clip, `row` as the store has it, that this destination has
    as `variant`; None where there are none, or none are wanted. The document is durable when it returns."""
    if row.kind != "clip" or not destination.marks or variant.document:
        return None
    try:
        if not read_sidecar(folder / f"{row.id}.json").marks:
            return None
    except (OSError, ValueError) as exc:
        log.warning("picture %s: its marks cannot be read: %s", row.id, type(exc).__name__)
        return None
    variant = replace(variant, document=MARKS)
    values = {
        "instance": row.id, "sop_uid": sop_uid_of(row.sop_uid, variant), "exam": row.exam,
        "destination": destination.name, "kind": MARKS, "bytes_": 0, "state": State.QUEUED, "reason": "",
        "variant": str(variant),
    }  # fmt: skip
    numbers = (row.series_number, row.instance_number)
    wanted = Wanted(row.id, variant, charset=destination.charset, station=station, numbers=numbers)
    try:
        values["bytes_"] = len(document_of(folder, wanted))
    except NotMade as exc:
        values["prepare"] = exc.prepare
    except SmartBoxError as exc:
        if exc.code == "invalid-object":
            values |= {"state": State.BLOCKED, "reason": exc.message, "code": exc.code}
    except Exception:  # whatever it is, the clip is stored: the document's own row meets it again when it is sent
        log.exception("picture %s: a defect in the document of its marks", row.id)
    return values


def document_of(folder: Path, wanted: Wanted) -> bytes:
    """The Part 10 file, Explicit VR Little Endian; written once and then used as it is, like the headers of derived
    instances, so that its UID keeps its meaning.

    Raises NotMade; invalid-object when the spool does not have what it needs, or it cannot be written; disk-full.
    """
    try:
        sidecar = read_sidecar(folder / f"{wanted.picture}.json")
        exam = read_exam(folder)
        revision = read_revision(folder, exam.revision)
        own_uid = rendition.sop_uid(sidecar.id, revision)
        name = uuid5(derived_uuid(own_uid, wanted.variant), wanted.charset)
        path = folder / DERIVED / header_name(str(name), exam.revision)
        with writing:
            if path.exists():
                return path.read_bytes()
            data = _built(folder, exam, revision, sidecar, wanted)
            make_folder(path.parent)
            write_new(path, data)
        return data
    except (OSError, ValueError) as exc:
        raise SmartBoxError(
            "invalid-object",
            f"The marks of {wanted.picture} cannot be composed: {type(exc).__name__}: {exc}",
            "smartbox store check shows what of it is there.",
        ) from exc


def _built(folder: Path, exam: ExamFile, revision: RevisionFile, sidecar: Sidecar, wanted: Wanted) -> bytes:
    picture = rendition.picture_values(sidecar, revision, *wanted.numbers)
    clip = replace(wanted.variant, document="")
    frames = sidecar.frames
    if clip.codec:
        source = variants.of_variant(folder, sidecar, clip)
        if source is None:
            raise NotMade(variants.BITSTREAM)
        frames = source.frames
    marks = marks_of(sidecar, frames)
    series = picture.series_instance_uid
    sop_class = SOP_CLASSES[clip.sop_class] if clip.sop_class else picture.sop_class_uid
    in_series = variants.series_of(series, picture.sop_class_uid, sop_class)
    marked = MarkedFrames(
        sop_instance_uid=sop_uid_of(picture.sop_instance_uid, wanted.variant),
        series_instance_uid=variants.marks_series(series),
        series_number=SERIES_NUMBER + picture.series_number,
        instance_number=picture.instance_number,
        made_at=picture.captured_at + timedelta(seconds=max((mark.at_s for mark in marks), default=0.0)),
        clip=(in_series, sop_class, sop_uid_of(picture.sop_instance_uid, clip)),
        marks=marks,
    )
    study = rendition.study_values(exam, revision, wanted.charset)
    return build_marks(study, marked, Equipment(*wanted.station))


def marks_of(sidecar: Sidecar, frames: int) -> tuple[Mark, ...]:
    """In the order of their times, for a rendition of so many frames. A sidecar of an older version, or of a crash,
    may lack the frame: it follows from the time then. One that was encoded anew at another rate has its frames
    evenly more or fewer. Raises ValueError for marks that are none."""
    found = []
    for each in sidecar.marks:
        if not isinstance(each, dict):
            raise ValueError("a mark in the sidecar is not readable")
        at_s = max(0.0, float(each.get("at_s") or 0.0))
        frame = int(each.get("frame") or 0) or 1 + int(at_s * sidecar.fps_num / sidecar.fps_den + 0.01)
        frame = min(max(1, frame), max(1, sidecar.frames))
        if frames != sidecar.frames:
            frame = 1 + (frame - 1) * frames // max(1, sidecar.frames)
        found.append(Mark(at_s, frame, str(each.get("text") or "")))
    return tuple(sorted(found, key=lambda mark: (mark.at_s, mark.frame)))
