"""`smartbox ctl hook`: whom the box tells what happens, and whether they hear it."""

from __future__ import annotations

from typing import Final

from smartbox_tui.commands.area import Area
from smartbox_tui.commands.output import table

PATIENCE_S: Final = 90.0
"""The engine gives a test up after a minute."""


class Hooks(Area):
    def run(self) -> int:
        """Raises SmartBoxError; 1 for a test that failed."""
        if self.arguments.action == "list":
            return self._list()
        value = self._send(self.paths.engine_socket, "hook-test", timeout_s=PATIENCE_S, name=self.arguments.name)
        lines = [f"{value['message']} {value['hint']}".rstrip(), value["answer"]]
        self._out(value, "\n".join(line for line in lines if line))
        return 0 if value["ok"] else 1

    def _list(self) -> int:
        value = self._engine("/v1/hooks")
        rows = [
            [
                item["name"],
                item["kind"],
                item["state"],
                item["waiting"],
                item["delivered"],
                item["failed"],
                item["dropped"],
                item["last_error"],
            ]
            for item in value["hooks"]
        ]
        heads = ["NAME", "KIND", "STATE", "WAITING", "DELIVERED", "FAILED", "DROPPED", "LAST ERROR"]
        return self._out(value, table(rows, heads))
