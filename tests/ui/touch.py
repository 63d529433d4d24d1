"""Fingers: touches come to the app as its driver and the touch panel give them, not as the pilot does."""

from __future__ import annotations

from time import monotonic

from textual.events import MouseDown, MouseEvent, MouseMove, MouseUp
from textual.widgets import Input

from smartbox_tui.ui.screens.base import BoxScreen
from smartbox_tui.ui.screens.patient import PatientScreen
from smartbox_tui.ui.widgets.field import Field
from smartbox_tui.ui.widgets.keyboard import Keyboard
from smartbox_tui.ui.widgets.touch_pad import TouchPad
from tests.ui.rig import Rig


def _post(rig: Rig, kind: type[MouseEvent], x: int, y: int) -> None:
    rig.app.post_message(
        kind(
            widget=None,
            x=x,
            y=y,
            delta_x=0,
            delta_y=0,
            button=1,
            shift=False,
            meta=False,
            ctrl=False,
            screen_x=x,
            screen_y=y,
        )
    )


async def down(rig: Rig, x: int, y: int) -> None:
    """Of somebody who has seen where things are."""
    await rig.until(lambda: not (isinstance(rig.app.screen, BoxScreen) and rig.app.screen.aim.unseen(monotonic())))
    _post(rig, MouseDown, x, y)
    await rig.pilot.pause()


async def slide(rig: Rig, x: int, y: int) -> None:
    _post(rig, MouseMove, x, y)
    await rig.pilot.pause()


async def up(rig: Rig, x: int, y: int) -> None:
    _post(rig, MouseUp, x, y)
    await rig.pilot.pause()


async def tap(rig: Rig, x: int, y: int) -> None:
    await down(rig, x, y)
    await up(rig, x, y)


async def form(rig: Rig, screen: PatientScreen | None = None) -> PatientScreen:
    """The patient form, as the app shows it."""
    screen = screen or PatientScreen()
    rig.app.push_screen(screen)
    await rig.until(lambda: rig.app.screen is screen and len(screen.query(Input)) == len(screen.query(Field)) > 0)
    await rig.until(lambda: screen.query("#input-family").first().has_focus)
    return screen


def middle(rig: Rig, selector: str) -> tuple[int, int]:
    """The cell that a finger aims at."""
    region = rig.app.screen.query_one(selector).region
    return region.x + region.width // 2, region.y + region.height // 2


async def touch(rig: Rig, selector: str) -> None:
    """A short touch in the middle of a widget."""
    await tap(rig, *middle(rig, selector))


def keyboard(rig: Rig) -> Keyboard:
    return rig.app.screen.query_one(Keyboard)


def is_open(rig: Rig) -> bool:
    """Whether the keyboard can be seen."""
    found = rig.app.screen.query(Keyboard)
    return bool(found) and found.first().is_open and bool(found.first().region.area)


def key_at(rig: Rig, name: str, pad: TouchPad | None = None) -> tuple[int, int]:
    """The middle of a key, on the screen."""
    pad = pad or keyboard(rig)
    place = pad.place_of(name)
    assert place is not None, f"no key {name}"
    region = place.region
    return pad.region.x + region.x + region.width // 2, pad.region.y + region.y + region.height // 2


async def key(rig: Rig, name: str) -> None:
    """A short touch of a key."""
    await tap(rig, *key_at(rig, name))


async def keys(rig: Rig, text: str) -> None:
    """Types it; what is upper case needs shift, unless the keyboard has it already."""
    for sign in text:
        name = {" ": "SPACE"}.get(sign, sign.lower())
        place = keyboard(rig).place_of(name)
        assert place is not None, f"no key {name}"
        if sign.isalpha() and place.key.label.isupper() != sign.isupper():
            await key(rig, "SHIFT")
        await key(rig, name)


async def long_press(rig: Rig, name: str, accent: str) -> None:
    """Holds a letter until its accents are there, lets go and touches one."""
    at = key_at(rig, name)
    await down(rig, *at)
    await rig.until(lambda: keyboard(rig).place_of(f"accent:{accent}"))
    await up(rig, *at)
    await key(rig, f"accent:{accent}")
