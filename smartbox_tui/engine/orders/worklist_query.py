"""Queries of the worklist by hand: beside the refresh, in threads of their own, cancelled by whoever asked."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

import msgspec

from smartbox_tui.engine.orders import worklist as lists
from smartbox_tui.engine.orders.worklist import Asked, Worklist
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.matching import open_ended
from smartbox_tui.model.worklist import WorklistKeys
from smartbox_tui.store import worklist as kept
from smartbox_tui.wire import commands, state

AT_ONCE: Final = 4
ANY: Final = "any"
_ALL: Final = "*"
"""No matching of AE titles and code strings knows it (PS3.4 C.2.2.2.4): here it is the absence of the key."""
GRACE_S: Final = 2.0
"""So long a server may take to end a query that was cancelled; then whoever asked has what came until then."""


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """`worklist query` of the contract. `complete`: nothing is missing; `skipped` answers were no entries.
    `trouble`: why the server did not answer, {code, message, hint}; not `error`, for the command has not failed."""

    items: list[state.WorklistItem]
    age_s: float | None
    from_cache: bool
    complete: bool
    skipped: int = 0
    trouble: dict[str, str] | msgspec.UnsetType = msgspec.UNSET


@dataclass(slots=True)
class _Query:
    """One that runs. `came` grows in its thread."""

    answer: asyncio.Future[Answer]
    cancel: threading.Event
    came: dict[str, kept.Heard]


class Queries:
    """All methods belong to the event loop's thread."""

    def __init__(self, worklist: Worklist) -> None:
        self._worklist = worklist
        self._running: dict[str, _Query] = {}
        self._threads = 0

    async def query(self, command: commands.WorklistQuery) -> Answer:
        """Raises not-found (no worklist is set up), bad-value (a date), in-use (too many at a time)."""
        if command.id in self._running:  # the same one again: it has one answer
            return await asyncio.shield(self._running[command.id].answer)
        settings = self._worklist.settings()
        wanted = lists.asked(settings, date.today())  # noqa: DTZ011 - the day of the house
        wanted = replace(wanted, keys=_keys(command, wanted.keys))
        if self._threads >= AT_ONCE:
            raise SmartBoxError(
                "in-use", f"{AT_ONCE} queries are running.", "Wait for one, or cancel it, then ask again."
            )
        running = _Query(asyncio.get_running_loop().create_future(), threading.Event(), {})
        self._running[command.id] = running
        running.answer.add_done_callback(lambda _: self._running.pop(command.id, None))
        self._threads += 1
        self._in_thread(running.answer, lambda: self._ask(command, wanted, running), self._ended)
        return await asyncio.shield(running.answer)

    def cancel(self, query: str) -> bool:
        """False: there is no such query any more. A server that is deaf to it holds up nobody."""
        running = self._running.get(query)
        if running is None:
            return False
        running.cancel.set()
        asyncio.get_running_loop().call_later(GRACE_S, self._leave, running)
        return True

    def _leave(self, running: _Query) -> None:
        if not running.answer.done():
            self._in_thread(running.answer, lambda: self._heard(dict(running.came), complete=False), lambda: None)

    def _ended(self) -> None:
        self._threads -= 1

    def stop(self) -> None:
        for running in self._running.values():
            running.cancel.set()

    @staticmethod
    def _in_thread(answer: asyncio.Future[Answer], job: Callable[[], Answer], ended: Callable[[], None]) -> None:
        """In a thread that holds up no exit: a pool's threads are waited for when the program ends."""
        loop = asyncio.get_running_loop()

        def settle(value: Answer | None, error: BaseException | None) -> None:
            ended()
            if answer.done():
                return
            if error is not None:
                answer.set_exception(error)
            elif value is not None:
                answer.set_result(value)

        def run() -> None:
            value, error = None, None
            try:
                value = job()
            except BaseException as exc:  # noqa: BLE001 - it belongs to whoever waits for the answer
                error = exc
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, value, error)

        threading.Thread(target=run, name="worklist-query", daemon=True).start()

    # ---- in a thread

    def _ask(self, command: commands.WorklistQuery, wanted: Asked, running: _Query) -> Answer:
        tries = _tries(command, wanted.keys)
        if command.cached:
            plain = not any(
                (command.date, command.patient, command.name, command.patient_id, command.accession,
                 command.modality, command.station)
            )  # fmt: skip
            reader = self._worklist.store.reader
            return self._from_box(kept.listed(reader) if plain else self._search(tries), None)
        came = running.came
        skipped, complete = 0, True
        deadline = time.monotonic() + lists.LONGEST_S

        def keep(entry: Any) -> None:
            came[entry.id] = lists.heard(entry)

        try:
            for keys in tries:
                result = self._worklist.find(
                    wanted.peer,
                    keys,
                    on_entry=keep,
                    cancelled=lambda: running.cancel.is_set() or time.monotonic() > deadline,
                    limit=wanted.limit,
                    charset=wanted.charset,
                )
                skipped, complete = skipped + result.skipped, result.complete
                if came or not complete:
                    break
        except SmartBoxError as exc:
            return self._without_server(came, tries, exc)
        if self._worklist.failing:
            self._worklist.refresh_now()
        return self._heard(came, complete=complete, skipped=skipped)

    def _heard(self, came: dict[str, kept.Heard], *, complete: bool, skipped: int = 0) -> Answer:
        self._keep(came)
        rows = kept.rows_of(self._worklist.store.reader, came)
        return Answer(items=_by_time(rows), age_s=0.0, from_cache=False, complete=complete, skipped=skipped)

    def _without_server(
        self, came: dict[str, kept.Heard], tries: list[WorklistKeys], error: SmartBoxError
    ) -> Answer:
        self._keep(came)
        rows = {row.id: row for row in self._search(tries)}
        rows |= {row.id: row for row in kept.rows_of(self._worklist.store.reader, came.keys() - rows.keys())}
        return self._from_box(list(rows.values()), error)

    def _keep(self, came: dict[str, kept.Heard]) -> None:
        if came:
            values = list(came.values())
            self._worklist.store.write(lambda database: kept.put(database, values, lists.now_utc())).result()

    def _search(self, tries: list[WorklistKeys]) -> list[kept.Row]:
        for keys in tries:
            if found := kept.search(self._worklist.store.reader, keys):
                return found
        return []

    def _from_box(self, rows: list[kept.Row], error: SmartBoxError | None) -> Answer:
        """Its age is that of the oldest word in it."""
        last = self._worklist.list_age_s()
        ages = [lists.age_s(row.heard_at) for row in rows if not row.listed]
        if last is not None and (not rows or any(row.listed for row in rows)):
            ages.append(last)
        return Answer(
            items=_by_time(rows),
            age_s=max(ages, default=None),
            from_cache=True,
            complete=error is None,
            trouble=msgspec.UNSET if error is None else error.as_dict(),
        )


