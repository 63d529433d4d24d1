"""A folder or a real medium, and a way to it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest

from smartbox_tui.dicom.compose import Composition
from smartbox_tui.engine.calling import peer_of
from smartbox_tui.engine.delivery.forms import Form
from smartbox_tui.engine.delivery.medium.way import MediumWay
from smartbox_tui.engine.delivery.way import way_to
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.answer import Answer
from smartbox_tui.settings.destination import Destination
from tests.contract.test_destinations import noise
from tests.dicom.pictures import (
    ORDERED,
    composition,
    still,
)
from tests.support.mounted import Disk, disk
from tests.support.spooled import jpeg


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "stick"
    made.mkdir()
    return made


@pytest.fixture
def stick(tmp_path: Path) -> Iterator[Disk]:
    made = disk(tmp_path / "disk", megabytes=16)
    try:
        made.plug()
        yield made
    finally:
        made.close()


def to(path: Path, state: Path | None = None, **changes: Any) -> MediumWay:
    values = {"mounted": False, "timeout_s": 5.0, **changes}
    destination = Destination(name="stick", kind="folder", path=str(path), **values)
    way = way_to(destination, peer_of(destination, "SMARTBOX"), state)
    assert isinstance(way, MediumWay)
    return way


def send(way: MediumWay, item: Composition, **more: Any) -> Answer:
    way.agree([Form(item.sop_class_uid, item.transfer_syntax_uid)], tuple)
    return way.store(item, **{"on_progress": lambda _: None, "cancelled": lambda: False, **more})


def picture(folder: Path, number: int = 1, study: Any = ORDERED, size: int = 0) -> Composition:
    path = folder.parent / f"{number}-{size}.jpg"
    if not path.exists():
        path.write_bytes(noise(size, size) if size else jpeg(shade=number))
    return composition(study, still("vl-endoscopic", path, instance_number=number), path)


def named(folder: Path) -> dict[str, Path]:
    """What the DICOMDIR names."""
    found = {}
    for record in pydicom.dcmread(folder / "DICOMDIR").DirectoryRecordSequence:
        if "ReferencedFileID" in record:
            found[str(record.ReferencedSOPInstanceUIDInFile)] = folder.joinpath(*record.ReferencedFileID)
    return found


def everything(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def refused(way: MediumWay, item: Composition) -> SmartBoxError:
    with pytest.raises(SmartBoxError) as caught:
        send(way, item)
    way.hang_up()
    with pytest.raises(SmartBoxError) as probed:
        way.probe()
    assert probed.value.code == caught.value.code, "the probe says it is well"
    return caught.value
