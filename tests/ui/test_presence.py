"""Engine away, capture away, and back: said loudly, and it goes on by itself."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from rich.color import Color
from textual.widget import Widget

from smartbox_tui.ui.state import Presence
from smartbox_tui.wire import commands, state
from tests.support.fakebox import START
from tests.ui.rig import SMALL, Rig, console, with_exam


async def test_without_the_engine_pictures_go_on_and_the_screen_says_so() -> None:
    async with console(with_exam) as rig:
        await rig.box.away("engine")
        await rig.until(lambda: "Die Zentrale antwortet nicht" in rig.text())
        assert "Fotos und Aufnahmen gehen weiter" in rig.text()
        assert "Müller, Jörg" in rig.text(), "the patient stays in sight"
        await rig.press("space")
        await rig.until(lambda: rig.app.box.stills == 1)
        assert rig.app.screen.query_one("#patient").has_class("-off")
        assert not rig.app.screen.query_one("#photo").has_class("-off")
        await rig.box.back("engine")
        await rig.until(lambda: "Die Zentrale antwortet nicht" not in rig.text())
        assert any("wieder da" in text for text in rig.said())


@pytest.mark.parametrize("process", ["engine", "capture"])
async def test_what_comes_up_after_the_console_is_not_back(process: str) -> None:
    """It was never there; from then on it is."""
    async with console(with_exam, late=process) as rig:
        assert not rig.said()
        await rig.box.away(process)
        await rig.until(lambda: Presence.AWAY in (rig.app.box.engine, rig.app.box.capture))
        await rig.box.back(process)
        await rig.until(rig.said)
        assert "wieder da" in rig.said()[0]


async def test_without_capture_the_picture_says_it_and_the_buttons_too() -> None:
    async with console(with_exam, size=SMALL) as rig:
        await rig.box.away("capture")
        await rig.until(lambda: "KEIN REKORDER" in rig.text())
        assert "Der Rekorder antwortet nicht" in rig.text()
        photo = rig.app.screen.query_one("#photo")
        assert photo.has_class("-off")
        await rig.pilot.click("#photo")
        await rig.until(rig.said)
        assert "keine Aufnahme möglich" in rig.said()[0]
        await rig.box.back("capture")
        await rig.until(lambda: "KEIN REKORDER" not in rig.text())
        assert not photo.has_class("-off")


async def test_a_press_while_the_process_restarts_is_repeated_with_the_same_id() -> None:
    async with console(with_exam) as rig:
        await rig.box.away("capture")
        await rig.until(lambda: rig.app.box.capture is Presence.AWAY)
        await rig.press("space")
        await rig.box.back("capture")
        command = await rig.command(commands.Still)
        await rig.until(lambda: rig.app.box.stills == 1)
        assert [item.id for item in rig.box.commands] == [command.id]


async def test_a_recording_ends_on_the_screen_with_the_process_that_made_it() -> None:
    async with console(with_exam) as rig:
        rig.box.record(10)
        await rig.until(lambda: "AUFNAHME 00:00:10" in rig.text())
        await rig.box.away("capture")
        await rig.until(lambda: "AUFNAHME 00:00:10" not in rig.text())
        rig.box.sources = [replace(rig.box.sources[0], recording=None)]
        await rig.box.back("capture")
        await rig.until(rig.said)
        assert "Die Aufnahme wurde unterbrochen." in rig.said()[-1]


async def test_the_box_s_alarms_are_sentences_above_the_picture_unless_shown_elsewhere() -> None:
    async with console(with_exam) as rig:
        codes = ("disk-low", "clock", "blocked", "no-destination", "destination-archive")
        rig.box.alarms = [state.Alarm(code=code, message="x", since=START.isoformat()) for code in codes]
        rig.box.tell()
        await rig.until(lambda: "Auf der Box ist wenig Platz." in rig.text())
        assert "Die Uhr ist noch nicht sicher." in rig.text()
        assert rig.app.screen.query_one("#alarms").region.height == 2


@pytest.mark.parametrize(
    ("keys", "code", "banner"), [("", "clock", "-nobody"), ("e1", "disk-urgent", "-emergency")]
)
async def test_an_alarm_has_an_edge_below_a_banner_of_its_own_colour(keys: str, code: str, banner: str) -> None:
    async with console() as rig:
        await rig.press(*keys)
        await rig.until(lambda: rig.app.screen.query_one("PatientBanner").has_class(banner))
        rig.box.alarms = [state.Alarm(code=code, message="x", since=START.isoformat())]
        rig.box.tell()
        above, bar = rig.app.screen.query_one("PatientBanner"), rig.app.screen.query_one("#alarms")
        await rig.until(lambda: bar.region.height and _ground(rig, 40, bar) == _ground(rig, 40, above))
        assert _ground(rig, 1, bar) != _ground(rig, 1, above)


def _ground(rig: Rig, column: int, widget: Widget) -> Color | None:
    return rig.app.screen.get_style_at(column, widget.region.y).bgcolor


async def test_what_changed_meanwhile_is_there_after_the_return() -> None:
    async with console(with_exam) as rig:
        await rig.box.away("engine")
        await rig.until(lambda: rig.app.box.engine is Presence.AWAY)
        rig.box.destinations = [
            replace(rig.box.destinations[0], state="unreachable", reason="10.0.0.5", code="no-route")
        ]
        await rig.box.back("engine")
        await rig.until(lambda: "✗ nicht erreichbar" in rig.text())
        assert "Das Archiv ist nicht erreichbar." in rig.text()
