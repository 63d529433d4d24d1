"""The pedals on the status screen and among the alarms: which there are, what each does, what is wrong."""

from __future__ import annotations

import pytest

from smartbox_tui.settings.schema import Pedal
from smartbox_tui.ui import words
from smartbox_tui.ui.alarm_words import PEDALS
from smartbox_tui.ui.setting_words import CHOICES
from smartbox_tui.wire import events, state
from tests.support.fakebox import FakeBox
from tests.ui.rig import MIDDLE, SMALL, Rig, console

LEFT = Pedal(id="left", kind="evdev", device="usb-0:3", short="still", long="record", double="mark")
RIGHT = Pedal(
    id="right", kind="serial-line", device="usb-0:4?line=cts", short="emergency", long="none", double="none"
)


def told(pedal: Pedal, condition: str = "ok") -> state.Pedal:
    return state.Pedal(id=pedal.id, kind=pedal.kind, device=pedal.device, state=condition)


def both(box: FakeBox) -> None:
    box.pedals = [told(RIGHT), told(LEFT)]


def line(rig: Rig, name: str) -> str:
    """That row of the status screen."""
    text = str(rig.app.screen.query_one("#status-text").render())
    return next(row for row in text.splitlines() if row[3:].startswith(f"{name} "))


@pytest.mark.parametrize("size", [SMALL, MIDDLE])
async def test_each_pedal_with_what_it_does(size: tuple[int, int]) -> None:
    async with console(both, size=size, language="en", pedals=(LEFT, RIGHT)) as rig:
        await rig.press("s")
        await rig.until(lambda: "Pedals" in rig.text())
        text = str(rig.app.screen.query_one("#status-text").render())
        assert text.index(" left ") < text.index(" right "), "in the order of their names, whichever spoke last"
        assert line(rig, "left").startswith(" ✓ left              ready  short: Photo · long: Recording")
        assert "short: Emergency" in line(rig, "right")
        assert "long" not in line(rig, "right"), "what a press does not do is not told"


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("size", [SMALL, MIDDLE])
async def test_nothing_that_a_pedal_does_is_cut_off(size: tuple[int, int], language: str) -> None:
    async with console(both, size=size, language=language, pedals=(LEFT, RIGHT)) as rig:
        await rig.press("s")
        t = rig.app.view().t
        await rig.until(lambda: t("Pedals") in rig.text())
        text = str(rig.app.screen.query_one("#status-text").render())
        of_left = text[text.index(" left ") : text.index(" right ")]
        for press, what in (("short", "still"), ("long", "record"), ("double", "mark")):
            assert t(words.PEDAL_PRESS[press], what=t(CHOICES[what])) in of_left
        first, *more = of_left.splitlines()[:-1]
        assert len(more) == (size == SMALL)
        word = first.index(t(words.PEDAL_STATE["ok"])) + 2  # the line began with the mark
        assert all(row[:word].isspace() and row[word] != " " for row in more), "below the word"
        assert "…" not in text
        await rig.settled()
        status = rig.app.screen.query_one("#status-text")
        assert status.size.height == len(text.splitlines()), "its last line can be scrolled to"


async def test_an_alarm_takes_the_lines_that_it_needs_and_no_more() -> None:
    def stuck(box: FakeBox) -> None:
        box.pedals = [told(LEFT, "stuck")]

    async with console(stuck, size=SMALL, language="en", pedals=(LEFT,)) as rig:
        await rig.press("s")  # a screen that is put up has no width when it first hears of it
        await rig.settled()
        bar = rig.app.screen.query_one("#alarms")
        assert str(bar.render()).strip() == "! The pedal left is stuck. Free it; everything else works."
        assert bar.size.height == 1


@pytest.mark.parametrize(("language", "headline"), [("de", "Pedale"), ("en", "Pedals")])
async def test_what_is_wrong_is_told_at_once_here_and_among_the_alarms(language: str, headline: str) -> None:
    async with console(both, size=SMALL, language=language, pedals=(LEFT, RIGHT)) as rig:
        await rig.press("s")
        await rig.until(lambda: headline in rig.text())
        for condition in ("stuck", "gone", "busy", "refused", "failed"):
            rig.box.capture.publish(events.PedalChanged(pedal=told(LEFT, condition)))
            t = rig.app.view().t
            word, alarm = t(words.PEDAL_STATE[condition]), t(PEDALS[condition].what, pedal="left")
            await rig.until(lambda word=word: word in line(rig, "left"))
            assert "usb-0:3 (" in line(rig, "left"), "where it is looked for"
            assert line(rig, "left")[1] == ("✗" if condition == "stuck" else "!")
            assert alarm in str(rig.app.screen.query_one("#status-text").render())
        rig.box.capture.publish(events.PedalChanged(pedal=told(LEFT)))
        await rig.until(lambda: line(rig, "left")[1] == "✓")


async def test_every_state_has_a_word() -> None:
    said = state.Pedal.__doc__ or ""
    for condition in ("ok", "starting", "stuck", "gone", "busy", "refused", "failed"):
        assert condition in said
        assert condition in words.PEDAL_STATE
    assert set(PEDALS) == set(words.PEDAL_STATE) - {"ok", "starting"}


async def test_without_pedals_there_is_no_headline() -> None:
    async with console(size=SMALL, language="en", pedals=()) as rig:
        await rig.press("s")
        await rig.until(lambda: "Archives" in rig.text())
        assert "Pedals" not in rig.text()
