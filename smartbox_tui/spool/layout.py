"""Where things lie. The folder is named by exam id; no name holds patient data.

boots.json                      the boots and their anchors (spool.clock)
spool/<exam id>/exam.json, revision-0001.json, ledger.jsonl
               released.jsonl              pictures that archives have and the box no longer (spool.release)
               <picture id>.jpg | .mjpeg | .ts   the bitstream
               <picture id>.mp4, .mp4.json the same remuxed, and its record (spool.bitstream)
               <picture id>.json           its sidecar
               <picture id>.r0001.dcm      its DICOM header without pixel data, one per revision
               derived/                    derived bitstreams and their records, remade on demand
spool/.reserve                  room for the worst moment (spool.reserve)
spool/.forgotten-<exam id>      an exam on its way out (store.retention)
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID


def exam_dir(spool: Path, exam_id: str) -> Path:
    """Raises ValueError for an id that is not a UUID: nothing else becomes a path."""
    return spool / str(UUID(exam_id))


def header_name(picture_id: str, revision: int) -> str:
    return f"{picture_id}.r{revision:04d}.dcm"


def exam_folders(spool: Path) -> Iterator[Path]:
    """All exams' folders, in the file system's order."""
    if not spool.is_dir():
        return
    for path in spool.iterdir():
        if is_uuid(path.name) and path.is_dir():
            yield path


def sidecar_paths(folder: Path) -> Iterator[Path]:
    """The sidecars of one exam, in no particular order."""
    for path in folder.iterdir():
        if path.suffix == ".json" and is_uuid(path.stem):
            yield path


def is_uuid(text: str) -> bool:
    """True for the canonical form only (36 characters with dashes, lower case)."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
