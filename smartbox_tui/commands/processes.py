"""`smartbox engine`, `capture`, `console`: load the settings, run the process."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
from collections.abc import Iterator
from typing import Final

from smartbox_tui.commands.options import Options, set_up_logging
from smartbox_tui.settings.load import PARENT_VARIABLE, load
from smartbox_tui.settings.paths import paths
from smartbox_tui.wire import untrusting

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
    loaded = load(options.config, folders.state, fallback=True)
    if name == "engine":
        set_up_logging(name)
        with _importing():
            from smartbox_tui.engine.app import run as run_engine

        return run_engine(folders, loaded, options.config)
    if name == "capture":
        set_up_logging(name)
        with _importing():
            from smartbox_tui.capture.app import run as run_capture

        return run_capture(folders, loaded)
    with _importing():
        from smartbox_tui.ui.app import run as run_console  # it draws here and logs to SMARTBOX_LOG only

    return run_console(folders, loaded, options.config)


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
