"""The pictures themselves, for the screens: stills as they are, clips by a poster that a media child makes."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from smartbox_tui.engine import children
from smartbox_tui.engine.area import Handlers
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.spool import release
from smartbox_tui.spool.durable import make_folder
from smartbox_tui.spool.layout import exam_dir
from smartbox_tui.store import queries
from smartbox_tui.store.database import Store

log = logging.getLogger(__name__)

POSTER_S: Final = 20.0
"""For a child's first try; each further one has twice the time of the one before."""

TRIES: Final = 3
REST_S: Final = 3600.0
"""So long a picture that could not be made is left alone: the screens ask every few seconds."""

WIDTHS: Final = (160, 320, 640, 960)
"""Of what is made: a wish gets the next wider one, so that each picture has a handful of them at most."""

_STILL: Final = ".jpg"
_CACHE: Final = {"Cache-Control": "private, max-age=86400"}
"""A picture never changes under its id."""


@dataclass(slots=True)
class _Failures:
    """Of one picture: how many tries, and what the last one said."""

    count: int
    error: dict[str, str]
    at_s: float


class PicturesArea:
    """`GET /v1/instances/{uid}/picture`: image/jpeg, by picture id or SOP Instance UID.

    A still is the file itself; with `?width=N`, and of a clip, a smaller one (960 pixels at most), kept in the
    exam's `derived/`. A discarded picture is shown as long as it is kept. Errors: not-found, bad-value, timeout,
    invalid-object (nothing in the clip can be decoded). What was tried thrice in vain goes without for an hour.
    """

    def __init__(self, spool: Path, store: Store) -> None:
        self._spool, self._store = spool, store
        self._making: dict[Path, asyncio.Task[Any]] = {}
        self._failed: dict[Path, _Failures] = {}
        self._one = asyncio.Semaphore(1)  # a strip of clips must not take the processors from capture

    def handlers(self) -> Handlers:
        return {}

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/v1/instances/{uid}/picture", self.picture)]

    async def picture(self, request: web.Request) -> web.StreamResponse:
        uid = request.match_info["uid"]
        width = _width(request.query.get("width"))
        row = queries.instance(self._store.reader, uid)
        if row is None or not row.file or row.kind not in ("still", "burst", "clip"):
            raise SmartBoxError("not-found", f"There is no picture {uid}.", "See `ctl exam show ID`.")
        folder = exam_dir(self._spool, row.folder)
        path = folder / row.file
        if not path.is_file():
            known = await asyncio.to_thread(release.read, folder)
            if row.id in known:
                raise release.gone(known[row.id])
            raise SmartBoxError(
                "not-found", f"The file of picture {uid} is not on the box any more.", "smartbox store check"
            )
        if path.suffix != _STILL or width is not None:
            path = await self._made(path, folder / "derived" / f"{row.id}.w{width or WIDTHS[-1]:04d}.jpg", width)
        return web.FileResponse(path, headers={**_CACHE, "Content-Type": "image/jpeg"})

    async def _made(self, source: Path, out: Path, width: int | None) -> Path:
        """`out`, made once however many ask for it at the same time."""
        if out.is_file():
            return out
        task = self._making.get(out)
        if task is None:
            task = self._making[out] = asyncio.create_task(self._make(source, out, width or WIDTHS[-1]))
            task.add_done_callback(lambda done: self._forget(out, done))
        # Who asked may go away; the others still wait for it.
        await asyncio.shield(task)
        return out

    async def _make(self, source: Path, out: Path, width: int) -> None:
        """Raises what the child says; what the last one said, once there were enough of them."""
        failures = self._failed.get(out)
        if failures is not None and time.monotonic() - failures.at_s > REST_S:
            failures = None
        tries = failures.count if failures is not None else 0
        if failures is not None and tries >= TRIES:
            raise SmartBoxError.from_dict(failures.error)
        async with self._one:
            await asyncio.to_thread(make_folder, out.parent)
            words = ("poster", str(source), "--out", str(out), "--width", str(width))
            try:
                await children.ask(*words, timeout_s=POSTER_S * 2**tries)
            except SmartBoxError as exc:
                self._failed[out] = _Failures(tries + 1, exc.as_dict(), time.monotonic())
                if tries + 1 == TRIES:
                    log.warning("no small picture of %s after %d tries: %s", source.name, TRIES, exc.message)
                raise
            self._failed.pop(out, None)

    def _forget(self, out: Path, done: asyncio.Task[Any]) -> None:
        self._making.pop(out, None)
        if not done.cancelled():
            done.exception()  # told to those who asked, if any are left


def _width(text: str | None) -> int | None:
    """The width that is made for a wish. Raises bad-value."""
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 10_000:
        raise SmartBoxError("bad-value", "A width is a number of pixels.", "For instance ?width=320.")
    return next((item for item in WIDTHS if item >= int(text)), WIDTHS[-1])
