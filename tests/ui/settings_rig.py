"""The settings screens on a fake box that knows its settings."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from smartbox_tui.ui.screens.settings import SettingsScreen
from smartbox_tui.ui.widgets.biglist import BigList
from smartbox_tui.ui.widgets.field import Field
from tests.support.fakebox import FakeBox
from tests.ui import touch as fingers
from tests.ui.rig import SMALL, Rig, console

FAILED: dict[str, Any] = {
    "ok": False,
    "steps": [
        {"step": "connect", "ok": True, "message": "10.0.0.5:104 takes the connection.", "hint": ""},
        {
            "step": "associate",
            "ok": False,
            "message": "PACS at 10.0.0.5:104 rejects the association: called AE title not recognized.",
            "hint": "Check it.",
            "code": "called-aet-rejected",
        },
    ],
    "accepted": [],
    "peer": {"host": "10.0.0.5", "port": 104, "aet": "PACS", "calling_aet": "SMARTBOX"},
}


@contextlib.asynccontextmanager
async def settings(
    prepare: Callable[[FakeBox], None] | None = None, *, language: str = "en", size: tuple[int, int] = SMALL
) -> AsyncIterator[Rig]:
    """The settings screen of a box that knows its settings."""

    def script(box: FakeBox) -> None:
        box.settings.start(language)
        if prepare is not None:
            prepare(box)

    async with console(script, size=size, language=language) as rig:
        await rig.until(lambda: rig.app.known.history is not None and rig.app.known.origins)
        await rig.press("o")
        await at(rig, SettingsScreen)
        yield rig


async def at(rig: Rig, kind: type[Any]) -> Any:
    """The screen of that kind, in front and drawn."""
    await rig.until(lambda: isinstance(rig.app.screen, kind) and rig.app.screen.is_mounted)
    await rig.pilot.pause()
    return rig.app.screen


async def choose(rig: Rig, name: str) -> None:
    """Moves the cursor to that line and presses Enter: keyboard alone."""
    lines = rig.app.screen.query_one(BigList)
    keys = [lines._key(entry) for entry in lines._entries]
    for _ in range(abs(keys.index(name) - lines.cursor)):
        await rig.press("down" if keys.index(name) > lines.cursor else "up")
    assert lines._key(lines.pointed) == name
    await rig.press("enter")


async def touch(rig: Rig, name: str) -> None:
    """Touches that line, which must be in sight."""
    lines = rig.app.screen.query_one(BigList)
    keys = [lines._key(entry) for entry in lines._entries]
    region = lines.content_region
    row = keys.index(name) * 3 - lines.scroll_offset.y
    assert 0 <= row < region.height, f"{name} is not in sight"
    await fingers.tap(rig, region.x + 5, region.y + row)
    await rig.pilot.pause()


async def rewrite(rig: Rig, text: str) -> None:
    field = rig.app.screen.query_one(Field)
    for _ in field.value:
        await rig.press("backspace")
    await rig.type(text)


def site(rig: Rig) -> Any:
    return rig.box.settings.site.load().settings
