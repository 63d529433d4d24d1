"""Power cuts in a transfer, a start without a network and without the time, an upgrade in a recording.

In this order, on one box. What the panel showed at the start without a network lies beside the other pictures.
"""

from __future__ import annotations

import py_compile
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from smartbox_tui import __version__
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.wire import client
from tests.appliance import onboot
from tests.appliance.grabber import DEVICE, WEBCAM, Grabber
from tests.appliance.looks import is_console
from tests.appliance.virtualbox import UNITS, VirtualBox
from tests.appliance.workplace import SETTINGS, Workplace
from tests.support.box import until
from tests.support.orthanc import Orthanc
from tests.support.relay import Relay

pytestmark = [pytest.mark.appliance, pytest.mark.timeout(6000)]

SLOW_S = 900.0
"""For what takes seconds on a real box, on a machine that runs other things, too."""
NOISE = 21
"""Of vivid's test patterns: nothing of it can be compressed, so pictures are large."""
SOURCE = {"id": "endo", "kind": "v4l2", "device": DEVICE, "size": "320x180", "fps": 5, "preroll_s": 1}
STILLS = 8
SLOW_LINK = 12_000
"""Bytes a second: a picture takes seconds."""
FAST_LINK = 100_000_000
SHARE = 20_000
"""Of an object's bytes: so many beyond its first are its middle."""

PROGRAM = f"usr/lib/smartbox/lib/python3.{sys.version_info.minor}/site-packages/smartbox_tui"
NEWER = "0.1.0+test1"


@pytest.fixture(scope="module")
def link(outside: Orthanc) -> Iterator[Relay]:
    """The network between box and archive."""
    with Relay(outside.port, FAST_LINK) as relay:
        yield relay


@pytest.fixture(scope="module")
def place(machine: VirtualBox, outside: Orthanc, link: Relay) -> Iterator[Workplace]:
    grabber = Grabber(machine)
    made = Workplace(machine, replace(outside, port=link.port))
    grabber.choose(WEBCAM)
    made.configure(SOURCE)
    yield made
    grabber.set(test_pattern=0)
    made.leave()


def _status(place: Workplace) -> Any:
    """None while the engine starts."""
    try:
        return place.box.ask("engine", "/v1/status")
    except SmartBoxError:
        return None


def _do(place: Workplace, process: str, kind: str, **fields: Any) -> Any:
    """A command through SSH straight to the socket, as `ctl` sends it."""
    place.box.ask(process, "/v1/status")
    command = {"type": kind, "id": str(uuid4()), **fields}
    return client.command(place.box.folder / f"{process}.sock", command, SLOW_S)


def _still(place: Workplace) -> str:
    uid: str = _do(place, "capture", "still")["instance"]["sop_instance_uid"]
    return uid


def _close(place: Workplace) -> None:
    _do(place, "engine", "exam-close")


def _states(place: Workplace, exam: str) -> dict[str, dict[str, Any]]:
    """The deliveries of an exam by SOP Instance UID; none while the engine starts."""
    try:
        rows: list[dict[str, Any]] = place.box.ask("engine", f"/v1/exams/{exam}")["deliveries"]
    except SmartBoxError:
        return {}
    return {row["sop_instance_uid"]: row for row in rows}


def _not_there(rows: dict[str, dict[str, Any]], arrived: list[str]) -> set[str]:
    """What is called stored and is not in the archive."""
    return {uid for uid, row in rows.items() if row["state"] in ("stored", "committed")} - set(arrived)


def _all_stored(place: Workplace, exam: str, wanted: set[str]) -> None:
    def stored() -> bool:
        rows = _states(place, exam)
        assert not [row for row in rows.values() if row["state"] == "blocked"], rows
        return set(rows) == wanted and {row["state"] for row in rows.values()} == {"stored"}

    until(stored, SLOW_S, f"{len(wanted)} stored deliveries")


def _in_the_middle(place: Workplace, link: Relay) -> list[str]:
    """Stops the link in the middle of an object: as much as SHARE of it has gone, and it is not in the archive.
    What is there then."""

    def there() -> list[str]:
        arrived, passed = place.arrived(), link.passed
        until(lambda: link.passed - passed > SHARE, SLOW_S, "more on the wire")
        link.stall(True)
        if place.arrived() == arrived:
            return arrived
        link.stall(False)
        return []

    return until(there, SLOW_S, "an object on the wire")


def _up(place: Workplace) -> None:
    """Waits until what takes and sends pictures is there again."""
    box = place.box
    box.boot(SLOW_S)
    ask = f"systemctl is-active {' '.join(UNITS[:2])} || true"
    until(lambda: box.ssh(ask).split() == ["active"] * 2, SLOW_S, "the units")


