"""Pedals: edges in, gestures out, and what a gesture does."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from uuid import uuid4

import msgspec

from hw.base import PedalEdge, PedalSource
from hw.errors import DeviceBusy, HardwareError
from hw.pedal.factory import DEBOUNCE_NS
from hw.pedal.gesture import GestureKind, GestureRecognizer, PedalFree, PedalStuck, Told
from hw.pedal.teach import Taught
from smartbox_tui.capture.clock import NS
from smartbox_tui.capture.desk import Sessions, trigger_ns
from smartbox_tui.capture.emergency import Emergencies
from smartbox_tui.capture.frames import Hold
from smartbox_tui.capture.recordings import Recordings
from smartbox_tui.capture.taking import Pin, Stills
from smartbox_tui.capture.trouble import not_heard, pedal_state
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.schema import Pedal as PedalSettings
from smartbox_tui.wire import commands, events, state, times

log = logging.getLogger(__name__)

_STILLS: Final = frozenset({"still", "emergency"})
"""Functions that need the frame of the press."""

_PAUSE_S: Final = 2.0
PREFIX: Final = "pedal:"
"""Of a sidecar's `trigger`, before the pedal's id."""

_EDGES: Final = ("down", "up", "tap")
TEACH_MAX_S: Final = 50.0
"""Within what a client waits for an answer."""

Teacher = Callable[[float, threading.Event], Taught | None]

_READ_S: Final = 0.25
_PAUSES_S: Final = (0.2, 0.5, 1.0, 2.0)
_LOG_EVERY: Final = 30
_LATE_NS: Final = 30_000_000
"""Rules are applied that much later than due: a release that still lies in the kernel came in time."""


class Functions:
    """What pedals can do, each in a thread of its own kind so that no pedal waits for a disk."""

    def __init__(
        self,
        sessions: Sessions,
        stills: Stills,
        recordings: Recordings,
        emergencies: Emergencies,
        publish: Callable[[msgspec.Struct], None],
        *,
        burst: int,
    ) -> None:
        self._sessions = sessions
        self._stills = stills
        self._recordings = recordings
        self._emergencies = emergencies
        self._burst = burst
        self.publish = publish
        # One thread: what is pressed after another happens after the other.
        self._pool = ThreadPoolExecutor(1, "pedal")
        self._working, self._done = False, 0

    def pin(self, trigger: str, at_ns: int, *, write: bool) -> Pin | None:
        """The frame of a press that may become a still, on disk as soon as can be where it is meant to `write`;
        None without a source."""
        try:
            return self._stills.pin(self._sessions.named(None), trigger, at_ns, write=write)
        except SmartBoxError as exc:
            log.warning("%s: %s", trigger, exc)
            return None

    def hold(self, at_ns: int) -> Hold | None:
        """The frame of a press that may become a burst; None without a source. Never waits."""
        with contextlib.suppress(SmartBoxError):  # told when the function is done
            return self._sessions.named(None).hold(at_ns)
        return None

    def do(self, function: str, trigger: str, at_ns: int, pin: Pin | None, hold: Hold | None = None) -> None:
        """The gesture is known: does `function`, with what was pinned or held at the press. Returns at once; the
        frame of the press stays, whatever the thread is still busy with."""
        if pin is None and function in _STILLS:
            pin = self.pin(trigger, at_ns, write=True)
        if hold is None and function == "burst":
            hold = self.hold(at_ns)
        self._pool.submit(self._do, function, trigger, at_ns, pin, hold)

    @property
    def progress(self) -> int | None:
        """Functions done so far; None: there is none."""
        return self._done if self._working else None

    def close(self) -> None:
        self._pool.shutdown()

    def _do(self, function: str, trigger: str, at_ns: int, pin: Pin | None, hold: Hold | None) -> None:
        self._working = True
        try:
            if function == "emergency":
                self._emergencies.begin(trigger.removeprefix(PREFIX), trigger, at_ns, pin)
                return
            if pin is not None and function in _STILLS:
                self._stills.keep(pin)
                return
            if pin is not None:
                self._stills.withdraw(pin)
            session = self._sessions.named(None)
            match function:
                case "burst":
                    self._take_burst(session.id, trigger, at_ns, hold)
                case "record":
                    self._recordings.toggle(session, trigger, at_ns)
                case "mark":
                    self._recordings.mark(commands.RecordMark(id=str(uuid4()), source=session.id, at_ns=at_ns))
        except SmartBoxError as exc:
            log.warning("%s: %s: %s", trigger, function, exc)
            self.publish(events.TriggerFailed(trigger=trigger, function=function, error=exc.as_dict()))
        except Exception:
            log.exception("%s: %s failed", trigger, function)
        finally:
            self._done += 1
            self._working = False

    def _take_burst(self, source: str, trigger: str, at_ns: int, hold: Hold | None) -> None:
        identity = str(uuid4())
        command = commands.Still(id=identity, source=source, burst=self._burst, at_ns=at_ns, trigger=trigger)
        self._stills.take(command, hold)


class Pedal:
    """One pedal: its edges come from hardware (`read`, a thread) and from software (`feed`, any thread)."""

    def __init__(self, settings: PedalSettings, source: PedalSource | None, functions: Functions) -> None:
        self.settings = settings
        self._source = source
        self._functions = functions
        self._trigger = f"{PREFIX}{settings.id}"
        self._actions = {
            GestureKind.SHORT: settings.short,
            GestureKind.LONG: settings.long,
            GestureKind.DOUBLE: settings.double,
        }
        self._rules = GestureRecognizer(
            long=settings.long != "none", double=settings.double != "none", debounce_ns=DEBOUNCE_NS[settings.kind]
        )
        self._condition, self._text = ("ok", "") if source is None else ("starting", "")
        self._stuck = False
        self._since = times.now()
        self._changed = threading.Condition()
        self._ended = threading.Event()
        self._writes = settings.short in _STILLS
        # A press that is probably something else makes no file, and no exam where there is none.
        self._pins = self._writes or not _STILLS.isdisjoint(self._actions.values())
        self._pin: Pin | None = None
        self._bursts = "burst" in self._actions.values()
        self._hold: Hold | None = None
        self._paused = False
        self._away = threading.Event()  # the device is closed
        self._away.set()
        name = f"pedal-{settings.id}"
        self.threads: tuple[tuple[str, Callable[[], None]], ...] = ((f"{name}-rules", self._tick),)
        if source is not None:
            self.threads += ((name, self._read),)

    def feed(self, edge: PedalEdge) -> None:
        """Takes one edge; what it means is done in other threads."""
        with self._changed:
            if self._paused:
                return
            told = self._rules.feed(edge)
            press_ns = self._rules.press_ns
            if not told and edge.down and press_ns is not None and self._pin is None and self._pins:
                self._pin = self._functions.pin(self._trigger, press_ns, write=self._writes)
            if press_ns is not None and self._bursts and (self._hold is None or self._hold.at_ns != press_ns):
                self._hold = self._functions.hold(press_ns)
            self._act(told)
            self._changed.notify_all()

    def pause(self) -> None:
        """Lets go of the device, and does nothing until `resume`. A press under way ends here."""
        self.feed(PedalEdge(down=False, timestamp_ns=time.monotonic_ns()))
        with self._changed:
            self._paused = True
        self._away.wait(_PAUSE_S)

    def resume(self) -> None:
        with self._changed:
            self._paused = False
            self._changed.notify_all()

    def end(self) -> None:
        self._ended.set()
        with self._changed:
            self._changed.notify_all()

    def state(self) -> state.Pedal:
        """What screens and alarms show of it."""
        with self._changed:
            return state.Pedal(
                id=self.settings.id,
                kind=self.settings.kind,
                device=self.settings.device,
                state="stuck" if self._stuck else self._condition,
                text=self._text,
                since=self._since,
            )

    def _become(self, condition: str, text: str = "") -> None:
        with self._changed:
            if (condition, text) != (self._condition, self._text):
                self._condition, self._text, self._since = condition, text, times.now()
                self._functions.publish(events.PedalChanged(pedal=self.state()))

    def _jam(self, *, stuck: bool) -> None:
        """Down for so long that no foot does it, or up again."""
        (log.warning if stuck else log.info)("%s %s", self._trigger, "is stuck" if stuck else "has come up again")
        self._stuck, self._since = stuck, times.now()
        self._say("stuck" if stuck else "free")
        self._functions.publish(events.PedalChanged(pedal=self.state()))

    def _act(self, told: list[Told]) -> None:
        for each in told:
            if isinstance(each, PedalStuck | PedalFree):
                self._jam(stuck=isinstance(each, PedalStuck))
                continue
            self._say(each.kind.value)
            pin, hold = self._pin, self._hold
            self._pin = self._hold = None
            if hold is not None and hold.at_ns != each.press_ns:
                hold = None  # of another press
            self._functions.do(self._actions[each.kind], self._trigger, each.press_ns, pin, hold)

    def _say(self, gesture: str) -> None:
        self._functions.publish(events.PedalUsed(pedal=self.settings.id, gesture=gesture))

    def _tick(self) -> None:
        with self._changed:
            while not self._ended.is_set():
                deadline_ns = self._rules.deadline_ns
                now_ns = time.monotonic_ns()
                if deadline_ns is not None and deadline_ns + _LATE_NS <= now_ns:
                    self._act(self._rules.tick(now_ns - _LATE_NS))
                    continue
                left_s = None if deadline_ns is None else (deadline_ns + _LATE_NS - now_ns) / NS
                self._changed.wait(left_s)

    def _read(self) -> None:
        assert self._source is not None
        failures = 0
        while self._wait_for_turn():
            try:
                self._source.open()
                self._found(down=self._source.down)
                if failures:
                    log.info("%s is back", self._trigger)
                    self._say("back")
                failures = 0
                while not self._ended.is_set() and not self._paused:
                    if (edge := self._source.read(_READ_S)) is not None:
                        self.feed(edge)
                if self._paused:
                    continue
            except HardwareError as exc:
                self._lost(failures, exc)
            except Exception as exc:
                log.exception("%s: its driver failed", self._trigger)
                self._lost(failures, exc)
            finally:
                self._source.close()
                self._away.set()
            self._ended.wait(_PAUSES_S[min(failures, len(_PAUSES_S) - 1)])
            failures += 1

    def _found(self, *, down: bool) -> None:
        """The device is open: a pedal that is down already may be stuck, but was pressed for nobody."""
        with self._changed:
            self._act(self._rules.begin(time.monotonic_ns(), down=down))
            self._become("ok")
            self._changed.notify_all()

    def _wait_for_turn(self) -> bool:
        """Waits while the pedal is paused; False when it ends."""
        with self._changed:
            self._changed.wait_for(lambda: not self._paused or self._ended.is_set())
            self._away.clear()
        return not self._ended.is_set()

    def _lost(self, failures: int, exc: Exception) -> None:
        if failures % _LOG_EVERY == 0:
            log.warning("%s failed (%d times before): %s", self._trigger, failures, exc)
        condition, text = pedal_state(exc)
        self._become(condition, text)
        if failures == 0:
            self._say("busy" if condition == "busy" else "gone")
            # A press that the lost device cut short ends here, or it would be long for ever.
            self.feed(PedalEdge(down=False, timestamp_ns=time.monotonic_ns()))


class PedalBoard:
    """All pedals by their id. `teacher` waits for a press on anything that could be one."""

    def __init__(self, pedals: Mapping[str, Pedal], teacher: Teacher) -> None:
        self._pedals = dict(pedals)
        self._teacher = teacher
        self._teaching = threading.Lock()
        self._ended = threading.Event()

    def teach(self, seconds: float) -> Taught:
        """What was pressed. The configured pedals do nothing meanwhile. Raises timeout, bad-value, in-use;
        device-busy where nothing was pressed, and another program has what could be the pedal."""
        if not 0 < seconds <= TEACH_MAX_S:
            raise SmartBoxError("bad-value", f"Teaching takes up to {TEACH_MAX_S:.0f} s.", "Give a time within it.")
        if not self._teaching.acquire(blocking=False):
            raise SmartBoxError("in-use", "A pedal is being taught already.", "Press it, or wait a moment.")
        try:
            for pedal in self:
                pedal.pause()
            taught = self._teacher(seconds, self._ended)
        except DeviceBusy as exc:
            raise not_heard(exc) from exc
        finally:
            for pedal in self:
                pedal.resume()
            self._teaching.release()
        if taught is None:
            raise SmartBoxError(
                "timeout", "No pedal was pressed.", "Check its plug and whether its lamp is on, then try again."
            )
        return taught

    def states(self) -> list[state.Pedal]:
        return [pedal.state() for pedal in self]

    def end(self) -> None:
        """Ends a teaching that is under way."""
        self._ended.set()

    def press(self, pedal: str, edge: str, at_ns: int | None) -> None:
        """A press by software. Raises bad-value for an unknown pedal or edge."""
        if pedal not in self._pedals:
            known = ", ".join(self._pedals) or "none"
            raise SmartBoxError("bad-value", f"There is no pedal {pedal!r}.", f"Configured: {known}.")
        if edge not in _EDGES:
            raise SmartBoxError("bad-value", f"{edge!r} is no edge of a pedal.", f"One of {', '.join(_EDGES)}.")
        at = trigger_ns(at_ns)
        if edge in ("down", "tap"):
            self._pedals[pedal].feed(PedalEdge(down=True, timestamp_ns=at))
        if edge in ("up", "tap"):
            self._pedals[pedal].feed(PedalEdge(down=False, timestamp_ns=at + (1 if edge == "tap" else 0)))

    def __iter__(self) -> Iterator[Pedal]:
        return iter(self._pedals.values())
