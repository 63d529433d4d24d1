"""Where the engine's parts meet: what a command or an event of capture means for several of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Final

from smartbox_tui.engine import view
from smartbox_tui.engine.delivery.medium.medium import welcome
from smartbox_tui.engine.delivery.pool import Delivery, unknown_destination
from smartbox_tui.engine.exams import holding
from smartbox_tui.engine.exams.lifecycle import Exams
from smartbox_tui.engine.exams.reconcile import Reconcile
from smartbox_tui.engine.status import StatusBoard
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.destination import Destination
from smartbox_tui.settings.paths import Paths
from smartbox_tui.settings.schema import Settings
from smartbox_tui.spool.layout import exam_folders, is_uuid
from smartbox_tui.store import pages, queries, queue, records
from smartbox_tui.store.database import Store
from smartbox_tui.wire import commands, events
from smartbox_tui.wire.hub import Hub

log = logging.getLogger(__name__)

CATCH_UP_EXAMS: Final = 20
"""So many exams back a recording may have been left open by a capture that was killed; older ones are found at
the engine's start, which walks the whole spool."""
AGAIN_S: Final = 10.0
CHUNK_ROWS: Final = 1000
"""Rows of the queue that are changed in one transaction."""
TELL_ROWS: Final = 200
"""Changed rows that are told one by one: the screens keep so many. Their counts come with the status."""


