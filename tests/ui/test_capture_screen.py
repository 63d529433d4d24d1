"""The capture screen: each press one command, each fact seen."""

from __future__ import annotations

import time
import uuid

import pytest
from textual.events import Key

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.ui.link import BoxMessage, RecordingHasStopped, StillWasTaken
from smartbox_tui.ui.state import Presence
from smartbox_tui.wire import commands, events, state
from tests.support.fakebox import delivery
from tests.ui.rig import SMALL, busy, console, with_exam
from tests.ui.touch import touch

TRIGGERS = [
    ("space", "#photo", commands.Still),
    ("r", "#record", commands.RecordStart),
    ("p", None, commands.PedalPress),
]


@pytest.mark.parametrize(("key", "button", "kind"), TRIGGERS)
async def test_a_key_is_one_command_with_the_time_of_the_press(
    key: str, button: str | None, kind: type[commands.Command]
) -> None:
    async with console(with_exam) as rig:
        before = time.monotonic_ns()
        await rig.press(key)
        command = await rig.command(kind)
        assert before <= command.at_ns <= time.monotonic_ns()  # type: ignore[attr-defined]
        assert uuid.UUID(command.id).version == 4
        assert len(rig.box.commands) == 1


@pytest.mark.parametrize("size", [SMALL, (120, 33)])
async def test_the_same_by_mouse(size: tuple[int, int]) -> None:
    async with console(with_exam, size=size) as rig:
        before = time.monotonic_ns()
        await touch(rig, "#photo")
        still = await rig.command(commands.Still)
        assert before <= (still.at_ns or 0) <= time.monotonic_ns()  # type: ignore[attr-defined]
        await rig.pilot.click("#record")
        await rig.command(commands.RecordStart)
        await rig.until(lambda: rig.app.box.recording is not None)
        await rig.pilot.click("#mark")
        await rig.command(commands.RecordMark)
        await rig.pilot.click("#record")
        await rig.command(commands.RecordStop)
        await rig.until(lambda: rig.app.box.clips == 1)
        assert [type(item) for item in rig.box.commands] == [
            commands.Still,
            commands.RecordStart,
            commands.RecordMark,
            commands.RecordStop,
        ]


async def test_an_exam_by_keys_alone_and_its_facts_in_order() -> None:
    async with console(with_exam) as rig:
        await rig.press("space")
        await rig.until(lambda: rig.app.box.stills == 1)
        assert "✓ Foto 1" in rig.text(), "the picture itself, with its label"
        await rig.press("r")
        await rig.until(lambda: rig.app.box.recording is not None)
        await rig.until(lambda: "AUFNAHME 00:00:00" in rig.text())
        await rig.press("m", "r")
        await rig.until(lambda: rig.app.box.clips == 1)
        facts = [type(item) for item in rig.messages if isinstance(item, BoxMessage)]
        assert facts.index(StillWasTaken) < facts.index(RecordingHasStopped)
        await rig.press("c")
        await rig.command(commands.ExamClose)
        await rig.until(lambda: "KEIN PATIENT" in rig.text())


async def test_a_key_that_is_held_down_is_one_press() -> None:
    async with console(with_exam) as rig:
        for _repetition in range(20):
            rig.app.post_message(Key("space", " "))
        rig.app.post_message(Key("m", "m"))
        await rig.command(commands.RecordMark)
        assert [type(item) for item in rig.box.commands] == [commands.Still, commands.RecordMark]


async def test_on_every_other_screen_the_line_below_says_what_is_taken_and_open() -> None:
    async with console(busy, size=SMALL) as rig:
        await rig.press("s")
        line = rig.text().splitlines()[-4]
        for part in ("● Signal", "5 Fotos · 1 Clip", "4 offen, älteste 3 min", "✗ 1", "Platz für 41 h"):
            assert part in line
        rig.box.take()
        await rig.until(lambda: "✓ Foto 6 · 21:45:49" in rig.text())


async def test_enter_presses_the_button_that_has_the_focus() -> None:
    async with console(with_exam) as rig:
        rig.app.screen.query_one("#photo").focus()
        await rig.press("enter")
        await rig.command(commands.Still)


async def test_what_was_taken_leaves_the_picture_after_two_seconds() -> None:
    async with console(with_exam) as rig:
        rig.box.take()
        await rig.until(lambda: "✓ Foto 1" in rig.text())
        rig.clock.seconds += 2.1
        rig.app.redraw()
        await rig.until(lambda: "✓ Foto 1" not in rig.text())
        assert "1 Foto" in rig.text(), "it stays in the strip"


async def test_the_banner_says_whose_pictures_these_are() -> None:
    async with console(busy) as rig:
        text = rig.text()
        for part in ("Müller, Jörg", "14.03.1961 (65)", "männlich", "ID 4711-22", "Auftrag 2026-1180", "00:03:12"):
            assert part in text


@pytest.mark.parametrize(("without", "told"), [("hold", "erst gesendet"), ("refuse", "wird nichts aufgenommen")])
async def test_no_patient_is_loud_and_says_what_follows(without: str, told: str) -> None:
    async with console(without_patient=without) as rig:
        assert "KEIN PATIENT" in rig.text()
        assert told in rig.text()
        assert rig.app.screen.query_one("#banner").has_class("-nobody")


