"""The capture process: everything is made and wired here, and ended here."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import msgspec

from hw.base import PedalSource, VideoSource
from hw.errors import HardwareError
from hw.pedal.factory import pedal_source
from hw.video.factory import video_source
from smartbox_tui.capture.desk import RECORD_FREE_BYTES, Sessions
from smartbox_tui.capture.exams import ExamDesk, Held
from smartbox_tui.capture.memory import bound_malloc
from smartbox_tui.capture.pedals import Functions, Pedal, PedalBoard
from smartbox_tui.capture.pictures import Pictures
from smartbox_tui.capture.preview import Preview
from smartbox_tui.capture.recordings import NO_LIMIT, Recordings
from smartbox_tui.capture.recover import Recovery
from smartbox_tui.capture.server import Server
from smartbox_tui.capture.service import Service
from smartbox_tui.capture.session import Session
from smartbox_tui.capture.taking import Stills
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.paths import Paths
from smartbox_tui.settings.schema import Loaded, Settings
from smartbox_tui.settings.schema import Pedal as PedalSettings
from smartbox_tui.settings.schema import Source as SourceSettings
from smartbox_tui.spool.durable import make_folder
from smartbox_tui.wire import events
from smartbox_tui.wire.hub import Hub
from smartbox_tui.wire.serve import checked_socket_path, serve_unix

log = logging.getLogger(__name__)

LOCK_FILE: Final = "capture.lock"
_TICK_S: Final = 1.0
_SWITCH_S: Final = 0.0005
"""CPython's 5 ms between threads is what a call into the encoder would wait for each busy Python thread."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """How sources and pedals are made; tests give others. `pedal` answers None for one without hardware."""

    video: Callable[[SourceSettings], VideoSource]
    pedal: Callable[[PedalSettings], PedalSource | None]


def real_video(settings: SourceSettings) -> VideoSource:
    return video_source(
        settings.kind,
        key=settings.id,
        name=settings.name or settings.id,
        device=settings.device,
        width=settings.width,
        height=settings.height,
        fps=_exact(settings.fps),
    )


def real_pedal(settings: PedalSettings) -> PedalSource | None:
    if settings.kind == "key":
        return None
    try:
        return pedal_source(settings.kind, key=settings.id, device=settings.device)
    except HardwareError as exc:
        log.error("pedal %s: %s %s", settings.id, exc, exc.hint)
        return None


REAL: Final = Hardware(real_video, real_pedal)


def run(paths: Paths, loaded: Loaded, hardware: Hardware = REAL, record_free_bytes: int = RECORD_FREE_BYTES) -> int:
    """Captures until SIGTERM or SIGINT; 0, or 1 when a thread that everything needs has died.

    Raises SmartBoxError `in-use` for a second capture on the same state folder, `bad-value` for a runtime
    folder too deep for a socket.
    """
    checked_socket_path(paths.capture_socket)
    paths.state.mkdir(parents=True, exist_ok=True)
    paths.runtime.mkdir(parents=True, exist_ok=True)
    make_folder(paths.spool)
    bound_malloc()
    sys.setswitchinterval(_SWITCH_S)
    with _alone(paths.state):
        return asyncio.run(_Capture(paths, loaded.settings, hardware, record_free_bytes).run())


