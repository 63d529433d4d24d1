"""The touch panel of the box: a thread that reads it and sends what the finger does, as the terminal sends a mouse.

Only the console on the box's own screen opens it; a panel that is pulled, busy or forbidden is said, and is opened
again when it is back. Nothing here waits for the app, and the app waits for nothing here.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from textual.events import MouseDown, MouseEvent, MouseMove, MouseUp
from textual.message import Message

from hw.base import TouchEvent, TouchKind, TouchSource
from hw.errors import DeviceBusy, DeviceGone, DeviceRefused, HardwareError, NotSupported
from hw.panel.calibration import Affine, Grid, Point, turned
from hw.panel.gestures import Gesture, Gestures, Kind
from smartbox_tui.settings.schema import Settings

log = logging.getLogger(__name__)

NONE: Final = "none"
"""`panel.touch`: it is not opened."""
_READ_S: Final = 0.1
_LOOK_S: Final = 5.0
_PAUSES_S: Final = (0.2, 0.5, 1.0, 2.0)
_LOG_EVERY: Final = 300
_JOIN_S: Final = 0.5
_NS: Final = 1_000_000_000

Send = Callable[[Message], None]
"""The driver's `process_message`: thread-safe, and in order."""


class Make(Protocol):
    """Makes the panel of that name; `never` are devices that "auto" leaves alone."""

    def __call__(self, device: str, never: tuple[str, ...]) -> TouchSource: ...


@runtime_checkable
class Choosing(Protocol):
    """A panel that was chosen by itself."""

    def outdone(self) -> bool:
        """Whether a better one has come."""


def real_panel(device: str, never: tuple[str, ...]) -> TouchSource:
    from hw.panel.touch import EvdevTouch

    return EvdevTouch(device=device, never=never)


class FingerDown(MouseDown):
    """A MouseDown that keeps the kernel's time of the touch on its way to the widget."""

    def _apply_offset(self, x: int, y: int) -> MouseEvent:
        moved = super()._apply_offset(x, y)
        moved.time = self.time
        return moved


FingerDown.handler_name = MouseDown.handler_name


class FingerDrags(Message):
    """The finger has begun to drag: it presses nothing any more."""


class FingerRests(Message):
    """A long press, the finger still down."""

    def __init__(self, at: Point) -> None:
        super().__init__()
        self.at = at


class FingerThrows(Message):
    """The finger left in the middle of a drag, with that speed in rows a second; its MouseUp follows."""

    def __init__(self, speed: float) -> None:
        super().__init__()
        self.speed = speed


class FingerLost(Message):
    """Nobody has lifted the finger, but the touch is over and was none; its MouseUp follows."""


class RawTouch(Message):
    """While the app wants them raw: where the panel itself says, turned but not calibrated; 0 to 1."""

    def __init__(self, kind: TouchKind, place: Point) -> None:
        super().__init__()
        self.kind = kind
        self.place = place


class TouchBecame(Message):
    """How the panel is: empty: it works; none, gone, busy, refused, wrong, failed: it does not; stuck: something
    lies on it."""

    def __init__(self, state: str) -> None:
        super().__init__()
        self.state = state


@dataclass(frozen=True, slots=True)
class Placement:
    """Which panel, and where its touches lie on the screen."""

    device: str
    never: tuple[str, ...]
    rotation: int
    calibration: Affine
    grid: Grid

    @classmethod
    def of(cls, settings: Settings, grid: Grid) -> Placement:
        panel = settings.panel
        never = (*(pedal.device for pedal in settings.pedals), settings.scanner.device)
        return cls(
            panel.touch,
            tuple(name for name in never if name),
            panel.rotation,
            Affine.parse(panel.calibration),
            grid,
        )

    def turned(self, event: TouchEvent) -> Point:
        return turned((event.x, event.y), self.rotation)

    def cell(self, event: TouchEvent) -> Point:
        return self.grid.cell(self.calibration(self.turned(event)))