def _by_time(rows: list[kept.Row]) -> list[state.WorklistItem]:
    return sorted(lists.items(rows), key=lambda item: (item.scheduled_at is None, item.scheduled_at or "", item.id))


def _keys(command: commands.WorklistQuery, default: WorklistKeys) -> WorklistKeys:
    """What is asked for, but for `patient`. A list is of the refresh's station and modality, a person is looked for
    everywhere. Raises bad-value."""
    date_from, date_to = _dates(command.date, default)
    keys = WorklistKeys(
        date_from=date_from,
        date_to=date_to,
        name=_name(command.name),
        patient_id=_text("patient_id", command.patient_id),
        accession=_text("accession", command.accession),
        modality=_text("modality", command.modality).upper(),
        station_aet=_text("station", command.station),
    )
    if not (keys.name or keys.patient_id or keys.accession or command.patient.strip()):
        keys = replace(
            keys,
            modality=keys.modality or default.modality,
            station_aet=keys.station_aet or default.station_aet,
        )
    return replace(
        keys,
        modality="" if keys.modality == _ALL else keys.modality,
        station_aet="" if keys.station_aet == _ALL else keys.station_aet,
    )


def _tries(command: commands.WorklistQuery, keys: WorklistKeys) -> list[WorklistKeys]:
    """One after the other until one finds something: `patient` is an ID, or else a name."""
    if not command.patient.strip():
        return [keys]
    patient = _text("patient", command.patient)
    return [replace(keys, patient_id=patient), replace(keys, name=_name(patient))]


def _name(text: str) -> str:
    """`Müller, J` is `Müller^J*`."""
    parts = [part.strip() for part in _text("name", text).split(",", 1)]
    return open_ended("^".join(parts))


def _text(key: str, text: str) -> str:
    text = text.strip()
    if "\\" in text or not text.isprintable() or len(text) > 64 * 3:
        raise SmartBoxError(
            "bad-value", f"{key}: a backslash, a control character or too long.", "Leave that character out."
        )
    return text


def _dates(text: str, default: WorklistKeys) -> tuple[date | None, date | None]:
    text = text.strip()
    if not text:
        return default.date_from, default.date_to
    if text == ANY:
        return None, None
    first, slash, second = text.partition("/")
    try:
        begin = date.fromisoformat(first) if first else None
        end = (date.fromisoformat(second) if second else None) if slash else begin
        if begin and end and end < begin:
            raise ValueError
    except ValueError:
        raise SmartBoxError(
            "bad-value", "The date is none.", f"YYYY-MM-DD, YYYY-MM-DD/YYYY-MM-DD, or {ANY}."
        ) from None
    return begin, end
