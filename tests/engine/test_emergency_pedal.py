"""A pedal says emergency, with real processes: capture makes the exam, the engine the patient, at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from smartbox_tui.wire import client
from tests.capture.rig import new_id
from tests.support.box import Box, settings, until

PEDAL = """
[[pedals]]
id = "left"
kind = "key"
short = "still"
long = "emergency"
double = "none"
"""


@pytest.fixture(params=["unknown", "female"])
def box(request: pytest.FixtureRequest) -> Iterator[Box]:
    extra = f'{PEDAL}\n[emergency]\npedal = "{request.param}"\n'
    box = Box(settings(1, send="manual", size="320x240", extra=extra))
    box.param = request.param  # type: ignore[attr-defined]
    try:
        box.start()
        yield box
    finally:
        box.close()


def edge(box: Box, which: str) -> None:
    client.command(box.runtime / "capture.sock", {"type": "pedal", "id": new_id(), "pedal": "left", "edge": which})


def press(box: Box) -> None:
    edge(box, "down")
    time.sleep(0.9)
    edge(box, "up")


def current(box: Box) -> Any:
    return box.ctl("exam", "current")["exam"]


def test_the_patient_is_there_with_the_picture_of_the_press(box: Box) -> None:
    press(box)
    exam = until(lambda: (found := current(box)) and found["state"] == "open" and found, 20)
    sex = {"unknown": None, "female": "F"}[box.param]  # type: ignore[attr-defined]
    assert exam["patient"]["sex"] in (sex, "O" if sex is None else sex)
    assert exam["patient"]["name"].startswith("NOTFALL")
    assert exam["patient"]["id"]
    assert exam["emergency"]
    until(lambda: current(box)["instances"] == 1)
    assert client.get(box.runtime / "capture.sock", "/v1/status")["exam"]["patient"]["id"] == exam["patient"]["id"]
    # Pressed again while the emergency is there: a picture more, no second patient.
    press(box)
    until(lambda: current(box)["instances"] == 2)
    assert current(box)["id"] == exam["id"]
    assert len(box.ctl("exam", "list")["exams"]) == 1


def test_with_the_engine_away_it_waits_for_a_name(box: Box) -> None:
    before = box.ctl("still")["instance"]["exam"]
    until(lambda: current(box), what="the unassigned exam")
    box.kill("engine")
    press(box)
    held = until(
        lambda: (now := client.get(box.runtime / "capture.sock", "/v1/status")["exam"])["id"] != before and now
    )
    assert held["state"] == "unassigned"
    box.start("engine")
    exam = until(lambda: (found := current(box)) and found["id"] == held["id"] and found, 20)
    assert exam["state"] in ("unassigned", "open")
    until(lambda: current(box)["instances"] == 1)
    assert box.ctl("exam", "show", before)["exam"]["instances"] == 1
