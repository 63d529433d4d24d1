"""What a keyboard types: key codes (<linux/input-event-codes.h>) to characters, as a scanner presses them. Pure.

A scanner that plays a keyboard sends whole texts, one key after the other, by the layout that it is set to. What
it cannot type it sends as Alt and digits on the number pad, as Windows has it.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final

NS: Final = 1_000_000_000
SILENCE_NS: Final = NS
"""A scanner's keys come within milliseconds: what is not ended by then never will be."""
SETTLE_NS: Final = NS // 5
"""Keys that come so soon after the opening may be the rest of a code whose beginning nobody has seen."""
MOST_CHARACTERS: Final = 4096

SHIFT: Final = frozenset({42, 54})
CTRL: Final = frozenset({29, 97})
ALT: Final = 56
ALT_GR: Final = 100
MODIFIERS: Final = SHIFT | CTRL | {ALT, ALT_GR}
ENDS: Final = frozenset({15, 28, 96})  # Tab, Enter, Enter of the number pad
_SPACE: Final = 57
_DIGITS: Final = {82: "0", 79: "1", 80: "2", 81: "3", 75: "4", 76: "5", 77: "6", 71: "7", 72: "8", 73: "9"}
_PAD: Final = {**_DIGITS, 55: "*", 74: "-", 78: "+", 83: ".", 98: "/", 117: "=", 121: ","}
_TYPES: Final = frozenset({*range(2, 14), *range(16, 28), *range(30, 42), *range(43, 54), _SPACE, 86, *_PAD})
"""Keys that type something: one that is not understood spoils the code. The others, F keys, are passed over."""


def _row(first: int, plain: str, shifted: str) -> dict[int, tuple[str, str]]:
    return {first + index: pair for index, pair in enumerate(zip(plain, shifted, strict=True))}


@dataclass(frozen=True, slots=True)
class Layout:
    """`keys`: code to (plain, with Shift). `alt_gr`: code to character. `dead`: accents that wait
    for a letter, and the combining one that each stands for."""

    keys: dict[int, tuple[str, str]]
    alt_gr: dict[int, str]
    dead: dict[str, str]


LAYOUTS: Final = {
    "us": Layout(
        {
            **_row(2, "1234567890-=", "!@#$%^&*()_+"),
            **_row(16, "qwertyuiop[]", "QWERTYUIOP{}"),
            **_row(30, "asdfghjkl;'`", 'ASDFGHJKL:"~'),
            **_row(43, "\\zxcvbnm,./", "|ZXCVBNM<>?"),
            _SPACE: (" ", " "),
            86: ("\\", "|"),
        },
        {},
        {},
    ),
    "de": Layout(
        {
            **_row(2, "1234567890ß´", '!"§$%&/()=?`'),
            **_row(16, "qwertzuiopü+", "QWERTZUIOPÜ*"),
            **_row(30, "asdfghjklöä^", "ASDFGHJKLÖÄ°"),
            **_row(43, "#yxcvbnm,.-", "'YXCVBNM;:_"),
            _SPACE: (" ", " "),
            86: ("<", ">"),
        },
        {3: "²", 4: "³", 8: "{", 9: "[", 10: "]", 11: "}", 12: "\\", 16: "@", 18: "€", 27: "~", 50: "µ", 86: "|"},
        {
            "´": "\u0301",
            "`": "\u0300",
            "^": "\u0302",
        },
    ),
}


class Typing:
    """Keys in, whole codes out. Times are of one monotonic clock, ns.

    A code is given whole or not at all: a key lost or not understood, or too many of them, spoil it to its end.
    """

    def __init__(self, layout: str, now_ns: int) -> None:
        """ValueError for an unknown layout. `now_ns`: when the device was opened."""
        if layout not in LAYOUTS:
            raise ValueError(f"the layout of a scanner is one of {', '.join(LAYOUTS)}, not {layout!r}")
        self._layout = LAYOUTS[layout]
        self._held: set[int] = set()
        self._text = ""
        self._dead = ""
        self._alt_digits: str | None = None
        self._spoiled = True
        self._last_ns = now_ns - SILENCE_NS + SETTLE_NS

    def hold(self, codes: set[int]) -> None:
        """Which keys are down: at the opening, and after the kernel has lost events."""
        self._held = codes & MODIFIERS

    def spoil(self, now_ns: int) -> None:
        """Keys were lost."""
        self._spoiled, self._last_ns = True, now_ns

    def key(self, code: int, down: bool, at_ns: int) -> str | None:
        """A whole code when this key has ended one."""
        if at_ns - self._last_ns >= SILENCE_NS:
            self._begin()
        self._last_ns = at_ns
        if code in MODIFIERS:
            (self._held.add if down else self._held.discard)(code)
            if code == ALT:
                self._alt(down)
            return None
        if not down:
            return None
        if code in ENDS:
            return self._end()
        if self._alt_digits is not None and code in _DIGITS:
            self._alt_digits += _DIGITS[code]
        elif code in _TYPES:
            return self._type(code)
        return None

    def _begin(self) -> None:
        self._text = self._dead = ""
        self._alt_digits = "" if ALT in self._held else None
        self._spoiled = False

    def _end(self) -> str | None:
        text, spoiled = self._text + self._dead, self._spoiled
        self._begin()
        return text if text and not spoiled else None

    def _type(self, code: int) -> str | None:
        ctrl = bool(self._held & CTRL)
        alt_gr = ALT_GR in self._held or (ctrl and ALT in self._held)
        if alt_gr:
            self._add(self._layout.alt_gr.get(code, ""))
        elif ctrl:
            return self._control(code)
        elif ALT in self._held:
            self._add("")
        elif code in _PAD:
            self._add(_PAD[code])
        else:
            self._add(self._layout.keys.get(code, ("", ""))[bool(self._held & SHIFT)], self._layout.dead)
        return None

    def _control(self, code: int) -> str | None:
        """Control characters: GS between the elements of a label, and the ends."""
        letter = self._us(code)
        if letter in ("m", "j", "i"):
            return self._end()
        self._add(chr(ord(letter.upper()) & 0x1F) if letter and (letter.isalpha() or letter in "[\\]") else "")
        return None

    @staticmethod
    def _us(code: int) -> str:
        return LAYOUTS["us"].keys.get(code, ("", ""))[0]

    def _add(self, character: str, dead: dict[str, str] | None = None) -> None:
        if not character:
            self._spoiled = True
            return
        before, self._dead = self._dead, ""
        if before and character == " ":
            self._text += before
        elif before and len(both := unicodedata.normalize("NFC", character + self._layout.dead[before])) == 1:
            self._text += both
        elif dead and character in dead:
            self._text += before
            self._dead = character
        else:
            self._text += before + character
        if len(self._text) > MOST_CHARACTERS:
            self._spoiled, self._text = True, ""

    def _alt(self, down: bool) -> None:
        """Alt goes down: digits may follow. Alt goes up: they name a character."""
        digits, self._alt_digits = self._alt_digits, "" if down else None
        if not down and digits:
            self._add(_by_number(digits))


def _by_number(digits: str) -> str:
    """As Windows has it: with a leading 0 of code page 1252, else of 850; above 255 of Unicode. Empty: none."""
    number = int(digits) if len(digits) <= 7 else -1
    try:
        if number > 0xFF:
            return "" if 0xD800 <= number <= 0xDFFF else chr(number)
        if number == 0:
            return ""
        return bytes([number]).decode("cp1252" if digits.startswith("0") else "cp850")
    except (ValueError, OverflowError):
        return ""
