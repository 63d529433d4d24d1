"""The scanner's keys: every character of both layouts, what ends and spoils a code; and the console's thread."""

from __future__ import annotations

import errno
import itertools
import logging
import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.message import Message

from hw.errors import DeviceBusy, DeviceRefused, NotSupported
from hw.fake.evdev import FakeEvdev
from hw.fake.scanner import KEYS, FakeScanner, presses, scan
from hw.panel.keys import ALT, LAYOUTS, MOST_CHARACTERS, NS, SETTLE_NS, SILENCE_NS, Typing
from hw.panel.scanner import WedgeScanner
from smartbox_tui.settings.schema import Scanner
from smartbox_tui.ui.codes import CodeScanned
from smartbox_tui.ui.scanner import ScannerThread, listening

MS = NS // 1000
ENTER, TAB, KP_ENTER, F1, ESC, A, CTRL, ALT_GR, CAPS = 28, 15, 96, 59, 1, 30, 29, 100, 58
NUMBER_PAD = {"0": 82, "1": 79, "2": 80, "3": 81, "4": 75, "5": 76, "6": 77, "7": 71, "8": 72, "9": 73}
ASKED_FOR = string.ascii_letters + string.digits + "-/.:^|;=_+ "
EVERYTHING = {
    name: sorted({*itertools.chain(*(pair for pair in layout.keys.values())), *layout.alt_gr.values()})
    for name, layout in LAYOUTS.items()
}


class Keys:
    """Types into a `Typing`, a millisecond between the keys."""

    def __init__(self, layout: str = "us") -> None:
        self.typing = Typing(layout, 0)
        self.now_ns = SETTLE_NS
        self.codes: list[str] = []

    def key(self, code: int, down: bool) -> None:
        self.now_ns += MS
        if (text := self.typing.key(code, down, self.now_ns)) is not None:
            self.codes.append(text)

    def strokes(self, *codes: int) -> None:
        for code in codes:
            self.key(code, True)
            self.key(code, False)

    def text(self, text: str, layout: str = "us") -> None:
        for code, down in presses(text, layout):
            self.key(code, down)

    def alt(self, digits: str) -> None:
        self.key(ALT, True)
        self.strokes(*(NUMBER_PAD[each] for each in digits))
        self.key(ALT, False)


@pytest.mark.parametrize("layout", ["us", "de"])
def test_every_character_of_a_layout(layout: str) -> None:
    assert set(ASKED_FOR) <= set(EVERYTHING[layout])
    for character in EVERYTHING[layout]:
        keys = Keys(layout)
        keys.text(f"1{character}2", layout)
        keys.strokes(ENTER)
        assert keys.codes == [f"1{character}2"], character
    assert set("äöüÄÖÜß@€{}[]\\~") <= set(EVERYTHING["de"])


@given(st.data(), st.sampled_from(["us", "de"]))
def test_any_text_comes_back(data: st.DataObject, layout: str) -> None:
    text = data.draw(st.text(st.sampled_from(EVERYTHING[layout]), min_size=1, max_size=40))
    keys = Keys(layout)
    keys.text(text, layout)
    keys.strokes(ENTER)
    assert keys.codes == [text]


def test_the_german_accents_wait_for_their_letter() -> None:
    keys = Keys("de")
    keys.strokes(13, 18, 41, 30, 13)  # ´e ^a ´
    keys.strokes(ENTER)
    assert keys.codes == ["éâ´"]


@pytest.mark.parametrize("end", [ENTER, TAB, KP_ENTER])
def test_what_ends_a_code(end: int) -> None:
    keys = Keys()
    keys.text("4711")
    keys.strokes(end)
    keys.strokes(end)  # CR and LF: an empty code is none
    keys.text("4712")
    keys.strokes(end)
    assert keys.codes == ["4711", "4712"]


