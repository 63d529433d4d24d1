"""One folder or medium that pictures go to, for all who write to it: which it is, what is on it, one object more.

Order for an object: temporary name, fsync, read back, plain files likewise, rename, fsync of the folder, DICOMDIR
likewise. Only then it is stored; a crash before leaves nothing, or a file that is entered when it is seen next.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from uuid import UUID

from smartbox_tui.dicom.compose import Composition
from smartbox_tui.dicom.fileset import FileSet
from smartbox_tui.dicom.fileset_records import Described, describe
from smartbox_tui.dicom.scu.pace import Pace
from smartbox_tui.engine.delivery.medium import faults, mounts
from smartbox_tui.engine.delivery.medium.directory import DICOMDIR, Seen, read_directory, seen, write_directory
from smartbox_tui.engine.delivery.medium.files import FULL, MediumError, Parts, Root
from smartbox_tui.engine.delivery.medium.identity import (
    MARK,
    Remembered,
    file_set_uid,
    new_identity,
    read_mark,
    write_mark,
)
from smartbox_tui.engine.delivery.medium.leftovers import TMP, settle
from smartbox_tui.engine.delivery.medium.plain import plain_files
from smartbox_tui.engine.delivery.medium.pulse import Pulse, silent
from smartbox_tui.engine.delivery.medium.streams import digest_of
from smartbox_tui.engine.delivery.medium.writing import (
    has_plain,
    is_object,
    size_of,
    undo,
    write_object,
    write_plain,
)
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.answer import Meaning, Outcome, TransferCancelled
from smartbox_tui.model.medium import CORRUPT, TOO_LARGE
from smartbox_tui.settings.destination import Destination

log = logging.getLogger(__name__)

LEAST_FREE: Final = 1 << 20
_FULL_FOR_S: Final = 300.0
"""So long a medium that said it was full is believed, whatever its free space is said to be."""
_LOCK_S: Final = 0.2
_PATIENCE_S: Final = 20.0

STORED: Final = Meaning(Outcome.STORED, "Stored.")
_TOO_LARGE: Final = Meaning(Outcome.BLOCKED, TOO_LARGE, "Use a medium with exFAT, or set max_instance_bytes lower.")
_CORRUPT: Final = Meaning(Outcome.RETRY, CORRUPT, "Use another medium: this one loses data.")


class Medium:
    """Shared by all ways to one folder; every method takes its lock, and works in a thread that may be left alone
    with a medium that hangs (pulse.watched). What may pass is TransferLost with a code of the contract."""

    def __init__(self, destination: Destination, state: Path | None = None) -> None:
        self.path = Path(destination.path)
        self._mounted = destination.mounted
        self._timeout_s = destination.timeout_s
        self._lock = threading.Lock()
        self._users: set[int] = set()
        self._remembered = Remembered.of(state, destination.name, destination.path)
        self._root: Root | None = None
        self._mount: mounts.Mount | None = None
        self._set = FileSet("2.25.0")
        self._seen: Seen | None = None
        self._known: UUID | None = None  # the medium that the File-set in memory is of
        self._missing = (0, 0.0)  # bytes that did not fit, and until when that is believed
        self._ejected: int | None = None
        self._current: Pulse | None = None  # of whoever has the lock

    # ---- who uses it

    def enter(self, user: int) -> None:
        self._users.add(user)

    def leave(self, user: int) -> None:
        """The last one closes it, so that it can be unmounted."""
        self._users.discard(user)
        if self._lock.acquire(blocking=False):
            try:
                self._close_unused()
            finally:
                self._lock.release()

    def _close_unused(self) -> None:
        if not self._users:
            self._close()

    def _close(self) -> None:
        root, self._root = self._root, None
        if root is not None:
            root.close()

    def _forget(self) -> None:
        """What is known of it may be wrong now: it is looked at anew."""
        self._close()
        self._known = self._seen = None

    @contextlib.contextmanager
    def _held(self, pulse: Pulse, *, by_hand: bool = False) -> Iterator[None]:
        """Raises TransferLost for all that is wrong with the medium: timeout when another job hangs. What somebody
        waits for `by_hand` is refused (in-use) while another job goes on."""
        since = time.monotonic()
        while not self._lock.acquire(timeout=_LOCK_S):
            pulse.check()
            pulse.beat()
            if by_hand and time.monotonic() - since > _PATIENCE_S:
                raise faults.busy(self.path)
            current = self._current
            if current is not None and current.silent_s > self._timeout_s:
                raise silent(str(self.path), self._timeout_s)
        self._current = pulse
        try:
            with faults.told(self.path, pulse):
                yield
        except TransferCancelled:
            if pulse.is_committed:
                self._forget()
            raise
        except BaseException:
            self._forget()
            raise
        finally:
            self._current = None
            self._close_unused()
            self._lock.release()

    # ---- is it there, and is it the right one

    def check(self, pulse: Pulse) -> None:
        """As `open`, and that there is room for what did not fit before."""
        with self._held(pulse):
            self._open(pulse)
            wanted, until = self._missing
            self._room(wanted if time.monotonic() < until else LEAST_FREE)

    def open(self, pulse: Pulse) -> None:
        with self._held(pulse):
            self._open(pulse)

    def _open(self, pulse: Pulse) -> Root:
        if self._ejected is not None:
            raise faults.ejected(self.path)
        if self._root is not None:
            if self._root.leads_here() and self._seen == seen(self._root):
                return self._root
            self._close()
        root = self._root = Root(self.path)
        self._mount = self._mount_of()
        if root.is_read_only():
            raise faults.read_only(self.path)
        if not root.is_writable():
            raise faults.not_allowed(self.path)
        self._identify(root, pulse)
        return root

    def _mount_of(self) -> mounts.Mount | None:
        try:
            found = mounts.mount_at(self.path) if self._mounted else mounts.mount_below(self.path)
        except OSError as exc:
            raise MediumError(exc) from exc
        if found is None and self._mounted:
            raise faults.not_mounted(self.path)
        return found

    def _identify(self, root: Root, pulse: Pulse) -> None:
        """Raises refused for another medium than the one that is remembered, and for one that others use."""
        try:
            mark = read_mark(root)
        except ValueError:
            raise faults.damaged(self.path, "its mark is not readable") from None
        wanted = self._remembered.identity
        if wanted is not None and mark != wanted:
            raise faults.wrong(self.path)
        if mark is not None and not root.claim((MARK,)):
            raise faults.claimed(self.path)
        if mark is None or mark != self._known or self._seen != seen(root):
            mark = self._load(root, mark, pulse)
        try:
            self._remembered.keep(mark)
        except (OSError, SmartBoxError) as exc:  # of the box's own disk: that keeps nothing from being stored
            log.error("%s: which medium is there cannot be kept: %s", self.path, type(exc).__name__)

    def _load(self, root: Root, mark: UUID | None, pulse: Pulse) -> UUID:
        self._known = None
        found = read_directory(root)
        if mark is None:
            mark = new_identity(found.uid if found is not None else "")
            write_mark(root, mark, pulse)
            if not root.claim((MARK,)):
                raise faults.claimed(self.path)
        if found is None:
            found = FileSet(file_set_uid(mark))
        elif found.uid != file_set_uid(mark):
            raise faults.foreign(self.path)
        self._set, changed = settle(root, found, pulse)
        if changed:
            write_directory(root, self._set, pulse)
        self._seen, self._known = seen(root), mark
        return mark

    def _room(self, wanted: int) -> None:
        assert self._root is not None
        if self._root.free_bytes() < wanted:
            self._missing = (wanted, time.monotonic() + _FULL_FOR_S)
            raise faults.full(self.path)

    # ---- one object more

    def store(self, composition: Composition, pulse: Pulse, *, plain: bool, pace: Pace | None) -> Meaning:
        """What the medium has after it: the whole object, read back, in its DICOMDIR, or nothing of it.

        Raises TransferLost with whether it may be there, TransferCancelled, invalid-object, OSError of the
        picture's own files.
        """
        with self._held(pulse):
            root = self._open(pulse)
            longest = self._mount.longest_file if self._mount else None
            if longest is not None and size_of(composition) > longest:
                return _TOO_LARGE
            described = describe(composition)
            try:
                return self._stored(root, composition, described, pulse, plain=plain, pace=pace)
            except MediumError as exc:
                if exc.errno == errno.EFBIG and not pulse.is_committed:
                    return _TOO_LARGE
                if exc.errno in FULL:
                    self._missing = (root.free_bytes() + LEAST_FREE, time.monotonic() + _FULL_FOR_S)
                raise

    def _stored(
        self,
        root: Root,
        composition: Composition,
        described: Described,
        pulse: Pulse,
        *,
        plain: bool,
        pace: Pace | None,
    ) -> Meaning:
        file_id, there = self._place(root, described, composition, pulse)
        beside = plain_files(composition, described, file_id) if plain else []
        new = [item for item in beside if not has_plain(root, item)]
        wanted = (0 if there else size_of(composition)) + sum(item.length for item in new)
        if wanted:
            self._room(wanted + len(self._set.image) + LEAST_FREE)
        temporary = (*file_id[:-1], file_id[-1] + TMP)
        made: list[Parts] = []
        try:
            if not there and not write_object(root, temporary, composition, pulse, pace, made):
                return undo(root, made, _CORRUPT)
            for item in new:
                if not write_plain(root, item, pulse, made):
                    return undo(root, made, _CORRUPT)
            pulse.commit()
        except BaseException:
            with contextlib.suppress(MediumError):
                undo(root, made, _CORRUPT)
            raise
        if not there:
            root.rename(temporary, file_id)
        self._enter(root, described, file_id, pulse)
        if not root.leads_here():
            raise faults.pulled(self.path, "it was unmounted")
        pulse.beat(composition.dataset_length)
        return STORED

    def _enter(self, root: Root, described: Described, file_id: Parts, pulse: Pulse) -> None:
        known = self._set.entry(described.sop_instance_uid)
        if known is not None:
            if known.file_id == file_id and known.transfer_syntax_uid == described.transfer_syntax_uid:
                return
            self._set = self._set.without({described.sop_instance_uid})
        self._set.add(described, file_id)
        write_directory(root, self._set, pulse)
        self._seen = seen(root)

    def _place(
        self, root: Root, described: Described, composition: Composition, pulse: Pulse
    ) -> tuple[Parts, bool]:
        """Where the object goes, and whether it is there already, byte for byte."""
        for file_id in self._set.places(described):
            found = root.stat(file_id)
            if found is None:
                return file_id, False
            if self._set.owner(file_id) is None and not is_object(root, file_id, described.sop_instance_uid):
                continue  # somebody else's file of that name
            same = found.st_size == size_of(composition)
            return file_id, same and root.holds(file_id, digest_of(composition, pulse), pulse)
        raise SmartBoxError("refused", f"No free name is left at {self.path}.", "Use an empty medium.")

    # ---- taking it away

    def eject(self, pulse: Pulse) -> int:
        """Whole and closed; how many objects its DICOMDIR names, each of which is there. Nothing is written to it
        any more until `welcome`. Raises what `open` does, in-use while a picture is written, refused when it
        does not read back as written."""
        with self._held(pulse, by_hand=True):
            if self._ejected is not None:
                return self._ejected
            self._close()
            self._known = None  # everything is looked at anew
            root = self._open(pulse)
            if root.stat((DICOMDIR,)) is None:
                write_directory(root, self._set, pulse)
            found = read_directory(root)
            if found is None or found.image != self._set.image:
                raise faults.damaged(self.path, "it does not read back as it was written")
            with faults.of_kernel():
                mounts.sync(root.fd)
            try:
                self._remembered.forget()
            except OSError as exc:  # the next one will have to be ejected once more
                log.error("%s: which medium was there cannot be forgotten: %s", self.path, exc.strerror)
            self._ejected = len(found)
            self._forget()
            return len(found)

    def unmount(self, timeout_s: float) -> bool:
        """After `eject`. Whether it is unmounted now."""
        return self._mounted and mounts.unmount(self.path, timeout_s)

    def welcome(self) -> None:
        """What is there now, or comes, may be written to again."""
        self._ejected = None


# ---- shared by the workers of a destination

_MEDIA: Final[weakref.WeakValueDictionary[tuple[str, str, bool, Path | None], Medium]] = (
    weakref.WeakValueDictionary()
)
_MAKING: Final = threading.Lock()


def welcome(destination: str) -> None:
    """Somebody has resumed it: what was ejected may be written to again."""
    with _MAKING:
        found = [medium for (name, *_), medium in _MEDIA.items() if name == destination]
    for medium in found:
        medium.welcome()


def medium_of(destination: Destination, state: Path | None = None) -> Medium:
    """One for all ways to the same place."""
    key = (destination.name, destination.path, destination.mounted, state)
    with _MAKING:
        found = _MEDIA.get(key)
        if found is None:
            found = _MEDIA[key] = Medium(destination, state)
        return found
