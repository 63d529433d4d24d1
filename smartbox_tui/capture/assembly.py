"""The parts of capture, made and wired in one place; everything but the socket and the process itself."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from hw.base import PedalSource, PixelFormat, VideoSource
from hw.hotplug import Hotplug
from hw.pedal.factory import pedal_source
from hw.pedal.nothing import NoPedal
from hw.pedal.shared import SharedCalls
from hw.pedal.teach import PedalTeacher, Taught
from hw.video.factory import video_source
from hw.video.trim import Trim
from smartbox_tui.capture import watch
from smartbox_tui.capture.accelerated import Encoders
from smartbox_tui.capture.desk import Sessions
from smartbox_tui.capture.emergency import Emergencies
from smartbox_tui.capture.exams import ExamDesk, Held
from smartbox_tui.capture.pedals import Functions, Pedal, PedalBoard, Teacher
from smartbox_tui.capture.pictures import Pictures
from smartbox_tui.capture.plugging import Plugging
from smartbox_tui.capture.preview import Preview
from smartbox_tui.capture.recordings import MOST_BYTES, Recordings
from smartbox_tui.capture.recover import Recovery
from smartbox_tui.capture.room import Guard
from smartbox_tui.capture.service import Service
from smartbox_tui.capture.session import Session
from smartbox_tui.capture.taking import Stills
from smartbox_tui.model.formats import exact_rate
from smartbox_tui.settings.paths import Paths
from smartbox_tui.settings.schema import Pedal as PedalSettings
from smartbox_tui.settings.schema import Settings
from smartbox_tui.settings.schema import Source as SourceSettings
from smartbox_tui.spool.clock import box_clock
from smartbox_tui.wire import events
from smartbox_tui.wire.current import boot_id
from smartbox_tui.wire.watchdog import Progress, Watchdog

log = logging.getLogger(__name__)

_JOIN_S: Final = 2.0
_PEDAL_DEVICES: Final = SharedCalls()
"""A block of several pedals is one device, which can be grabbed only once."""


def real_teacher(settings: Settings) -> Teacher:
    """Listens to everything but the scanner. Devices that the settings name by path are known to nobody else."""
    serial = tuple(each.device.partition("?")[0] for each in settings.pedals if each.kind.startswith("serial"))
    also = tuple(path for path in serial if path.startswith("/"))

    def teach(seconds: float, ended: threading.Event) -> Taught | None:
        return PedalTeacher(also=also, without=settings.scanner.device).wait(seconds, ended)

    return teach


def real_encoders(runtime: Path) -> Encoders:
    return Encoders(folder=runtime)


def real_hotplug() -> Hotplug:
    return Hotplug(("video4linux",))


@dataclass(frozen=True, slots=True)
class Hardware:
    """How sources and pedals are made; tests give others. `pedal` answers None for one without hardware."""

    video: Callable[[SourceSettings], VideoSource]
    pedal: Callable[[PedalSettings], PedalSource | None]
    teacher: Callable[[Settings], Teacher] = real_teacher
    hotplug: Callable[[], Hotplug] = real_hotplug
    encoders: Callable[[Path], Encoders] = real_encoders


def real_video(settings: SourceSettings) -> VideoSource:
    return video_source(
        settings.kind,
        key=settings.id,
        name=settings.name or settings.id,
        device=settings.device,
        width=settings.width,
        height=settings.height,
        fps=exact_rate(settings.fps),
        trim=Trim(settings.edges, settings.masks),
        pixel=None if settings.format == "auto" else PixelFormat(settings.format),
    )


def real_pedal(settings: PedalSettings) -> PedalSource | None:
    if settings.kind == "key":
        return None
    try:
        return pedal_source(settings.kind, key=settings.id, device=settings.device, calls=_PEDAL_DEVICES)
    except ValueError as exc:
        # The box works without this pedal; it must not fail to start for it.
        log.error("pedal %s: %s", settings.id, exc)
        return NoPedal(settings.id, settings.device, str(exc))


REAL: Final = Hardware(real_video, real_pedal)


class Assembly:
    """Capture without its socket. `publish` gets every event, from any thread; `died` is called when a thread
    that everything needs has ended with an error. The folders of `paths` exist."""

    def __init__(
        self,
        paths: Paths,
        settings: Settings,
        hardware: Hardware,
        publish: Callable[[msgspec.Struct], None],
        died: Callable[[], None],
    ) -> None:
        self._publish = publish
        self._died = died
        cap = min((each.max_instance_bytes for each in settings.destinations), default=MOST_BYTES)
        self._encoders = encoders = hardware.encoders(paths.runtime)
        self._sessions = Sessions(
            {
                each.id: Session(
                    each,
                    hardware.video(each),
                    Preview(paths.runtime, each.id),
                    self._source_changed,
                    gop_bytes=cap // 4,
                    encoders=encoders,
                )
                for each in settings.sources
                if each.kind != "folder"  # the engine's
            }
        )
        self._pictures = Pictures(paths.spool)
        self._exams = ExamDesk(
            paths.spool,
            paths.runtime,
            refuse_without=settings.without_patient == "refuse",
            changed=self._exam_changed,
        )
        guard = Guard(paths.spool, settings.recording.reserve_bytes)
        self._stills = Stills(paths.spool, self._sessions, self._exams, self._pictures, guard, publish)
        self._recordings = Recordings(
            paths.spool,
            self._sessions,
            self._exams,
            self._pictures,
            guard,
            publish,
            max_bytes=cap,
        )
        self._functions = Functions(
            self._sessions,
            self._stills,
            self._recordings,
            Emergencies(self._sessions, self._exams, self._stills, self._recordings, publish),
            publish,
            burst=settings.recording.burst,
        )
        self._pedals = PedalBoard(
            {each.id: Pedal(each, hardware.pedal(each), self._functions) for each in settings.pedals},
            hardware.teacher(settings),
        )
        self.service = Service(
            self._sessions,
            self._exams,
            self._pictures,
            self._stills,
            self._recordings,
            self._pedals,
            publish,
        )
        self._clock = box_clock(paths.spool, boot_id())
        self._recovery = Recovery(paths.spool, self._sessions, self._exams, self._pictures, self._recordings)
        # Not where all sources are made up: nothing is plugged in there.
        real = any(each.kind == "v4l2" for each in settings.sources)
        self._plugging = Plugging(self._plugged, hardware.hotplug) if real else None
        self._threads: list[threading.Thread] = []
        self._pedal_threads: list[threading.Thread] = []

    def start(self) -> None:
        """Takes up the exam that was held and starts all threads; the first frames are on their way."""
        self.look_at_clock()
        held = self._exams.restore()
        if held is not None:
            self._pictures.load_exam(held.folder)
        for session in self._sessions:
            self._start(session.threads)
        for pedal in self._pedals:
            self._pedal_threads += self._start(pedal.threads)
        self._start((("recover", self._recovery.run),), essential=False)
        if self._plugging is not None:
            self._start((("plugging", self._plugging.run),), essential=False)

    def watchdog(self, commands: Progress, api: Progress) -> Watchdog:
        """Of all that `start` has started, and of what serves it."""
        return watch.watchdog(self._sessions, lambda: self._functions.progress, commands, api)

    @property
    def told(self) -> str:
        """The sources in a few words."""
        return watch.status(self._sessions)

    def look_at_clock(self) -> None:
        """Notes this boot, and its anchor as soon as the clock is synchronised."""
        self._clock.look()

    def catch_up(self) -> None:
        """See ExamDesk."""
        self._exams.catch_up()

    def close(self) -> None:
        """Ends everything; no command is under way. Recordings are closed while frames still come, so that they
        end with the last one."""
        self._recovery.end()
        if self._plugging is not None:
            self._plugging.end()
        for pedal in self._pedals:
            pedal.end()
        for thread in self._pedal_threads:
            thread.join(_JOIN_S)  # so that no press comes when nothing can be done with it any more
        self._functions.close()
        self._recordings.stop_all("capture was ended")
        self._stills.close()
        for session in self._sessions:
            session.end()
        for thread in self._threads:
            thread.join(_JOIN_S)
        self._encoders.close()

    def _start(
        self, bodies: tuple[tuple[str, Callable[[], None]], ...], *, essential: bool = True
    ) -> list[threading.Thread]:
        threads = []
        for name, body in bodies:
            thread = threading.Thread(target=self._guarded, args=(name, body, essential), name=name, daemon=True)
            thread.start()
            threads.append(thread)
        self._threads += threads
        return threads

    def _guarded(self, name: str, body: Callable[[], None], essential: bool) -> None:
        """A thread that dies ends the process: half a capture that looks alive is worse than a restart."""
        try:
            body()
        except Exception:
            log.exception("thread %s died", name)
            if essential:
                self._died()

    def _plugged(self) -> None:
        for session in self._sessions:
            session.wake()

    def _source_changed(self, session: Session) -> None:
        self._publish(events.SourceChanged(source=session.state()))

    def _exam_changed(self, held: Held | None) -> None:
        self.service.exam_changed(held)