def test_a_power_cut_in_a_transfer_neither_loses_nor_doubles(place: Workplace, link: Relay) -> None:
    box = place.box
    Grabber(box).set(test_pattern=NOISE)
    place.wait_state("ok")
    before = place.arrived()
    exam = place.open_exam("T-3001", "Leitung^Lena")
    stills = [_still(place) for _ in range(STILLS)]
    _do(place, "capture", "record-start")
    place.wait_recorded(5)
    (clip,) = _do(place, "capture", "record-stop")["instances"]
    wanted = {clip["sop_instance_uid"], *stills}
    assert len(wanted) == STILLS + 1

    link.bytes_per_s = SLOW_LINK
    _close(place)
    rows = until(lambda: found if len(found := _states(place, exam)) == len(wanted) else {}, SLOW_S, "the rows")
    assert min(row["bytes"] for row in rows.values()) > 2 * SHARE, "there is no middle to be cut in"
    until(lambda: len(set(place.arrived()) & wanted) >= 3, SLOW_S, "three in the archive")
    on_the_wire = _in_the_middle(place, link)
    rows = _states(place, exam)  # nothing moves meanwhile
    arrived = place.arrived()
    box.cut_power()
    link.cut()
    link.stall(False)
    assert on_the_wire == arrived
    assert 3 <= len(set(arrived) & wanted) < len(wanted)
    assert not _not_there(rows, arrived)
    told = sum(row["state"] == "stored" for row in rows.values())
    print(
        f"\ncut in an object, {len(set(arrived) & wanted)} of {len(wanted)} in the archive, {told} told as stored"
    )

    link.bytes_per_s = FAST_LINK
    box.power_on()
    _up(place)
    status = until(lambda: _status(place), SLOW_S, "the engine")
    assert (status["exam"], status["suspended"]) == (None, None)  # it was closed
    _all_stored(place, exam, wanted)
    assert place.arrived() == sorted([*before, *wanted])
    assert len(place.pictures(clip["sop_instance_uid"])) == clip["frames"]


def test_a_power_cut_before_the_archives_answer_comes_through(place: Workplace, link: Relay) -> None:
    """The archive has it, the box has not heard so: it is sent again, and is there once."""
    box = place.box
    place.wait_state("ok")
    before = place.arrived()
    exam = place.open_exam("T-3002", "Antwort^Anton")
    wanted = {_still(place), _still(place)}
    link.hold_answers(True)
    _close(place)
    until(lambda: wanted & set(place.arrived()), SLOW_S, "a picture in the archive")
    rows = _states(place, exam)
    assert {row["state"] for row in rows.values()} <= {"queued", "sending", "waiting"}, rows
    box.cut_power()
    link.hold_answers(False)

    box.power_on()
    _up(place)
    _all_stored(place, exam, wanted)
    assert place.arrived() == sorted([*before, *wanted])


def test_pictures_are_taken_before_the_network_and_the_clock_are_there(place: Workplace, shots: Path) -> None:
    box = place.box
    box.ssh(f"sed -i 's/^wait_s = 0/wait_s = 36000/' {SETTINGS}")
    Grabber(box).set(test_pattern=0)
    before = place.arrived()
    onboot.install(box, {"id": "T-3003", "name": "Früh^Frieda", "birth_date": "1980-02-29", "sex": "F"})
    try:
        box.power_off(SLOW_S)
        box.power_on()
        box.qmp.command("set_link", name="net", up=False)
        until(lambda: is_console(box.screendump(shots / "no-network.png")), SLOW_S, "the console")
        console_s = time.monotonic() - box.started_s
        until(lambda: onboot.done(box), 2 * SLOW_S, "a picture without a network")
        box.screendump(shots / "no-network.png")
        taken_s = time.monotonic() - box.started_s
        print(f"\nwithout a network: console {console_s:.1f} s, exam and picture {taken_s:.1f} s after power-on")
        assert place.arrived() == before

        box.qmp.command("set_link", name="net", up=True)
        box.boot(SLOW_S)
        told = onboot.told(box)
    finally:
        onboot.remove(box)
    assert told.carrier == "0"
    assert told.addresses == ""
    assert told.status["clock"] == "unsure"
    assert "The clock is not yet sure" in told.screen
    still = told.still["instance"]["sop_instance_uid"]
    exam = told.still["instance"]["exam"]

    onboot.synchronise(box)
    until(lambda: (found := _status(place)) and found["clock"] == "trusted", SLOW_S, "the clock")
    _all_stored(place, exam, {still})
    assert place.arrived() == sorted([*before, still])
    assert "The clock is not yet sure" not in "\n".join(box.screen_text())
    box.ssh(f"sed -i 's/^wait_s = 36000/wait_s = 0/' {SETTINGS}")


