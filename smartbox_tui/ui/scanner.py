"""The scanner of the panel: a thread that reads it and posts what it read. What it says is never logged."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Protocol

from textual.message import Message

from hw.base import CodeSource
from hw.errors import HardwareError
from smartbox_tui.settings.schema import Scanner as ScannerSettings
from smartbox_tui.ui.codes import CodeScanned

log = logging.getLogger(__name__)

_READ_S: Final = 0.25
_PAUSES_S: Final = (0.2, 0.5, 1.0, 2.0)
_LOG_EVERY: Final = 30
_JOIN_S: Final = 2.0


class App(Protocol):
    """What is used of the app. `post_message` is thread-safe; it answers False while the app does not run."""

    def post_message(self, message: Message) -> bool: ...


def real_scanner(settings: ScannerSettings) -> CodeSource:
    from hw.panel.scanner import WedgeScanner

    return WedgeScanner(key="scanner", device=settings.device, layout=settings.layout)


class ScannerThread:
    """Reads the scanner until `end`; unplugged, it is opened again when it is back."""

    def __init__(self, app: App, source: CodeSource) -> None:
        self._app = app
        self._source = source
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scanner", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Lets go of the device."""
        self._ended.set()
        self._thread.join(_JOIN_S)

    def _run(self) -> None:
        failures = 0
        while not self._ended.is_set():
            try:
                self._source.open()
                log.info("the scanner is there")
                failures = 0
                while not self._ended.is_set():
                    if (text := self._source.read(_READ_S)) is not None:
                        self._app.post_message(CodeScanned(text))
            except HardwareError as exc:
                self._log(failures, exc)
            except Exception as exc:  # a defect in its driver must not cost the screen anything but the scanner
                log.exception("the scanner's driver failed")
                self._log(failures, exc)
            finally:
                self._source.close()
            self._ended.wait(_PAUSES_S[min(failures, len(_PAUSES_S) - 1)])
            failures += 1

    @staticmethod
    def _log(failures: int, exc: Exception) -> None:
        """The first, then every Nth."""
        if failures % _LOG_EVERY == 0:
            log.warning("the scanner failed (%d times before): %s", failures, exc)


@contextlib.contextmanager
def listening(
    app: App,
    settings: ScannerSettings,
    environ: Mapping[str, str],
    make: Callable[[ScannerSettings], CodeSource] = real_scanner,
) -> Iterator[ScannerThread | None]:
    """While the app runs. Only on the box itself: over SSH somebody sits elsewhere, and another console has it."""
    if not settings.device or "SSH_CONNECTION" in environ:
        yield None
        return
    thread = ScannerThread(app, make(settings))
    thread.start()
    try:
        yield thread
    finally:
        thread.end()
