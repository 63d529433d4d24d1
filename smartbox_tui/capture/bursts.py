"""Bursts: frames in a row as JPEGs in one append-only file, its index in the sidecar; one instance in all."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import mmap
import os
import threading
from pathlib import Path
from typing import Final

from hw.base import Frame
from smartbox_tui.capture.clipfile import NO_FRAME, keep_room, room_file
from smartbox_tui.capture.clock import NS, elapsed_ms
from smartbox_tui.capture.exams import ExamDesk, Held
from smartbox_tui.capture.frames import Pinned
from smartbox_tui.capture.session import Session
from smartbox_tui.capture.stills import StillEncoder, seen
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.media.jpeg import Jpeg, whole_pictures
from smartbox_tui.spool.durable import disk_errors, fsync_dir
from smartbox_tui.spool.layout import exam_dir
from smartbox_tui.spool.sidecar import Sidecar, SidecarState, read_sidecar, write_sidecar
from smartbox_tui.wire import times

log = logging.getLogger(__name__)

BURST_MAX: Final = 30
"""A second at the usual rate: what is longer is a clip, which has an encoder of its own. Memory sets no limit: one
frame at a time is encoded and appended."""

CRASHED: Final = "closed after a crash"
_SYNC_NS: Final = NS // 4
_ROOM_BYTES: Final = 16 << 10
"""Held while a burst is taken, so that a full disk still takes its closed sidecar."""

_closing = threading.Lock()
"""A command that is repeated after a crash and the scan of the spool may want to close the same burst."""


class BurstFile:
    """Made with its first frame, which is durable then. One thread; ends with `close`, after an error `abandon`."""

    def __init__(self, folder: Path, draft: Sidecar, sop_class: str, pinned: Pinned, jpeg: Jpeg) -> None:
        """Raises disk-full: nothing is left of it then. `draft` is that of a still."""
        frame = pinned.frame
        self.folder = folder
        self.sidecar = seen(draft, frame, jpeg).with_(
            kind="burst",
            media="jpegs",
            state=SidecarState.RECORDING,
            file=f"{draft.id}.mjpeg",
            sop_class=sop_class,
            note=pinned.note,
            frames=0,
        )
        self.last = frame
        self._index: list[tuple[int, int]] = []
        self._size = self._lost = 0
        self._hash = hashlib.sha256()
        self._synced_ns = frame.timestamp_ns
        self._path = folder / self.sidecar.file
        self._room = room_file(folder, draft.id)
        # A file of this name without a sidecar is what a crash left before the first frame was safe.
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
        with disk_errors(self._path):
            self._fd = os.open(self._path, flags, 0o640)
            try:
                keep_room(self._room, _ROOM_BYTES)
                self._append(jpeg.data)
                os.fsync(self._fd)
                write_sidecar(folder, self.sidecar)
            except (OSError, SmartBoxError):
                self.abandon()
                (folder / f"{draft.id}.json").unlink(missing_ok=True)
                self._path.unlink(missing_ok=True)
                raise

    @property
    def frames(self) -> int:
        return len(self._index)

    def add(self, frame: Frame, jpeg: Jpeg) -> None:
        """Appends a frame of the same size and sampling. Raises disk-full, OSError; the file ends before it."""
        with disk_errors(self._path):
            try:
                self._append(jpeg.data)
            except OSError:
                os.ftruncate(self._fd, self._size)
                raise
        # What the source knows it lost, and what could not be used, since the frame before.
        self._lost += max(0, frame.sequence - self.last.sequence - 1)
        self.last = frame

    def sync(self) -> None:
        """Every 250 ms. Raises disk-full, OSError: what the kernel could not write it forgets, so that nothing may
        be promised of this file any more; `abandon` it."""
        if self.last.timestamp_ns - self._synced_ns >= _SYNC_NS:
            with disk_errors(self._path):
                os.fdatasync(self._fd)
            self._synced_ns = self.last.timestamp_ns

    def abandon(self) -> None:
        """Leaves the file as it is, for `close_crashed`. May be called twice, and after `close`."""
        self._room.unlink(missing_ok=True)
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _append(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]
        self._hash.update(data)
        self._index.append((self._size, len(data)))
        self._size += len(data)

    def close(self, note: str) -> Sidecar:
        """The sidecar with all that is known now, durable with the file. Raises disk-full, OSError."""
        with disk_errors(self._path):
            os.fsync(self._fd)
        self.abandon()
        frame_time_ms = None
        if self.frames > 1:
            frame_time_ms = round((self.last.timestamp_ns - self.sidecar.frame_ns) / (self.frames - 1) / 1e6, 3)
        closed = _counted(self.sidecar, self._index, self._hash.hexdigest(), frame_time_ms, note).with_(
            frames_lost=self._lost, trigger_to_disk_ms=elapsed_ms(self.sidecar.trigger_ns)
        )
        write_sidecar(self.folder, closed)
        self.sidecar = closed.with_(trigger_to_disk_ms=elapsed_ms(closed.trigger_ns))
        return self.sidecar


def fill(file: BurstFile, count: int, session: Session, encoder: StillEncoder, exams: ExamDesk, held: Held) -> str:
    """Appends the frames that follow until there are `count`; why there are fewer, or an empty text.

    What keeps a frame from coming is no error: those that are there count. Raises disk-full, OSError of a `sync`.
    """
    first, last = file.sidecar, file.last
    for _ in range(2 * count):  # a broken picture is passed over, but not for ever
        if file.frames >= count:
            return ""
        try:
            last = session.next_frame(last)
        except SmartBoxError:
            return "the signal was lost"
        if not exams.belongs(held, last.timestamp_ns):
            return "the exam ended"
        try:
            jpeg = encoder.jpeg(last, sampling=first.sampling)
        except SmartBoxError as exc:
            log.warning("a frame of a burst is passed over: %s", exc)
            continue
        if (jpeg.width, jpeg.height) != (first.width, first.height):
            return "the picture's size changed"
        try:
            file.add(last, jpeg)
        except (SmartBoxError, OSError) as exc:
            log.error("burst %s ends with %d frames: %s", first.id, file.frames, exc)
            return "the disk took no more"
        file.sync()
    return "" if file.frames >= count else "the grabber delivered broken pictures"


def close_crashed(spool: Path, sidecar: Sidecar) -> Sidecar:
    """Closes a burst that a crash left `recording`, with the whole pictures that its file holds; without one it is
    closed as discarded. Done twice it does nothing. Durable when it returns. Raises OSError, ValueError, disk-full.

    The frames' own times went with the process: the frame time is the source's nominal one.
    """
    folder = exam_dir(spool, sidecar.exam)
    with _closing:
        sidecar = read_sidecar(folder / f"{sidecar.id}.json")
        if sidecar.state is not SidecarState.RECORDING:
            return sidecar
        room_file(folder, sidecar.id).unlink(missing_ok=True)
        path = folder / sidecar.file
        index, digest = _scan(path)
        if not index:
            none = {"id": sidecar.id, "reason": NO_FRAME, "at": times.now()}
            closed = sidecar.with_(state=SidecarState.DISCARDED, frames=0, note=CRASHED, discarded=none)
        else:
            fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.ftruncate(fd, sum(index[-1]))
                os.fsync(fd)
            finally:
                os.close(fd)
            fsync_dir(folder)
            nominal_ms = round(1000 * sidecar.fps_den / sidecar.fps_num, 3) if len(index) > 1 else None
            closed = _counted(sidecar, index, digest, nominal_ms, CRASHED)
        write_sidecar(folder, closed)
        return closed


def _scan(path: Path) -> tuple[list[tuple[int, int]], str]:
    """(offset, length) of the whole pictures from the file's start on, and their hash."""
    digest = hashlib.sha256()
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        if os.fstat(file.fileno()).st_size:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                index = whole_pictures(data)
                for at, length in index:
                    digest.update(data[at : at + length])
            return index, digest.hexdigest()
    return [], digest.hexdigest()


def _counted(
    sidecar: Sidecar, index: list[tuple[int, int]], digest: str, frame_time_ms: float | None, note: str
) -> Sidecar:
    return sidecar.with_(
        state=SidecarState.CLOSED,
        frames=len(index),
        bytes=sum(index[-1]),
        index=tuple(index),
        sha256=digest,
        frame_time_ms=frame_time_ms,
        duration_s=round(frame_time_ms * len(index) / 1000, 3) if frame_time_ms else None,
        note="; ".join(filter(None, (sidecar.note, note))),
    )
