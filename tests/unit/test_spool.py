"""The spool on a real disk: what is written is whole, what is torn is passed over, what is full is told."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.spool import durable, examfile, layout, ledger
from smartbox_tui.spool.lock import FolderLock
from smartbox_tui.spool.sidecar import SidecarState, read_sidecar
from tests.support.spooled import put_exam, put_still


def promise(number: int) -> ledger.Promise:
    return ledger.Promise("2026-11-20T10:00:00+01:00", f"2.25.{number}", "archive", "stored")


def test_sidecar_and_exam_come_back_as_written(tmp_path: Path) -> None:
    exam = put_exam(tmp_path)
    sidecar = put_still(tmp_path, exam)
    assert read_sidecar(tmp_path / exam / f"{sidecar.id}.json") == sidecar
    assert [path.stem for path in layout.sidecar_paths(tmp_path / exam)] == [sidecar.id]
    assert examfile.read_exam(tmp_path / exam).state == "closed"
    assert [path.name for path in layout.exam_folders(tmp_path)] == [exam]


def test_a_revision_never_changes_its_meaning(tmp_path: Path) -> None:
    exam = put_exam(tmp_path)
    revision = examfile.read_revision(tmp_path / exam, 1)
    examfile.write_revision(tmp_path / exam, revision)
    with pytest.raises(FileExistsError):
        examfile.write_revision(tmp_path / exam, examfile.RevisionFile(1, {"id": "other"}, revision.study_at))


def test_an_exam_that_a_crash_left_half_made_is_made_by_the_repeated_command(tmp_path: Path) -> None:
    exam = put_exam(tmp_path)
    folder = tmp_path / exam
    file, revision = examfile.read_exam(folder), examfile.read_revision(folder, 1)
    (folder / examfile.EXAM_FILE).unlink()
    again = examfile.RevisionFile(1, revision.patient, revision.study_at, made_at="2026-11-21T10:00:00+01:00")
    examfile.create_exam(folder, file, again)
    assert (examfile.read_exam(folder), examfile.read_revision(folder, 1)) == (file, again)
    with pytest.raises(FileExistsError):
        examfile.create_exam(folder, file, examfile.RevisionFile(1, {"id": "other"}, revision.study_at))


def test_a_torn_ledger_line_costs_nothing_but_itself(tmp_path: Path) -> None:
    ledger.append(tmp_path, [promise(1)])
    with (tmp_path / ledger.LEDGER_FILE).open("ab") as file:
        file.write(b'{"at": "2026-11-20T10')
    ledger.append(tmp_path, [promise(2)])
    assert list(ledger.read(tmp_path)) == [promise(1), promise(2)]


def test_no_ledger_is_no_promise(tmp_path: Path) -> None:
    assert list(ledger.read(tmp_path)) == []


@pytest.mark.parametrize("text", ["../../etc", "x", "", "6A1F8D3E-0D6A-4A43-9F2E-111111111111 "])
def test_only_a_uuid_becomes_a_path(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match="UUID"):
        layout.exam_dir(tmp_path, text)


def test_a_sidecar_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"id": 1}', encoding="utf-8")
    with pytest.raises(ValueError, match="not a sidecar"):
        read_sidecar(tmp_path / "x.json")


def test_states_are_words(tmp_path: Path) -> None:
    exam = put_exam(tmp_path)
    sidecar = put_still(tmp_path, exam, state=SidecarState.PINNED)
    assert '"pinned"' in (tmp_path / exam / f"{sidecar.id}.json").read_text(encoding="utf-8")


def test_one_holder_a_folder_and_the_second_is_told_who(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path, "engine")
    with pytest.raises(SmartBoxError) as caught:
        FolderLock(tmp_path, "engine")
    assert caught.value.code == "in-use"
    FolderLock(tmp_path, "capture").release()
    lock.release()
    FolderLock(tmp_path, "engine").release()


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False
    ).returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_told_and_leaves_no_half_file(tiny: Path) -> None:
    with pytest.raises(SmartBoxError) as caught:
        durable.write_new(tiny / "picture", bytes(2 << 20))
    assert caught.value.code == "disk-full"
    assert list(tiny.iterdir()) == []
    durable.write_new(tiny / "small", b"x")
    assert (tiny / "small").read_bytes() == b"x"
