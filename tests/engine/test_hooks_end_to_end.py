"""Hooks on a box of real processes: an exam's whole way to the archive, an archive that goes and comes back, the
settings, and the engine killed in the middle of it."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.dicom import scp
from tests.support.box import Box, CtlError, settings, until
from tests.support.dcmtk import free_port
from tests.support.orthanc import Orthanc
from tests.support.receiver import Receiver, receiver


def hook(url: str, events: str = "*", name: str = "it", more: str = "") -> str:
    return f"""
[[hooks]]
name = "{name}"
events = "{events}"
url = "{url}"
timeout_s = 2
retry = {{ first_s = 0.1, factor = 1, max_s = 0.3 }}
{more}
"""


@contextlib.contextmanager
def running(config: str) -> Iterator[Box]:
    box = Box(config)
    try:
        box.start()
        yield box
    finally:
        box.close()


def of(there: Receiver, *events: str) -> list[dict[str, Any]]:
    return [item for item in there.taken if item["event"] in events]


def wait_for(there: Receiver, event: str, timeout_s: float = 30.0) -> dict[str, Any]:
    until(lambda: of(there, event), timeout_s, event)
    return of(there, event)[-1]["data"]  # type: ignore[no-any-return]


def test_an_exam_is_told_from_its_opening_until_everything_is_in_the_archive(archive: Orthanc) -> None:
    with receiver() as there, running(settings(archive.port, extra=hook(there.url))) as box:
        exam = box.open_exam()
        stills = [box.ctl("still")["instance"] for _ in range(2)]
        box.ctl("exam", "close")
        done = wait_for(there, "exam.delivered")
        assert (done["exam"], done["stored"], done["cancelled"]) == (exam["id"], 2, 0)
        assert done["study_instance_uid"] == exam["study_instance_uid"]
        stored = of(there, "delivery.stored")
        uids = {item["sop_instance_uid"] for item in stills}
        assert {item["data"]["sop_instance_uid"] for item in stored} == uids
        assert {item["data"]["sop_instance_uid"] for item in of(there, "instance.captured")} == uids
        order = [name for name in there.names() if name.startswith(("exam", "delivery", "instance"))]
        assert order == [
            "exam.opened", "instance.captured", "instance.captured", "exam.closed", "delivery.stored",
            "delivery.stored", "exam.delivered",
        ]  # fmt: skip
        text = b"".join(there.bodies).decode()
        assert "Jördis" not in text
        assert "T-1001" not in text
        # somebody else's by now
        box.ctl("exam", "reassign", exam["id"], "--patient-id", "T-2", "--name", "Zwei^Zoe")
        assert wait_for(there, "exam.reassigned")["generation"] == 1
        until(lambda: len(of(there, "exam.delivered")) == 2, 30, "the pictures once more")


def test_an_archive_that_goes_and_comes_back_is_told_once(tmp_path: Path) -> None:
    port = free_port()
    with receiver() as there:
        extra = hook(there.url, "destination.*, alarm.*")
        with running(settings(port, send="immediately", extra=extra)) as box:
            box.open_exam()
            for _ in range(3):
                box.ctl("still")
            assert wait_for(there, "destination.away")["destination"] == "archive"
            box.kill("engine")
            box.start("engine")
            time.sleep(3)
            assert len(of(there, "destination.away")) == 1
            archive = scp.start("127.0.0.1", port, "ORTHANC", tmp_path / "archive")
            try:
                assert wait_for(there, "destination.back")["state"] == "ok"
                assert len(of(there, "destination.away")) == 1
            finally:
                archive.stop()


def test_the_settings_take_a_hook_at_once_and_the_audit_has_it(tmp_path: Path) -> None:
    with receiver() as there, receiver() as second, running(settings(free_port())) as box:
        assert box.ctl("hook", "list") == {"hooks": []}
        table = f'{{url = "{there.url}", events = "settings.*, exam.opened"}}'
        box.ctl("settings", "set", "hooks.it", table)
        box.open_exam()
        wait_for(there, "exam.opened")
        box.ctl("settings", "set", "hooks.it.url", second.url)
        assert wait_for(second, "settings.changed")["paths"] == ["hooks.it.url"]
        answer = box.ctl("hook", "test", "it")
        assert (answer["ok"], answer["answer"]) == (True, "heard")
        assert box.ctl("settings", "test", "hook", "it")["ok"]
        listed = box.ctl("hook", "list")["hooks"][0]
        assert (listed["name"], listed["kind"], listed["state"]) == ("it", "webhook", "ok")
        second.answer = lambda _number, _event: 410
        assert box.raw("ctl", "hook", "test", "it").returncode == 1
        with pytest.raises(CtlError) as error:
            box.ctl("hook", "test", "nobody")
        assert error.value.code == "not-found"
        for command in ("/bin/sh -c id", "sh"):
            with pytest.raises(CtlError) as error:
                box.ctl("settings", "set", "hooks.run", f'{{kind = "command", command = "{command}"}}')
            assert error.value.code == "bad-value"
        database = sqlite3.connect(f"file:{box.state / 'smartbox.db'}?mode=ro", uri=True)
        with contextlib.closing(database):
            lines = database.execute("SELECT action, detail FROM audit").fetchall()
        assert any(action == "settings-changed" and "hooks.it.url" in detail for action, detail in lines)


def test_a_program_beside_the_settings_file_can_be_chosen_and_is_run(tmp_path: Path) -> None:
    with running(settings(free_port())) as box:
        program = box.folder / "hooks" / "note"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\ncat >> {tmp_path}/notes\n", encoding="utf-8")
        program.chmod(0o755)
        table = f'{{kind = "command", command = "{program}", events = "exam.*"}}'
        box.ctl("settings", "set", "hooks.run", table)
        box.open_exam()
        until(lambda: (tmp_path / "notes").exists() and "exam.opened" in (tmp_path / "notes").read_text(), 10, "it")


@pytest.mark.crash
def test_no_event_is_lost_and_a_repeat_is_known_when_the_engine_is_killed(tmp_path: Path) -> None:
    archive = scp.start("127.0.0.1", 0, "ORTHANC", tmp_path / "archive")
    try:
        with receiver() as there:
            extra = hook(there.url, "instance.captured, delivery.stored")
            with running(settings(archive.port, send="immediately", extra=extra)) as box:
                exam = box.open_exam()
                uids = set()
                for round_ in range(5):
                    uids |= {box.ctl("still")["instance"]["sop_instance_uid"] for _ in range(4)}
                    time.sleep(0.07 * round_)
                    box.kill("engine")
                    box.start("engine")
                box.wait_stored(exam["id"], len(uids))
                for event in ("instance.captured", "delivery.stored"):
                    until(
                        lambda event=event: {i["data"]["sop_instance_uid"] for i in of(there, event)} == uids,  # type: ignore[misc]
                        30,
                        event,
                    )
                    # whatever came twice has the same id: a receiver that drops repeats has each picture once
                    once = {(item["id"], item["data"]["sop_instance_uid"]) for item in of(there, event)}
                    assert len(once) == len(uids), event
    finally:
        archive.stop()
