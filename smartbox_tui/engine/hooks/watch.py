"""Events that no table changes with: archives that go away and come back, alarms. What was told is a fact in the
database, so that a restart tells nothing twice."""

from __future__ import annotations

import logging
from concurrent.futures import Future
from typing import Any, Final

from smartbox_tui.store import facts, hooks, queue
from smartbox_tui.store.database import Store
from smartbox_tui.wire import state

log = logging.getLogger(__name__)

STAND_S: Final = 5.0
"""So long an alarm must stand, or be gone, before it is told: what mends itself at once is no news."""
AWAY: Final = frozenset({"unreachable", "rejected"})
_AWAY_FACT: Final = "hooks.away"
_ALARM_FACT: Final = "hooks.alarms"


class Watch:
    """Belongs to the event loop's thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._away: set[str] = set()
        self._alarms: dict[str, str] = {}  # told ones: code -> sentence
        self._changing: dict[str, float] = {}  # code -> CLOCK_MONOTONIC of its coming or going
        self._started = self._lost = False

    def start(self) -> None:
        self._away = set(facts.get(self._store.reader, _AWAY_FACT) or [])
        self._alarms = dict(facts.get(self._store.reader, _ALARM_FACT) or {})
        self._started = True

    def see(self, status: state.Status, now_s: float) -> None:
        if not self._started:
            return
        if self._lost:  # a full disk, say: what was not written down was not told
            self._lost = False
            self.start()
        self._see_destinations(status)
        self._see_alarms(status, now_s)

    def _see_destinations(self, status: state.Status) -> None:
        known = {item.name for item in status.destinations}
        for item in status.destinations:
            if item.state in AWAY and item.name not in self._away:
                self._away.add(item.name)
                event = "destination.away"
            elif item.state == "ok" and item.name in self._away:
                self._away.discard(item.name)
                event = "destination.back"
            else:
                continue
            data = {
                "destination": item.name, "state": item.state, "code": item.code, "reason": item.reason,
                "open": item.open,
            }  # fmt: skip
            self._tell(event, data, _AWAY_FACT, sorted(self._away))
        self._away &= known

    def _see_alarms(self, status: state.Status, now_s: float) -> None:
        found = {item.code: item for item in status.alarms}
        changed = found.keys() ^ self._alarms.keys()
        self._changing = {code: self._changing.get(code, now_s) for code in changed}
        for code in [code for code, since_s in self._changing.items() if now_s - since_s >= STAND_S]:
            del self._changing[code]
            alarm = found.get(code)
            if alarm is None:
                data = {"code": code, "message": self._alarms.pop(code), "since": None}
                self._tell("alarm.cleared", data, _ALARM_FACT, dict(self._alarms))
                continue
            self._alarms[code] = alarm.message
            data = {"code": code, "message": alarm.message, "since": alarm.since}
            self._tell("alarm.raised", data, _ALARM_FACT, dict(self._alarms))
            if code.startswith("disk"):
                room = status.storage
                low = {"code": code, "free_bytes": room.free_bytes, "hours_left": room.hours_left}
                self._tell("disk.low", low, _ALARM_FACT, dict(self._alarms))

    def _tell(self, event: str, data: dict[str, Any], fact: str, value: Any) -> None:
        def job(database: Any) -> None:
            hooks.tell(database, event, data, queue.now_text(), queue.clock())
            facts.put(database, fact, value)

        def done(written: Future[None]) -> None:
            if written.exception() is not None:
                log.error("hooks: %s could not be written down: %s", event, written.exception())
                self._lost = True

        self._store.write(job).add_done_callback(done)
