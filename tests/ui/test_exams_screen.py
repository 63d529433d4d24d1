"""The list of exams and the way to each: pictures, sending, going on, giving them to the right patient and back."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from smartbox_tui.ui.gallery import Size, decode
from smartbox_tui.ui.screens.capture import CaptureScreen
from smartbox_tui.ui.screens.exam import ExamScreen
from smartbox_tui.ui.screens.exams import ExamsScreen
from smartbox_tui.ui.screens.pictures import PicturesScreen
from smartbox_tui.ui.screens.reassign import ReassignScreen
from smartbox_tui.ui.screens.worklist import WorklistScreen
from smartbox_tui.wire import commands, events, state
from tests.support import fakepeople
from tests.support.fakebox import PATIENT, FakeBox, delivery
from tests.ui.rig import MIDDLE, SMALL, Rig, console
from tests.ui.test_worklist_screen import listed, touch

ZOFIA = state.Patient(id="04713", name="Łukaszewska^Zofia", birth_date="1978-09-22", sex="F")


def history(box: FakeBox) -> None:
    """One exam that was sent, one that waits for a name, one of yesterday."""
    listed(box)
    box.closed_exam("exam-sent", ZOFIA, 5, procedure="Bronchoskopie", worklist="item-2", accession_number="A-1182")
    box.closed_exam("exam-nobody", state.Patient(), 2, released=False)
    box.closed_exam("exam-old", PATIENT, 1, opened_at=(box.now() - timedelta(days=1)).isoformat())
    for at, picture in enumerate(box.taken["exam-sent"]):
        row = delivery(100 + at, "stored", exam="exam-sent", sop_instance_uid=picture.sop_instance_uid)
        box.deliveries[row.id] = row


async def exam_screen(rig: Rig, name: str, tab: str = "1") -> ExamScreen:
    await rig.press("x", tab)
    await rig.until(lambda: name in rig.text())
    await touch(rig, name)
    await rig.until(lambda: isinstance(rig.app.screen, ExamScreen))
    screen = rig.app.screen
    assert isinstance(screen, ExamScreen)
    await rig.until(lambda: screen._pictures)
    return screen


async def test_each_tab_has_its_exams_with_what_became_of_them() -> None:
    async with console(history, size=SMALL) as rig:
        await rig.press("x")
        await rig.until(lambda: "wartet auf einen Namen" in rig.text())
        assert "Łukaszewska" not in rig.text(), "those that wait for a name come first where there are any"
        await rig.press("1")
        await rig.until(lambda: "Łukaszewska, Zofia" in rig.text())
        assert "5 Bilder" in rig.text()
        assert "✓ gesendet" in rig.text()
        assert "Müller, Jörg" not in rig.text(), "yesterday's"
        await rig.press("4")
        await rig.until(lambda: "19.11.2026" in rig.text())
        await rig.press("2")
        await rig.until(lambda: "Es gibt keine." in rig.text())


@pytest.mark.parametrize("language", ["de", "en"])
async def test_an_exam_whose_times_are_not_sure_says_them_whole_at_80_columns(language: str) -> None:
    def unsure(box: FakeBox) -> None:
        history(box)
        box.exams["exam-sent"] = replace(box.exams["exam-sent"], dates="unsure")

    async with console(unsure, size=SMALL, language=language) as rig:
        await exam_screen(rig, "Łukaszewska")
        line = next(line for line in rig.text().splitlines() if "unsicher" in line or "not sure" in line)
        assert "…" not in line
        assert "bis " in line or "to " in line


async def test_the_list_follows_what_happens() -> None:
    async with console(history) as rig:
        await rig.press("x", "2")
        await rig.until(lambda: "Es gibt keine." in rig.text())
        rig.clock.seconds += 5
        rig.box.open_exam(PATIENT)
        await rig.until(lambda: rig.text().count("Müller, Jörg") == 2)


async def test_with_the_engine_away_the_list_says_so() -> None:
    async with console(history) as rig:
        await rig.box.away("engine")
        await rig.press("x")
        await rig.until(lambda: "Ein Teil der Box antwortet nicht." in rig.text())


@pytest.mark.parametrize("size", [SMALL, MIDDLE])
async def test_pictures_are_seen_large_by_touch_and_leafed_through(size: tuple[int, int]) -> None:
    async with console(history, size=size) as rig:
        await exam_screen(rig, "Łukaszewska, Zofia")
        await rig.until(lambda: "■ 20:45:14" in rig.text())
        await touch(rig, "20:45:14")
        await rig.until(lambda: isinstance(rig.app.screen, PicturesScreen))
        gallery = rig.app._gallery
        assert gallery is not None
        await rig.until(lambda: gallery.want("exam-sent-picture-2", Size.LARGE) is not None)
        await rig.until(lambda: rig.text().count("▀") > 100)
        for part in ("Foto 2 / 5", "20.11.2026  20:45:14", "archive  ✓ gespeichert", "Łukaszewska, Zofia"):
            assert part in rig.text()
        await rig.pilot.click("#after")
        await rig.until(lambda: "Foto 3 / 5" in rig.text())
        await rig.press("end", "right")
        await rig.until(lambda: "Foto 5 / 5" in rig.text())
        await rig.press("d")
        await rig.until(lambda: "Nur das letzte Bild kann verworfen werden." in " ".join(rig.said()))


async def test_a_picture_that_cannot_be_had_says_so_and_breaks_nothing() -> None:
    def gone(box: FakeBox) -> None:
        history(box)
        box.taken["exam-sent"] = [replace(item, id=f"{item.id}-gone") for item in box.taken["exam-sent"]]

    async with console(gone) as rig:
        rig.box.missing.update(item.id for item in rig.box.taken["exam-sent"])
        await exam_screen(rig, "Łukaszewska, Zofia")
        await rig.press("enter")
        await rig.until(lambda: "Das Bild lässt sich nicht zeigen" in rig.text())


async def test_the_strip_of_the_exam_under_way_opens_the_large_view() -> None:
    def under_way(box: FakeBox) -> None:
        box.open_exam(PATIENT)
        for _ in range(3):
            box.take()

    async with console(under_way) as rig:
        await rig.until(lambda: "■ 21:45:14" in rig.text())
        await touch(rig, "21:45:14")
        await rig.until(lambda: isinstance(rig.app.screen, PicturesScreen) and "Foto 2 / 3" in rig.text())
        assert rig.app.screen.query_one("#discard").has_class("-off"), "only the last one"
        await rig.press("right")
        await rig.press("d", "1")
        command = await rig.command(commands.DiscardLast)
        assert command.picture == "exam-1-picture-3"  # type: ignore[attr-defined]
        await rig.until(lambda: "Foto 2 / 2" in rig.text())
        rig.box.take()
        await rig.until(lambda: "Foto 2 / 3" in rig.text())


async def test_an_exam_is_sent_held_back_and_appended_to() -> None:
    async with console(history) as rig:
        await exam_screen(rig, "Łukaszewska, Zofia")
        await rig.pilot.click("#hold")
        held = await rig.command(commands.ExamHold)
        assert held.exam == "exam-sent"  # type: ignore[attr-defined]
        await rig.until(lambda: "■ gehalten" in rig.text())
        await rig.pilot.click("#send")
        await rig.command(commands.ExamRelease)
        await rig.until(lambda: "■ gehalten" not in rig.text())
        await rig.pilot.click("#go-on")
        await rig.until(lambda: "Weitere Bilder von Łukaszewska, Zofia?" in rig.text())
        assert not any(isinstance(item, commands.ExamAppend) for item in rig.box.commands)
        await rig.press("enter")
        await rig.command(commands.ExamAppend)
        await rig.until(lambda: isinstance(rig.app.screen, CaptureScreen) and "Łukaszewska, Zofia" in rig.text())


async def test_nobody_s_pictures_cannot_be_sent_or_appended_to() -> None:
    async with console(history) as rig:
        screen = await exam_screen(rig, "wartet auf einen Namen", "3")
        for name in ("#send", "#hold", "#go-on", "#discontinue"):
            assert not screen.query_one(name).display
        assert "Patient zuordnen" in rig.text()


async def test_the_wrong_patient_is_shown_beside_the_right_one_before_anything_changes() -> None:
    async with console(history, size=SMALL) as rig:
        await exam_screen(rig, "Łukaszewska, Zofia")
        await rig.press("w", "1")
        await rig.until(lambda: isinstance(rig.app.screen, WorklistScreen))
        await rig.until(lambda: "Wessen Bilder sind das?  Łukaszewska, Zofia · 20:45 · 5 Bilder" in rig.text())
        await rig.type("demir")
        await rig.press("enter")
        await rig.until(lambda: rig.app.screen.has_class("-chosen"))
        await rig.pilot.click("#open")
        await rig.until(lambda: isinstance(rig.app.screen, ReassignScreen))
        text = rig.text()
        for part in ("VON", "ZU", "22.09.1978", "05.01.1990", "ID 04713", "ID 04714", "5 Bilder wechseln"):
            assert part in text
        assert not any(isinstance(item, commands.ExamReassign) for item in rig.box.commands)
        await rig.pilot.click("#confirm")
        command = await rig.command(commands.ExamReassign)
        assert (command.exam, command.worklist) == ("exam-sent", "item-3")  # type: ignore[attr-defined]
        await rig.until(lambda: isinstance(rig.app.screen, ExamScreen) and "Demir, Ayşe" in rig.text())
        await rig.until(lambda: "Vorher: Łukaszewska, Zofia" in rig.text())
        await rig.press("f3")
        await rig.until(lambda: sum(isinstance(item, commands.ExamReassign) for item in rig.box.commands) == 2)
        back = rig.box.commands[-1]
        assert isinstance(back, commands.ExamReassign)
        assert (back.worklist, back.id != command.id) == ("item-2", True), "undone by the same way"
        await rig.until(lambda: rig.box.exams["exam-sent"].patient == fakepeople.item(2).patient)


async def test_leaving_the_question_changes_nothing() -> None:
    async with console(history) as rig:
        await exam_screen(rig, "Łukaszewska, Zofia")
        await rig.press("w", "1")
        await rig.until(lambda: isinstance(rig.app.screen, WorklistScreen) and rig.app.screen.shown)
        await rig.press("down", "enter")
        await asyncio.sleep(0.2)
        await rig.press("enter")
        await rig.until(lambda: isinstance(rig.app.screen, ReassignScreen))
        await rig.press("escape")
        await rig.until(lambda: isinstance(rig.app.screen, WorklistScreen))
        assert not any(isinstance(item, commands.ExamReassign) for item in rig.box.commands)


async def test_pictures_are_moved_into_another_exam() -> None:
    async with console(history) as rig:
        await exam_screen(rig, "wartet auf einen Namen", "3")
        await rig.press("w", "3")
        await rig.until(lambda: isinstance(rig.app.screen, ExamsScreen) and "Łukaszewska" in rig.text())
        await touch(rig, "Łukaszewska")
        command = await rig.command(commands.ExamReassign)
        assert (command.exam, command.to_exam) == ("exam-nobody", "exam-sent")  # type: ignore[attr-defined]
        await rig.until(lambda: isinstance(rig.app.screen, ExamScreen) and "7 Bilder" in rig.text())


async def test_an_emergency_may_be_whose_pictures_they_are() -> None:
    async with console(history) as rig:
        await exam_screen(rig, "wartet auf einen Namen", "3")
        await rig.press("w", "4", "2")
        command = await rig.command(commands.ExamReassign)
        assert (command.exam, command.emergency) == ("exam-nobody", "female")  # type: ignore[attr-defined]


async def test_the_unassigned_exam_under_way_is_assigned_from_its_banner() -> None:
    async with console(listed, size=SMALL) as rig:
        await rig.press("space")
        await rig.until(lambda: "KEIN PATIENT" in rig.text() and rig.app.screen.query_one("#assign").region.area)
        await rig.pilot.click("#assign")
        await rig.until(lambda: isinstance(rig.app.screen, WorklistScreen) and rig.app.screen.shown)
        await rig.type("weiss")
        await rig.press("enter")
        await rig.until(lambda: rig.app.screen.has_class("-chosen"))
        await rig.pilot.click("#open")
        command = await rig.command(commands.ExamReassign)
        assert (command.exam, command.worklist) == ("exam-1", "item-4")  # type: ignore[attr-defined]
        await rig.until(lambda: isinstance(rig.app.screen, CaptureScreen) and "Weiß, Gerda" in rig.text())
        assert not rig.app.screen.query_one("#banner").has_class("-unassigned")
        assert rig.app.box.stills == 1, "the picture is hers now"


async def test_exams_that_wait_for_a_name_are_one_touch_away() -> None:
    async with console(history, size=SMALL) as rig:
        await rig.until(lambda: "1 ohne Namen" in rig.text())
        await rig.pilot.click("#assign")
        await rig.until(lambda: isinstance(rig.app.screen, ExamsScreen) and "wartet auf einen Namen" in rig.text())


async def test_an_emergency_of_the_pedal_asks_who_it_is() -> None:
    async with console(listed) as rig:
        rig.box.open_exam(state.Patient(id="N1", name="NOTFALL"), emergency="unknown")
        rig.box.capture.publish(events.EmergencyAsked(pedal="left", exam="exam-1"))
        await rig.until(lambda: "NOTFALL, NOCH UNBEKANNT" in rig.text())
        assert rig.app.screen.query_one("#banner").has_class("-emergency")
        assert rig.app.screen.query_one("#assign").region.area


def told(box: FakeBox) -> None:
    """Somebody waits for the performed step."""
    listed(box)
    box.performed = [state.ServiceState(name="mpps", state="ok")]
    box.open_exam(PATIENT)


async def test_an_exam_without_a_picture_is_closed_with_a_reason() -> None:
    async with console(told, size=SMALL) as rig:
        await rig.press("c")
        await rig.until(lambda: "Warum wird die Untersuchung beendet?" in rig.text())
        assert not any(isinstance(item, commands.ExamClose) for item in rig.box.commands)
        await rig.press("7")
        command = await rig.command(commands.ExamClose)
        assert command.discontinued == "patient-did-not-arrive"  # type: ignore[attr-defined]


async def test_with_pictures_closing_is_one_touch() -> None:
    async with console(told) as rig:
        rig.box.take()
        await rig.until(lambda: rig.app.box.stills == 1)
        await rig.pilot.click("#close")
        command = await rig.command(commands.ExamClose)
        assert command.discontinued == ""  # type: ignore[attr-defined]
        await rig.until(lambda: "Abgeschlossen:" in rig.text())
        assert "auf dem Weg ins Archiv" in rig.text()


async def test_a_procedure_that_is_broken_off_says_why() -> None:
    async with console(told) as rig:
        rig.box.take()
        await rig.until(lambda: rig.app.box.stills == 1)
        await rig.press("x", "1")
        await rig.until(lambda: "1 Bild" in rig.text())
        await rig.press("enter")
        await rig.until(lambda: isinstance(rig.app.screen, ExamScreen))
        await rig.pilot.click("#discontinue")
        await rig.until(lambda: "Warum wird die Untersuchung beendet?" in rig.text())
        await rig.press("3")
        command = await rig.command(commands.ExamClose)
        assert command.discontinued == "equipment"  # type: ignore[attr-defined]


async def test_an_exam_open_too_long_is_asked_about_without_getting_in_the_way() -> None:
    async with console(told) as rig:
        rig.box.take()
        await rig.until(lambda: rig.app.box.stills == 1)
        rig.clock.moment += timedelta(minutes=95)
        rig.app.redraw()
        await rig.until(lambda: "Untersuchung zu Ende?" in rig.text())
        await rig.press("space")
        await rig.until(lambda: rig.app.box.stills == 2)
        rig.clock.moment += timedelta(minutes=95)
        rig.app.redraw()
        await rig.until(lambda: "Untersuchung zu Ende?" in rig.text())
        await rig.pilot.click("#ask-no")
        await rig.until(lambda: "Untersuchung zu Ende?" not in rig.text())
        rig.clock.moment += timedelta(minutes=300)
        rig.app.redraw()
        await rig.pilot.pause(0.1)
        assert "Untersuchung zu Ende?" not in rig.text()


async def test_a_lost_signal_is_said_once_and_only_in_an_exam() -> None:
    async with console(listed) as rig:
        rig.box.signal("no-signal")
        await rig.until(lambda: rig.app.box.source is not None and not rig.app.box.source.signal)
        assert rig.said() == []
        rig.box.signal("ok")
        rig.box.open_exam(PATIENT)
        await rig.until(lambda: "Müller, Jörg" in rig.text())
        await rig.press("s")
        for _flap in range(3):
            rig.box.signal("no-signal")
            rig.box.signal("ok")
        await rig.until(rig.said)
        await rig.pilot.pause(0.1)
        assert len(rig.said()) == 1


def test_a_picture_is_scaled_while_it_is_decoded() -> None:
    small = decode(fakepeople.jpeg(3), 64)
    assert small.shape == (36, 64, 3)
    assert decode(fakepeople.jpeg(3), 4000).shape[1] >= 480
    with pytest.raises(ValueError, match=r".*"):
        decode(b"no picture", 64)


async def test_more_pictures_than_fit_are_leafed_through() -> None:
    def many(box: FakeBox) -> None:
        listed(box)
        box.closed_exam("exam-many", ZOFIA, 40)

    async with console(many, size=SMALL) as rig:
        await exam_screen(rig, "Łukaszewska, Zofia")
        await rig.until(lambda: rig.app.screen.query_one("#page-down").region.area)
        await rig.until(lambda: "20:45:07" in rig.text())
        await rig.pilot.click("#page-down")
        await rig.until(lambda: "20:45:07" not in rig.text())
        for _press in range(8):
            await rig.press("pagedown")
        await rig.until(lambda: "20:49:40" in rig.text())
        await touch(rig, "20:49:40")
        await rig.until(lambda: "Foto 40 / 40" in rig.text())


async def test_the_exam_under_way_is_closed_from_its_screen_too() -> None:
    async with console(told) as rig:
        rig.box.take()
        await rig.until(lambda: rig.app.box.stills == 1)
        await rig.press("x", "1")
        await rig.until(lambda: "1 Bild" in rig.text())
        await rig.press("enter")
        await rig.until(lambda: isinstance(rig.app.screen, ExamScreen))
        await rig.pilot.click("#go-on")
        await rig.command(commands.ExamClose)
        await rig.until(lambda: "Weitere Bilder" in rig.text())
