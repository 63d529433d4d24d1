"""Which keys the keyboard on the screen has: by language, by the field's purpose, with the accents of each letter.

Four rows of keys. At 80 columns a key of weight 6 is six columns wide; none comes out narrower than five.
"""

from __future__ import annotations

from typing import Final

from smartbox_tui.ui.i18n import N_
from smartbox_tui.ui.widgets.touch_pad import PadKey

PURPOSES: Final = ("name", "text", "id", "date", "number", "host")
"""What a field is for. name: of a person, with a capital; id: digits first; host: names, addresses, AE titles."""
PADS: Final = frozenset({"id", "date", "number"})
"""Purposes whose first page is the numeric pad."""

BACKSPACE, ENTER, SHIFT, SPACE, LEFT, RIGHT, HIDE = (
    "BACKSPACE",
    "ENTER",
    "SHIFT",
    "SPACE",
    "LEFT",
    "RIGHT",
    "HIDE",
)
LETTERS, DIGITS, EMERGENCY = "LETTERS", "DIGITS", "EMERGENCY"

ACCENTS: Final = {
    "a": "äàáâãåæāăą",
    "c": "çćčĉċ",
    "d": "ďđð",
    "e": "éèêëēĕėęě",
    "g": "ğĝġģ",
    "h": "ĥħ",
    "i": "íìîïīĭįı",
    "j": "ĵ",
    "k": "ķ",
    "l": "łĺļľŀ",
    "n": "ñńņň",
    "o": "öóòôõøœōŏő",
    "r": "řŕŗ",
    "s": "ßšśŝş",
    "t": "ťţŧþ",
    "u": "üúùûūŭůűų",
    "w": "ŵ",
    "y": "ýÿŷ",
    "z": "žźż",
    "'": '’`´"',
    "-": "–_",
    ".": ":;!?",
    ",": ";",
}
"""By long press. Nothing beyond U+017F but what the console's font has."""

_LABELS: Final = {
    BACKSPACE: "←",
    ENTER: "↵",
    SHIFT: "↑",
    LEFT: "◀",
    RIGHT: "▶",
    HIDE: "▼",
    LETTERS: "ABC",
    DIGITS: "123",
    SPACE: N_("Space"),
    EMERGENCY: N_("EMERGENCY"),
}
_LOOKS: Final = {ENTER: "first", SPACE: "key", EMERGENCY: "red"}

# token: a sign, or the name of a key, each with :weight where it is not the row's usual 6
_BOTTOM: Final = "HIDE:8 {page}:8 LEFT:6 SPACE:38 RIGHT:6"
_LETTER_ROWS: Final = {
    "de": (
        "q w e r t z u i o p ü BACKSPACE:14",
        "a s d f g h j k l ö ä ENTER:14",
        "SHIFT:8 y x c v b n m ß ' - . ,",
    ),
    "en": (
        "q:7 w:7 e:7 r:7 t:7 y:7 u:7 i:7 o:7 p:7 BACKSPACE:10",
        "a:7 s:7 d:7 f:7 g:7 h:7 j:7 k:7 l:7 ENTER:17",
        "SHIFT:10 z:7 x:7 c:7 v:7 b:7 n:7 m:7 ':7 -:7 .:7",
    ),
}
_SIGN_ROWS: Final = (
    "1 2 3 4 5 6 7 8 9 0 BACKSPACE:20",
    "- / ( ) . , : ; ! ? & ENTER:14",
    "+ * _ # % @ € § ' \" < >",
)
_HOST_ROWS: Final = {
    "de": ("q w e r t z u i o p : /", "a s d f g h j k l", "y x c v b n m"),
    "en": ("q w e r t y u i o p : /", "a s d f g h j k l", "z x c v b n m"),
}
_PAD_SIGNS: Final = {
    "date": {"de": (".", ""), "en": ("/", "")},
    "number": {"de": (".", "-"), "en": (".", "-")},
    "id": {"de": ("-", "/"), "en": ("-", "/")},
}


def _host_page(language: str, emergency: bool) -> list[str]:
    letters = _HOST_ROWS.get(language, _HOST_ROWS["en"])
    last = f"HIDE:8 {letters[2]} . - _"
    return [
        "1 2 3 4 5 6 7 8 9 0 BACKSPACE:20",
        letters[0],
        f"SHIFT:8 {letters[1]} ENTER:18",
        last if emergency else f"{last} LEFT:7 RIGHT:7",
    ]


def _pad_page(purpose: str, language: str, emergency: bool) -> list[str]:
    first, second = _PAD_SIGNS[purpose].get(language, _PAD_SIGNS[purpose]["en"])
    last = "HIDE:22" if purpose == "date" else "HIDE:11 LETTERS:11" if purpose == "id" else f"HIDE:11 {second}:11"
    signs = f"{first}:11 {second}:11" if purpose == "id" else f"{first}:22"
    if emergency:
        sides = ("BACKSPACE:14", "LEFT:7 RIGHT:7", "ENTER:14", "")
    else:
        sides = ("BACKSPACE:14", "LEFT:14", "RIGHT:14", "ENTER:14")
    return [
        f"1:22 2:22 3:22 {sides[0]}",
        f"4:22 5:22 6:22 {sides[1]}",
        f"7:22 8:22 9:22 {sides[2]}",
        f"{last} 0:22 {signs} {sides[3]}",
    ]


def first_page(purpose: str) -> str:
    """The page that a field of that purpose opens with: letters, digits, signs or host."""
    if purpose in PADS:
        return "digits"
    return "host" if purpose == "host" else "letters"


def other_page(purpose: str, page: str) -> str:
    """Where the key beside the hide key leads."""
    if page != "letters":
        return "letters"
    return "digits" if purpose == "id" else "signs"


def rows(purpose: str, page: str, language: str, *, emergency: bool) -> list[list[PadKey]]:
    """Four rows of keys, lower case. `emergency`: there is no other emergency button in sight, so the keyboard has
    one at its right lower end, where the screens have theirs."""
    if page == "digits":
        lines = _pad_page(purpose if purpose in PADS else "number", language, emergency)
    elif page == "host":
        lines = _host_page(language, emergency)
    else:
        base = _SIGN_ROWS if page == "signs" else _LETTER_ROWS.get(language, _LETTER_ROWS["en"])
        lines = [*base, _BOTTOM.format(page=LETTERS if page == "signs" else DIGITS)]
    if emergency:
        lines[-1] += " EMERGENCY:14"
    return [[_key(token) for token in line.split()] for line in lines]


def _key(token: str) -> PadKey:
    name, separator, weight = token.rpartition(":")
    if not (separator and name and weight.isdigit()):
        name, weight = token, "6"
    label = _LABELS.get(name, name)
    special = name in _LABELS
    return PadKey(name, label, float(weight), _LOOKS.get(name, "side" if special else "key"))


def accents(sign: str) -> str:
    """The other signs of a key, in the case of `sign`; those that have no capital of one letter are left out."""
    found = ACCENTS.get(sign.lower(), "")
    if not sign.isupper():
        return found
    return "".join(other.upper() for other in found if len(other.upper()) == 1 and ord(other.upper()) <= 0x17F)
