"""A DICOMDIR as bytes that grow: each object adds its records at the end and mends two offsets (PS3.10 8, PS3.3 F).

So adding to a File-set of thousands costs what adding to an empty one costs, and nothing but headers is read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from smartbox_tui.dicom.fileset_records import (
    IMAGE,
    KEY_OBJECT_DOC,
    PATIENT,
    SERIES,
    STUDY,
    Described,
    Record,
    records,
    short,
)
from smartbox_tui.dicom.privacy import keep_values_out_of_warnings
from smartbox_tui.model.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

DIRECTORY_STORAGE: Final = "1.2.840.10008.1.3.10"
"""Media Storage Directory Storage, the SOP class of a DICOMDIR (PS3.4 I.4)."""
FILE_SET_ID: Final = "SMARTBOX"
FOLDER: Final = "DICOM"

_LEVEL: Final = {PATIENT: 0, STUDY: 1, SERIES: 2, IMAGE: 3, KEY_OBJECT_DOC: 3}
_ITEM: Final = b"\xfe\xff\x00\xe0"
_NEXT: Final = 8 + 8
_LOWER: Final = 8 + 30
"""From an item's tag to the value of (0004,1400) and of (0004,1420): both stand first, and have 4 bytes."""
_HEAD_OF_BODY: Final = 34


class ForeignDirectory(ValueError):
    """A DICOMDIR, but none of ours."""


class DamagedDirectory(ValueError):
    """No DICOMDIR at all, or its records do not hang together."""


@dataclass(frozen=True, slots=True)
class Entry:
    """`file_id`: where the object lies, from the File-set's root on."""

    sop_instance_uid: str
    transfer_syntax_uid: str
    file_id: tuple[str, ...]


@dataclass(slots=True)
class _Node:
    offset: int
    last: int = 0
    """Offset of its last child."""
    children: dict[str | bytes, _Node] = field(default_factory=dict)


