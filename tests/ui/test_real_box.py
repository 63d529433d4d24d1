"""The console on a real engine and a real capture with the demo's worklist: nothing in between is made up."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

from smartbox_tui.settings.load import load
from smartbox_tui.settings.paths import Paths
from smartbox_tui.ui.app import ConsoleApp
from smartbox_tui.ui.gallery import Size
from smartbox_tui.ui.screens.capture import CaptureScreen
from smartbox_tui.ui.screens.exam import ExamScreen
from smartbox_tui.ui.state import Presence, current_exam, key_of

PATIENCE_S = 90.0


@pytest.fixture
def demo() -> Iterator[Paths]:
    with tempfile.TemporaryDirectory(prefix="sb-") as folder:
        paths = Paths(Path(folder) / "s", Path(folder) / "r")
        command = [sys.executable, "-m", "smartbox_tui.cli", "demo", "--headless"]
        command += ["--state", str(paths.state), "--runtime", str(paths.runtime)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            until = time.monotonic() + PATIENCE_S
            while not (paths.engine_socket.exists() and paths.capture_socket.exists()):
                assert time.monotonic() < until, "the demo did not start"
                time.sleep(0.1)
            yield paths
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_S)


async def until(pilot: Pilot[int], holds: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await pilot.pause(0.02)
    await pilot.pause()


async def choose(pilot: Pilot[int], app: ConsoleApp, name: str) -> None:
    await until(pilot, lambda: app.screen.query("#filter"))
    await pilot.press(*name)
    await pilot.press("enter")
    await until(pilot, lambda: app.screen.has_class("-chosen"))
    await asyncio.sleep(0.2)
    await pilot.press("enter")


async def test_worklist_picture_wrong_patient_and_back(demo: Paths) -> None:
    config = demo.state / "demo.toml"
    app = ConsoleApp(demo, load(config, demo.state), environ={"TERM": "xterm-256color"}, config=config)

    def whose() -> str:
        exam = current_exam(app.box)
        return exam.patient.name if exam is not None else ""

    async with app.run_test(size=(120, 33), notifications=True) as pilot:
        await until(pilot, lambda: app.box.engine is Presence.HERE and app.box.capture is Presence.HERE)
        await until(pilot, lambda: app.people.entries)
        await pilot.press("n")
        await choose(pilot, app, "demir")
        # the list closes on its answer, the exam is news of its own: a key between the two is the filter's
        await until(pilot, lambda: "DEMIR" in whose() and isinstance(app.screen, CaptureScreen))
        await pilot.press("space")
        await until(pilot, lambda: app.box.stills == 1)
        gallery, picture = app._gallery, key_of(app.box.pictures[0])
        assert gallery is not None
        await until(pilot, lambda: gallery.want(picture, Size.LARGE) is not None)
        await pilot.press("x", "1")
        await until(pilot, lambda: app.screen.query_one("#list").pointed)  # type: ignore[attr-defined]
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ExamScreen) and app.screen._pictures)
        await pilot.press("w", "1")
        await choose(pilot, app, "weiss")
        await until(pilot, lambda: app.screen.query("#confirm"))
        await pilot.press("enter")
        await until(pilot, lambda: "WEISS" in whose())
        assert [key_of(item) for item in app.box.pictures] == [picture], "the picture went along, once"
        await pilot.press("f3")
        await until(pilot, lambda: "DEMIR" in whose())
        await pilot.press("f4", "c")
        await until(pilot, lambda: current_exam(app.box) is None)
        await pilot.press("x", "1")
        await until(pilot, lambda: "✓" in "".join(strip.text for strip in app.screen._compositor.render_strips()))
