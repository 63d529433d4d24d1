"""Foot pedals on the box's own USB: a HID one, one of serial bytes, a contact between modem lines; pressed, held,
jammed, pulled, and with the engine away. The trigger's time is the kernel's."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from smartbox_tui.errors import SmartBoxError
from tests.appliance.carried import PASSED, Carried
from tests.appliance.cells import SLOW_S
from tests.appliance.finger import Finger
from tests.appliance.gadgets import KEY_E, KEY_N, KEYBOARD, Gadgets, Span, keys, sleep
from tests.appliance.virtualbox import VirtualBox
from tests.appliance.workplace import Workplace
from tests.support.box import until
from tests.support.orthanc import Orthanc

pytestmark = [pytest.mark.appliance, pytest.mark.timeout(3000)]

HID, BYTES, LINE, FOREIGN = range(4)
"""The ports. What is foreign stands in no setting: a keyboard."""
PEDALS = f"""
[[pedals]]
id = "left"
kind = "evdev"
device = "{Gadgets.port(HID)}#49"
short = "still"
long = "record"
double = "mark"
[[pedals]]
id = "bytes"
kind = "serial-bytes"
device = "{Gadgets.port(BYTES)}?press=024403&release=025503"
short = "still"
long = "none"
double = "none"
[[pedals]]
id = "contact"
kind = "serial-line"
device = "{Gadgets.port(LINE)}?line=dsr"
short = "still"
long = "none"
double = "none"
"""
SHORT = (keys(HID), keys(HID, KEY_N), sleep(0.1), keys(HID))
"""The first finds the way: what follows must be quick."""
LONG = (keys(HID), keys(HID, KEY_N), sleep(1.0), keys(HID))
DOUBLE = tuple(sleep(0.05) if step[0] == "sleep" else step for step in (*SHORT, sleep(0.05), *SHORT))


class Feet:
    """What the tests of this file use."""

    def __init__(self, box: VirtualBox, work: Workplace, gadgets: Gadgets) -> None:
        self.box, self.work, self.gadgets = box, work, gadgets
        self.exam = ""
        self.taken: list[dict[str, Any]] = []

    def pedals(self) -> dict[str, str]:
        """The state of each."""
        return {each["id"]: each["state"] for each in self._status().get("pedals", ())}

    def alarms(self) -> set[str]:
        return {each["code"] for each in self._status().get("alarms", ())}

    def _status(self) -> Any:
        try:
            return self.box.ask("engine", "/v1/status")
        except SmartBoxError:
            return {}

    def wait(self, **states: str) -> None:
        def so() -> bool:
            now = self.pedals()
            return {name: now.get(name) for name in states} == states

        until(so, SLOW_S, f"the pedals to be {states}")

    def new(self, count: int = 1, kind: str = "still") -> list[dict[str, Any]]:
        """What has come to the exam since the last look, once it is so many; and no more than that."""

        def there() -> list[dict[str, Any]]:
            known = {each["sop_instance_uid"] for each in self.taken}
            every = self.box.ask("engine", f"/v1/exams/{self.exam}")["instances"]
            found = [each for each in every if each["sop_instance_uid"] not in known]
            return found if len(found) >= count else []

        found = until(there, SLOW_S, f"{count} of {kind}")
        assert [each["kind"] for each in found] == [kind] * count, found
        self.taken += found
        return found


@pytest.fixture(scope="module")
def feet(machine: VirtualBox, outside: Orthanc) -> Iterator[Feet]:
    work = Workplace(machine, outside)
    gadgets = Gadgets(machine)
    try:
        gadgets.run(
            ("make", HID, "hid", KEYBOARD),
            ("make", BYTES, "acm"),
            ("make", LINE, "acm"),
            ("make", FOREIGN, "hid", KEYBOARD),
            *(("plug", port) for port in (HID, BYTES, LINE, FOREIGN)),
        )
        until(lambda: machine.ssh("ls /dev/ttyACM* | wc -l").strip() == "2", SLOW_S, "the serial adapters")
        work.configure({"id": "endo", "kind": "pattern", "size": "320x180", "fps": 2, "preroll_s": 0}, more=PEDALS)
        made = Feet(machine, work, gadgets)
        made.wait(left="ok", bytes="ok", contact="ok")
        made.exam = work.open_exam("P-31", "Pedal^Paula")
        yield made
    finally:
        gadgets.end()
        work.leave()


def _at_the_press(taken: dict[str, Any], press: Span, release: Span) -> None:
    """The trigger's time is that of the press: after it was begun, before the release was through."""
    assert press.before <= taken["trigger_ns"] <= release.after, (taken["trigger_ns"], press, release)
    frame_ms = (taken["frame_ns"] - taken["trigger_ns"]) / 1e6
    print(f"\n{taken['kind']}: trigger {(taken['trigger_ns'] - press.before) / 1e6:.1f} ms after the press began, "
          f"frame {frame_ms:+.1f} ms from it, on the disk after {taken['trigger_to_disk_ms']} ms")  # fmt: skip


def test_a_short_press_takes_a_still_of_its_moment(feet: Feet) -> None:
    _, press, _, release = feet.gadgets.run(*SHORT)
    (still,) = feet.new()
    _at_the_press(still, press, release)


