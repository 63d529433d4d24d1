"""A disk that gets full: recordings give way first and end whole, stills go on, the rest is for the engine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.ending import DISK_FULL
from smartbox_tui.spool.room import room
from smartbox_tui.wire import commands, events
from tests.capture.rig import Rig, until
from tests.capture.test_recordings import check_clip

MB = 1 << 20
RESERVE = 8 * MB


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of 24 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path, leave: int) -> Path:
    """A file of somebody else's that leaves so much free."""
    path = disk / f"foreign-{leave}"
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, room(disk, 0).free - leave)
    return path


def test_a_running_recording_is_ended_whole_before_the_disk_is_full(tmp_path: Path, disk: Path) -> None:
    with Rig(tmp_path, state=disk, reserve_bytes=RESERVE, of={"size": "640x480", "bitrate": 8_000_000}) as rig:
        foreign = fill(disk, RESERVE + MB)
        rig.command(commands.RecordStart)
        until(lambda: rig.told(events.RecordingStopped), 60, "the recording's end")
        (told,) = rig.told(events.RecordingStopped)
        assert told.note == DISK_FULL
        now = room(disk, RESERVE)
        assert now.stop - 2 * MB < now.free < now.stop + MB // 4  # what was kept for its sidecar is free again
        (instance,) = rig.command(commands.RecordStop)["instances"]
        assert len(check_clip(rig, instance)) > 20

        with pytest.raises(SmartBoxError, match="no recording is begun below 8 MB") as caught:
            rig.command(commands.RecordStart)
        assert caught.value.code == "disk-full"
        rig.still()  # they have the last quarter

        foreign.unlink()
        rig.record(0.3)  # and it goes on by itself


def test_foreign_files_end_a_recording(tmp_path: Path, disk: Path) -> None:
    with Rig(tmp_path, state=disk, reserve_bytes=RESERVE) as rig:
        rig.command(commands.RecordStart)
        foreign = fill(disk, RESERVE // 4 - MB)
        until(lambda: rig.told(events.RecordingStopped), 20, "the recording's end")
        assert rig.source().recording is None
        foreign.unlink()
        rig.record(0.3)


def test_the_last_room_is_not_for_stills(tmp_path: Path, disk: Path) -> None:
    with Rig(tmp_path, state=disk, reserve_bytes=RESERVE) as rig:
        rig.still()
        foreign = fill(disk, RESERVE // 64)
        with pytest.raises(SmartBoxError, match="to send what it has") as caught:
            rig.still()
        assert caught.value.code == "disk-full"
        assert room(disk, RESERVE).free > RESERVE // 128
        foreign.unlink()
        rig.still()


def test_a_disk_smaller_than_the_reserve_still_takes_stills(tmp_path: Path, disk: Path) -> None:
    with Rig(tmp_path, state=disk, reserve_bytes=1 << 40) as rig:
        with pytest.raises(SmartBoxError, match="no recording is begun"):
            rig.command(commands.RecordStart)
        rig.still()
