"""Rules for values. Each takes a value and gives a sentence why it is wrong, or None."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

Rule = Callable[[Any], str | None]
_WORD: Final = re.compile(r"^[a-z0-9][a-z0-9_-]{0,31}$", re.IGNORECASE)
_SIZE: Final = re.compile(r"^(\d{2,4})x(\d{2,4})$")
_CODE: Final = re.compile(r"^[A-Z0-9_ ]{1,16}$")
_CROP: Final = re.compile(r"^\d+,\d+,\d+,\d+$")
_MASK: Final = re.compile(r"^\d+,\d+,[1-9]\d*,[1-9]\d*(;\d+,\d+,[1-9]\d*,[1-9]\d*)*$")
_CONTROLS: Final = re.compile(r"^[a-z0-9_]{1,48}=-?\d{1,9}(, ?[a-z0-9_]{1,48}=-?\d{1,9})*$")
SMALLEST: Final = (160, 120)
"""Width and height of a picture, also of what a crop leaves of one."""

_CREDENTIAL: Final = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$")
SLOWEST: Final = 10_000
"""The smallest limit, in bytes a second."""

_TEMPLATE_KEYS: Final = ("sex_text", "date", "time", "station_name")


@dataclass(frozen=True, slots=True)
class Choice:
    """One of `choices`; what is only `planned` is refused in plain words."""

    choices: tuple[Any, ...]
    planned: tuple[Any, ...] = ()
    fixed: bool = False

    def __call__(self, value: Any) -> str | None:
        if value in self.choices:
            return None
        if not self.fixed:
            return f"must be one of {', '.join(map(str, self.choices))}"
        if value in self.planned or not self.planned:
            return f"this version can only do {self.choices[0]!r}"
        return f"must be {self.choices[0]!r}"


@dataclass(frozen=True, slots=True)
class Bounds:
    """A number of at least `minimum`, and of at most `maximum` where there is one."""

    minimum: float
    maximum: float | None = None

    def __call__(self, value: Any) -> str | None:
        if self.maximum is None:
            return None if value >= self.minimum else f"must be at least {self.minimum}"
        if self.minimum <= value <= self.maximum:
            return None
        return f"must be between {self.minimum} and {self.maximum}"


def one_of(*choices: Any) -> Rule:
    return Choice(choices)


def only(built: Any, *planned: Any) -> Rule:
    """A key of the contract of which this version can do one value: the others are refused in plain words."""
    return Choice((built,), planned, fixed=True)


def between(low: float, high: float) -> Rule:
    return Bounds(low, high)


def at_least(low: float) -> Rule:
    return Bounds(low)


def word(value: Any) -> str | None:
    """Letters, digits, - and _: it becomes part of file names and of variables."""
    return None if _WORD.match(value) else "must be 1 to 32 letters, digits, '-' or '_'"


def size(value: Any) -> str | None:
    match = _SIZE.match(value)
    if not match:
        return "must be WIDTHxHEIGHT, as in 1920x1080"
    width, height = int(match[1]), int(match[2])
    if not (SMALLEST[0] <= width <= 1920 and SMALLEST[1] <= height <= 1088):
        return "must be between 160x120 and 1920x1088"
    if width % 2 or height % 2:
        return "width and height must be even (4:2:0 video)"
    return None


def crop(value: Any) -> str | None:
    if not _CROP.match(value):
        return "must be four numbers: left,top,right,bottom"
    return "must be even numbers (4:2:0 video)" if any(int(part) % 2 for part in value.split(",")) else None


def mask(value: Any) -> str | None:
    if not value or _MASK.match(value):
        return None
    return "must be left,top,width,height, and more of them after a ';'"


def host(value: Any) -> str | None:
    return None if not any(char.isspace() for char in value) else "must not contain spaces"


def url(value: Any) -> str | None:
    if not value:
        return None
    try:
        parts = urlsplit(value)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not (value.isascii() and value.isprintable()) or " " in value:  # a name of other letters is written xn--…
        fits = False
    if not fits or parts.username or parts.query or parts.fragment:
        return "must be a web address, as in https://archive/dicom-web, without a user and without a query"
    return None


def folder(value: Any) -> str | None:
    if not value or (value.startswith("/") and value.strip("/") and "\0" not in value):
        return None
    return "must be a whole path, from / on"


def rate(value: Any) -> str | None:
    """Bytes a second; 0 is no limit, and a few bytes are a mistake: a picture would take days."""
    return None if value == 0 or value >= SLOWEST else f"0 for none, or at least {SLOWEST}"


def pem_file(value: Any) -> str | None:
    """Empty, a whole path, or the name of a systemd credential."""
    if not value or value.startswith("/") or _CREDENTIAL.match(value):
        return None
    return "must be a whole path, from / on"


def ae_title(value: Any) -> str | None:
    """PS3.5 6.2 AE: 1 to 16 characters, no backslash, no control characters; outer spaces do not count."""
    text = value.strip(" ")
    if not 1 <= len(text) <= 16:
        return "an AE title has 1 to 16 characters"
    if "\\" in text or not text.isascii() or not text.isprintable():
        return "an AE title has no backslash, control or non-ASCII characters"
    return None


def ae_title_or_empty(value: Any) -> str | None:
    return None if value == "" else ae_title(value)


def ae_titles(value: Any) -> str | None:
    """Several, separated by commas; none is none."""
    return next((why for part in value.split(",") if part.strip() and (why := ae_title(part))), None)


def code_string(value: Any) -> str | None:
    """PS3.5 6.2 CS, or empty: upper case letters, digits, space and underscore."""
    if value and not _CODE.match(value):
        return "at most 16 upper case letters, digits and '_', as in ES"
    return None


def short_string(value: Any) -> str | None:
    return _string(value, 16)


def long_string(value: Any) -> str | None:
    return _string(value, 64)


def _string(value: str, maximum: int) -> str | None:
    if len(value) > maximum or "\\" in value or not value.isprintable():
        return f"at most {maximum} characters, no backslash, no control characters"
    return None


def template(value: Any) -> str | None:
    try:
        value.format(**dict.fromkeys(_TEMPLATE_KEYS, "x"))
    except (KeyError, ValueError, IndexError, AttributeError):
        return "may use " + ", ".join(f"{{{name}}}" for name in _TEMPLATE_KEYS)
    if not ("{date}" in value and "{time}" in value):
        return "must contain {date} and {time}, so that two never collide"
    return None


def controls(value: Any) -> str | None:
    """`name=number`, separated by commas; whether the device has such a control only it can say."""
    if not value or _CONTROLS.match(value):
        return None
    return "must be names and numbers, as in brightness=128, gain=4"


def calibration(value: Any) -> str | None:
    """Empty, or a, b, c, d, e, f of x' = a*x + b*y + c and y' = d*x + e*y + f, 0 to 1 across the panel."""
    if not value:
        return None
    parts = value.split(",")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) != 6 or not all(abs(number) <= 10 for number in numbers):
        return "must be six numbers of the four taps, separated by commas"
    if abs(numbers[0] * numbers[4] - numbers[1] * numbers[3]) < 0.01:
        return "folds the panel into a line; let the four taps be done again"
    return None
