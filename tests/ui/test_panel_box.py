"""The panel on a real capture: the frame counter of the test pattern is read back from the framebuffer."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import numpy as np

from hw.video.strip import read_strip
from smartbox_tui.settings.load import load
from smartbox_tui.settings.paths import Paths
from smartbox_tui.ui.app import ConsoleApp
from smartbox_tui.ui.pixel_places import Area, fit, in_pixels
from smartbox_tui.ui.state import Presence
from smartbox_tui.ui.widgets.preview import Preview
from smartbox_tui.wire.preview import PreviewReader
from tests.support.box import Box
from tests.ui.panel_rig import FakePanel
from tests.ui.rig import MIDDLE, PATIENCE_S

CONFIG = """
[[sources]]
id = "endo"
kind = "pattern"
size = "1280x720"
fps = 30
"""


async def test_the_frame_counter_is_read_back_from_the_framebuffer(tmp_path: Path) -> None:
    box = Box(CONFIG)
    try:
        box.start("capture")
        paths = Paths(box.state, box.runtime)
        app = ConsoleApp(paths, load(box.config, box.state), environ={"TERM": "linux"}, config=box.config)
        fake = FakePanel(tmp_path, MIDDLE)
        app.panel = fake.panel(paths.runtime)
        app.panel.open()
        try:
            async with app.run_test(size=MIDDLE) as pilot:

                async def until(holds) -> None:
                    async with asyncio.timeout(PATIENCE_S):
                        while not holds():
                            await pilot.pause(0.02)

                await until(lambda: app.box.capture is Presence.HERE)
                await until(lambda: app.box.source is not None and app.box.source.signal)
                preview = app.screen.query_one(Preview)

                def picture_now() -> Area:
                    """Where it stands: alarms that come and go move it."""
                    place = in_pixels(Area(*preview.region), (8, 16))
                    assert place.width > 640
                    return fit(1280, 720, place)

                # capture makes it as large as it is shown
                reader = PreviewReader(paths.runtime / "preview-endo")

                def as_large() -> bool:
                    read = reader.read()
                    return read is not None and abs(read.width - picture_now().width) <= 2

                await until(as_large)
                reader.close()
                numbers: list[int] = []
                begun = time.monotonic()
                while len(set(numbers)) < 10 or time.monotonic() - begun < 2:
                    assert time.monotonic() - begun < PATIENCE_S, (numbers[-12:], preview.region, app.screen)
                    await asyncio.sleep(0.02)
                    picture = picture_now()
                    shown = fake.screen.shown()[picture.rows, picture.columns].astype(np.float32)
                    luma = (shown @ np.array([0.2126, 0.7152, 0.0722], np.float32)).astype(np.uint8)
                    strip = read_strip(np.ascontiguousarray(luma))
                    if strip.ok:  # one that is just being drawn is half of another
                        numbers.append(strip.number)
                assert numbers == sorted(numbers), "no picture goes back"
        finally:
            app.panel.close()
    finally:
        box.close()
