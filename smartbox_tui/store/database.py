"""Connections. Exactly one writes and checkpoints (SQLite below 3.51.3 can corrupt a WAL that two reset)."""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

from peewee import PeeweeException, SqliteDatabase

from smartbox_tui.errors import PROCESS_AWAY, SmartBoxError
from smartbox_tui.store import migrations

T = TypeVar("T")
Job = tuple[Callable[[Any], Any], "Future[Any]"]

_STOP: Final = None


class Store:
    """The one writer thread and the read-only connections of an engine.

    `write(job)` runs `job(database)` in an IMMEDIATE transaction on the writer's thread; what it returns or
    raises comes out of the Future; after `close` that is no-engine, at once. `reader` is a database for SELECTs on
    any thread, read-only by its mode.
    """

    def __init__(self, path: Path, more_room: Callable[[], bool] = lambda: False) -> None:
        """Creates and migrates the database. `more_room`: the disk is full, what was kept for that is given; False:
        there is none. The job is then run once more. Raises SmartBoxError (refused, disk-full)."""
        self._path, self._more_room = path, more_room
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._ready: Future[int] = Future()
        self._working, self._done_jobs = False, 0
        self._gate, self._closed = threading.Lock(), False
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()
        self.migrated: int = self._ready.result()
        # no mmap_size and no checkpoint on readers: see the module's docstring
        self.reader = SqliteDatabase(
            f"file:{quote(str(path))}?mode=ro", uri=True, pragmas={"wal_autocheckpoint": 0, "query_only": 1}
        )

    def write(self, job: Callable[[Any], T]) -> Future[T]:
        future: Future[T] = Future()
        with self._gate:
            if not self._closed:
                self._jobs.put((job, future))
                return future
        future.set_exception(_closed())  # a thread that is left over would wait for ever, and the process for it
        return future

    @property
    def progress(self) -> int | None:
        """Jobs done so far, for the watchdog; None: there is none."""
        return self._done_jobs if self._working else None

    def close(self) -> None:
        """Ends the writer after the jobs queued so far; checkpoints."""
        with self._gate:
            self._closed = True
            self._jobs.put(_STOP)
        self._thread.join()
        self.reader.close_all() if hasattr(self.reader, "close_all") else self.reader.close()

    def _run(self) -> None:
        try:
            database = open_writer(self._path)
            self._ready.set_result(migrations.migrate(database))
        except BaseException as exc:  # noqa: BLE001 - it belongs to whoever waits for the store
            self._ready.set_exception(_translated(exc, self._path))
            return
        while (item := self._jobs.get()) is not _STOP:
            job, future = item
            if not future.set_running_or_notify_cancel():
                continue
            self._working = True
            try:
                result = self._done(database, job)
            except BaseException as exc:  # noqa: BLE001 - it belongs to whoever waits for the job
                future.set_exception(_translated(exc, self._path))
            else:
                future.set_result(result)
            self._done_jobs += 1
            self._working = False
        database.close()

    def _done(self, database: Any, job: Callable[[Any], T]) -> T:
        try:
            return _transaction(database, job)
        except Exception as exc:
            if not _is_full(exc) or not self._more_room():
                raise
            return _transaction(database, job)


def _transaction(database: Any, job: Callable[[Any], T]) -> T:
    """Runs the job between BEGIN IMMEDIATE and COMMIT. Raises what it raises.

    Not by the object mapper's own: SQLite rolls back by itself when the disk is full (lang_transaction, 2.3),
    the mapper's ROLLBACK then fails, and that failure hid the real one.
    """
    database.execute_sql("BEGIN IMMEDIATE")
    try:
        result = job(database)
        database.execute_sql("COMMIT")
    except BaseException:
        if database.connection().in_transaction:
            database.execute_sql("ROLLBACK")
        raise
    return result


def open_writer(path: Path) -> Any:
    """The writing connection: WAL, synchronous=FULL (a promise in the table survives a power cut)."""
    database = SqliteDatabase(
        str(path), pragmas={"journal_mode": "wal", "synchronous": "full", "foreign_keys": 1, "busy_timeout": 5000}
    )
    database.connect()
    return database


def _closed() -> SmartBoxError:
    return SmartBoxError(PROCESS_AWAY, "The engine is being stopped.", "It is done when it runs again.")


def _is_full(exc: BaseException) -> bool:
    return "disk is full" in str(exc) or "disk I/O error" in str(exc)


def _translated(exc: BaseException, path: Path) -> BaseException:
    """SQLite's own words for a full disk or a broken file, as an error a person can act on."""
    text = str(exc)
    if _is_full(exc):
        return SmartBoxError(
            "disk-full",
            "The disk of the state folder has no space for the database.",
            "Free space; nothing is lost.",
        )
    if "not a database" in text or "malformed" in text:
        return SmartBoxError(
            "refused",
            f"{path.name} is damaged: {text}.",
            "Stop the engine, move the file away and run `smartbox store rebuild`: the spool holds everything.",
        )
    if isinstance(exc, PeeweeException):
        return SmartBoxError(
            "refused", f"The database did not take it: {text}.", "See the log; smartbox store check."
        )
    return exc


def integrity(path: Path) -> str:
    """`ok`, or what SQLite's own check found. For `store check` with no engine running."""
    with sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True) as connection:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])
