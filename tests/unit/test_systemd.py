"""The units of systemd/: systemd itself says whether they are right, and how far they are closed."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

SYSTEMD = Path(__file__).parents[2] / "systemd"
UNITS = ("smartbox.target", "smartbox-capture.service", "smartbox-engine.service", "smartbox-console@.service")
EXPOSURE = {"smartbox-capture.service": 2.2, "smartbox-engine.service": 2.4, "smartbox-console@tty1.service": 2.0}
"""systemd-analyze's own figure, 0 closed to 10 open; what devices and networks cost is in it."""

needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze")


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units as they lie on a box, with a program in the place of ours that every machine has."""
    for name in UNITS:
        text = (SYSTEMD / name).read_text().replace("/usr/bin/smartbox", "/bin/true")
        (tmp_path / name).write_text(text)
    (tmp_path / "smartbox-console@tty1.service").write_text((tmp_path / "smartbox-console@.service").read_text())
    return tmp_path


def _analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


@needs_systemd
@pytest.mark.parametrize("name", [*UNITS[:3], "smartbox-console@tty1.service"])
def test_systemd_understands_every_line(installed: Path, name: str) -> None:
    done = _analyze("verify", "--man=no", str(installed / name))
    said = [line for line in (done.stdout + done.stderr).splitlines() if "smartbox" in line]
    assert done.returncode == 0
    assert said == []


@needs_systemd
def test_a_wrong_line_would_be_told(installed: Path) -> None:
    unit = installed / "smartbox-engine.service"
    unit.write_text(unit.read_text().replace("UMask=0027", "UMask=0027\nNoSuchThing=yes"))
    assert "NoSuchThing" in _analyze("verify", "--man=no", str(unit)).stderr


@needs_systemd
@pytest.mark.parametrize(("name", "limit"), EXPOSURE.items())
def test_units_are_as_closed_as_devices_allow(installed: Path, name: str, limit: float) -> None:
    done = _analyze("security", "--offline=true", "--no-pager", str(installed / name))
    found = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    assert found, done.stderr
    assert float(found[1]) <= limit, done.stdout


def _unit(name: str) -> dict[str, list[str]]:
    """All assignments of a unit, whatever their section."""
    found: dict[str, list[str]] = {}
    for line in (SYSTEMD / name).read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


@pytest.mark.parametrize("name", UNITS[1:])
def test_processes_always_come_back_and_leave_no_memory_on_the_disk(name: str) -> None:
    unit = _unit(name)
    assert unit["Restart"] == ["always"]
    assert unit["StartLimitIntervalSec"] == ["0"]
    assert unit["LimitCORE"] == ["0"]  # a core holds patients
    assert unit["User"] == ["smartbox"]
    assert unit["NoNewPrivileges"] == ["yes"]


@pytest.mark.parametrize("name", UNITS)
def test_nothing_waits_for_the_network(name: str) -> None:
    waits = " ".join(value for key in ("After", "Wants", "Requires") for value in _unit(name).get(key, []))
    assert "network" not in waits
    assert "udev-settle" not in waits


def test_capture_waits_for_no_other_process_of_ours() -> None:
    assert "smartbox" not in " ".join(_unit("smartbox-capture.service").get("After", []))
    assert "smartbox" not in " ".join(_unit("smartbox-console@.service").get("After", []))


def test_a_recording_goes_on_by_itself_only_within_five_seconds() -> None:
    assert _unit("smartbox-capture.service")["RestartSec"] == ["500ms"]


def test_devices_that_come_later_are_allowed_by_number() -> None:
    """A name is looked up in /proc/devices when the unit starts: the module of a USB adapter is not there yet."""
    allowed = _unit("smartbox-capture.service")["DeviceAllow"]
    for number in (81, 13, 4, 166, 188):
        assert f"char-{number} rw" in allowed


@pytest.mark.parametrize("path", sorted(SYSTEMD.glob("*.conf")), ids=lambda path: path.name)
def test_drop_ins_say_what_they_are_for(path: Path) -> None:
    assert path.read_text().startswith("# ")
    if path.name in ("journald.conf", "manager.conf", "getty.conf"):
        parser = configparser.ConfigParser(interpolation=None)
        parser.read(path)
        assert parser.sections()


@pytest.mark.parametrize("name", ["capture", "engine", "console@"])
def test_a_slow_start_is_not_begun_anew(name: str) -> None:
    assert "TimeoutStartSec=10min" in (SYSTEMD / f"smartbox-{name}.service").read_text()
