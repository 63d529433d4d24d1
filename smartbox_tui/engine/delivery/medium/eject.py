"""Taking a medium away: paused, whole, written out, unmounted where the box may. Then, and only then, "safe"."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from smartbox_tui.engine import audit
from smartbox_tui.engine.area import Handlers
from smartbox_tui.engine.delivery.medium.medium import medium_of
from smartbox_tui.engine.delivery.medium.pulse import Pulse, watched
from smartbox_tui.engine.delivery.pool import Delivery, unknown_destination
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.destination import Destination
from smartbox_tui.settings.schema import Settings
from smartbox_tui.store import audit as audits
from smartbox_tui.store import queries
from smartbox_tui.store.database import Store
from smartbox_tui.wire import commands

log = logging.getLogger(__name__)

ACTION: Final = "medium-ejected"
_UNMOUNT_S: Final = 20.0


class MediaArea:
    """`destination eject NAME`. All methods belong to the event loop."""

    def __init__(
        self,
        state: Path,
        settings: Callable[[], Settings],
        store: Store,
        delivery: Delivery,
        status_changed: Callable[[], None],
    ) -> None:
        self._state, self._settings, self._store = state, settings, store
        self._delivery, self._status_changed = delivery, status_changed
        self._lock = asyncio.Lock()

    def handlers(self) -> Handlers:
        return {commands.DestinationEject: self._eject}

    def routes(self) -> list[web.RouteDef]:
        return []

    async def _eject(self, command: commands.DestinationEject) -> Any:
        """{"destination", "safe": true, "objects", "unmounted"}. Nothing is written to it until it is resumed.

        Raises not-found, bad-value (no folder), in-use (a picture is being written: paused all the same), and what
        is wrong with the medium: then it is as it was.
        """
        destination = next((item for item in self._settings().destinations if item.name == command.name), None)
        if destination is None:
            raise unknown_destination(command.name)
        if destination.kind != "folder":
            raise SmartBoxError(
                "bad-value",
                f"'{command.name}' is no folder: there is nothing to be taken out.",
                "Pause it instead.",
            )
        async with self._lock:
            who = audit.who()
            objects, unmounted = await asyncio.to_thread(self._taken_out, destination)
            detail = {"destination": destination.name, "objects": objects, "unmounted": unmounted}
            job = self._store.write(lambda database: audits.add(database, who, ACTION, "", detail))
            try:
                await asyncio.wrap_future(job)
            except SmartBoxError as exc:  # it is safe all the same, and must be said
                log.error("the ejecting of %s is not in the audit: %s", destination.name, exc.code)
            self._status_changed()
        return {"destination": destination.name, "safe": True, "objects": objects, "unmounted": unmounted}

    def _taken_out(self, destination: Destination) -> tuple[int, bool]:
        name = destination.name
        was_paused = name in queries.paused_destinations(self._store.reader)
        self._delivery.pause(name, True)
        medium = medium_of(destination, self._state)
        pulse = Pulse(destination.path)
        try:
            objects = watched(lambda: medium.eject(pulse), pulse, destination.timeout_s)
        except SmartBoxError as exc:
            if not was_paused and exc.code != "in-use":
                self._delivery.pause(name, False)
            raise
        return objects, medium.unmount(_UNMOUNT_S)
