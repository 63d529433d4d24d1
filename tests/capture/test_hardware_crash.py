"""A driver that crashes lives in the recorder's own process: what a recording loses by that, and how often."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.spool.sidecar import Sidecar, SidecarState
from tests.capture.rig import Process, strips, until


def source(box: Process) -> Any:
    return box.status()["sources"][0]


def clips(box: Process, state: SidecarState) -> list[Sidecar]:
    return [each for each in box.sidecars() if each.kind == "clip" and each.state is state]


def test_a_driver_crashes_once_and_the_recording_goes_on_in_software(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIG_CRASH_AFTER", "150")
    box = Process(tmp_path)
    child = box.start()
    try:
        until(lambda: source(box)["encoder"] == "qsv", what="the hardware encodes")
        box.command("record-start")
        assert child.wait(30) == -signal.SIGSEGV
        box.start()
        (crashed,) = until(lambda: clips(box, SidecarState.CLOSED), what="what there was is closed")
        until(lambda: clips(box, SidecarState.RECORDING), what="it goes on")
        assert source(box)["encoder"] == "software"
        assert until(lambda: source(box)["encoder_note"]) == "qsv: the recorder died while it was in use"
        stopped = box.command("record-stop")
        assert stopped["frames"] > 0
        closed = clips(box, SidecarState.CLOSED)
        assert len(closed) == 2
        assert closed[0].id == crashed.id
        for each in closed:
            numbers = strips(box.bitstream(each))
            assert len(numbers) == each.frames
            assert numbers == sorted(set(numbers))
    finally:
        assert box.end() == 0
    # a clean end holds nothing against anyone
    monkeypatch.setenv("RIG_CRASH_AFTER", "1000000")
    box.start()
    try:
        until(lambda: source(box)["encoder"] == "qsv", what="it is used again")
    finally:
        box.end()


def test_a_driver_that_crashes_when_it_is_opened_does_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIG_CRASH_AFTER", "1")
    box = Process(tmp_path)
    assert box.start(wait=False).wait(30) == -signal.SIGSEGV
    box.start()
    try:
        assert until(lambda: source(box)["encoder_note"]) == "qsv: the recorder died while it was in use"
    finally:
        assert box.end() == 0


def test_the_real_process_says_why_the_machine_has_no_other_encoder(tmp_path: Path) -> None:
    box = Process(tmp_path, keys='encoder = "auto"')
    box.start()
    try:
        told = until(lambda: next(filter(_known, [source(box)]), None), 60, "the encoders are known")
        assert not told["trouble"]
        assert told["encoder"] in ("software", "nvenc", "qsv", "v4l2m2m")
    finally:
        box.end()


def _known(told: dict[str, Any]) -> bool:
    """Each of them is used, or there is a reason why not."""
    return told["encoder"] != "software" or all(
        kind in told["encoder_note"] for kind in ("nvenc", "qsv", "v4l2m2m")
    )