def test_the_number_pad_and_control_characters() -> None:
    keys = Keys()
    keys.strokes(*(NUMBER_PAD[each] for each in "0815"), 74, 83)
    keys.key(CTRL, True)
    keys.strokes(27)  # Ctrl+] is GS
    keys.key(CTRL, False)
    keys.text("x")
    keys.key(CTRL, True)
    keys.strokes(50)  # Ctrl+M is CR
    keys.key(CTRL, False)
    assert keys.codes == ["0815-.\x1dx"]


def test_alt_and_digits_name_a_character() -> None:
    keys = Keys()
    for digits in ("0252", "129", "8364", "065"):
        keys.alt(digits)
    keys.strokes(ENTER)
    assert keys.codes == ["üü€A"]


@pytest.mark.parametrize("digits", ["0000", "55296", "99999999", "1114112", "0129"])
def test_a_number_that_is_no_character_spoils_the_code(digits: str) -> None:
    keys = Keys()
    keys.text("4711")
    keys.alt(digits)
    keys.strokes(ENTER)
    keys.text("4712")
    keys.strokes(ENTER)
    assert keys.codes == ["4712"], "half a number is another patient's"


def test_alt_gr_may_come_as_ctrl_and_alt() -> None:
    keys = Keys("de")
    keys.key(CTRL, True)
    keys.key(ALT, True)
    keys.strokes(16)
    keys.key(ALT, False)
    keys.key(CTRL, False)
    keys.strokes(ENTER)
    assert keys.codes == ["@"]


def test_a_key_that_types_and_is_not_understood_spoils_the_code_an_f_key_does_not() -> None:
    keys = Keys("de")
    keys.strokes(F1, ESC, CAPS)
    keys.text("47", "de")
    keys.key(ALT_GR, True)
    keys.strokes(A)
    keys.key(ALT_GR, False)
    keys.strokes(ENTER)
    keys.strokes(F1)
    keys.text("48", "de")
    keys.strokes(ENTER)
    assert keys.codes == ["48"]


def test_a_code_that_is_not_ended_is_dropped_after_a_second() -> None:
    keys = Keys()
    keys.text("47")
    keys.now_ns += SILENCE_NS - 2 * MS
    keys.text("11")
    keys.strokes(ENTER)
    keys.text("half")
    keys.now_ns += SILENCE_NS
    keys.text("4712")
    keys.strokes(ENTER)
    assert keys.codes == ["4711", "4712"]


def test_keys_that_run_when_the_device_is_opened_are_no_code() -> None:
    keys = Keys()
    keys.now_ns = SETTLE_NS // 2
    keys.text("11")
    keys.strokes(ENTER)
    keys.text("4712")
    keys.strokes(ENTER)
    assert keys.codes == ["4712"]


def test_too_long_a_code_is_none() -> None:
    keys = Keys()
    keys.text("7" * MOST_CHARACTERS)
    keys.strokes(ENTER)
    keys.text("8" * (MOST_CHARACTERS + 10))
    keys.strokes(ENTER)
    keys.text("9")
    keys.strokes(ENTER)
    assert [len(each) for each in keys.codes] == [MOST_CHARACTERS, 1]


@given(st.lists(st.tuples(st.integers(0, 767), st.booleans(), st.integers(0, 2 * NS)), max_size=60))
def test_no_keys_make_it_fall_over(events: list[tuple[int, bool, int]]) -> None:
    typing, now_ns = Typing("de", 0), 0
    for code, down, later in events:
        now_ns += later
        text = typing.key(code, down, now_ns)
        assert text is None or 0 < len(text) <= MOST_CHARACTERS


# ---- the device


def scanner(device: FakeEvdev, layout: str = "us") -> WedgeScanner:
    return WedgeScanner(key="s", device=FakeEvdev.path, layout=layout, calls=device, nodes=lambda subsystem: [])


def opened(device: FakeEvdev, layout: str = "us") -> WedgeScanner:
    made = scanner(device, layout)
    made.open()
    time.sleep(SETTLE_NS / 1e9 + 0.02)
    return made


