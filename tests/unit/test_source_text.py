"""A source that cannot be recorded says so wherever the command line speaks of it."""

from __future__ import annotations

from typing import Any

import pytest

from smartbox_tui.commands import ctl_source
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


def test_controls_and_formats_of_a_grabber_are_listed() -> None:
    control = {"name": "gain", "kind": "number", "value": 4, "minimum": 0, "maximum": 8, "step": 2, "default": 0}
    told = {
        "warning": "there is no control sharpnes. ",
        "controls": [
            {**control, "choices": [], "writable": False},
            {**control, "name": "line", "step": 1, "choices": [{"value": 2, "name": "60 Hz"}], "writable": True},
        ],
        "device": "/dev/video0", "name": "Fake", "driver": "uvc", "key": "usb-0:2", "serial": "7",
        "input": "Camera", "inputs": ["Camera"], "signal_state": "ok", "signal_facts": "",
        "formats": [
            {"code": "MJPG", "format": "mjpeg", "sizes": [{"width": 640, "height": 480, "rates": [30.0, 29.97]}]},
            {"code": "GREY", "format": None, "sizes": []},
        ],
    }  # fmt: skip
    controls, formats = ctl_source.controls_text(told), ctl_source.formats_text(told)
    assert "0 to 8, step 2" in controls
    assert "ruled by another control" in controls
    assert "2 = 60 Hz" in controls
    assert controls.rstrip().endswith("no control sharpnes.")
    assert "usb-0:2" in formats
    assert "mjpeg" in formats
    assert "30 29.97" in formats
    assert "not usable" in formats
    assert ctl_source.formats_text({"controls": []}) == "This source is no grabber."
