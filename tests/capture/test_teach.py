"""Teaching a pedal through the real process: a serial pedal on a pty."""

from __future__ import annotations

import os
import pty
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.errors import SmartBoxError
from tests.capture.rig import process, until


def test_a_serial_pedal_is_taught_while_the_configured_pedals_do_nothing(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    path = os.ttyname(slave)
    pedals = (
        f'[[pedals]]\nid = "left"\nkind = "serial-bytes"\ndevice = "{path}?press=31&release=30"\n'
        'long = "none"\ndouble = "none"\n[[pedals]]\nid = "right"\nkind = "key"\nlong = "none"\ndouble = "none"\n'
    )
    try:
        with process(tmp_path, extra=pedals) as box:
            time.sleep(2)  # what is sent before its driver has opened the port is no press
            os.write(master, b"10")
            until(lambda: len(box.sidecars()) == 1, 5, "the configured pedal works")

            answers: list[Any] = []
            asking = threading.Thread(target=lambda: answers.append(box.command("teach-pedal", seconds=20)))
            asking.start()
            time.sleep(1)
            with pytest.raises(SmartBoxError) as caught:
                box.command("teach-pedal", seconds=1)
            assert caught.value.code == "in-use"
            box.command("pedal", pedal="right")
            os.write(master, b"D")
            time.sleep(0.3)
            os.write(master, b"U")
            asking.join(20)
            assert answers == [
                {"pedal": {"kind": "serial-bytes", "device": f"{path}?press=44&release=55", "name": path}}
            ]
            time.sleep(0.5)
            assert len(box.sidecars()) == 1, "neither the press that taught nor the other pedal took a picture"

            time.sleep(1)  # its driver opens the port again
            os.write(master, b"10")
            until(lambda: len(box.sidecars()) == 2, 5, "the configured pedal works again")
            box.command("pedal", pedal="right")
            until(lambda: len(box.sidecars()) == 3, 5)
    finally:
        os.close(master)
        os.close(slave)


def test_nobody_presses_and_the_process_ends_in_mid_teaching(tmp_path: Path) -> None:
    with process(tmp_path) as box:
        with pytest.raises(SmartBoxError) as caught:
            box.command("teach-pedal", seconds=0.3)
        assert caught.value.code == "timeout"
        assert caught.value.hint
        for wrong in (0, -1, 10_000):
            with pytest.raises(SmartBoxError) as caught:
                box.command("teach-pedal", seconds=wrong)
            assert caught.value.code == "bad-value"

        def ask() -> None:
            with pytest.raises(SmartBoxError):
                box.command("teach-pedal", seconds=40)

        asking = threading.Thread(target=ask)
        asking.start()
        time.sleep(0.5)
        ended = time.monotonic()
        assert box.end() == 0
        assert time.monotonic() - ended < 10
        asking.join()
