"""The engine's status: what the screens show and `ctl status` prints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from smartbox_tui import __version__
from smartbox_tui.engine.capture_link import CaptureLink
from smartbox_tui.engine.clock import ClockGate
from smartbox_tui.engine.commitment.patrol import Commitments
from smartbox_tui.engine.delivery import routes
from smartbox_tui.engine.delivery.pool import Delivery
from smartbox_tui.engine.exams.lifecycle import Exams
from smartbox_tui.engine.keeping import disk
from smartbox_tui.engine.keeping.keeper import Keeper
from smartbox_tui.engine.keeping.levels import Levels
from smartbox_tui.engine.orders.performed_worker import Performed
from smartbox_tui.engine.orders.worklist import Worklist
from smartbox_tui.engine.watched import watch
from smartbox_tui.settings.schema import Settings
from smartbox_tui.store import queries
from smartbox_tui.store.database import Store
from smartbox_tui.wire import state, times

PEDALS: Final = {
    "stuck": "is stuck: it has been down for longer than a foot does it. The others work.",
    "gone": "is not there.",
    "busy": "belongs to another program.",
    "refused": "may not be used by the box.",
    "failed": "cannot be used.",
}
"""Of a pedal's states those that are alarms, `pedal-STATE-ID`."""


class StatusBoard:
    """Puts the status together from the parts that know; remembers since when an alarm stands."""

    def __init__(
        self,
        store: Store,
        settings: Callable[[], Settings],
        exams: Exams,
        delivery: Delivery,
        capture: CaptureLink,
        clock: ClockGate,
        worklist: Worklist,
        performed: Performed,
        keeper: Keeper,
    ) -> None:
        self._store, self._settings, self._keeper = store, settings, keeper
        self._exams, self._delivery, self._capture, self._clock = exams, delivery, capture, clock
        self._worklist, self._performed = worklist, performed
        self._since: dict[str, str] = {}
        self.unreadable: list[str] = []
        self.watched: watch.Watched | None = None
        self.commitments: Commitments | None = None
        self.sessions: Callable[[], list[state.Session]] = list
        self.standing: dict[str, str] = {}  # alarms that others set, by code

    def _sources(self) -> list[state.Source]:
        """As configured: capture's, and the folders that the engine watches."""
        live = {item.id: item for item in self._capture.sources}
        return [
            self.watched.source(item) if self.watched and item.kind == watch.KIND else live[item.id]
            for item in self._settings().sources
        ]

    def destinations(self) -> list[state.Destination]:
        open_ = queries.open_by_destination(self._store.reader)
        paused = queries.paused_destinations(self._store.reader)
        result = []
        settings = self._settings()
        for item in settings.destinations:
            primary = routes.primary_of(settings, item)
            away_s = self._delivery.away_for(primary.name) if primary is not None else 0.0
            health = self._delivery.health(item.name)
            is_paused = item.name in paused
            promise = self.commitments.state(item.name) if self.commitments is not None else None
            result.append(
                state.Destination(
                    name=item.name,
                    kind=item.kind,
                    state="paused" if is_paused else health.state,
                    reason="paused by hand" if is_paused else health.reason,
                    code="" if is_paused else health.code,
                    open=open_.get(item.name, 0),
                    stands_in_for=primary.name if primary is not None else "",
                    standing_in=routes.is_needed(item, away_s),
                    promise=promise.state if promise else "",
                    promise_how=promise.how if promise else "",
                    promise_reason=promise.reason if promise else "",
                    asked=promise.asked if promise else 0,
                    asked_since=promise.since if promise else "",
                )
            )
        return result

    def build(self) -> state.Status:
        queue = queries.counts(self._store.reader)
        levels = self._keeper.levels()
        destinations = self.destinations()
        exam = self._exams.view(self._exams.current) if self._exams.current else None
        suspended = self._exams.view(self._exams.suspended) if self._exams.suspended else None
        return state.Status(
            version=__version__,
            exam=exam,
            sources=self._sources(),
            queue=queue,
            storage=disk.storage(levels, self._keeper.figures),
            destinations=destinations,
            clock="trusted" if self._clock.trusted else "unsure",
            alarms=self._alarms(queue["blocked"], levels, destinations),
            suspended=suspended,
            worklist=self._worklist.service(),
            performed=self._performed.services(),
            unassigned=queries.unassigned_exams(self._store.reader),
            capture=not self._capture.away,
            pedals=self._capture.pedals,
            sessions=self.sessions(),
        )

    def _alarms(self, blocked: int, levels: Levels, destinations: list[state.Destination]) -> list[state.Alarm]:
        found: dict[str, str] = {**self.standing, **(self.watched.alarms() if self.watched else {})}
        if self.commitments is not None:
            found |= self.commitments.alarms()
        if self._capture.away:
            found["capture-away"] = "The capture process does not answer: pedal and pictures may not work."
        for pedal in self._capture.pedals:
            if why := PEDALS.get(pedal.state):
                found[f"pedal-{pedal.state}-{pedal.id}"] = f"Pedal {pedal.id} {why} {pedal.text}".strip()
        if blocked:
            found["blocked"] = f"{blocked} pictures are blocked and need a decision."
        for item in destinations:
            if item.state in ("unreachable", "rejected"):
                found.pop(f"commitment-away-{item.name}", None)  # it is away altogether
                found[f"destination-{item.name}"] = f"{item.name}: {item.reason}"
        if why := self._worklist.away():
            found["worklist-away"] = f"The worklist cannot be refreshed: {why}"
        if away := self._performed.away():
            found["performed-away"] = f"Performed steps wait: {' '.join(away.values())}"
        if count := self._performed.blocked():
            found["performed-blocked"] = f"{count} messages about performed steps are blocked and need a decision."
        if not destinations:
            found["no-destination"] = "No archive is configured: pictures stay on the box."
        if why := routes.trouble(self._settings()):
            found["routes"] = why
        if not self._settings().sources:
            found["no-source"] = "No source is configured: nothing can be captured."
        if troubled := [each for each in self._sources() if each.trouble]:
            told = " ".join(f"{each.name} cannot be recorded: {each.trouble}." for each in troubled)
            found["not-recordable"] = told
        if warned := [each for each in self._sources() if each.warning]:
            told = " ".join(f"{each.name}: {each.warning}" for each in warned)
            found["source-settings"] = f"Settings that a grabber does not take. {told}"
        if failed := [each for each in self._sources() if each.encoder_failed]:
            told = " ".join(f"{each.name}: {each.encoder_failed}." for each in failed)
            found["encoder-failed"] = f"A hardware encoder failed, software makes the clips since. {told}"
        code, message = disk.alarm(levels, self._keeper.figures)
        if code:
            found[code] = message
        if why := self._clock.waiting():
            found["clock"] = why
        if why := self._clock.warning():
            found["clock-unsure"] = why
        if self.unreadable:
            found["unreadable"] = f"{len(self.unreadable)} folders of the spool are not readable; see store check."
        self._since = {code: self._since.get(code, times.now()) for code in found}
        return [state.Alarm(code=code, message=text, since=self._since[code]) for code, text in found.items()]
