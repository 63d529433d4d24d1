"""kill -9 of each process in the middle of a recording and of a transfer: the others go on, nothing is lost."""

from __future__ import annotations

import os
import pty
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.box import PROGRAM, Box, running, settings, until
from tests.support.frames import assert_no_frame_lost_or_doubled, count_frames, strips_of_clip
from tests.support.orthanc import Orthanc
from tests.support.relay import Relay

pytestmark = [pytest.mark.crash, pytest.mark.orthanc]


def uids_in(archive: Orthanc) -> list[str]:
    return sorted(
        archive.json(f"/instances/{item}")["MainDicomTags"]["SOPInstanceUID"] for item in archive.instances()
    )


def test_the_engine_dies_in_a_recording_and_capture_goes_on(box: Box, archive: Orthanc) -> None:
    exam = box.open_exam()
    taken = [box.ctl("still")["instance"]]
    box.ctl("record", "start")
    time.sleep(1)
    box.kill("engine")
    taken.append(box.ctl("still")["instance"])
    time.sleep(1)
    stopped = box.ctl("record", "stop")
    assert stopped["deliveries"] == "pending"
    taken += stopped["instances"]
    taken.append(box.ctl("still")["instance"])
    assert box.raw("ctl", "exam", "close", "--json").returncode == 3
    box.start("engine")
    until(lambda: box.ctl("exam", "current")["exam"], what="the exam after the crash")
    assert box.ctl("exam", "current")["exam"]["id"] == exam["id"]
    box.ctl("exam", "close")
    box.wait_stored(exam["id"], 4)
    assert uids_in(archive) == sorted(item["sop_instance_uid"] for item in taken)


def test_a_trigger_without_an_engine_opens_the_unassigned_exam_itself(box: Box, archive: Orthanc) -> None:
    box.kill("engine")
    taken = box.ctl("still")["instance"]
    box.start("engine")
    exam = until(lambda: box.ctl("exam", "current")["exam"])
    assert (exam["state"], exam["id"]) == ("unassigned", taken["exam"])
    (row,) = until(lambda: box.deliveries(exam["id"]))
    assert row["state"] == "held"


def test_an_exam_opened_without_capture_is_its_exam_when_it_is_back(box: Box, archive: Orthanc) -> None:
    box.kill("capture")
    exam = box.open_exam()
    box.start("capture")
    assert box.ctl("still")["instance"]["exam"] == exam["id"]
    box.kill("capture")
    box.ctl("exam", "close")
    box.wait_stored(exam["id"], 1)
    box.start("capture")
    assert box.ctl("exam", "current")["exam"] is None


def test_capture_dies_in_a_recording_and_loses_at_most_the_last_second(
    box: Box, archive: Orthanc, tmp_path: Path
) -> None:
    exam = box.open_exam()
    still = box.ctl("still")["instance"]
    box.ctl("record", "start")
    time.sleep(4)
    killed = time.monotonic_ns()
    box.kill("capture")
    box.start("capture")
    if time.monotonic_ns() - killed > 4e9:
        pytest.skip("this machine needs more than 4 s to start capture: nothing goes on by itself then")
    until(lambda: box.ctl("status")["sources"][0]["recording"], 30, "a new clip to start by itself")
    time.sleep(1)
    box.ctl("exam", "close")  # stops the second clip
    rows = box.wait_stored(exam["id"], 3)
    clips = [
        box.ctl("instance", "show", row["sop_instance_uid"])["instance"]
        for row in rows
        if row["sop_instance_uid"] != still["sop_instance_uid"]
    ]
    first, second = sorted(clips, key=lambda item: item["captured_at"])
    for clip in (first, second):
        path = box.state / "spool" / exam["id"] / f"{clip['id']}.ts"
        assert count_frames(path) == clip["frames"]
        assert_no_frame_lost_or_doubled(strips_of_clip(path, 640, 360), clip["frames_lost"])
    end = first["frame_ns"] + first["frames"] / 30 * 1e9
    assert killed - end <= 1e9
    assert len(uids_in(archive)) == 3


@pytest.fixture
def slow(archive: Orthanc) -> Iterator[tuple[Box, Relay]]:
    """A box whose way to the archive takes a second for every 60 kB."""
    with Relay(archive.port, bytes_per_s=60_000) as relay, running(settings(relay.port)) as made:
        yield made, relay


def sending_exam(box: Box, stills: int = 8) -> dict[str, str]:
    exam: dict[str, str] = box.open_exam()
    for _ in range(stills):
        box.ctl("still")
    box.ctl("exam", "close")
    until(lambda: any(row["state"] == "sending" for row in box.deliveries(exam["id"])), what="a transfer")
    return exam


def test_the_engine_dies_in_a_transfer_and_everything_is_there_once(
    slow: tuple[Box, Relay], archive: Orthanc
) -> None:
    box, relay = slow
    exam = sending_exam(box)
    for _ in range(3):
        time.sleep(0.7)
        box.kill("engine")
        box.ctl("still")  # capture does not care
        box.start("engine")
    relay.bytes_per_s = 100_000_000
    rows = box.wait_stored(exam["id"], 8)
    got = uids_in(archive)
    assert sorted(row["sop_instance_uid"] for row in rows) == got


