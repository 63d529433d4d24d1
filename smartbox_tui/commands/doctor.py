"""`smartbox doctor`: what works, what does not, and what to do about it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import uuid
from pathlib import Path
from typing import Any, Final

from smartbox_tui.commands.options import Options
from smartbox_tui.commands.output import out, source_text
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings import whole
from smartbox_tui.settings.load import load
from smartbox_tui.settings.paths import Paths, paths
from smartbox_tui.settings.schema import Settings
from smartbox_tui.wire import client

_MARKS = {True: "ok  ", False: "FAIL", None: "?   "}


class _Checks:
    def __init__(self) -> None:
        self.found: list[dict[str, Any]] = []

    def add(self, identity: str, ok: bool | None, message: str, hint: str = "") -> None:
        self.found.append({"id": identity, "ok": ok, "message": message, "hint": hint})


def run(options: Options) -> int:
    """Exit 1 when a check failed; a check that could not be made (`ok` null) fails nothing."""
    checks = _Checks()
    checks.add("python", sys.version_info >= (3, 11), f"Python {sys.version.split()[0]}", "3.11 or newer")
    checks.add(
        "sqlite", sqlite3.sqlite_version_info >= (3, 35), f"SQLite {sqlite3.sqlite_version}", "3.35 or newer"
    )
    folders = paths(options.state, options.runtime)
    settings = _settings(checks, options, folders)
    _folders(checks, folders)
    if settings is not None:
        _sources(checks, settings)
        _encoding(checks, settings)
    status = _processes(checks, folders)
    if status is not None:
        _running(checks, folders, status)
    lines = [
        f"{_MARKS[item['ok']]} {item['id']}: {item['message']}"
        + (f"\n       {item['hint']}" if item["hint"] and not item["ok"] else "")
        for item in checks.found
    ]
    out({"checks": checks.found}, "\n".join(lines), as_json=options.json)
    return 1 if any(item["ok"] is False for item in checks.found) else 0


def _settings(checks: _Checks, options: Options, folders: Paths) -> Settings | None:
    try:
        loaded = load(options.config, folders.state, fallback=True)
    except SmartBoxError as exc:
        checks.add("settings", False, exc.message, exc.hint)
        return None
    read = ", ".join(str(path) for path in loaded.files) or "defaults only"
    checks.add("settings", True, f"readable: {read}")
    if loaded.trouble:
        checks.add(
            "settings.site",
            False,
            f"What the box itself wrote does not hold: {loaded.trouble}",
            "The engine's next start sets it aside; an earlier state is in force. See ctl settings history.",
        )
    if not loaded.settings.sources:
        checks.add("settings.sources", False, "No source is configured.", "Add a [[sources]] table.")
    if not loaded.settings.destinations:
        checks.add(
            "settings.destinations", False, "No destination is configured.", "smartbox ctl destination add …"
        )
    for path, why in whole.problems(loaded.settings):
        checks.add(f"settings.{path}", False, why, f"Change {path}.")
    return loaded.settings


def _folders(checks: _Checks, folders: Paths) -> None:
    for name, path in (("state", folders.state), ("runtime", folders.runtime)):
        if not path.is_dir():
            checks.add(f"folder.{name}", None, f"{path} is not there yet.", "The engine makes it at its start.")
        elif not os.access(path, os.W_OK | os.X_OK):
            checks.add(f"folder.{name}", False, f"{path} is not writable for this user.", "Run as the box's user.")
        else:
            free = shutil.disk_usage(path).free
            enough = name == "runtime" or free > 1 << 30
            checks.add(f"folder.{name}", enough, f"{path}, {free >> 20} MiB free", "Free space on that disk.")


def _sources(checks: _Checks, settings: Settings) -> None:
    for source in settings.sources:
        if source.kind == "v4l2" and source.device.startswith("/dev/"):
            there = Path(source.device).exists()
            text = f"{source.device} is {'there' if there else 'not there'}"
            checks.add(f"source.{source.id}.device", there, text, "Check the cable; `ls /dev/v4l/by-path`.")
        elif source.kind == "file":
            there = Path(source.device).is_file()
            text = f"{source.device} is {'there' if there else 'not there'}"
            checks.add(f"source.{source.id}.device", there, text, "Check the path.")
        elif source.kind == "folder":
            usable = os.access(source.device, os.W_OK | os.X_OK) and Path(source.device).is_dir()
            text = f"{source.device} is {'a' if usable else 'no'} folder that can be written"
            checks.add(f"source.{source.id}.device", usable, text, "Check the path, the drive and its permissions.")


def _encoding(checks: _Checks, settings: Settings) -> None:
    """Whether the machine's cores are likely to encode all that its sources deliver, at once."""
    cores = len(os.sched_getaffinity(0))
    live = [each for each in settings.sources if each.kind in ("v4l2", "file", "pattern")]
    needed = 0.0
    for each in live:
        frame_s, pixel_s = _CORE_S[each.codec]
        needed += (frame_s + pixel_s * each.width * each.height) * each.fps
    if not live:
        return
    codecs = ", ".join(dict.fromkeys(each.codec for each in live))
    text = f"{codecs} for all sources takes about {needed:.1f} of {cores} cores"
    hint = "Frames may be lost, and counted: choose h264 or mpeg2, or a smaller size or rate."
    checks.add("encoding", needed <= cores * _CORE_SHARE, text, hint)


