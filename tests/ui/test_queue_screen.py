"""The queue and the status screen: why something does not arrive, and what can be done."""

from __future__ import annotations

from functools import partial

import pytest

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.ui.pages import PAGE_ROWS, Missing
from smartbox_tui.ui.screens.archives import ArchivesScreen
from smartbox_tui.ui.screens.choice import ChoiceScreen
from smartbox_tui.ui.screens.delivery import DeliveryScreen
from smartbox_tui.ui.screens.queue import QueueScreen
from smartbox_tui.ui.screens.status import StatusScreen
from smartbox_tui.ui.widgets.biglist import BigList
from smartbox_tui.wire import commands, events, state
from tests.support.fakebox import START, FakeBox, delivery
from tests.ui.rig import MIDDLE, SMALL, Rig, busy, console


def ids(rig: Rig) -> list[int]:
    screen = rig.app.screen
    if not isinstance(screen, QueueScreen):
        return []
    return [row.id for row in screen._rows if not isinstance(row, Missing)]


def pointed(rig: Rig) -> int:
    screen = rig.app.screen
    assert isinstance(screen, QueueScreen)
    assert screen.pointed is not None
    return screen.pointed.id


async def queue(rig: Rig) -> None:
    """The queue's screen with its rows there."""
    await rig.press("q")
    await rig.until(lambda: ids(rig))


def is_shown(rig: Rig, text: str) -> bool:
    return text in rig.text()


def change_of(command: commands.Command) -> tuple[str, list[int]]:
    assert isinstance(command, commands.QueueChange)
    return command.action, command.deliveries


def thousands(box: FakeBox) -> None:
    """More than anybody leafs through."""
    busy(box)
    box.deliveries = {number: delivery(number, "queued") for number in range(1, 20_001)}


async def test_what_needs_a_hand_comes_first_with_its_reason() -> None:
    async with console(busy) as rig:
        await queue(rig)
        assert ids(rig) == [11, 10, 6, 8, 9, 7]
        text = rig.text()
        assert "BLOCKIERT" in text
        assert "Das Archiv hat das Bild abgelehnt." in text
        assert "Dort berichtigen, dann noch einmal senden." in text
        assert "Patient ID" not in text, "the technical cause is one touch away"
        assert "weiter 21:47:00" in text, "when the waiting one is tried again"
        assert "Müller, Jörg" in text


@pytest.mark.parametrize(
    ("key", "shown"),
    [("2", [11]), ("3", [5, 2, 4]), ("4", [11, 10, 6, 8, 9, 7, 5, 2, 4, 3]), ("1", [11, 10, 6, 8, 9, 7])],
)
async def test_the_state_filters_the_rows(key: str, shown: list[int]) -> None:
    async with console(busy, size=SMALL) as rig:
        await queue(rig)
        await rig.press("2" if key == "1" else "1", key)
        await rig.until(lambda: ids(rig) == shown)


async def test_the_state_filters_by_touch_and_the_archive_by_touch_and_by_key() -> None:
    async with console(busy) as rig:
        await queue(rig)
        await rig.pilot.click("#filter-sent")
        await rig.until(lambda: ids(rig) == [5, 2, 4])
        await rig.pilot.click("#archive")
        await rig.until(lambda: ids(rig) == [5, 4])
        assert "archive" in rig.text()
        await rig.press("5")
        await rig.until(lambda: ids(rig) == [2])
        await rig.press("5")
        await rig.until(lambda: ids(rig) == [5, 2, 4])


@pytest.mark.parametrize(
    ("key", "button", "action", "row"),
    [("t", "#retry", "retry", 11), ("f", "#first", "prioritise", 10), ("a", "#pause", "pause", 10)],
)
async def test_a_row_is_changed_by_key_and_by_button(key: str, button: str, action: str, row: int) -> None:
    async with console(busy, size=SMALL) as rig:
        await queue(rig)
        if row == 10:
            await rig.press("down")
        await rig.press(key)
        await rig.command(commands.QueueChange)
        await rig.press("enter")
        await rig.until(lambda: isinstance(rig.app.screen, DeliveryScreen))
        await rig.pilot.click(button)
        await rig.until(lambda: len(rig.box.commands) == 2)
        assert [change_of(command) for command in rig.box.commands] == [(action, [row])] * 2


