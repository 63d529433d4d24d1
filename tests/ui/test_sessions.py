"""Who else is connected: said on every screen, quietly, and gone with the session."""

from __future__ import annotations

import os
import uuid

import pytest
from msgspec.structs import replace

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.ui.i18n import Texts
from smartbox_tui.ui.notices import notices
from smartbox_tui.ui.state import BoxState, Presence
from smartbox_tui.wire import access, commands, events, state
from tests.support.fakebox import FakeBox
from tests.ui.rig import SMALL, busy, console

ENGLISH, GERMAN = Texts("en"), Texts("de")
ANNA = state.Session(
    id="s1", user="anna", role="service", terminal="ssh", since="2026-11-21T21:45:00", pid=99_999, visiting=True
)
PANEL = state.Session(
    id="s0", user="smartbox", role="service", terminal="panel", since="2026-11-21T06:00:00", pid=9
)


def connect(box: FakeBox, *sessions: state.Session) -> None:
    before = FakeBox.status
    box.status = lambda: replace(before(box), sessions=list(sessions))  # type: ignore[method-assign]
    box.tell()


@pytest.mark.parametrize(("language", "words"), [("en", "Service is connected: anna, since 21:45"),
                                                 ("de", "Service ist verbunden: anna, seit 21:45")])  # fmt: skip
async def test_a_service_session_stands_on_the_panel_until_it_ends(language: str, words: str) -> None:
    async with console(busy, size=SMALL, language=language) as rig:
        assert "anna" not in rig.text()
        connect(rig.box, PANEL, ANNA)
        await rig.until(lambda: words in rig.text())
        assert "smartbox, " not in rig.text(), "the panel itself is no visit"
        connect(rig.box, PANEL)
        await rig.until(lambda: words not in rig.text())


async def test_the_status_screen_has_all_consoles() -> None:
    async with console(busy, size=(120, 44), language="en") as rig:
        connect(rig.box, PANEL, replace(ANNA, role="viewer", user="ben", visiting=False))
        rig.app.action_status()
        await rig.until(lambda: "ben" in rig.text())
        assert "looks on" in rig.text()
        assert "over SSH, since 21:45" in rig.text()
        assert "at the panel, since 06:00" in rig.text()


async def test_what_service_changes_is_told_and_ones_own_change_is_not() -> None:
    async with console(busy) as rig:
        paths = ["destinations.archive.host", "language"]
        rig.box.engine.publish(events.SettingsChanged(paths=paths, user="me", pid=os.getpid()))
        rig.box.engine.publish(events.SettingsChanged(paths=paths, user="anna", pid=99_999))
        await rig.until(
            lambda: any("Einstellungen geändert: Archive" in text and "anna" in text for text in rig.said())
        )
        assert len([text for text in rig.said() if "Einstellungen geändert" in text]) == 1


def box_with(*sessions: state.Session) -> BoxState:
    status = state.Status(
        version="1",
        exam=None,
        sources=[],
        queue={},
        storage=state.Storage(free_bytes=1, hours_left=1.0),
        destinations=[],
        clock="trusted",
        sessions=list(sessions),
    )
    return BoxState(engine=Presence.HERE, status=status)


def test_ones_own_service_session_is_no_news_to_oneself() -> None:
    assert notices(ENGLISH, box_with(replace(ANNA, pid=7)), 80, 24, own_pid=7) == []
    assert notices(ENGLISH, box_with(ANNA), 80, 24, own_pid=7)[0].calm


def test_whoever_looks_on_is_told_so() -> None:
    (line,) = notices(GERMAN, box_with(replace(ANNA, pid=7, role="viewer", visiting=False)), 80, 24, own_pid=7)
    assert line.what == "Diese Konsole schaut nur zu."


@pytest.mark.parametrize(
    ("size", "small"), [((80, 24), False), ((79, 24), True), ((80, 23), True), ((0, 0), False)]
)
def test_a_small_window_is_said(size: tuple[int, int], small: bool) -> None:
    assert bool(notices(ENGLISH, BoxState(), *size)) is small


def test_with_the_engine_away_nobody_claims_to_know_who_is_connected() -> None:
    box = box_with(ANNA)
    assert notices(ENGLISH, BoxState(engine=Presence.AWAY, status=box.status), 80, 24) == []


async def test_a_refusal_because_of_the_role_is_said_in_words() -> None:
    with pytest.raises(SmartBoxError) as caught:
        access.check(access.Role.VIEWER, commands.Still(id=str(uuid.uuid4())))
    async with console(busy) as rig:
        rig.box.refuse_next(caught.value)
        await rig.press("space")
        await rig.until(lambda: any("darf das nicht" in text for text in rig.said()))
