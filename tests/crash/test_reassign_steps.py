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

pytestmark = [pytest.mark.crash, pytest.mark.orthanc]

MOST = 60
"""More steps than there are: the loop ends at the first engine that survives."""
LEAST = 10


class Victim:
    """One exam with two pictures in the archive and one that was never sent, and the command that reassigns it."""

    def __init__(self, box: Box) -> None:
        self.exam = box.open_exam()["id"]
        self.sent = [item["sop_instance_uid"] for item in box.ctl("still", "--burst", "2")["instances"]]
        box.wait_stored(self.exam, 2)
        box.ctl("queue", "pause", "--destination", "archive")
        self.kept = box.ctl("still")["instance"]["sop_instance_uid"]
        box.ctl("exam", "close")
        until(lambda: len(box.deliveries(self.exam)) == 3)
        for row in box.deliveries(self.exam):
            if row["state"] == "queued":  # it must not go out under the old name while the next one is made
                box.ctl("queue", "pause", str(row["id"]))
        box.ctl("queue", "resume", "--destination", "archive")
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
    shown = box.ctl("exam", "show", victim.exam)
    into = shown["exam"]["merged_into"]
    if into:
        shown = box.ctl("exam", "show", into)
    mine = [row for row in shown["deliveries"] if row["kind"] != "note"]
    if shown["exam"]["patient"]["id"] == new_id:
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
        for victim in victims:
            assert_delivered_once(box, archive, victim, target if into_another else victim.exam)
        total = 1 + sum(2 + 3 + 1 for _ in victims)
        assert len(archive.instances()) == total
    finally:
        box.close()


def assert_delivered_once(box: Box, archive: Orthanc, victim: Victim, shown: str) -> None:
    def done() -> bool:
        return {row["state"] for row in box.deliveries(shown)} <= {"stored", "superseded"}

    until(done, 60, "everything stored")
    found = held_by(archive)
    (note,) = [item for item in found if item.SOPClassUID == KOS and rejected(item) & set(victim.sent)]
    assert rejected(note) == set(victim.sent)
    study = box.ctl("exam", "show", shown)["exam"]["study_instance_uid"]
    (kept,) = [item for item in found if item.SOPInstanceUID == victim.kept]
    assert (kept.PatientID, kept.StudyInstanceUID) == (RIGHT["id"], study)
    series = [item for item in found if item.SeriesInstanceUID == kept.SeriesInstanceUID]
    assert len(series) == 3
    assert {item.PatientID for item in series} == {RIGHT["id"]}
    assert not {item.SOPInstanceUID for item in series} & set(victim.sent)
