"""An engine's store and spool with exams that archives have, for tests of what may go."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from smartbox_tui.engine.exams.adopt import Adopter
from smartbox_tui.engine.keeping.keeper import Keeper
from smartbox_tui.model.delivery import DeliveryState as State
from smartbox_tui.settings.destination import Destination
from smartbox_tui.settings.schema import Recording, Retention, Settings
from smartbox_tui.spool import ledger, reserve
from smartbox_tui.spool.clock import NS, boottime_ns
from smartbox_tui.spool.examfile import read_exam, read_revision, write_exam
from smartbox_tui.spool.sidecar import Sidecar
from smartbox_tui.store import queries, queue, records
from smartbox_tui.store.database import Store
from tests.support.spooled import put_exam, put_still

CLOSED_AT = "2026-01-10T10:30:00.000+01:00"
WAYS: dict[State, tuple[State, ...]] = {
    State.HELD: (),
    State.QUEUED: (State.QUEUED,),
    State.PREPARING: (State.QUEUED, State.PREPARING),
    State.SENDING: (State.QUEUED, State.SENDING),
    State.WAITING: (State.QUEUED, State.WAITING),
    State.BLOCKED: (State.BLOCKED,),
    State.STORED: (State.QUEUED, State.SENDING, State.STORED),
    State.COMMITTED: (State.QUEUED, State.SENDING, State.STORED, State.COMMITTED),
    State.CANCELLED: (State.CANCELLED,),
    State.SUPERSEDED: (State.SUPERSEDED,),
}
"""From `held`, in which all deliveries of these tests are born, to each state."""


def archive(name: str = "archive", **values: Any) -> Destination:
    return Destination(**{"name": name, "host": "127.0.0.1", "aet": "PACS", "send": "manual", **values})


class Shelves:
    """`state` is the state folder. Pictures are put into closed exams, adopted, and moved on as archives would."""

    def __init__(self, state: Path, *destinations: Destination, **settings: Any) -> None:
        self.spool = state / "spool"
        self.spool.mkdir(parents=True)
        self._begin(Store(state / "smartbox.db", lambda: reserve.give(self.spool)), destinations, settings)

    @classmethod
    def over(cls, state: Path, store: Store, *destinations: Destination) -> Shelves:
        """What is there already, with another connection to its database."""
        found = cls.__new__(cls)
        found.spool = state / "spool"
        found._begin(store, destinations, {})
        return found

    def _begin(self, store: Store, destinations: tuple[Destination, ...], settings: dict[str, Any]) -> None:
        self.store = store
        self.settings = Settings(destinations=destinations or (archive(),), **settings)
        self.adopter = Adopter(self.spool, self.store, lambda: self.settings)

    def close(self) -> None:
        self.store.close()

    def exam(self, closed_at: str | None = CLOSED_AT, **values: Any) -> str:
        exam = put_exam(self.spool, **values)
        folder = self.spool / exam
        write_exam(folder, replace(read_exam(folder), closed_at=closed_at))
        self.import_exam(exam)
        return exam

    def import_exam(self, exam: str) -> None:
        folder = self.spool / exam
        file = read_exam(folder)
        revision = read_revision(folder, file.revision)
        self.store.write(lambda database: records.put_exam(database, file, revision)).result()

    def still(self, exam: str, number: int = 0, **states: State) -> Sidecar:
        """An adopted still; its delivery to each archive named is brought into a state."""
        sidecar = put_still(self.spool, exam, number=number)
        self.adopt(exam)
        for destination, state in states.items():
            self.bring(sidecar, destination, state)
        return sidecar

    def adopt(self, exam: str) -> None:
        done = self.adopter.exam(exam)
        assert done.unreadable == ()

    def rows(self, sidecar: Sidecar) -> dict[str, Any]:
        return {row.destination: row for row in queries.deliveries(self.store.reader, instance_id=sidecar.id)}

    def bring(self, sidecar: Sidecar, destination: str, state: State) -> None:
        row = self.rows(sidecar)[destination]
        self.move(sidecar, row.id, WAYS[state])

    def move(self, sidecar: Sidecar, row: int, way: Iterable[State]) -> None:
        """As the worker does: a promise is in the ledger before it is in the table."""
        for state in way:
            now: Any = queries.delivery(self.store.reader, row)
            if state in (State.STORED, State.COMMITTED):
                promise = ledger.Promise("2026-01-10T10:40:00+01:00", now.sop_uid, now.destination, state.value)
                ledger.append(self.spool / sidecar.exam, [promise])
            self.store.write(lambda database, state=state: queue.move(database, row, state, "")).result()  # type: ignore[misc]

    def instance(self, sidecar: Sidecar) -> Any:
        return queries.instance(self.store.reader, sidecar.id)


class Clock:
    """A BoxClock that says what it is told; None: it is not trusted."""

    boot_id = "this"

    def __init__(self, now: datetime | None = None) -> None:
        self.now = now

    @property
    def trusted(self) -> bool:
        return self.now is not None

    @property
    def anchors(self) -> dict[str, int]:
        return {"this": int(self.now.timestamp() * NS) - boottime_ns()} if self.now else {}


class Kept:
    """A keeper over some shelves."""

    def __init__(self, shelves: Shelves, now: datetime | None, **keep: Any) -> None:
        self.shelves = shelves
        self.told: list[Any] = []
        # the disk of the tests is as full as it is: nothing goes for want of room but where a test says so
        keep = {"begin_hours": 0.0, **keep}
        recording = Recording(reserve_bytes=0)
        self.settings = replace(shelves.settings, retention=Retention(**keep), recording=recording)
        exams: Any = SimpleNamespace(
            spool=shelves.spool,
            store=shelves.store,
            clock=Clock(now),
            publish=self.told.append,
            lock=asyncio.Lock(),
        )
        self.keeper = Keeper(exams, lambda: self.settings, lambda: None)

    def look(self) -> tuple[str, ...]:
        return asyncio.run(self.keeper.look()).pictures
