"""The terminal driver: Textual's own, but a terminal that went away ends the console quietly.

Textual's reader thread turns a hang-up (EIO, or an endless row of empty reads) into a traceback or a busy loop,
and its writer thread dies of the first failed write, after which the bounded queue before it blocks the event
loop for good. Here both only tell the app to leave.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import selectors
import threading
from codecs import getincrementaldecoder
from collections.abc import Callable
from typing import IO, Any, Final

from textual._xterm_parser import XTermParser
from textual.drivers._writer_thread import WriterThread
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

HANG_UP_STATUS: Final = 1
"""The exit status after the terminal went away: systemd starts the console again on it."""


class PatientWriter(WriterThread):
    """Goes on taking text when the terminal is gone, so that nobody waits for it."""

    def __init__(self, file: IO[str], gone: threading.Event, written: Callable[[], None]) -> None:
        """`written` is called in its thread, whenever the terminal has taken all there is."""
        super().__init__(file)
        self._gone = gone
        self._written = written

    def run(self) -> None:
        while (text := self._queue.get()) is not None:
            if self._gone.is_set():
                continue
            try:
                self._file.write(text)
                if self._queue.qsize():
                    continue
                self._file.flush()
            except (OSError, ValueError):
                self._gone.set()
            else:
                self._written()

    @property
    def backlog(self) -> int:
        """Writes that the terminal has not taken yet."""
        return self._queue.qsize()


class BoxDriver(LinuxDriver):
    """See the module."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.gone = threading.Event()

    @property
    def backlog(self) -> int:
        """Screen updates under way to the terminal; more than one means that it is slower than we are."""
        writer = self._writer_thread
        return writer.backlog if isinstance(writer, PatientWriter) else 0

    def written(self) -> None:
        """The terminal has taken all that was written. In the writer's thread."""

    def start_application_mode(self) -> None:
        super().start_application_mode()  # type: ignore[no-untyped-call]
        old = self._writer_thread
        if self._file is not None and old is not None and not isinstance(old, PatientWriter):
            self._writer_thread = PatientWriter(self._file, self.gone, self.written)
            old.stop()
            self._writer_thread.start()

    def _sigcont_application(self, *_: Any) -> None:
        """As Textual's after a SIGTSTP. After a bare SIGSTOP it is still in application mode, which must not begin
        twice, and nobody knows what a shell did to the terminal meanwhile: it ends first."""
        if not self._must_signal_resume:
            if self._key_thread is None or not self._key_thread.is_alive():
                return
            self.suspend_application_mode()
        super()._sigcont_application()

    def send_message(self, message: Message) -> None:
        """As Textual's; RuntimeError once the app has gone, and nothing is left over that nobody awaits."""
        if self._loop.is_closed():
            raise RuntimeError("the app has gone")
        posting = self._app._post_message(message)
        try:
            asyncio.run_coroutine_threadsafe(posting, loop=self._loop)
        except RuntimeError:  # in this very moment
            posting.close()
            raise

    def _run_input_thread(self) -> None:
        try:
            self.run_input_thread()
        except (OSError, EOFError):
            self.hang_up()
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    def hang_up(self) -> None:
        """The terminal is gone: the app leaves with status 1. From any thread."""
        if self.gone.is_set():
            return
        self.gone.set()
        with contextlib.suppress(RuntimeError):  # the app has gone before
            self._loop.call_soon_threadsafe(self._leave)

    def _leave(self) -> None:
        self._app.exit(return_code=HANG_UP_STATUS)

    def run_input_thread(self) -> None:
        """Reads the terminal until told to stop. Raises EOFError or OSError when the terminal is gone."""
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")(errors="replace").decode
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(0.1):
                    data = os.read(self.fileno, 4096)
                    if not data:
                        raise EOFError
                    # an empty text would mean the end to the parser: half a character is waited for
                    if text := decode(data):
                        for message in parser.feed(text):
                            self.process_message(message)
                for message in parser.tick():
                    self.process_message(message)
