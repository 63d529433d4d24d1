"""A source that cannot be recorded says so wherever the command line speaks of it."""

from __future__ import annotations

from typing import Any

import pytest

from smartbox_tui.commands.doctor import running
from smartbox_tui.commands.doctor.check import Context
from smartbox_tui.commands.output import source_text
from smartbox_tui.settings.paths import paths

WHY = "MPEG2 in DICOM has 25, 29.97, 30, 50, 59.94 or 60 frames a second; the source has 15"


def source(**values: Any) -> dict[str, Any]:
    return {"id": "endo", "signal": True, "signal_text": "Signal", "trouble": ""} | values


def test_the_line_of_a_source_says_why_it_cannot_be_recorded() -> None:
    assert source_text(source()) == "Signal"
    assert source_text(source(trouble=WHY)) == f"Signal; cannot be recorded: {WHY}"
    old = source()
    del old["trouble"]
    assert source_text(old) == "Signal"


@pytest.mark.parametrize(
    ("values", "good", "hint"),
    [
        ({}, True, "cable"),
        ({"trouble": WHY}, False, "codec"),
        ({"signal": False, "signal_text": "No signal"}, False, "cable"),
    ],
)
def test_doctor_names_it(values: dict[str, Any], good: bool, hint: str) -> None:
    context = Context(paths(None, None), engine={"sources": [source(**values)]})
    found = next(each for each in running.sources(context) if each.id == "source.endo")
    assert found.ok is good
    assert found.message == source_text(source(**values))
    assert hint in found.hint or good
