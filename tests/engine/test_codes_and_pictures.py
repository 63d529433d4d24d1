"""Real processes: a code held before a camera reaches the screens, and the pictures come over the API."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import av
import msgspec
import numpy as np
import pytest
import simplejpeg
import zxingcpp

from hw.video.strip import read_strip
from smartbox_tui.wire import events
from smartbox_tui.wire.stream import Link
from tests.support.box import Box, settings, until

FPS = 15
CODE = "PID-4711|Prüf^Jördis"


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds of something, a QR code before it in the first two."""
    made = zxingcpp.create_barcode(CODE, zxingcpp.BarcodeFormat.QRCode)
    code = np.array(zxingcpp.write_barcode_to_image(made, scale=5))
    path = tmp_path_factory.mktemp("film") / "code.mp4"
    noise = np.random.default_rng(1)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=FPS, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for number in range(10 * FPS):
            luma = noise.normal(110, 10, (360, 640)).clip(0, 255).astype(np.uint8)
            if number < 2 * FPS:
                luma[50 : 50 + code.shape[0], 200 : 200 + code.shape[1]] = code
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.dstack([luma] * 3), format="rgb24")))
        out.mux(stream.encode())
    return path


class Listening:
    """The codes that the engine tells, with their times."""

    def __init__(self, path: Path) -> None:
        self.codes: list[tuple[float, events.CodeSeen]] = []
        self._path = path
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._main())
        except asyncio.CancelledError:
            pass

    async def _main(self) -> None:
        self._task = asyncio.current_task()
        async with Link(self._path) as link:
            async for event in link.events():
                if event is not None and event.type == "code-seen":
                    self.codes.append((time.monotonic(), msgspec.json.decode(event.data, type=events.CodeSeen)))

    def close(self) -> None:
        if self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(5)


def children(box: Box) -> list[int]:
    """The processes that read codes for this box."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"codes" in words and os.fsencode(box.runtime) in words:
            found.append(int(path.parent.name))
    return found


def config(film: Path, camera: bool) -> str:
    return f"""