def test_capture_dies_in_a_transfer_and_the_engine_goes_on(slow: tuple[Box, Relay], archive: Orthanc) -> None:
    box, relay = slow
    exam = sending_exam(box)
    box.kill("capture")
    relay.bytes_per_s = 100_000_000
    box.wait_stored(exam["id"], 8)
    assert len(uids_in(archive)) == 8
    alarms = {item["code"] for item in box.ctl("status")["alarms"]}
    assert "capture-away" in alarms


def test_a_connection_cut_in_mid_object_is_repeated(slow: tuple[Box, Relay], archive: Orthanc) -> None:
    box, relay = slow
    exam = sending_exam(box)
    relay.cut()
    until(lambda: any(row["attempts"] or row["state"] == "waiting" for row in box.deliveries(exam["id"])))
    relay.bytes_per_s = 100_000_000
    box.wait_stored(exam["id"], 8)
    assert len(uids_in(archive)) == 8


def test_a_console_dies_and_nobody_else_notices(slow: tuple[Box, Relay], archive: Orthanc) -> None:
    box, relay = slow
    exam = sending_exam(box)
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update({"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "33"})
        os.execv(PROGRAM[0], [*PROGRAM, "console", *box.common])
    shown = bytearray()

    def read() -> None:
        try:
            while data := os.read(terminal, 65536):
                shown.extend(data)
        except OSError:
            return

    thread = threading.Thread(target=read)
    thread.start()
    until(lambda: len(shown) > 2000, 60, "the console's screen")
    box.open_exam(id="T-2")
    box.ctl("record", "start")
    time.sleep(1)
    os.kill(child, 9)
    os.waitpid(child, 0)
    thread.join(10)
    os.close(terminal)
    stopped = box.ctl("record", "stop")
    assert stopped["frames"] > 30
    relay.bytes_per_s = 100_000_000
    box.wait_stored(exam["id"], 8)


def test_a_repeated_command_makes_nothing_twice_even_after_restarts(box: Box, archive: Orthanc) -> None:
    ids = {name: str(uuid4()) for name in ("open", "still", "start", "stop", "discard", "close")}

    def both(question: list[str], stdin: str | None = None) -> list[dict[str, object]]:
        answers = [box.ctl(*question, stdin=stdin)]
        for name in ("capture", "engine"):
            box.kill(name)
        box.start("capture", "engine")
        answers.append(box.ctl(*question, stdin=stdin))
        return answers

    patient = '{"id": "T-1", "name": "Test^Eins", "birth_date": "1970-01-01", "sex": "O"}'
    first, again = both(["exam", "open", "--patient-file", "-", "--id", ids["open"]], patient)
    assert first["exam"]["id"] == again["exam"]["id"] == ids["open"]  # type: ignore[index]
    first, again = both(["still", "--id", ids["still"]])
    assert first["instance"]["sop_instance_uid"] == again["instance"]["sop_instance_uid"]  # type: ignore[index]
    box.ctl("record", "start", "--id", ids["start"])
    box.ctl("record", "start", "--id", ids["start"])
    time.sleep(1)
    first, again = both(["record", "stop", "--id", ids["stop"]])
    assert [item["id"] for item in first["instances"]] == [item["id"] for item in again["instances"]]  # type: ignore[attr-defined]
    box.ctl("still")
    first, again = both(["discard-last", "--reason", "blurred", "--id", ids["discard"]])
    assert first["instance"]["sop_instance_uid"] == again["instance"]["sop_instance_uid"]  # type: ignore[index]
    first, again = both(["exam", "close", "--id", ids["close"]])
    assert first["exam"]["id"] == again["exam"]["id"]  # type: ignore[index]
    until(lambda: len(archive.instances()) == 2)
    time.sleep(1)
    assert len(archive.instances()) == 2
    assert len(box.ctl("exam", "list")["exams"]) == 1


def test_what_was_discarded_while_the_engine_was_dead_is_not_sent(box: Box, archive: Orthanc) -> None:
    exam = box.open_exam()
    keep = box.ctl("still")["instance"]
    drop = box.ctl("still")["instance"]
    until(lambda: len(box.deliveries(exam["id"])) == 2)
    box.kill("engine")
    box.ctl("discard-last", "--reason", "blurred")
    box.start("engine")
    until(lambda: box.ctl("exam", "current")["exam"])
    box.ctl("exam", "close")
    until(lambda: uids_in(archive) == [keep["sop_instance_uid"]])
    until(lambda: box.deliveries(exam["id"]) and not box.ctl("queue", "list", "--state", "queued")["deliveries"])
    rows = {row["sop_instance_uid"]: row["state"] for row in box.deliveries(exam["id"])}
    assert rows == {keep["sop_instance_uid"]: "stored", drop["sop_instance_uid"]: "cancelled"}
    assert uids_in(archive) == [keep["sop_instance_uid"]]


def test_an_exam_closed_while_capture_was_dead_gets_its_clip_when_capture_is_back(
    box: Box, archive: Orthanc
) -> None:
    exam = box.open_exam()
    box.ctl("record", "start")
    time.sleep(2)
    box.kill("capture")
    box.ctl("exam", "close")
    assert box.deliveries(exam["id"]) == []
    box.start("capture")
    (row,) = box.wait_stored(exam["id"], 1)
    assert uids_in(archive) == [row["sop_instance_uid"]]
    assert box.ctl("status")["sources"][0]["recording"] is None  # its exam is over: nothing goes on
