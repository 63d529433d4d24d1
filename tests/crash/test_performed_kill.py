"""kill -9 of the engine while an exam is being given to somebody else: each step is told once, and rightly."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.wire import client
from tests.engine.performed_rig import COMPLETED, DISCONTINUED, REASON, mpps, uid
from tests.support.archive import own_archive
from tests.support.box import Box, running, settings, until
from tests.support.mpps import StepServer, step_server, value_of

pytestmark = pytest.mark.crash

RIGHT = {"id": "R-1", "name": "Richtig^Rita", "birth_date": "1970-01-01", "sex": "F"}
DELAYS_MS = (5, 15, 30, 50, 80, 120)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[StepServer]:
    with step_server(tmp_path / "mpps") as made:
        yield made


@pytest.fixture
def box(tmp_path: Path, server: StepServer) -> Iterator[Box]:
    with (
        own_archive(tmp_path / "archive") as archive,
        running(settings(archive.port, send="immediately", extra=mpps(server.port))) as made,
    ):
        yield made


def test_steps_of_an_exam_that_is_reassigned_by_a_dying_engine(box: Box, server: StepServer) -> None:
    exams = []
    for delay in DELAYS_MS:
        exam = box.open_exam()
        exams.append(exam)
        box.ctl("still")
        until(lambda exam=exam: uid(exam) in server.steps(), 20, "the step to begin")  # type: ignore[misc]
        command = {"type": "exam-reassign", "id": str(uuid4()), "exam": exam["id"], "patient": RIGHT}
        asking = threading.Thread(target=_ask, args=(box, command))
        asking.start()
        time.sleep(delay / 1000)
        box.kill("engine")
        asking.join(20)
        box.start("engine")
        assert client.command(box.runtime / "engine.sock", command)["exam"]["generation"] == 1
        box.ctl("exam", "close")
    wanted = {uid(exam): DISCONTINUED for exam in exams} | {uid(exam, 0, 1): COMPLETED for exam in exams}
    until(lambda: server.states() == wanted, 40, "all steps to be over")
    taken = [(item["verb"], item["uid"]) for item in server.told() if item["status"] == 0]
    assert sorted(taken) == sorted((verb, step) for verb in ("create", "set") for step in wanted)
    for exam in exams:
        old, new = server.steps()[uid(exam)], server.steps()[uid(exam, 0, 1)]
        assert value_of(old, *REASON) == "110514"
        assert (value_of(old, "00100020"), value_of(new, "00100020")) == ("T-1001", "R-1")
        (picture,) = box.ctl("exam", "show", exam["id"])["instances"]
        assert value_of(new, "00400340", "00081140", "00081155") == picture["sop_instance_uid"]
    assert {row["state"] for row in box.ctl("mpps", "list")["messages"]} <= {"sent", "dropped"}


def _ask(box: Box, command: dict[str, Any]) -> None:
    with contextlib.suppress(SmartBoxError):  # it dies of it
        client.command(box.runtime / "engine.sock", command)
