"""The settings screens as pictures; what the Linux console can draw of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from smartbox_tui.ui.screens import settings_file
from tests.support.fakebox import FakeBox
from tests.ui.compare import foreign_signs, same_as_committed
from tests.ui.rig import MIDDLE, SMALL, Rig, busy, console
from tests.ui.settings_rig import FAILED
from tests.ui.svg import screen_svg

SCREENS: dict[str, tuple[str, ...]] = {
    "settings": ("o",),
    "settings-archives": ("o", "enter"),
    "settings-archive": ("o", "enter", "enter"),
    "settings-port": ("o", "enter", "enter", "down", "down", "enter"),
    "settings-send": ("o", "enter", "enter", *("down",) * 13, "enter"),
    "settings-test": ("o", "enter", "enter", "t"),
    "settings-history": ("o", "h"),
    "settings-file": ("o", "f"),
}
CASES = [
    (name, language, size)
    for name in SCREENS
    for language, size in (("de", SMALL), ("en", SMALL), ("de", MIDDLE), ("en", MIDDLE))
    if size == SMALL or name in ("settings", "settings-archive")
]


def script_for(language: str) -> object:
    def script(box: FakeBox) -> None:
        box.settings.start(language)
        box.settings.put(worklist__modality="ES")
        box.settings.put(destinations__backup__port=104)
        box.settings.report = FAILED
        busy(box)

    return script


async def go(rig: Rig, keys: tuple[str, ...]) -> None:
    await rig.until(lambda: rig.app.known.history)
    for key in keys:
        await rig.press(key)
        await rig.pilot.pause(0.1)


@pytest.fixture(autouse=True)
def one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_file, "places", lambda: [Path("/media/stick")])


@pytest.mark.parametrize(("name", "language", "size"), CASES)
async def test_the_screen_looks_as_it_did(name: str, language: str, size: tuple[int, int], tmp_path: Path) -> None:
    async with console(script_for(language), size=size, language=language) as rig:  # type: ignore[arg-type]
        await go(rig, SCREENS[name])
        drawn = screen_svg(rig.app)
    same_as_committed(drawn, name, size, language, tmp_path)


@pytest.mark.parametrize("language", ["de", "en"])
async def test_the_linux_console_draws_only_what_its_font_has(language: str) -> None:
    async with console(script_for(language), size=SMALL, language=language, term="linux") as rig:  # type: ignore[arg-type]
        for keys in SCREENS.values():
            await go(rig, keys)
            assert not foreign_signs(rig.text()), keys
            for _ in range(4):
                await rig.press("escape")
