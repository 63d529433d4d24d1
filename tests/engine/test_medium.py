"""What is on a medium: a File-set that other programs read, of nobody but the box."""

from __future__ import annotations

import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pydicom
import pytest
from pydicom.fileset import FileSet as PydicomFileSet

from smartbox_tui.dicom import fileset
from smartbox_tui.dicom.fileset import FileSet
from smartbox_tui.dicom.fileset_records import describe
from smartbox_tui.engine.calling import peer_of
from smartbox_tui.engine.delivery.medium.medium import medium_of
from smartbox_tui.engine.delivery.medium.pulse import Pulse
from smartbox_tui.engine.delivery.medium.way import MediumWay
from smartbox_tui.engine.delivery.way import way_to
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.answer import Outcome
from smartbox_tui.model.uids import uid_of
from smartbox_tui.settings.destination import Destination
from tests.contract.test_destinations import burst, key_object, noise
from tests.dicom.pictures import (
    EMERGENCY_CHILD,
    ORDERED,
    UNASSIGNED,
    Media,
    clip,
    composition,
    make_media,
)
from tests.engine.medium_rig import everything, named, picture, refused, send, to
from tests.support.dcmtk import dciodvfy, need


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Media:
    return make_media(tmp_path_factory.mktemp("media"), ffmpeg=need("ffmpeg"))


# ---- a File-set that others read


def test_the_file_set_is_one_that_other_programs_read(folder: Path, media: Media) -> None:
    way = to(folder)
    items = [
        picture(folder, number, study) for number, study in enumerate((ORDERED, UNASSIGNED, EMERGENCY_CHILD), 1)
    ]
    items += [burst(folder.parent), key_object()]
    items.append(composition(ORDERED, clip("video-endoscopic", media.clip_30), media.clip_30))
    for item in items:
        assert send(way, item).meaning.outcome is Outcome.STORED
    way.hang_up()
    directory = folder / "DICOMDIR"
    read = PydicomFileSet(directory)
    assert {item.SOPInstanceUID for item in read} == {item.sop_instance_uid for item in items}
    for item in read:
        assert item.load().SOPInstanceUID == item.SOPInstanceUID
        assert str(item.PatientID)
    assert sorted(node.record_type for node in read._tree if not node.children) == ["IMAGE"] * 5 + [
        "KEY OBJECT DOC"
    ]
    assert subprocess.run([need("dcmdump"), "-q", str(directory)], capture_output=True, check=False).returncode == 0
    errors, warnings = dciodvfy(directory)
    assert errors == []
    # Birth date and sex, so that a reader tells namesakes apart: a Standard Extended directory (PS3.3 F.5.1).
    known = ("Patient's Birth Date", "Patient's Sex", "Standard Extended SOP Class")
    assert [line for line in warnings if not any(text in line for text in known)] == []
    for path in named(folder).values():
        parts = path.relative_to(folder).parts
        assert len(parts) <= 8
        assert all(len(part) <= 8 and set(part) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") for part in parts)


def test_the_records_are_those_that_dcmtk_makes_of_the_same_files(folder: Path) -> None:
    way = to(folder, plain=False)
    for number in range(1, 5):
        send(way, picture(folder, number, (ORDERED, EMERGENCY_CHILD)[number % 2]))
    way.hang_up()
    other = folder.parent / "other"
    shutil.copytree(folder, other)
    (other / "DICOMDIR").unlink()
    words = [need("dcmmkdir"), "+r", "+id", str(other), "-Nxc", "+D", str(other / "DICOMDIR"), "+I", "DICOM"]
    done = subprocess.run(words, capture_output=True, check=False, cwd=other)
    if not (other / "DICOMDIR").exists():
        pytest.skip(f"dcmmkdir makes none of these: {done.stderr.decode()[-200:]}")

    def told(directory: Path) -> set[tuple[str, ...]]:
        names = ("DirectoryRecordType", "PatientID", "PatientName", "StudyInstanceUID", "SeriesInstanceUID",
                 "StudyDate", "StudyTime", "SeriesNumber", "InstanceNumber", "ReferencedSOPInstanceUIDInFile",
                 "ReferencedFileID")  # fmt: skip
        records = pydicom.dcmread(directory).DirectoryRecordSequence
        return {tuple(str(record.get(name, "")) for name in names) for record in records}

    assert told(folder / "DICOMDIR") == told(other / "DICOMDIR")


def test_no_name_on_the_medium_tells_of_anybody(folder: Path) -> None:
    way = to(folder)
    send(way, picture(folder))
    way.hang_up()
    names = " ".join(str(path.relative_to(folder)) for path in folder.rglob("*"))
    for text in ("4711", "ller", "rg", "1961", "2026"):
        assert text.lower() not in names.lower()


def test_plain_pictures_lie_beside_as_they_were_captured(folder: Path, media: Media) -> None:
    way = to(folder)
    frames = burst(folder.parent)
    moving = composition(ORDERED, clip("video-endoscopic", media.clip_30), media.clip_30)
    for item in (picture(folder), frames, moving, key_object()):
        send(way, item)
    way.hang_up()
    found = {path.read_bytes() for path in (folder / "PICTURES").rglob("*") if path.is_file()}
    data = (folder.parent / "burst.mjpg").read_bytes()
    singles = [noise(64, 48 + 8 * number) for number in range(3)]
    assert b"".join(singles) == data
    assert found == {(folder.parent / "1-0.jpg").read_bytes(), media.clip_30.read_bytes(), *singles}
    endings = sorted(path.suffix for path in (folder / "PICTURES").rglob("*") if path.is_file())
    assert endings == [".jpg"] * 4 + [".ts"]


def test_thousands_are_added_as_fast_at_the_end_as_at_the_beginning(folder: Path) -> None:
    made, sample = FileSet("2.25.1"), describe(picture(folder))
    spent = []
    for number in range(3000):
        one = replace(sample, sop_instance_uid=uid_of(UUID(int=number + 1)))
        since = time.process_time()
        made.add(one, next(iter(made.places(one))))
        spent.append(time.process_time() - since)
    assert len(made) == 3000
    assert sorted(spent[-500:])[250] < 5 * sorted(spent[:500])[250]
    assert len(FileSet.parse(bytes(made.image))) == 3000


def test_two_uids_of_the_same_short_name_both_have_a_place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fileset, "short", lambda text, salt=0: f"{salt:08d}")
    way = to(folder)
    items = [picture(folder, number) for number in range(1, 4)]
    for item in items:
        assert send(way, item).meaning.outcome is Outcome.STORED
    way.hang_up()
    assert named(folder).keys() == {item.sop_instance_uid for item in items}
    assert len(set(named(folder).values())) == 3


