"""Takes out of a text what could say who a patient is: all that the box knows of its patients, word by word, and
every identifier by its form. What goes out is the bundle for service: when in doubt, a word too many is taken out.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any, Final

from smartbox_tui.commands.doctor.needles import LEAST, Needles

GONE: Final = "[patient]"
_UUID: Final = re.compile(r"(?i)(?<![0-9a-f])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![0-9a-f])")
_UID: Final = re.compile(r"(?<![\d.])(?:2\.25\.\d+|[0-2](?:\.\d+){3,})(?!\.?\d)")
"""Also of four numbers, which an address of the network has, too: see `_is_address`."""
_STANDARD: Final = "1.2.840.10008."
"""The registry's own: SOP classes and transfer syntaxes, which are nobody's."""
_LONG_DIGITS: Final = re.compile(r"(?<![\w.:-])\d{7,}(?![\w.:])")
"""Of patients, orders, dates of birth without separators."""
_PERSON: Final = re.compile(r"[^\s^=\"'<>()\[\]{},;:]+\^[^\s\"'<>()\[\]{},;:]*")
"""A DICOM person name (PS3.5 6.2.1)."""
_SPLIT: Final = re.compile(r"[\s^=\\,;/|]+")
_JOINED: Final = re.compile(r"[-'’.]")
_SURE: Final = 4
"""A shorter word that is found at the last look may be anything: it was taken out where it stood alone."""
_DATE: Final = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})$")
_FOLDS: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "oe", "å": "aa", "ł": "l"})


class Scrubber:
    """`known`: names, IDs, birth dates, accession numbers, whatever else belongs to patients, each as it is stored.

    UIDs and the box's own ids become words that are the same within one bundle and mean nothing outside it."""

    def __init__(self, known: Iterable[str]) -> None:
        self._salt = secrets.token_bytes(16)
        words = {form for text in known for word in _words(text) for form in _forms(word)}
        self._known = Needles(words)
        self._sure = Needles(word for word in words if len(word) >= _SURE)

    def text(self, text: str) -> str:
        """The text without what is known and without identifiers."""
        text = unicodedata.normalize("NFC", text)
        text = _PERSON.sub(GONE, text)
        text = _UUID.sub(lambda found: self._name("id", found[0]), text)
        text = _UID.sub(self._uid, text)
        return _LONG_DIGITS.sub("[number]", self._known.replaced(text, GONE))

    def value(self, value: Any) -> Any:
        """The same of every text in a JSON value, keys too."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(key)): self.value(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(item) for item in value]
        return value

    def clean(self, data: bytes) -> bool:
        """Whether nothing known is left in it, in whatever way it may be written: the last look, at every byte."""
        text = data.decode("utf-8", "replace")
        forms = (text, data.decode("latin-1"), _unescaped(text))
        return not any(True for form in forms for _ in self._sure.found(form))

    def _uid(self, found: re.Match[str]) -> str:
        uid = found[0]
        return uid if uid.startswith(_STANDARD) or _is_address(uid) else self._name("uid", uid)

    def _name(self, kind: str, text: str) -> str:
        # letters only: no number of it can be taken for somebody's
        digest = hashlib.blake2b(text.lower().encode(), key=self._salt, digest_size=5).hexdigest()
        return f"{kind}-{digest.translate(str.maketrans('0123456789', 'ghijklmnop'))}"


def _is_address(text: str) -> bool:
    """An IPv4 address, which an engineer needs."""
    parts = text.split(".")
    return len(parts) == 4 and all(len(part) <= 3 and int(part) < 256 for part in parts)


def _words(text: str) -> Iterator[str]:
    text = unicodedata.normalize("NFC", text.strip())
    if text:
        yield text
        for word in filter(None, _SPLIT.split(text)):
            yield word
            # of a double name each; of a number no part, which would be somebody else's
            yield from (
                each for each in _JOINED.split(word) if each != word and len(each) > LEAST and each.isalpha()
            )


def _forms(word: str) -> Iterator[str]:
    """As somebody may have written it down: without accents, and a date in the ways of the country."""
    yield word
    yield word.casefold()
    yield word.lower().translate(_FOLDS)
    bare = unicodedata.normalize("NFD", word)
    yield "".join(sign for sign in bare if not unicodedata.combining(sign))
    if date := _DATE.match(word):
        year, month, day = date.groups()
        yield from (
            f"{year}-{month}-{day}",
            f"{year}{month}{day}",
            f"{day}.{month}.{year}",
            f"{day}/{month}/{year}",
        )
        yield from (f"{month}/{day}/{year}", f"{int(day)}.{int(month)}.{year}", f"{day}{month}{year}")


def _unescaped(text: str) -> str:
    """JSON's and Python's ways to write a letter as a number."""

    def letter(found: re.Match[str]) -> str:
        return chr(int(found[1] or found[2], 16))

    return re.sub(r"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})", letter, text)


def leaves(value: Any) -> Iterator[str]:
    """Every text in a JSON value; numbers as texts."""
    if isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from leaves(item)
    elif isinstance(value, str):
        if value[:1] in "{[":
            try:
                yield from leaves(json.loads(value))
                return
            except ValueError:
                pass
        yield value
    elif value is not None and not isinstance(value, bool):
        yield str(value)
