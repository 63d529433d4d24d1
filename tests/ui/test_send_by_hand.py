"""`send = manual` from end to end: a real engine, capture and archive, and the smallest screen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

from smartbox_tui.dicom import scp
from smartbox_tui.settings.load import load
from smartbox_tui.settings.paths import Paths
from smartbox_tui.ui.app import ConsoleApp
from smartbox_tui.ui.screens.exam import ExamScreen
from smartbox_tui.ui.state import Presence
from smartbox_tui.ui.widgets.big_button import BigButton
from tests.support.archive import own_archive
from tests.support.box import Box, running, settings
from tests.ui.svg import screen_svg

PATIENCE_S = 90.0


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[scp.Archive]:
    with own_archive(tmp_path / "archive", require_called_aet=True) as made:
        yield made


@pytest.fixture
def box(archive: scp.Archive) -> Iterator[Box]:
    with running(settings(archive.port, send="manual")) as made:
        yield made


async def until(pilot: Pilot[int], holds: Callable[[], object]) -> None:
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                await pilot.pause(0.02)
    except TimeoutError:
        app = pilot.app
        assert isinstance(app, ConsoleApp)
        pytest.fail(f"it said: {said(app)}\nand shows:\n{text(app)}")
    await pilot.pause()


def text(app: ConsoleApp) -> str:
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


def said(app: ConsoleApp) -> str:
    return " ".join(f"{item.title} {item.message}" for item in app._notifications)


async def test_pictures_wait_until_somebody_touches_send(box: Box, archive: scp.Archive, tmp_path: Path) -> None:
    exam = await asyncio.to_thread(box.open_exam)
    paths = Paths(box.state, box.runtime)
    app = ConsoleApp(paths, load(box.config, box.state), environ={"TERM": "xterm-256color"}, config=box.config)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: app.box.engine is Presence.HERE and app.box.capture is Presence.HERE)
        for taken in (1, 2):  # one after the other: what comes at once is a key held down, and counts once
            await pilot.press("space")
            await until(pilot, lambda: app.box.stills == taken)  # noqa: B023
        await until(pilot, lambda: [item.code for item in app.box.deliveries.values()] == ["manual"] * 2)
        await pilot.press("f4", "c")
        await until(pilot, lambda: "kept until you touch Send, under Pictures" in said(app))
        await pilot.press("x", "1")
        await until(pilot, lambda: app.screen.query_one("#list").pointed)  # type: ignore[attr-defined]
        await until(pilot, lambda: "2 wait for Send" in text(app))
        (tmp_path / "list.svg").write_text(screen_svg(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ExamScreen) and app.screen._pictures)
        await until(pilot, lambda: "2 wait for Send" in text(app))
        send = app.screen.query_one("#send", BigButton)
        assert send.has_class("-first"), "the one thing to do is the loudest"
        (tmp_path / "exam.svg").write_text(screen_svg(app))
        await asyncio.sleep(1.0)
        assert archive.stored() == [], "nothing has gone by itself"
        await pilot.click("#send")
        await until(pilot, lambda: len(archive.stored()) == 2)
        await until(pilot, lambda: "✓ sent" in text(app))
        await until(pilot, lambda: not send.has_class("-first"))
    rows = await asyncio.to_thread(box.deliveries, exam["id"])
    assert {row["state"] for row in rows} == {"stored"}


def test_release_does_the_same_for_one_exam_only(box: Box, archive: scp.Archive) -> None:
    first = box.open_exam()
    box.ctl("still")
    box.ctl("exam", "close")
    second = box.open_exam(id="T-1002", name="Zwei^Zoe")
    box.ctl("still")
    box.ctl("exam", "close")
    assert {row["code"] for exam in (first, second) for row in box.deliveries(exam["id"])} == {"manual"}
    assert box.ctl("exam", "show", first["id"])["exam"]["state"] == "closed"
    assert box.ctl("exam", "release", second["id"])["exam"]["released"]
    box.wait_stored(second["id"], 1)
    (row,) = box.deliveries(first["id"])
    assert (row["state"], row["reason"]) == ("held", "is sent by hand")
    box.ctl("queue", "retry", str(row["id"]))
    box.stop("engine")
    box.start("engine")
    (row,) = box.deliveries(first["id"])
    assert row["state"] == "held", "neither a retry nor a restart sends it"
    assert len(archive.stored()) == 1
    box.ctl("exam", "release", first["id"])
    box.wait_stored(first["id"], 1)
