"""What the disk has room for, in words: on the status screen, above the picture, and when a recording is ended."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.ending import DISK_FULL
from smartbox_tui.spool.room import Room, no_recording, no_still
from smartbox_tui.ui.i18n import Texts
from smartbox_tui.ui.sentences import error_texts
from smartbox_tui.wire import events, state
from tests.support.fakebox import START, FakeBox
from tests.ui.rig import MIDDLE, SMALL, Rig, busy, console, with_exam

GB = 1_000_000_000
ROOM = Room(total=500 * GB, free=600_000_000, record=1 << 30, stop=1 << 28, still=1 << 25)


def full(box: FakeBox) -> None:
    busy(box)
    box.hours_left = 0.0
    box.storage = {"free_bytes": GB // 2, "total_bytes": 500 * GB, "undelivered_bytes": 371 * GB, "records": False}
    box.alarms = [state.Alarm(code="disk-no-recording", message="x", since=START.isoformat())]


@pytest.mark.parametrize("size", [SMALL, MIDDLE])
async def test_a_box_without_room_says_so_everywhere(size: tuple[int, int]) -> None:
    async with console(full, size=size) as rig:
        await rig.until(lambda: "keine Aufnahme mehr möglich" in rig.text())
        assert "kein Platz für Aufnahmen" in rig.text()
        await rig.press("s", *("end",))
        rig.app.screen.query_one("#status-scroll").scroll_end(animate=False)
        await rig.until(lambda: "371 GB" in rig.text())
        assert "noch in keinem Archiv" in rig.text()


@pytest.mark.parametrize("code", ["disk-low", "disk-urgent", "disk-no-recording"])
async def test_nobody_is_sent_to_a_queue_in_which_nothing_waits(code: str) -> None:
    def sent(box: FakeBox) -> None:
        full(box)
        box.alarms = [replace(box.alarms[0], code=code)]

    async with console(sent, size=MIDDLE) as rig:
        await rig.until(lambda: "Warteschlange" in rig.text() and "Nichts wartet" not in rig.text())
        rig.box.storage = {**rig.box.storage, "undelivered_bytes": 0}
        rig.box.tell()
        await rig.until(lambda: "Nichts wartet auf das Senden: Service muss Platz schaffen." in rig.text())


async def test_what_archives_have_is_room_too() -> None:
    def delivered(box: FakeBox) -> None:
        with_exam(box)
        box.storage = {"total_bytes": 500 * GB, "releasable_bytes": 12 * GB}

    async with console(delivered) as rig:
        await rig.press("s")
        await rig.until(lambda: "12 GB" in rig.text())
        assert "412 GB von 500 GB frei" in rig.text()
        assert "geht, wenn Platz gebraucht wird" in rig.text()


async def ended(rig: Rig, note: str) -> None:
    source, exam = rig.box.sources[0].id, rig.box.exam
    assert exam is not None
    rig.box.capture.publish(events.RecordingStopped(exam=exam.id, source=source, instances=[], note=note))
    await rig.pilot.pause(0.2)


async def test_a_recording_that_the_box_ended_is_told() -> None:
    async with console(busy) as rig:
        await ended(rig, "")
        assert rig.said() == []
        await ended(rig, f"no signal for 2.0 s; {DISK_FULL}")
        await rig.until(rig.said)
        assert rig.said() == [
            "Die Aufnahme wurde beendet: Die Box ist fast voll. Das Aufgenommene ist gesichert. Fotos gehen noch."
        ]


async def test_a_picture_that_only_an_archive_has_is_not_asked_for() -> None:
    def gone(box: FakeBox) -> None:
        with_exam(box)
        box.take()
        box.pictures = [replace(item, released_at=START.isoformat()) for item in box.pictures]
        assert box.exam is not None
        box.taken[box.exam.id] = box.pictures

    async with console(gone, size=SMALL) as rig:
        await rig.press("x", "enter")
        await rig.until(lambda: "✓" in rig.text())
        await rig.press("enter")
        await rig.until(lambda: "Dieses Bild hat nur noch das Archiv." in rig.text())
        assert "nicht mehr auf der Box" in rig.text()
        assert rig.app._gallery is not None
        assert not rig.app._gallery._failed


def test_the_refusals_say_what_still_works() -> None:
    t = Texts("de")
    assert error_texts(t, no_recording(ROOM))[0] == "Die Box ist fast voll: keine Aufnahme mehr möglich."
    assert "Fotos gehen noch" in error_texts(t, no_recording(ROOM))[1]
    assert error_texts(t, no_still(ROOM))[0] == error_texts(t, SmartBoxError("disk-full", "x", "y"))[0]