class FileSet:
    """Of one thread. `uid`: the File-set's own, the DICOMDIR's SOP Instance UID."""

    def __init__(self, uid: str) -> None:
        self.uid = uid
        self._entries: dict[str, Entry] = {}
        self._files: dict[tuple[str, ...], str] = {}
        self._root = _Node(0)
        self._image, self._first = _empty(uid)
        self._start = len(self._image)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def image(self) -> bytearray:
        """The file's bytes; to be written, never changed."""
        return self._image

    def entries(self) -> Iterable[Entry]:
        return self._entries.values()

    def entry(self, sop_instance_uid: str) -> Entry | None:
        return self._entries.get(sop_instance_uid)

    def owner(self, file_id: tuple[str, ...]) -> str | None:
        """The SOP Instance UID of the object that has this file."""
        return self._files.get(file_id)

    def places(self, described: Described) -> Iterator[tuple[str, ...]]:
        """File IDs for an object, the one that it has, or would have, first. Two UIDs that come out the same take
        the next; all are legal (PS3.10 8.2, 8.5: 8 characters of A-Z, 0-9 and _), none tells of anybody."""
        entry = self._entries.get(described.sop_instance_uid)
        if entry is not None:
            yield entry.file_id
        folder = (FOLDER, short(described.study_uid), short(described.series_uid))
        for salt in range(1000):
            file_id = (*folder, short(described.sop_instance_uid, salt))
            if self._files.get(file_id, described.sop_instance_uid) == described.sop_instance_uid:
                yield file_id

    def add(self, described: Described, file_id: tuple[str, ...]) -> None:
        """Enters an object; one that is in already must be removed before. Raises invalid-object."""
        node = self._root
        for record in list(records(described, file_id)):
            child = node.children.get(record.key)
            node = child if child is not None else self._append(node, record)
        self._know(Entry(described.sop_instance_uid, described.transfer_syntax_uid, file_id))

    def without(self, sop_instance_uids: set[str]) -> FileSet:
        """Another one, in which these are not; records that nothing hangs below any more are left out, too."""
        made = FileSet(self.uid)
        for path in self._paths(self._first_root()):
            entry = _entry_of(_parsed(path[-1].body))
            if entry.sop_instance_uid not in sop_instance_uids:
                node = made._root
                for record in path:
                    child = node.children.get(record.key)
                    node = child if child is not None else made._append(node, record)
                made._know(entry)
        return made

    # ---- bytes

    def _know(self, entry: Entry) -> None:
        self._entries[entry.sop_instance_uid] = entry
        self._files[entry.file_id] = entry.sop_instance_uid

    def _append(self, parent: _Node, record: Record) -> _Node:
        offset = len(self._image)
        self._image += _ITEM + struct.pack("<I", len(record.body)) + record.body
        if parent is self._root:
            self._put(parent.last + _NEXT if parent.last else self._first, offset)
            self._put(self._first + 12, offset)  # the last one of the root
        else:
            self._put(parent.last + _NEXT if parent.last else parent.offset + _LOWER, offset)
        parent.last = offset
        node = parent.children[record.key] = _Node(offset)
        self._put(self._start - 4, len(self._image) - self._start)
        return node

    def _put(self, at: int, value: int) -> None:
        struct.pack_into("<I", self._image, at, value)

    def _get(self, at: int) -> int:
        value: int = struct.unpack_from("<I", self._image, at)[0]
        return value

    def _first_root(self) -> int:
        return self._get(self._first)

    def _record(self, offset: int) -> Record:
        body = bytearray(self._image[offset + 8 : offset + 8 + self._get(offset + 4)])
        struct.pack_into("<I", body, _NEXT - 8, 0)
        struct.pack_into("<I", body, _LOWER - 8, 0)
        return _record(bytes(body))

    def _paths(self, offset: int, above: tuple[Record, ...] = ()) -> Iterator[tuple[Record, ...]]:
        while offset:
            path = (*above, self._record(offset))
            if len(path) == 4:
                yield path
            else:
                yield from self._paths(self._get(offset + _LOWER), path)
            offset = self._get(offset + _NEXT)

    # ---- reading

    @classmethod
    def parse(cls, data: bytes) -> FileSet:
        """Goes on with a DICOMDIR of ours. Raises ForeignDirectory, DamagedDirectory: whatever is not exactly as it
        was written is not touched."""
        if not data:
            raise DamagedDirectory("it is empty")
        directory = _top(data)
        meta = directory.file_meta
        if str(meta.get("ImplementationClassUID", "")) != IMPLEMENTATION_CLASS_UID:
            raise ForeignDirectory("another system has made it")
        self = cls(str(meta.MediaStorageSOPInstanceUID))
        if len(data) < self._start or _masked(data, self._first, self._start) != _masked(
            self._image, self._first, self._start
        ):
            raise DamagedDirectory("its head is not as it was written")
        self._image = bytearray(data)
        try:
            self._walk()
        except DamagedDirectory:
            raise
        except Exception as exc:  # noqa: BLE001 (pydicom raises whatever it stumbles over)
            raise DamagedDirectory(f"a record of it cannot be read ({type(exc).__name__})") from None
        return self

    def _walk(self) -> None:
        items = self._items()
        if self._get(self._start - 4) != len(self._image) - self._start:
            raise DamagedDirectory("it is cut off, or goes on behind its end")
        seen = self._hang(self._root, self._first_root(), 0, items)
        if seen != len(items):
            raise DamagedDirectory("a record of it is not to be reached")
        if self._get(self._first + 12) != self._root.last:
            raise DamagedDirectory("its last patient is another one")

    def _items(self) -> set[int]:
        """Where its records begin."""
        found, at = set(), self._start
        while at < len(self._image):
            if self._image[at : at + 4] != _ITEM:
                raise DamagedDirectory("a record of it does not begin where it should")
            found.add(at)
            at += 8 + self._get(at + 4)
        if at != len(self._image):
            raise DamagedDirectory("it is cut off")
        return found

    def _hang(self, parent: _Node, offset: int, level: int, items: set[int]) -> int:
        """Hangs the record at `offset` and all after it below their parent; how many they and theirs are. An offset
        is taken out of reach once it was followed, so that a ring ends."""
        count = 0
        last = parent.offset if level else 0
        while offset:
            if offset not in items or offset <= last:  # each record stands behind what leads to it
                raise DamagedDirectory("an offset of it leads to no record")
            record = self._record(offset)
            if _LEVEL.get(record.type) != level or record.key in parent.children:
                raise DamagedDirectory("a record of it hangs where it does not belong")
            node = parent.children[record.key] = _Node(offset)
            parent.last, last, count = offset, offset, count + 1
            if level < 3:
                count += self._hang(node, self._get(offset + _LOWER), level + 1, items)
            else:
                self._know(_entry_of(_parsed(record.body)))
            offset = self._get(offset + _NEXT)
        return count