def test_an_upgrade_in_a_recording_closes_and_keeps_it(place: Workplace, package: Path, tmp_path: Path) -> None:
    box = place.box
    box.put(repacked(package, tmp_path, NEWER), "/root/newer.deb", timeout_s=SLOW_S)
    settings = box.ssh(f"cat {SETTINGS}; stat -c '%a %U:%G' {SETTINGS}")
    place.wait_state("ok")
    before = place.arrived()
    spool = _pictures(box)
    exam = place.open_exam("T-3004", "Neu^Nadja")
    still = _still(place)
    _do(place, "capture", "record-start")
    place.wait_recorded(5)
    recorded = place.source()["recording"]["seconds"]
    begun = time.monotonic()
    box.ssh("dpkg --install /root/newer.deb && rm /root/newer.deb", timeout_s=900)
    took = time.monotonic() - begun
    _up(place)
    status = until(lambda: _status(place), SLOW_S, "the engine")
    print(f"\nupgrade: {took:.0f} s for dpkg, {time.monotonic() - begun:.0f} s until the box serves again")
    assert box.ssh("dpkg-query -W -f '${Version}' smartbox") == NEWER
    assert status["version"] == NEWER
    assert status["exam"]["id"] == exam  # the machine did not go down: the patient is still the one
    assert box.ssh(f"cat {SETTINGS}; stat -c '%a %U:%G' {SETTINGS}") == settings
    assert box.ssh("systemctl --failed --plain --no-legend").strip() == ""
    source = place.wait_state("ok")
    assert source["recording"] is None
    _close(place)
    rows = until(lambda: rows if len(rows := _states(place, exam)) == 2 else {}, SLOW_S, "two deliveries")
    (clip,) = set(rows) - {still}
    _all_stored(place, exam, {still, clip})
    assert place.arrived() == sorted([*before, still, clip])
    told = box.ask("engine", f"/v1/instances/{clip}")["instance"]
    print(f"recorded at least {recorded:.1f} s before the upgrade, kept {told['duration_s']:.1f} s")
    assert told["duration_s"] >= recorded
    assert len(place.pictures(clip)) == told["frames"]
    assert _pictures(box) >= spool


def test_back_to_the_version_before_destroys_nothing(place: Workplace, package: Path) -> None:
    box = place.box
    before, spool = place.arrived(), _pictures(box)
    settings = box.ssh(f"cat {SETTINGS}")
    listed = [each["id"] for each in box.ask("engine", "/v1/exams")["exams"]]
    box.put(package, "/root/older.deb", timeout_s=SLOW_S)
    box.ssh("dpkg --install /root/older.deb && rm /root/older.deb", timeout_s=900)
    _up(place)
    status = until(lambda: _status(place), SLOW_S, "the engine")
    assert status["version"] == __version__
    assert [each["id"] for each in box.ask("engine", "/v1/exams")["exams"]] == listed
    assert box.ssh(f"cat {SETTINGS}") == settings
    assert _pictures(box) == spool
    place.wait_state("ok")
    exam = place.open_exam("T-3005", "Zurück^Zoe")
    still = _still(place)
    _close(place)
    _all_stored(place, exam, {still})
    assert place.arrived() == sorted([*before, still])


def _pictures(box: VirtualBox) -> set[str]:
    """The bitstreams in the spool, each with its bytes."""
    found = "find /var/lib/smartbox/spool -name '*.jpg' -printf '%p %s\\n' -o -name '*.ts' -printf '%p %s\\n'"
    return set(box.ssh(found).splitlines())


def repacked(package: Path, folder: Path, version: str) -> Path:
    """The same package under another version, which the program says, too."""
    root = folder / "root"
    field = ("dpkg-deb", "--field", str(package), "Version")
    was = subprocess.run(field, check=True, capture_output=True, text=True).stdout.strip()
    subprocess.run(["dpkg-deb", "--raw-extract", str(package), str(root)], check=True)
    for path in (root / "DEBIAN/control", root / PROGRAM / "__init__.py"):
        path.write_text(path.read_text(encoding="utf-8").replace(was, version), encoding="utf-8")
    module = root / PROGRAM / "__init__.py"
    compiled = module.parent / f"__pycache__/__init__.{sys.implementation.cache_tag}.pyc"
    py_compile.compile(str(module), str(compiled), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    made = folder / f"smartbox_{version}.deb"
    build = ("dpkg-deb", "--root-owner-group", "-Zzstd", "-z3", "--build", str(root), str(made))
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    return made
