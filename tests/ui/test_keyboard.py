"""The keyboard on the screen, by finger."""

from __future__ import annotations

import statistics
import time

import pytest
from textual.widget import Widget
from textual.widgets import Input

from smartbox_tui.ui.app import ConsoleApp
from smartbox_tui.ui.purpose import Purpose
from smartbox_tui.ui.screens.patient import PatientScreen
from smartbox_tui.ui.widgets.field import Field
from smartbox_tui.ui.widgets.keyboard import ACCENTS_AFTER_S
from smartbox_tui.ui.widgets.touch_pad import LEAST_HEIGHT, LEAST_WIDTH
from smartbox_tui.wire import commands, state
from tests.support.fakebox import FakeBox
from tests.ui.rig import MIDDLE, SMALL, Rig, console
from tests.ui.test_completion import people
from tests.ui.touch import down, form, is_open, key, key_at, keyboard, keys, long_press, slide, touch, up

SIZES = [SMALL, (100, 30), MIDDLE, (160, 50)]


def value(rig: Rig, field: str) -> str:
    return rig.app.screen.query_one(f"#input-{field}", Input).value


async def at_field(rig: Rig, field: str) -> None:
    """The form, its keyboard open for a field."""
    if not isinstance(rig.app.screen, PatientScreen):
        await form(rig)
    if is_open(rig):
        await key(rig, "HIDE")
        await rig.until(lambda: not is_open(rig))
    await touch(rig, f"#input-{field}")
    await rig.until(lambda: is_open(rig) and keyboard(rig).field is rig.app.focused)
    await rig.pilot.pause()


def whole_in_sight(rig: Rig, widget: Widget) -> bool:
    return rig.app.screen.find_widget(widget).visible_region == widget.region


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", ["de", "en"])
async def test_the_field_stays_in_sight_above_the_keyboard(size: tuple[int, int], language: str) -> None:
    async with console(size=size, language=language) as rig:
        await form(rig)
        await rig.press("f6")
        for field in ("birth_date", "family", "accession", "middle", "referring_physician", "id"):
            if not is_open(rig) or field == "id":
                await at_field(rig, field)  # opened for it
            else:
                rig.app.screen.query_one(f"#input-{field}").focus()  # open already
                await rig.pilot.pause()
            screen, board = rig.app.screen, keyboard(rig)
            whole = screen.query_one(f"#field-{field}", Field)
            await rig.until(lambda: whole_in_sight(rig, whole))  # noqa: B023
            await rig.pilot.pause(0.05)
            told = f"{field} at {size}: {whole.region}"
            assert whole_in_sight(rig, whole), told
            assert whole.region.height >= 4, told
            assert screen.find_widget(board).visible_region == board.region, told
            assert not board.region.overlaps(whole.region), told
            assert board.region.height <= 15 or size[1] > 40, told
            assert screen.query_one("#banner").region.height >= 2
            for place in board.places():
                assert place.region.width >= LEAST_WIDTH, place
                assert place.region.height >= LEAST_HEIGHT, place
        shown = screen.query_one("#emergency").region.area or board.place_of("EMERGENCY")
        assert shown, "the emergency is one touch away"


def in_trouble(box: FakeBox) -> None:
    """Everything that takes rows at once: pictures without a name, alarms."""
    box.open_exam(state.Patient(), state="unassigned")
    box.take()
    box.signal("no-signal")


@pytest.mark.parametrize("size", SIZES)
async def test_the_field_stays_in_sight_even_below_every_alarm(size: tuple[int, int]) -> None:
    async with console(in_trouble, size=size) as rig:
        await form(rig, PatientScreen(Purpose(exam="exam-1")))
        await rig.box.away("engine")
        await rig.until(lambda: rig.app.screen.query_one("#alarms").region.height)
        await at_field(rig, "family")
        for field in ("family", "birth_date", "accession"):
            rig.app.screen.query_one(f"#input-{field}").focus()
            whole = rig.app.screen.query_one(f"#field-{field}", Field)
            await rig.until(lambda: whole_in_sight(rig, whole) and whole.region.height >= 4)  # noqa: B023
            assert rig.app.screen.query_one("#alarms").region.height >= 1
        board = keyboard(rig)
        assert rig.app.screen.find_widget(board).visible_region == board.region


