"""The preview file of a source: an mmapped file on tmpfs, three slots, a sequence counter. No locks.

Layout, little-endian: a header of 64 bytes

    0   8s  magic "SBPREV1\\0"
    8   I   width in pixels
    12  I   height
    16  I   bytes of one slot's picture (width * height * 3, RGB, 8 bits, no padding)
    20  I   number of slots (3)
    24  Q   sequence: the number of the newest whole picture; 0 none yet. It lies in slot (sequence - 1) % 3
    32  Q   CLOCK_MONOTONIC ns of that picture
    40  Q   the writer's generation (its start time in ns): another one means the file was made anew

then the slots. The writer fills the next slot, then stores time and sequence. A reader takes the sequence,
copies the slot, and takes the sequence again: the copy is whole when fewer than two pictures came in between.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MAGIC: Final = b"SBPREV1\0"
SLOTS: Final = 3
HEADER: Final = struct.Struct("<8sIIIIQQQ")
_SEQUENCE: Final = struct.Struct("<QQ")
_SEQUENCE_AT: Final = 24
DATA_AT: Final = 64


def preview_name(source_id: str) -> str:
    """The file's name in the runtime folder."""
    return f"preview-{source_id}"


class PreviewWriter:
    """Made anew (another inode) at each start: a reader of the old file sees its generation end."""

    def __init__(self, path: Path, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._size = width * height * 3
        temporary = path.with_name(f".{path.name}.tmp")
        fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        try:
            # Not ftruncate: writing into a map whose tmpfs is full kills the process (SIGBUS); this raises ENOSPC.
            os.posix_fallocate(fd, 0, DATA_AT + SLOTS * self._size)
            self._map = mmap.mmap(fd, DATA_AT + SLOTS * self._size)
        finally:
            os.close(fd)
        HEADER.pack_into(self._map, 0, MAGIC, width, height, self._size, SLOTS, 0, 0, time.monotonic_ns())
        temporary.replace(path)
        self._sequence = 0
        self._path = path

    def slot(self) -> memoryview:
        """The bytes to fill with the next picture: height rows of width RGB pixels."""
        start = DATA_AT + (self._sequence % SLOTS) * self._size
        return memoryview(self._map)[start : start + self._size]

    def publish(self, timestamp_ns: int) -> None:
        """The slot is filled: it is now the newest picture."""
        self._sequence += 1
        _SEQUENCE.pack_into(self._map, _SEQUENCE_AT, self._sequence, timestamp_ns)

    def close(self) -> None:
        self._path.unlink(missing_ok=True)
        try:
            self._map.close()
        except BufferError:  # a slot's view is still held somewhere: the map goes with it
            pass


@dataclass(frozen=True, slots=True)
class PreviewPicture:
    """RGB, 8 bits, height * width * 3 bytes, no padding."""

    width: int
    height: int
    rgb: bytes
    sequence: int
    timestamp_ns: int


@dataclass(frozen=True, slots=True)
class PreviewView:
    """The newest picture where it lies, RGB, height * width * 3 bytes. The writer goes on: whoever has copied it
    asks the reader whether it was `whole`, and holds `rgb` no longer."""

    width: int
    height: int
    rgb: memoryview
    sequence: int
    timestamp_ns: int
    generation: int


class PreviewReader:
    """Reads whatever file is at `path` now; a new file (capture restarted) is found by itself."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._map: mmap.mmap | None = None
        self._inode = (0, 0)
        self._seen = (0, 0)  # generation, sequence

    def read(self) -> PreviewPicture | None:
        """The newest picture when it is a new one, else None. Never blocks; no file is None."""
        for _ in range(3):
            view = self.look()
            if view is None:
                return None
            picture = PreviewPicture(view.width, view.height, bytes(view.rgb), view.sequence, view.timestamp_ns)
            if self.whole(view):
                return picture
        return None

    def look(self) -> PreviewView | None:
        """As `read`, but not copied; it counts as read once `whole` has said so."""
        try:
            info = self._path.stat()
        except OSError:
            self.close()
            return None
        if self._map is None or (info.st_dev, info.st_ino) != self._inode:
            self._open()
        if self._map is None:
            return None
        _magic, width, height, size, slots, sequence, stamp, generation = HEADER.unpack_from(self._map, 0)
        if sequence == 0 or (generation, sequence) == self._seen:
            return None
        start = DATA_AT + ((sequence - 1) % slots) * size
        return PreviewView(width, height, memoryview(self._map)[start : start + size], sequence, stamp, generation)

    def whole(self, view: PreviewView) -> bool:
        """Whether what was copied from it is one picture."""
        if self._map is None or _SEQUENCE.unpack_from(self._map, _SEQUENCE_AT)[0] - view.sequence >= SLOTS - 1:
            return False
        self._seen = (view.generation, view.sequence)
        return True

    def again(self) -> None:
        """The newest picture counts as not yet read."""
        self._seen = (0, 0)

    def close(self) -> None:
        if self._map is not None:
            try:
                self._map.close()
            except BufferError:  # a view is still held: the map goes with it
                pass
            self._map = None

    def _open(self) -> None:
        self.close()
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return
        try:
            info = os.fstat(fd)
            if info.st_size < DATA_AT:
                return
            view = mmap.mmap(fd, info.st_size, prot=mmap.PROT_READ)
        finally:
            os.close(fd)
        if view[:8] != MAGIC:
            view.close()
            return
        self._map, self._inode = view, (info.st_dev, info.st_ino)