class TouchThread:
    """Reads the panel from `start` to `end`, once `place` has told which and where."""

    def __init__(self, make: Make = real_panel, in_front: Callable[[], bool] = lambda: True) -> None:
        """`in_front`: whether the screen shows this console now."""
        self._make = make
        self._in_front = in_front
        self._send_on: Send = lambda message: None
        self._place: Placement | None = None
        self._ended = threading.Event()
        self._changed = threading.Event()
        self._thread: threading.Thread | None = None
        self._gestures = Gestures()
        self._cell: tuple[int, int] | None = None
        self._state = ""
        self._seen = False
        self._lies = False
        self._unseen = False
        self.raw = False
        """Touches go to the calibration as they are, and press nothing."""

    # ---- the app's side

    def start(self, send: Send) -> None:
        """May be started again after its end."""
        self._send_on = send
        if self._thread is None or self._ended.is_set():
            self._ended.clear()
            self._thread = threading.Thread(target=self._run, name="touch", daemon=True)
            self._thread.start()

    def place(self, placement: Placement) -> None:
        """At once, also in the middle of a touch; another device is opened in its place."""
        before, self._place = self._place, placement
        if before is None or (before.device, before.never) != (placement.device, placement.never):
            self._changed.set()

    @property
    def placement(self) -> Placement | None:
        return self._place

    def end(self) -> None:
        """Lets go of the device. A driver that hangs is not waited for."""
        self._ended.set()
        self._changed.set()
        if self._thread is not None:
            self._thread.join(_JOIN_S)

    # ---- the thread

    def _run(self) -> None:
        failures = 0
        while not self._ended.is_set():
            self._changed.clear()
            place = self._place
            if place is None or place.device == NONE:
                self._tell("")
                self._changed.wait(1.0)
                continue
            source = self._make(place.device, place.never)
            try:
                source.open()
                log.info("the touch panel is there: %s, %s", source.info.key, source.info.name)
                failures, self._seen, self._lies = 0, True, False
                self._tell("")
                self._listen(source)
            except HardwareError as exc:
                self._tell(self._trouble(place, exc))
                self._log(failures, exc)
            except Exception as exc:  # a defect in its driver must not cost the screen anything but touch
                log.exception("the touch panel's driver failed")
                self._tell("failed")
                self._log(failures, exc)
            finally:
                source.close()
                self._nobody()
            if not self._changed.is_set():
                self._changed.wait(_PAUSES_S[min(failures, len(_PAUSES_S) - 1)])
            failures += 1

    def _listen(self, source: TouchSource) -> None:
        looked_s = time.monotonic()
        while not self._changed.is_set():
            due = self._gestures.due_ns
            wait = _READ_S if due is None else min(_READ_S, max(0.0, (due - time.monotonic_ns()) / _NS))
            event = source.read(wait)
            if event is None:
                if self._lies:
                    self._tell("stuck")
                if isinstance(source, Choosing) and time.monotonic() - looked_s > _LOOK_S:
                    looked_s = time.monotonic()
                    if source.outdone():
                        log.info("a better touch panel has come")
                        self._changed.set()
                if (long := self._gestures.rest(time.monotonic_ns())) is not None and not self.raw:
                    self._act(long)
                continue
            self._take(event)

    def _take(self, event: TouchEvent) -> None:
        place = self._place
        if place is None:
            return
        if event.kind is TouchKind.DOWN:
            self._tell("")
            self._unseen = not self._in_front()
        self._lies = event.cancelled
        if self._unseen:  # another terminal is in front: nothing of ours was aimed at
            return
        if self.raw:
            self._gestures = Gestures()
            if not event.cancelled:
                self._send(RawTouch(event.kind, place.turned(event)))
            return
        for gesture in self._gestures.touch(event.kind, place.cell(event), event):
            self._act(gesture)

    def _nobody(self) -> None:
        """After a driver that failed in the middle of a touch."""
        lost = TouchEvent(TouchKind.UP, 0.0, 0.0, time.monotonic_ns(), cancelled=True)
        for gesture in self._gestures.touch(TouchKind.UP, (0.0, 0.0), lost):
            self._act(gesture)

    def _act(self, gesture: Gesture) -> None:
        at = gesture.x, gesture.y
        match gesture.kind:
            case Kind.DOWN:
                self._mouse(FingerDown, gesture)
            case Kind.LONG:
                self._send(FingerRests(at))
            case Kind.DRAG:
                if gesture.first:
                    self._send(FingerDrags())
                    self._cell = None
                cell = (int(gesture.x), int(gesture.y))
                if cell != self._cell:
                    self._cell = cell
                    self._mouse(MouseMove, gesture)
            case Kind.TAP:
                self._mouse(MouseUp, gesture)
            case Kind.DROP:
                if gesture.speed:
                    self._send(FingerThrows(gesture.speed))
                self._mouse(MouseUp, gesture)
            case Kind.CANCEL:
                self._send(FingerLost())
                self._mouse(MouseUp, gesture)

    def _mouse(self, kind: type[MouseEvent], gesture: Gesture) -> None:
        x, y = gesture.x, gesture.y
        event = kind(None, x, y, 0, 0, 1, False, False, False, screen_x=x, screen_y=y)
        event.time = gesture.timestamp_ns / _NS
        self._send(event)

    def _send(self, message: Message) -> None:
        if self._ended.is_set():  # nobody sees it any more; the loop may be closed
            return
        try:
            self._send_on(message)
        except RuntimeError:  # the loop is closed: the app has gone
            self._ended.set()

    # ---- trouble

    def _trouble(self, place: Placement, exc: HardwareError) -> str:
        if isinstance(exc, DeviceGone):
            return "gone" if self._seen or place.device != "auto" else "none"
        known: Mapping[type[HardwareError], str] = {
            DeviceBusy: "busy",
            DeviceRefused: "refused",
            NotSupported: "wrong",
        }
        return known.get(type(exc), "failed")

    def _tell(self, state: str) -> None:
        if state != self._state:
            self._state = state
            self._send(TouchBecame(state))

    @staticmethod
    def _log(failures: int, exc: Exception) -> None:
        """The first, then every Nth."""
        if failures % _LOG_EVERY == 0:
            log.warning("the touch panel does not work (tried %d times before): %s", failures, exc)


def own_panel(environ: Mapping[str, str]) -> TouchThread | None:
    """For the console that runs on the box's own screen; None over SSH, in tmux, in a terminal window."""
    if "SSH_CONNECTION" in environ:
        return None
    from hw.panel.vt import own_terminal

    terminal = own_terminal()
    return TouchThread(in_front=terminal.in_front) if terminal is not None else None
