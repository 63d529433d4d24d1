"""The contract suites of the hardware room on the box's own devices: what fakes play elsewhere is real here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.appliance.carried import PASSED, Carried
from tests.appliance.virtualbox import UNITS, VirtualBox

pytestmark = [pytest.mark.appliance, pytest.mark.timeout(3000)]


@pytest.fixture(scope="module")
def carried(machine: VirtualBox) -> Iterator[Carried]:
    """With the box's own processes away: they take a new touch panel, grabber or pedal for themselves."""
    machine.ssh(f"systemctl stop {' '.join(UNITS)}")
    made = Carried(machine)
    yield made
    made.end()
    machine.ssh(f"systemctl start --no-block {' '.join(UNITS)}")


def _ran(found: dict[str, str], file: str, parameter: str, *may_skip: str) -> int:
    """How many tests of a file with that parameter passed on the real device. Each has, but those that may skip."""
    here = {name: outcome for name, outcome in found.items() if name.startswith(file) and f"[{parameter}]" in name}
    assert here, f"no {parameter} in {file}"
    amiss = {name: outcome for name, outcome in here.items() if outcome != PASSED}
    unexpected = {name: outcome for name, outcome in amiss.items() if not name.split("::")[1].startswith(may_skip)}
    assert not unexpected, unexpected
    assert all(outcome.startswith("skipped: ") for outcome in amiss.values()), amiss
    print(f"{file} [{parameter}] on the real device: {', '.join(sorted(here.keys() - amiss.keys()))}")
    return len(here) - len(amiss)


@pytest.mark.parametrize("kind", ["webcam", "hdmi"])
def test_a_grabber(carried: Carried, kind: str) -> None:
    found = carried.run("tests/contract/test_video_source.py", "-k", f"vivid-{kind}")
    # vivid shows no strip to read a number from
    assert _ran(found, "test_video_source", f"vivid-{kind}", "test_the_size_that_was_asked_for") >= 10


def test_a_touch_panel(carried: Carried) -> None:
    found = carried.run("tests/contract/test_touch_source.py", "-k", "uinput")
    assert _ran(found, "test_touch_source", "slots-uinput") >= 15
    assert _ran(found, "test_touch_source", "pointer-uinput", "test_only_the_first_finger") >= 14


def test_pedals(carried: Carried) -> None:
    found = carried.run("tests/contract/test_pedal_source.py", "-k", "uinput or pty")
    assert _ran(found, "test_pedal_source", "evdev-uinput") >= 8
    assert _ran(found, "test_pedal_source", "serial-bytes-pty") >= 8


def test_a_scanner(carried: Carried) -> None:
    found = carried.run("tests/contract/test_code_source.py", "-k", "uinput")
    assert _ran(found, "test_code_source", "wedge-uinput") >= 6


def test_the_framebuffer(carried: Carried) -> None:
    found = carried.run("tests/contract/test_framebuffer.py", "-k", "real")
    assert _ran(found, "test_framebuffer", "real") >= 4


def test_the_console(carried: Carried) -> None:
    """Fonts and signs on a kernel console, in every size of the box's font."""
    found = carried.run("tests/unit/test_hw_font.py", "tests/unit/test_hw_vt.py", "-k", "real")
    for size in ("8x16", "12x24", "16x32"):
        assert _ran(found, "test_hw_font", size) >= 2
    assert found["test_hw_vt::test_a_real_virtual_terminal"] == PASSED
