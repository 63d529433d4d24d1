"""Who is at the box: its own screen, and an engineer over SSH, whom the screen names until he has left."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.errors import SmartBoxError
from tests.appliance.cells import SLOW_S
from tests.appliance.finger import Finger
from tests.appliance.virtualbox import VirtualBox
from tests.appliance.workplace import Workplace
from tests.support.box import until
from tests.support.orthanc import Orthanc

pytestmark = [pytest.mark.appliance, pytest.mark.timeout(3000)]

ENGINEER = "anna"


@pytest.fixture(scope="module")
def finger(machine: VirtualBox, outside: Orthanc) -> Iterator[Finger]:
    work = Workplace(machine, outside)
    try:
        work.configure({"id": "endo", "kind": "pattern", "size": "320x180", "fps": 2, "preroll_s": 0})
        machine.ssh(
            f"useradd -m -s /bin/bash -G smartbox,smartbox-service {ENGINEER} && "
            f"install -d -o {ENGINEER} -m 700 ~{ENGINEER}/.ssh && "
            f"install -o {ENGINEER} -m 600 /root/.ssh/authorized_keys ~{ENGINEER}/.ssh/authorized_keys"
        )
        made = Finger(machine)
        made.screen("P H O T O", "● Signal", without=("does not answer",))
        yield made
    finally:
        machine.ssh(f"userdel -rf {ENGINEER} 2>/dev/null || true")
        work.leave()


def _sessions(box: VirtualBox) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = box.ask("engine", "/v1/status")["sessions"]
    except SmartBoxError:
        return []
    return found


@contextlib.contextmanager
def _over_ssh(box: VirtualBox) -> Iterator[subprocess.Popen[bytes]]:
    """`ssh -tt box smartbox console` at a terminal of its own of 80 x 24."""
    ours, theirs = pty.openpty()
    options = ("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR")
    command = ["ssh", "-tt", *options, "-i", str(box.image / "id"), "-p", str(box.port)]
    process = subprocess.Popen(
        [*command, f"{ENGINEER}@127.0.0.1", "stty cols 80 rows 24; smartbox console"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color"},
        start_new_session=True,
    )
    os.close(theirs)
    drain = subprocess.Popen(["cat"], stdin=ours, stdout=subprocess.DEVNULL)  # or the console's output would stand
    try:
        yield process
    finally:
        process.terminate()  # not SIGHUP: that is ignored by all that a nohup has started
        try:
            process.wait(60)
        finally:
            drain.kill()
            drain.wait()
            os.close(ours)


def test_the_panel_is_at_the_panel(machine: VirtualBox, finger: Finger) -> None:
    sessions = until(lambda: _sessions(machine), SLOW_S, "the panel's own session")
    assert [(each["user"], each["terminal"], each["visiting"]) for each in sessions] == [
        ("smartbox", "panel", False)
    ]


def test_service_over_ssh_is_shown_on_the_panel(machine: VirtualBox, finger: Finger, shots: Path) -> None:
    with _over_ssh(machine) as process:
        there = finger.screen(f"Service is connected: {ENGINEER}, since ")
        machine.screendump(shots / "sessions-service.png")
        assert process.poll() is None
        assert there.shows("P H O T O"), "nobody is kept from working"
        told = {(each["user"], each["terminal"], each["role"], each["visiting"]) for each in _sessions(machine)}
        assert (ENGINEER, "ssh", "service", True) in told
        finger.tap("Status")
        finger.screen("Consoles", "at the panel", "over SSH")
        machine.screendump(shots / "sessions-status.png")
        finger.tap("Back")
    finger.screen("P H O T O", without=("Service is connected",))
    assert [each["terminal"] for each in _sessions(machine)] == ["panel"]
