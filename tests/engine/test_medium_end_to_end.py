"""An exam to a medium through the whole box: written, ejected by ctl, gone on with on the next one."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.medium_rig import everything, named
from tests.support.box import Box, CtlError, no_archive, running, until
from tests.support.dcmtk import dciodvfy
from tests.support.mounted import Disk, disk


def config() -> str:
    return no_archive(size="640x360", fps=30)


@pytest.fixture
def box() -> Iterator[Box]:
    with running(config()) as made:
        yield made


def exam(box: Box, **patient: str) -> str:
    opened = str(box.open_exam(**patient)["id"])
    box.ctl("still")
    box.ctl("record", "start")
    until(lambda: (box.ctl("sources")["sources"][0]["recording"] or {"frames": 0})["frames"] > 20, 30, "frames")
    box.ctl("record", "stop")
    box.ctl("exam", "close")
    return opened


@pytest.mark.timeout(180)
def test_an_exam_goes_to_a_medium_which_is_ejected_and_another_one_is_plugged_in(stick: Disk) -> None:
    path = stick.mountpoint
    box = Box(config() + f'[[destinations]]\nname = "stick"\nkind = "folder"\npath = "{path}"\n')
    try:
        box.start()
        goes_from_one_to_the_next(box, stick, path)
    finally:
        box.close()


def goes_from_one_to_the_next(box: Box, stick: Disk, path: Path) -> None:
    assert box.ctl("destination", "test", "stick")["ok"]
    box.wait_stored(exam(box), 2)
    files = named(path)
    assert len(files) == 2
    for file in files.values():
        assert dciodvfy(file)[0] == []
    assert {item.suffix for item in (path / "PICTURES").rglob("*.*")} == {".jpg", ".ts"}

    said = box.ctl("destination", "eject", "stick")
    assert said == {"destination": "stick", "safe": True, "objects": 2, "unmounted": True}
    assert everything(path) == {}, "the mount point of a medium that is gone"
    (destination,) = box.ctl("destination", "list")["destinations"]
    assert destination["state"] == "paused"
    with sqlite3.connect(f"file:{box.state / 'smartbox.db'}?mode=ro", uri=True) as database:
        lines = database.execute("select detail from audit where action = 'medium-ejected'").fetchall()
    assert [json.loads(line[0]) for line in lines] == [{"destination": "stick", "objects": 2, "unmounted": True}]

    second = exam(box, id="T-1002", name="Zwei^Test")
    waiting = [row for row in box.deliveries(second) if row["state"] != "stored"]
    assert len(waiting) == 2
    other = disk(stick.image.parent / "other", megabytes=16)
    other.mountpoint = path
    other.plug()
    box.ctl("queue", "resume", "--destination", "stick")
    box.wait_stored(second, 2)
    assert len(named(path)) == 2
    assert not set(named(path)) & set(files)


def test_what_cannot_be_ejected_says_why(box: Box, tmp_path: Path) -> None:
    box.ctl("destination", "add", "archive", "--host", "127.0.0.1", "--port", "9", "--aet", "X")
    folder = tmp_path / "share"
    words = ("--kind", "folder", "--path", str(folder), "--no-mounted")
    box.ctl("destination", "add", "share", *words)
    for name, code in (("nobody", "not-found"), ("archive", "bad-value"), ("share", "no-route")):
        with pytest.raises(CtlError) as caught:
            box.ctl("destination", "eject", name)
        assert caught.value.code == code
    states = {item["name"]: item["state"] for item in box.ctl("destination", "list")["destinations"]}
    assert states["share"] != "paused", "it was not ejected, so nothing has changed"
    folder.mkdir()
    said = box.ctl("destination", "eject", "share")
    assert said == {"destination": "share", "safe": True, "objects": 0, "unmounted": False}


def test_a_folder_needs_its_path_and_each_its_own(box: Box, tmp_path: Path) -> None:
    with pytest.raises(CtlError) as caught:
        box.ctl("destination", "add", "stick", "--kind", "folder")
    assert caught.value.code == "bad-value"
    assert "path" in str(caught.value)
    box.ctl("destination", "add", "stick", "--kind", "folder", "--path", str(tmp_path / "a"))
    for path in (tmp_path / "a", tmp_path / "a" / "b", tmp_path):
        with pytest.raises(CtlError) as caught:
            box.ctl("destination", "add", "other", "--kind", "folder", "--path", str(path))
        assert caught.value.code == "bad-value"
