"""Pedals on real serial lines while the engine is dead: photo, recording, mark, emergency; it is adopted after."""

from __future__ import annotations

import json
import os
import pty
import time
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.wire import client
from tests.support.box import Box, settings, until
from tests.support.dcmtk import storescp

PEDALS = """
[[pedals]]
id = "left"
kind = "serial-bytes"
device = "{left}?press=0244&release=0255"
[[pedals]]
id = "right"
kind = "serial-bytes"
device = "{right}?press=45"
short = "emergency"
long = "none"
double = "none"
"""


class Foot:
    """A pedal on a pty: what is written to the master is what the pedal says."""

    def __init__(self) -> None:
        self.master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)

    def press(self, hold_s: float = 0.1) -> None:
        os.write(self.master, b"\x02D")
        time.sleep(hold_s)
        os.write(self.master, b"\x02U")

    def say(self, what: bytes) -> None:
        os.write(self.master, what)

    def close(self) -> None:
        """Pulls it. May be called twice."""
        if self.master >= 0:
            os.close(self.master)
            os.close(self._slave)
        self.master = -1


@pytest.fixture
def feet() -> Iterator[tuple[Foot, Foot]]:
    left, right = Foot(), Foot()
    yield left, right
    left.close()
    right.close()


def capture(box: Box) -> Any:
    return client.get(box.runtime / "capture.sock", "/v1/status")


def test_everything_by_pedal_with_the_engine_dead_is_adopted_once_after(
    tmp_path: Path, feet: tuple[Foot, Foot]
) -> None:
    left, right = feet
    with storescp(tmp_path / "in") as peer:
        extra = PEDALS.format(left=left.path, right=right.path)
        box = Box(settings(peer.port, extra=extra))
        try:
            box.start("capture", "engine")
            exam = box.open_exam(id="T-7001", name="Fuß^Pedal")
            box.kill("engine")
            until(lambda: {pedal["state"] for pedal in capture(box)["pedals"]} == {"ok"}, 20)

            left.press()
            until(lambda: capture(box)["exam"]["stills"] == 1, 20, "the short press")
            left.press(0.9)
            until(lambda: capture(box)["sources"][0]["recording"], 20, "the long press")
            time.sleep(1.0)
            left.press(0.05)
            time.sleep(0.1)
            left.press(0.05)
            time.sleep(1.0)
            left.press(0.9)
            until(lambda: capture(box)["exam"]["clips"] == 1, 20, "the second long press")
            assert capture(box)["exam"]["stills"] == 1, "neither long nor double leaves a photo"
            assert capture(box)["exam"]["id"] == exam["id"]

            box.start("engine")
            until(lambda: box.ctl("exam", "show", exam["id"])["exam"]["instances"] == 2, 30, "both are adopted")
            box.ctl("exam", "close")
            rows = box.wait_stored(exam["id"], 3)
            assert sorted(row["kind"] for row in rows) == ["clip", "marks", "still"], "the double press is a mark"
            assert len({row["sop_instance_uid"] for row in rows}) == 3

            box.kill("engine")
            right.say(b"E")
            until(lambda: (capture(box)["exam"] or {}).get("stills") == 1, 20, "the emergency's photo")
            emergency = capture(box)["exam"]["id"]
            assert emergency != exam["id"]
            box.start("engine")
            until(lambda: box.ctl("exam", "show", emergency)["exam"]["instances"] == 1, 30, "it is adopted")
            assert box.deliveries(emergency)[0]["state"] == "held", "nobody has said yet who it was"
            patient = {"id": "T-7003", "name": "Not^Fall", "birth_date": "1990-01-31", "sex": "M"}
            box.ctl("exam", "reassign", emergency, "--patient-file", "-", stdin=json.dumps(patient))
            box.ctl("exam", "close")
            box.wait_stored(emergency, 1)
        finally:
            box.close()


def test_a_pedal_that_is_pulled_is_an_alarm_and_the_other_works(feet: tuple[Foot, Foot]) -> None:
    left, right = feet
    box = Box(settings(1, send="manual", extra=PEDALS.format(left=left.path, right=right.path)))
    try:
        box.start("capture", "engine")
        exam = box.open_exam(id="T-7002", name="Fuß^Kabel")
        until(lambda: {pedal["state"] for pedal in box.ctl("status")["pedals"]} == {"ok"}, 20)
        right.close()
        until(lambda: "pedal-gone-right" in [each["code"] for each in box.ctl("status")["alarms"]], 20, "the alarm")
        left.press()
        until(lambda: box.ctl("exam", "show", exam["id"])["exam"]["instances"] == 1, 20, "the other pedal works")
    finally:
        box.close()
