"""kill -9 at every durable step of putting an exam's dates right: it has its old dates or its new ones, the next
start completes it, and what is sent is sent once, under the UID that capture gave it, with the right time."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from tests.support.box import Box, settings, until
from tests.support.movedclock import MovedClock
from tests.support.orthanc import Orthanc
from tests.support.reassigning import held_by

pytestmark = [pytest.mark.crash, pytest.mark.orthanc, pytest.mark.timeout(1500)]  # a process for every step

YEARS = -6 * 365 * 86400.0
MOST = 60
"""More steps than there are: the loop ends at the first engine that survives."""
LEAST = 8


def test_dying_at_every_step(archive: Orthanc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moved = MovedClock(tmp_path, monkeypatch)
    box = Box(settings(archive.port, send="immediately").replace("wait_s = 0", "wait_s = 1e9"))
    began = time.time()
    died = 0
    exams: dict[str, list[str]] = {}
    try:
        for step in range(1, MOST):
            moved.boot()
            moved.set(YEARS, synchronised=False)
            box.start()
            exam = box.open_exam(id=f"T-{step}")["id"]
            exams[exam] = [box.ctl("still")["instance"]["sop_instance_uid"] for _ in range(2)]
            until(lambda exam=exam: len(box.deliveries(exam)) == 2)  # type: ignore[misc]
            for name in ("engine", "capture"):
                assert box.stop(name) == 0
            moved.set(0, synchronised=True)
            with (box.folder / "dying.log").open("ab") as log:
                dying = subprocess.Popen(
                    [sys.executable, "-m", "tests.support.dying_engine", str(step), *box.common],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                )  # fmt: skip
            box.processes["engine"] = dying
            survived = until(lambda dying=dying, exam=exam: _ended(box, dying, exam), 90)  # type: ignore[misc]
            if survived == "alive":
                assert box.stop("engine") == 0
            else:
                assert dying.returncode == -9
                died += 1
            box.start()
            box.wait_stored(exam, 2)
            shown = box.ctl("exam", "show", exam)["exam"]
            assert shown["dates"] == ""
            box.ctl("exam", "close")
            for name in ("engine", "capture"):
                assert box.stop(name) == 0
            if survived == "alive":
                break
        assert died >= LEAST, "it must have died often"
    finally:
        box.close()
    found = held_by(archive)
    assert sorted(item.SOPInstanceUID for item in found) == sorted(uid for uids in exams.values() for uid in uids)
    for item in found:
        at = datetime.strptime(item.AcquisitionDateTime, "%Y%m%d%H%M%S.%f%z").timestamp()
        assert began - 1 < at < time.time()
        study = f"{item.StudyDate}{item.StudyTime}{item.TimezoneOffsetFromUTC}"
        assert began - 1 < datetime.strptime(study, "%Y%m%d%H%M%S.%f%z").timestamp() < time.time()
        assert "ImageComments" not in item
    for exam, uids in exams.items():
        mine = sorted((item for item in found if item.SOPInstanceUID in uids), key=lambda item: item.InstanceNumber)
        assert [item.SOPInstanceUID for item in mine] == uids, exam


def _ended(box: Box, dying: subprocess.Popen[bytes], exam: str) -> str:
    """ "dead", or "alive" when everything of the exam is stored; empty while neither is so."""
    if dying.poll() is not None:
        return "dead"
    done = box.raw("ctl", "exam", "show", exam, "--json")
    return "alive" if done.returncode == 0 and done.stdout.count('"stored"') >= 2 else ""