@contextlib.contextmanager
def _alone(state: Path) -> Iterator[None]:
    """One capture per state folder. The lock goes with the process, however it ends."""
    fd = os.open(state / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SmartBoxError(
                "in-use", f"Another capture works on {state}.", "End it, or give another --state folder."
            ) from None
        yield
    finally:
        os.close(fd)


class _Capture:
    """The process's parts and their life."""

    def __init__(self, paths: Paths, settings: Settings, hardware: Hardware, record_free_bytes: int) -> None:
        self._paths = paths
        self._hub = Hub(self._snapshot)
        publish = self._hub.publish_from_thread
        self._previews = {each.id: Preview(paths.runtime, each.id) for each in settings.sources}
        self._sessions = Sessions(
            {
                each.id: Session(each, hardware.video(each), self._previews[each.id], self._source_changed)
                for each in settings.sources
            }
        )
        self._pictures = Pictures(paths.spool)
        self._exams = ExamDesk(
            paths.spool,
            paths.runtime,
            refuse_without=settings.without_patient == "refuse",
            changed=self._exam_changed,
        )
        self._stills = Stills(self._sessions, self._exams, self._pictures, publish)
        self._recordings = Recordings(
            paths.spool,
            self._sessions,
            self._exams,
            self._pictures,
            publish,
            max_bytes=min((each.max_instance_bytes for each in settings.destinations), default=NO_LIMIT),
            free_bytes=record_free_bytes,
        )
        self._functions = Functions(self._sessions, self._stills, self._recordings, publish)
        self._pedals = PedalBoard(
            {each.id: Pedal(each, hardware.pedal(each), self._functions) for each in settings.pedals}
        )
        self._service = Service(
            paths.spool,
            self._sessions,
            self._exams,
            self._pictures,
            self._stills,
            self._recordings,
            self._pedals,
            publish,
        )
        self._recovery = Recovery(paths.spool, self._sessions, self._exams, self._pictures, self._recordings)
        self._server = Server(self._service, self._hub)
        self._threads: list[threading.Thread] = []
        self._end: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._status = 0

    async def run(self) -> int:
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        self._hub.bind(self._loop)
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._end.set)
        held = self._exams.restore()
        if held is not None:
            self._pictures.load_exam(held.folder)
        # Sources first: the first frame is there while the socket is being made.
        for session in self._sessions:
            self._start(session.threads)
        for pedal in self._pedals:
            self._start(pedal.threads)
        self._start((("recover", self._recovery.run),), essential=False)
        runner = await serve_unix(self._server.routes(), self._paths.capture_socket)
        log.info("capture serves %s", self._paths.capture_socket)
        try:
            await self._until_end()
        finally:
            await asyncio.to_thread(self._close)
            await runner.cleanup()
            self._paths.capture_socket.unlink(missing_ok=True)
        return self._status

    async def _until_end(self) -> None:
        """Once a second the sources are told while one records: screens show its time and what it lost."""
        assert self._end is not None
        told: dict[str, msgspec.Struct] = {}
        while not self._end.is_set():
            for source in self._service.sources():
                if told.get(source.id) != source:
                    told[source.id] = source
                    self._hub.publish(events.SourceChanged(source=source))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._end.wait(), _TICK_S)

    def _close(self) -> None:
        """Recordings are closed while frames still come, so that they end with the last one."""
        self._recordings.stop_all("capture was ended")
        self._recovery.end()
        for pedal in self._pedals:
            pedal.end()
        self._functions.close()
        self._server.close()
        self._stills.close()
        for session in self._sessions:
            session.end()
        for thread in self._threads:
            thread.join(2)

    def _start(self, bodies: tuple[tuple[str, Callable[[], None]], ...], *, essential: bool = True) -> None:
        for name, body in bodies:
            thread = threading.Thread(target=self._guarded, args=(name, body, essential), name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def _guarded(self, name: str, body: Callable[[], None], essential: bool) -> None:
        """A thread that dies ends the process: half a capture that looks alive is worse than a restart."""
        try:
            body()
        except Exception:
            log.exception("thread %s died", name)
            if essential and self._loop is not None and self._end is not None:
                self._status = 1
                self._loop.call_soon_threadsafe(self._end.set)

    def _snapshot(self) -> msgspec.Struct:
        return self._service.snapshot()

    def _source_changed(self, session: Session) -> None:
        self._hub.publish_from_thread(events.SourceChanged(source=session.state()))

    def _exam_changed(self, held: Held | None) -> None:
        self._service.exam_changed(held)


def _exact(fps: float) -> Fraction:
    """29.97 is 30000/1001: the broadcast rates are written rounded."""
    for rate in (24, 30, 48, 60, 120):
        if abs(fps - rate * 1000 / 1001) < 0.005:
            return Fraction(rate * 1000, 1001)
    return Fraction(fps).limit_denominator(1000)
