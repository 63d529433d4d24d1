"""Whatever happens to a medium, the box does not lie about it: full, read-only, pulled out, crashed, ejected."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.engine.delivery.forms import Form
from smartbox_tui.engine.delivery.medium import files, mounts
from smartbox_tui.engine.delivery.medium.check import check_folder
from smartbox_tui.engine.delivery.medium.files import Root
from smartbox_tui.engine.delivery.medium.pulse import Pulse
from smartbox_tui.model.answer import Answer, Outcome, TransferLost
from smartbox_tui.settings.destination import Destination
from tests.engine.medium_rig import everything, named, picture, refused, send, to
from tests.support.box import until
from tests.support.mounted import Disk

# ---- what goes wrong while it is written


class Cut(BaseException):
    """As if the plug were pulled: nothing that would tidy up runs on the medium."""


STEPS = ("write", "fsync", "fdatasync", "rename", "mkdir")


def stop_at(number: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[], bool]:
    """The process ends, for the medium, at its N-th change: that one and all after it do nothing."""
    left = [number]

    def guard(name: str) -> None:
        real = getattr(os, name)

        def call(*arguments: Any, **options: Any) -> Any:
            left[0] -= 1
            if left[0] <= 0:
                raise Cut
            return real(*arguments, **options)

        monkeypatch.setattr(files.os, name, call)

    real_unlink = os.unlink

    def unlink(*arguments: Any, **options: Any) -> None:
        if left[0] <= 0:
            raise Cut
        real_unlink(*arguments, **options)

    for name in STEPS:
        guard(name)
    monkeypatch.setattr(files.os, "unlink", unlink)
    return lambda: left[0] <= 0


@pytest.mark.timeout(180)
def test_a_crash_at_every_step_leaves_nothing_or_a_whole_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = 0
    for number in range(1, 200):
        folder = tmp_path / f"stick{number}"
        folder.mkdir()
        first, second = picture(folder, 1), picture(folder, 2)
        way = to(folder)
        send(way, first)
        way.hang_up()
        with monkeypatch.context() as patch:
            was_cut = stop_at(number, patch)
            way = to(folder)
            try:
                answer = send(way, second)
            except Cut:
                assert was_cut()
            else:
                assert answer.meaning.outcome is Outcome.STORED
            way.hang_up()
            del way
        seen = named(folder)  # as a reader finds it now
        assert first.sop_instance_uid in seen
        for path in seen.values():
            assert path.is_file()
        way = to(folder)
        way.agree([Form(second.sop_class_uid, second.transfer_syntax_uid)], tuple)
        seen, lying = named(folder), {path for path in (folder / "DICOM").rglob("*") if path.is_file()}
        assert lying == set(seen.values()), "a left over, or a file that nobody names"
        assert send(way, second).meaning.outcome is Outcome.STORED
        way.hang_up()
        assert named(folder).keys() == {first.sop_instance_uid, second.sop_instance_uid}
        assert len([path for path in (folder / "PICTURES").rglob("*") if path.is_file()]) == 2
        assert not list(folder.rglob("*.TMP"))
        steps += 1
        if not was_cut():
            break
    else:
        raise AssertionError("it never came to its end")
    assert steps > 15


def test_bytes_that_the_medium_does_not_keep_are_no_stored_picture(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write

    def write(fd: int, data: memoryview) -> int:
        changed = bytearray(data)
        if len(changed) > 5000 and changed[128:132] == b"DICM":
            changed[4000] ^= 1
        return real(fd, changed)

    way = to(folder)
    with monkeypatch.context() as patch:
        patch.setattr(files.os, "write", write)
        answer = send(way, picture(folder))
    assert answer.meaning.outcome is Outcome.RETRY
    assert not [path for path in folder.rglob("*") if path.is_file() and path.parent != folder]
    assert send(way, picture(folder)).meaning.outcome is Outcome.STORED
    way.hang_up()


def test_a_damaged_object_is_written_again_under_its_name(folder: Path) -> None:
    way, item = to(folder), picture(folder)
    send(way, item)
    (path,) = named(folder).values()
    whole = path.read_bytes()
    path.write_bytes(whole[:-9] + b"x" + whole[-8:])
    assert send(way, item).meaning.outcome is Outcome.STORED
    way.hang_up()
    assert path.read_bytes() == whole
    assert len(named(folder)) == 1


def test_what_somebody_deleted_is_not_named_any_more(folder: Path) -> None:
    way, items = to(folder), [picture(folder, number) for number in range(1, 4)]
    for item in items[:2]:
        send(way, item)
    way.hang_up()
    del way
    named(folder)[items[0].sop_instance_uid].unlink()
    way = to(folder)
    send(way, items[2])
    way.hang_up()
    assert named(folder).keys() == {items[1].sop_instance_uid, items[2].sop_instance_uid}


def test_a_full_medium_waits_and_takes_it_when_there_is_room(stick: Disk) -> None:
    way = to(stick.mountpoint, mounted=True)
    ballast = stick.mountpoint / "ballast"
    ballast.write_bytes(bytes(12 << 20))
    item = picture(stick.image, 1, size=1400)
    error = refused(way, item)
    assert isinstance(error, TransferLost)
    assert error.code == "disk-full"
    assert not error.outcome_unknown
    assert not list(stick.mountpoint.rglob("*.TMP"))
    ballast.unlink()
    way.probe()
    assert send(way, item).meaning.outcome is Outcome.STORED
    way.hang_up()
    assert stick.eject(), "something of it is still open"


def test_space_that_ends_while_it_is_written_leaves_nothing(stick: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    way = to(stick.mountpoint, mounted=True)
    send(way, picture(stick.image, 1))
    (stick.mountpoint / "ballast").write_bytes(bytes(12 << 20))
    monkeypatch.setattr(Root, "free_bytes", lambda _self: 1 << 40)  # as a file system that cannot count
    with pytest.raises(TransferLost) as caught:
        send(way, picture(stick.image, 2, size=1400))
    way.hang_up()
    assert caught.value.code == "disk-full"
    assert not list(stick.mountpoint.rglob("*.TMP"))
    assert len(named(stick.mountpoint)) == 1


def test_a_medium_that_can_only_be_read_waits(stick: Disk) -> None:
    stick.options("ro")
    error = refused(to(stick.mountpoint, mounted=True), picture(stick.image))
    assert error.code == "refused"
    assert "only read" in error.message
    stick.options("rw")
    way = to(stick.mountpoint, mounted=True)
    assert send(way, picture(stick.image)).meaning.outcome is Outcome.STORED
    way.hang_up()


def pull_when_begun(stick: Disk) -> None:
    until(lambda: any((stick.mountpoint / "DICOM").rglob("*.TMP")), 30, "a begun object")
    stick.pull()


def test_pulled_out_in_mid_object_nothing_goes_to_the_boxs_own_disk(stick: Disk) -> None:
    way = to(stick.mountpoint, mounted=True, rate_limit=1_000_000)
    item = picture(stick.image, 1, size=1400)
    timer = threading.Thread(target=pull_when_begun, args=(stick,))
    timer.start()
    with pytest.raises(TransferLost) as caught:
        send(way, item)
    timer.join()
    way.hang_up()
    assert caught.value.code == "no-route"
    assert everything(stick.mountpoint) == {}
    assert refused(to(stick.mountpoint, mounted=True), item).code == "no-route"
    assert everything(stick.mountpoint) == {}
    stick.plug()
    way = to(stick.mountpoint, mounted=True)
    assert send(way, item).meaning.outcome is Outcome.STORED
    way.hang_up()
    assert len(named(stick.mountpoint)) == 1


def test_ejecting_waits_for_what_is_written_and_then_nothing_more_is(stick: Disk, tmp_path: Path) -> None:
    way = to(stick.mountpoint, tmp_path / "state", mounted=True, rate_limit=1_500_000)
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(send(way, picture(stick.image, 1, size=1000))))
    thread.start()
    until(lambda: any((stick.mountpoint / "DICOM").rglob("*.TMP")), 30, "a begun object")
    assert way.medium.eject(Pulse("x")) == 1
    thread.join(30)
    assert answers[0].meaning.outcome is Outcome.STORED
    way.hang_up()
    assert refused(way, picture(stick.image, 2)).message.startswith("The medium was made ready")
    assert way.medium.unmount(20)
    assert way.medium.eject(Pulse("x")) == 1  # again: the same answer
    assert mounts.mount_at(stick.mountpoint) is None
    stick.plug()
    assert len(named(stick.mountpoint)) == 1
    way.medium.welcome()
    assert send(way, picture(stick.image, 2)).meaning.outcome is Outcome.STORED
    way.hang_up()


# ---- the connection test


def steps_of(path: Path, **changes: Any) -> list[tuple[str, bool, str]]:
    values = {"mounted": False, **changes}
    report = check_folder(Destination(name="stick", kind="folder", path=str(path), **values), 5.0)
    assert report["ok"] == all(item["ok"] for item in report["steps"])
    assert all(item["hint"] for item in report["steps"] if not item["ok"])
    return [(item["step"], item["ok"], item.get("code", "")) for item in report["steps"]]


def test_the_connection_test_says_what_is_missing_and_leaves_nothing(folder: Path) -> None:
    good = [("mounted", True, ""), ("writable", True, ""), ("space", True, ""), ("dicomdir", True, "")]
    assert steps_of(folder) == good
    assert everything(folder) == {}
    assert steps_of(folder, mounted=True) == [("mounted", False, "no-route")]
    assert steps_of(folder / "nowhere") == [("mounted", False, "no-route")]
    (folder / "DICOMDIR").write_text("something else")
    assert steps_of(folder) == [*good[:3], ("dicomdir", False, "refused")]


def fill(file: Any) -> None:
    while True:
        file.write(bytes(1 << 16))


def test_the_connection_test_of_a_medium(stick: Disk) -> None:
    assert steps_of(stick.mountpoint, mounted=True)[-1] == ("dicomdir", True, "")
    with (stick.mountpoint / "ballast").open("wb", buffering=0) as file, pytest.raises(OSError, match="space"):
        fill(file)
    assert steps_of(stick.mountpoint, mounted=True)[-1][1:] == (False, "disk-full")
    stick.options("ro")
    assert steps_of(stick.mountpoint, mounted=True)[-1] == ("writable", False, "refused")


def test_the_mark_tells_nothing_of_anybody(folder: Path) -> None:
    way = to(folder)
    send(way, picture(folder))
    way.hang_up()
    assert json.loads((folder / ".smartbox-medium").read_text()).keys() == {"id", "made_by"}