[clock]
wait_s = 0
[codes]
camera = {str(camera).lower()}
[[sources]]
id = "endo"
kind = "file"
device = "{film}"
size = "640x360"
fps = {FPS}
preroll_s = 1
"""


@pytest.fixture
def box(request: pytest.FixtureRequest, film: Path) -> Iterator[Box]:
    box = Box(config(film, getattr(request, "param", True)))
    try:
        box.start()
        yield box
    finally:
        box.close()


def put(box: Box, **changes: Any) -> Any:
    from smartbox_tui.wire import client
    from tests.capture.rig import new_id

    return client.command(box.runtime / "engine.sock", {"type": "settings-put", "id": new_id(), "changes": changes})


def test_a_code_before_the_camera_is_told_once_each_time_it_comes(box: Box) -> None:
    listening = Listening(box.runtime / "engine.sock")
    try:
        until(lambda: len(listening.codes) >= 2, 40, "the code, twice")
    finally:
        listening.close()
    for _, seen in listening.codes:
        assert (seen.source, seen.text) == ("endo", CODE)
    (first_s, _), (second_s, _) = listening.codes[:2]
    assert second_s - first_s > 5, "what stays before the camera is not said again"
    logs = box.log("engine") + box.log("capture")
    assert "PID-4711" not in logs
    assert "Prüf" not in logs
    assert box.ctl("exam", "current")["exam"] is None, "a code changes nothing by itself"


def test_the_child_is_there_as_long_as_it_is_wanted(box: Box) -> None:
    (first,) = until(lambda: children(box), what="the child")
    os.kill(first, signal.SIGKILL)
    (second,) = until(lambda: [each for each in children(box) if each != first], what="a new one")
    put(box, **{"codes.camera": False})
    until(lambda: not children(box), what="none")
    put(box, **{"codes.camera": True})
    until(lambda: children(box), what="one again")
    assert second not in children(box)
    box.kill("engine")
    until(lambda: not children(box), what="no orphan")
    box.start("engine")
    until(lambda: children(box))
    assert box.stop("engine") == 0
    assert not children(box), "nothing is left at the engine's end"


@pytest.mark.parametrize("box", [False], indirect=True)
def test_by_default_nobody_looks(box: Box) -> None:
    time.sleep(1)
    assert not children(box)


class _Unix(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(str(self._path))


def get(box: Box, target: str) -> tuple[str, bytes]:
    """Content type and body."""
    connection = _Unix(box.runtime / "engine.sock")
    connection.request("GET", target)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.headers.get("Content-Type", ""), body


def error(box: Box, target: str) -> dict[str, str]:
    return json.loads(get(box, target)[1])["error"]  # type: ignore[no-any-return]


def shape(jpeg: bytes) -> tuple[int, int]:
    high, wide, _ = simplejpeg.decode_jpeg(jpeg).shape
    return wide, high


@pytest.fixture
def pattern() -> Iterator[Box]:
    box = Box(settings(1, send="manual", size="1280x720"))
    try:
        box.start()
        yield box
    finally:
        box.close()


def test_pictures_over_the_api(pattern: Box) -> None:
    box = pattern
    box.open_exam()
    still = box.ctl("still")["instance"]
    box.ctl("record", "start")
    time.sleep(1)
    (clip,) = box.ctl("record", "stop")["instances"]
    until(lambda: box.ctl("exam", "current")["exam"]["instances"] == 2)
    folder = box.state / "spool" / still["exam"]

    for name in (still["id"], still["sop_instance_uid"]):
        kind, body = get(box, f"/v1/instances/{name}/picture")
        assert kind == "image/jpeg"
        assert body == (folder / f"{still['id']}.jpg").read_bytes()
    _, small = get(box, f"/v1/instances/{still['id']}/picture?width=300")
    assert shape(small) == (320, 180)

    # Asked eight times at once: made once.
    bodies: list[bytes] = []
    target = f"/v1/instances/{clip['sop_instance_uid']}/picture"
    asking = [threading.Thread(target=lambda: bodies.append(get(box, target)[1])) for _ in range(8)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert len(bodies) == 8
    assert len(set(bodies)) == 1
    assert shape(bodies[0]) == (960, 540)
    strip = read_strip(simplejpeg.decode_jpeg(bodies[0], "GRAY")[:, :, 0])
    assert strip.ok
    with av.open(str(folder / f"{clip['id']}.ts")) as container:
        frame = next(container.decode(video=0))
        first = np.frombuffer(frame.planes[0], np.uint8).reshape(-1, frame.planes[0].line_size)[:, :1280]
    assert strip.number == read_strip(np.ascontiguousarray(first)).number, "its first frame"
    posters = sorted((folder / "derived").iterdir())
    assert {path.name for path in posters} == {f"{clip['id']}.w0960.jpg", f"{still['id']}.w0320.jpg"}
    made = posters[0].stat().st_mtime_ns, posters[1].stat().st_mtime_ns
    get(box, target)
    assert (posters[0].stat().st_mtime_ns, posters[1].stat().st_mtime_ns) == made, "kept"

    # A discarded picture is still there to be seen.
    gone = box.ctl("discard-last", "--reason", "blurred")["instance"]
    assert shape(get(box, f"/v1/instances/{gone['id']}/picture?width=10")[1]) == (160, 90)


def test_what_cannot_be_shown_is_said(pattern: Box) -> None:
    box = pattern
    box.open_exam()
    box.ctl("record", "start")
    (clip,) = box.ctl("record", "stop")["instances"]
    until(lambda: box.ctl("exam", "current")["exam"]["instances"] == 1)
    target = f"/v1/instances/{clip['id']}/picture"
    for width in ("0", "-1", "x", "1e3", "99999999", "²", ""):
        assert error(box, f"{target}?width={quote(width)}")["code"] == "bad-value"
    for unknown in ("2.25.1", "0f9c2f0e-3b3c-4f0e-9d5c-0c8c1c2b7a11", "nonsense", "..%2f..%2fexam"):
        assert error(box, f"/v1/instances/{unknown}/picture")["code"] == "not-found"
    path = box.state / "spool" / clip["exam"] / f"{clip['id']}.ts"
    whole = path.read_bytes()
    path.write_bytes(bytes(1000))
    said = error(box, target)
    assert said["code"] == "invalid-object"
    assert said["hint"]
    path.write_bytes(whole)
    assert shape(get(box, target)[1]) == (960, 540), "asked again it is made"
    path.unlink()
    assert error(box, target)["code"] == "not-found"
