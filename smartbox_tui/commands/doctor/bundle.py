"""The bundle for service: what an engineer far away needs to see, and nothing of patients.

Three walls. Only such things go in as are listed here: counts and codes, never what an archive wrote, no free
texts of the settings, no names of users. Every text of it goes through `Scrubber`. And each file is looked at once
more, byte by byte: one that still holds something known is left out.
"""

from __future__ import annotations

import io
import json
import os
import sqlite3
import tarfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from smartbox_tui import __version__
from smartbox_tui.commands.doctor import services
from smartbox_tui.commands.doctor.check import Check, Context, output
from smartbox_tui.commands.doctor.known import Unknown, known
from smartbox_tui.commands.doctor.scrub import Scrubber
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings import describe
from smartbox_tui.wire import client

LINES: Final = 2000
_LOG_BYTES: Final = 512 << 10
_FREE: Final = ("station_name", "institution_name", "user", "name", "emergency.id", "emergency.name", "callers")
"""Settings that people write as they like; a text of them may name somebody."""
_THEIRS: Final = ("alarm.", "performed.")
"""Lines of the doctor whose text may be an archive's own."""
_KERNEL: Final = ("usb", "uvc", "video", "v4l", "i/o error", "ext4", "mmc", "nvme", "ata", "oom", "out of memory",
                  "thermal", "throttl", "watchdog", "hid", "drm", "fb0")  # fmt: skip
_LEFT_OUT: Final = "(left out: it may be an archive's own words)"


def write(path: Path, context: Context, found: list[Check]) -> str:
    """Writes it, readable for this user only; answers what is in it, in words. Raises refused."""
    try:
        scrubber = Scrubber(known(context))
    except Unknown as exc:
        raise SmartBoxError("refused", f"No bundle: {exc}.", "Run it as root or as the box's user.") from exc
    members, left = {}, []
    for name, data in _members(context, found, scrubber).items():
        if scrubber.clean(data):
            members[name] = data
        else:
            left.append(name)
    members["about.txt"] = _about(members, left).encode()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
            for name, data in members.items():
                entry = tarfile.TarInfo(f"smartbox-service/{name}")
                entry.size, entry.mtime, entry.mode = len(data), int(time.time()), 0o600
                archive.addfile(entry, io.BytesIO(data))
    except OSError as exc:
        raise SmartBoxError("refused", f"{path} is not written: {exc.strerror}.", "Choose another place.") from exc
    return f"{path}, {path.stat().st_size >> 10} KiB. {members['about.txt'].decode()}"


def _about(members: dict[str, bytes], left: list[str]) -> str:
    lines = [f"  {name:<16} {len(data):>8} bytes  {_WHAT.get(name, '')}" for name, data in members.items()]
    text = "In it, to be looked at before it is sent (tar -xzf):\n" + "\n".join(lines) + "\n"
    if left:
        text += f"Left out, because something of a patient was still in it: {', '.join(left)}\n"
    return text + (
        "No pictures, no patients: what the box knows of them was taken out word by word, and ids and UIDs became\n"
        "words that mean nothing outside of this bundle. What a log may say of somebody whom the box does not\n"
        "know cannot be found: look through log.txt.\n"
    )


_WHAT: Final = {
    "doctor.json": "what `smartbox doctor` says",
    "settings.json": "settings with their origins; secrets as the names of their files, free texts as their length",
    "units.json": "the units as systemd shows them",
    "log.txt": "the newest lines of the log",
    "kernel.txt": "the kernel's lines about USB, video, disks, heat",
    "queue.json": "counts by destination, state and code; nothing of what archives wrote",
    "database.json": "version and integrity of the database",
    "versions.json": "the program and its libraries",
}


def _members(context: Context, found: list[Check], scrubber: Scrubber) -> dict[str, bytes]:
    values: dict[str, Any] = {
        "doctor.json": {"checks": [_shown(each).as_dict() for each in found]},
        "settings.json": settings(context),
        "units.json": services.units(),
        "queue.json": queue(context),
        "database.json": database(context),
        "versions.json": versions(),
    }
    members = {
        name: json.dumps(scrubber.value(value), ensure_ascii=False, indent=1).encode()
        for name, value in values.items()
    }
    members["log.txt"] = scrubber.text(_log()).encode()
    members["kernel.txt"] = scrubber.text(_kernel()).encode()
    return members


