"""Screens as pictures, compared with committed ones. `UPDATE_SNAPSHOTS=1` writes them anew: look at them then."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ui.compare import foreign_signs, same_as_committed
from tests.ui.rig import MIDDLE, SMALL, busy, console
from tests.ui.svg import screen_svg

SCREENS: dict[str, tuple[str, ...]] = {
    "capture": (),
    "patient": ("n",),
    "emergency": ("e",),
    "queue": ("q",),
    "status": ("s",),
}
CASES = [
    (name, language, size)
    for name in SCREENS
    for language, size in (("de", SMALL), ("de", MIDDLE), ("en", SMALL))
    if not (name in ("emergency", "status") and (language, size) != ("de", SMALL))
]


@pytest.mark.parametrize(("name", "language", "size"), CASES)
async def test_the_screen_looks_as_it_did(name: str, language: str, size: tuple[int, int], tmp_path: Path) -> None:
    async with console(busy, size=size, language=language) as rig:
        for key in SCREENS[name]:
            await rig.press(key)
        await rig.settled()
        drawn = screen_svg(rig.app)
    same_as_committed(drawn, name, size, language, tmp_path)


async def test_the_linux_console_draws_only_what_its_font_has() -> None:
    for language in ("de", "en"):
        async with console(busy, size=SMALL, language=language, term="linux") as rig:
            for keys in (*SCREENS.values(), ("d",), ("c",)):
                for key in keys:
                    await rig.press(key)
                assert not foreign_signs(rig.text()), keys
                await rig.press("escape")


async def test_the_linux_console_uses_sixteen_colours_only() -> None:
    standard = {
        "#000000", "#aa0000", "#00aa00", "#aa5500", "#0000aa", "#aa00aa", "#00aaaa", "#aaaaaa",
        "#555555", "#ff5555", "#55ff55", "#ffff55", "#5555ff", "#ff55ff", "#55ffff", "#ffffff",
    }  # fmt: skip
    async with console(busy, size=SMALL, term="linux") as rig:
        for key in (None, "n", "e", "q", "s"):
            if key:
                await rig.press(key)
            for strip in rig.app.screen._compositor.render_strips():
                for text, style, _control in strip:
                    if style is None or not text.strip() or "▀" in text:
                        continue
                    for colour in (style.color, style.bgcolor):
                        if colour is not None and not colour.is_default:
                            assert colour.get_truecolor().hex in standard, (key, text, style)
            await rig.press("escape")
