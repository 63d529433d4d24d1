"""The package on a bare Debian: installed, working, cut off its power in a recording, removed. In this order."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.appliance.grabber import DEVICE
from tests.appliance.looks import is_console
from tests.appliance.virtualbox import UNITS, VirtualBox
from tests.appliance.workplace import SETTINGS, settings
from tests.support.box import CtlError, until
from tests.support.orthanc import Orthanc

pytestmark = [pytest.mark.appliance, pytest.mark.timeout(1500)]

SOURCE = {"id": "endo", "kind": "v4l2", "device": DEVICE, "size": "320x180", "fps": 5, "preroll_s": 2}
SLOW_S = 300.0
"""For what takes seconds on a real box."""
PATIENT = {"id": "T-2001", "name": "Strom^Stefan", "birth_date": "1971-07-02", "sex": "M"}


def _active(box: VirtualBox) -> bool:
    states = box.ssh(f"systemctl is-active {' '.join(UNITS)} || true").split()
    return states == ["active"] * len(UNITS)


def _serves(box: VirtualBox) -> Any:
    try:
        return box.ctl("status")
    except CtlError:
        return None


def _source(box: VirtualBox) -> dict[str, Any]:
    try:
        sources: list[dict[str, Any]] = box.ctl("sources")["sources"]
    except CtlError:
        return {}
    return sources[0] if sources else {}


def _open_exam(box: VirtualBox) -> str:
    box.write("/run/patient.json", json.dumps(PATIENT))
    try:
        exam: str = box.ctl("exam", "open", "--patient-file", "/run/patient.json")["exam"]["id"]
    finally:
        box.ssh("rm /run/patient.json")
    return exam


def _stored(box: VirtualBox, exam: str, count: int) -> list[dict[str, Any]]:
    def all_stored() -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = box.ctl("exam", "show", exam)["deliveries"]
        assert not [row for row in rows if row["state"] == "blocked"], rows
        return rows if len(rows) == count and {row["state"] for row in rows} == {"stored"} else []

    return until(all_stored, SLOW_S, f"{count} stored deliveries")


def _outside(archive: Orthanc) -> list[str]:
    """The SOP Instance UIDs that the archive holds, sorted."""
    found = [archive.json(f"/instances/{one}/simplified-tags")["SOPInstanceUID"] for one in archive.instances()]
    return sorted(found)


def test_the_package_starts_all_of_the_box(machine: VirtualBox) -> None:
    until(lambda: _active(machine), SLOW_S, "the units")
    assert machine.ssh("systemctl --failed --plain --no-legend").strip() == ""
    assert machine.ssh("dpkg --audit").strip() == ""
    enabled = machine.ssh(f"systemctl is-enabled smartbox.target {' '.join(UNITS)}").split()
    assert enabled == ["enabled"] * 4
    assert machine.ssh("systemctl is-active getty@tty1.service || true").strip() == "inactive"
    assert machine.ssh("stat -c '%a %U:%G' /run/smartbox /run/smartbox/*.sock").splitlines() == [
        "750 smartbox:smartbox",
        "660 smartbox:smartbox",
        "660 smartbox:smartbox",
    ]


def test_without_settings_the_panel_says_what_is_missing(machine: VirtualBox, shots: Path) -> None:
    until(lambda: is_console(machine.screendump(shots / "first-start.png")), SLOW_S, "the console on tty1")

    def said() -> bool:
        text = "\n".join(machine.screen_text())
        return "KEINE BILDQUELLE" in text and "Kein Archiv eingerichtet" in text

    until(said, SLOW_S, "the console to say it")
    machine.screendump(shots / "first-start.png")


def test_who_is_in_the_group_uses_the_box(machine: VirtualBox) -> None:
    machine.ssh("useradd --groups smartbox nurse && useradd stranger")
    status = until(lambda: _serves(machine), SLOW_S, "the engine")
    as_nurse = machine.ssh("runuser -u nurse -- smartbox ctl status --json")
    assert json.loads(as_nurse)["version"] == status["version"]
    refused = machine.ssh("runuser -u stranger -- smartbox ctl status --json 2>&1; echo status $?")
    assert "status 3" in refused


def test_capture_delivers_from_the_grabber(machine: VirtualBox, outside: Orthanc) -> None:
    machine.write(SETTINGS, settings(outside, SOURCE))
    machine.ssh(f"systemctl restart --no-block {' '.join(UNITS)}")
    source = until(lambda: (found := _source(machine)).get("signal") and found, SLOW_S, "a picture from vivid")
    assert (source["width"], source["height"]) == (320, 180)
    capture = machine.unit("smartbox-capture.service", "NRestarts", "Nice", "OOMScoreAdjust")
    assert capture == {"NRestarts": "0", "Nice": "-10", "OOMScoreAdjust": "-900"}


def test_a_still_arrives_in_the_archive(machine: VirtualBox, outside: Orthanc) -> None:
    until(lambda: _serves(machine), SLOW_S, "the engine")
    before = _outside(outside)
    exam = _open_exam(machine)
    still = machine.ctl("still")["instance"]
    machine.ctl("exam", "close")
    _stored(machine, exam, 1)
    assert _outside(outside) == sorted([*before, still["sop_instance_uid"]])


def test_a_power_cut_in_a_recording_loses_nothing_that_was_promised(
    machine: VirtualBox, outside: Orthanc, shots: Path
) -> None:
    before = _outside(outside)
    exam = _open_exam(machine)
    still = machine.ctl("still")["instance"]["sop_instance_uid"]
    machine.ctl("record", "start")
    recording = until(
        lambda: (found := _source(machine).get("recording")) and found["seconds"] > 6 and found,
        SLOW_S,
        "six seconds of recording",
    )
    machine.cut_power()

    machine.power_on()
    until(lambda: is_console(machine.screendump(shots / "after-power-cut.png")), SLOW_S, "the console")
    console_s = time.monotonic() - machine.started_s
    machine.boot()
    until(lambda: _active(machine), SLOW_S, "the units")
    status = until(lambda: _serves(machine), SLOW_S, "the engine")
    _tell_boot(machine, console_s)
    assert status["exam"] is None
    assert status["suspended"]["id"] == exam
    until(lambda: "Strom, Stefan?" in "\n".join(machine.screen_text()), SLOW_S, "the panel to ask")
    machine.screendump(shots / "suspended.png")

    machine.ctl("exam", "resume", exam)
    machine.ctl("exam", "close")
    rows = _stored(machine, exam, 2)
    uids = sorted(row["sop_instance_uid"] for row in rows)
    assert still in uids
    assert _outside(outside) == sorted([*before, *uids])
    clip = machine.ctl("instance", "show", next(uid for uid in uids if uid != still))["instance"]
    print(f"recorded {recording['seconds']:.1f} s before the power went, kept {clip['duration_s']:.1f} s")
    assert clip["duration_s"] >= recording["seconds"] - 1.0


def _tell_boot(box: VirtualBox, console_s: float) -> None:
    """Prints what the start took; `make appliance` shows it."""
    print(f"\npower to console on the panel (virtual box): {console_s:.1f} s")
    print(box.ssh("systemd-analyze || true").strip())
    for name in UNITS:
        at = int(box.unit(name, "ActiveEnterTimestampMonotonic")["ActiveEnterTimestampMonotonic"]) / 1e6
        print(f"{name} active {at:.1f} s after the kernel's start")


def test_removal_keeps_the_pictures_and_gives_the_login_back(machine: VirtualBox) -> None:
    before = machine.ssh("find /var/lib/smartbox/spool -type f | wc -l")
    assert int(before) > 0
    machine.ssh("dpkg --remove smartbox", timeout_s=300)
    assert machine.ssh("find /var/lib/smartbox/spool -type f | wc -l") == before
    until(lambda: machine.ssh("systemctl is-active getty@tty1 || true").strip() == "active", SLOW_S, "the login")
    purged = machine.ssh("dpkg --purge smartbox 2>&1", timeout_s=120)
    assert "left alone" in purged
    assert machine.ssh("find /var/lib/smartbox/spool -type f | wc -l") == before
