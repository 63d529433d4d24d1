"""Performed steps of exams given to somebody else: the wrong ones are discontinued, the right ones told."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.engine.performed_rig import (
    COMPLETED,
    DISCONTINUED,
    IN_PROGRESS,
    REASON,
    performed_archive,  # noqa: F401 (fixtures)
    performed_box,  # noqa: F401
    performed_server,  # noqa: F401
    uid,
    wait_for,
)
from tests.support.box import Box, until
from tests.support.mpps import StepServer, value_of


def reassign(box: Box, exam: str, name: str = "Richtig^Rita") -> dict[str, Any]:
    patient = json.dumps({"id": "R-1", "name": name, "birth_date": "1970-01-01", "sex": "F"})
    answer: dict[str, Any] = box.ctl("exam", "reassign", exam, "--patient-file", "-", stdin=patient)["exam"]
    return answer


def test_an_unassigned_exam_has_no_step_until_it_has_a_patient(box: Box, server: StepServer) -> None:
    server.start()
    taken = box.ctl("still")["instance"]
    until(lambda: box.ctl("exam", "current")["exam"])
    box.ctl("exam", "close")
    assert server.told() == []
    reassign(box, taken["exam"])
    until(lambda: list(server.states().values()) == [COMPLETED], 20)
    (step,) = server.steps().values()
    assert value_of(step, "00100020") == "R-1"


@pytest.mark.parametrize("when", ["never sent", "in progress", "completed", "set waiting"])
def test_reassigned(box: Box, server: StepServer, when: str) -> None:
    if when != "never sent":
        server.start()
    exam = box.open_exam()
    box.ctl("still")
    states: Callable[[], dict[str, str]] = server.states
    if when != "never sent":
        wait_for(box, ("create", "sent"))
    if when == "set waiting":
        server.kill()
    if when != "in progress":
        box.ctl("exam", "close")
    if when == "completed":
        until(lambda: states() == {uid(exam): COMPLETED}, 20)
    reassign(box, exam["id"])
    if server.process is None:
        server.start()
    new = uid(exam, 0, 1)
    now = IN_PROGRESS if when == "in progress" else COMPLETED
    old = {"never sent": {}, "completed": {uid(exam): COMPLETED}}.get(when, {uid(exam): DISCONTINUED})
    until(lambda: states() == {**old, new: now}, 20, when)
    if when in ("in progress", "set waiting"):
        assert value_of(server.steps()[uid(exam)], *REASON) == "110514"
        assert value_of(server.steps()[uid(exam)], "00100020") == "T-1001"
    assert value_of(server.steps()[new], "00100020") == "R-1"
    if when == "in progress":
        box.ctl("exam", "close")
        until(lambda: states()[new] == COMPLETED, 20)
    shown = box.ctl("exam", "show", exam["id"])
    (picture,) = shown["instances"]
    assert value_of(server.steps()[new], "00400340", "00081140", "00081155") == picture["sop_instance_uid"]
    assert value_of(server.steps()[new], "00400340", "0020000E") == picture["series_instance_uid"]


def test_moved_into_another_exam_and_back_again(box: Box, server: StepServer) -> None:
    """Each folder of pictures has a step of its own, in whichever study it is."""
    server.start()
    target = box.open_exam()
    box.ctl("still")
    box.ctl("exam", "close")
    wrong = box.open_exam(id="T-2", name="Falsch^Frida")
    box.ctl("still")
    wait_for(box, ("create", "sent"), ("set", "sent"), ("create", "sent"))
    box.ctl("exam", "reassign", wrong["id"], "--exam", target["id"])
    moved = uid(wrong, 0, 1)
    until(lambda: server.states().get(moved) == COMPLETED, 20)
    assert server.states() == {uid(target): COMPLETED, uid(wrong): COMPLETED, moved: COMPLETED}
    step = server.steps()[moved]
    assert value_of(step, "00100020") == "T-1001"
    assert value_of(step, "00400270", "0020000D") == target["study_instance_uid"]
    pictures = box.ctl("exam", "show", target["id"])["instances"]
    assert value_of(step, "00400340", "00081140", "00081155") in {item["sop_instance_uid"] for item in pictures}
    reassign(box, wrong["id"])
    back = uid(wrong, 0, 2)
    until(lambda: server.states().get(back) == COMPLETED, 20)
    assert value_of(server.steps()[back], "00100020") == "R-1"
    assert {row["state"] for row in box.ctl("mpps", "list")["messages"]} == {"sent"}


def test_all_parts_of_an_appended_exam_go_with_it(box: Box, server: StepServer) -> None:
    exam = box.open_exam()
    box.ctl("still")
    box.ctl("exam", "close")
    box.ctl("exam", "append", exam["id"])
    box.ctl("still")
    reassign(box, exam["id"])  # the server has heard of nothing yet
    server.start()
    first, second = uid(exam, 0, 1), uid(exam, 1, 1)
    until(lambda: server.states() == {first: COMPLETED, second: IN_PROGRESS}, 20)
    box.ctl("exam", "close", "--discontinued", "patient-condition")
    until(lambda: server.states() == {first: COMPLETED, second: DISCONTINUED}, 20)
    assert value_of(server.steps()[second], *REASON) == "110505"
    pictures = box.ctl("exam", "show", exam["id"])["instances"]
    for step, picture in zip((first, second), pictures, strict=True):
        (series,) = server.steps()[step]["00400340"]["Value"]
        assert value_of(series, "0020000E") == picture["series_instance_uid"]
        assert [value_of(item, "00081155") for item in series["00081140"]["Value"]] == [picture["sop_instance_uid"]]
