"""The queue and the status screen: why something does not arrive, and what can be done."""

from __future__ import annotations

import pytest
from textual.widgets import DataTable

from smartbox_tui.ui.i18n import Texts
from smartbox_tui.ui.screens.queue import reason
from smartbox_tui.ui.screens.status import StatusScreen
from smartbox_tui.wire import commands, state
from tests.support.fakebox import START, delivery
from tests.ui.rig import MIDDLE, SMALL, Rig, busy, console


def ids(rig: Rig) -> list[str]:
    table = rig.app.screen.query_one(DataTable)
    return [str(table.get_row_at(row)[0]) for row in range(table.row_count)]


async def test_what_needs_a_hand_comes_first_with_its_reason() -> None:
    async with console(busy) as rig:
        await rig.press("q")
        await rig.until(lambda: "BLOCKIERT" in rig.text())
        assert ids(rig) == ["11", "10", "6", "9", "8", "7"]
        text = rig.text()
        assert "Das Archiv hat das Bild abgelehnt. · Patient ID does not match an order (A700)" in text
        assert "Dort berichtigen, dann noch einmal senden." in text
        assert "21:47:00" in text, "when the waiting one is tried again"


@pytest.mark.parametrize(
    ("key", "shown"), [("2", ["11"]), ("3", ["5", "4", "2"]), ("1", ["11", "10", "6", "9", "8", "7"])]
)
async def test_the_state_filters_the_rows(key: str, shown: list[str]) -> None:
    async with console(busy, size=SMALL) as rig:
        await rig.press("q", key)
        await rig.until(lambda: ids(rig) == shown)


@pytest.mark.parametrize(
    ("key", "button", "action"), [("t", "#retry", "retry"), ("f", "#first", "prioritise"), ("a", "#pause", "pause")]
)
async def test_a_row_is_changed_by_key_and_by_button(key: str, button: str, action: str) -> None:
    async with console(busy, size=SMALL) as rig:
        await rig.press("q")
        await rig.press("down", key)
        await rig.command(commands.QueueChange)
        await rig.pilot.click(button)
        await rig.until(lambda: len(rig.box.commands) == 2)
        for command in rig.box.commands:
            assert isinstance(command, commands.QueueChange)
            assert (command.action, command.deliveries) == (action, [10])


async def test_a_held_row_is_released_with_its_exam() -> None:
    async with console(busy, size=SMALL) as rig:
        await rig.press("q", "ctrl+end")
        await rig.until(lambda: "Freigeben" in rig.text())
        assert "Geht hinaus, wenn die Untersuchung abgeschlossen" in rig.text()
        await rig.press("t")
        command = await rig.command(commands.ExamRelease)
        assert command.exam == "exam-1"  # type: ignore[attr-defined]


async def test_a_paused_row_is_resumed() -> None:
    async with console(busy) as rig:
        await rig.press("q")
        rig.box.deliver(delivery(11, "queued", paused=True))
        await rig.until(lambda: "angehalten" in rig.text())
        await rig.press("a")
        command = await rig.command(commands.QueueChange)
        assert (command.action, command.deliveries) == ("resume", [11])  # type: ignore[attr-defined]


async def test_cancelling_asks_first() -> None:
    async with console(busy) as rig:
        await rig.press("q", "x")
        await rig.until(lambda: "Diese Sendung abbrechen?" in rig.text())
        assert rig.box.commands == []
        await rig.press("enter")
        command = await rig.command(commands.QueueChange)
        assert (command.action, command.deliveries) == ("cancel", [11])  # type: ignore[attr-defined]
        await rig.until(lambda: rig.app.screen.query("DataTable"))


async def test_the_rows_follow_the_engine_and_the_cursor_stays_on_its_row() -> None:
    async with console(busy) as rig:
        await rig.press("q", "down")
        rig.box.deliver(delivery(12, "blocked", code="invalid-object"))
        await rig.until(lambda: ids(rig)[0] == "12")
        table = rig.app.screen.query_one(DataTable)
        assert str(table.get_row_at(table.cursor_row)[0]) == "10"
        assert "#10" in rig.text()


async def test_an_empty_queue_says_so() -> None:
    async with console() as rig:
        await rig.press("q")
        await rig.until(lambda: "Hier ist nichts." in rig.text())
        await rig.press("t")
        assert "Keine Zeile ist gewählt." in rig.said()[0]


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


OFFER = "PACS at h:104 takes none of what this picture can be sent as. Offered: Video Endoscopic Image as H.264. "


@pytest.mark.parametrize(
    ("code", "why", "german"),
    [
        ("", "is made ready: MP4", "Wird vorbereitet: MP4"),
        ("", "is made ready: pixels", "Wird vorbereitet: Bildpunkte"),
        (
            "no-context",
            OFFER + "It takes: Video Endoscopic Image as MPEG2 Main Profile / Level 4.1.",
            "Es nimmt: Video Endoscopic Image as MPEG2 Main Profile / Level 4.1. "
            "Angeboten wurde: Video Endoscopic Image as H.264.",
        ),
        (
            "no-context",
            OFFER + "It takes: nothing that the box makes. More.",
            "Es nimmt: nichts, was die Box macht.",
        ),
    ],
)
def test_what_is_made_and_what_an_archive_takes_is_said_in_german(code: str, why: str, german: str) -> None:
    row = state.Delivery(
        id=1, sop_instance_uid="1.2.3", exam="e", destination="pacs", kind="clip", state="blocked", reason=why,
        code=code, attempts=0, next_attempt_at=None, bytes=1, bytes_sent=0,
    )  # fmt: skip
    said = reason(Texts("de"), row)
    assert german in said
    assert "Offered" not in said
