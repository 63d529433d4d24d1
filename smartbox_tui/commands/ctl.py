"""`smartbox ctl`: commands to the running box. Capture's go to capture's socket, all others to the engine's."""

from __future__ import annotations

import argparse
import uuid
from typing import Any, Final

from smartbox_tui.commands.area import Area
from smartbox_tui.commands.options import Options
from smartbox_tui.commands.output import note, source_text, table
from smartbox_tui.errors import PROCESS_AWAY, SmartBoxError
from smartbox_tui.wire import client


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Raises SmartBoxError; the exit status otherwise."""
    if arguments.area == "exam":
        from smartbox_tui.commands.ctl_exam import Exams

        return Exams(arguments, options).run()
    if arguments.area in ("worklist", "mpps"):
        from smartbox_tui.commands.ctl_worklist import Performed, Worklist

        return (Worklist if arguments.area == "worklist" else Performed)(arguments, options).run()
    if arguments.area in ("queue", "instance"):
        from smartbox_tui.commands.ctl_queue import Queue

        return Queue(arguments, options).run()
    if arguments.area == "source":
        from smartbox_tui.commands.ctl_source import Sources

        return Sources(arguments, options).run()
    if arguments.area == "hook":
        from smartbox_tui.commands.ctl_hook import Hooks

        return Hooks(arguments, options).run()
    area = _Box(arguments, options)
    handler = {
        "status": area.status,
        "sources": area.sources,
        "events": area.events,
        "still": area.still,
        "discard-last": area.discard_last,
        "record": area.record,
        "destination": area.destination,
    }[arguments.area]
    return handler()


ADDED: Final = (
    *("kind", "host", "port", "aet", "calling_aet", "send", "path", "mounted", "plain", "url", "auth", "user"),
    *("password_file", "token_file", "token_url", "ca_file", "cert_file", "key_file", "tls_name", "fallback"),
)
"""Settings of a destination that `destination add` has options for."""


_NEAR_S: Final = 0.5
"""How far from its trigger a still may be without a word; ui/moment.py has the same."""


def _storage(value: dict[str, Any]) -> str:
    kept, may = value["undelivered_bytes"] / 1e9, value["releasable_bytes"] / 1e9
    left = f"{value['hours_left']} hours of recording" if value["records"] else "no room to record"
    return f"{left}; {kept:.1f} GB not delivered, {may:.1f} GB that archives have go when room is needed"


class _Box(Area):
    # ---- status

    def status(self) -> int:
        value = self._engine("/v1/status")
        exam = value["exam"]
        queue = value["queue"]
        open_ = sum(queue[name] for name in ("held", "queued", "preparing", "sending", "waiting", "blocked"))
        lines = [
            f"exam         {exam['state'] + ' ' + exam['id'] if exam else 'none'}",
            *[f"source       {item['id']}: {source_text(item)}" for item in value["sources"]],
            f"queue        {open_} open, {queue['blocked']} blocked, {queue['stored']} stored",
            *[f"destination  {item['name']}: {item['state']} {item['reason']}" for item in value["destinations"]],
            *_servers(value),
            f"storage      {_storage(value['storage'])}",
            *[f"alarm        {item['message']}" for item in value["alarms"]],
        ]
        return self._out(value, "\n".join(lines))

    def sources(self) -> int:
        value = self._engine("/v1/sources")
        rows = [
            [item["id"], item["kind"], f"{item['width']}x{item['height']}", item["fps"], source_text(item)]
            for item in value["sources"]
        ]
        return self._out(value, table(rows, ["ID", "KIND", "SIZE", "FPS", "SIGNAL"]))

    def events(self) -> int:
        import asyncio

        from smartbox_tui.commands.follow import follow

        return asyncio.run(follow(self.paths.engine_socket, forever=self.arguments.follow))

    # ---- pictures

    def still(self) -> int:
        arguments = self.arguments
        value = self._send(
            self.paths.capture_socket,
            "still",
            source=arguments.source,
            burst=arguments.burst,
            at_ns=arguments.at if arguments.at is not None else self.options.started_ns,
            trigger="ctl",
        )
        item = value["instance"]
        off_s = (item["frame_ns"] - item["trigger_ns"]) / 1e9
        if abs(off_s) > _NEAR_S:
            note(f"It shows what was {abs(off_s):.1f} s {'after' if off_s > 0 else 'before'} the trigger.")
        return self._out(value, f"{item['sop_instance_uid']} on disk after {item['trigger_to_disk_ms']:.0f} ms")

    def discard_last(self) -> int:
        value = self._send(self.paths.capture_socket, "discard-last", reason=self.arguments.reason)
        return self._out(value, f"discarded {value['instance']['sop_instance_uid']}")

    def record(self) -> int:
        arguments = self.arguments
        capture = self.paths.capture_socket
        if arguments.action == "start":
            value = self._send(
                capture, "record-start", source=arguments.source, at_ns=self.options.started_ns, trigger="ctl"
            )
            return self._out(value, f"recording since {value['recording']['since']}")
        if arguments.action == "mark":
            value = self._send(
                capture, "record-mark", source=arguments.source, text=arguments.text, at_ns=self.options.started_ns
            )
            return self._out(value, f"mark at {value['mark']['at_s']:.1f} s")
        value = self._send(capture, "record-stop", source=arguments.source, at_ns=self.options.started_ns)
        value["deliveries"] = self._deliveries([item["id"] for item in value["instances"]])
        text = f"{value['frames']} frames, {value['frames_lost']} lost, deliveries {value['deliveries']}"
        return self._out(value, text)

    def _deliveries(self, pictures: list[str]) -> str:
        """`created` once the engine has made them; `pending` when it is away: it adopts them when it is back."""
        try:
            command = {"type": "adopt", "id": str(uuid.uuid4()), "pictures": pictures}
            answer = client.command(self.paths.engine_socket, command)
        except SmartBoxError as exc:
            if exc.code not in (PROCESS_AWAY, "timeout"):
                raise
            note("The engine is away: the recording is safe on disk, it is delivered when the engine is back.")
            return "pending"
        return "created" if set(answer["instances"]) == set(pictures) else "pending"

    # ---- destinations

    def destination(self) -> int:
        arguments = self.arguments
        engine = self.paths.engine_socket
        if arguments.action == "test":
            value = self._send(engine, "destination-test", name=arguments.name)
            lines = [f"{'ok ' if step['ok'] else 'NOT'} {step['step']}: {step['message']} {step['hint']}".rstrip()
                     for step in value["steps"]]  # fmt: skip
            self._out(value, "\n".join(lines))
            return 0 if value["ok"] else 1
        if arguments.action == "add":
            given = {name: getattr(arguments, name) for name in ADDED}
            values = {key: item for key, item in given.items() if item is not None}
            value = self._send(engine, "destination-add", name=arguments.name, values=values)
        elif arguments.action == "remove":
            value = self._send(engine, "destination-remove", name=arguments.name)
        elif arguments.action == "eject":
            value = self._send(engine, "destination-eject", name=arguments.name)
            more = "" if value["unmounted"] else " It is still mounted; everything is written out."
            text = f"{value['objects']} objects in its DICOMDIR. Safe to remove.{more}"
            return self._out(value, text)
        else:
            value = self._engine("/v1/destinations")
        rows = [
            [
                item["name"],
                item["kind"],
                item["state"],
                item["open"],
                _promise(item),
                _stands_in(item),
                item["reason"] or item["promise_reason"],
            ]
            for item in value["destinations"]
        ]
        head = ["NAME", "KIND", "STATE", "OPEN", "PROMISES", "STANDS IN FOR", "REASON"]
        return self._out(value, table(rows, head))


def _promise(item: dict[str, Any]) -> str:
    """What it says of keeping what it has stored: `-` where it is not asked."""
    asked = f", {item['asked']} asked" if item["asked"] else ""
    return f"{item['promise_how']} {item['promise']}{asked}" if item["promise"] else "-"


def _stands_in(item: dict[str, Any]) -> str:
    """Whom it stands in for, and whether it does so now."""
    return f"{item['stands_in_for']}{', now' if item['standing_in'] else ''}" if item["stands_in_for"] else "-"


def _servers(status: dict[str, Any]) -> list[str]:
    """The worklist, and who gets performed steps."""
    lines = []
    if worklist := status["worklist"]:
        lines.append(f"worklist     {worklist['state']}, {worklist['count']} entries {worklist['reason']}".rstrip())
    for item in status["performed"]:
        lines.append(
            f"performed    {item['name']}: {item['state']}, {item['count']} open {item['reason']}".rstrip()
        )
    return lines