async def test_what_is_on_its_way_or_done_is_not_sent_again_by_mistake() -> None:
    async with console(busy, size=SMALL) as rig:
        await queue(rig)
        await rig.press("down", "t")
        await rig.until(lambda: rig.said())
        assert "Es ist schon unterwegs." in rig.said()[-1]
        await rig.press("3")
        await rig.until(lambda: ids(rig) == [5, 2, 4])
        await rig.press("x")
        await rig.until(lambda: "Das ist erledigt." in " ".join(rig.said()))
        assert rig.box.commands == []


async def test_on_the_screen_of_a_stored_one_nothing_can_be_done_and_the_buttons_look_it() -> None:
    names = ("#retry", "#first", "#pause", "#cancel")
    async with console(busy, size=SMALL) as rig:
        await queue(rig)
        await rig.press("enter")
        await rig.until(lambda: isinstance(rig.app.screen, DeliveryScreen))
        assert [rig.app.screen.query_one(name).has_class("-off") for name in names] == [False] * 4
        rig.box.deliver(delivery(11, "sending", changed_at=START.isoformat()))
        await rig.until(lambda: rig.app.screen.query_one("#retry").has_class("-off"))
        assert not rig.app.screen.query_one("#cancel").has_class("-off")
        rig.box.deliver(delivery(11, "stored", changed_at=START.isoformat()))
        await rig.until(lambda: all(rig.app.screen.query_one(name).has_class("-off") for name in names))
        for key, name in zip(("t", "f", "a", "x"), names, strict=True):
            before = len(rig.said())
            await rig.press(key)
            await rig.pilot.click(name)
            await rig.until(lambda before=before: len(rig.said()) > before)  # type: ignore[misc]
            assert "Das ist erledigt." in rig.said()[-1]
            assert isinstance(rig.app.screen, DeliveryScreen), "nothing is asked"
        assert rig.box.commands == []


async def test_a_held_row_is_released_with_its_exam() -> None:
    async with console(busy, size=SMALL) as rig:
        await queue(rig)
        await rig.press("end")
        await rig.until(lambda: "Freigeben" in rig.text())
        assert "Geht hinaus, wenn die Untersuchung abgeschlossen" in rig.text()
        await rig.press("t")
        command = await rig.command(commands.ExamRelease)
        assert command.exam == "exam-1"  # type: ignore[attr-defined]


async def test_a_paused_row_is_resumed() -> None:
    async with console(busy) as rig:
        await queue(rig)
        rig.box.deliver(delivery(11, "queued", paused=True))
        await rig.until(lambda: "angehalten" in rig.text())
        await rig.press("home")
        await rig.until(lambda: ids(rig)[0] == 10)
        while pointed(rig) != 11:
            await rig.press("down")
        await rig.press("a")
        assert change_of(await rig.command(commands.QueueChange)) == ("resume", [11])


async def test_cancelling_asks_first_and_cancels_the_one_asked_about() -> None:
    async with console(busy) as rig:
        await queue(rig)
        await rig.press("x")
        await rig.until(lambda: "Diese Sendung abbrechen?" in rig.text())
        assert "#11" in rig.text()
        assert rig.box.commands == []
        rig.box.deliver(delivery(12, "blocked", code="invalid-object"))
        await rig.press("enter")
        assert change_of(await rig.command(commands.QueueChange)) == ("cancel", [11])
        await rig.until(lambda: isinstance(rig.app.screen, QueueScreen))


async def test_the_rows_follow_the_engine_and_the_cursor_stays_on_its_row() -> None:
    async with console(busy) as rig:
        await queue(rig)
        await rig.press("down")
        assert pointed(rig) == 10
        rig.box.deliver(delivery(1, "blocked", code="invalid-object"))
        await rig.until(lambda: ids(rig)[0] == 1)
        assert pointed(rig) == 10


