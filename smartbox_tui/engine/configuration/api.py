"""The API's part for settings: what they are, what they were, changing them, trying a connection."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from aiohttp import web

from smartbox_tui.engine.configuration import connection
from smartbox_tui.engine.configuration.desk import SettingsDesk
from smartbox_tui.engine.hooks import api as hooks_api
from smartbox_tui.engine.status import StatusBoard
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.wire import commands
from smartbox_tui.wire.serve import reply


class SettingsApi:
    """An `Area` of the server. `destination add` and `remove` are changes of the settings like any other."""

    def __init__(self, desk: SettingsDesk, board: StatusBoard) -> None:
        self._desk, self._board = desk, board

    def handlers(self) -> dict[type[commands.Command], Any]:
        return {
            commands.SettingsPut: self._put,
            commands.SettingsUndo: self._undo,
            commands.SettingsImport: self._import,
            commands.ConnectionTest: self._test,
            commands.DestinationTest: self._destination_test,
            commands.DestinationAdd: self._destination_add,
            commands.DestinationRemove: self._destination_remove,
        }

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/v1/settings", self.settings), web.get("/v1/settings/export", self.export)]

    async def _put(self, command: commands.SettingsPut) -> Any:
        if not command.changes:
            raise SmartBoxError("bad-value", "Nothing is to be changed.", "Name a path and its value.")
        return await self._desk.put(command.changes, command.id)

    async def _undo(self, command: commands.SettingsUndo) -> Any:
        return await self._desk.undo(command.change, command.id)

    async def _import(self, command: commands.SettingsImport) -> Any:
        return await self._desk.import_text(command.text, command.id)

    async def _test(self, command: commands.ConnectionTest) -> Any:
        if command.what == "hook":
            box = self._desk.settings
            return await hooks_api.check(command.name, command.values, box.loaded, box.config)
        return await connection.check(command.what, command.name, command.values, self._desk.settings())

    async def _destination_test(self, command: commands.DestinationTest) -> Any:
        return await connection.check("destination", command.name, {}, self._desk.settings())

    async def _destination_add(self, command: commands.DestinationAdd) -> Any:
        answer = await self._desk.put({f"destinations.{command.name}": command.values}, command.id)
        return {"destinations": self._board.destinations(), **answer}

    async def _destination_remove(self, command: commands.DestinationRemove) -> Any:
        answer = await self._desk.put({f"destinations.{command.name}": None}, command.id)
        return {"destinations": self._board.destinations(), **answer}

    async def settings(self, _: web.Request) -> web.Response:
        """{"values", "origins": {path: {"origin": default | file | box | environment, "name"}}, "sections",
        "history": newest first, "trouble"}; secrets as ***."""
        return reply(await asyncio.to_thread(self._desk.snapshot))

    async def export(self, _: web.Request) -> web.Response:
        """{"text", "name"}: one file of all settings without secrets, and what to call it."""
        loaded = self._desk.settings.loaded
        text = await asyncio.to_thread(self._desk.site.export, loaded)
        station = "".join(sign if sign.isalnum() else "-" for sign in loaded.settings.station_name)
        return reply({"text": text, "name": f"smartbox-{station}-{datetime.now().astimezone():%Y-%m-%d}.toml"})
