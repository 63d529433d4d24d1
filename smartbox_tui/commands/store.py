"""`smartbox store`: check and rebuild, with the engine stopped (its lock says so)."""

from __future__ import annotations

import argparse

from smartbox_tui.commands.options import Options, set_up_logging
from smartbox_tui.commands.output import out
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.load import load
from smartbox_tui.settings.paths import paths


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Raises SmartBoxError (in-use while an engine lives); exit 1 when the check found something."""
    from smartbox_tui.engine.exams import rebuild
    from smartbox_tui.spool.lock import FolderLock

    folders = paths(options.state, options.runtime)
    if not folders.spool.is_dir():
        raise SmartBoxError("not-found", f"There is no spool in {folders.state}.", "Check --state.")
    set_up_logging("store")
    settings = load(options.config, folders.state, fallback=True).settings
    lock = FolderLock(folders.state, "engine")
    try:
        if arguments.action == "rebuild":
            result = rebuild.rebuild(folders, settings)
            text = (
                f"{result['exams']} exams, {result['instances']} pictures, {result['stored']} deliveries "
                f"stored already, {result['open']} open; the old database is {result['old'] or 'gone'}"
            )
        else:
            result = rebuild.check(folders, hashes=not arguments.fast)
            lines = [f"{item['exam']} {item['what']}: {item['problem']}" for item in result["problems"]]
            counts = f"{result['exams']} exams, {result['pictures']} pictures"
            gone = f", of which {result['released']} only in archives" if result["released"] else ""
            text = "\n".join([*lines, f"{counts}{gone}, {len(lines)} problems"])
    finally:
        lock.release()
    out(result, text, as_json=options.json)
    return 0 if result["ok"] else 1
