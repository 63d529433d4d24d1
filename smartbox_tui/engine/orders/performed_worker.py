"""Sends performed procedure steps: one thread a server, so that a dead one never holds up another."""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from smartbox_tui.dicom.scu.mpps import Answer, StepOutcome
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.engine.delivery.breaker import NETWORK, REJECTED, Breaker, backoff
from smartbox_tui.engine.delivery.target import Health
from smartbox_tui.engine.orders.performed import StepPeer, peers_of
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.schema import Settings
from smartbox_tui.store import performed as outbox
from smartbox_tui.store import queue
from smartbox_tui.store.database import Store
from smartbox_tui.wire import state, times

log = logging.getLogger(__name__)

TICK_S: Final = 1.0
AWAY_AFTER: Final = 2
"""Failed tries in a row until an alarm says so."""

_WAITS: Final = NETWORK | {"outcome-unknown"}


Send = Callable[[Peer, str, dict[str, Any]], Answer]


@dataclass(frozen=True, slots=True)
class Verbs:
    """`dicom.scu.mpps`: how a message is sent. Both raise SmartBoxError, outcome-unknown where it may have
    arrived."""

    create: Send
    set_final: Send


class Performed:
    """The threads. `status_changed` can be called from any thread."""

    def __init__(
        self,
        store: Store,
        settings: Callable[[], Settings],
        verbs: Verbs,
        *,
        status_changed: Callable[[], None],
        may_send: Callable[[], str] = lambda: "",
    ) -> None:
        """`may_send` gives a reason not to send now, or an empty text: steps have times, as pictures have."""
        self._store, self._settings, self._verbs = store, settings, verbs
        self._may_send = may_send
        self._status_changed = status_changed
        self._workers: dict[str, _Worker] = {}
        self._lock = threading.Lock()
        self._started = False

    def start(self) -> None:
        self._started = True
        self.reconfigure()

    def reconfigure(self) -> None:
        """The settings may have changed: a thread for each server of now, messages for others wait for them."""
        if not self._started:
            return
        with self._lock:
            wanted = peers_of(self._settings())
            for name in [name for name, worker in self._workers.items() if wanted.get(name) != worker.server]:
                self._workers.pop(name).stop()
            for name, server in wanted.items():
                if name not in self._workers:
                    self._workers[name] = _Worker(
                        server, self._store, self._verbs, self._status_changed, self._may_send
                    )
                    self._workers[name].start()
        self._status_changed()

    def stop(self) -> None:
        """All at once; what is being sent is waited for, five seconds at most, and known as perhaps arrived."""
        with self._lock:
            self._started = False
            workers = list(self._workers.values())
        for worker in workers:
            worker.stop()
        for worker in workers:
            worker.join(timeout=5)

    def wake(self) -> None:
        for worker in list(self._workers.values()):
            worker.wake()

    def try_now(self, name: str | None = None) -> None:
        """The operator says that the server is back."""
        for worker in list(self._workers.values()):
            if name in (None, worker.server.name):
                worker.try_now()

    def services(self) -> list[state.ServiceState]:
        counts = outbox.counts(self._store.reader)
        found = []
        for name, worker in sorted(self._workers.items()):
            health = worker.health
            found.append(
                state.ServiceState(
                    name=name,
                    state=health.state,
                    reason=health.reason,
                    code=health.code,
                    at=worker.answered_at,
                    count=sum(count for (peer, _), count in counts.items() if peer == name),
                )
            )
        return found

    def away(self) -> dict[str, str]:
        """Servers that have not answered for more than one try, and why."""
        return {
            name: worker.health.reason
            for name, worker in sorted(self._workers.items())
            if worker.failures >= AWAY_AFTER and worker.health.state != "ok"
        }

    def blocked(self) -> int:
        return sum(
            count for (_, word), count in outbox.counts(self._store.reader).items() if word == outbox.BLOCKED
        )


