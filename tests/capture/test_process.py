"""The real process: killed, restarted, refused twice, and what it must not have loaded."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.media import ts
from smartbox_tui.spool.sidecar import SidecarState
from smartbox_tui.wire.preview import PreviewReader
from tests.capture.rig import Process, new_id, probe, process, strips, until

pytestmark = pytest.mark.crash


def test_killed_in_mid_recording_nothing_but_the_last_second_is_gone(tmp_path: Path) -> None:
    with process(tmp_path) as box:
        still = box.command("still")["instance"]
        start = box.command("record-start")["picture"]
        mark = new_id()
        box.command("record-mark", id=mark, text="before")
        time.sleep(2)
        frames = box.status()["sources"][0]["recording"]["frames"]
        box.kill()
        clip = box.paths.spool / still["exam"] / f"{start}.ts"
        with clip.open("ab") as file:  # a torn packet, and what a power cut leaves
            file.write(b"\x47\x01\x00" + bytes(1000))

        box.start()
        until(lambda: all(each.state is not SidecarState.RECORDING for each in box.sidecars() if each.id == start))
        (crashed,) = (each for each in box.sidecars() if each.id == start)
        assert crashed.state is SidecarState.CLOSED
        assert "closed after a crash" in crashed.note
        assert crashed.frames >= frames - 30
        assert int(probe(clip)["nb_read_frames"]) == crashed.frames == ts.scan(clip).frames
        numbers = strips(clip)
        assert numbers == sorted(set(numbers))
        assert crashed.bytes == clip.stat().st_size
        assert crashed.transfer_syntax_uid == "1.2.840.10008.1.2.4.102"

        # Back within five seconds on the same exam: it goes on by itself, in a clip of its own.
        until(lambda: box.status()["sources"][0]["recording"], 10, "it goes on")
        assert box.status()["exam"]["id"] == still["exam"]
        (instance,) = box.command("record-stop")["instances"]
        assert instance["exam"] == still["exam"]
        assert instance["id"] != start
        assert "goes on" in next(each.note for each in box.sidecars() if each.id == instance["id"])
        # What was answered before the crash is still the answer.
        assert box.command("still", id=still["id"])["instance"]["frame_ns"] == still["frame_ns"]
        assert box.command("record-start", id=start)["instances"][0]["frames"] == crashed.frames
        assert box.command("record-mark", id=mark)["mark"]["text"] == "before"


def test_killed_with_a_press_pinned_the_picture_is_kept(tmp_path: Path) -> None:
    with process(tmp_path, extra='[[pedals]]\nid = "left"\nkind = "key"\n') as box:
        box.command("still")
        box.command("pedal", pedal="left", edge="down")
        until(lambda: any(each.state is SidecarState.PINNED for each in box.sidecars()), 1)
        box.kill()
        box.start()
        until(lambda: all(each.state is SidecarState.CLOSED for each in box.sidecars()))
        assert sorted(each.note for each in box.sidecars()) == ["", "closed after a crash"]


def test_a_clip_without_one_whole_frame_is_discarded_and_says_so(tmp_path: Path) -> None:
    with process(tmp_path) as box:
        start = box.command("record-start")["picture"]
        box.kill()
        (clip,) = box.paths.spool.glob("*/*.ts")
        clip.write_bytes(clip.read_bytes()[:1000])
        old = time.time() - 60
        left = clip.with_name(f".{new_id()}.jpg.tmp")
        left.touch()
        other = clip.with_name(".notes.tmp")
        other.touch()
        for path in (clip, clip.with_suffix(".json"), left, other):
            os.utime(path, (old - 60, old - 60))
        box.start()
        until(lambda: box.sidecars()[0].state is SidecarState.DISCARDED)
        assert "no whole frame" in box.sidecars()[0].discarded["reason"]
        assert box.sidecars()[0].id == start
        assert not left.exists()
        assert other.exists()
        # A minute after the crash nobody expects a recording to begin by itself.
        assert box.status()["sources"][0]["recording"] is None


def test_sigterm_closes_the_recording(tmp_path: Path) -> None:
    box = Process(tmp_path)
    box.start()
    box.command("record-start")
    time.sleep(0.5)
    with socket.socket(socket.AF_UNIX) as screen:  # a screen that listens must not hold it up
        screen.connect(str(box.paths.capture_socket))
        screen.sendall(
            b"GET /v1/events HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        assert b"101" in screen.recv(1000)
        ended = time.monotonic()
        assert box.end() == 0
        assert time.monotonic() - ended < 3
    (sidecar,) = box.sidecars()
    assert sidecar.state is SidecarState.CLOSED
    assert int(probe(box.bitstream(sidecar))["nb_read_frames"]) == sidecar.frames
    assert not box.paths.capture_socket.exists()


def test_a_second_capture_is_refused(tmp_path: Path) -> None:
    from smartbox_tui.capture.app import run
    from smartbox_tui.settings.load import load

    with process(tmp_path) as box:
        with pytest.raises(SmartBoxError) as caught:
            run(box.paths, load(box.config, None))
        assert caught.value.code == "in-use"
        assert box.status()["sources"][0]["signal"]


def test_the_preview_is_small_and_moves(tmp_path: Path) -> None:
    with process(tmp_path, size="1280x720") as box:
        reader = PreviewReader(box.paths.runtime / box.status()["sources"][0]["preview"])
        first = until(reader.read, 3)
        assert (first.width, first.height) == (640, 360)
        time.sleep(1)
        later = until(reader.read, 1)
        assert 8 <= later.sequence - first.sequence <= 16
        assert later.rgb != first.rgb


def test_an_unknown_command_and_a_wrong_value_are_answered_in_the_one_form(tmp_path: Path) -> None:
    with process(tmp_path) as box:
        for kind, values in (("nonsense", {}), ("still", {"burst": "many"}), ("still", {"what": 1})):
            with pytest.raises(SmartBoxError) as caught:
                box.command(kind, **values)
            assert caught.value.code == "bad-value"


def test_capture_has_no_dicom_no_database_and_no_screen_in_memory() -> None:
    code = (
        "import sys, smartbox_tui.capture.app\n"
        "print(*(name for name in ('pydicom', 'pynetdicom', 'peewee', 'textual') if name in sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == ""
