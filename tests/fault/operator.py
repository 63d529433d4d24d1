"""Somebody who takes pictures, whatever fails: repeats what was not answered, presses again what was refused."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.wire import client
from tests.fault.rig import Rig
from tests.fault.schedule import Schedule, Step

_PATIENCE_S: Final = 120.0
_PAUSE_S: Final = 0.1
_TELL_STEPS: Final = 250
_AGAIN: Final = frozenset({"no-engine", "timeout", "no-signal", "device-gone"})
"""Nobody answered, or the picture is not back yet: the same command once more."""

_FULL: Final = "disk-full"
_OVER: Final = frozenset({"not-recording", "already-recording"})
"""What a recording may have become while capture was away."""


class Refused(Exception):
    """The box says no, and has taken nothing."""


@dataclass
class Exam:
    id: str
    patient_id: str
    merged_into: int = -1


@dataclass
class Taken:
    """What the box has acknowledged. `commands`: every one that may have made a picture; `refused`: those that the
    box said no to at the first call; `pictures`: the SOP Instance UIDs that were answered, each with its exam."""

    commands: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    pictures: dict[str, int] = field(default_factory=dict)
    exams: dict[int, Exam] = field(default_factory=dict)
    repeats: int = 0


class Operator:
    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.taken = Taken()

    def work(self, schedule: Schedule) -> None:
        """Every step in its order; returns when all are acknowledged."""
        for number, step in enumerate(schedule.steps):
            self._rig.at_step(number)
            getattr(self, f"_{step.kind}")(step)
            if number % _TELL_STEPS == _TELL_STEPS - 1:
                print(f"step {number + 1} of {len(schedule.steps)}, {len(self._rig.done)} faults", flush=True)
            if step.pause_s:
                time.sleep(step.pause_s)

    def _ask(self, process: str, kind: str, *, identity: str = "", pictures: bool = False, **values: Any) -> Any:
        """The answer, of however many calls with the same id. Raises Refused (full disk), SmartBoxError."""
        command = {"type": kind, "id": identity or str(uuid4()), **values}
        if pictures:
            self.taken.commands.add(command["id"])
        deadline = time.monotonic() + _PATIENCE_S
        calls = 0
        while True:
            self._rig.check()
            calls += 1
            try:
                return client.command(self._rig.box.runtime / f"{process}.sock", command, 20.0)
            except SmartBoxError as exc:
                if time.monotonic() > deadline:
                    raise AssertionError(f"{kind}: {exc.message}\n{self._rig.box.log(process)}") from exc
                if exc.code == _FULL and pictures:
                    if calls == 1:  # a repeat may be refused although the first call has taken it
                        self.taken.refused.add(command["id"])
                    raise Refused(exc.message) from exc
                if exc.code not in (*_AGAIN, _FULL):
                    raise
            self.taken.repeats += 1
            time.sleep(_PAUSE_S)

    def _take(self, kind: str, exam: int, **values: Any) -> Any:
        """A new press for each refusal, until there is room again."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                answer = self._ask("capture", kind, pictures=True, **values)
            except Refused as exc:
                if time.monotonic() > deadline:
                    raise AssertionError(f"{kind} is refused for ever: {exc}") from exc
                time.sleep(_PAUSE_S)
                continue
            for item in answer.get("instances") or [answer["instance"]] if "instance" in answer else []:
                self.taken.pictures[item["sop_instance_uid"]] = exam
            return answer

    # ---- steps

    def _open(self, step: Step) -> None:
        self._opened(step, patient=_patient(f"F-{step.exam}", "1980-02-29"))

    def _emergency(self, step: Step) -> None:
        self._opened(step, emergency=("male", "female")[step.exam % 2])

    def _opened(self, step: Step, **who: Any) -> None:
        exam = self._ask("engine", "exam-open", **who)["exam"]
        self.taken.exams[step.exam] = Exam(exam["id"], exam["patient"]["id"])

    def _still(self, step: Step) -> None:
        self._take("still", step.exam)

    def _burst(self, step: Step) -> None:
        self._take("still", step.exam, burst=int(step.length))

    def _clip(self, step: Step) -> None:
        try:
            self._take("record-start", step.exam)
        except SmartBoxError as exc:
            if exc.code not in _OVER:  # one that goes on after a crash of capture
                raise
        time.sleep(step.length)
        try:
            stopped = self._ask("capture", "record-stop")
        except SmartBoxError as exc:
            if exc.code not in _OVER:
                raise
            return  # a crash has ended it; what was recorded is adopted
        for item in stopped["instances"]:
            self.taken.pictures[item["sop_instance_uid"]] = step.exam

    def _close(self, step: Step) -> None:
        exam = self._ask("engine", "exam-close")["exam"]
        assert exam is not None
        assert exam["id"] == self.taken.exams[step.exam].id

    def _assign(self, step: Step) -> None:
        patient = _patient(f"R-{step.exam}", "1975-05-05")
        self._ask("engine", "exam-reassign", exam=self.taken.exams[step.exam].id, patient=patient)
        self.taken.exams[step.exam].patient_id = patient["id"]

    def _merge(self, step: Step) -> None:
        exam, into = self.taken.exams[step.exam], self.taken.exams[step.into]
        self._ask("engine", "exam-reassign", exam=exam.id, to_exam=into.id)
        exam.merged_into = step.into

    def patient_of(self, exam: int) -> str:
        """Whose pictures of this exam are now."""
        while (into := self.taken.exams[exam].merged_into) >= 0:
            exam = into
        return self.taken.exams[exam].patient_id


def _patient(identity: str, birth_date: str) -> dict[str, str]:
    return {"id": identity, "name": f"Prüf^Nummer {identity}", "birth_date": birth_date, "sex": "O"}
