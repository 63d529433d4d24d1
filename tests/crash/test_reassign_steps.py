"""kill -9 at every durable step of a reassignment: the exam is the old patient's or the new one's, never half of
each, and the same command again completes it. What was seen outside gets new UIDs, what was not keeps its own."""

from __future__ import annotations

import subprocess
import sys
from typing import Any
from uuid import uuid4

import pytest

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.wire import client
from tests.support.box import Box, settings, until
from tests.support.orthanc import Orthanc
from tests.support.reassigning import KOS, RIGHT, held_by, rejected

pytestmark = [pytest.mark.crash, pytest.mark.orthanc, pytest.mark.timeout(1500)]  # a process for every step

MOST = 60
"""More steps than there are: the loop ends at the first engine that survives."""
LEAST = 10


def ask(box: Box, process: str, kind: str, **values: Any) -> Any:
    """A command on the process's own socket: a program started for each would take most of the test's time."""
    return client.command(box.runtime / f"{process}.sock", {"type": kind, "id": str(uuid4()), **values})


def shown(box: Box, exam: str) -> Any:
    return client.get(box.runtime / "engine.sock", f"/v1/exams/{exam}")


class Victim:
    """One exam with two pictures in the archive and one that was never sent, and the command that reassigns it."""

    def __init__(self, box: Box) -> None:
        patient = {"id": "T-1001", "name": "Prüf^Jördis", "birth_date": "1980-02-29", "sex": "F"}
        self.exam = ask(box, "engine", "exam-open", patient=patient)["exam"]["id"]
        taken = [ask(box, "capture", "still")["instance"] for _ in range(2)]
        self.sent = [item["sop_instance_uid"] for item in taken]
        until(lambda: [row["state"] for row in shown(box, self.exam)["deliveries"]] == ["stored"] * 2)
        ask(box, "engine", "queue-change", action="pause", destination="archive")
        self.kept = ask(box, "capture", "still")["instance"]["sop_instance_uid"]
        ask(box, "engine", "exam-close")
        until(lambda: len(shown(box, self.exam)["deliveries"]) == 3)
        # it must not go out under the old name while the next one is made
        left = [row["id"] for row in shown(box, self.exam)["deliveries"] if row["state"] == "queued"]
        ask(box, "engine", "queue-change", action="pause", deliveries=left)
        ask(box, "engine", "queue-change", action="resume", destination="archive")
        self.command = str(uuid4())


def reassign(box: Box, victim: Victim, who: dict[str, Any]) -> bool:
    """False when the engine died of it."""
    command = {"type": "exam-reassign", "id": victim.command, "exam": victim.exam, **who}
    try:
        client.command(box.runtime / "engine.sock", command)
    except SmartBoxError as exc:
        if exc.code != "no-engine":
            raise
        return False
    return True


def assert_old_or_new(box: Box, victim: Victim, new_id: str) -> None:
    now = shown(box, victim.exam)
    if into := now["exam"]["merged_into"]:
        now = shown(box, into)
    mine = [row for row in now["deliveries"] if row["kind"] != "note"]
    if now["exam"]["patient"]["id"] == new_id:
        old = [row for row in mine if row["sop_instance_uid"] in victim.sent]
        assert {row["state"] for row in old} == {"superseded"}
        assert any(row["sop_instance_uid"] == victim.kept and row["state"] == "queued" for row in mine)
    else:
        assert sorted(row["state"] for row in mine) == ["queued", "stored", "stored"]
        assert {row["sop_instance_uid"] for row in mine} == {*victim.sent, victim.kept}


@pytest.mark.parametrize("into_another", [False, True])
def test_dying_at_every_step(archive: Orthanc, into_another: bool) -> None:
    box = Box(settings(archive.port, send="immediately"))
    try:
        box.start()
        target = box.open_exam(id=RIGHT["id"], name=RIGHT["name"])["id"]
        box.ctl("still")
        box.ctl("exam", "close")
        box.wait_stored(target, 1)
        who = {"to_exam": target} if into_another else {"patient": RIGHT}
        victims: list[Victim] = []
        for step in range(1, MOST):
            if into_another and step > 1 and step % 3:  # the way is the same: every third step of it will do
                continue
            victim = Victim(box)
            victims.append(victim)
            assert box.stop("engine") == 0
            with (box.folder / "dying.log").open("ab") as log:
                dying = subprocess.Popen(
                    [sys.executable, "-m", "tests.support.dying_engine", str(step), *box.common],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                )  # fmt: skip
            box.processes["engine"] = dying
            box.wait_for("engine")
            survived = reassign(box, victim, who)
            if survived:
                assert box.stop("engine") == 0
            else:
                assert dying.wait(10) == -9
            box.start("engine")
            assert_old_or_new(box, victim, RIGHT["id"])
            assert reassign(box, victim, who)
            assert_old_or_new(box, victim, RIGHT["id"])
            if survived:
                break
        assert len(victims) >= LEAST / (3 if into_another else 1), "it must have died often"
        box.ctl("queue", "resume", "--all")
        box.ctl("queue", "retry", "--all")
        exams = {target if into_another else victim.exam for victim in victims}
        over = {"stored", "superseded"}
        until(lambda: all({row["state"] for row in shown(box, exam)["deliveries"]} <= over for exam in exams), 60)
        found = held_by(archive)
        for victim in victims:
            assert_delivered_once(box, found, victim, target if into_another else victim.exam)
        assert len(found) == 1 + sum(2 + 3 + 1 for _ in victims)
    finally:
        box.close()


def assert_delivered_once(box: Box, found: list[Any], victim: Victim, exam: str) -> None:
    (note,) = [item for item in found if item.SOPClassUID == KOS and rejected(item) & set(victim.sent)]
    assert rejected(note) == set(victim.sent)
    study = shown(box, exam)["exam"]["study_instance_uid"]
    (kept,) = [item for item in found if item.SOPInstanceUID == victim.kept]
    assert (kept.PatientID, kept.StudyInstanceUID) == (RIGHT["id"], study)
    series = [item for item in found if item.SeriesInstanceUID == kept.SeriesInstanceUID]
    assert len(series) == 3
    assert {item.PatientID for item in series} == {RIGHT["id"]}
    assert not {item.SOPInstanceUID for item in series} & set(victim.sent)