_CORE_S: Final = {"h264": (0.6e-3, 4.5e-9), "mpeg2": (0.4e-3, 3.5e-9), "hevc": (14e-3, 17.6e-9)}
"""Seconds of one core for a frame, and for each of its pixels, as measured (README)."""

_CORE_SHARE: Final = 0.6
"""Of the cores; conversion, stills, sending and screens want theirs."""


def _processes(checks: _Checks, folders: Paths) -> dict[str, Any] | None:
    status: dict[str, Any] | None = None
    for name, socket in (("capture", folders.capture_socket), ("engine", folders.engine_socket)):
        try:
            answer = client.request(socket, "GET", "/v1/status", timeout_s=5)
        except SmartBoxError as exc:
            checks.add(name, False, exc.message, exc.hint)
        else:
            checks.add(name, True, f"answers on {socket}")
            if name == "engine":
                status = answer
    return status


def _running(checks: _Checks, folders: Paths, status: dict[str, Any]) -> None:
    for item in status["sources"]:
        trouble = bool(item.get("trouble"))
        checks.add(
            f"source.{item['id']}",
            item["signal"] and not trouble,
            source_text(item),
            "Record it in another codec, size or rate." if trouble else "Check cable and processor.",
        )
    for item in status["destinations"]:
        _connection(checks, folders, f"destination.{item['name']}", "destination", item["name"])
    if status["worklist"] is not None:
        _connection(checks, folders, "worklist", "worklist", "")
    for item in status["performed"]:
        if item["name"] == "mpps":
            _connection(checks, folders, "mpps", "mpps", "")
        open_ = f"{item['count']} messages wait" if item["count"] else "nothing waits"
        checks.add(f"performed.{item['name']}", item["state"] in ("ok", "unknown"), open_, item["reason"])
    blocked = status["queue"]["blocked"]
    checks.add("queue", not blocked, f"{blocked} deliveries blocked", "smartbox ctl queue list --state blocked")
    checks.add("clock", True if status["clock"] == "trusted" else None, f"the clock is {status['clock']}",
               "Set up time synchronisation.")  # fmt: skip
    for alarm in status["alarms"]:
        checks.add(f"alarm.{alarm['code']}", False, alarm["message"])


def _connection(checks: _Checks, folders: Paths, identity: str, what: str, name: str) -> None:
    command = {"type": "connection-test", "id": str(uuid.uuid4()), "what": what, "name": name}
    try:
        answer = client.command(folders.engine_socket, command, timeout_s=30)
    except SmartBoxError as exc:
        checks.add(identity, False, exc.message, exc.hint)
        return
    failed = next((step for step in answer["steps"] if not step["ok"]), None)
    if failed is None:
        checks.add(identity, True, answer["steps"][-1]["message"])
    else:
        checks.add(identity, False, failed["message"], failed["hint"])
