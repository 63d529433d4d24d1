"""The preview file: its size and rate for everybody, and for a panel that shows it in pixels."""

from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from smartbox_tui.capture import preview
from smartbox_tui.capture.preview import Preview
from smartbox_tui.capture.server import Server
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.wire.hub import Hub
from smartbox_tui.wire.preview import PreviewReader
from smartbox_tui.wire.serve import serve_unix
from smartbox_tui.wire.stream import Link
from tests.capture.rig import Rig, until

FRAME_NS = 1_000_000_000 // 60


def frame(width: int = 1920, height: int = 1080, grey: int = 128) -> Any:
    picture = np.full((height * 3 // 2, width), 128, np.uint8)
    picture[:height] = grey
    return av.VideoFrame.from_ndarray(picture, format="yuv420p")


class Shown:
    """A preview with its thread, and a reader."""

    def __init__(self, folder: Path) -> None:
        self.preview = Preview(folder, "endo")
        self.reader = PreviewReader(folder / "preview-endo")
        self.thread = threading.Thread(target=self.preview.run)
        self.at_ns = time.monotonic_ns()

    def __enter__(self) -> Shown:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.preview.end()
        self.thread.join(10)
        self.reader.close()

    def offer(self, picture: Any) -> int:
        """A sixtieth of a second after the one before; its time."""
        self.at_ns += FRAME_NS
        self.preview.offer(picture, self.at_ns)
        return self.at_ns

    def size(self, picture: Any) -> tuple[int, int]:
        """Of the preview, once one of that picture has come."""
        found: list[tuple[int, int]] = []

        def came() -> bool:
            self.at_ns += preview.NS
            self.preview.offer(picture, self.at_ns)
            time.sleep(0.01)
            read = self.reader.read()
            if read is not None and read.timestamp_ns == self.at_ns:
                found.append((read.width, read.height))
            return bool(found)

        until(came)
        return found[-1]


def test_it_is_small_until_a_panel_asks_for_more(tmp_path: Path) -> None:
    with Shown(tmp_path) as shown:
        assert shown.size(frame()) == (640, 360)
        shown.preview.want(960, 700)
        assert shown.size(frame()) == (960, 540)
        shown.preview.want(4000, 4000)
        assert shown.size(frame()) == (1920, 1080)
        shown.preview.want(1, 1)
        assert shown.size(frame()) == (640, 360)
        shown.preview.want(1280, 720)
        assert shown.size(frame(720, 576)) == (720, 576)


def test_a_wish_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "WANTED_NS", 1)
    with Shown(tmp_path) as shown:
        shown.preview.want(960, 540)
        assert shown.size(frame()) == (640, 360)


def test_every_picture_is_shown_to_a_panel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "REST", 0)
    picture = frame(64, 48)
    with Shown(tmp_path) as shown:
        for wanted, expected in ((False, 3), (True, 12)):
            if wanted:
                shown.preview.want(640, 480)
            shown.at_ns += preview.NS
            first = shown.at_ns
            seen = set()
            for _ in range(12):
                stamp = shown.offer(picture)
                for _ in range(40):
                    read = shown.reader.read()
                    if read is not None:
                        seen.add(read.timestamp_ns)
                    if stamp in seen or not wanted:
                        break
                    time.sleep(0.005)
                time.sleep(0.02)
            read = shown.reader.read()
            seen |= {read.timestamp_ns} if read else set()
            # 60 a second offered: every fourth is one of 15
            assert abs(len({stamp for stamp in seen if stamp > first}) - expected) <= (0 if wanted else 1)


def test_it_takes_a_share_of_a_core_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Preview(tmp_path, "endo")
    shown.want(640, 480)
    drawn = []

    def slow(picture: Any, timestamp_ns: int) -> None:
        drawn.append(timestamp_ns)
        time.sleep(0.05)

    monkeypatch.setattr(shown, "_show", slow)
    thread = threading.Thread(target=shown.run)
    thread.start()
    began = time.monotonic()
    while time.monotonic() - began < 1.0:
        shown.offer(object(), time.monotonic_ns())
        time.sleep(0.005)
    shown.end()
    thread.join(10)
    # 50 ms of work, 150 of rest: five a second; a machine that stalls does fewer
    assert 1 <= len(drawn) <= 6


def test_a_wish_reaches_its_source(tmp_path: Path) -> None:
    with Rig(tmp_path, of={"size": "1280x720"}) as rig:
        service = rig.assembly.service
        state = service.want_preview("endo", 900, 900)
        reader = PreviewReader(rig.paths.runtime / state.preview)

        def large() -> bool:
            read = reader.read()
            return read is not None and (read.width, read.height) == (900, 506)

        until(large)
        reader.close()
        with pytest.raises(SmartBoxError):
            service.want_preview("nothing", 900, 900)


async def test_the_wish_comes_over_the_socket(tmp_path: Path) -> None:
    asked = []

    class Service:
        def want_preview(self, *wish: Any) -> dict[str, str]:
            asked.append(wish)
            return {"id": "endo"}

    with tempfile.TemporaryDirectory(prefix="sb-") as folder:
        socket = Path(folder) / "capture.sock"
        server = Server(Service(), Hub(lambda: None))  # type: ignore[arg-type]
        runner = await serve_unix(server.routes(), socket)
        try:
            async with Link(socket) as link:
                assert await link.get("/v1/preview?source=endo&width=960&height=540") == {"source": {"id": "endo"}}
                for target in ("?source=endo", "?width=a&height=1"):
                    with pytest.raises(SmartBoxError) as refused:
                        await link.get(f"/v1/preview{target}")
                    assert refused.value.code == "bad-value"
        finally:
            await runner.cleanup()
            server.close()
    assert asked == [("endo", 960, 540)]
