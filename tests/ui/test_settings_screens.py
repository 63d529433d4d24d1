"""The settings screens: by keyboard alone and by touch alone, in words, and always a way back."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.ui import theme
from smartbox_tui.ui.screens import settings_file
from smartbox_tui.ui.screens.settings import SettingsEntriesScreen, SettingsScreen
from smartbox_tui.ui.screens.settings_file import SettingsFileScreen
from smartbox_tui.ui.screens.settings_form import SettingsFormScreen
from smartbox_tui.ui.screens.settings_keep import WAIT_S, KeepScreen
from smartbox_tui.ui.screens.settings_teach import TeachScreen
from smartbox_tui.ui.screens.settings_value import SettingValueScreen
from smartbox_tui.ui.widgets.big_button import BigButton
from smartbox_tui.ui.widgets.biglist import BigList
from smartbox_tui.ui.widgets.field import Field
from smartbox_tui.wire import commands
from tests.support.fakebox import FakeBox
from tests.ui import touch as fingers
from tests.ui.rig import MIDDLE, SMALL, Rig, console
from tests.ui.settings_rig import FAILED, at, choose, rewrite, settings, site, touch

# ---- changing


async def test_a_port_is_changed_by_keyboard_alone() -> None:
    async with settings() as rig:
        await choose(rig, "destinations")
        await at(rig, SettingsEntriesScreen)
        await choose(rig, "archive")
        await at(rig, SettingsFormScreen)
        await choose(rig, "port")
        await at(rig, SettingValueScreen)
        await rewrite(rig, "0")
        await rig.press("f2")
        assert "1 to 65,535" in rig.text()
        await rewrite(rig, "11112")
        await rig.press("enter")
        await at(rig, SettingsFormScreen)
        assert "Not saved yet." in rig.text()
        assert not [item for item in rig.box.commands if isinstance(item, commands.SettingsPut)]
        await rig.press("f2")
        put = await rig.command(commands.SettingsPut)
        assert put == commands.SettingsPut(id=put.id, changes={"destinations.archive.port": 11112})
        await rig.until(lambda: "set here" in rig.text())
        assert any("Saved." in said for said in rig.said())
        assert site(rig).destinations[0].port == 11112


@pytest.mark.parametrize("size", [SMALL, MIDDLE])
async def test_a_worklist_is_set_up_by_touch_alone(size: tuple[int, int]) -> None:
    def none(box: FakeBox) -> None:
        box.settings.put(worklist__host="", worklist__aet="")

    async with settings(none, size=size, language="de") as rig:
        await touch(rig, "worklist")
        await at(rig, SettingsFormScreen)
        for key, text in (("host", "ris"), ("aet", "RIS")):
            await touch(rig, key)
            screen = await at(rig, SettingValueScreen)
            await fingers.touch(rig, "#input-value")
            await rig.until(lambda: fingers.is_open(rig))
            await fingers.keys(rig, text)
            assert screen.query_one(Field).value == text
            entry = screen.query_one("#input-value")
            assert screen.find_widget(entry).visible_region.height == 3, "the field stays in sight"
            await fingers.key(rig, "ENTER")
            await at(rig, SettingsFormScreen)
        await fingers.touch(rig, "#save")
        await rig.until(lambda: site(rig).worklist.host == "ris")
        assert site(rig).worklist.aet == "RIS"


async def test_choices_are_buttons_and_switches_switch() -> None:
    async with settings() as rig:
        await choose(rig, "destinations")
        await choose(rig, "archive")
        await at(rig, SettingsFormScreen)
        await choose(rig, "send")
        screen = await at(rig, SettingValueScreen)
        assert screen.query_one("#choice-1").has_class("-on")
        await rig.press("1")
        await at(rig, SettingsFormScreen)
        await choose(rig, "mpps")
        await rig.press("f2")
        await rig.until(lambda: site(rig).destinations[0].mpps)
        assert site(rig).destinations[0].send == "immediately"


async def test_what_the_engine_refuses_is_said_at_its_line() -> None:
    async with settings() as rig:
        await choose(rig, "mpps")
        await choose(rig, "host")
        await at(rig, SettingValueScreen)
        await rig.type("ris")
        await rig.press("enter", "f2")
        await rig.until(lambda: "The server's AE title is missing." in rig.text())
        pointed = rig.app.screen.query_one(BigList).pointed
        assert pointed is not None
        assert pointed.key.key == "aet"
        assert site(rig).mpps.host == ""


async def test_leaving_with_changes_asks_and_can_drop_them() -> None:
    async with settings() as rig:
        await choose(rig, "recording")
        await choose(rig, "burst")
        await rewrite(rig, "7")
        await rig.press("enter", "escape")
        await rig.until(lambda: "Save the changes?" in rig.text())
        await rig.press("2")
        await at(rig, SettingsScreen)
        assert site(rig).recording.burst == 5


async def test_what_a_variable_decides_says_so_and_is_locked() -> None:
    def fixed(box: FakeBox) -> None:
        box.settings.environ = {"SMARTBOX_WORKLIST__PORT": "11"}

    async with settings(fixed) as rig:
        await choose(rig, "worklist")
        await at(rig, SettingsFormScreen)
        assert "fixed: SMARTBOX_WORKLIST__PORT" in rig.text()
        await choose(rig, "port")
        assert isinstance(rig.app.screen, SettingsFormScreen)
        assert any("SMARTBOX_WORKLIST__PORT" in said for said in rig.said())


async def test_an_archive_is_added_removed_and_brought_back() -> None:
    async with settings() as rig:
        await choose(rig, "destinations")
        await at(rig, SettingsEntriesScreen)
        await rig.press("a")
        await at(rig, SettingValueScreen)
        for wrong in ("archive", "a b"):
            await rewrite(rig, wrong)
            await rig.press("enter")
            assert isinstance(rig.app.screen, SettingValueScreen), wrong
        await rewrite(rig, "third")
        await rig.press("enter")
        await at(rig, SettingsFormScreen)
        for key, text in (("host", "c.example"), ("aet", "THIRD")):
            await choose(rig, key)
            await at(rig, SettingValueScreen)
            await rig.type(text)
            await rig.press("enter")
            await at(rig, SettingsFormScreen)
        await rig.press("f2")
        await rig.until(lambda: len(site(rig).destinations) == 3)
        await rig.until(lambda: bool(rig.app.screen.query("#remove")))
        await rig.press("x")
        await rig.until(lambda: "Remove third?" in rig.text())
        assert len(site(rig).destinations) == 3, "not without being asked"
        await rig.press("x")
        await rig.until(lambda: len(site(rig).destinations) == 2)
        await at(rig, SettingsEntriesScreen)
        await rig.press("u")
        await rig.until(lambda: len(site(rig).destinations) == 3)


# ---- always a way back


@pytest.mark.parametrize("keys", [(), ("n",), ("q",), ("s",), ("e",)])
async def test_o_and_u_undo_from_every_screen(keys: tuple[str, ...]) -> None:
    def changed(box: FakeBox) -> None:
        box.settings.start("en")
        box.settings.put(language="de")

    async with console(changed, size=SMALL, language="de") as rig:
        for key in keys:
            await rig.press(key)
        if keys == ("n",):
            await rig.press("escape")  # a form takes letters
        await rig.press("o")
        await at(rig, SettingsScreen)
        await rig.press("u")
        await rig.command(commands.SettingsUndo)
        await rig.until(lambda: rig.app.t.language == "en")
        await rig.until(lambda: any("Undone." in said or "Rückgängig" in said for said in rig.said()))


async def test_colours_that_nobody_can_read_go_back_by_themselves() -> None:
    async with settings() as rig:
        await choose(rig, "display")
        await choose(rig, "theme")
        await at(rig, SettingValueScreen)
        await rig.press("3", "f2")
        await at(rig, KeepScreen)
        await rig.until(lambda: rig.app.theme == theme.SIXTEEN.name)
        rig.clock.seconds += WAIT_S + 1
        rig.app.redraw()
        await rig.until(lambda: rig.app.theme == theme.TRUE_COLOUR.name)
        assert site(rig).display.theme == "auto"


async def test_colours_that_can_be_read_stay() -> None:
    async with settings() as rig:
        await choose(rig, "display")
        await choose(rig, "theme")
        await rig.press("3", "f2")
        await at(rig, KeepScreen)
        await rig.press("1")
        await at(rig, SettingsFormScreen)
        rig.clock.seconds += WAIT_S + 1
        rig.app.redraw()
        await rig.pilot.pause(0.1)
        assert site(rig).display.theme == "console"
        assert not [item for item in rig.box.commands if isinstance(item, commands.SettingsUndo)]


async def test_the_history_goes_back_to_before_any_change() -> None:
    def changed(box: FakeBox) -> None:
        box.settings.put(station_name="ONE")
        box.settings.put(station_name="TWO")

    async with settings(changed) as rig:
        await rig.press("h")
        await rig.until(lambda: "ONE → TWO" in rig.text())
        assert "root (pid 812)" in rig.text()
        await choose(rig, "1")
        await rig.until(lambda: "Back to before change 1?" in rig.text())
        await rig.press("1")
        await rig.until(lambda: site(rig).station_name == "ENDO1")


# ---- trying


@pytest.mark.parametrize(
    ("language", "says"),
    [
        ("en", ("The server does not call itself PACS.", "exactly as it is set up")),
        ("de", ("Der Server heißt nicht PACS.", "genau wie dort eintragen")),
    ],
)
async def test_a_connection_test_says_what_is_wrong_and_what_to_do(language: str, says: tuple[str, ...]) -> None:
    def failing(box: FakeBox) -> None:
        box.settings.report = FAILED

    async with settings(failing, language=language) as rig:
        await choose(rig, "destinations")
        await choose(rig, "archive")
        await at(rig, SettingsFormScreen)
        await choose(rig, "port")
        await rewrite(rig, "105")
        await rig.press("enter")
        await at(rig, SettingsFormScreen)
        await rig.press("t")
        test = await rig.command(commands.ConnectionTest)
        assert test == commands.ConnectionTest(id=test.id, what="destination", name="archive", values={"port": 105})
        await rig.until(lambda: all(text in rig.text() for text in (*says, "called AE title not recognized")))


async def test_a_test_that_cannot_be_made_says_why() -> None:
    async with settings() as rig:
        await choose(rig, "mpps")
        await at(rig, SettingsFormScreen)
        rig.box.refuse_next(SmartBoxError("bad-value", "mpps.host: a server needs host, port and aet", "Give it."))
        await rig.press("t")
        await rig.until(lambda: "A value is not right." in rig.text())


async def test_what_holds_only_after_a_restart_says_so_before_and_after() -> None:
    async with settings() as rig:
        await choose(rig, "panel")
        await at(rig, SettingsFormScreen)
        await choose(rig, "font")
        await at(rig, SettingValueScreen)
        assert "It holds after a restart of: screen" in rig.text()
        await rig.press("2")
        await at(rig, SettingsFormScreen)
        await rig.press("f2")
        await rig.until(lambda: any("It holds after a restart of: screen." in said for said in rig.said()))
        await choose(rig, "brightness")
        await at(rig, SettingValueScreen)
        assert "It holds after a restart" not in rig.text().split("Saved.")[0]


async def test_a_pedal_is_taught_by_pressing_it() -> None:
    async with settings() as rig:
        await choose(rig, "pedals")
        await choose(rig, "demo")
        await at(rig, SettingsFormScreen)
        rig.box.settings.pedal = None
        await rig.press("t")
        await at(rig, TeachScreen)
        await rig.until(lambda: "No pedal was pressed." in rig.text())
        assert "Is it plugged in?" in rig.text()
        rig.box.settings.busy_pedal = "Foot Switch"
        await rig.press("t")
        await rig.until(lambda: "Another program has what could be the pedal" in rig.text())
        assert "Foot Switch" in rig.text()
        rig.box.settings.busy_pedal = ""
        rig.box.settings.pedal = {"kind": "serial-bytes", "device": "/dev/ttyS0?press=44", "name": "Pedal"}
        await rig.press("t")
        await rig.until(lambda: any("does not tell when it is let go" in said for said in rig.said()))
        await at(rig, SettingsFormScreen)
        rig.box.settings.pedal = {"kind": "serial-line", "device": "/dev/ttyS0", "name": "Pedal"}
        await rig.press("t")
        await at(rig, SettingsFormScreen)
        await rig.press("f2")
        await rig.until(lambda: site(rig).pedals[0].device == "/dev/ttyS0")
        assert site(rig).pedals[0].kind == "serial-line"
        assert any("The recorder starts anew" in said for said in rig.said())


# ---- one file


async def test_all_settings_go_to_a_file_and_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_file, "places", lambda: [tmp_path])
    async with settings() as rig:
        await rig.press("f")
        screen = await at(rig, SettingsFileScreen)
        await rig.press("f2")
        await rig.until(lambda: list(tmp_path.glob("*.toml")))
        await rig.until(lambda: "smartbox-ENDO1-2026-11-20.toml" in rig.text())
        rig.box.settings.put(station_name="OTHER")
        await touch(rig, str(next(tmp_path.glob("*.toml"))))
        await rig.until(lambda: "Read in smartbox-ENDO1" in rig.text())
        await rig.press("1")
        await rig.until(lambda: site(rig).station_name == "ENDO1")
        screen.query_one(Field).value = str(tmp_path / "no" / "where.toml")
        await rig.press("f2")
        await rig.until(lambda: "That cannot be written" in rig.text())


def told(rig: Rig, text: str) -> bool:
    return text in rig.text() + "".join(rig.said())


async def test_a_file_that_is_none_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "picture.toml").write_bytes(b"\xff\xd8\xff")
    (tmp_path / "wrong.toml").write_text("port = 0", encoding="utf-8")
    monkeypatch.setattr(settings_file, "places", lambda: [tmp_path])
    async with settings() as rig:
        await rig.press("f")
        await at(rig, SettingsFileScreen)
        await rig.until(lambda: "picture.toml" in rig.text())
        for name, says in (("picture.toml", "not a text file"), ("wrong.toml", "A value is not right.")):
            await touch(rig, str(tmp_path / name))
            await rig.until(lambda: "It takes the place of" in rig.text())
            await rig.press("1")
            await rig.until(partial(told, rig, says))


# ---- fingers


@pytest.mark.parametrize(("size", "language"), [(SMALL, "de"), (SMALL, "en"), (MIDDLE, "de")])
async def test_every_button_can_be_touched(size: tuple[int, int], language: str) -> None:
    async with settings(size=size, language=language) as rig:

        def check(name: str) -> None:
            screen = rig.app.screen
            for button in screen.query(BigButton):
                if not all(node.display for node in button.ancestors_with_self):
                    continue
                region = screen.find_widget(button).visible_region
                assert region.width >= 10, (name, button.id)
                assert region.height >= 3, (name, button.id)
                assert button._drawn[0].cell_length <= button.content_size.width, (name, button.id, "is cut")
            assert screen.query_one("#emergency").region.area

        check("settings")
        for section in ("destinations", "sources", "pedals"):
            await choose(rig, section)
            await at(rig, SettingsEntriesScreen)
            check(section)
            await rig.press("enter")
            screen = await at(rig, SettingsFormScreen)
            check(f"{section} form")
            items = [item.key for item in screen._items if item.key.type != "bool"]
            kinds = {(bool(key.choices), key.input): key for key in reversed(items)}  # one of each kind
            for key in kinds.values():
                await choose(rig, key.key)
                await at(rig, SettingValueScreen)
                check(key.key)
                await rig.press("escape")
                await at(rig, SettingsFormScreen)
            await rig.press("escape", "escape")
            await at(rig, SettingsScreen)
        for key in ("h", "f"):
            await rig.press(key)
            check(key)
            await rig.press("escape")