async def test_the_emergency_is_on_the_keyboard_where_the_buttons_have_no_room() -> None:
    async with console(size=SMALL) as rig:
        await at_field(rig, "family")
        await key(rig, "EMERGENCY")
        await rig.until(lambda: "Wer ist es?" in rig.text() or "wer ist es" in rig.text().casefold())
        assert rig.box.commands == []


# ---- typing


async def test_a_whole_patient_is_typed_by_touch_alone() -> None:
    async with console(size=SMALL) as rig:
        await at_field(rig, "family")
        await keys(rig, "Wei")
        await long_press(rig, "s", "ß")
        assert value(rig, "family") == "Weiß"
        await key(rig, "ENTER")
        await long_press(rig, "l", "Ł")
        await keys(rig, "ukasz")
        assert value(rig, "given") == "Łukasz"
        await key(rig, "ENTER")
        await keys(rig, "77-1")
        await key(rig, "ENTER")
        await keys(rig, "14.03.1961")
        assert value(rig, "birth_date") == "14.03.1961"
        await key(rig, "ENTER")
        await keys(rig, "4711")
        await key(rig, "HIDE")
        await rig.until(lambda: not is_open(rig))
        await touch(rig, "#sex-M")
        await touch(rig, "#ok")
        command = await rig.command(commands.ExamOpen)
        assert command == commands.ExamOpen(
            id=command.id,
            patient={"id": "77-1", "name": "Weiß^Łukasz", "birth_date": "1961-03-14", "sex": "M"},
            accession="4711",
        )


async def test_the_keys_follow_the_language_and_the_purpose() -> None:
    async with console(size=SMALL, language="en") as rig:
        await at_field(rig, "family")
        names = [place.key.name for place in keyboard(rig).places()]
        assert names[:6] == list("qwerty")
        assert "ü" not in names
        await at_field(rig, "birth_date")
        assert keyboard(rig).place_of("/") is not None
        assert keyboard(rig).place_of("q") is None
        rig.app.speak("de")
        await rig.until(lambda: keyboard(rig).place_of("."))
        await at_field(rig, "family")
        names = [place.key.name for place in keyboard(rig).places()]
        assert names[:6] == list("qwertz")
        assert {"ä", "ö", "ü", "ß"} <= set(names)
        await at_field(rig, "id")
        assert keyboard(rig).place_of("-")
        await key(rig, "LETTERS")
        assert keyboard(rig).place_of("q"), "an ID may have letters"
        await key(rig, "DIGITS")
        assert keyboard(rig).place_of("q") is None


async def test_shift_is_for_one_letter_and_twice_for_all() -> None:
    async with console(size=SMALL) as rig:
        await form(rig)
        await rig.press("f6")
        await at_field(rig, "prefix")
        await key(rig, "a")
        await key(rig, "SHIFT")
        await key(rig, "b")
        await key(rig, "c")
        assert value(rig, "prefix") == "aBc"
        at = key_at(rig, "SHIFT")
        for _tap in range(2):  # without a pause: a double tap is a matter of time
            await down(rig, *at)
            await up(rig, *at)
        await rig.until(lambda: keyboard(rig).place_of("SHIFT").key.label == "↑↑")  # type: ignore[union-attr]
        await key(rig, "d")
        await key(rig, "ä")
        await key(rig, "SHIFT")
        await key(rig, "e")
        assert value(rig, "prefix") == "aBcDÄe"


