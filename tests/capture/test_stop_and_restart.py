"""A stop ends the clip at its press, however late it is known; a restart waits for the recording."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from smartbox_tui.capture.clipfile import TAKE_BACK_NS
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.media import ts
from smartbox_tui.spool.sidecar import Sidecar, SidecarState
from smartbox_tui.wire import commands, events
from tests.capture.rig import Pedal, Rig, probe, process, strips, until

PERIOD_NS = 1e9 / 30


def end_ns(sidecar: Sidecar) -> int:
    """When the last frame of a clip was taken."""
    return sidecar.frame_ns + round((sidecar.duration_s or 0) * 1e9 - PERIOD_NS)


def checked(rig: Rig, sidecar: Sidecar) -> Sidecar:
    """The clip's file is what its sidecar says: decodable, counted, its hash right."""
    import hashlib

    path = rig.paths.spool / sidecar.exam / sidecar.file
    assert int(probe(path)["nb_read_frames"]) == sidecar.frames == ts.scan(path).frames
    numbers = strips(path)
    assert numbers == sorted(set(numbers))
    assert numbers[-1] - numbers[0] + 1 <= len(numbers) + sidecar.frames_lost
    assert path.stat().st_size == sidecar.bytes
    assert hashlib.sha256(path.read_bytes()).hexdigest() == sidecar.sha256
    return sidecar


def test_a_long_press_ends_the_clip_at_the_press_and_not_when_it_is_known(tmp_path: Path) -> None:
    with Rig(tmp_path, pedals=(Pedal(id="left", kind="key"),)) as rig:
        rig.command(commands.RecordStart)
        time.sleep(1.2)
        pressed_ns = time.monotonic_ns()
        rig.command(commands.PedalPress, pedal="left", edge="down")
        (stopped,) = until(lambda: rig.told(events.RecordingStopped), 5)
        rig.command(commands.PedalPress, pedal="left", edge="up")
        clip = checked(rig, rig.sidecar({"exam": stopped.exam, "id": stopped.instances[0].id, "kind": "clip"}))
        assert 0 <= pressed_ns - end_ns(clip) < 2 * PERIOD_NS


def test_a_command_says_when_it_was_pressed(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        rig.command(commands.RecordStart)
        time.sleep(1.5)
        pressed_ns = time.monotonic_ns()
        time.sleep(0.7)
        (instance,) = rig.command(commands.RecordStop, at_ns=pressed_ns)["instances"]
        clip = checked(rig, rig.sidecar(instance))
        assert 0 <= pressed_ns - end_ns(clip) < 2 * PERIOD_NS


@pytest.mark.parametrize("ago_ns", [TAKE_BACK_NS + 10**9, 10**12])
def test_what_was_recorded_long_ago_is_not_taken_back(tmp_path: Path, ago_ns: int) -> None:
    with Rig(tmp_path) as rig:
        rig.command(commands.RecordStart, at_ns=time.monotonic_ns())
        time.sleep(1)
        now_ns = time.monotonic_ns()
        (instance,) = rig.command(commands.RecordStop, at_ns=max(0, now_ns - ago_ns))["instances"]
        clip = checked(rig, rig.sidecar(instance))
        assert end_ns(clip) > now_ns - 2 * PERIOD_NS


def test_a_restart_waits_for_the_recording_and_then_the_process_ends(tmp_path: Path) -> None:
    with process(tmp_path) as box:
        box.command("record-start")
        with pytest.raises(SmartBoxError) as caught:
            box.command("restart")
        assert caught.value.code == "in-use"
        time.sleep(2.5)
        assert box.child is not None
        assert box.child.poll() is None, "it records on"
        assert box.status()["sources"][0]["recording"]
        (instance,) = box.command("record-stop")["instances"]
        assert box.child.wait(10) == 0
        (sidecar,) = box.sidecars()
        assert (sidecar.id, sidecar.state) == (instance["id"], SidecarState.CLOSED)
        box.start()
        assert box.status()["exam"]["id"] == instance["exam"]
        assert box.command("restart") == {"restarting": True}
        assert box.child.wait(10) == 0
