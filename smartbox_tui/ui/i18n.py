"""The two languages of the screens: gettext for sentences, Babel for dates and numbers. Switched at run time.

A msgid is the English source text. `t("…")` translates at once, `N_("…")` only marks a text that is translated
when it is shown; both are found by the extraction that tests/ui/catalogs.py runs. Neither may stand inside an
f-string: the extraction cannot see it there (a test looks).
"""

from __future__ import annotations

import gettext
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from babel import Locale
from babel.dates import format_date, format_datetime, get_day_names, get_month_names
from babel.numbers import format_decimal

LANGUAGES: Final = ("de", "en")
DOMAIN: Final = "smartbox"
LOCALE_FOLDER: Final = Path(__file__).parent / "locale"

_LOCALES: Final = {"de": Locale("de"), "en": Locale("en", "GB")}
"""British: day before month, as the birth dates on the wristbands have it."""
_UNITS: Final = ("B", "kB", "MB", "GB", "TB")


def N_(message: str) -> str:  # noqa: N802  (gettext's own name for it)
    """Marks a text for the catalogues and leaves it as it is."""
    return message


@lru_cache(maxsize=len(LANGUAGES))
def _catalogue(language: str) -> gettext.NullTranslations:
    # a catalogue that was not compiled (`make env` does it) leaves the English texts, never an empty screen
    return gettext.translation(DOMAIN, LOCALE_FOLDER, [language], fallback=True)


class Texts:
    """One language. Immutable: switching means another `Texts`."""

    def __init__(self, language: str) -> None:
        self.language = language if language in LANGUAGES else LANGUAGES[0]
        self._catalogue = _catalogue(self.language)
        self._locale = _LOCALES[self.language]

    def __call__(self, message: str, /, **values: Any) -> str:
        """The text in this language, `{name}` filled in. An empty text stays empty."""
        text = self._catalogue.gettext(message) if message else ""
        return text.format(**values) if values else text

    def n(self, one: str, many: str, count: int, /, **values: Any) -> str:
        """The plural form for `count`, which fills `{count}` too."""
        return self._catalogue.ngettext(one, many, count).format(count=self.number(count), **values)

    def next_language(self) -> str:
        """The one that the switch goes to."""
        return LANGUAGES[(LANGUAGES.index(self.language) + 1) % len(LANGUAGES)]

    def date(self, value: date) -> str:
        """14.03.1961, in English 14 Mar 1961: four digits of the year, and no month that could be a day."""
        return format_date(value, "dd.MM.yyyy" if self.language == "de" else "d MMM yyyy", locale=self._locale)

    def month(self, number: int) -> str:
        """The month's name, 1 to 12."""
        return str(get_month_names("wide", "stand-alone", locale=self._locale)[number])

    def weekday(self, number: int) -> str:
        """Mo, in English Mon; 0 is Monday."""
        return str(get_day_names("abbreviated", "stand-alone", locale=self._locale)[number]).rstrip(".")

    def clock(self, value: datetime, *, seconds: bool = False) -> str:
        """Twenty-four hours, in the zone that `value` has."""
        return format_datetime(value, "HH:mm:ss" if seconds else "HH:mm", locale=self._locale)

    def number(self, value: float, decimals: int = 0) -> str:
        pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
        return str(format_decimal(value, pattern, locale=self._locale))

    def size(self, count: int) -> str:
        """Bytes in the largest unit that leaves a number above one, one decimal below ten."""
        value, unit = float(count), _UNITS[0]
        for unit in _UNITS:
            if value < 1000 or unit == _UNITS[-1]:
                break
            value /= 1000
        return f"{self.number(value, 1 if value < 10 and unit != 'B' else 0)} {unit}"

    def span(self, seconds: float) -> str:
        """A rough duration in words: 20 s, 5 min, 3 h, 2 days."""
        t, count = self, max(0, int(seconds))
        if count < 60:
            return t("{n} s", n=count)
        if count < 3600:
            return t("{n} min", n=count // 60)
        if count < 86400:
            return t("{n} h", n=count // 3600)
        return t.n("{count} day", "{count} days", count // 86400)


def running_time(seconds: float) -> str:
    """A recording's time, 00:03:12: digits only, so that the width never jumps."""
    count = max(0, int(seconds))
    return f"{count // 3600:02d}:{count // 60 % 60:02d}:{count % 60:02d}"


def clip_length(seconds: float) -> str:
    """A clip's length, 0:42 or 1:02:03."""
    count = max(0, round(seconds))
    if count < 3600:
        return f"{count // 60}:{count % 60:02d}"
    return f"{count // 3600}:{count // 60 % 60:02d}:{count % 60:02d}"