class Desk:
    """Implements `capture_link.Listener`, and the commands that touch more than the exams."""

    def __init__(
        self,
        paths: Paths,
        settings: Callable[[], Settings],
        store: Store,
        hub: Hub,
        exams: Exams,
        reconcile: Reconcile,
        delivery: Delivery,
        board: StatusBoard,
        status_changed: Callable[[], None],
    ) -> None:
        self.reconcile = reconcile
        self.paths, self.settings, self.store, self.hub = paths, settings, store, hub
        self.exams, self.delivery, self.board = exams, delivery, board
        self._status_changed = status_changed

    # ---- what capture says

    async def capture_holds(self, exam_id: str | None) -> None:
        await holding.capture_holds(self.exams, exam_id)
        self._status_changed()

    async def adopt(self, exam_id: str, only: list[str] | None = None) -> list[str]:
        if queries.exam(self.store.reader, exam_id) is None:
            await self.exams.import_exam(exam_id)
        done = await self.exams.adopt(exam_id, only)
        if done:
            await holding.close_stray(self.exams, exam_id)
            self._status_changed()
        return done

    async def discarded(self, exam_id: str, picture: str) -> None:
        """The operator took a picture back: what has not left is cancelled, what is leaving is stopped."""
        cancelled = await self.exams.write(lambda database: records.discard(database, picture))
        for row in queries.deliveries(self.store.reader, instance_id=picture):
            if row.id in cancelled:
                self.hub.publish(events.DeliveryChanged(delivery=view.delivery(row)))
            elif row.state == "sending":
                self.delivery.cancel_sending(row.id)
        if queries.exam(self.store.reader, exam_id) is not None:
            self.exams.announce(exam_id)
        self._status_changed()

    async def emergency(self, exam_id: str) -> None:
        """A pedal said emergency: the exam that capture made for it gets the emergency patient."""
        if queries.exam(self.store.reader, exam_id) is None:
            await self.exams.import_exam(exam_id)
        await self.reconcile.declare_emergency(exam_id)
        self._status_changed()

    async def catch_up(self) -> None:
        """Capture is back, or was never away: whatever it closed meanwhile, in whichever exam, is adopted."""
        rows = queries.exams(self.store.reader, limit=CATCH_UP_EXAMS)
        for exam_id in dict.fromkeys([self.exams.current, *(row.id for row in rows)]):
            if exam_id is not None:
                await self.adopt(exam_id)

    async def adopt_again(self) -> None:
        """For ever: what could not be adopted (a full disk, say) is tried again."""
        while True:
            await asyncio.sleep(AGAIN_S)
            for exam_id in list(self.exams.unfinished):
                try:
                    await self.adopt(exam_id)
                except SmartBoxError as exc:
                    log.warning("exam %s still cannot be adopted: %s", exam_id, exc.code)

    # ---- commands

    async def adopt_pictures(self, pictures: list[str]) -> list[str]:
        """Adopts pictures by their UUIDs, wherever in the spool they lie; returns those now in the store."""
        for picture in pictures:
            if not is_uuid(picture):
                raise SmartBoxError("bad-value", "A picture's id must be a UUID.", "As in the sidecar's name.")
            if queries.instance(self.store.reader, picture) is None:
                await self._find_and_adopt(picture)
        return [item for item in pictures if queries.instance(self.store.reader, item) is not None]

    async def _find_and_adopt(self, picture: str) -> None:
        current = self.exams.current
        if current and (self.exams.folder(current) / f"{picture}.json").exists():
            await self.adopt(current, [picture])
            return

        def find() -> str | None:
            return next(
                (path.name for path in exam_folders(self.paths.spool) if (path / f"{picture}.json").exists()), None
            )

        found = await self.exams.run(find)
        if found is not None:
            await self.adopt(found, [picture])

    async def change_queue(self, command: commands.QueueChange) -> int:
        """Raises bad-value (unknown action, nothing named), not-found (destination, ids)."""
        action, name = command.action, command.destination
        if action not in queue.ACTIONS:
            raise SmartBoxError(
                "bad-value", f"'{action}' is not a queue action.", f"One of {', '.join(queue.ACTIONS)}."
            )
        if not (command.deliveries or command.all or name):
            raise SmartBoxError("bad-value", "Nothing is named.", "Give ids, --all or --destination NAME.")
        if name is not None:
            self.destination(name)
        missing = [item for item in command.deliveries if queries.delivery(self.store.reader, item) is None]
        if missing:
            raise SmartBoxError("not-found", f"There is no delivery {missing[0]}.", "See `ctl queue list`.")
        if name is not None and action in ("pause", "resume") and not command.deliveries:
            paused = action == "pause"
            was = name in queries.paused_destinations(self.store.reader)
            if not paused:
                welcome(name)
            await self.exams.run(self.delivery.pause, name, paused)
            self._status_changed()
            return int(was != paused)
        ids = command.deliveries or None
        changed = await self._change_rows(action, ids, name)
        if action == "cancel":
            sending = queries.deliveries(self.store.reader, state="sending")
            wanted = [
                row.id for row in sending if (ids is None or row.id in ids) and name in (None, row.destination)
            ]
            changed += [item for item in wanted if self.delivery.cancel_sending(item)]
        for identity in changed[:TELL_ROWS]:
            row = queries.delivery(self.store.reader, identity)
            if row is not None:
                self.hub.publish(events.DeliveryChanged(delivery=view.delivery(row)))
        if action == "retry":
            self.delivery.probe_now(name)
            if self.board.commitments is not None:
                self.board.commitments.try_now(name)
        self.delivery.wake()
        self._status_changed()
        return len(changed)

    async def _change_rows(self, action: str, ids: list[int] | None, name: str | None) -> list[int]:
        """Chunk by chunk, each in a transaction of its own: nobody who writes waits for all of them."""
        top = queue.top_priority(self.store.reader)
        changed: list[int] = []
        after = at = 0
        while True:
            if ids is None:
                chunk = pages.open_ids(self.store.reader, name, after, CHUNK_ROWS)
            else:
                chunk = ids[at : at + CHUNK_ROWS]
            if not chunk:
                return changed
            changed += await self.exams.write(
                partial(queue.change, action=action, ids=chunk, destination=name, top=top)
            )
            after, at = chunk[-1], at + CHUNK_ROWS

    def destination(self, name: str) -> Destination:
        """Raises not-found."""
        for item in self.settings().destinations:
            if item.name == name:
                return item
        raise unknown_destination(name)
