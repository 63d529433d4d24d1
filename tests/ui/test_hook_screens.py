"""The settings screens of hooks: what a webhook and a program need, a test that went well or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.ui import setting_words
from tests.support.fake_settings import CONFIG
from tests.support.fakebox import FakeBox
from tests.ui.compare import foreign_signs, same_as_committed
from tests.ui.rig import MIDDLE, SMALL, Rig, busy, console
from tests.ui.svg import screen_svg

NOT_TAKEN = {
    "ok": False,
    "accepted": [],
    "peer": {"host": "https://hooks.example/smartbox"},
    "steps": [
        {
            "step": "hook",
            "ok": False,
            "code": "archive-refused",
            "message": "hooks.example answered 410 Gone. No such listener.",
            "hint": "It answers so to every such event: see its own log.",
        }
    ],
}
PROGRAM = "/etc/smartbox/hooks/mail ward3"
SECTION = ("o", *("down",) * setting_words.ORDER.index("hooks"))
SCREENS: dict[str, tuple[str, ...]] = {
    "hooks": (*SECTION, "enter"),
    "hook-webhook": (*SECTION, "enter", "down", "enter"),
    "hook-command": (*SECTION, "enter", "enter"),
    "hook-events": (*SECTION, "enter", "down", "enter", "enter"),
    "hook-test": (*SECTION, "enter", "down", "enter", "t"),
}
CASES = [
    (name, language, size)
    for name in SCREENS
    for language, size in (("de", SMALL), ("en", SMALL), ("de", MIDDLE), ("en", MIDDLE))
    if size == SMALL or name == "hook-webhook"
]


def script_for(language: str) -> Any:
    def script(box: FakeBox) -> None:
        box.settings.start(language)
        mail = f'name = "mail"\nkind = "command"\ncommand = "{PROGRAM}"\nevents = "exam.*"'
        (box.settings.runtime / "box.toml").write_text(f"{CONFIG}[[hooks]]\n{mail}\n", encoding="utf-8")
        url, events = "https://hooks.example/smartbox", "delivery.blocked, disk.low"
        box.settings.put(hooks__it={"url": url, "events": events})
        box.settings.report = NOT_TAKEN
        busy(box)

    return script


async def go(rig: Rig, keys: tuple[str, ...]) -> None:
    await rig.until(lambda: rig.app.known.history)
    for key in keys:
        await rig.press(key)
        await rig.pilot.pause(0.1)


@pytest.mark.parametrize(("name", "language", "size"), CASES)
async def test_the_screen_looks_as_it_did(name: str, language: str, size: tuple[int, int], tmp_path: Path) -> None:
    async with console(script_for(language), size=size, language=language) as rig:
        await go(rig, SCREENS[name])
        drawn = screen_svg(rig.app)
    same_as_committed(drawn, name, size, language, tmp_path)


@pytest.mark.parametrize("language", ["de", "en"])
async def test_the_linux_console_draws_only_what_its_font_has(language: str) -> None:
    async with console(script_for(language), size=SMALL, language=language, term="linux") as rig:
        for keys in SCREENS.values():
            await go(rig, keys)
            assert not foreign_signs(rig.text()), keys
            for _ in range(5):
                await rig.press("escape")


async def test_each_kind_shows_what_it_needs() -> None:
    async with console(script_for("en"), size=MIDDLE, language="en") as rig:
        await go(rig, SCREENS["hook-webhook"])
        text = rig.text()
        assert "Web address" in text
        assert "Program" not in text
        for _ in range(2):
            await rig.press("escape")
        await rig.press("escape")
        await go(rig, SCREENS["hook-command"])
        text = rig.text()
        assert "Program" in text
        assert "Web address" not in text
        assert "Trusted certificates" not in text
