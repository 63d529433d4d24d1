"""A worklist as the engine has it, without the rest of the engine."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from smartbox_tui.dicom.preload import preload
from smartbox_tui.dicom.scu.find import find_worklist
from smartbox_tui.engine.orders import worklist as lists
from smartbox_tui.engine.orders.worklist import Worklist
from smartbox_tui.engine.orders.worklist_query import Queries
from smartbox_tui.settings.schema import Settings
from smartbox_tui.settings.schema import Worklist as WorklistSettings
from smartbox_tui.store import worklist as kept
from smartbox_tui.store.database import Store
from smartbox_tui.wire import commands, events
from tests.support.box import until

TODAY = date.today()
DAY = f"{TODAY:%Y%m%d}"


class Rig:
    """A worklist with a store of its own; `changes` are the events it published."""

    def __init__(self, folder: Path, **values: Any) -> None:
        self.folder = folder
        self.settings = Settings(worklist=WorklistSettings(**({"aet": "RIS", "timeout_s": 5.0} | values)))
        self.changes: list[events.WorklistChanged] = []
        preload()
        self.start()

    def start(self) -> None:
        self.store = Store(self.folder / "smartbox.db")
        self.worklist = Worklist(
            self.store,
            lambda: self.settings,
            find=find_worklist,
            publish=self._publish,
            status_changed=lambda: None,
        )
        self.queries = Queries(self.worklist)
        self.worklist.start()

    def _publish(self, event: msgspec.Struct) -> None:
        assert isinstance(event, events.WorklistChanged)
        self.changes.append(event)

    def refresh(self) -> events.WorklistChanged:
        """One more refresh, and what was said of it."""
        count = len(self.changes)
        self.worklist.refresh_now()
        until(lambda: len(self.changes) > count, 20, "a refresh")
        return self.changes[count]

    def configure(self, **values: Any) -> None:
        self.settings = replace(self.settings, worklist=replace(self.settings.worklist, **values))
        self.worklist.reconfigure()

    def names(self) -> list[str]:
        return [item.patient.name for item in lists.items(kept.listed(self.store.reader))]

    def ask(self, **values: Any) -> Any:
        return asyncio.run(self.queries.query(commands.WorklistQuery(id=str(uuid4()), **values)))

    def stop(self) -> None:
        self.queries.stop()
        self.worklist.stop()
        self.store.close()