class _Worker(threading.Thread):
    def __init__(
        self,
        server: StepPeer,
        store: Store,
        verbs: Verbs,
        status_changed: Callable[[], None],
        may_send: Callable[[], str],
    ) -> None:
        super().__init__(name=f"performed-{server.name}", daemon=True)
        self.server = server
        self.health = Health("unknown", "", "")
        self.answered_at: str | None = None
        self._store, self._verbs, self._status_changed = store, verbs, status_changed
        self._may_send = may_send
        self._breaker = Breaker(server.retry.first_s, server.retry.factor, server.retry.max_s)
        self._wake = threading.Event()
        self._ending = threading.Event()

    @property
    def failures(self) -> int:
        return self._breaker.failures

    # ---- from other threads

    def wake(self) -> None:
        self._wake.set()

    def try_now(self) -> None:
        self._breaker.next_probe_at = 0.0
        self.wake()

    def stop(self) -> None:
        self._ending.set()
        self.wake()

    # ---- the thread

    def run(self) -> None:
        name = self.server.name
        while not self._ending.is_set():
            try:
                if self._step():
                    continue
            except SmartBoxError as exc:
                log.error("performed steps to %s: %s", name, exc)
            except Exception:
                log.exception("performed steps to %s: a defect", name)
            self._wake.wait(TICK_S)
            self._wake.clear()

    def _step(self) -> bool:
        """One message; False when there is none to send now. While the server is away the message that failed is
        the probe: the same step twice is told by the server (0111H)."""
        if not self._breaker.may_try(time.monotonic()) or self._may_send():
            return False
        found = self._store.write(self._claim).result()
        if found is None:
            return False
        row, was_uncertain = found
        send = self._verbs.create if row.verb == outbox.CREATE else self._verbs.set_final
        try:
            answer = send(self.server.peer, row.step, json.loads(row.dataset))
        except SmartBoxError as exc:
            self._failed(row, exc, uncertain=was_uncertain or exc.code == "outcome-unknown")
            return exc.code not in _WAITS
        self._breaker.succeeded()
        self.answered_at = times.now()
        self._report("ok", "", "")
        self._answered(row, answer, was_uncertain=was_uncertain)
        return True

    def _claim(self, database: Any) -> tuple[Any, bool] | None:
        row = outbox.next_message(database, self.server.name, queue.clock())
        if row is None:
            return None
        outbox.begin_try(database, row.id)
        return row, bool(row.uncertain)

    def _report(self, word: str, reason: str, code: str) -> None:
        new = Health(word, reason, code)
        if new != self.health:
            self.health = new
            log.info("performed steps: %s is %s", self.server.name, word)
        self._status_changed()

    def _end(self, row: Any, word: str, reason: str, code: str = "", **changes: Any) -> None:
        self._store.write(lambda database: outbox.end_try(database, row, word, reason, code, **changes)).result()

    def _failed(self, row: Any, exc: SmartBoxError, *, uncertain: bool) -> None:
        if exc.code not in _WAITS:  # no-context, invalid-object: waiting would not mend it
            self._end(row, outbox.BLOCKED, exc.message, exc.code, uncertain=uncertain)
            self._report("rejected", exc.message, exc.code)
            return
        pause = self._breaker.failed(time.monotonic())
        self._end(
            row, outbox.WAITING, exc.message, exc.code,
            failures=row.failures + 1, next_at=queue.clock() + pause, uncertain=uncertain,
        )  # fmt: skip
        self._report("rejected" if exc.code in REJECTED else "unreachable", exc.message, exc.code)

    def _answered(self, row: Any, answer: Answer, *, was_uncertain: bool) -> None:
        self._store.write(lambda database: outbox.network_back(database, self.server.name)).result()
        retry = self.server.retry
        attempts = row.attempts + 1
        again = attempts < retry.attempts
        known: dict[str, Any] = {"attempts": attempts, "failures": 0, "next_at": None, "uncertain": False}
        reason = "" if answer.status == 0 else f"{answer.sentence} ({_told(answer)})"
        match answer.outcome:
            case StepOutcome.DONE:
                self._end(row, outbox.SENT, reason, **known)
            case StepOutcome.EXISTS:  # a step has one beginning, whoever asks twice
                self._end(row, outbox.SENT, reason, **known)
            case StepOutcome.FINAL if was_uncertain:  # its end is ours where an earlier try may have arrived
                self._end(row, outbox.SENT, reason, **known)
            case StepOutcome.UNKNOWN if again:
                # it has lost its memory: the beginning goes again, then the end
                self._store.write(lambda database: outbox.begin_again(database, row.step, row.peer)).result()
                self._end(row, outbox.WAITING, reason, "archive-refused", **known)
            case StepOutcome.LATER if again:
                pause = backoff(attempts, retry.first_s, retry.factor, retry.max_s, random.random())  # noqa: S311
                known |= {"uncertain": was_uncertain, "next_at": queue.clock() + pause}
                self._end(row, outbox.WAITING, reason, "archive-refused", **known)
            case _:
                self._end(row, outbox.BLOCKED, reason, "archive-refused", **known)
        self._status_changed()


def _told(answer: Answer) -> str:
    return f"{answer.status:04X}H{': ' + answer.comment if answer.comment else ''}"
