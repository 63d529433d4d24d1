"""Settings that somebody changed hold on the console without a restart; the language is saved when switched."""

from __future__ import annotations

from pathlib import Path

import pytest

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.ui.screens.settings import SettingsScreen
from smartbox_tui.ui.screens.settings_file import SettingsFileScreen
from smartbox_tui.ui.theme import SIXTEEN, TRUE_COLOUR
from smartbox_tui.wire import commands, events, state
from tests.support.fakebox import START, FakeBox
from tests.ui import touch as fingers
from tests.ui.rig import SMALL, console
from tests.ui.settings_rig import at, settings


async def test_the_language_is_switched_at_once_and_saved() -> None:
    async with console() as rig:
        await rig.press("l")
        await rig.until(lambda: "NO PATIENT" in rig.text())
        command = await rig.command(commands.SettingsPut)
        assert command.changes == {"language": "en"}  # type: ignore[attr-defined]


async def test_a_language_that_cannot_be_saved_is_spoken_all_the_same() -> None:
    async with console() as rig:
        rig.box.refuse_next(SmartBoxError("refused", "The site file cannot be written.", "Check the disk."))
        await rig.press("l")
        await rig.command(commands.SettingsPut)
        await rig.until(lambda: "NO PATIENT" in rig.text())
        await rig.pilot.pause(0.2)
        assert rig.said() == [], "nobody asked for it to be saved"


async def test_changed_settings_are_read_again() -> None:
    async with console() as rig:
        site = Path(rig.app.paths.state) / "site.toml"
        text = 'language = "en"\nwithout_patient = "refuse"\n\n[display]\ntheme = "console"\n'
        site.write_text(text, encoding="utf-8")
        assert rig.app.theme == TRUE_COLOUR.name
        rig.box.engine.publish(events.SettingsChanged(paths=["language"]))
        await rig.until(lambda: "without one nothing is taken" in rig.text())
        assert rig.app.theme == SIXTEEN.name
        assert rig.app.settings.language == "en"


async def test_settings_that_cannot_be_read_leave_everything_as_it_is() -> None:
    async with console() as rig:
        rig.app._config = Path(rig.app.paths.state) / "smartbox.toml"
        rig.app._config.write_text('language = "kl"\n', encoding="utf-8")
        rig.box.engine.publish(events.SettingsChanged(paths=["language"]))
        await rig.until(rig.said)
        assert "KEIN PATIENT" in rig.text()


@pytest.mark.parametrize(
    ("language", "said", "place"),
    [
        (
            "de",
            "Die Einstellungsdatei ist nicht lesbar: es gilt, was vorher darin stand.",
            "Zeile 3, Spalte 9: das",
        ),
        ("en", "The settings file cannot be read: what it said before is in force.", "line 3, column 9: this"),
    ],
)
async def test_a_copy_that_stands_in_for_the_file_is_said_and_why(language: str, said: str, place: str) -> None:
    why = "/etc/smartbox/smartbox.toml is not readable as TOML: Invalid value (at line 3, column 9) Mend that line."
    why += f" In force is what the file said when it last held, kept on {START.isoformat()}."

    def slip(box: FakeBox) -> None:
        box.settings.file_trouble = why
        box.alarms = [state.Alarm(code="settings-file", message=why, since=START.isoformat())]

    async with settings(slip, language=language, size=SMALL) as rig:
        assert said in rig.text()
        await rig.press("f")
        await at(rig, SettingsFileScreen)
        await rig.until(lambda: place in " ".join(rig.text().split()))
        await fingers.touch(rig, "#input-place")
        await rig.until(lambda: fingers.is_open(rig))
        entry = rig.app.screen.query_one("#input-place")
        seen = rig.app.screen.find_widget(entry).visible_region
        assert seen.height == 3, "the field stays in sight"
        await rig.press("escape")
        await rig.until(lambda: not fingers.is_open(rig))
        await rig.press("escape")
        await at(rig, SettingsScreen)
        await rig.press("escape", "s")
        await rig.until(lambda: said.split(":")[0] in rig.text())
