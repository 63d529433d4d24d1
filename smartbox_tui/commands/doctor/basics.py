"""The program, its settings, its folders: what must be right before anything else can be."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

from smartbox_tui import __version__
from smartbox_tui.commands.doctor.check import Check, Context, text_of
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings import whole
from smartbox_tui.settings.load import load


def versions(_context: Context) -> Iterator[Check]:
    yield Check("smartbox", True, f"SmartBox {__version__}")
    yield Check("python", sys.version_info >= (3, 11), f"Python {sys.version.split()[0]}", "3.11 or newer")
    newest = sqlite3.sqlite_version_info
    yield Check("sqlite", newest >= (3, 35), f"SQLite {sqlite3.sqlite_version}", "3.35 or newer")
    release = dict(line.split("=", 1) for line in text_of(Path("/etc/os-release")).splitlines() if "=" in line)
    system = release.get("PRETTY_NAME", "unknown system").strip('"')
    machine = text_of(Path("/sys/class/dmi/id/product_name")) or text_of(Path("/proc/device-tree/model"))
    parts = [system, f"Linux {platform.release()}", platform.machine(), machine]
    yield Check("system", True, ", ".join(part for part in parts if part))


def settings(context: Context) -> Iterator[Check]:
    """Reads them into the context."""
    try:
        loaded = load(context.config, context.folders.state, fallback=True, kept=True)
    except SmartBoxError as exc:
        yield Check("settings", False, exc.message, exc.hint)
        return
    except OSError as exc:
        yield Check("settings", None, f"could not be checked because they cannot be read: {exc.strerror}",
                    "Run it as root or as the box's user.")  # fmt: skip
        return
    context.loaded, context.settings = loaded, loaded.settings
    read = ", ".join(str(path) for path in loaded.files) or "defaults only"
    if why := loaded.instead():
        yield Check("settings", False, why, "Mend the file, then start the box's processes anew.")
    else:
        yield Check("settings", True, f"readable: {read}")
    if loaded.trouble:
        yield Check(
            "settings.site",
            False,
            f"What the box itself wrote does not hold: {loaded.trouble}",
            "The engine's next start sets it aside; an earlier state is in force. See ctl settings history.",
        )
    if not loaded.settings.sources:
        yield Check("settings.sources", False, "No source is configured.", "Add a [[sources]] table.")
    if not loaded.settings.destinations:
        hint = "smartbox ctl destination add …"
        yield Check("settings.destinations", False, "No destination is configured.", hint)
    for path, why in whole.problems(loaded.settings):
        yield Check(f"settings.{path}", False, why, f"Change {path}.")


def folders(context: Context) -> Iterator[Check]:
    for name, path in (("state", context.folders.state), ("runtime", context.folders.runtime)):
        identity = f"folder.{name}"
        try:
            there = path.is_dir()
        except OSError:
            there = False
        if not there:
            yield Check(identity, None, f"{path} is not there yet, or not to be seen by this user.",
                        "The engine makes it at its start.")  # fmt: skip
        elif not os.access(path, os.W_OK | os.X_OK):
            yield Check(identity, False, f"{path} is not writable for this user.", "Run as the box's user.")
        else:
            free = shutil.disk_usage(path).free
            enough = name == "runtime" or free > 1 << 30
            yield Check(identity, enough, f"{path}, {free >> 20} MiB free", "Free space on that disk.")
