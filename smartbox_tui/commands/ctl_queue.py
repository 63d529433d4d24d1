"""`smartbox ctl queue` and `ctl instance`: what is on its way, where a picture is, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from smartbox_tui.commands.area import Area
from smartbox_tui.commands.output import table

PAGE_ROWS: Final = 2000
"""Rows asked for at once: the engine never has to answer for a whole long queue in one piece."""


class Queue(Area):
    def run(self) -> int:
        """Raises SmartBoxError."""
        if self.arguments.area == "instance":
            return self._instance()
        return self._list() if self.arguments.action == "list" else self._change()

    def _change(self) -> int:
        arguments = self.arguments
        value = self._send(
            self.paths.engine_socket,
            "queue-change",
            action=arguments.action,
            deliveries=arguments.deliveries,
            all=arguments.all,
            destination=arguments.destination,
        )
        return self._out(value, f"{value['changed']} changed")

    def _list(self) -> int:
        arguments = self.arguments
        limit, after = arguments.limit, arguments.after
        rows: list[dict[str, Any]] = []
        more = True
        while more and (limit is None or len(rows) < limit):
            wanted = PAGE_ROWS if limit is None else min(PAGE_ROWS, limit - len(rows))
            asked = {
                "state": arguments.delivery_state,
                "destination": arguments.destination,
                "after": after,
                "limit": wanted,
            }
            found = self._engine(f"/v1/queue?{urlencode({key: item for key, item in asked.items() if item})}")
            rows += found["deliveries"]
            more = len(found["deliveries"]) == wanted
            after = rows[-1]["id"] if rows else after
        value: dict[str, Any] = {"deliveries": rows}
        if limit is not None:
            value["next"] = after if more and rows else None
        lines = [
            [item["id"], item["destination"], _state(item), item["attempts"], _sent(item), item["reason"]]
            for item in rows
        ]
        return self._out(value, table(lines, ["ID", "DESTINATION", "STATE", "ATTEMPTS", "BYTES", "REASON"]))

    def _instance(self) -> int:
        value = self._engine(f"/v1/instances/{quote(self.arguments.uid, safe='')}")
        lines = [f"{key}: {item}" for key, item in value["instance"].items()]
        for item in value["deliveries"]:
            lines += ["", f"{item['destination']}: {_state(item)} {item['reason']}".rstrip()]
            if item["sop_instance_uid"] != value["instance"]["sop_instance_uid"]:
                lines.append(f"  as {item['sop_instance_uid']}")
            lines += [f"  {_change(change)}" for change in item["changes"]]
        return self._out(value, "\n".join(lines))


def _state(item: Mapping[str, Any]) -> str:
    if item.get("promise"):
        since = f" since {item['promise_since'][:19]}" if item["promise_since"] else ""
        return f"{item['state']}, {'asked' if item['promise'] == 'asked' else 'no promise'}{since}"
    return f"{item['state']}, paused" if item["paused"] else str(item["state"])


def _sent(item: Mapping[str, Any]) -> str:
    """How much there is; of what is being sent how far it is."""
    if item["state"] == "sending" and item["bytes"]:
        return f"{item['bytes_sent'] * 100 // item['bytes']} % of {item['bytes']}"
    return str(item["bytes"])


def _change(change: Mapping[str, Any]) -> str:
    """One line of a delivery's history."""
    moved = f"{change['old']} -> {change['new']}" if change["old"] else change["new"]
    code = f" [{change['code']}]" if change["code"] else ""
    return f"{change['at']}  {moved}{code} {change['reason']}".rstrip()


def whereabouts(instances: Iterable[Mapping[str, Any]], deliveries: Iterable[Mapping[str, Any]]) -> str:
    """The exam's pictures by destination: the state of each delivery that still counts, and why it is not there.

    A picture whose row was superseded by another one for the same archive shows the newer."""
    cells: dict[tuple[str, str], Mapping[str, Any]] = {}
    for item in sorted(deliveries, key=lambda item: item["id"]):
        cells[item["instance"], item["destination"]] = item
    names = sorted({name for _picture, name in cells})
    rows, reasons = [], []
    for number, picture in enumerate(instances, 1):
        told = [cells.get((picture["id"], name)) for name in names]
        kind = picture["kind"] + (", discarded" if picture["discarded"] else "")
        rows.append([number, kind, picture["captured_at"][:19], *[_state(item) if item else "-" for item in told]])
        reasons += [
            f"  {number}  {item['destination']}: {item['reason']}" for item in told if item and item["reason"]
        ]
    lines = table(rows, ["NO", "KIND", "CAPTURED", *[name.upper() for name in names]])
    return "\n".join([lines, "", *reasons] if reasons else [lines])