def test_it_is_grabbed_and_let_go() -> None:
    device = FakeEvdev(KEYS)
    made = opened(device)
    assert device.grabbed
    made.close()
    assert not device.grabbed


def test_umlauts_through_the_device() -> None:
    device = FakeEvdev(KEYS)
    made = opened(device, "de")
    scan(device, "Müller^Jörg/ß@4711", "de")
    assert made.read(1.0) == "Müller^Jörg/ß@4711"


def test_lost_keys_spoil_the_code_and_no_other() -> None:
    device = FakeEvdev(KEYS)
    made = opened(device)
    for code, down in presses("47"):
        (device.press if down else device.release)(code)
    device.overflow(held=set())
    scan(device, "11")
    scan(device, "4712")
    assert made.read(1.0) == "4712"
    assert made.read(0.05) is None


def test_a_shift_whose_release_was_lost_is_up() -> None:
    device = FakeEvdev(KEYS)
    made = opened(device)
    device.press(42)
    device.overflow(held=set())
    scan(device, "x")
    scan(device, "abc")
    assert made.read(1.0) == "abc"


def test_held_keys_do_not_repeat() -> None:
    device = FakeEvdev(KEYS)
    made = opened(device)
    device.press(A)
    device.repeat(A)
    device.release(A)
    scan(device, "b")
    assert made.read(1.0) == "ab"


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.EACCES, DeviceRefused), (errno.EBUSY, DeviceBusy)], ids=["refused", "busy"]
)
def test_why_it_cannot_be_opened(number: int, kind: type[Exception]) -> None:
    device = FakeEvdev(KEYS)
    device.fail_open = number
    with pytest.raises(kind):
        scanner(device).open()


def test_a_device_without_digits_is_no_scanner() -> None:
    with pytest.raises(NotSupported):
        scanner(FakeEvdev((48,))).open()
    with pytest.raises(ValueError, match="layout"):
        WedgeScanner(key="s", device="x", layout="fr")


# ---- the console's thread


class App:
    """Keeps what is posted."""

    def __init__(self) -> None:
        self.posted: list[Message] = []

    def post_message(self, message: Message) -> bool:
        self.posted.append(message)
        return True

    @property
    def texts(self) -> list[str]:
        return [each.text for each in self.posted if isinstance(each, CodeScanned)]


def until(condition: object, timeout_s: float = 5.0) -> None:
    give_up = time.monotonic() + timeout_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_codes_are_posted_and_an_unplugged_scanner_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    source, app = FakeScanner(), App()
    thread = ScannerThread(app, source)
    thread.start()
    until(lambda: source.opened == 1)
    source.scan("4711")
    until(lambda: app.texts == ["4711"])
    source.unplug()
    time.sleep(0.3)
    source.replug()
    until(lambda: source.opened == 2)
    source.scan("4712")
    until(lambda: app.texts == ["4711", "4712"])
    thread.end()
    source.scan("4713")
    time.sleep(0.05)
    assert app.texts == ["4711", "4712"]
    assert "471" not in caplog.text, "what a code says is never logged"


def test_it_listens_on_the_box_only_and_only_where_one_is_set_up() -> None:
    source = FakeScanner()
    chosen = Scanner(device="usb-0:4")
    for settings, environ in ((Scanner(), {}), (chosen, {"SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"})):
        with listening(App(), settings, environ, lambda _: source) as thread:
            assert thread is None
    with listening(App(), chosen, {}, lambda _: source) as thread:
        assert thread is not None
        until(lambda: source.opened == 1)


def test_the_real_one_takes_its_settings() -> None:
    from smartbox_tui.ui.scanner import real_scanner

    made = real_scanner(Scanner(device="/dev/input/event77", layout="de"))
    assert isinstance(made, WedgeScanner)
    assert made.info.path == "/dev/input/event77"
