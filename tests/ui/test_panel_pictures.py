"""Pictures that were taken on the box's own screen: pixels in their cells, and never longer there than they may."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from textual.app import App, ComposeResult
from textual.containers import Container, VerticalScroll
from textual.widgets import Static

from smartbox_tui.ui.driver import PatientWriter
from smartbox_tui.ui.pixel_layout import layout
from smartbox_tui.ui.pixel_places import Area, cut
from smartbox_tui.ui.screens.capture import CaptureScreen
from smartbox_tui.ui.screens.exam import ExamScreen
from smartbox_tui.ui.screens.pictures import PicturesScreen
from smartbox_tui.ui.still_pixels import Still
from smartbox_tui.ui.widgets.strip import Pictured, StripWidget
from smartbox_tui.ui.widgets.thumbs import Large, PictureWidget, Thumbs
from smartbox_tui.wire import state
from tests.support.fakebox import PATIENT, FakeBox
from tests.ui.panel_rig import COLOURS, FakePanel
from tests.ui.rig import MIDDLE, Rig, console
from tests.ui.test_panel import front

EVERYWHERE = Area(0, 0, *MIDDLE)
OTHER = state.Patient(id="T-2", name="Other^Olga", birth_date="1970-01-01", sex="F")


def four(box: FakeBox) -> None:
    box.open_exam(PATIENT)
    for _ in range(4):
        box.take()
    box.closed_exam("old", OTHER, pictures=40)


class At:
    """The console on a made-up panel."""

    def __init__(self, folder: Path, script: Any = four) -> None:
        self.fake = FakePanel(folder, MIDDLE)
        self._console = console(script, size=MIDDLE, term="linux", panel=self.fake.panel)

    async def __aenter__(self) -> At:
        self.rig: Rig = await self._console.__aenter__()
        return self

    async def __aexit__(self, *what: Any) -> None:
        await self._console.__aexit__(*what)
        assert self.fake.screen.opened == 0

    def places(self, kind: type[PictureWidget] = Thumbs) -> list[Area]:
        """Where the pictures of the screen in front are to be, in cells."""
        widget = self.rig.app.screen.query_one(kind)
        x, y = widget.region.offset
        return [item.area._replace(x=item.area.x + x, y=item.area.y + y) for item in widget.pictures()]

    def seen(self, area: Area) -> bool:
        """A picture, no blocks: more colours than a console has."""
        picture = self.fake.shown(area).astype(np.uint32) @ np.array([1, 1 << 8, 1 << 16], np.uint32)
        return len(np.unique(picture)) > 50

    def gone(self, area: Area) -> bool:
        """Whether nothing of a picture is there: dark, or text."""
        shown = self.fake.shown(area)
        dark, text = ((shown == ink).all(axis=2) for ink in (COLOURS.bar, self.fake.ink))
        return bool((dark | text).all())

    async def pictures(self, count: int, kind: type[PictureWidget] = Thumbs) -> list[Area]:
        await self.rig.until(lambda: len(self.places(kind)) == count)
        areas = self.places(kind)
        await self.rig.until(lambda: all(self.seen(area) for area in areas))
        return areas


async def test_the_strip_of_what_was_taken_is_pixels_in_its_cells_captions_are_text(tmp_path: Path) -> None:
    async with At(tmp_path) as at:
        areas = await at.pictures(4)
        widget = at.rig.app.screen.query_one(Thumbs)
        region, preview = Area(*widget.region), Area(*at.rig.app.screen.query_one("#preview").region)
        assert all(area.common(region) == area for area in areas)
        at.fake.text(EVERYWHERE)  # as the terminal writes what is beside them
        at.rig.app.text_was_written()
        await at.rig.until(lambda: all(at.seen(area) for area in (*areas, preview)))
        captions = [Area(area.x, area.bottom, area.width, 1) for area in areas]
        for each in (*captions, *cut(EVERYWHERE, [*areas, preview])):
            assert at.fake.is_text(each)
        assert not any("▀" in strip._render_cache for strip in widget._strips)
        assert sum("■" in strip._render_cache for strip in widget._strips) == 2
        at.rig.box.take()
        await at.pictures(5)


async def test_the_whole_way_from_the_terminals_writer_to_the_glass(tmp_path: Path) -> None:
    """What PanelDriver does, whose terminal a test has not."""
    async with At(tmp_path) as at:
        areas = await at.pictures(4)
        at.fake.text(EVERYWHERE)
        with (tmp_path / "terminal").open("w") as terminal:
            writer = PatientWriter(terminal, asyncio.Event(), at.rig.app.text_was_written)  # type: ignore[arg-type]
            writer.start()
            writer.write("text")
            await at.rig.until(lambda: all(at.seen(area) for area in areas))
            writer.stop()


async def test_a_notice_that_lies_over_them_is_seen(tmp_path: Path) -> None:
    from textual.widgets._toast import Toast

    async with At(tmp_path) as at:
        await at.rig.press("x")
        at.rig.app.go(ExamScreen(at.rig.box.exams["old"]))
        await at.rig.until(lambda: isinstance(front(at.rig), ExamScreen))
        areas = await at.pictures(15)
        at.rig.app.notify("A sentence long enough to lie over the pictures " * 7, timeout=60)
        await at.rig.until(lambda: at.rig.app.screen.query(Toast))
        await at.rig.pilot.pause(0.3)
        toast = Area(*at.rig.app.screen.query_one(Toast).region)
        covered = [both for area in areas if (both := area.common(toast))]
        assert covered, "the notice must lie over a picture, or this says nothing"
        assert all(at.gone(each) for each in covered)
        at.fake.text(toast)
        at.rig.app.text_was_written()
        await asyncio.sleep(0.4)
        assert at.fake.is_text(toast)
        at.rig.app.clear_notifications()
        await at.rig.until(lambda: all(at.seen(area) for area in areas))


@pytest.mark.parametrize("then", ["nobody", "another"])
async def test_with_the_exam_its_pictures_leave_the_glass(tmp_path: Path, then: str) -> None:
    async with At(tmp_path) as at:
        areas = await at.pictures(4)
        at.rig.box.close_exam()
        if then == "another":
            at.rig.box.open_exam(OTHER)
        await at.rig.until(lambda: not at.rig.app.box.pictures)
        await at.rig.until(lambda: not at.places())
        await at.rig.pilot.pause()
        assert all(at.gone(area) for area in areas)
        assert not at.rig.app.pixels._place.stills
        at.rig.app.text_was_written()
        await asyncio.sleep(0.4)
        assert all(at.gone(area) for area in areas)


async def test_other_screens_have_none_of_them_and_they_come_back(tmp_path: Path) -> None:
    async with At(tmp_path) as at:
        for key in ("s", "q", "n", "o"):
            areas = await at.pictures(4)
            await at.rig.press(key)
            await at.rig.until(lambda: not isinstance(front(at.rig), CaptureScreen))
            await at.rig.pilot.pause()
            assert all(at.gone(area) for area in areas), key
            await at.rig.press("escape")
            await at.rig.until(lambda: isinstance(front(at.rig), CaptureScreen))


async def test_one_picture_is_as_large_and_as_fine_as_its_place(tmp_path: Path) -> None:
    async with At(tmp_path) as at:
        await at.pictures(4)
        at.rig.app.action_pictures()
        await at.rig.until(lambda: isinstance(front(at.rig), PicturesScreen))
        (area,) = await at.pictures(1, Large)
        large = at.rig.app.screen.query_one(Large)
        assert area == Area(*large.region)
        await at.rig.until(lambda: large.pictures()[0].name.startswith("large:"))
        kept = large.pictures()[0].pixels
        assert kept.shape[1] > 64, "not the few pixels that half blocks are made of"
        before = large.pictures()[0].name
        await at.rig.press("left")
        await at.rig.until(lambda: large.pictures() and large.pictures()[0].name not in (before, ""))
        await at.rig.press("escape")
        await at.rig.until(lambda: isinstance(front(at.rig), CaptureScreen))
        strip = await at.pictures(4)
        preview = Area(*at.rig.app.screen.query_one("#preview").region)
        assert all(at.gone(rest) for rest in cut(area, [preview, *strip]))


async def test_the_large_picture_of_an_exam_that_was_closed_elsewhere_goes(tmp_path: Path) -> None:
    """By a console over SSH: the banner would say nobody, or another one, beside it."""
    async with At(tmp_path) as at:
        await at.pictures(4)
        at.rig.app.action_pictures()
        await at.rig.until(lambda: isinstance(front(at.rig), PicturesScreen))
        (area,) = await at.pictures(1, Large)
        at.rig.box.close_exam()
        await at.rig.until(lambda: isinstance(front(at.rig), CaptureScreen))
        preview = Area(*at.rig.app.screen.query_one("#preview").region)
        await at.rig.pilot.pause()
        assert all(at.gone(rest) for rest in cut(area, [preview]))


async def test_the_next_page_has_none_of_the_last(tmp_path: Path) -> None:
    async with At(tmp_path) as at:
        at.rig.app.go(ExamScreen(at.rig.box.exams["old"]))
        await at.rig.until(lambda: isinstance(front(at.rig), ExamScreen))
        first = await at.pictures(15)
        await at.rig.press("pagedown", "pagedown")
        last = await at.pictures(10)
        await at.rig.pilot.pause()
        assert all(at.gone(area) for area in first if area not in last)


async def test_blocks_when_the_framebuffer_goes_away(tmp_path: Path) -> None:
    async with At(tmp_path) as at:
        await at.pictures(4)
        at.fake.screen.gone = True
        strip = at.rig.app.screen.query_one(Thumbs)
        await at.rig.until(lambda: any("▀" in line._render_cache for line in strip._strips))
        assert not strip.pictures()


# ---- which parts of the screen are pixels


def stills(app: App[None]) -> list[Still]:
    """From above to below."""
    return sorted(layout(app.screen).stills, key=lambda still: still.area.y)


class Picture(StripWidget):
    DEFAULT_CSS = "Picture { width: 20; height: 6; margin: 1 2; }"

    def pictures(self) -> list[Pictured]:
        return [Pictured("one", Area(1, 1, 10, 4), np.zeros((9, 16, 3), np.uint8))]


class Scrolled(App[None]):
    """Pictures in what scrolls, with room for what lies over them."""

    CSS = """
    Screen { layers: below above; }
    #box { width: 40; height: 10; margin: 2 4; scrollbar-size-vertical: 1; }
    #second { height: 12; }
    #menu { layer: above; width: 6; height: 3; offset: 6 3; display: none; }
    """

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="box"):
            yield Picture()
            yield Container(Picture(), id="second")
        yield Static("menu", id="menu")


async def test_a_picture_has_the_part_of_its_cells_that_nothing_hides() -> None:
    app = Scrolled()
    async with app.run_test(size=(80, 24)) as pilot:
        whole = Area(4 + 2 + 1, 2 + 1 + 1, 10, 4)
        still = stills(app)[0]
        assert (still.area, still.free) == (whole, (whole,))
        app.query_one("#box").scroll_to(y=4, animate=False)
        await pilot.pause()
        first, second = stills(app)
        assert first.area == whole._replace(y=whole.y - 4)
        assert first.free == (Area(7, 2, 10, 2),), "its lower rows, below the upper edge of what scrolls"
        assert second.free
        app.query_one("#box").scroll_to(y=0, animate=False)
        app.query_one("#menu").display = True
        await pilot.pause()
        menu = Area(*app.query_one("#menu").region)
        still = stills(app)[0]
        assert still.area == whole
        assert menu.common(whole)
        assert set(still.free) == set(cut(whole, [menu]))
        app.query_one("#box").display = False
        await pilot.pause()
        assert not stills(app)
