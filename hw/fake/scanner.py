"""Scanners for tests: one that simply has codes, and the keys that a real one would press for a text."""

from __future__ import annotations

import queue
import time

from hw.base import DeviceInfo
from hw.errors import DeviceGone, HardwareError
from hw.fake.evdev import FakeEvdev
from hw.panel.keys import ALT_GR, LAYOUTS, SHIFT

ENTER = 28
KEYS = tuple(range(1, 128))
_SHIFT_LEFT = min(SHIFT)


def presses(text: str, layout: str = "us") -> list[tuple[int, bool]]:
    """(key code, down) for each key of a text, Shift and AltGr as they are needed; an accent of its own is
    followed by a space. ValueError for what the layout does not have."""
    keys = LAYOUTS[layout]
    plain = {pair[0]: code for code, pair in keys.keys.items()}
    shifted = {pair[1]: code for code, pair in keys.keys.items()}
    alt_gr = {character: code for code, character in keys.alt_gr.items()}
    done: list[tuple[int, bool]] = []
    for character in text:
        for table, modifier in ((plain, 0), (shifted, _SHIFT_LEFT), (alt_gr, ALT_GR)):
            if character in table:
                code = table[character]
                strokes = [(code, True), (code, False)]
                done += [(modifier, True), *strokes, (modifier, False)] if modifier else strokes
                break
        else:
            raise ValueError(f"{character!r} is not on the {layout} keyboard")
        if character in keys.dead:
            done += [(57, True), (57, False)]
    return done


def scan(device: FakeEvdev, text: str, layout: str = "us", end: int = ENTER) -> None:
    """What a scanner does with a code: all its keys within milliseconds."""
    for code, down in [*presses(text, layout), (end, True), (end, False)]:
        (device.press if down else device.release)(code)


class FakeScanner:
    """Gives the codes that a test puts in. `unplug` and `replug` from any thread."""

    def __init__(self, key: str = "scanner") -> None:
        self._codes: queue.Queue[str | None] = queue.Queue()
        self._open = False
        self._gone = False
        self._info = DeviceInfo(key=key, name="Fake scanner", path="/dev/input/event9")
        self.opened = 0

    @property
    def info(self) -> DeviceInfo:
        return self._info

    def scan(self, text: str) -> None:
        """A code that is read while nobody listens is lost, as with a real one."""
        if self._open:
            self._codes.put(text)

    def unplug(self) -> None:
        self._gone = True
        self._codes.put(None)

    def replug(self) -> None:
        self._gone = False

    def open(self) -> None:
        self.close()
        if self._gone:
            raise DeviceGone("open", self._info.path, "there is no such device", "Plug it in.")
        self._open = True
        self.opened += 1

    def read(self, timeout_s: float) -> str | None:
        if not self._open:
            raise HardwareError("read", self._info.path, "not open")
        give_up = time.monotonic() + timeout_s
        while True:
            try:
                text = self._codes.get(timeout=max(0.0, give_up - time.monotonic()) or 0.0001)
            except queue.Empty:
                text = ""
            if self._gone:
                raise DeviceGone("read", self._info.path, "the device was unplugged", "Plug it in again.")
            if text is not None:
                return text or None

    def close(self) -> None:
        self._open = False
        while not self._codes.empty():
            self._codes.get_nowait()
