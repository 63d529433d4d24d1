"""The preparer and the disk: what can be made later leaves to recordings the room that they need."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.settings.schema import Recording
from smartbox_tui.spool.bitstream import read_made, remuxed_name
from tests.engine.test_preparing import Rig, destination, put_clip, wake


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path, destination("a", container="mp4"))
    yield made
    made.store.close()


def test_what_recordings_need_is_not_used_up_for_what_can_wait(rig: Rig) -> None:
    """A derived one waits until there is room; the picture's own MP4, without which nothing goes, is made."""
    put_clip(rig.spool, rig.exam, "ts")
    rig.adopt()
    stat = os.statvfs(rig.spool)
    free = stat.f_bavail * stat.f_frsize
    rig.settings = replace(rig.settings, recording=Recording(reserve_bytes=2 * free))
    rig.prepare(lambda: rig.rows()[0].code == "disk-full")
    (row,) = rig.rows()
    assert row.state == "waiting"
    assert "which recordings need" in row.reason
    assert rig.calls == []
    own = put_clip(rig.spool, rig.exam, "mp4")
    rig.adopt()
    # its row too: a preparer that ends between the two leaves it to the engine's next start
    rig.prepare(lambda: all(not row.prepare for row in rig.rows() if row.instance == own.id))
    assert read_made(rig.folder, remuxed_name(own.id)) is not None
    rig.settings = replace(rig.settings, recording=Recording(reserve_bytes=0))
    wake(rig)
    rig.prepare(lambda: all(not row.prepare for row in rig.rows()))


def test_a_child_ends_when_recordings_need_the_room_meanwhile(rig: Rig) -> None:
    put_clip(rig.spool, rig.exam, "ts")
    rig.adopt()
    rig.settings = replace(rig.settings, recording=Recording(reserve_bytes=0))
    ended = threading.Event()

    async def slow(*_arguments: str, timeout_s: float) -> Any:
        rig.settings = replace(rig.settings, recording=Recording(reserve_bytes=1 << 40))
        try:
            await asyncio.sleep(timeout_s)
        finally:
            ended.set()

    rig.child = slow
    rig.prepare(lambda: rig.rows()[0].code == "disk-full")
    assert ended.is_set()
    assert rig.rows()[0].state == "waiting"