def _empty(uid: str) -> tuple[bytearray, int]:
    """A DICOMDIR without records, and where the offset of its first record stands: that of the last one is 12 bytes
    behind, the length of its sequence the last 4 bytes."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset, write_file_meta_info
    from pydicom.uid import UID, ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\0\x01"
    meta.MediaStorageSOPClassUID = UID(DIRECTORY_STORAGE)
    meta.MediaStorageSOPInstanceUID = UID(uid)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    top = Dataset()
    top.FileSetID = FILE_SET_ID
    top.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity = 0
    top.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity = 0
    top.FileSetConsistencyFlag = 0
    fp = DicomBytesIO()
    fp.is_little_endian, fp.is_implicit_VR = True, False
    fp.write(b"\0" * 128 + b"DICM")
    write_file_meta_info(fp, meta)
    write_dataset(fp, top)
    image = bytearray(fp.getvalue())
    first = image.rindex(b"\x04\x00\x00\x12UL") + 8
    image += b"\x04\x00\x20\x12SQ\0\0" + bytes(4)
    return image, first


def _masked(data: bytes | bytearray, first: int, start: int) -> bytes:
    """The head without the two offsets and the length that change."""
    return bytes(data[:first] + data[first + 4 : first + 12] + data[first + 16 : start - 4])


def _top(data: bytes) -> Dataset:
    from pydicom import dcmread

    keep_values_out_of_warnings()
    try:
        found = dcmread(BytesIO(data[: 64 << 10]), stop_before_pixels=True, specific_tags=["FileSetID"])
        if str(found.file_meta.MediaStorageSOPClassUID) != DIRECTORY_STORAGE:
            raise DamagedDirectory("it is another kind of DICOM file")
    except DamagedDirectory:
        raise
    except Exception as exc:  # noqa: BLE001 (pydicom raises whatever it stumbles over)
        raise DamagedDirectory(f"it is not to be read ({type(exc).__name__})") from None
    return found


def _parsed(body: bytes) -> Any:
    from pydicom.filereader import read_dataset

    return read_dataset(BytesIO(body), is_implicit_VR=False, is_little_endian=True)


def _record(body: bytes) -> Record:
    """Raises DamagedDirectory."""
    if len(body) < _HEAD_OF_BODY or body[:8] != b"\x04\0\0\x14UL\x04\0" or body[22:30] != b"\x04\0\x20\x14UL\x04\0":
        raise DamagedDirectory("a record of it does not begin with its offsets")
    parsed = _parsed(body)
    kind = str(parsed.DirectoryRecordType)
    key: str | bytes
    match kind:
        case "PATIENT":
            key = body
        case "STUDY":
            key = str(parsed.StudyInstanceUID)
        case "SERIES":
            key = str(parsed.SeriesInstanceUID)
        case _:
            key = str(parsed.ReferencedSOPInstanceUIDInFile)
    return Record(kind, key, body)


def _entry_of(parsed: Any) -> Entry:
    value = parsed.ReferencedFileID
    file_id = (value,) if isinstance(value, str) else tuple(str(item) for item in value)
    return Entry(str(parsed.ReferencedSOPInstanceUIDInFile), str(parsed.ReferencedTransferSyntaxUIDInFile), file_id)
