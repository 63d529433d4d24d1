"""An engineer at the box: what `doctor` says of it, what the service report holds, a mistake in the settings."""

from __future__ import annotations

import contextlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.appliance.cells import SLOW_S
from tests.appliance.finger import Finger
from tests.appliance.grabber import DEVICE, WEBCAM, Grabber, at_rest
from tests.appliance.virtualbox import UNITS, VirtualBox
from tests.appliance.workplace import SETTINGS, Workplace
from tests.support.box import until
from tests.support.orthanc import Orthanc

pytestmark = [pytest.mark.appliance, pytest.mark.timeout(3000)]

SOURCE = {"id": "endo", "kind": "v4l2", "device": DEVICE, "size": "320x180", "fps": 5, "preroll_s": 0}
RIGHT = (
    "settings", "sqlite", "disk.mount", "source.endo", "panel.console", "panel.font", "panel.framebuffer",
    "panel.touch", "network.port", "destination.archive", "queue",
)  # fmt: skip
"""What must be right in a virtual box as well."""
SLOW = ("encoder", "encoding", "rates", "disk.s", "load", "memory", "alarm.", "clock", "service.errors")
"""How these begin what an emulated machine, or one on which things were broken on purpose, may fail at."""


@pytest.fixture(scope="module")
def grabber(machine: VirtualBox) -> Iterator[Grabber]:
    with at_rest(machine) as made:
        yield made


@pytest.fixture(scope="module")
def place(grabber: Grabber, machine: VirtualBox, outside: Orthanc) -> Iterator[Workplace]:
    grabber.choose(WEBCAM)
    made = Workplace(machine, outside)
    made.configure(SOURCE)
    made.wait_state("ok")
    Finger(machine).screen("P H O T O", "● Signal", without=("does not answer",))
    yield made
    made.leave()


def _words(check: dict[str, Any]) -> str:
    return f"{check['id']}: {check['ok']}: {check['message']} [{check['hint']}]"


def test_doctor_looks_at_the_whole_box(place: Workplace) -> None:
    told = json.loads(place.box.ssh("smartbox doctor --json || true", timeout_s=SLOW_S))["checks"]
    print("", *map(_words, told), sep="\n")
    checks = {check["id"]: check for check in told}
    assert not [name for name in RIGHT if name not in checks]
    assert not [_words(checks[name]) for name in RIGHT if checks[name]["ok"] is not True]
    failed = [check for check in told if check["ok"] is False]
    assert not [_words(check) for check in failed if not check["id"].startswith(SLOW)]
    assert not [_words(check) for check in failed if not check["hint"] and not check["id"].startswith("alarm.")]
    plain = place.box.ssh("smartbox doctor || true", timeout_s=SLOW_S)
    assert all(check["id"] in plain for check in told if not check["id"].startswith("alarm."))


def test_the_service_report_is_without_patients(place: Workplace) -> None:
    exam = place.open_exam("S-4711", "Verborgen^Vera")
    place.box.ctl("still")
    place.close_exam(exam, 1)
    place.box.ssh("smartbox doctor --bundle /root/report.tar.gz || true", timeout_s=SLOW_S)
    with tarfile.open(fileobj=io.BytesIO(place.box.fetch("/root/report.tar.gz"))) as report:
        members = {entry.name: file.read() for entry in report if (file := report.extractfile(entry)) is not None}
    place.box.ssh("rm /root/report.tar.gz")
    print("", *(f"{len(data):9} {name}" for name, data in sorted(members.items())), sep="\n")
    assert json.loads(next(data for name, data in members.items() if name.endswith("doctor.json")))["checks"]
    for name, data in members.items():
        for needle in ("Verborgen", "Vera", "S-4711", "1980-02-29"):
            assert needle.encode() not in data, f"{needle} in {name}"
            assert needle not in name


@contextlib.contextmanager
def slip(box: VirtualBox) -> Iterator[None]:
    """A quotation mark is missing in line 3 of the settings."""
    good = box.ssh(f"cat {SETTINGS}")
    box.write(SETTINGS, good.replace('station_name = "VIRTUAL"', 'station_name = "VIRTUAL'))
    try:
        yield
    finally:
        box.write(SETTINGS, good)


def test_a_slip_in_the_settings_takes_no_pictures_from_anybody(place: Workplace, shots: Path) -> None:
    """Started anew, the box works with what the file said before: a picture arrives where it went before."""
    box = place.box
    finger = Finger(box)
    with slip(box):
        box.ssh(f"systemctl restart {' '.join(UNITS)}", timeout_s=SLOW_S)
        finger.screen("P H O T O", "● Signal", "NO PATIENT", without=("does not answer", "cannot be read"))
        exam = place.open_exam("S-4713", "Weiter^Wilma")
        box.ctl("still")
        place.close_exam(exam, 1)
        alarm = next(item for item in box.ctl("status")["alarms"] if item["code"] == "settings-file")
        assert "line 3" in alarm["message"]
        finger.tap("Status")
        finger.screen("The settings file cannot be read")
        box.screendump(shots / "settings-kept.png")
        finger.tap("Back")
        assert "line 3" in box.ssh("journalctl -b --unit smartbox-engine --grep 'settings file' --no-pager")


def test_settings_that_cannot_be_read_are_said_and_mended(place: Workplace, shots: Path) -> None:
    """On a box that has kept none: nothing is started again and again, the panel says it in both languages, and all
    goes on by itself."""
    box = place.box
    finger = Finger(box)
    with slip(box):
        box.ssh("rm /var/lib/smartbox/settings/last-good.toml")
        box.ssh(f"systemctl restart --no-block {' '.join(UNITS)}")
        there = finger.screen("The settings of the box cannot be read.", "No pictures can be taken.", "line 3")
        assert there.shows("Die Einstellungen der Box")
        box.screendump(shots / "settings-unreadable.png")
        for unit in UNITS[:2]:
            until(
                lambda unit=unit: "waits" in box.unit(unit, "StatusText")["StatusText"], SLOW_S, f"{unit} to wait"
            )
        before = [box.unit(unit, "NRestarts", "MainPID") for unit in UNITS]
        finger.screen("The settings of the box cannot be read.")
        assert [box.unit(unit, "NRestarts", "MainPID") for unit in UNITS] == before
        told = json.loads(box.ssh("smartbox doctor --json || true", timeout_s=SLOW_S))["checks"]
        wrong = next(check for check in told if check["id"] == "settings")
        assert (wrong["ok"], "line 3" in wrong["message"]) == (False, True), wrong
    finger.screen("P H O T O", "● Signal", "NO PATIENT", without=("does not answer", "cannot be read"))
    box.screendump(shots / "settings-mended.png")
    exam = place.open_exam("S-4712", "Wieder^Willi")
    box.ctl("still")
    place.close_exam(exam, 1)
