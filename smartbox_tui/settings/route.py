"""The settings that say which pictures a destination gets, and whether it stands in for another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from smartbox_tui.model import routing
from smartbox_tui.settings import rules
from smartbox_tui.settings.keys import key

MODALITIES: Final = "codes of upper case letters with a comma between, as in ES, XC"
NAMES: Final = "short names with a comma between"
NO_PRIMARY_NAMED: Final = "a backup needs the archive that it stands in for"
BOTH: Final = "a backup is no primary: it stands in for one"
ITSELF: Final = "an archive cannot stand in for itself"
NO_ARCHIVE: Final = "there is no archive of that name"
NO_PRIMARY: Final = 'the archive that it stands in for must have role = "primary"'
NO_SOURCE: Final = "there is no source of that name"


def _hours(value: Any) -> str | None:
    try:
        routing.spans(value)
    except ValueError as exc:
        return str(exc)
    return None


def _modalities(value: Any) -> str | None:
    wrong = any(rules.code_string(item) for item in routing.values(value))
    return MODALITIES if wrong else None


def _words(value: Any) -> str | None:
    wrong = any(rules.word(item) for item in routing.values(value))
    return NAMES if wrong else None


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    emergency: str = key(
        "any", "only the pictures of emergencies, or only the others", rule=rules.one_of("any", "true", "false")
    )
    modality: str = key("", "only these, as in ES, XC; empty: all", rule=_modalities)
    source: str = key("", "only of these sources, by their short names; empty: of all", rule=_words)
    hours: str = key("", "only what was taken then, as in 18:00-06:00; empty: the whole day", rule=_hours)

    @property
    def rule(self) -> routing.Rule:
        return routing.Rule(
            {"true": True, "false": False}.get(self.emergency),
            routing.values(self.modality),
            routing.values(self.source),
            routing.spans(self.hours),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    role: str = key(
        "always",
        "a backup gets pictures only while its primary archive cannot be reached",
        rule=rules.one_of("always", "primary", "backup"),
    )
    backup: str = key("", "the archive that it stands in for; that one is a primary", rule=_words)
    after_s: float = key(
        60.0, "backup: seconds that the primary must be out of reach before", rule=rules.between(0, 86400)
    )
    instead: bool = key(
        False, "backup: what it has stored is not sent to the primary any more; else the primary gets it later"
    )
    when: When = key(When)
