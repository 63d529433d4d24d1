"""One source while capture lives: reader thread and watchdog, rings, encoder, preview, the sink of a recording."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Final

from hw.base import Frame, PixelFormat, SignalState, Telling, VideoFormat, VideoSource
from hw.errors import HardwareError
from hw.video.trim import NOTHING, Trim
from smartbox_tui.capture import precedence
from smartbox_tui.capture.accelerated import Encoders
from smartbox_tui.capture.access import AccessUnit
from smartbox_tui.capture.beforehand import BEHIND, Beforehand
from smartbox_tui.capture.clock import NS
from smartbox_tui.capture.convert import squared
from smartbox_tui.capture.device import described, set_controls
from smartbox_tui.capture.encoder import NO_LIMIT
from smartbox_tui.capture.encoding import EncoderThreads
from smartbox_tui.capture.frames import FrameRing, Hold, NoFrame, Pinned
from smartbox_tui.capture.interlaced import shaped
from smartbox_tui.capture.passing import Passing, why_not
from smartbox_tui.capture.preroll import PrerollRing
from smartbox_tui.capture.preview import Preview
from smartbox_tui.capture.recorder import Recorder
from smartbox_tui.capture.standing import Look, Standing
from smartbox_tui.capture.trouble import HAS_PICTURE, SIGNAL_TEXTS, no_picture, state_of, text_of, words
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.schema import Source as SourceSettings
from smartbox_tui.wire.state import Source

log = logging.getLogger(__name__)

_PAUSE_FIRST_S: Final = 0.2
_PAUSE_MAX_S: Final = 2.0
_PAUSE_FACTOR: Final = 1.6
_LOG_EVERY: Final = 30
_SIGNAL_CHECK_NS: Final = NS // 10
_READ_S: Final = 0.25
_TOO_SOON_NS: Final = NS // 1000
_REST_S: Final = 0.01
_PASSED_ON: Final = "passthrough"


class Session:
    """`changed` is called from the reader's thread whenever the signal's state changed. A GOP ends after
    `gop_bytes`: a clip can only be cut between two."""

    def __init__(
        self,
        settings: SourceSettings,
        source: VideoSource,
        preview: Preview,
        changed: Callable[[Session], None],
        *,
        gop_bytes: int = NO_LIMIT,
        encoders: Encoders | None = None,
    ) -> None:
        self.settings = settings
        self.id = settings.id
        # The test pattern has trimmed its picture before it drew the strip.
        self.trim = NOTHING if settings.kind == "pattern" else Trim(settings.edges, settings.masks)
        self._source = source
        self._changed = changed
        self._preview = preview
        self._frames = FrameRing()
        self._encoder = EncoderThreads(
            settings.id,
            settings.codec,
            settings.bitrate,
            self._emit,
            preview.offer,
            trim=self.trim,
            gop_bytes=gop_bytes,
            encoder=settings.encoder,
            encoders=encoders,
            recording=lambda: self._recorder is not None,
        )
        self._before = Beforehand(
            settings.id, settings.deinterlace, Passing(settings.id, why_not=why_not(settings)),
            self._onward, self._emit, preview.offer,
        )  # fmt: skip
        self._standing = Standing()
        preview.seen = self._standing.see
        self._preroll = PrerollRing(settings.preroll_s, settings.preroll_bytes)
        self._sink_lock = threading.Lock()
        self._recorder: Recorder | None = None
        self._ended = threading.Event()
        self._wake = threading.Event()
        self._warning = ""
        self._facts: Callable[[], str] = source.facts if isinstance(source, Telling) else str
        self._state = SignalState.STARTING
        self._text = SIGNAL_TEXTS[SignalState.STARTING]
        self._format: VideoFormat | None = None
        self._fits: VideoFormat | None = None
        self._read_lost = 0
        self._frame_at_ns = self._lost_ns = 0
        self._failures = 0
        self.first_frame = threading.Event()
        self.turns = 0
        """Of the reader's thread, with frames or without: that it goes on."""
        self.threads: tuple[tuple[str, Callable[[], None]], ...] = (
            (f"read-{self.id}", self._read),
            self._before.thread,
            *self._encoder.threads,
            (preview.name, preview.run),
        )
        """What the composition root has to run, each in a thread."""

    # ---- for the commands

    @property
    def signal(self) -> SignalState:
        """As of now, also when a driver keeps the reader's thread."""
        if self._state in HAS_PICTURE and time.monotonic_ns() - self._frame_at_ns > 2 * self._limit_s * NS:
            return SignalState.NO_SIGNAL
        return self._state

    def hold(self, at_ns: int) -> Hold:
        """Asks for the frame of that moment, for `pin`, which may come late. Never waits."""
        return self._frames.hold(at_ns)

    def pin(self, hold: Hold) -> Pinned:
        """The frame of that moment. Raises no-signal, device-gone; never a frame from before a loss."""
        if not hold.settled:
            self._check()
        try:
            return self._frames.pin(hold)
        except NoFrame:
            raise self._no_picture() from None

    def next_frame(self, frame: Frame) -> Frame:
        """The frame after `frame`. Raises as `pin`."""
        try:
            return self._frames.after(frame, self._limit_s)
        except NoFrame:
            raise self._no_picture() from None

    def check_signal(self) -> None:
        """Raises no-signal or device-gone where there is no picture."""
        self._check()

    def check_recordable(self) -> None:
        """Raises `check_signal`'s errors, and refused where the codec cannot take what the source delivers."""
        self._check()
        if trouble := self._encoder.trouble:
            raise SmartBoxError(
                "refused",
                f"Source {self.id} cannot be recorded: {trouble}.",
                "Choose another codec, size or rate in the source's settings; stills still work.",
            )

    def attach(self, recorder: Recorder, from_ns: int, not_before_ns: int) -> None:
        """Feeds the recorder from the last IDR before `from_ns` on, without a seam, until `detach`.

        No unit from before `not_before_ns` goes in: that is another exam's picture.
        """
        with self._sink_lock:
            units = self._preroll.since(from_ns, not_before_ns)
            recorder.preload(units)
            self._recorder = recorder
            if not units:
                self._encoder.want_idr()

    def detach(self, recorder: Recorder) -> None:
        with self._sink_lock:
            if self._recorder is recorder:
                self._recorder = None

    def new_gop(self) -> None:
        """An exam begins here: the next unit is one that a recording can begin with."""
        self._encoder.want_idr()

    @property
    def recorder(self) -> Recorder | None:
        return self._recorder

    @property
    def drained(self) -> bool:
        """All frames read so far are encoded and fed."""
        return self._before.drained and self._encoder.drained

    @property
    def told(self) -> str:
        """A few words for the service manager."""
        return f"{self.id}: {self.signal.value}{', recording' if self._recorder is not None else ''}"

    @property
    def encoding(self) -> int | None:
        """Frames done so far; None: none waits."""
        pending = [each for each in (self._before.progress, self._encoder.progress) if each is not None]
        return sum(pending) if pending else None

    @property
    def device(self) -> dict[str, str]:
        info = self._source.info
        return {"manufacturer": info.manufacturer, "model": info.model, "serial": info.serial}

    @property
    def fps(self) -> Fraction:
        return self._format.fps if self._format else Fraction(self.settings.fps).limit_denominator(1001)

    def state(self) -> Source:
        """SOURCE of the contract."""
        signal, form, recorder = self.signal, self._format, self._recorder
        width, height = self._size(form)
        return Source(
            id=self.id,
            name=self.settings.name or self.id,
            kind=self.settings.kind,
            device=self._source.info.path or self.settings.device,
            width=width,
            height=height,
            fps=round(float(self.fps), 3),
            signal=signal in HAS_PICTURE,
            signal_state=signal.value,
            signal_text=self._text if signal is self._state else SIGNAL_TEXTS[signal],
            recording=recorder.state() if recorder and recorder.since_ns else None,
            preview=self._preview.file_name,
            preroll_s=round(min(self._preroll.seconds, self.settings.preroll_s), 1),
            frames_lost=self._read_lost + self._before.all_lost + self._encoder.lost,
            trouble=self._encoder.trouble,
            encoder=_PASSED_ON if self._before.passes else self._encoder.makers.kind,
            encoder_note=self._encoder.makers.note,
            encoder_failed=self._encoder.makers.failed,
            picture=self._standing.look.value if signal is SignalState.FROZEN else "",
            facts=self._facts(),
            warning=self._warning,
        )

    def _size(self, form: VideoFormat | None) -> tuple[int, int]:
        """Of what is kept of the picture; of the whole one where crop and mask do not fit it."""
        if form is None:
            form = VideoFormat(PixelFormat.I420, self.settings.width, self.settings.height, self.fps, False)
            trim = Trim(self.settings.edges)
        else:
            trim = self.trim
        if not trim.problem(form.width, form.height):
            form = squared(shaped(trim.format(form), self.settings.deinterlace))
        return form.width, form.height

    def want_preview(self, width: int, height: int) -> None:
        """A panel shows the preview in so many pixels; see Preview.want."""
        self._preview.want(width, height)

    def end(self) -> None:
        """Ends all threads of the session."""
        self._ended.set()
        self._wake.set()
        self._before.end()
        self._encoder.end()
        self._preview.end()

    def wake(self) -> None:
        """A device was plugged in: a source that waits for its own looks at once. From any thread."""
        self._wake.set()

    def device_told(self) -> dict[str, object]:
        """What the device can do, as JSON has it. Raises device-gone, refused."""
        return {"id": self.id, "warning": self._warning, **described(self._source, self.id)}

    def _check(self) -> None:
        if self.signal not in HAS_PICTURE:
            raise self._no_picture()

    def _no_picture(self) -> Exception:
        signal = self.signal
        if signal in HAS_PICTURE:
            signal = SignalState.NO_SIGNAL
        return no_picture(self.id, signal, self._text if signal is self._state else SIGNAL_TEXTS[signal])

    # ---- the encoder's thread

    def _emit(self, unit: AccessUnit) -> None:
        with self._sink_lock:
            self._preroll.add(unit)
            if self._recorder is not None:
                self._recorder.feed(unit)

    # ---- the reader's thread

    @property
    def _limit_s(self) -> float:
        """A source that delivers nothing for that long is opened anew."""
        return max(1.0, 10 / float(self.fps))

    def _read(self) -> None:
        precedence.of_reader()
        pause_s = _PAUSE_FIRST_S
        while not self._ended.is_set():
            self.turns += 1
            try:
                self._format = self._source.open()
                self._set_controls()
                if self._deliver():
                    pause_s = _PAUSE_FIRST_S
            except HardwareError as exc:
                self._log_failure(exc)
                self._lose(state_of(exc), text_of(exc))
            except Exception as exc:
                # A defect in a driver must not end the source for good.
                log.exception("source %s: its driver failed", self.id)
                self._lose(SignalState.NO_SIGNAL, f"the driver failed: {type(exc).__name__}")
            finally:
                self._source.close()
            self._wake.wait(pause_s)
            self._wake.clear()
            pause_s = min(_PAUSE_MAX_S, pause_s * _PAUSE_FACTOR)
        self._frames.clear()

    def _deliver(self) -> bool:
        """Reads until the source stops delivering; whether it has delivered at all. Raises HardwareError."""
        delivered = False
        last_ns = checked_ns = time.monotonic_ns()
        said = SignalState.OK
        while not self._ended.is_set():
            self.turns += 1
            asked_ns = time.monotonic_ns()
            frame = self._source.read(_READ_S)
            now_ns = time.monotonic_ns()
            if frame is None and now_ns - asked_ns < _TOO_SOON_NS:
                self._ended.wait(_REST_S)  # a driver that does not wait must not spin at real-time priority
            if frame is None or now_ns - checked_ns >= _SIGNAL_CHECK_NS or self._state not in HAS_PICTURE:
                said, checked_ns = self._source.signal(), now_ns
            if said not in HAS_PICTURE and (said is not SignalState.STARTING or frame is None):
                if said is not SignalState.STARTING:
                    self._lose(said)
                if frame is not None:  # a driver may go on delivering with the cable out: those are no pictures
                    last_ns = now_ns
                    continue
            if frame is None:
                if now_ns - last_ns > self._limit_s * NS:
                    self._lose(said if said is not SignalState.OK else SignalState.NO_SIGNAL)
                    self._log_failure(f"no frame for {self._limit_s:.1f} s")
                    return delivered
                continue
            last_ns = now_ns
            delivered = True
            self._take(frame, now_ns, steady=said is not SignalState.UNSTABLE)
        return delivered

    def _take(self, frame: Frame, now_ns: int, *, steady: bool) -> None:
        """Raises NotSupported for a picture that crop and mask do not fit: nobody may see what they are to hide."""
        if frame.format != self._fits:
            self.trim.check(frame.format, self._source.info.path)
            self._fits = frame.format
            self._frames.behind = BEHIND if self._before.delays(frame.format) else 0
        self._format = frame.format
        self._frame_at_ns = now_ns
        self._read_lost += frame.lost
        if self._state not in HAS_PICTURE:
            self._encoder.want_idr()
            self._failures = 0
        self._before.put(frame)
        frozen = self._standing.read(frame, now_ns) or self._standing.look is not Look.PICTURE
        state = SignalState.FROZEN if frozen else SignalState.OK if steady else SignalState.UNSTABLE
        self._set(state)
        self.first_frame.set()

    def _onward(self, frame: Frame, passed: bool) -> None:
        """A whole picture, in the reader's thread or in that of `Beforehand`."""
        if frame.timestamp_ns > self._lost_ns or not self._frames.behind:  # never one from before a loss
            self._frames.put(frame)
        if not passed:
            self._encoder.put(frame)

    def _set_controls(self) -> None:
        warning = set_controls(self._source, self.settings.controls)
        if warning and warning != self._warning:
            log.warning("source %s: %s", self.id, warning)
        self._warning = warning

    def _lose(self, state: SignalState, text: str = "") -> None:
        self._lost_ns = time.monotonic_ns()
        if self._state in HAS_PICTURE:
            self._standing.again()
            self._before.fresh()
        if state is SignalState.GONE and (recorder := self._recorder) is not None:
            recorder.cut("the grabber was unplugged")
        self._frames.clear()
        if state in HAS_PICTURE:  # the device still says so, but nothing comes
            state = SignalState.NO_SIGNAL
        self._set(state, text)

    def _set(self, state: SignalState, text: str = "") -> None:
        text = text or words(state, self._facts(), self._standing.look)
        if (state, text) != (self._state, self._text):
            log.info("source %s: %s (%s)", self.id, state.value, text)
            self._state, self._text = state, text
            self._changed(self)

    def _log_failure(self, why: object) -> None:
        """The first, then every Nth: a grabber that is out for the night must not fill the log."""
        if self._failures % _LOG_EVERY == 0:
            log.warning("source %s failed (%d times before): %s", self.id, self._failures, why)
        self._failures += 1