async def test_a_picture_without_a_patient_opens_an_unassigned_exam_in_sight() -> None:
    async with console() as rig:
        await rig.press("space")
        await rig.until(lambda: "nicht zugeordnete Bilder" in rig.text())
        assert rig.app.screen.query_one("#banner").has_class("-unassigned")


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("no-signal", "KEIN SIGNAL"),
        ("no-cable", "KEIN KABEL"),
        ("gone", "GRABBER FEHLT"),
        ("frozen", "BILD STEHT"),
        ("unsupported", "FORMAT NICHT UNTERSTÜTZT"),
    ],
)
async def test_a_lost_signal_is_said_in_words_and_comes_back_by_itself(condition: str, told: str) -> None:
    async with console(with_exam, size=SMALL) as rig:
        assert "Signal 1920×1080 · 30 Bilder/s" in rig.text()
        rig.box.signal(condition)
        await rig.until(lambda: told in rig.text())
        rig.box.signal("ok")
        await rig.until(lambda: told not in rig.text())


async def test_the_queue_is_in_sight_with_why_and_how_old() -> None:
    async with console(busy) as rig:
        text = rig.text()
        for part in ("✓ erreichbar", "4 offen", "älteste 3 min", "1 wartet auf Abschluss", "✗ 1 BLOCKIERT", "62%"):
            assert part in text
        rig.box.deliver(delivery(11, "queued"))
        await rig.until(lambda: "BLOCKIERT" not in rig.text())


async def test_an_error_is_said_with_what_to_do_and_the_detail() -> None:
    async with console(with_exam) as rig:
        rig.box.refuse_next(SmartBoxError("disk-full", "12 MB are left on /var.", "Free some."))
        await rig.press("space")
        await rig.until(rig.said)
        notice = rig.said()[0]
        assert "Die Box ist voll" in notice
        assert "Warteschlange" in notice
        assert "12 MB are left on /var." in notice


async def test_the_last_picture_is_discarded_with_a_reason() -> None:
    async with console(with_exam, size=SMALL) as rig:
        await rig.press("d")
        assert "nichts zu verwerfen" in rig.said()[0]
        rig.box.take()
        rig.box.take()
        await rig.until(lambda: rig.app.box.stills == 2)
        await rig.press("d")
        await rig.until(lambda: "Das letzte Bild verwerfen?" in rig.text())
        assert "Foto · 21:45:14" in rig.text()
        rig.box.take()
        await rig.until(lambda: "Foto · 21:45:21" in rig.text())
        await rig.press("1")
        command = await rig.command(commands.DiscardLast)
        assert command.reason == "blurred"  # type: ignore[attr-defined]
        await rig.until(lambda: rig.app.box.stills == 2)


async def test_a_burst_is_shown_with_its_count_of_frames() -> None:
    async with console(with_exam, size=SMALL) as rig:
        for _ in range(5):
            rig.box.take()
        rig.box.take("burst", 0.4, 12)
        await rig.until(lambda: rig.app.box.bursts == 1)
        await rig.until(lambda: "Serie 1 · 12 Einzelbilder" in rig.text())
        assert "▚ ×12" in rig.text()
        assert "5 Fotos · 1 Serie" not in rig.text(), "that would not fit into the line"
        assert "■ 5 · ▚ 1 · ▶ 0" in rig.text()
        await rig.app.run_action("app.pictures")
        await rig.until(lambda: "Serie 6 / 6" in rig.text())
        assert "12 Einzelbilder" in rig.text()
        await rig.press("escape", "d")
        await rig.until(lambda: "Serie · 12 Einzelbilder" in rig.text())
        await rig.press("1")
        await rig.command(commands.DiscardLast)
        await rig.until(lambda: (rig.app.box.stills, rig.app.box.bursts) == (5, 0))


async def test_a_stuck_pedal_is_told() -> None:
    async with console(with_exam) as rig:
        rig.box.capture.publish(events.PedalUsed(pedal="left", gesture="stuck"))
        await rig.until(rig.said)
        assert "Das Pedal left scheint zu klemmen." in rig.said()[0]


async def test_a_pedal_s_trouble_stands_above_the_picture_until_it_is_over() -> None:
    def became(name: str, condition: str) -> events.PedalChanged:
        return events.PedalChanged(pedal=state.Pedal(id=name, kind="evdev", device="usb-0:3", state=condition))

    async with console(with_exam) as rig:
        rig.box.capture.publish(became("left", "stuck"))
        rig.box.capture.publish(became("right", "gone"))
        await rig.until(lambda: "Das Pedal left klemmt. Bitte lösen" in rig.text())
        assert "Das Pedal right fehlt. Stecker prüfen" in rig.text()
        await rig.box.away("engine")
        await rig.until(lambda: rig.app.box.engine is Presence.AWAY)
        assert "Das Pedal left klemmt." in rig.text(), "it is capture that says so"
        rig.box.capture.publish(became("left", "ok"))
        rig.box.capture.publish(became("right", "busy"))
        await rig.until(lambda: "Ein anderes Programm hat das Pedal right." in rig.text())
        assert "klemmt" not in rig.text()


async def test_the_language_is_switched_for_everything_on_the_screen() -> None:
    async with console(busy) as rig:
        german = rig.text()
        await rig.press("l")
        await rig.until(lambda: "P H O T O" in rig.text())
        english = rig.text()
        for word in ("Leertaste", "Abschließen", "Warteschlange", "NOTFALL", "Platz", "Vorlauf", "Fotos"):
            assert word in german
            assert word not in english
        for word in ("Space", "Close exam", "Queue", "EMERGENCY", "room for 41 h", "pre-roll", "photos"):
            assert word in english
        await rig.press("l")
        await rig.until(lambda: rig.text() == german)


async def test_f10_leaves() -> None:
    async with console(with_exam) as rig:
        await rig.press("f10")
        await rig.until(lambda: rig.app._exit)
    assert rig.app.return_code == 0