async def test_names_begin_with_a_capital_also_after_a_hyphen() -> None:
    async with console(size=SMALL) as rig:
        await at_field(rig, "family")
        for name in "meier-":
            await key(rig, name)
        await rig.until(lambda: keyboard(rig).place_of("q").key.label == "Q")  # type: ignore[union-attr]
        for name in "abel":
            await key(rig, name)
        assert value(rig, "family") == "Meier-Abel"
        for _sign in "Meier-Abel":
            await key(rig, "BACKSPACE")
        assert value(rig, "family") == ""
        await rig.until(lambda: keyboard(rig).place_of("q").key.label == "Q")  # type: ignore[union-attr]
        await key(rig, "SHIFT")
        await key(rig, "v")
        assert value(rig, "family") == "v", "von, de la: shift takes it back"


async def test_a_key_repeats_while_it_is_held_and_only_then() -> None:
    async with console(size=SMALL) as rig:
        await at_field(rig, "id")
        at = key_at(rig, "7")
        await down(rig, *at)
        assert value(rig, "id") == "7", "the first one comes at once"
        await rig.until(lambda: len(value(rig, "id")) >= 4)
        await up(rig, *at)
        count = len(value(rig, "id"))
        await rig.pilot.pause(0.3)
        assert len(value(rig, "id")) == count
        assert set(value(rig, "id")) == {"7"}


async def test_backspace_takes_one_and_held_takes_all() -> None:
    async with console(size=SMALL) as rig:
        await at_field(rig, "family")
        rig.app.screen.query_one("#input-family", Input).value = "Wartburgerstein-Hohenfels" * 2
        rig.app.screen.query_one("#input-family", Input).cursor_position = 50
        await rig.pilot.pause()
        await key(rig, "BACKSPACE")
        assert len(value(rig, "family")) == 49
        at = key_at(rig, "BACKSPACE")
        began = time.monotonic()
        await down(rig, *at)
        await rig.until(lambda: value(rig, "family") == "")
        assert time.monotonic() - began > 0.9, "nothing is lost by a touch that is a little long"
        await up(rig, *at)


async def test_sliding_to_an_accent_takes_the_place_of_the_letter() -> None:
    async with console(size=SMALL) as rig:
        await at_field(rig, "given")
        await keys(rig, "Ren")
        at = key_at(rig, "e")
        await down(rig, *at)
        assert value(rig, "given") == "Rene", "the letter is there at once"
        await rig.until(lambda: keyboard(rig).place_of("accent:é"))
        over = key_at(rig, "accent:é")
        await slide(rig, *over)
        await up(rig, *over)
        await rig.until(lambda: value(rig, "given") == "René")
        assert keyboard(rig).place_of("accent:é") is None


async def test_accents_that_nobody_wants_go_with_the_next_key() -> None:
    async with console(size=SMALL) as rig:
        await at_field(rig, "given")
        at = key_at(rig, "a")
        await down(rig, *at)
        await rig.until(lambda: keyboard(rig).place_of("accent:Å"))
        await up(rig, *at)
        await key(rig, "n")
        assert value(rig, "given") == "An"
        assert keyboard(rig).place_of("accent:Å") is None


async def test_a_full_field_loses_nothing_to_an_accent() -> None:
    async with console(size=SMALL) as rig:
        await at_field(rig, "given")
        entry = rig.app.screen.query_one("#input-given", Input)
        entry.max_length = 3
        entry.value, entry.cursor_position = "Ann", 3
        await rig.pilot.pause()
        await long_press(rig, "n", "ñ")
        assert entry.value == "Ann"


async def test_the_cursor_moves_by_touch() -> None:
    async with console(size=SMALL) as rig:
        await at_field(rig, "family")
        await keys(rig, "Mier")
        for _step in range(3):
            await key(rig, "LEFT")
        await key(rig, "e")
        assert value(rig, "family") == "Meier"


# ---- coming and going


async def test_real_keys_never_open_it_and_send_it_away() -> None:
    async with console(size=SMALL) as rig:
        await form(rig)
        await rig.type("Ab")
        assert not is_open(rig)
        await at_field(rig, "given")
        await rig.type("x")
        await rig.until(lambda: not is_open(rig))
        assert value(rig, "given") == "x", "the key is not lost with it"
        assert rig.app.screen.query_one("#nav").region.area


