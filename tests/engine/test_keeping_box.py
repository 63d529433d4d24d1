"""A whole box on a small disk: full by its own recordings, full by somebody else's files, free again; and pictures
that go when their days are over, by real processes."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.test_bad_input import refused
from tests.engine.test_renditions import EVERYTHING
from tests.support.box import Box, settings, until
from tests.support.movedclock import MovedClock
from tests.support.reassigning import RIGHT, reassign
from tests.support.taking import Taking, taking

MB = 1 << 20
RESERVE = 24 * MB
DAY_S = 86400.0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of 96 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def archive() -> Iterator[Taking]:
    with taking(EVERYTHING) as found:
        yield found


def small(port: int, **values: Any) -> str:
    """Settings of a box whose disk is small: it makes room below a tenth of it, or the reserve and a quarter."""
    more = "\n".join(f"{key} = {json.dumps(value)}" for key, value in values.items())
    quick = settings(port).replace("fps = 30", "fps = 30\nbitrate = 40000000")
    return quick + f"\n[recording]\nreserve_bytes = {RESERVE}\n[retention]\n{more}\n"


def free(folder: Path) -> int:
    stat = os.statvfs(folder)
    return stat.f_bavail * stat.f_frsize


def fill(folder: Path, leave: int) -> Path:
    """A file of somebody else's."""
    path = folder / f"foreign-{leave}"
    with path.open("wb", buffering=0) as file:
        if leave:
            os.posix_fallocate(file.fileno(), 0, free(folder) - leave)
        else:
            with contextlib.suppress(OSError):
                while file.write(bytes(1 << 16)):
                    pass
    return path


def alarms(box: Box) -> set[str]:
    return {item["code"] for item in box.ctl("status")["alarms"]}


def test_full_by_recording_delivered_and_free_again_by_itself(disk: Path, archive: Taking) -> None:
    box = Box(small(archive.port), state=disk / "s")
    try:
        box.start()
        box.open_exam()
        foreign = fill(disk, RESERVE + 2 * MB)
        box.ctl("record", "start")
        until(lambda: box.ctl("sources")["sources"][0]["recording"], 20, "the recording to be seen")
        until(lambda: not box.ctl("sources")["sources"][0]["recording"], 180, "the recording to end")
        stopped = box.ctl("record", "stop")
        assert "The disk is full" in stopped["note"]
        (clip,) = stopped["instances"]
        assert clip["frames"] > 30
        assert "below 24 MB" in refused(box, "ctl", "record", "start").args[0]
        still = box.ctl("still")["instance"]
        assert "disk-no-recording" in alarms(box)
        status = box.ctl("status")["storage"]
        assert (status["records"], status["hours_left"]) == (False, 0.0)
        exam = box.ctl("exam", "close")["exam"]["id"]
        box.wait_stored(exam, 2)
        assert {clip["sop_instance_uid"], still["sop_instance_uid"]} == set(archive.uids())
        # nobody has to do anything: what was delivered makes room, and recordings go on
        until(lambda: box.ctl("exam", "show", exam)["instances"][0]["released_at"], 200, "room to be made")
        foreign.unlink()
        until(lambda: box.ctl("status")["storage"]["records"], 30, "room to be seen")
        box.open_exam(id="T-2")
        box.ctl("record", "start")
        time.sleep(0.5)
        assert box.ctl("record", "stop")["instances"][0]["frames"] > 5
        box.ctl("exam", "close")
    finally:
        box.close()


def test_full_by_somebody_else_to_the_last_byte_and_free_again(disk: Path, archive: Taking) -> None:
    """What is on its way is delivered, and noted, all the same; nothing that waits is lost."""
    box = Box(small(archive.port, begin_hours=0), state=disk / "s")
    try:
        box.start()
        exam = box.open_exam()["id"]
        taken = [box.ctl("still")["instance"]["sop_instance_uid"] for _ in range(5)]
        foreign = fill(disk, 0)
        assert free(disk) == 0
        assert refused(box, "ctl", "still").code == "disk-full"
        assert refused(box, "ctl", "record", "start").code == "disk-full"
        box.ctl("exam", "close")
        box.wait_stored(exam, 5)
        assert sorted(archive.uids()) == sorted(taken)
        box.stop("engine")
        box.start("engine")  # on the full disk
        assert "disk-no-recording" in alarms(box)
        foreign.unlink()
        until(lambda: box.ctl("status")["storage"]["records"], 30, "room to be seen")
        box.open_exam(id="T-2")
        box.ctl("still")
        box.ctl("record", "start")
        time.sleep(0.3)
        box.ctl("record", "stop")
        exam = box.ctl("exam", "close")["exam"]["id"]
        box.wait_stored(exam, 2)
        assert len(archive.uids()) == len(set(archive.uids())) == 7
        for name in ("engine", "capture"):
            box.stop(name)
        assert box.smartbox("store", "check")["problems"] == []
    finally:
        box.close()


def test_after_its_days_only_the_archive_has_it(
    archive: Taking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = MovedClock(tmp_path, monkeypatch)
    moved.set(0, synchronised=True)
    box = Box(settings(archive.port) + "[retention]\nkeep_days = 30\n")
    try:
        box.start()
        exam = box.open_exam()["id"]
        uid = box.ctl("still")["instance"]["sop_instance_uid"]
        box.ctl("record", "start")
        time.sleep(0.5)
        (clip,) = box.ctl("record", "stop")["instances"]
        box.ctl("exam", "close")
        box.wait_stored(exam, 2)
        for name in ("engine", "capture"):
            assert box.stop(name) == 0

        moved.boot()
        moved.set(31 * DAY_S, synchronised=False)  # a clock that nobody trusts
        box.start()
        time.sleep(2)
        assert not any(item["released_at"] for item in box.ctl("exam", "show", exam)["instances"])
        moved.set(31 * DAY_S, synchronised=True)
        shown = until(lambda: _all_released(box, exam), 400, "both to go")
        assert len(shown) == 2
        folder = box.state / "spool" / exam
        assert [path for path in folder.rglob("*") if path.suffix in (".jpg", ".ts", ".mp4")] == []
        assert all(row["state"] == "stored" for row in box.deliveries(exam))

        def told(*command: str) -> str:
            error = refused(box, *command)
            assert error.code == "not-found"
            return str(error)

        out = tmp_path / "out"
        assert "archive has it since" in told("dicom", "export", uid, "--out", str(out))
        assert "archive has it since" in told("dicom", "export", "--out", str(out))
        with pytest.raises(Exception, match="2 pictures of this exam are no longer on the box"):
            reassign(box, exam, patient=RIGHT)
        assert box.ctl("exam", "show", exam)["exam"]["patient"]["id"] == "T-1001"
        box.ctl("exam", "append", exam)
        new = box.ctl("still")["instance"]["sop_instance_uid"]
        box.ctl("exam", "close")
        box.wait_stored(exam, 3)
        assert set(archive.uids()) == {uid, clip["sop_instance_uid"], new}
        for name in ("engine", "capture"):
            assert box.stop(name) == 0
        checked = box.smartbox("store", "check")
        assert (checked["problems"], checked["released"]) == ([], 2)
        assert box.smartbox("store", "rebuild")["stored"] == 3
        box.start("engine")
        assert len([item for item in box.ctl("exam", "show", exam)["instances"] if item["released_at"]]) == 2
        assert len(archive.uids()) == 3
    finally:
        box.close()


def _all_released(box: Box, exam: str) -> list[Any]:
    shown: list[Any] = box.ctl("exam", "show", exam)["instances"]
    return shown if all(item["released_at"] for item in shown) else []
