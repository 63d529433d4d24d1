"""`python -m tests.ui.screenshots FOLDER`: the main screens in both languages, as SVG, for the documentation."""

from __future__ import annotations

import argparse
import asyncio
from functools import partial
from pathlib import Path

from tests.support.fakebox import FakeBox
from tests.ui import catalogs, test_snapshots_exams
from tests.ui.rig import MIDDLE, SMALL, Rig, busy, console
from tests.ui.svg import screen_svg

SCREENS: dict[str, tuple[str, ...]] = {
    "capture": (),
    "patient": ("n",),
    "emergency": ("e",),
    "queue": ("q",),
    "status": ("s",),
    "settings": ("o",),
    "discard": ("d",),
}


def nothing(box: FakeBox) -> None:
    """A box that has just been switched on."""


def people_heard(rig: Rig) -> bool:
    """The worklist is there."""
    return bool(rig.app.people.entries)


async def draw(folder: Path, size: tuple[int, int], language: str) -> list[Path]:
    """Writes them, named screen-size-language.svg."""
    written = []

    def keep(rig: Rig, name: str) -> None:
        file = folder / f"{name}-{size[0]}x{size[1]}-{language}.svg"
        file.write_text(screen_svg(rig.app), encoding="utf-8")
        written.append(file)

    async with console(busy, size=size, language=language) as rig:
        for name, keys in SCREENS.items():
            await rig.press(*keys)
            await rig.settled()
            keep(rig, name)
            if keys:
                await rig.press("escape")
        before = rig.app.box.stills
        rig.box.take()
        await rig.until(lambda: rig.app.box.stills > before)
        await rig.settled()
        keep(rig, "taken")
        await rig.box.away("engine")
        rig.box.signal("no-signal")
        await rig.until(lambda: rig.app.screen.query_one("#alarms").display)
        await rig.pilot.pause(0.2)
        keep(rig, "trouble")
    async with console(nothing, size=size, language=language) as rig:
        keep(rig, "nobody")
    for name, (script, steps) in test_snapshots_exams.SCREENS.items():
        async with console(script, size=size, language=language) as rig:
            await rig.until(partial(people_heard, rig))
            await steps(rig)
            await rig.settled()
            keep(rig, name)
    return written


async def draw_all(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for size in (SMALL, MIDDLE):
        for language in ("de", "en"):
            for file in await draw(folder, size, language):
                print(file)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    catalogs.compile_all()
    asyncio.run(draw_all(parser.parse_args().folder))