# ---- whose it is


def test_a_directory_of_ours_is_gone_on_with(folder: Path) -> None:
    first, second = picture(folder, 1), picture(folder, 2)
    for item in (first, second):
        way = to(folder)
        send(way, item)
        way.hang_up()
        del way
    assert named(folder).keys() == {first.sop_instance_uid, second.sop_instance_uid}


@pytest.mark.parametrize("damage", ["foreign", "cut", "bit", "empty", "text"])
def test_a_directory_that_is_not_ours_or_not_whole_is_never_touched(folder: Path, damage: str) -> None:
    way = to(folder)
    send(way, picture(folder))
    way.hang_up()
    directory = folder / "DICOMDIR"
    data = bytearray(directory.read_bytes())
    match damage:
        case "foreign":
            dataset = pydicom.dcmread(directory)
            dataset.file_meta.ImplementationClassUID = "1.2.3.4"
            dataset.save_as(directory)
        case "cut":
            directory.write_bytes(data[:-40])
        case "bit":
            data[data.rindex(b"\xfe\xff\x00\xe0") + 16] ^= 0xFF  # where its next record would be
            directory.write_bytes(data)
        case "empty":
            directory.write_bytes(b"")
        case "text":
            directory.write_text("not at all")
    before = everything(folder)
    error = refused(to(folder), picture(folder, 2))
    assert error.code == "refused"
    assert "DICOMDIR" in error.message
    assert error.hint
    assert everything(folder) == before


def test_another_medium_is_not_written_to_until_the_first_was_ejected(tmp_path: Path) -> None:
    a, b, state = tmp_path / "a", tmp_path / "b", tmp_path / "state"
    way = to(tmp_path / "stick", state)
    for path in (a, b):
        path.mkdir()
    a.rename(tmp_path / "stick")
    send(way, picture(a))
    way.hang_up()
    (tmp_path / "stick").rename(a)
    b.rename(tmp_path / "stick")
    error = refused(to(tmp_path / "stick", state), picture(a, 2))
    assert error.code == "refused"
    assert error.message.startswith("Another medium")
    assert everything(tmp_path / "stick") == {}
    (tmp_path / "stick").rename(b)
    a.rename(tmp_path / "stick")
    destination = Destination(
        name="stick", kind="folder", path=str(tmp_path / "stick"), mounted=False, timeout_s=5.0
    )
    medium = medium_of(destination, state)
    assert medium.eject(Pulse("x")) == 1
    (tmp_path / "stick").rename(a)
    b.rename(tmp_path / "stick")
    way = to(tmp_path / "stick", state)
    assert refused(way, picture(a, 2)).message.startswith("The medium was made ready")
    medium.welcome()
    assert send(way, picture(a, 2)).meaning.outcome is Outcome.STORED
    way.hang_up()


def test_two_who_write_into_one_folder_take_turns(folder: Path) -> None:
    mine = to(folder)
    first, second = picture(folder, 1), picture(folder, 2)
    send(mine, first)
    place = Destination(name="other", kind="folder", path=str(folder), mounted=False, timeout_s=5.0)
    other = way_to(place, peer_of(place, "OTHER"))
    assert isinstance(other, MediumWay)
    error = refused(other, second)
    assert error.code == "refused"
    assert error.message.startswith("Another box")
    mine.hang_up()
    other.probe()
    assert send(other, second).meaning.outcome is Outcome.STORED
    other.hang_up()
    assert send(mine, first).meaning.outcome is Outcome.STORED
    mine.hang_up()
    assert named(folder).keys() == {first.sop_instance_uid, second.sop_instance_uid}


def test_a_mount_point_without_its_medium_takes_nothing(folder: Path) -> None:
    error = refused(to(folder, mounted=True), picture(folder))
    assert error.code == "no-route"
    assert everything(folder) == {}


def test_a_link_on_the_medium_does_not_lead_out_of_it(folder: Path) -> None:
    outside = folder.parent / "outside"
    outside.mkdir()
    (folder / "DICOM").symlink_to(outside)
    with pytest.raises(SmartBoxError):
        send(to(folder), picture(folder))
    assert list(outside.iterdir()) == []
