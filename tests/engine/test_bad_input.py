"""Bad input and bad luck: each with its code, its sentence, its hint and its exit status, and nothing lost.

`Box.smartbox` itself fails on an error without a message or without a hint.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.box import Box, CtlError, running, settings, until
from tests.support.dcmtk import free_port


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    with running(settings(free_port())) as made:
        yield made


@pytest.fixture
def idle() -> Iterator[Box]:
    """Folders and settings, no process."""
    made = Box(settings(free_port()))
    yield made
    made.close()


def refused(box: Box, *arguments: str, stdin: str | None = None) -> CtlError:
    with pytest.raises(CtlError) as caught:
        box.smartbox(*arguments, stdin=stdin)
    return caught.value


def test_no_engine(idle: Box) -> None:
    error = refused(idle, "ctl", "status")
    assert (error.code, error.status) == ("no-engine", 3)
    error = refused(idle, "ctl", "still")
    assert (error.code, error.status) == ("no-engine", 3)
    assert "capture" in error.message


def test_people_get_the_same_sentence_without_json(idle: Box) -> None:
    done = idle.raw("ctl", "status")
    assert (done.returncode, done.stdout) == (3, "")
    assert "smartbox engine" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["still", "--source", "nose"], "unknown-source"),
        (["record", "start", "--source", "nose"], "unknown-source"),
        (["record", "stop"], "not-recording"),
        (["record", "mark"], "not-recording"),
        (["exam", "close"], "no-exam"),
        (["discard-last", "--reason", "blurred"], "no-exam"),
        (["exam", "show", str(uuid4())], "not-found"),
        (["exam", "show", "../../etc"], "not-found"),
        (["exam", "release", str(uuid4())], "not-found"),
        (["instance", "show", "1.2.3"], "not-found"),
        (["queue", "list", "--state", "lost"], "bad-value"),
        (["queue", "retry", "4711"], "not-found"),
        (["queue", "retry"], "bad-value"),
        (["queue", "pause", "--destination", "nowhere"], "not-found"),
        (["destination", "test", "nowhere"], "not-found"),
        (["destination", "remove", "nowhere"], "not-found"),
        (["destination", "add", "x", "--host", "h"], "bad-value"),
        (["destination", "add", "x", "--host", "h", "--aet", "A" * 17], "bad-value"),
        (["exam", "open", "--patient-id", "1"], "bad-value"),
        (["exam", "open"], "bad-value"),
        (["exam", "open", "--emergency", "child", "--age", "old"], "bad-value"),
        (["exam", "open", "--patient-file", "/nowhere.json"], "not-found"),
        (["exam", "open", "--worklist", "W1"], "not-found"),
        (["still", "--id", "17"], "bad-value"),
    ],
)
def test_each_mistake_has_its_code(box: Box, arguments: list[str], code: str) -> None:
    error = refused(box, "ctl", *arguments)
    assert (error.code, error.status) == (code, 1)


@pytest.mark.parametrize(
    "arguments", [["ctl"], ["ctl", "exam", "opne"], ["nonsense"], ["ctl", "status", "--jsno"], []]
)
def test_wrong_usage_is_exit_2_with_text_and_no_json(idle: Box, arguments: list[str]) -> None:
    done = idle.raw(*arguments, "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage" in done.stderr


def test_a_patient_file_that_is_none_is_told_without_its_content(box: Box) -> None:
    secret = '{"id": "4711-22", "name": "Geheim^Person", "sxe": "F"}'
    for text, code in ((secret, "unknown-key"), (secret + "}", "bad-value"), ("[]", "bad-value")):
        error = refused(box, "ctl", "exam", "open", "--patient-file", "-", stdin=text)
        assert error.code == code
        assert "Geheim" not in error.message + error.hint
        assert "4711" not in error.message + error.hint
    assert "Geheim" not in box.log("engine")


def test_a_request_that_is_none_is_told(box: Box) -> None:
    from smartbox_tui.errors import SmartBoxError
    from smartbox_tui.wire import client

    for name in ("engine", "capture"):
        for body in (b"{", b"[]", b'{"type": "nonsense"}', b'{"type": "still", "id": 7}', b"\xff"):
            with pytest.raises(SmartBoxError) as caught:
                client.request(box.runtime / f"{name}.sock", "POST", "/v1/command", body)
            assert caught.value.code == "bad-value", body


def test_a_wrong_accession_number_closes_nothing(box: Box) -> None:
    box.ctl("still")
    exam = until(lambda: box.ctl("exam", "current")["exam"])
    assert exam["state"] == "unassigned"
    error = refused(box, "ctl", "exam", "open", "--emergency", "male", "--accession", "A" * 17)
    assert error.code == "bad-value"
    assert box.ctl("exam", "current")["exam"]["id"] == exam["id"]
    box.ctl("exam", "close")


def test_second_exam_open_and_record_start_twice(box: Box) -> None:
    box.open_exam()
    error = refused(box, "ctl", "exam", "open", "--emergency", "male")
    assert error.code == "exam-open"
    box.ctl("record", "start")
    assert refused(box, "ctl", "record", "start").code == "already-recording"
    box.ctl("record", "stop")
    box.ctl("exam", "close")


def test_a_destination_with_open_pictures_is_not_removed(box: Box) -> None:
    box.ctl("destination", "add", "second", "--host", "127.0.0.1", "--port", str(free_port()), "--aet", "B")
    exam = box.open_exam(id="T-7")
    box.ctl("still")
    box.ctl("exam", "close")
    until(lambda: len(box.deliveries(exam["id"])) == 2)
    assert refused(box, "ctl", "destination", "remove", "second").code == "in-use"
    assert box.ctl("queue", "cancel", "--destination", "second")["changed"] >= 1
    until(lambda: box.raw("ctl", "destination", "remove", "second").returncode == 0)
    assert [item["name"] for item in box.ctl("destination", "list")["destinations"]] == ["archive"]
    assert "second" not in box.config.read_text(encoding="utf-8")


def test_two_engines_and_two_captures(box: Box) -> None:
    for name in ("engine", "capture"):
        done = box.raw(name)
        assert done.returncode == 1
        assert "Another" in done.stderr


def test_an_unknown_settings_key_names_the_nearest(idle: Box) -> None:
    idle.config.write_text('langauge = "de"\n', encoding="utf-8")
    for name in ("engine", "capture", "console"):
        error = refused(idle, name)
        assert (error.code, error.status) == ("unknown-key", 1)
        assert "language" in error.hint


def test_a_socket_path_that_is_too_long_is_told(idle: Box) -> None:
    done = subprocess.run(
        [*idle_program(), "engine", "--json", "--state", str(idle.state), "--runtime", "/tmp/" + "x" * 120],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert json.loads(done.stdout)["error"]["code"] == "bad-value"


def idle_program() -> list[str]:
    from tests.support.box import PROGRAM

    return PROGRAM


def test_a_device_that_is_not_there_is_told_and_the_rest_works() -> None:
    text = settings(free_port()).replace('kind = "pattern"', 'kind = "v4l2"\ndevice = "/dev/video97"')
    box = Box(text)
    try:
        box.start("engine")
        box.start("capture", wait=False)
        source = until(
            lambda: next(
                (
                    item
                    for item in box.ctl("status")["sources"]
                    if item["signal_text"] and box.ctl("status")["capture"]
                ),
                None,
            )
        )
        until(lambda: box.ctl("sources")["sources"][0]["signal_state"] == "gone")
        assert source["signal"] is False
        assert refused(box, "ctl", "still").code in ("device-gone", "no-signal")
        assert refused(box, "ctl", "record", "start").code in ("device-gone", "no-signal")
        done = box.raw("doctor", "--json")
        assert done.returncode == 1
        failed = {item["id"] for item in json.loads(done.stdout)["checks"] if item["ok"] is False}
        assert "source.endo" in failed
    finally:
        box.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_told_and_what_was_taken_stays(small_disk: Path) -> None:
    box = Box(settings(free_port(), size="1280x720"), state=small_disk / "s")
    try:
        box.start()
        assert refused(box, "ctl", "record", "start").code == "disk-full"
        exam = box.open_exam()
        taken = []
        for _ in range(60):
            done = box.raw("ctl", "still", "--json")
            value = json.loads(done.stdout)
            if "error" in value:
                assert value["error"]["code"] == "disk-full"
                assert value["error"]["hint"]
                break
            taken.append(value["instance"])
        else:
            raise AssertionError("the disk never filled")
        assert len(taken) >= 3
        assert "disk-no-recording" in {item["code"] for item in box.ctl("status")["alarms"]}
        box.stop("engine")
        box.stop("capture")
        done = box.smartbox("store", "check")
        damaged = [
            item
            for item in done["problems"]
            if "header" not in item["problem"] and "adopted" not in item["problem"]
        ]
        assert damaged == []
        folder = small_disk / "s" / "spool" / exam["id"]
        for item in taken:
            assert (folder / f"{item['id']}.jpg").stat().st_size == item["bytes"]
    finally:
        box.close()
