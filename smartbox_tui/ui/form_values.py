"""What is typed into a form, and what DICOM makes of it: dates and names, both ways. Pure."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from smartbox_tui.errors import SmartBoxError

NAME_PARTS: Final = ("family", "given", "middle", "prefix", "suffix")
"""The five components of a PN, in its order (PS3.5 6.2.1)."""
_DAY_FIRST: Final = re.compile(r"^(\d{1,2})[./ -](\d{1,2})[./ -](\d{4})$")
_DIGITS: Final = re.compile(r"^(\d{2})(\d{2})(\d{4})$")
_ISO: Final = re.compile(r"^\d{4}-\d{2}-\d{2}$")
_SEPARATORS: Final = {"^": "more than five components", "=": "more than three component groups"}
_UNFIT: Final = "a backslash or control character is not allowed in DICOM"


def iso_date(text: str) -> str:
    """`14.3.1961`, `14/03/1961`, `14031961` and `1961-03-14` as the last; anything else as it is, for the model to
    refuse. Two-digit years are refused too: 61 may be a child."""
    text = text.strip()
    match = _DAY_FIRST.match(text) or _DIGITS.match(text)
    return f"{match[3]}-{int(match[2]):02d}-{int(match[1]):02d}" if match else text


def typed_date(iso: str | None, language: str) -> str:
    """As it is typed: 14.03.1961, or 14/03/1961 in English. What is no date is given back as it is."""
    try:
        value = date.fromisoformat(iso or "")
    except ValueError:
        return iso or ""
    return value.strftime("%d.%m.%Y" if language == "de" else "%d/%m/%Y")


def birth_date_of(text: str, today: date) -> date | None:
    """The date that was typed, None for nothing. Raises bad-value: no date, no such day, in the future, before
    1850."""
    iso = iso_date(text)
    if not iso:
        return None
    try:
        value = date.fromisoformat(iso)
    except ValueError:
        why = "no such day" if _ISO.match(iso) else "not a date"
        raise SmartBoxError("bad-value", f"birth_date: {why}", "Write it as DD.MM.YYYY.") from None
    if value > today or value.year < 1850:
        raise SmartBoxError("bad-value", "birth_date: in the future or before 1850", "Check the year.")
    return value


def check_name_part(key: str, text: str) -> None:
    """`^` and `=` would move a part of the name into another component. Raises bad-value naming the field."""
    for sign, why in _SEPARATORS.items():
        if sign in text:
            raise SmartBoxError("bad-value", f"{key}: {why}", "Leave it out.")
    check_characters(key, text)


def check_characters(key: str, text: str) -> None:
    """No backslash and no control character in any text (PS3.5 6.1.2.3). Raises bad-value naming the field."""
    if "\\" in text or any(ord(sign) < 32 or ord(sign) == 127 for sign in text):
        raise SmartBoxError("bad-value", f"{key}: {_UNFIT}", "Leave that character out.")


def check_length(key: str, text: str, maximum: int) -> None:
    """Characters, not bytes (PS3.5 6.2). Raises bad-value naming the field."""
    if len(text) > maximum:
        raise SmartBoxError("bad-value", f"{key}: longer than {maximum} characters", "Shorten it.")


def name_parts(name: str) -> dict[str, str]:
    """The components of a PN's alphabetic group by their keys; missing ones are empty."""
    parts = name.split("=")[0].split("^")
    return dict(zip(NAME_PARTS, [part.strip() for part in (parts + [""] * 5)[:5]], strict=True))


def name_of(parts: dict[str, str], before: str = "") -> str:
    """A PN. The ideographic and phonetic groups of `before` stay as long as its alphabetic group does."""
    name = "^".join(parts.get(key, "") for key in NAME_PARTS).rstrip("^")
    return before if before and parts == name_parts(before) else name


def physician_name(text: str) -> str:
    """`Weber, Anna, Dr.` as the PN `Weber^Anna^^Dr.`: family name, given name, title."""
    family, given, prefix = ([part.strip() for part in text.split(",", 2)] + ["", ""])[:3]
    return "^".join((family, given, "", prefix)).rstrip("^")
