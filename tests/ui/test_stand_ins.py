"""Archives that stand in for others, as the screens say it, in both languages and on the smallest one."""

from __future__ import annotations

from pathlib import Path

import pytest

from smartbox_tui.model import routing
from smartbox_tui.ui import reasons
from smartbox_tui.ui.i18n import Texts
from smartbox_tui.ui.screens.archives import ArchivesScreen
from smartbox_tui.wire import state
from tests.support.fakebox import FakeBox
from tests.ui.rig import MIDDLE, SMALL, busy, console
from tests.ui.svg import screen_svg


def with_backup(box: FakeBox, *, now: bool) -> None:
    why = {"state": "unreachable", "code": "no-route", "reason": "timed out"} if now else {"state": "ok"}
    box.destinations = [
        state.Destination(name="archive", kind="dimse", open=3, **why),  # type: ignore[arg-type]
        state.Destination(name="spare", kind="dimse", state="ok", stands_in_for="archive", standing_in=now),
    ]


@pytest.mark.parametrize("size", [SMALL, MIDDLE])
async def test_a_backup_says_whom_it_stands_in_for_and_whether_it_does_so_now(
    size: tuple[int, int], tmp_path: Path
) -> None:
    async with console(busy, size=size, language="en") as rig:
        with_backup(rig.box, now=False)
        rig.box.tell()
        await rig.press("q")
        await rig.until(lambda: rig.app.screen.query("#archives"))
        await rig.pilot.click("#archives")
        await rig.until(lambda: isinstance(rig.app.screen, ArchivesScreen))
        await rig.until(lambda: "Stands in for archive when needed." in rig.text())
        with_backup(rig.box, now=True)
        rig.box.tell()
        await rig.until(lambda: "Stands in for archive now." in rig.text())
        assert "spare stands in for it." in rig.text()
        await rig.settled()
        (tmp_path / "archives.svg").write_text(screen_svg(rig.app))
        await rig.press("escape", "escape", "s")
        await rig.until(lambda: "Stands in for archive now." in rig.text())
        (tmp_path / "status.svg").write_text(screen_svg(rig.app))


def test_the_reasons_of_the_two_deliveries_name_the_other_archive() -> None:
    for language, words in {
        "en": ("Stands in for archive.", "spare keeps the picture instead.", "archive has the picture."),
        "de": ("Springt für archive ein.", "spare verwahrt das Bild stattdessen.", "archive hat das Bild."),
    }.items():
        t = Texts(language)
        assert words == (
            reasons.told(t, f"{routing.STANDS_IN}archive", routing.BORN),
            reasons.told(t, f"spare{routing.KEEPS}", routing.NEEDLESS),
            reasons.told(t, f"archive{routing.HAS}", routing.NEEDLESS),
        )