async def test_progress_moves_without_reading_anything_and_the_rate_stands_beside_it() -> None:
    async with console(busy) as rig:
        await queue(rig)
        await rig.pilot.pause(0.7)
        asked = len(rig.box.asked)
        row = {"bytes": 84_000_000, "kind": "clip", "attempts": 1}
        for sent in (60_000_000, 70_000_000, 80_000_000):
            rig.clock.seconds += 1.0
            rig.box.engine.publish(_changed(delivery(10, "sending", bytes_sent=sent, **row)))
            await rig.until(partial(is_shown, rig, f"{sent / 84e6:4.0%}"))
        assert "9,3 MB/s" in rig.text()
        assert len(rig.box.asked) == asked


async def test_of_twenty_thousand_only_what_is_seen_is_asked_for() -> None:
    async with console(thousands, size=SMALL) as rig:
        await queue(rig)
        assert len(rig.box.asked) == 1
        assert "Offen 20k" in rig.text()
        await rig.press("end")
        await rig.until(lambda: "20.000" in rig.text() or 20_000 in ids(rig))
        await rig.until(lambda: pointed(rig) == 20_000)
        await rig.press("pageup")
        assert len(rig.box.asked) <= 4
        assert all(f"limit={PAGE_ROWS}" in item for item in rig.box.asked)
        await rig.press("home")
        await rig.until(lambda: pointed(rig) == 1)


async def test_a_slow_engine_shows_where_rows_will_be_and_no_row_of_another_filter() -> None:
    async with console(thousands, size=SMALL) as rig:
        await queue(rig)
        rig.box.slow.clear()
        await rig.press("end")
        await rig.until(lambda: "20.000 …" in rig.text())
        await rig.press("t")
        await rig.until(lambda: rig.said())
        assert "Keine Zeile ist gewählt." in rig.said()[-1]
        await rig.press("2")
        rig.box.slow.set()
        await rig.until(lambda: "Hier ist nichts." in rig.text())
        assert rig.box.commands == []


async def test_an_engine_that_cannot_answer_is_told() -> None:
    async with console(busy, size=SMALL) as rig:
        await rig.box.away("engine")
        await rig.press("q")
        await rig.until(lambda: "antwortet nicht" in rig.text())


async def test_everything_is_sent_again_after_a_question() -> None:
    async with console(busy, size=SMALL) as rig:
        await queue(rig)
        await rig.pilot.click("#retry-all")
        await rig.until(lambda: isinstance(rig.app.screen, ChoiceScreen))
        assert "2 Bilder noch einmal senden?" in rig.text()
        assert rig.box.commands == []
        await rig.press("enter")
        command = await rig.command(commands.QueueChange)
        assert isinstance(command, commands.QueueChange)
        assert (command.action, command.all, command.destination) == ("retry", True, None)


async def test_everything_of_one_archive_is_sent_again() -> None:
    async with console(busy) as rig:
        await queue(rig)
        await rig.press("5")
        await rig.until(lambda: "archive" in rig.text())
        await rig.press("g")
        await rig.until(lambda: isinstance(rig.app.screen, ChoiceScreen))
        await rig.press("enter")
        command = await rig.command(commands.QueueChange)
        assert isinstance(command, commands.QueueChange)
        assert (command.action, command.all, command.destination) == ("retry", False, "archive")


async def test_a_delivery_shows_its_history_and_the_technical_cause_at_a_touch() -> None:
    async with console(busy, size=SMALL) as rig:
        await queue(rig)
        rows = rig.app.screen.query_one("#list", BigList)
        await rig.pilot.click(rows, offset=(20, 1))
        await rig.until(lambda: isinstance(rig.app.screen, DeliveryScreen) and "wird gesendet" in rig.text())
        text = rig.text()
        assert "Das Archiv hat das Bild abgelehnt." in text
        assert "Das Archiv ist nicht erreichbar." in text, "an earlier attempt"
        assert "A700" not in text
        await rig.pilot.click("#technical")
        await rig.until(lambda: "archive-refused · Patient ID does not match an order (A700)" in rig.text())
        await rig.press("i")
        await rig.until(lambda: "A700" not in rig.text())


async def test_a_delivery_on_the_screen_follows_what_becomes_of_it() -> None:
    async with console(busy, size=SMALL) as rig:
        await queue(rig)
        await rig.press("enter")
        await rig.until(lambda: isinstance(rig.app.screen, DeliveryScreen))
        rig.box.deliver(delivery(11, "stored", bytes_sent=500_000, changed_at=START.isoformat()))
        await rig.until(lambda: "gespeichert" in rig.text())


