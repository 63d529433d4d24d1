"""The fake engine's worklist, exams and pictures. All patients are invented."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from zlib import crc32

import numpy as np
import simplejpeg
from aiohttp import web
from msgspec.structs import replace

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.patient import accession_from, patient_from
from smartbox_tui.wire import commands, serve, state
from tests.support.moving import HEIGHT, WIDTH, scene

DAY = "2026-11-20"
_PEOPLE = (
    ("A-1180", "Müller^Jörg", "1961-03-14", "M", "Koloskopie", "08:00", "ROUTINE"),
    ("A-1181", "MUELLER^JOERG", "1988-07-02", "M", "Gastroskopie", "08:30", "ROUTINE"),
    ("A-1182", "Łukaszewska^Zofia", "1978-09-22", "F", "Bronchoskopie", "09:15", "HIGH"),
    ("A-1183", "Demir^Ayşe", "1990-01-05", "F", "ÖGD mit Ballondilatation und Probeentnahme", "10:00", "ROUTINE"),
    ("A-1184", "Weiß^Gerda", "1944-07-30", "F", "ERCP", "22:10", "STAT"),
    ("A-1185", "MÜLLER^Jörg", "1961-05-14", "M", "Koloskopie", "11:30", "ROUTINE"),
    ("A-1186", "von der Heide-Ömürlü^Maximiliane Charlotte", "2001-02-28", "F", "Polypektomie", "12:00", "ROUTINE"),
)


def item(number: int, **values: Any) -> state.WorklistItem:
    """An entry made from the number; `values` replace."""
    accession, name, born, sex, procedure, time, priority = _PEOPLE[number % len(_PEOPLE)]
    made = state.WorklistItem(
        id=f"item-{number}",
        patient=state.Patient(id=f"{4711 + number:05d}", name=name, birth_date=born, sex=sex),
        accession_number=accession if number < len(_PEOPLE) else f"B-{number:05d}",
        study_instance_uid=f"2.25.55{number}",
        procedure=procedure,
        scheduled_at=f"{DAY}T{time}:00",
        modality="ES",
        station="SMARTBOX" if number % 3 else "ENDO2",
        step_id=f"S{number}",
        requested_procedure_id=f"R{number}",
        priority=priority,
        emergency=priority == "STAT",
    )
    return replace(made, **values) if values else made


def worklist(count: int = len(_PEOPLE)) -> list[state.WorklistItem]:
    """That many entries; the first and the sixth share a name and all but a digit of the birth date."""
    return [item(number) for number in range(count)]


def service(at: datetime, **values: Any) -> state.ServiceState:
    """A worklist server that answered at that time."""
    return state.ServiceState(**{"name": "worklist", "state": "ok", "at": at.isoformat(), **values})


@lru_cache(maxsize=32)
def jpeg(step: int) -> bytes:
    """A picture that differs from step to step."""
    rgb = np.frombuffer(scene(step), np.uint8).reshape(HEIGHT, WIDTH, 3)
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(rgb), quality=80))


class People:
    """What the fake engine knows of people; mixed into FakeBox."""

    now: Any
    exam: state.Exam | None
    pictures: list[state.Instance]
    deliveries: dict[int, state.Delivery]

    def __init__(self) -> None:
        self.items: list[state.WorklistItem] = []
        self.age_s: float | None = 0.0
        self.server_error = ""
        self.partial = False
        self.exams: dict[str, state.Exam] = {}
        self.taken: dict[str, list[state.Instance]] = {}
        self.missing: set[str] = set()
        """Pictures that cannot be served."""

    def tell_exam(self, exam: state.Exam, current: bool) -> None:
        raise NotImplementedError

    # ---- worklist

    def find(self, command: commands.WorklistQuery) -> dict[str, Any]:
        """The answer to a query: everything that is on the box, or what the keys match."""
        found = self.items
        wanted = (command.patient_id or command.patient or command.name).strip("*").casefold()
        if wanted:
            found = [
                entry
                for entry in found
                if wanted in (entry.patient.id.casefold(), entry.accession_number.casefold())
                or entry.patient.name.casefold().startswith(wanted)
            ]
        away = bool(self.server_error)
        return {
            "items": found,
            "age_s": self.age_s if command.cached or away else 0.0,
            "from_cache": command.cached or away,
            "complete": not self.partial,
            "trouble": {"code": "no-route", "message": self.server_error, "hint": ""} if away else None,
        }

    def patient_for(self, command: commands.ExamOpen | commands.ExamReassign) -> dict[str, Any]:
        """Values of the exam for whoever was chosen."""
        if command.worklist:
            entry = next((entry for entry in self.items if entry.id == command.worklist), None)
            if entry is None:
                raise SmartBoxError("not-found", "There is no such worklist entry.", "Ask for the list again.")
            return {
                "patient": entry.patient,
                "accession_number": entry.accession_number,
                "worklist": entry.id,
                "procedure": entry.procedure,
                "study_instance_uid": entry.study_instance_uid,
                "emergency": None,
            }
        if command.emergency:
            sex = {"male": "M", "female": "F"}.get(command.emergency)
            patient = state.Patient(id="N20261120214500ENDO1", name="NOTFALL", sex=sex, age=command.age)
            return {"patient": patient, "emergency": command.emergency}
        made = patient_from(command.patient or {}, self.now().date()).to_json()
        return {
            "patient": state.Patient(**made),
            "accession_number": accession_from(command.accession),
            "emergency": None,
        }

    # ---- exams

    def known(self, exam_id: str) -> state.Exam:
        exam = self.exams.get(exam_id)
        if exam is None:
            raise SmartBoxError("not-found", f"There is no exam {exam_id}.", "See `ctl exam list`.")
        return exam

    def closed_exam(self, exam_id: str, patient: state.Patient, pictures: int = 3, **values: Any) -> state.Exam:
        """One of an hour ago, with pictures."""
        opened = self.now() - timedelta(hours=1)
        base = {
            "state": "closed",
            "study_instance_uid": f"2.25.4{len(self.exams)}",
            "opened_at": opened.isoformat(),
            "closed_at": (opened + timedelta(minutes=20)).isoformat(),
            "released": True,
            "instances": pictures,
        }
        exam = state.Exam(**{**base, "id": exam_id, "patient": patient, **values})
        self.exams[exam_id] = exam
        self.taken[exam_id] = [picture(exam_id, number, opened) for number in range(pictures)]
        return exam

    def reassign(self, command: commands.ExamReassign) -> state.Exam:
        """As the engine does it, as far as a screen can see."""
        exam = self.known(command.exam)
        if command.to_exam:
            target = self.known(command.to_exam)
            self.taken.setdefault(target.id, []).extend(self.taken.pop(exam.id, []))
            self.exams[exam.id] = replace(exam, merged_into=target.id, instances=0)
            self.exams[target.id] = replace(target, instances=len(self.taken[target.id]))
            self.tell_exam(self.exams[exam.id], False)
            self.tell_exam(self.exams[target.id], False)
            return self.exams[target.id]
        values = self.patient_for(command)
        condition = "open" if exam.state == "unassigned" else exam.state
        changed = replace(exam, state=condition, generation=exam.generation + 1, **values)
        self.exams[exam.id] = changed
        self.tell_exam(changed, self.exam is not None and self.exam.id == exam.id)
        return changed

    def counts(self, exam_id: str) -> dict[str, int]:
        found: dict[str, int] = {}
        for item in self.deliveries.values():
            if item.exam == exam_id:
                found[item.state] = found.get(item.state, 0) + 1
        return found

    # ---- routes

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/exams", self._exams),
            web.get("/v1/exams/{id}", self._exam),
            web.get("/v1/instances/{id}/picture", self._picture),
        ]

    async def _exams(self, request: web.Request) -> web.StreamResponse:
        found = sorted(self.exams.values(), key=lambda exam: exam.opened_at, reverse=True)
        if request.query.get("open"):
            found = [exam for exam in found if exam.state != "closed"]
        if request.query.get("unassigned"):
            found = [exam for exam in found if not exam.patient.id]
        if date := request.query.get("date"):
            found = [exam for exam in found if exam.opened_at.startswith(date)]
        return serve.reply({"exams": found, "deliveries": {exam.id: self.counts(exam.id) for exam in found}})

    async def _exam(self, request: web.Request) -> web.StreamResponse:
        exam = self.known(request.match_info["id"])
        rows = [item for item in self.deliveries.values() if item.exam == exam.id]
        return serve.reply({"exam": exam, "instances": self.taken.get(exam.id, []), "deliveries": rows})

    async def _picture(self, request: web.Request) -> web.StreamResponse:
        wanted = request.match_info["id"]
        for pictures in self.taken.values():
            for at, found in enumerate(pictures):
                if wanted in (found.id, found.sop_instance_uid) and wanted not in self.missing:
                    return web.Response(body=jpeg(at * 9 % 64), content_type="image/jpeg")
        raise SmartBoxError("not-found", "There is no such picture.", "See `ctl exam show ID`.")


def picture(exam: str, number: int, at: datetime, kind: str = "still", duration_s: float | None = None) -> Any:
    """One of an exam's, the number counting from 0."""
    return state.Instance(
        sop_instance_uid=f"2.25.7{crc32(exam.encode()) % 1000:03d}{number + 1:03d}",
        series_instance_uid="2.25.8",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.77.1.1",
        transfer_syntax_uid="1.2.840.10008.1.2.4.50",
        kind=kind,
        source="endo",
        captured_at=(at + timedelta(seconds=7 * (number + 1))).isoformat(),
        frames=1 if duration_s is None else int(duration_s * 30),
        frames_lost=0,
        duration_s=duration_s,
        trigger_ns=0,
        frame_ns=0,
        trigger_to_disk_ms=41.0,
        bytes=500_000,
        id=f"{exam}-picture-{number + 1}",
        exam=exam,
    )