def test_a_long_press_records_a_double_one_marks_a_long_one_stops(feet: Feet) -> None:
    _, press, _, release = feet.gadgets.run(*LONG)
    feet.work.wait_recorded(2.0)
    feet.gadgets.run(*DOUBLE)
    feet.gadgets.run(*LONG)
    (clip,) = feet.new(kind="clip")
    _at_the_press(clip, press, release)
    assert clip["duration_s"] >= 2.0
    sidecar = json.loads(feet.box.ssh(f"cat /var/lib/smartbox/spool/{feet.exam}/{clip['id']}.json"))
    (mark,) = sidecar["marks"]
    assert 0 < mark["at_s"] <= clip["duration_s"]


def test_the_console_hears_nothing_of_a_pedal(feet: Feet) -> None:
    """The pedal is a keyboard whose key, n, opens the patients; the same key of another keyboard does."""
    finger = Finger(feet.box)
    assert finger.screen("Pedal, Paula").shows("P H O T O"), "the presses until now have opened nothing"
    feet.gadgets.run(keys(HID, KEY_E), sleep(0.1), keys(HID))  # a button of the same pedal that has no function
    feet.gadgets.run(*SHORT)
    feet.new()
    assert finger.screen("Pedal, Paula").shows("P H O T O")
    feet.gadgets.run(keys(FOREIGN), keys(FOREIGN, KEY_N), sleep(0.1), keys(FOREIGN))
    finger.screen("Family name")
    finger.tap("Back")
    finger.screen("P H O T O")


def test_bytes_over_a_serial_line(feet: Feet) -> None:
    press, _, _ = feet.gadgets.run(("send", BYTES, "024403"), sleep(0.2), ("send", BYTES, "025503"))
    (still,) = feet.new()
    assert press.before <= still["trigger_ns"], "bytes have no time of their own: it is that of the read"


def test_a_contact_between_modem_lines(feet: Feet) -> None:
    """DSR of the adapter follows who has the far end open. The driver wakes who waits (TIOCMIWAIT)."""
    press, _, release = feet.gadgets.run(("open", LINE), sleep(0.5), ("close", LINE))
    (still,) = feet.new()
    _at_the_press(still, press, release)


def test_a_jammed_pedal_counts_once_and_is_said(feet: Feet) -> None:
    began = time.monotonic()
    feet.gadgets.begin(("open", LINE), sleep(75))
    feet.wait(contact="stuck", left="ok")
    print(f"\nsaid to be stuck {time.monotonic() - began:.0f} s after it went down")
    assert "pedal-stuck-contact" in feet.alarms()
    Finger(feet.box).screen("The pedal contact is stuck.")
    feet.new()
    feet.gadgets.run(*SHORT)
    feet.new()
    feet.gadgets.ended()
    feet.wait(contact="ok")
    until(lambda: "pedal-stuck-contact" not in feet.alarms(), SLOW_S, "the alarm to end")


def test_pulled_and_plugged_with_a_foot_on_it(feet: Feet) -> None:
    """What is down when it comes was pressed for nobody; the next press counts."""
    feet.gadgets.run(("pull", LINE))
    feet.wait(contact="gone", bytes="ok", left="ok")
    assert "pedal-gone-contact" in feet.alarms()
    feet.gadgets.begin(("open", LINE), ("plug", LINE), sleep(20))
    until(lambda: feet.pedals().get("contact") in ("ok", "stuck"), SLOW_S, "the contact to be back")
    feet.gadgets.ended()
    feet.wait(contact="ok")
    feet.gadgets.run(("open", LINE), sleep(0.5), ("close", LINE))
    feet.new()

    # what the box has not read when a device goes, the kernel throws away with it (evdev)
    feet.gadgets.run(keys(HID, KEY_N), sleep(0.2), ("pull", HID))
    feet.wait(left="gone")
    feet.gadgets.run(("plug", HID))
    feet.wait(left="ok")
    feet.gadgets.run(*SHORT)
    feet.new(2)  # that of the press that the cable ended, and this one


def test_the_contract_of_pedals_on_a_real_adapter(feet: Feet) -> None:
    """On a port of its own, beside what capture has."""
    carried = Carried(feet.box)
    try:
        found = carried.run("tests/contract/test_pedal_source.py", "-s", "-k", "adapter")
    finally:
        carried.end()
    assert len(found) >= 17
    amiss = {name: outcome for name, outcome in found.items() if outcome != PASSED}
    assert [name for name in amiss if "test_a_fast_foot" not in name or "[serial-line-" not in name] == [], amiss


def test_pedals_work_with_the_engine_away(feet: Feet, outside: Orthanc) -> None:
    before = feet.work.arrived()
    feet.box.ssh("systemctl stop smartbox-engine", timeout_s=SLOW_S)
    spool = f"find /var/lib/smartbox/spool/{feet.exam} -name '*.jpg' | wc -l"
    stills = int(feet.box.ssh(spool))
    _, press, _, release = feet.gadgets.run(*SHORT)
    until(lambda: int(feet.box.ssh(spool)) == stills + 1, SLOW_S, "the still on the disk")
    assert feet.box.ssh("systemctl is-active smartbox-engine || true").strip() == "inactive"
    feet.box.ssh("systemctl start smartbox-engine", timeout_s=SLOW_S)
    (still,) = feet.new()
    _at_the_press(still, press, release)

    rows = feet.work.close_exam(feet.exam, len(feet.taken) + 1)  # the mark is told by an object of its own
    uids = {row["sop_instance_uid"] for row in rows}
    assert {each["sop_instance_uid"] for each in feet.taken} < uids
    assert feet.work.arrived() == sorted([*before, *uids])
