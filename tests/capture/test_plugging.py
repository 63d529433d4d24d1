"""Hearing of grabbers that are plugged in goes on, whatever happens to udev."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest

from hw.errors import HardwareError
from hw.hotplug import Change, HotplugEvent
from hw.identity import Node
from smartbox_tui.capture.plugging import Plugging
from tests.capture.rig import until

CAME = HotplugEvent(Change.ADDED, "video4linux", Node("/dev/video0", "pci-1-usb-0:2:1.0"))
WENT = HotplugEvent(Change.REMOVED, "video4linux", Node("/dev/video0", "pci-1-usb-0:2:1.0"))


class Heard:
    """Gives each in its turn, then nothing."""

    def __init__(self, told: Iterator[HotplugEvent | Exception]) -> None:
        self._told = told

    def poll(self, timeout_s: float) -> HotplugEvent | None:
        event = next(self._told, None)
        if event is None:
            threading.Event().wait(0.01)
        if isinstance(event, Exception):
            raise event
        return event


def test_what_goes_wrong_is_logged_and_listened_to_anew(caplog: pytest.LogCaptureFixture) -> None:
    told = iter((CAME, KeyError("gone while it was looked at"), CAME, HardwareError("watch", "udev"), WENT, CAME))
    made: list[Heard] = []
    plugged: list[int] = []

    def make() -> Heard:
        made.append(Heard(told))
        return made[-1]

    plugging = Plugging(lambda: plugged.append(1), make, pause_s=0.01)  # type: ignore[arg-type]
    thread = threading.Thread(target=plugging.run)
    with caplog.at_level(logging.INFO):
        thread.start()
        until(lambda: len(plugged) == 3, what="the third one")
        plugging.end()
        thread.join(10)
    assert not thread.is_alive()
    assert len(made) == 2, "after a defect with a listener of its own"
    assert "hearing of new grabbers failed" in caplog.text
    assert "new grabbers are not heard of at once" in caplog.text
