"""The complete object as a stream: header, pixel data item, bitstream, delimiter. Never whole in memory.

The data set comes out the same, byte for byte, however it is read: as chunks, by a Reader, or written.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from smartbox_tui.dicom.iods import NATIVE
from smartbox_tui.dicom.part10 import read_meta, read_meta_of
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.instance import FRAGMENTABLE, IMPLICIT_VR_LE

_FRAGMENT_LIMIT: Final = 2**32 - 2
"""An item's length is 32 bits, even, and 0xFFFFFFFF means undefined (PS3.5 7.5)."""

_ITEM: Final = b"\xfe\xff\x00\xe0"
_SEQUENCE_DELIMITER: Final = b"\xfe\xff\xdd\xe0\0\0\0\0"
_ENCAPSULATED: Final = b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff"  # (7FE0,0010) OB, undefined length (PS3.5 A.4)
_IOV_MAX: Final = 512  # preadv takes 1024 vectors at most


@dataclass(frozen=True, slots=True)
class FileSlice:
    """`length` bytes of the file at `path`, from `offset`."""

    path: Path
    offset: int
    length: int


Segment = bytes | FileSlice


@dataclass(frozen=True, slots=True)
class Composition:
    """One SOP instance, ready to be sent, exported or hashed.

    meta            preamble and group 2; never sent over DIMSE
    segments        the data set without group 2, in order
    dataset_length  their bytes
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    meta: bytes
    segments: tuple[Segment, ...]
    dataset_length: int

    def reader(self, *, with_meta: bool = False) -> Reader:
        """A context manager that reads from the first byte. Each reader has its own place."""
        return Reader((self.meta, *self.segments) if with_meta else self.segments)

    def chunks(self, size: int = 1 << 20, *, with_meta: bool = False) -> Iterator[bytes]:
        """The object in pieces of `size` bytes, the last one shorter. Raises invalid-object, OSError."""
        buffer = bytearray(size)
        view = memoryview(buffer)
        with self.reader(with_meta=with_meta) as reader:
            while count := reader.readinto(view):
                yield bytes(view[:count])

    def write(self, path: Path) -> int:
        """The complete Part 10 file: whole and durable under its name when this returns, or not there at all.

        Returns its size. Raises disk-full, invalid-object (a bitstream that has become shorter), OSError.
        """
        temporary = path.with_name(f".{path.name}.tmp")
        try:
            size = self._write(temporary)
            temporary.rename(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return size

    def _write(self, path: Path) -> int:
        size = 0
        view = memoryview(bytearray(1 << 20))
        try:
            with self.reader(with_meta=True) as reader, path.open("wb", buffering=0) as file:
                while count := reader.readinto(view):
                    rest = view[:count]
                    while rest:
                        rest = rest[file.write(rest) :]
                    size += count
                os.fsync(file.fileno())
        except OSError as exc:
            if exc.errno in (errno.ENOSPC, errno.EDQUOT):
                raise SmartBoxError(
                    "disk-full", f"No space left in {path.parent.name} for a DICOM file.", "Free some space there."
                ) from exc
            raise
        return size


class Reader:
    """Reads segments one after the other, file slices by preadv straight into the caller's buffers."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._segments = segments
        self._index = 0
        self._done = 0  # bytes of the current segment
        self._fds: dict[Path, int] = {}

    def readinto(self, buffer: memoryview) -> int:
        """Fills `buffer` from where the last call ended; less than its length only at the end of the object."""
        return self.readinto_all([buffer])

    def readinto_all(self, buffers: Sequence[memoryview]) -> int:
        """Fills the buffers in order, with one system call for many of them; returns the bytes in all.

        Raises invalid-object when a file ends before its slice does: the object would be another one.
        """
        pending = [view for view in buffers if len(view)]
        pending.reverse()
        total = 0
        while pending and self._index < len(self._segments):
            segment = self._segments[self._index]
            size = len(segment) if isinstance(segment, bytes) else segment.length
            if self._done == size:
                self._index, self._done = self._index + 1, 0
                continue
            if isinstance(segment, bytes):
                count = min(len(pending[-1]), size - self._done)
                pending[-1][:count] = segment[self._done : self._done + count]
            else:
                count = self._pread(segment, pending)
            self._done += count
            total += count
            _consume(pending, count)
        return total

    def _pread(self, piece: FileSlice, pending: list[memoryview]) -> int:
        fd = self._fds.get(piece.path)
        if fd is None:
            fd = self._fds[piece.path] = os.open(piece.path, os.O_RDONLY | os.O_CLOEXEC)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_SEQUENTIAL)
        left = piece.length - self._done
        vector: list[memoryview] = []
        for view in pending[: -_IOV_MAX - 1 : -1]:
            vector.append(view[:left])
            left -= len(vector[-1])
            if left == 0:
                break
        count = os.preadv(fd, vector, piece.offset + self._done)
        if count == 0:
            raise SmartBoxError(
                "invalid-object",
                f"{piece.path.name} has become shorter than the {piece.offset + piece.length} bytes it had.",
                "The bitstream is damaged; check the disk (smartbox store check).",
            )
        return count

    def close(self) -> None:
        while self._fds:
            os.close(self._fds.popitem()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _consume(pending: list[memoryview], count: int) -> None:
    """Drops `count` filled bytes from the buffers, the next of which stands last."""
    while count:
        if count < len(pending[-1]):
            pending[-1] = pending[-1][count:]
            return
        count -= len(pending.pop())


def compose(
    header: Path | bytes,
    bitstream: Path,
    length: int,
    frames: Sequence[tuple[int, int]] | None = None,
    *,
    patches: Sequence[tuple[int, bytes]] = (),
) -> Composition:
    """The object of `header` (`build_header`'s, or its file) and the bitstream's first `length` bytes.

    `frames`: (offset, length) of each frame in the bitstream, for a multi-frame object with one fragment a
    frame; its Basic Offset Table is filled, or an Extended Offset Table made where 32 bits do not suffice
    (PS3.5 A.4). Without it the bitstream is one fragment and the table stays empty; a longer one is several in a
    fragmentable transfer syntax (PS3.5 A.4.5). With a native transfer syntax the bitstream is the pixels.
    `patches`: (offset in the bitstream, bytes that stand there instead), ascending, none across two frames.
    Only sizes are looked at, so this costs the same for 4 GB.
    Raises invalid-object: no bitstream, one shorter than `length`, a fragment of 4 GiB - 2 or more.
    """
    data = header if isinstance(header, bytes) else header.read_bytes()
    meta = read_meta(data, "The header" if isinstance(header, bytes) else header.name)
    _check_length(bitstream, length)
    if meta.transfer_syntax_uid in NATIVE:
        pixels: list[Segment] = _native(bitstream, length, implicit=meta.transfer_syntax_uid == IMPLICIT_VR_LE)
    elif meta.transfer_syntax_uid in FRAGMENTABLE.values():
        pixels = _encapsulated(bitstream, _pieces(length), with_offsets=False)
    else:
        pixels = _encapsulated(bitstream, frames or [(0, length)], with_offsets=bool(frames), patches=patches)
    segments: tuple[Segment, ...] = (data[meta.size :] + _bytes(pixels[0]), *pixels[1:])
    return Composition(
        sop_class_uid=meta.sop_class_uid,
        sop_instance_uid=meta.sop_instance_uid,
        transfer_syntax_uid=meta.transfer_syntax_uid,
        meta=data[: meta.size],
        segments=segments,
        dataset_length=_length(segments),
    )


def document(data: bytes) -> Composition:
    """An object without pixel data from the bytes of its Part 10 file. Raises invalid-object."""
    meta = read_meta(data, "The document")
    return Composition(
        sop_class_uid=meta.sop_class_uid,
        sop_instance_uid=meta.sop_instance_uid,
        transfer_syntax_uid=meta.transfer_syntax_uid,
        meta=data[: meta.size],
        segments=(data[meta.size :],),
        dataset_length=len(data) - meta.size,
    )


def from_part10(path: Path) -> Composition:
    """A DICOM file as it is: reads group 2, streams what follows. Raises invalid-object, not-found."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as exc:
        raise SmartBoxError(
            "not-found", f"{path.name} cannot be read: {exc.strerror}.", "Check the path and its permissions."
        ) from exc
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, fd)
        try:
            meta, size = read_meta_of(fd, path.name), os.fstat(fd).st_size
            head = os.pread(fd, meta.size, 0)
        except OSError as exc:
            raise SmartBoxError(
                "not-found", f"{path.name} cannot be read: {exc.strerror}.", "Give a DICOM file."
            ) from exc
    if size <= meta.size:
        raise SmartBoxError("invalid-object", f"{path.name} holds no data set.", "The file is cut off.")
    return Composition(
        sop_class_uid=meta.sop_class_uid,
        sop_instance_uid=meta.sop_instance_uid,
        transfer_syntax_uid=meta.transfer_syntax_uid,
        meta=head,
        segments=(FileSlice(path, meta.size, size - meta.size),),
        dataset_length=size - meta.size,
    )


def _check_length(bitstream: Path, length: int) -> None:
    try:
        size = bitstream.stat().st_size
    except OSError as exc:
        raise SmartBoxError(
            "invalid-object", f"The bitstream {bitstream.name} is not there: {exc.strerror}.", "Check the disk."
        ) from exc
    if length < 1 or size < length:
        raise SmartBoxError(
            "invalid-object",
            f"The bitstream {bitstream.name} has {size} bytes, {length} belong to the object.",
            "The bitstream is damaged; check the disk (smartbox store check).",
        )


def _too_long(what: str) -> SmartBoxError:
    return SmartBoxError(
        "invalid-object",
        f"{what} has 4 GiB or more, one DICOM fragment cannot hold it.",
        "Cut the recording smaller: max_instance_bytes of the destinations.",
    )


def _native(bitstream: Path, length: int, *, implicit: bool) -> list[Segment]:
    """Pixel data of defined length: OW in Implicit VR, OB for 8 bits in Explicit VR (PS3.5 8.1.1, A.1, A.2)."""
    even = length + length % 2
    if even >= _FRAGMENT_LIMIT:
        raise _too_long(f"The bitstream {bitstream.name}")
    tag = b"\xe0\x7f\x10\0" if implicit else b"\xe0\x7f\x10\0OB\0\0"
    result: list[Segment] = [tag + even.to_bytes(4, "little"), FileSlice(bitstream, 0, length)]
    if length % 2:
        result.append(b"\0")
    return result


def _pieces(length: int) -> list[tuple[int, int]]:
    """Fragments of one stream, each but the last as long as an item can be."""
    longest = _FRAGMENT_LIMIT - 2
    return [(offset, min(longest, length - offset)) for offset in range(0, length, longest)]


def _slices(bitstream: Path, offset: int, length: int, patches: Sequence[tuple[int, bytes]]) -> Iterator[Segment]:
    end = offset + length
    for at, data in patches:
        if offset <= at < end:
            if at > offset:
                yield FileSlice(bitstream, offset, at - offset)
            yield data
            offset = at + len(data)
    if offset < end:
        yield FileSlice(bitstream, offset, end - offset)


def _encapsulated(
    bitstream: Path,
    frames: Sequence[tuple[int, int]],
    *,
    with_offsets: bool,
    patches: Sequence[tuple[int, bytes]] = (),
) -> list[Segment]:
    before, table = _offset_tables(frames) if with_offsets else (b"", b"")
    gap = before + _ENCAPSULATED + _ITEM + len(table).to_bytes(4, "little") + table
    result: list[Segment] = []
    for offset, size in frames:
        even = size + size % 2
        if even >= _FRAGMENT_LIMIT:
            raise _too_long(f"A frame of {bitstream.name}" if with_offsets else f"The bitstream {bitstream.name}")
        result.append(gap + _ITEM + even.to_bytes(4, "little"))
        result.extend(_slices(bitstream, offset, size, patches))
        gap = b"\0" * (size % 2)  # the pad byte and the next item's head are one segment
    result.append(gap + _SEQUENCE_DELIMITER)
    return result


def _offset_tables(frames: Sequence[tuple[int, int]]) -> tuple[bytes, bytes]:
    """(elements that stand before Pixel Data, value of the Basic Offset Table) for one fragment a frame.

    An offset counts from the first byte after the table's item to the frame's item tag (PS3.5 A.4).
    """
    offsets, position = [], 0
    for _, size in frames:
        offsets.append(position)
        position += 8 + size + size % 2
    if position < _FRAGMENT_LIMIT:
        return b"", b"".join(offset.to_bytes(4, "little") for offset in offsets)
    extended = b"".join(offset.to_bytes(8, "little") for offset in offsets)
    lengths = b"".join((size + size % 2).to_bytes(8, "little") for _, size in frames)
    elements = b"".join(  # (7FE0,0001) and (7FE0,0002), OV (PS3.3 C.7.6.3.1.8)
        b"\xe0\x7f" + number + b"\0OV\0\0" + len(value).to_bytes(4, "little") + value
        for number, value in ((b"\x01", extended), (b"\x02", lengths))
    )
    return elements, b""


def _bytes(segment: Segment) -> bytes:
    assert isinstance(segment, bytes)
    return segment


def _length(segments: Sequence[Segment]) -> int:
    return sum(len(item) if isinstance(item, bytes) else item.length for item in segments)
