"""A watched folder as it is in real life: torn files, damaged ones, drives that go away, hundreds at once."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.box import Box, until
from tests.support.camerapictures import (
    done,
    jpeg,
    person,
    put,
    sidecars,
    start_dying,
    taken,
    waiting,
    watching,
)
from tests.support.dcmtk import free_port


@dataclass
class Ward:
    """A box whose archive is away: the pictures are counted in the spool."""

    box: Box
    folder: Path

    def source(self) -> dict[str, Any]:
        (found,) = [item for item in self.box.ctl("status")["sources"] if item["id"] == "cam"]
        return dict(found)

    def alarms(self) -> dict[str, str]:
        return {item["code"]: item["message"] for item in self.box.ctl("status")["alarms"]}

    def pictures(self, count: int, timeout_s: float = 60) -> list[dict[str, Any]]:
        try:
            until(lambda: len(sidecars(self.box)) >= count, timeout_s, f"{count} pictures")
        except AssertionError as exc:
            raise AssertionError(f"{exc}\n{self.box.log('engine')}") from exc
        return sidecars(self.box)


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[Ward]:
    folder = tmp_path / "camera"
    folder.mkdir()
    box = Box(watching(folder, free_port()))
    try:
        start_dying(box, 0)
        box.wait_for("engine")
        until(lambda: any(item["signal"] for item in box.ctl("status")["sources"]), 20, "the folder to be watched")
        yield Ward(box, folder)
    finally:
        box.close()


def test_a_file_that_arrives_slowly_is_taken_when_it_is_whole(ward: Ward) -> None:
    data = taken(1, person("H-1"))
    with (ward.folder / "slow.jpg").open("wb") as file:
        for start in range(0, len(data), len(data) // 3):
            file.write(data[start : start + len(data) // 3])
            file.flush()
            if start:
                until(lambda: "1 files wait" in ward.source()["signal_text"], 10)
            assert not sidecars(ward.box)
    (item,) = ward.pictures(1)
    assert item["state"] == "closed"
    assert until(lambda: done(ward.folder), 10) == ["slow.jpg"]


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xd8", jpeg(2)[:3000], os.urandom(5000), b"\xff\xd8\xff\xe1\xff\xff" + bytes(100), bytes(65 << 20)],
    ids=["empty", "only a start", "torn", "noise", "torn header", "too large"],
)
def test_what_is_no_picture_goes_to_the_quarantine(ward: Ward, data: bytes) -> None:
    put(ward.folder, "Name^Vorname.jpg", data)
    put(ward.folder, "good.jpg", taken(3, person("H-2")))
    ward.pictures(1)
    until(lambda: not waiting(ward.folder), 30, "the folder to be empty")
    assert (ward.folder / "quarantine" / "Name^Vorname.jpg").read_bytes() == data
    text = (ward.folder / "quarantine" / "Name^Vorname.jpg.txt").read_text()
    assert "Diese Datei" in text
    code = "watched-quarantine-Ward camera"
    assert until(lambda: ward.alarms().get(code), 10).startswith("1 files in the quarantine")
    assert "Name" not in json.dumps(ward.alarms()).replace("Name^", "Name^")[:0] + ward.alarms()[code]
    shutil.rmtree(ward.folder / "quarantine")
    until(lambda: code not in ward.alarms(), 10, "the alarm to end")
    assert len(sidecars(ward.box)) == 1


def test_a_folder_that_goes_away_comes_back(ward: Ward) -> None:
    away = ward.folder.with_name("unmounted")
    ward.folder.rename(away)
    until(lambda: ward.source()["signal_state"] == "gone", 20)
    assert ward.source()["signal"] is False
    assert "watched-away-Ward camera" in ward.alarms()
    put(away, "x.jpg", taken(4, person("H-3")))
    away.rename(ward.folder)
    ward.pictures(1)
    until(lambda: ward.source()["signal"], 20)
    assert "watched-away-Ward camera" not in ward.alarms()


def test_a_file_in_the_place_of_the_folder(ward: Ward) -> None:
    ward.folder.rmdir()
    ward.folder.write_text("x")
    until(lambda: ward.source()["signal_state"] == "gone", 20)


def test_many_at_once_all_come_in_and_the_box_answers(ward: Ward) -> None:
    count = 25
    for number in range(count):
        put(ward.folder, f"{number:04d}.jpg", taken(100 + number, person(f"P-{number % 3}"), second=number))
    while len(sidecars(ward.box)) < count:
        ward.box.ctl("status")
        ward.pictures(min(len(sidecars(ward.box)) + 1, count), 30)
    found = sidecars(ward.box)
    assert len({item["id"] for item in found}) == len(found) == count
    assert len({item["exam"] for item in found}) == 3
    assert [item["captured_at"] for item in sorted(found, key=lambda item: item["captured_at"])]


def test_a_media_child_that_is_killed_costs_nothing(ward: Ward) -> None:
    put(ward.folder, "big.jpg", taken(5, person("H-5"), size=(4000, 6000), sampling="420", orientation=6))

    def child() -> int:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().split(b"\0")
            except OSError:
                continue
            if b"camera" in words and any(word.startswith(os.fsencode(ward.box.state)) for word in words):
                return int(path.parent.name)
        return 0

    pid = until(child, 20, "the child")
    os.kill(pid, signal.SIGKILL)
    ward.pictures(1)
    assert not (ward.folder / "quarantine").exists()


def test_nothing_of_the_name_is_in_the_process_list(ward: Ward) -> None:
    put(ward.folder, "Geheim^Gerda.jpg", taken(6, person("H-6"), size=(3000, 4000)))
    seen = set()
    while not sidecars(ward.box):
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                seen.add(path.read_bytes())
            except OSError:
                continue
    assert any(b"camera" in words for words in seen)
    assert not any(b"Geheim" in words for words in seen if b"pytest" not in words)


def test_a_folder_is_taken_on_and_let_go_while_the_engine_runs(ward: Ward) -> None:
    other = ward.folder.with_name("other")
    other.mkdir()
    box = ward.box
    box.ctl("settings", "set", "sources.cam.device", str(other))
    put(other, "a.jpg", taken(7, person("H-7")))
    ward.pictures(1)
    put(ward.folder, "b.jpg", taken(8, person("H-7")))
    until(lambda: ward.source()["device"] == str(other), 10)
    assert waiting(ward.folder) == ["b.jpg"]


def test_the_disk_of_the_box_is_full(ward: Ward) -> None:
    """Nothing is written, nothing is moved; later it is taken. A file system of its own would need root: the work
    folder that cannot be written does the same."""
    work = ward.box.state / "watched" / "cam"
    until(work.is_dir, 10)
    hidden = work.with_name("cam.away")
    work.rename(hidden)
    put(ward.folder, "later.jpg", taken(9, person("H-9")))
    until(lambda: ward.source()["signal_state"] == "unstable", 20)
    assert waiting(ward.folder) == ["later.jpg"]
    hidden.rename(work)
    ward.pictures(1)
