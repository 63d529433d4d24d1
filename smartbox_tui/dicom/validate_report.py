"""One thing that is wrong with an object, and where such things are collected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """rule     short and stable, for scripts
    section  of the standard, as in "PS3.3 C.7.6.3"
    message  without any value of the object: it may be a patient's
    hint     what mends it
    """

    severity: Severity
    rule: str
    section: str
    message: str
    hint: str


class Report:
    """The findings of one object, in the order in which they are found, each once."""

    def __init__(self) -> None:
        self._findings: dict[Finding, None] = {}

    def error(self, rule: str, section: str, message: str, hint: str) -> None:
        self._findings[Finding("error", rule, section, message, hint)] = None

    def warning(self, rule: str, section: str, message: str, hint: str) -> None:
        self._findings[Finding("warning", rule, section, message, hint)] = None

    @property
    def findings(self) -> list[Finding]:
        return list(self._findings)
