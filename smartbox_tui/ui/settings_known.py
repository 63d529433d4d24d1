"""The settings as the engine has them: values, where each comes from, what was changed when by whom."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.describe import Place, Section, flat, place
from smartbox_tui.settings.load import LIST_KEY, settings_from
from smartbox_tui.settings.schema import Settings


@dataclass(frozen=True, slots=True)
class Past:
    """One change, newest first in `Known.history`."""

    number: int
    at: str
    who: str
    action: str
    of: int | None
    values: dict[str, list[Any]]

    def places(self) -> list[tuple[Place, Any, Any]]:
        """What it changed, before and after; keys of other versions are left out."""
        found = []
        for path, (before, after) in self.values.items():
            try:
                found.append((place(path), before, after))
            except SmartBoxError:  # a key that this version does not know
                continue
        return found


@dataclass(frozen=True, slots=True)
class Known:
    """`values` by dotted path; `origins` path to (default | file | box | environment, its name)."""

    settings: Settings
    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, tuple[str, str]] = field(default_factory=dict)
    history: tuple[Past, ...] = ()
    trouble: str = ""
    file_trouble: str = ""

    def origin(self, path: str) -> tuple[str, str]:
        return self.origins.get(path, ("default", ""))

    def entries(self, section: Section) -> list[str]:
        """The names of a list's entries, in their order."""
        return [getattr(item, section.list_key) for item in getattr(self.settings, section.name)]


def known_from(answer: dict[str, Any]) -> Known:
    """From GET /v1/settings. Raises SmartBoxError for values of another version."""
    settings = settings_from(answer["values"])
    return Known(
        settings,
        flat(settings),
        {path: (item["origin"], item["name"]) for path, item in answer["origins"].items()},
        tuple(
            Past(item["number"], item["at"], item["who"], item["action"], item["of"], item["values"])
            for item in answer["history"]
        ),
        answer.get("trouble", ""),
        answer.get("file_trouble", ""),
    )


def known_locally(settings: Settings) -> Known:
    """What the console read itself, until the engine has told."""
    return Known(settings, flat(settings))


def is_list(section: Section) -> bool:
    return section.name in LIST_KEY