async def test_escape_closes_the_keyboard_before_the_form() -> None:
    async with console(size=SMALL) as rig:
        await at_field(rig, "family")
        await rig.press("escape")
        await rig.until(lambda: not is_open(rig))
        assert isinstance(rig.app.screen, PatientScreen)
        await rig.press("escape")
        assert not isinstance(rig.app.screen, PatientScreen)


async def test_touching_something_else_sends_it_away_and_is_not_lost() -> None:
    async with console(size=MIDDLE) as rig:
        await at_field(rig, "family")
        await keys(rig, "Au")
        await rig.press()
        await touch(rig, "#ok")
        await rig.until(lambda: not is_open(rig))
        await rig.until(lambda: "Ein Patient braucht eine ID." in rig.text())


@pytest.mark.parametrize(("mode", "opens"), [("never", False), ("touch", True)])
async def test_the_setting_says_whether_a_touch_opens_it(mode: str, opens: bool) -> None:
    async with console(size=SMALL, keyboard=mode) as rig:
        await form(rig)
        await touch(rig, "#input-family")
        await rig.pilot.pause(0.2)
        assert is_open(rig) is opens


async def test_always_comes_with_the_field_and_stays_while_keys_are_typed() -> None:
    async with console(size=SMALL, keyboard="always") as rig:
        await form(rig)
        await rig.until(lambda: is_open(rig))
        await rig.type("Ab")
        assert is_open(rig)
        assert value(rig, "family") == "Ab"


async def test_a_trembling_finger_selects_nothing() -> None:
    async with console(size=SMALL) as rig:
        await form(rig)
        await rig.type("Meier")
        entry = rig.app.screen.query_one("#input-family", Input)
        x, y = entry.content_region.x + 2, entry.content_region.y
        await down(rig, x, y)
        await slide(rig, x + 2, y)
        await up(rig, x + 2, y)
        assert entry.selection.is_empty


# ---- completion


async def test_a_name_of_the_worklist_is_completed_by_touch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ConsoleApp, "known_people", lambda _app: people())
    async with console(size=SMALL) as rig:
        await at_field(rig, "family")
        await keys(rig, "Mue")
        await rig.until(lambda: keyboard(rig).place_of("suggest:Müller"))
        await key(rig, "suggest:Müller")
        await rig.until(lambda: value(rig, "family") == "Müller")
        assert value(rig, "given") == "", "whom the name belongs to is not guessed"
        await at_field(rig, "id")
        await keys(rig, "47")
        await rig.until(lambda: keyboard(rig).place_of("suggest:4712"))


async def test_nothing_is_proposed_for_a_secret() -> None:
    async with console(size=SMALL) as rig:
        rig.app.completion.remember("family", "Geheim")
        await at_field(rig, "family")
        rig.app.screen.query_one("#input-family", Input).password = True
        await keys(rig, "Ge")
        await rig.pilot.pause(0.1)
        assert keyboard(rig).place_of("suggest:Geheim") is None


# ---- speed


async def test_the_reaction_to_a_touch_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    async with console(size=(160, 50)) as rig:
        await at_field(rig, "family")
        painted: list[float] = []
        display = rig.app._display

        def watched(screen: object, renderable: object) -> None:
            display(screen, renderable)  # type: ignore[arg-type]
            painted.append(time.perf_counter())

        monkeypatch.setattr(rig.app, "_display", watched)
        times = []
        for name in "qwertzuiopx" * 3:
            at = key_at(rig, name)
            painted.clear()
            began = time.perf_counter()
            await down(rig, *at)
            await rig.until(lambda: painted)
            times.append(painted[0] - began)
            await up(rig, *at)
        print(f"touch to repaint: median {statistics.median(times) * 1e3:.1f} ms, worst {max(times) * 1e3:.1f} ms")
        assert statistics.median(times) < ACCENTS_AFTER_S
