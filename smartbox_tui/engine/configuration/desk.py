"""Changing the settings while the box works: written, audited, and in force at once where that can be."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from smartbox_tui.engine import audit
from smartbox_tui.engine.capture_link import CaptureLink
from smartbox_tui.engine.delivery.pool import Delivery
from smartbox_tui.engine.status import StatusBoard
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings import describe, last_good
from smartbox_tui.settings.load import SITE_FILE, SYSTEM_FILE
from smartbox_tui.settings.schema import Loaded, Settings
from smartbox_tui.settings.site import Outcome, Site
from smartbox_tui.store import audit as audits
from smartbox_tui.store import hooks, queries, queue
from smartbox_tui.store.database import Store
from smartbox_tui.wire import events
from smartbox_tui.wire.hub import Hub

log = logging.getLogger(__name__)

_ACTIONS: Final = {"put": "settings-changed", "undo": "settings-undone", "import": "settings-imported"}
_OURS: Final = ("aet", "station_name", "institution_name")
"""What every archive is told about the box: its worker keeps it."""


class SettingsBox:
    """The settings in force; replaced as a whole when the box itself writes one."""

    def __init__(self, loaded: Loaded, config: Path | None) -> None:
        self.loaded, self.config = loaded, config

    def __call__(self) -> Settings:
        return self.loaded.settings


def mend(state: Path, settings: SettingsBox) -> None:
    """At the start, with the state folder locked: what the box wrote and does not hold is set aside for good."""
    if settings.loaded.kept:
        return  # whether what the box wrote holds shows once the settings file does
    site = Site(state, settings.config)
    try:
        if why := site.repair():
            log.error("the box's own settings were set aside: %s", why)
            settings.loaded = site.load()
    except SmartBoxError as exc:  # a full disk, say: what was loaded holds, and the alarm says so
        log.error("the box's own settings could not be set aside: %s", exc.message)
    remember(state, settings)


def remember(state: Path, settings: SettingsBox) -> None:
    """What the settings file says holds: should it not at the next start, that is in force."""
    loaded = settings.loaded
    if loaded.kept:
        return
    try:
        last_good.keep(state, settings.config or SYSTEM_FILE, loaded.text)
    except OSError as exc:
        log.warning("the settings file as it holds cannot be kept: %s", exc.strerror)


class SettingsDesk:
    """One change at a time. `followers` are told after each that is in force, in the order of their coming."""

    def __init__(
        self,
        state: Path,
        settings: SettingsBox,
        store: Store,
        hub: Hub,
        delivery: Delivery,
        capture: CaptureLink,
        board: StatusBoard,
        status_changed: Callable[[], None],
    ) -> None:
        self.settings = settings
        self.site = Site(state, settings.config, allow=self._allow)
        self._own_file = str(state / SITE_FILE)
        self._store, self._hub, self._delivery, self._capture = store, hub, delivery, capture
        self._board = board
        self._status_changed = status_changed
        self._lock = asyncio.Lock()
        self.followers: list[Callable[[], None]] = []
        self._raise_alarm()

    # ---- changes

    async def put(self, changes: dict[str, Any], command: str) -> dict[str, Any]:
        """Raises unknown-key, bad-value, refused, not-found, in-use, disk-full: then nothing was changed. A repeat
        of a `command` (its id) changes nothing and has the same answer, as have those of the other two."""
        who = audit.who()
        return await self._change(lambda: self.site.put(changes, who, command), command)

    async def undo(self, number: int | None, command: str) -> dict[str, Any]:
        who = audit.who()
        return await self._change(lambda: self.site.undo(number, who, command), command)

    async def import_text(self, text: str, command: str) -> dict[str, Any]:
        who = audit.who()
        return await self._change(lambda: self.site.import_text(text, who, command), command)

    async def _change(self, job: Callable[[], Outcome], command: str) -> dict[str, Any]:
        async with self._lock:
            made = await asyncio.to_thread(self.site.made_by, command)
            if made is not None:  # the answer was lost: done twice, an undoing would undo itself
                return {"change": made.number, "paths": made.paths, "restart": [], "capture": ""}
            outcome = await asyncio.to_thread(job)
            if outcome.change is None:
                self._raise_alarm()
                self._status_changed()
                return {"change": None, "paths": [], "restart": [], "capture": ""}
            await self._note(outcome)
            before, self.settings.loaded = self.settings(), outcome.loaded
            await asyncio.to_thread(self._deliver, before, outcome.loaded.settings)
            await asyncio.to_thread(remember, self.site.state, self.settings)
            restart = needs(before, outcome.loaded.settings)
            user, pid = audit.asking()
            self._hub.publish(events.SettingsChanged(paths=outcome.change.paths, user=user, pid=pid))
            for follow in self.followers:
                try:
                    follow()
                except Exception:  # the change is in force all the same
                    log.exception("a part of the engine did not take the new settings")
            self._raise_alarm()
            self._status_changed()
        capture = await self._capture.restart() if "capture" in restart else ""
        return {
            "change": outcome.change.number,
            "paths": outcome.change.paths,
            "restart": [name for name in restart if name != "capture"],
            "capture": capture,
        }

    async def _note(self, outcome: Outcome) -> None:
        change = outcome.change
        assert change is not None
        detail = {"change": change.number, "of": change.of, "values": change.values}

        def job(database: Any) -> None:
            audits.add(database, change.who, _ACTIONS[change.action], "", detail)
            told = {"change": change.number, "paths": change.paths[:100]}
            hooks.tell(database, "settings.changed", told, queue.now_text(), queue.clock())

        try:
            await asyncio.wrap_future(self._store.write(job))
        except SmartBoxError as exc:  # the change is kept by then, and its history has the same line
            log.error("change %s of the settings is not in the audit: %s", change.number, exc.code)

    def _allow(self, before: Settings, after: Settings) -> None:
        """Nothing that is not delivered yet loses its destination."""
        gone = {item.name for item in before.destinations} - {item.name for item in after.destinations}
        open_ = queries.open_by_destination(self._store.reader)
        for name in sorted(gone):
            if count := open_.get(name):
                raise SmartBoxError(
                    "in-use",
                    f"{count} pictures are not delivered to '{name}' yet.",
                    f"Deliver them, or cancel them: ctl queue cancel --destination {name}",
                )

    def _deliver(self, before: Settings, after: Settings) -> None:
        old = {item.name: item for item in before.destinations}
        new = {item.name: item for item in after.destinations}
        all_ = any(getattr(before, name) != getattr(after, name) for name in _OURS)
        for name in old:
            if name not in new:
                self._delivery.remove(name)
        for name, item in new.items():
            if all_ or old.get(name) != item:
                self._delivery.remove(name)
                try:
                    self._delivery.add(item, after)
                except SmartBoxError as exc:
                    log.error("destination %s: %s", name, exc.message)

    # ---- state

    def _raise_alarm(self) -> None:
        for code, why in (("settings-bad", self.trouble()), ("settings-file", self.settings.loaded.instead())):
            self._board.standing.pop(code, None)
            if why:
                self._board.standing[code] = why

    def trouble(self) -> str:
        """Why the box's own settings were set aside, as long as nobody has changed anything since."""
        change = self.site.set_aside()
        if change is None:
            return self.settings.loaded.trouble
        return (
            f"The box's own settings did not hold and were set aside on {change.at}; an earlier state is in force."
        )

    def snapshot(self) -> dict[str, Any]:
        """GET /v1/settings. Blocks: it reads the history."""
        loaded = self.settings.loaded
        return {
            "values": describe.shown(loaded.settings),
            "origins": {path: self._origin(name) for path, name in loaded.origins.items()},
            "sections": describe.sections(),
            "history": [
                {
                    "number": item.number,
                    "at": item.at,
                    "who": item.who,
                    "action": item.action,
                    "of": item.of,
                    "values": item.values,
                }
                for item in self.site.changes()
            ],
            "trouble": self.trouble(),
            "file_trouble": loaded.instead(),
        }

    def _origin(self, name: str) -> dict[str, str]:
        if name == "default":
            return {"origin": "default", "name": ""}
        if name == self._own_file:
            return {"origin": "box", "name": name}
        return {"origin": "file" if "/" in name else "environment", "name": name}


def needs(before: Settings, after: Settings) -> list[str]:
    """The processes that must be started anew for what is other to hold: engine, capture, console."""
    found = set()
    for path in describe.changed(before, after):
        place = describe.place(path)
        found.add(place.key.restart if place.key else place.section.keys[0].restart)
    if _cut(before) != _cut(after):  # where capture cuts a clip
        found.add("capture")
    return sorted(found - {""})


def _cut(settings: Settings) -> int:
    return min((item.max_instance_bytes for item in settings.destinations), default=0)
