"""Choosing from the worklist: by keys, by touch, by a code; the server slow, away, or answering in part."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from textual.widgets import Input

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.ui.codes import CodeScanned
from smartbox_tui.ui.screens.capture import CaptureScreen
from smartbox_tui.ui.screens.patient import PatientScreen
from smartbox_tui.ui.screens.worklist import WorklistScreen
from smartbox_tui.ui.widgets.biglist import BigList
from smartbox_tui.wire import commands, events
from tests.support import fakepeople
from tests.support.fakebox import FakeBox
from tests.ui.rig import MIDDLE, SMALL, Rig, console
from tests.ui.touch import down, slide, tap, up


def listed(box: FakeBox) -> None:
    """A worklist of two minutes ago."""
    box.items = fakepeople.worklist()
    box.worklist = fakepeople.service(box.now() - timedelta(minutes=2), count=len(box.items))


def away(box: FakeBox) -> None:
    """The last list is three hours old."""
    listed(box)
    box.age_s, box.server_error = 10_800.0, "no route to 10.0.0.6"
    box.worklist = fakepeople.service(box.now() - timedelta(hours=3), state="unreachable", code="no-route")


async def opened(rig: Rig) -> WorklistScreen:
    await rig.until(lambda: rig.app.people.entries)
    await rig.press("n")
    screen = rig.app.screen
    assert isinstance(screen, WorklistScreen)
    await rig.until(lambda: screen.shown)
    return screen


async def find(rig: Rig, text: str) -> None:
    """Types into the filter and waits for the list."""
    await rig.type(text)
    await rig.until(lambda: rig.app.screen.query_one("#filter", Input).value == text)
    await rig.pilot.pause()


async def touch(rig: Rig, text: str) -> None:
    """A finger on that text."""
    lines = rig.text().splitlines()
    row = next(at for at, line in enumerate(lines) if text in line)
    await tap(rig, lines[row].index(text) + 1, row)


def at_the_picture(rig: Rig) -> bool:
    return isinstance(rig.app.screen, CaptureScreen)


@pytest.mark.parametrize("size", [SMALL, MIDDLE])
async def test_by_keys_a_name_enter_enter(size: tuple[int, int]) -> None:
    async with console(listed, size=size) as rig:
        screen = await opened(rig)
        await find(rig, "luk")
        assert [entry.item.id for entry in screen.shown] == ["item-2"]
        await rig.press("enter")
        await rig.until(lambda: screen.has_class("-chosen"))
        text = rig.text()
        for part in ("Łukaszewska, Zofia", "22.09.1978 (48)", "ID 04713", "Bronchoskopie", "Auftrag A-1182"):
            assert part in text
        assert not any(isinstance(item, commands.ExamOpen) for item in rig.box.commands), "chosen is not opened"
        await asyncio.sleep(0.2)
        await rig.press("enter")
        command = await rig.command(commands.ExamOpen)
        assert (command.worklist, command.patient) == ("item-2", None)  # type: ignore[attr-defined]
        await rig.until(lambda: at_the_picture(rig) and "ID 04713" in rig.text())


async def test_enter_held_down_selects_and_opens_nothing() -> None:
    async with console(listed) as rig:
        screen = await opened(rig)
        for _repetition in range(5):
            screen.action_enter()
        await rig.pilot.pause()
        assert screen.has_class("-chosen")
        assert not any(isinstance(item, commands.ExamOpen) for item in rig.box.commands)


@pytest.mark.parametrize("size", [SMALL, MIDDLE])
async def test_by_touch_a_row_and_the_large_button(size: tuple[int, int]) -> None:
    async with console(listed, size=size) as rig:
        await rig.until(lambda: rig.app.people.entries)
        await rig.pilot.click("#patient")
        await rig.until(lambda: "Demir, Ayşe" in rig.text())
        await touch(rig, "Demir, Ayşe")
        await rig.until(lambda: rig.app.screen.has_class("-chosen"))
        await touch(rig, "Demir, Ayşe")
        await rig.pilot.pause()
        assert rig.app.screen.has_class("-chosen"), "a finger that bounces opens nothing"
        await rig.pilot.click("#open")
        command = await rig.command(commands.ExamOpen)
        assert command.worklist == "item-3"  # type: ignore[attr-defined]


async def test_a_finger_pulls_the_list_and_chooses_nobody() -> None:
    async with console(listed, size=SMALL) as rig:
        screen = await opened(rig)
        items = screen.query_one("#list", BigList)
        x, y = items.region.x + 5, items.region.y + 9
        await down(rig, x, y)
        await slide(rig, x, y - 3)
        await slide(rig, x, y - 6)
        await up(rig, x, y - 6)
        assert items.scroll_y == 6
        assert not screen.has_class("-chosen")


async def test_the_large_arrows_leaf_through_the_list() -> None:
    async with console(listed, size=SMALL) as rig:
        screen = await opened(rig)
        await rig.pilot.click("#page-down")
        await rig.pilot.click("#page-down")
        assert screen.query_one("#list", BigList).cursor == len(screen.shown) - 1
        await rig.until(lambda: "von der Heide" in rig.text())


async def test_birth_date_and_id_are_always_there_and_the_same_name_is_marked() -> None:
    async with console(listed, size=SMALL) as rig:
        await opened(rig)
        await find(rig, "muller")
        text = rig.text()
        assert text.count("Namensgleich") == 2
        for part in ("14.03.1961", "14.05.1961", "ID 04711", "ID 04716"):
            assert part in text
        await rig.press("enter")
        await rig.until(lambda: "Geburtsdatum und ID prüfen" in rig.text())


async def test_letters_look_for_somebody_and_work_nothing_else() -> None:
    async with console(listed) as rig:
        await opened(rig)
        rig.app.screen.query_one("#sort").focus()
        await rig.type("er")
        await rig.until(lambda: rig.app.screen.query_one("#filter", Input).value == "er")
        assert isinstance(rig.app.screen, WorklistScreen), "no emergency"
        assert all(isinstance(item, commands.WorklistQuery) for item in rig.box.commands)


async def test_filters_of_day_and_room_say_what_they_hide() -> None:
    def another_day(box: FakeBox) -> None:
        listed(box)
        box.items = [fakepeople.item(2, scheduled_at="2026-11-23T08:00:00")]

    async with console(another_day) as rig:
        await rig.until(lambda: rig.app.people.entries)
        await rig.press("n")
        await rig.until(lambda: "1 an anderen Tagen oder in anderen Räumen" in rig.text())
        await rig.press("f7")
        await rig.until(lambda: "23.11.2026 08:00" in rig.text())
        assert "Łukaszewska" in rig.text()


async def test_the_age_of_the_list_is_said_and_loud_when_the_server_is_away() -> None:
    async with console(listed) as rig:
        await opened(rig)
        assert "Liste von 21:43" in rig.text()
    async with console(away) as rig:
        screen = await opened(rig)
        assert "Arbeitslisten-Server fehlt: die Liste ist 3 h alt" in rig.text()
        assert screen.query_one("#age").has_class("-loud")


async def test_a_slow_server_is_asked_and_the_asking_stopped() -> None:
    async with console(listed) as rig:
        await opened(rig)
        rig.box.answering.clear()
        await find(rig, "demir")
        await rig.press("f9")
        await rig.until(lambda: "Server wird gefragt" in rig.text())
        asked = next(
            item for item in rig.box.commands if isinstance(item, commands.WorklistQuery) and not item.cached
        )
        assert (asked.name, asked.date) == ("demir*", "any")
        await rig.press("f5")
        stopped = await rig.command(commands.WorklistCancel)
        assert stopped.query == asked.id  # type: ignore[attr-defined]
        await rig.until(lambda: "NICHT VOLLSTÄNDIG" in rig.text())
        assert "Demir, Ayşe" in rig.text(), "what had come by then is shown"
        await rig.press("f5")
        await rig.until(lambda: "Liste von 21:43" in rig.text())


async def test_a_refusal_of_the_server_leaves_the_list() -> None:
    async with console(listed) as rig:
        await opened(rig)
        rig.box.refuse_next(SmartBoxError("in-use", "4 queries are running.", "Wait."))
        await rig.press("f5")
        await rig.until(rig.said)
        assert "Server wird gefragt" not in rig.text()
        assert "Demir, Ayşe" in rig.text()


async def test_a_number_is_asked_for_as_a_number() -> None:
    async with console(listed) as rig:
        await opened(rig)
        await find(rig, "4711")
        await rig.press("f9")
        await rig.until(lambda: sum(isinstance(item, commands.WorklistQuery) for item in rig.box.commands) > 1)
        asked = rig.box.commands[-1]
        assert isinstance(asked, commands.WorklistQuery)
        assert (asked.patient, asked.name) == ("4711", "")


async def test_a_new_entry_is_announced_once_and_takes_nothing_away() -> None:
    async with console(listed) as rig:
        new = fakepeople.item(3, id="new", station="SMARTBOX")
        fact = events.WorklistChanged(service=fakepeople.service(rig.box.now()), arrived=[new])
        rig.box.items.append(new)
        rig.box.engine.publish(fact)
        await rig.until(lambda: "Neu auf der Liste: Demir, Ayşe" in rig.text())
        await rig.press("space")
        await rig.command(commands.Still)
        await rig.press("f4")
        await rig.until(lambda: "Neu auf der Liste" not in rig.text())
        rig.box.engine.publish(fact)
        rig.box.engine.publish(
            events.WorklistChanged(
                service=fakepeople.service(rig.box.now()),
                arrived=[fakepeople.item(6, id="elsewhere", station="OR7")],
            )
        )
        await rig.pilot.pause(0.2)
        assert "Neu auf der Liste" not in rig.text(), "not again, and not what is for another room"


async def test_an_announced_entry_is_shown_by_one_touch() -> None:
    async with console(listed) as rig:
        await rig.until(lambda: rig.app.people.entries)
        arrived = [fakepeople.item(2, station="SMARTBOX")]
        rig.box.engine.publish(events.WorklistChanged(service=fakepeople.service(rig.box.now()), arrived=arrived))
        await rig.until(lambda: "Neu auf der Liste" in rig.text())
        await rig.pilot.click("#ask-yes")
        await rig.until(lambda: isinstance(rig.app.screen, WorklistScreen))
        items = rig.app.screen.query_one("#list", BigList)
        await rig.until(lambda: items.pointed is not None and items.pointed.item.id == "item-2")


@pytest.mark.parametrize("camera", [True, False])
async def test_a_code_selects_one_and_opens_nothing(camera: bool) -> None:
    async with console(listed) as rig:
        await rig.until(lambda: rig.app.people.entries)
        if camera:
            rig.box.engine.publish(events.CodeSeen(source="endo", text="A-1182"))
        else:
            rig.app.post_message(CodeScanned("A-1182\r"))
        await rig.until(lambda: rig.app.screen.has_class("-chosen"))
        assert "Łukaszewska, Zofia" in rig.text()
        assert not any(isinstance(item, commands.ExamOpen) for item in rig.box.commands)
        await rig.press("enter")
        command = await rig.command(commands.ExamOpen)
        assert command.worklist == "item-2"  # type: ignore[attr-defined]


async def test_a_code_of_several_entries_lists_them() -> None:
    def twice(box: FakeBox) -> None:
        listed(box)
        box.items.append(fakepeople.item(2, id="again", step_id="S99", procedure="ERCP"))

    async with console(twice) as rig:
        await rig.until(lambda: rig.app.people.entries)
        rig.app.post_message(CodeScanned("04713"))
        await rig.until(lambda: isinstance(rig.app.screen, WorklistScreen) and len(rig.app.screen.shown) == 2)
        assert not rig.app.screen.has_class("-chosen")


async def test_a_code_that_nobody_knows_is_asked_for_and_then_typed() -> None:
    async with console(listed) as rig:
        await rig.until(lambda: rig.app.people.entries)
        rig.app.post_message(CodeScanned("99-1"))
        await rig.until(lambda: isinstance(rig.app.screen, PatientScreen))
        asked = [item for item in rig.box.commands if isinstance(item, commands.WorklistQuery) and not item.cached]
        assert [(item.patient_id, item.date) for item in asked] == [("99-1", "any")]
        await rig.until(lambda: rig.app.screen.query_one("#input-id", Input).value == "99-1")


async def test_a_code_goes_into_the_field_that_has_the_focus() -> None:
    async with console() as rig:
        await rig.press("n")
        await rig.until(lambda: isinstance(rig.app.screen, PatientScreen))
        field = rig.app.screen.query_one("#input-accession", Input)
        field.focus()
        await rig.pilot.pause()
        rig.app.post_message(CodeScanned("A-77"))
        await rig.until(lambda: field.value == "A-77")


async def test_a_list_of_thousands_is_drawn_only_where_it_is_seen() -> None:
    def many(box: FakeBox) -> None:
        listed(box)
        box.items = fakepeople.worklist(5000)

    async with console(many, size=SMALL) as rig:
        screen = await opened(rig)
        assert len(screen.shown) == 5000
        items = screen.query_one("#list", BigList)
        assert len(items._lines) < 20
        await find(rig, "b-04999")
        assert len(screen.shown) == 1


async def test_without_a_worklist_the_button_is_the_form() -> None:
    async with console() as rig:
        await rig.press("n")
        assert isinstance(rig.app.screen, PatientScreen)


async def test_the_form_is_one_touch_from_the_list() -> None:
    async with console(listed) as rig:
        await opened(rig)
        await rig.pilot.click("#type")
        await rig.until(lambda: isinstance(rig.app.screen, PatientScreen))