async def test_the_archives_are_paused_and_resumed_and_lead_to_their_rows() -> None:
    async with console(busy, size=SMALL) as rig:
        rig.box.destinations = [
            state.Destination(name="archive", kind="dimse", state="ok", open=1),
            state.Destination(
                name="backup", kind="dimse", state="unreachable", code="no-route", reason="timed out", open=1
            ),
        ]
        rig.box.tell()
        await queue(rig)
        await rig.pilot.click("#archives")
        await rig.until(lambda: isinstance(rig.app.screen, ArchivesScreen) and "backup" in rig.text())
        assert "nicht erreichbar" in rig.text()
        assert "timed out" not in rig.text()
        await rig.pilot.click("#technical")
        await rig.until(lambda: "no-route · timed out" in rig.text())
        await rig.press("down", "a")
        await rig.until(lambda: len(rig.box.commands) == 1)
        rig.box.destinations[1] = state.Destination(name="backup", kind="dimse", state="paused", open=1)
        rig.box.tell()
        await rig.until(lambda: "Weiter" in rig.text())
        await rig.pilot.click("#pause")
        await rig.until(lambda: len(rig.box.commands) == 2)
        await rig.pilot.click("#retry")
        await rig.until(lambda: len(rig.box.commands) == 3)
        told = [
            (command.action, command.destination, command.deliveries)
            for command in rig.box.commands
            if isinstance(command, commands.QueueChange)
        ]
        assert told == [("pause", "backup", []), ("resume", "backup", []), ("retry", "backup", [])]
        await rig.pilot.click("#rows")
        await rig.until(lambda: isinstance(rig.app.screen, QueueScreen))
        await rig.press("3")
        await rig.until(lambda: ids(rig) == [2])


async def test_a_refused_change_says_why() -> None:
    async with console(busy, size=SMALL) as rig:
        await queue(rig)
        rig.box.refuse_next(SmartBoxError("not-found", "There is no delivery 11.", "See `ctl queue list`."))
        await rig.press("t")
        await rig.until(lambda: rig.said())
        assert "Das ist nicht mehr da." in rig.said()[-1]


async def test_an_empty_queue_says_so() -> None:
    async with console() as rig:
        await rig.press("q")
        await rig.until(lambda: "Hier ist nichts." in rig.text())
        await rig.press("t")
        assert "Keine Zeile ist gewählt." in rig.said()[0]
        await rig.press("g")
        await rig.until(lambda: "Nichts ist blockiert oder wartet." in " ".join(rig.said()))


def _changed(item: state.Delivery) -> events.DeliveryChanged:
    return events.DeliveryChanged(delivery=item)


@pytest.mark.parametrize("size", [SMALL, MIDDLE])
async def test_the_status_screen_names_what_is_there_and_what_is_wrong(size: tuple[int, int]) -> None:
    async with console(busy, size=size) as rig:
        rig.box.alarms = [
            state.Alarm(code=code, message="x", since=START.isoformat())
            for code in ("disk-full", "clock", "blocked", "destination-pacs")
        ]
        rig.box.destinations = [state.Destination(name="pacs", kind="dimse", state="rejected", reason="x", open=3)]
        rig.box.tell()
        await rig.press("s")
        await rig.until(lambda: "lehnt uns ab" in rig.text() or size == SMALL)
        assert isinstance(rig.app.screen, StatusScreen)
        whole = str(rig.app.screen.query_one("#status-text").render())
        for part in (
            "Zentrale",
            "Rekorder",
            "Endoskop",
            "lehnt uns ab",
            "3 offen",
            "412 GB frei",
            "Die Box ist voll",
            "Die Uhr ist noch nicht sicher",
            "Archiv pacs: nicht nutzbar",
        ):
            assert part in whole


async def test_the_language_has_a_button_too() -> None:
    async with console(busy, size=SMALL) as rig:
        await rig.press("s")
        await rig.pilot.click("#language")
        await rig.until(lambda: "Processes" in rig.text())
        assert "Deutsch" in rig.text()
