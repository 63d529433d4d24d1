"""`smartbox engine`, `capture`, `console`: load the settings, run the process."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from smartbox_tui.commands.options import Options, set_up_logging
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.again import Again
from smartbox_tui.settings.load import PARENT_VARIABLE, load
from smartbox_tui.settings.paths import Paths, paths
from smartbox_tui.wire import untrusting
from smartbox_tui.wire.notify import MANAGED_BY

log = logging.getLogger(__name__)

_PR_SET_PDEATHSIG: Final = 1


def die_with_parent() -> None:
    """A child gets SIGTERM when demo or engine dies in whatever way (prctl(2)): nothing is left behind."""
    parent = os.environ.get(PARENT_VARIABLE)
    if parent:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != int(parent):  # it died before we asked
            os.kill(os.getpid(), signal.SIGTERM)


def run(name: str, options: Options) -> int:
    """Blocks until the process ends. Each imports only its own room."""
    die_with_parent()
    folders = paths(options.state, options.runtime)
    if name != "console":  # it draws on standard error, and logs to SMARTBOX_LOG only
        set_up_logging(name)
    try:
        loaded = load(options.config, folders.state, fallback=True, kept=_managed())
    except SmartBoxError as exc:
        return _without_settings(name, folders, options.config, exc)
    if why := loaded.instead():
        log.error("the settings file cannot be read: %s", why)
    if name == "engine":
        with _importing():
            from smartbox_tui.engine.app import run as run_engine

        return run_engine(folders, loaded, options.config)
    if name == "capture":
        with _importing():
            from smartbox_tui.capture.app import run as run_capture

        return run_capture(folders, loaded)
    with _importing():
        from smartbox_tui.ui.app import run as run_console

    return run_console(folders, loaded, options.config)


def _without_settings(name: str, folders: Paths, config: Path | None, trouble: SmartBoxError) -> int:
    """By hand the mistake ends it; a service manager would start it again and again, with the same mistake."""
    if not _managed():
        raise trouble
    if name == "console":
        from smartbox_tui.ui.unreadable import run as show

        return show(Again(config, folders.state, trouble), folders)
    from smartbox_tui.commands import waiting

    return waiting.run(name, folders, config, trouble)


def _managed() -> bool:
    return bool(os.environ.get(MANAGED_BY))


@contextlib.contextmanager
def _importing() -> Iterator[None]:
    """What modules make stays for good: the garbage collector looks at it neither while they are imported, which it
    would do again and again, nor ever after."""
    gc.disable()
    try:
        untrusting.load()
        yield
    finally:
        gc.freeze()
        gc.enable()
