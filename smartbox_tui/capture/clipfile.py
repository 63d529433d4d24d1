"""One part of a clip on disk: a growing transport stream and its sidecar."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from smartbox_tui.capture.access import AccessUnit
from smartbox_tui.capture.clock import NS, wall_of
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.media.tsmux import TsMuxer
from smartbox_tui.model.ending import DISK_FULL
from smartbox_tui.spool.durable import disk_errors, fsync_dir
from smartbox_tui.spool.sidecar import Sidecar, SidecarState, write_sidecar
from smartbox_tui.wire import times

NO_FRAME: Final = "no whole frame was recorded"
"""Why a clip without one is discarded instead of closed: there is nothing that could be sent."""

TAKE_BACK_NS: Final = 2 * NS
"""So much of the end can be taken back: a stop is known later than it was pressed."""

_ROOM_BYTES: Final = 64 << 10
_MP4_HEAD: Final = 64 << 10
_MP4_FRAME: Final = 40
"""What an MP4 has beside the pictures: boxes, and for each frame its entries in the sample tables."""

_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


@dataclass(slots=True)
class _Point:
    """Where the file stood before a unit: a point to go back to."""

    size: int
    pictures: int
    frames: int
    lost: int
    last_ns: int
    hash: Any


@dataclass(slots=True)
class _Gop(_Point):
    """Where the file stood when a GOP began."""

    units: list[AccessUnit] = field(default_factory=list)


class ClipFile:
    """Made with its first unit, an IDR. Sidecar first: a crash between the two leaves a name, not an orphan.

    `write` belongs to one thread, `sync` may be called from another.
    """

    def __init__(self, folder: Path, sidecar: Sidecar, first: AccessUnit) -> None:
        """Raises disk-full. `sidecar` lacks what the first unit knows: times, size, rate, transfer syntax."""
        stream = first.stream
        self.folder = folder
        self.stream = stream
        self.first_ns = self.last_ns = first.timestamp_ns
        self.sidecar = sidecar.with_(
            state=SidecarState.RECORDING,
            frame_ns=first.timestamp_ns,
            captured_at=wall_of(first.timestamp_ns),
            width=stream.width,
            height=stream.height,
            fps_num=stream.fps.numerator,
            fps_den=stream.fps.denominator,
            media=f"{stream.codec}-ts",
            transfer_syntax_uid=stream.transfer_syntax_uid,
            frames=0,
        )
        self.size = self.pictures = self.frames = self.lost = 0
        self.largest_gop = 0
        self._mux = TsMuxer(stream.codec)
        self._hash = hashlib.sha256()
        self._gop: _Gop | None = None
        self._points: deque[tuple[int, _Point]] = deque()  # (time of the unit, before it), the newest last
        self._marked: dict[str, int] = {}  # mark -> its moment
        self._unplaced: deque[tuple[str, int]] = deque()  # marks whose frame the writer is to say
        self._placed: dict[str, int] = {}  # mark -> its frame
        self._path = folder / sidecar.file
        self._room = room_file(folder, sidecar.id)
        self._sync_lock = threading.Lock()
        write_sidecar(folder, self.sidecar)
        try:
            with disk_errors(self._path):
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
                self._fd = os.open(self._path, flags, 0o640)
                keep_room(self._room, _ROOM_BYTES)
                fsync_dir(folder)
        except (OSError, SmartBoxError):
            self._room.unlink(missing_ok=True)
            (folder / f"{sidecar.id}.json").unlink(missing_ok=True)
            raise

    def packets(self, unit: AccessUnit) -> bytes:
        """The unit's packets; each call counts on, so every answer must be written (or the file given up)."""
        return self._mux.access_unit(unit.data, unit.timestamp_ns - self.first_ns, idr=unit.idr)

    def fits(self, unit: AccessUnit, max_bytes: int) -> bool:
        """Whether the file stays within `max_bytes` with this unit, as transport stream and as MP4: at an IDR with
        the GOP that it begins."""
        size = max(self.size, self.pictures + _MP4_FRAME * (self.frames + 1) + _MP4_HEAD)
        if unit.idr:
            gop = self.size - self._gop.size if self._gop else 0
            self.largest_gop = max(self.largest_gop, gop)
            return size + self.largest_gop + self.largest_gop // 8 <= max_bytes
        return size + len(unit.data) + len(unit.data) // 32 + 4 * 188 <= max_bytes

    def write(self, unit: AccessUnit) -> None:
        """Appends the unit, handed to the kernel when this returns. Raises disk-full; the file then ends after
        the unit before."""
        before = (self.size, self.pictures, self.frames, self.lost, self.last_ns, self._hash.copy())
        if unit.idr:
            self._gop = _Gop(*before)
        data = self.packets(unit)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as exc:
            os.ftruncate(self._fd, self.size)
            if exc.errno in _FULL:
                raise _full() from exc
            raise
        self._points.append((unit.timestamp_ns, _Point(*before)))
        if self._unplaced:
            self._place(unit.timestamp_ns)
        while unit.timestamp_ns - self._points[0][0] > TAKE_BACK_NS:
            self._points.popleft()
        self._hash.update(data)
        self.size += len(data)
        self.pictures += len(unit.data)
        # What was lost before the first frame of a clip is not missing in it.
        self.lost += unit.lost if self.frames or self.sidecar.part else 0
        self.frames += 1
        self.last_ns = unit.timestamp_ns
        if self._gop is not None:
            self._gop.units.append(unit)

    def take_back_gop(self) -> list[AccessUnit]:
        """Cuts the GOP that is being written off and answers its units; none where it is the file's only one."""
        gop = self._gop
        if gop is None or not gop.size:
            return []
        self._go_back(gop)
        return gop.units

    def take_back(self, after_ns: int) -> None:
        """Cuts off the frames after a moment, as far as they can still be taken back; the first always stays."""
        point = next((point for at_ns, point in self._points if at_ns > after_ns and point.frames), None)
        if point is not None:
            self._go_back(point)

    def take_back_all(self) -> None:
        """The part began after the recording's end: nothing stays in it."""
        self._go_back(_Point(0, 0, 0, 0, self.first_ns, hashlib.sha256()))

    def _go_back(self, point: _Point) -> None:
        with disk_errors(self._path):
            os.ftruncate(self._fd, point.size)
        self.size, self.pictures, self.frames = point.size, point.pictures, point.frames
        self.lost, self.last_ns = point.lost, point.last_ns
        self._hash, self._gop = point.hash, None
        self._points = deque((at_ns, each) for at_ns, each in self._points if each.size < point.size)

    def sync(self) -> None:
        """What was written is safe. Raises OSError."""
        with self._sync_lock:
            if self._fd >= 0:
                os.fdatasync(self._fd)

    # ---- marks; all but `_place`, which is the writer's, under the recorder's lock

    def mark(self, mark: dict[str, Any], at_ns: int) -> None:
        """Sets a mark at a moment; its frame is said once the frame after it is written. Durable when it returns.
        Raises disk-full."""
        self._set_marks((*self.sidecar.marks, mark))
        self._marked[mark["id"]] = at_ns
        self._unplaced.append((mark["id"], at_ns))

    def _set_marks(self, marks: tuple[dict[str, Any], ...]) -> None:
        sidecar = self.sidecar.with_(marks=marks)
        write_sidecar(self.folder, sidecar)
        self.sidecar = sidecar

    def _place(self, until_ns: int | None) -> None:
        """The frame of each mark before `until_ns` (None: of all) is the last one at or before its moment."""
        for _ in range(len(self._unplaced)):
            identity, at_ns = self._unplaced.popleft()
            if until_ns is not None and at_ns >= until_ns:
                self._unplaced.append((identity, at_ns))
                continue
            later = next((point.frames for time_ns, point in self._points if time_ns > at_ns), self.frames)
            oldest = self._points[0][1] if self._points else None
            if oldest is not None and self._points[0][0] > at_ns and oldest.frames:  # older than what is remembered
                later = 1 + int((at_ns - self.first_ns) * self.stream.fps / NS)
                later = min(later, oldest.frames)
            self._placed[identity] = max(1, later)

    def keep_frames(self) -> None:
        """What is known of the marks' frames by now becomes durable. Raises disk-full."""
        marks = self._with_frames()
        if marks != self.sidecar.marks:
            self._set_marks(marks)

    def _with_frames(self) -> tuple[dict[str, Any], ...]:
        placed = dict(self._placed)
        return tuple(
            {**mark, "frame": placed[mark["id"]]} if mark["id"] in placed else mark for mark in self.sidecar.marks
        )

    def marks_from(self, at_ns: int) -> list[tuple[dict[str, Any], int]]:
        """The marks at or after a moment, with theirs, without their frames."""
        wanted = [(mark, self._marked[mark["id"]]) for mark in self.sidecar.marks if mark["id"] in self._marked]
        return [
            ({key: value for key, value in mark.items() if key != "frame"}, moment)
            for mark, moment in wanted
            if moment >= at_ns
        ]

    def take_marks(self, other: ClipFile, at_ns: int) -> None:
        """The marks of another part from a moment on are this part's: their frames lie in it now. First they are
        here, then no more there: a crash in between leaves them twice. Raises disk-full."""
        taken = other.marks_from(at_ns)
        for mark, moment in taken:
            self.mark({**mark, "at_s": self.at_s(moment)}, moment)
        if taken:
            gone = {mark["id"] for mark, _ in taken}
            other._set_marks(tuple(mark for mark in other.sidecar.marks if mark["id"] not in gone))

    def at_s(self, at_ns: int) -> float:
        """Seconds from the first frame on, of a moment."""
        return round(max(0, at_ns - self.first_ns) / NS, 3)

    @property
    def seconds(self) -> float:
        """From the first frame to the end of the last."""
        return (self.last_ns - self.first_ns) / NS + float(1 / self.stream.fps)

    def close(self, *, stop_command: str, note: str) -> Sidecar:
        """Closes bitstream and sidecar, durable when it returns. On a full disk the sidecar gets the room kept for
        it; where somebody else was faster, that of the last GOP. Raises OSError, disk-full."""
        self._room.unlink(missing_ok=True)
        try:
            return self._close(stop_command, note)
        except SmartBoxError as exc:
            if exc.code != "disk-full" or not self.take_back_gop():
                raise
            return self._close(stop_command, note)

    def _close(self, stop_command: str, note: str) -> Sidecar:
        with disk_errors(self._path):
            self.sync()
        none = {"id": self.sidecar.id, "reason": NO_FRAME, "at": times.now()}
        self._place(None)
        marks = tuple(
            {**mark, "frame": min(mark["frame"], self.frames)} if self.frames and "frame" in mark else mark
            for mark in self._with_frames()
        )
        sidecar = self.sidecar.with_(
            marks=marks,
            state=SidecarState.CLOSED if self.frames else SidecarState.DISCARDED,
            discarded={} if self.frames else none,
            bytes=self.size,
            frames=self.frames,
            frames_lost=self.lost,
            duration_s=round(self.seconds, 3),
            sha256=self._hash.hexdigest(),
            stop_command=stop_command,
            note="; ".join(filter(None, (self.sidecar.note, note))),
        )
        write_sidecar(self.folder, sidecar)
        self.sidecar = sidecar
        with self._sync_lock:
            os.close(self._fd)
            self._fd = -1
        return sidecar


def room_file(folder: Path, picture: str) -> Path:
    """A few blocks held while a clip is recorded, so that a full disk still takes its closed sidecar."""
    return folder / f".{picture}.room"


def keep_room(path: Path, size: int) -> None:
    """Blocks of the disk, not only a length. Raises OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        os.posix_fallocate(fd, 0, size)
    finally:
        os.close(fd)


def _full() -> SmartBoxError:
    return SmartBoxError(
        "disk-full",
        DISK_FULL,
        "Send or release stored exams, or attach a larger disk.",
    )
