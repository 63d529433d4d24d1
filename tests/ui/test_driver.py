"""The terminal's driver when the app has gone: nothing is thrown, nothing is left over."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from textual.events import Key, MouseDown, MouseEvent, MouseMove, MouseUp
from textual.message import Message

from hw.fake.touch import FakePanel
from hw.panel.calibration import Affine, Grid
from smartbox_tui.ui.driver import BoxDriver
from smartbox_tui.ui.touching import Placement
from tests.support.box import until
from tests.ui.rig import console
from tests.ui.touch_rig import thread_for


class App:
    def __init__(self) -> None:
        self.had: list[Message] = []

    async def _post_message(self, message: Message) -> bool:
        self.had.append(message)
        return True


class ClosesNow:
    """A loop that is closed between the look and the call."""

    def is_closed(self) -> bool:
        return False

    def call_soon_threadsafe(self, *_: object, **__: object) -> None:
        raise RuntimeError("Event loop is closed")


def driver(app: App, loop: Any) -> BoxDriver:
    made = BoxDriver.__new__(BoxDriver)  # without a terminal
    made._app, made._loop = app, loop  # type: ignore[assignment]
    made.gone = threading.Event()
    return made


def closed() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.close()
    return loop


@pytest.mark.parametrize("loop", [closed, ClosesNow])
def test_a_message_for_an_app_that_has_gone_leaves_nothing_over(loop: Callable[[], Any]) -> None:
    app = App()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with pytest.raises(RuntimeError):
            driver(app, loop()).send_message(Message())
        gc.collect()
    assert [str(each.message) for each in warned] == []
    assert app.had == []


def test_a_terminal_that_hangs_up_after_the_app_has_gone_is_no_error() -> None:
    made = driver(App(), closed())
    made.hang_up()
    assert made.gone.is_set()


async def test_a_message_from_a_thread_arrives() -> None:
    app = App()
    made = driver(app, asyncio.get_running_loop())
    message = Message()
    await asyncio.to_thread(made.send_message, message)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert app.had == [message]


def test_the_finger_stops_when_the_app_has_gone() -> None:
    """The thread that reads the panel ends by itself, without a word on the screen."""
    app, device = App(), FakePanel()
    touch = thread_for(device)
    sent: list[Message] = []

    def send(message: Message) -> None:
        sent.append(message)
        driver(app, closed()).send_message(message)

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        touch.start(send)
        touch._tell("none")  # as soon as anything is to be said
        until(lambda: touch._thread is not None and not touch._thread.is_alive(), 30, "the thread's end")
        gc.collect()
    assert len(sent) == 1
    assert [str(each.message) for each in warned] == []


@pytest.mark.parametrize("kind", [MouseDown, MouseUp, MouseMove])
async def test_a_finger_on_the_screen_while_the_app_goes_is_no_error(kind: type[MouseEvent]) -> None:
    async with console() as rig:
        stack = rig.app._screen_stack
        screens, stack[:] = list(stack), []
        try:
            await rig.app.on_event(kind(None, 3, 3, 0, 0, 1, False, False, False, screen_x=3, screen_y=3))
            await rig.app.on_event(Key("r", "r"))
        finally:
            stack[:] = screens
        assert not rig.box.commands


def test_what_a_finger_does_after_the_end_is_sent_to_nobody() -> None:
    """Also where the thread comes out of its driver long after the app has gone."""
    device = FakePanel()
    touch = thread_for(device)
    sent: list[Message] = []
    touch.start(sent.append)
    touch.place(Placement("auto", (), 0, Affine.parse(""), Grid(80, 24)))
    until(lambda: device.grabbed, 30, "the panel")
    device.down(0.5, 0.5)
    until(lambda: any(isinstance(each, MouseDown) for each in sent), 30, "the finger")
    touch.end()
    until(lambda: touch._thread is not None and not touch._thread.is_alive(), 30, "the thread's end")
    assert not any(isinstance(each, MouseUp) for each in sent)
