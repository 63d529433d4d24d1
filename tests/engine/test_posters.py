"""A clip whose small picture cannot be made: tried a few times with growing patience, then let be."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from smartbox_tui.engine import children, pictures_api
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.spool.layout import exam_dir
from smartbox_tui.store import queries
from smartbox_tui.wire import serve

EXAM, CLIP = "5b1f3f5c-95f7-4a35-9a0e-6f1d2a1c7f10", "0f9c2f0e-3b3c-4f0e-9d5c-0c8c1c2b7a11"


class Desk:
    """The area behind a socket, with one clip; `patience` is what each child was given."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = exam_dir(folder, EXAM)
        self.folder.mkdir(parents=True)
        (self.folder / f"{CLIP}.ts").write_bytes(b"\x47" + bytes(187))
        row = SimpleNamespace(id=CLIP, folder=EXAM, file=f"{CLIP}.ts", kind="clip")
        monkeypatch.setattr(queries, "instance", lambda _reader, uid: row if uid == CLIP else None)
        self.area = pictures_api.PicturesArea(folder, SimpleNamespace(reader=None))  # type: ignore[arg-type]
        self.socket = folder / "engine.sock"

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        runner = await serve.serve_unix(self.area.routes(), self.socket)
        try:
            yield
        finally:
            await runner.cleanup()

    async def ask(self) -> tuple[int, Any]:
        """Status, and the code of the error."""
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(self.socket))) as session,
            session.get(f"http://localhost/v1/instances/{CLIP}/picture") as answer,
        ):
            return answer.status, (await answer.json())["error"]["code"] if answer.status >= 400 else ""


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    made = Desk(tmp_path, monkeypatch)
    async with made.serving():
        yield made


async def test_a_child_that_never_ends_is_given_more_time_then_none(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Real children, on a machine that gives them no time at all."""
    begun: list[asyncio.subprocess.Process] = []
    limits: list[float] = []
    ask = children.ask

    async def start(*_: str) -> asyncio.subprocess.Process:
        begun.append(await asyncio.create_subprocess_exec("sleep", "600", stdout=asyncio.subprocess.PIPE))
        return begun[-1]

    def limited(*words: str, timeout_s: float) -> Any:
        limits.append(timeout_s)
        return ask(*words, timeout_s=timeout_s)

    monkeypatch.setattr(children, "start", start)
    monkeypatch.setattr(children, "ask", limited)
    monkeypatch.setattr(pictures_api, "POSTER_S", 0.05)
    with caplog.at_level(logging.WARNING):
        for _ in range(8):
            assert await desk.ask() == (409, "timeout")
    assert limits == [0.05, 0.1, 0.2]
    assert len(begun) == pictures_api.TRIES
    assert all(child.returncode is not None for child in begun), "none is left"
    (said,) = caplog.messages
    assert f"no small picture of {CLIP}.ts after 3 tries" in said

    # an hour later it is worth another try
    monkeypatch.setattr(pictures_api, "REST_S", 0.0)
    assert await desk.ask() == (409, "timeout")
    assert len(begun) == pictures_api.TRIES + 1
    assert limits[-1] == 0.05


async def test_what_dies_or_is_damaged_is_let_be_too(desk: Desk) -> None:
    """A real child and a file in which nothing can be decoded."""
    begun = 0
    start = children.start

    async def counted(*words: str) -> asyncio.subprocess.Process:
        nonlocal begun
        begun += 1
        return await start(*words)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(children, "start", counted)
        for _ in range(5):
            assert await desk.ask() == (409, "invalid-object")
    assert begun == pictures_api.TRIES


async def test_one_that_succeeds_has_all_its_tries_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = ["timeout", "timeout", "", "timeout", "timeout", ""]
    limits: list[float] = []

    async def ask(*words: str, timeout_s: float) -> None:
        limits.append(timeout_s)
        if code := outcomes.pop(0):
            raise SmartBoxError(code, "too late", "later")
        Path(words[3]).write_bytes(b"\xff\xd8\xff\xd9")

    monkeypatch.setattr(children, "ask", ask)
    for _ in range(2):
        assert [await desk.ask() for _ in range(3)] == [(409, "timeout"), (409, "timeout"), (200, "")]
        (poster,) = (desk.folder / "derived").iterdir()
        assert await desk.ask() == (200, "")
        poster.unlink()  # its room was needed
    assert limits == [20.0, 40.0, 80.0] * 2
    assert not outcomes
