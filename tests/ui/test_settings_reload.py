"""Settings that somebody changed hold on the console without a restart; the language is saved when switched."""

from __future__ import annotations

from pathlib import Path

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.ui.theme import SIXTEEN, TRUE_COLOUR
from smartbox_tui.wire import commands, events
from tests.ui.rig import console


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