def _shown(each: Check) -> Check:
    return replace(each, message=_LEFT_OUT, hint="") if each.id.startswith(_THEIRS) else each


def settings(context: Context) -> dict[str, Any]:
    """By path: the value as it may be seen, and where it comes from."""
    shown = {}
    origins = context.loaded.origins if context.loaded is not None else {}
    for path, value in describe.flat(context.settings).items():
        shown[path] = {"value": _setting(path, value), "origin": Path(origins.get(path, "default")).name}
    return shown


def _setting(path: str, value: Any) -> Any:
    key = describe.place(path).key
    if key is None or (key.secret and value):
        return describe.MASK
    if not isinstance(value, str) or not value or key.choices:
        return value
    if path in _FREE or path.rpartition(".")[2] in _FREE or path.startswith("hooks."):
        return f"(text of {len(value)} signs)"
    if "://" in value:
        split = urlsplit(value)
        return f"{split.scheme}://{split.hostname or ''}{f':{split.port}' if split.port else ''}{split.path}"
    return value


def queue(context: Context) -> dict[str, Any]:
    """Counts only."""
    counts: Counter[tuple[str, str, str]] = Counter()
    if context.engine is not None:
        try:
            rows = client.request(context.folders.engine_socket, "GET", "/v1/queue", timeout_s=20)["deliveries"]
        except SmartBoxError as exc:
            return {"trouble": exc.code}
        counts.update((row["destination"], row["state"], row["code"]) for row in rows)
    elif context.folders.database.exists():
        try:
            with _reader(context) as connection:
                query = "SELECT destination, state, code, count(*) FROM delivery GROUP BY 1, 2, 3"
                counts.update({(row[0], row[1], row[2]): row[3] for row in connection.execute(query)})
        except sqlite3.Error as exc:
            return {"trouble": type(exc).__name__}
    return {
        "deliveries": [
            {"destination": destination, "state": state, "code": code, "count": count}
            for (destination, state, code), count in sorted(counts.items())
        ]
    }


def database(context: Context) -> dict[str, Any]:
    """With an engine nothing but its size: no other program opens it then."""
    path = context.folders.database
    try:
        told: dict[str, Any] = {"bytes": path.stat().st_size}
    except OSError:
        return {"there": False}
    if context.engine is not None:
        return {**told, "checked": "no: the engine has it"}
    try:
        with _reader(context) as connection:
            told["version"] = connection.execute("PRAGMA user_version").fetchone()[0]
            told["integrity"] = (
                "ok" if connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok" else "damaged"
            )
            names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            told["rows"] = {
                name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names
            }
    except sqlite3.Error as exc:
        told["trouble"] = type(exc).__name__
    return told


def _reader(context: Context) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(context.folders.database))}?mode=ro", uri=True)


def versions() -> dict[str, str]:
    from importlib.metadata import distributions

    found = {item.metadata["Name"]: item.version for item in distributions() if item.metadata["Name"]}
    return {"smartbox": __version__, **dict(sorted(found.items(), key=lambda item: item[0].lower()))}


def _log() -> str:
    """The journal's, or the file's that the processes were told to write."""
    if text := services.journal(LINES):
        return text
    if name := os.environ.get("SMARTBOX_LOG"):
        try:
            data = Path(name).read_bytes()[-_LOG_BYTES:]
        except OSError as exc:
            return f"{exc.strerror}\n"
        return "\n".join(data.decode("utf-8", "replace").splitlines()[-LINES:]) + "\n"
    return "no journal could be read, and SMARTBOX_LOG names no file\n"


def _kernel() -> str:
    said = output("dmesg", "--time-format", "iso") or output(
        "journalctl", "-q", "-k", "-o", "short-iso", "-n", "3000"
    )
    if said is None:
        return "the kernel's messages could not be read: run it as root\n"
    lines = [line for line in said.splitlines() if any(word in line.lower() for word in _KERNEL)]
    return "\n".join(lines[-500:]) + "\n"
