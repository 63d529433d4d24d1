"""A folder or medium on the screens: why it takes nothing, ejecting it, its settings and its connection test."""

from __future__ import annotations

import pytest

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model import medium
from smartbox_tui.ui import reasons
from smartbox_tui.ui.i18n import LANGUAGES, Texts
from smartbox_tui.ui.screens.archives import ArchivesScreen
from smartbox_tui.ui.screens.choice import ChoiceScreen
from smartbox_tui.wire import commands, state
from tests.support.fakebox import FakeBox, delivery
from tests.ui.rig import SMALL, Rig, busy, console

STICK = state.Destination(name="stick", kind="folder", state="ok", open=2)


def with_stick(box: FakeBox) -> None:
    busy(box)
    box.destinations = [state.Destination(name="archive", kind="dimse", state="ok", open=1), STICK]


async def archives(rig: Rig) -> None:
    await rig.press("q")
    await rig.press("z")
    await rig.until(lambda: isinstance(rig.app.screen, ArchivesScreen) and "stick" in rig.text())


def offered(rig: Rig) -> bool:
    return bool(rig.app.screen.query_one("#eject").display)


async def test_only_a_medium_is_ejected_and_the_screen_says_when_it_may_be_taken_out() -> None:
    async with console(with_stick, size=SMALL) as rig:
        await archives(rig)
        assert not offered(rig), "an archive is not ejected"
        await rig.press("j")
        assert rig.box.commands == []
        await rig.press("down")
        await rig.until(lambda: offered(rig))
        for name in ("#eject", "#emergency", "#retry"):
            button = rig.app.screen.query_one(name).region
            assert button in rig.app.screen.region, f"{name} is not on the screen"
            assert button.width >= 10
            assert button.height >= 3 or name != "#eject"
        await rig.pilot.click("#eject")
        await rig.until(lambda: isinstance(rig.app.screen, ChoiceScreen))
        assert [command.name for command in rig.box.commands if isinstance(command, commands.DestinationEject)] == [
            "stick"
        ]
        text = rig.text()
        assert "Das Medium kann jetzt abgezogen werden." in text
        assert "12 Bilder sind darauf." in text
        await rig.press("enter")
        await rig.until(lambda: isinstance(rig.app.screen, ArchivesScreen))


async def test_what_keeps_it_from_being_ejected_is_said() -> None:
    async with console(with_stick, size=SMALL) as rig:
        await archives(rig)
        await rig.press("down")
        rig.box.refuse_next(SmartBoxError("no-route", f"{medium.PULLED}/media/stick: Input/output error.", "h"))
        await rig.press("j")
        await rig.until(lambda: rig.said())
        assert "Noch nicht abziehen." in rig.said()[-1]
        assert "Das Medium wurde abgezogen oder versagt." in rig.said()[-1]
        assert isinstance(rig.app.screen, ArchivesScreen)


async def test_a_medium_that_is_away_is_no_archive_that_cannot_be_reached() -> None:
    async with console(with_stick, size=SMALL) as rig:
        rig.box.destinations[1] = state.Destination(
            name="stick", kind="folder", state="unreachable", code="no-route", open=2,
            reason=f"{medium.NOT_MOUNTED}/media/stick.",
        )  # fmt: skip
        rig.box.tell()
        await archives(rig)
        await rig.until(lambda: "Das Medium ist nicht eingesteckt." in rig.text())
        assert "/media/stick" not in rig.text()
        await rig.press("i")
        await rig.until(lambda: "/media/stick" in rig.text())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_trouble_with_a_medium_has_its_words(language: str) -> None:
    t = Texts(language)
    begins = {value for name, value in vars(medium).items() if name.isupper() and str(value).endswith(" ")}
    assert begins == set(reasons.HINTS)
    for begin in begins:
        row = delivery(1, "waiting", code="disk-full", reason=f"{begin}/media/x.")
        what, hint = reasons.reason(t, row), reasons.hint(t, row)
        assert what
        assert hint
        assert "/media" not in what + hint
        assert (what, hint) == reasons.of_destination(t, row.reason, row.code)
    for answer in (medium.TOO_LARGE, medium.CORRUPT):
        told = reasons.reason(t, delivery(1, "blocked", code="archive-refused", reason=answer))
        assert told not in (answer, t("The archive refused the picture."))
