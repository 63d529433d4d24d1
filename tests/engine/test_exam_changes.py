"""An exam after its closing, and held back: appended to, suspended while it is, kept on the box, sent by hand."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.wire import client
from tests.support.box import Box, until
from tests.support.orthanc import Orthanc
from tests.support.reassigning import held_by

pytestmark = pytest.mark.orthanc


def command(box: Box, kind: str, **values: Any) -> dict[str, Any]:
    value: dict[str, Any] = client.command(
        box.runtime / "engine.sock", {"type": kind, "id": str(uuid4()), **values}
    )["exam"]
    return value


def test_pictures_after_the_closing_are_a_new_series_of_the_same_study(box: Box, archive: Orthanc) -> None:
    exam = box.open_exam()
    first = box.ctl("still")["instance"]
    box.ctl("exam", "close")
    box.wait_stored(exam["id"], 1)
    again = command(box, "exam-append", exam=exam["id"])
    assert (again["state"], again["parts"]) == ("appended", 1)
    assert box.ctl("exam", "current")["exam"]["id"] == exam["id"]
    second = box.ctl("still")["instance"]
    assert second["series_instance_uid"] != first["series_instance_uid"]
    (row,) = [item for item in until(lambda: box.deliveries(exam["id"])[1:]) if item["state"] != "stored"]
    assert (row["state"], row["code"]) == ("held", "exam-open"), "not before the exam is closed again"
    # the box is restarted in between: it goes on as an appended exam
    box.kill("engine")
    box.start("engine")
    assert box.ctl("exam", "current")["exam"]["state"] == "appended"
    box.ctl("exam", "close")
    box.wait_stored(exam["id"], 2)
    found = held_by(archive)
    assert {item.StudyInstanceUID for item in found} == {exam["study_instance_uid"]}
    assert {item.SeriesInstanceUID for item in found} == {
        first["series_instance_uid"],
        second["series_instance_uid"],
    }
    assert sorted(int(item.SeriesNumber) for item in found) == [1, 2]


def test_only_a_patients_closed_exam_is_appended_to(box: Box) -> None:
    exam = box.open_exam()
    for wrong, code in ((exam["id"], "refused"), (str(uuid4()), "not-found"), ("../../etc", "not-found")):
        with pytest.raises(SmartBoxError) as caught:
            command(box, "exam-append", exam=wrong)
        assert caught.value.code == code, wrong
    box.ctl("exam", "close")
    other = box.open_exam(id="T-2")
    with pytest.raises(SmartBoxError) as caught:
        command(box, "exam-append", exam=exam["id"])
    assert caught.value.code == "exam-open"
    assert box.ctl("exam", "current")["exam"]["id"] == other["id"]


def test_a_held_exam_stays_on_the_box_until_it_is_sent(box: Box, archive: Orthanc) -> None:
    exam = box.open_exam()
    box.ctl("still")
    held = command(box, "exam-hold", exam=exam["id"])
    assert held["held"]
    box.ctl("still")
    box.ctl("exam", "close")
    rows = until(lambda: len(box.deliveries(exam["id"])) == 2 and box.deliveries(exam["id"]))
    assert {row["state"] for row in rows} == {"held"}
    box.kill("engine")
    box.start("engine")
    assert {row["state"] for row in box.deliveries(exam["id"])} == {"held"}
    assert archive.instances() == []
    box.ctl("exam", "release", exam["id"])
    box.wait_stored(exam["id"], 2)
    assert not box.ctl("exam", "show", exam["id"])["exam"]["held"]


def test_a_press_from_before_the_exam_leaves_no_exam_open(box: Box) -> None:
    """The picture is of the moment of the press: nobody was chosen then."""
    import time

    before = time.monotonic_ns()
    time.sleep(0.3)
    exam = box.open_exam()
    taken = box.ctl("still", "--at", str(before))["instance"]
    assert taken["exam"] != exam["id"]
    stray = until(lambda: box.ctl("exam", "show", taken["exam"])["exam"]["closed_at"], what="it to be closed")
    assert stray
    assert box.ctl("exam", "current")["exam"]["id"] == exam["id"]
    assert [item["id"] for item in box.ctl("exam", "list", "--unassigned")["exams"]] == [taken["exam"]]
