"""Letting go of pictures that archives have: what goes, what stays, and what is told to who wants one then."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.engine import composing
from smartbox_tui.engine.keeping.letting_go import LettingGo
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.delivery import DeliveryState as State
from smartbox_tui.model.keeping import Policy
from smartbox_tui.spool import ledger, release, reserve
from smartbox_tui.spool.examfile import read_exam, write_exam
from smartbox_tui.spool.sidecar import Sidecar, SidecarState, write_sidecar
from smartbox_tui.store import audit, reconcile, records, retention
from smartbox_tui.store.tables import Instance
from tests.support.keeping import CLOSED_AT, Kept, Shelves, archive
from tests.support.spooled import put_still

DAY = timedelta(days=1)
CLOSED = datetime.fromisoformat(CLOSED_AT)
STORED = Policy("stored")


@pytest.fixture
def shelves(tmp_path: Path) -> Iterator[Shelves]:
    found = Shelves(tmp_path / "state")
    yield found
    found.close()


def here(shelves: Shelves, sidecar: Sidecar) -> bool:
    return (shelves.spool / sidecar.exam / sidecar.file).exists()


def test_after_its_days_a_picture_that_all_archives_have_goes(shelves: Shelves) -> None:
    exam = shelves.exam()
    mine, open_ = shelves.still(exam, archive=State.STORED), shelves.still(exam, 1, archive=State.WAITING)
    folder = shelves.spool / exam
    assert Kept(shelves, CLOSED + 29 * DAY).look() == ()
    assert Kept(shelves, None).look() == ()
    kept = Kept(shelves, CLOSED + 31 * DAY)
    assert kept.look() == (mine.id,)
    assert not here(shelves, mine)
    assert here(shelves, open_)
    assert (folder / f"{mine.id}.json").exists()
    assert list(folder.glob(f"{mine.id}.r0001.dcm"))
    fact = release.read(folder)[mine.id]
    assert (fact.bytes, fact.sha256, fact.file, fact.why) == (mine.bytes, mine.sha256, mine.file, "days")
    assert [(name, state) for name, state, _ in fact.holders] == [("archive", "stored")]
    assert shelves.instance(mine).released_at == fact.at
    assert fact.at.startswith("2026-02-10")
    (line,) = audit.lines(shelves.store.reader, action="pictures-released")
    assert (line.who, line.exam, json.loads(line.detail)["pictures"]) == ("box", exam, 1)
    assert [item.instance.released_at for item in kept.told] == [fact.at]
    assert kept.look() == ()  # once


@pytest.mark.parametrize("state", [state for state in State if state not in (State.STORED, State.COMMITTED)])
def test_whatever_is_no_promise_keeps_it_for_ever(shelves: Shelves, state: State) -> None:
    exam = shelves.exam()
    mine = shelves.still(exam, archive=state)
    assert Kept(shelves, CLOSED + 4000 * DAY, begin_hours=1e6, end_hours=1e6).look() == ()
    assert here(shelves, mine)


def test_two_archives_must_both_have_it(tmp_path: Path) -> None:
    shelves = Shelves(tmp_path / "state", archive(), archive("second"))
    try:
        exam = shelves.exam()
        mine = shelves.still(exam, archive=State.COMMITTED, second=State.BLOCKED)
        kept = Kept(shelves, CLOSED + 31 * DAY)
        assert kept.look() == ()
        shelves.move(mine, shelves.rows(mine)["second"].id, [State.QUEUED, State.SENDING, State.STORED])
        assert kept.look() == (mine.id,)
    finally:
        shelves.close()


def test_committed_is_waited_for(shelves: Shelves) -> None:
    exam = shelves.exam()
    mine = shelves.still(exam, archive=State.STORED)
    kept = Kept(shelves, CLOSED + 31 * DAY, release="committed")
    assert kept.look() == ()
    shelves.move(mine, shelves.rows(mine)["archive"].id, [State.COMMITTED])
    assert kept.look() == (mine.id,)


@pytest.mark.parametrize("state", ["open", "appended", "suspended", "unassigned"])
def test_an_exam_that_is_not_closed_keeps_all(shelves: Shelves, state: str) -> None:
    exam = shelves.exam(closed_at=None, state=state)
    mine = shelves.still(exam, archive=State.STORED)
    assert Kept(shelves, CLOSED + 400 * DAY).look() == ()
    assert here(shelves, mine)


def test_an_exam_held_by_hand_or_being_reassigned_keeps_all(shelves: Shelves) -> None:
    held, moving = shelves.exam(), shelves.exam()
    pictures = [shelves.still(exam, archive=State.STORED) for exam in (held, moving)]
    folder = shelves.spool / held
    file = read_exam(folder)
    write_exam(folder, replace(file, extra={"held": True}))
    shelves.import_exam(held)
    shelves.store.write(lambda database: reconcile.block(database, [moving])).result()
    assert Kept(shelves, CLOSED + 400 * DAY).look() == ()
    assert all(here(shelves, item) for item in pictures)


def test_what_the_ledger_does_not_say_is_no_promise(shelves: Shelves) -> None:
    """A row alone may be of a database that is not this spool's."""
    exam = shelves.exam()
    mine = shelves.still(exam, archive=State.STORED)
    (shelves.spool / exam / ledger.LEDGER_FILE).unlink()
    assert Kept(shelves, CLOSED + 31 * DAY).look() == ()
    assert here(shelves, mine)


def test_a_damaged_sidecar_keeps_its_picture(shelves: Shelves) -> None:
    exam = shelves.exam()
    mine = shelves.still(exam, archive=State.STORED)
    (shelves.spool / exam / f"{mine.id}.json").write_text("{", encoding="utf-8")
    assert Kept(shelves, CLOSED + 31 * DAY).look() == ()
    assert here(shelves, mine)


def test_an_exam_closed_by_a_clock_nobody_trusted_counts_from_when_one_met_it(shelves: Shelves) -> None:
    exam = shelves.exam(closed_at="1970-01-01T00:10:00.000+01:00")
    mine = shelves.still(exam, archive=State.STORED)
    folder = shelves.spool / exam
    unsure = {"closed_at": {"boot_id": "other", "boottime_ns": 1}}
    write_exam(folder, replace(read_exam(folder), unsure=unsure))
    shelves.import_exam(exam)
    assert Kept(shelves, CLOSED).look() == ()
    assert Kept(shelves, CLOSED + 29 * DAY).look() == ()
    assert Kept(shelves, CLOSED + 31 * DAY).look() == (mine.id,)


def test_many_go_in_several_transactions(shelves: Shelves, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smartbox_tui.engine.keeping.letting_go.AT_ONCE", 3)
    exam = shelves.exam()
    taken = [shelves.still(exam, number, archive=State.STORED) for number in range(8)]
    assert sorted(Kept(shelves, CLOSED + 31 * DAY).look()) == sorted(item.id for item in taken)
    assert len(release.read(shelves.spool / exam)) == 8
    assert len(audit.lines(shelves.store.reader, action="pictures-released")) == 3


def test_an_engine_that_ends_does_not_wait_for_all_of_it(shelves: Shelves, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the picture it is at; and nothing is written to the database once it is closed."""
    for number in range(3):
        shelves.still(shelves.exam(f"2026-01-0{number + 1}T10:00:00+01:00"), archive=State.STORED)
    kept = Kept(shelves, CLOSED + 31 * DAY)
    began, go_on = threading.Event(), threading.Event()
    promised = LettingGo.promised

    def slow(self: LettingGo, *arguments: Any, **keys: Any) -> Any:
        began.set()
        assert go_on.wait(20)
        return promised(self, *arguments, **keys)

    monkeypatch.setattr(LettingGo, "promised", slow)

    async def ended() -> None:
        task = asyncio.create_task(kept.keeper.run())
        await asyncio.to_thread(began.wait, 20)
        task.cancel()
        closing = asyncio.create_task(kept.keeper.close())
        await asyncio.sleep(0.1)
        assert not closing.done()
        go_on.set()
        await asyncio.wait_for(closing, 20)

    asyncio.run(ended())
    left = [row for row in Instance.select().execute(shelves.store.reader) if not row.released_at]
    assert len(left) == 2
    assert retention.left(shelves.store.reader) == []


# ---- room is wanted


def test_room_is_made_oldest_first_and_no_more_than_is_wanted(
    shelves: Shelves, monkeypatch: pytest.MonkeyPatch
) -> None:
    exams = [shelves.exam(f"2026-01-{day:02d}T10:00:00+01:00") for day in (12, 10, 11)]
    taken = [shelves.still(exam, archive=State.STORED) for exam in exams]
    kept = Kept(shelves, None, begin_hours=1.0, end_hours=2.0)  # no clock is asked for
    wanted = taken[1].bytes + taken[2].bytes // 2
    real = kept.keeper.levels()
    fake = replace(real, room=replace(real.room, free=100), begin=101, end=100 + wanted)
    monkeypatch.setattr(kept.keeper, "levels", lambda: fake)  # the disk counts late: what went is counted
    assert kept.look() == (taken[1].id, taken[2].id)
    assert release.read(shelves.spool / exams[1])[taken[1].id].why == "room"
    assert here(shelves, taken[0])


def test_what_is_made_goes_before_any_picture(shelves: Shelves, monkeypatch: pytest.MonkeyPatch) -> None:
    exam, other = shelves.exam(), shelves.exam()
    mine = shelves.still(exam, archive=State.STORED)
    parked, moving = shelves.still(other, 1, archive=State.BLOCKED), shelves.still(other, 2, archive=State.QUEUED)
    derived = shelves.spool / other / "derived"
    derived.mkdir()
    for name in (f"{parked.id}.rgb", f"{moving.id}.rgb", f"{parked.id}.w0320.jpg"):
        (derived / name).write_bytes(bytes(1 << 16))
    (derived / f"{parked.id}.r0001.dcm").write_bytes(b"header")
    kept = Kept(shelves, None, begin_hours=1.0, end_hours=2.0)
    real = kept.keeper.levels()
    fake = replace(real, room=replace(real.room, free=100), begin=101, end=100 + (1 << 16))
    monkeypatch.setattr(kept.keeper, "levels", lambda: fake)
    assert kept.look() == ()
    assert here(shelves, mine)
    assert sorted(path.name for path in derived.iterdir()) == sorted([f"{moving.id}.rgb", f"{parked.id}.r0001.dcm"])


def test_figures_say_what_could_go_and_what_cannot(shelves: Shelves) -> None:
    exam = shelves.exam()
    mine, open_ = shelves.still(exam, archive=State.STORED), shelves.still(exam, 1, archive=State.HELD)
    still_open = shelves.exam(closed_at=None, state="open")
    shelves.still(still_open, 2, archive=State.STORED)
    kept = Kept(shelves, CLOSED, begin_hours=1e-9)
    kept.look()
    assert (kept.keeper.figures.releasable, kept.keeper.figures.undelivered) == (mine.bytes, open_.bytes)
    never = Kept(shelves, CLOSED, begin_hours=0.0)
    never.look()
    assert never.keeper.figures.releasable == 0  # nothing goes for want of room


def test_where_nothing_more_can_go_nothing_is_called_room(
    shelves: Shelves, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelves.settings = replace(shelves.settings, destinations=(archive(commitment=True),))
    mine = shelves.still(shelves.exam(), archive=State.STORED)
    kept = Kept(shelves, CLOSED, begin_hours=1.0, end_hours=2.0)
    real = kept.keeper.levels()
    fake = replace(real, room=replace(real.room, free=100), begin=101, end=200)
    monkeypatch.setattr(kept.keeper, "levels", lambda: fake)
    assert kept.look() == ()
    assert here(shelves, mine)  # the archive is yet to say that it keeps it
    assert kept.keeper.figures.releasable == 0


# ---- discarded ones


def discard(shelves: Shelves, sidecar: Sidecar, at: datetime, clock: str = "trusted") -> None:
    folder = shelves.spool / sidecar.exam
    discarded = {"id": "1", "reason": "blurred", "at": at.isoformat()}
    write_sidecar(folder, sidecar.with_(state=SidecarState.DISCARDED, discarded=discarded, clock=clock))


def test_a_discarded_picture_is_kept_seven_days(shelves: Shelves) -> None:
    exam = shelves.exam(closed_at=None, state="open")
    mine = shelves.still(exam)
    discard(shelves, mine, CLOSED)
    shelves.store.write(lambda database: records.discard(database, mine.id)).result()
    assert Kept(shelves, CLOSED + 6 * DAY, begin_hours=1e6).look() == ()
    assert Kept(shelves, CLOSED + 8 * DAY).look() == (mine.id,)
    assert not here(shelves, mine)
    assert release.read(shelves.spool / exam)[mine.id].why == "discarded"
    with pytest.raises(SmartBoxError, match="was discarded"):
        composing.composition(shelves.spool / exam, composing.Wanted(mine.id))


def test_one_that_was_never_adopted_goes_too(shelves: Shelves) -> None:
    exam = shelves.exam()
    mine = put_still(shelves.spool, exam)
    discard(shelves, mine, CLOSED, clock="unsure")
    shelves.adopt(exam)
    kept = Kept(shelves, CLOSED + 8 * DAY)
    kept.look()
    assert here(shelves, mine)  # whose clock nobody trusted: from now on
    later = Kept(shelves, CLOSED + 16 * DAY)
    later.look()
    assert not here(shelves, mine)


# ---- a full disk, and crashes


def fill(path: Path) -> None:
    """To the last byte."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(bytes(1 << 16)):
            pass
    assert not os.statvfs(path.parent).f_bavail


def test_on_a_disk_without_a_free_byte_it_still_can(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    try:
        shelves = Shelves(disk / "state")
        assert reserve.keep(shelves.spool)
        exam = shelves.exam()
        mine = shelves.still(exam, archive=State.STORED)
        fill(disk / "foreign")
        assert Kept(shelves, CLOSED + 31 * DAY).look() == (mine.id,)
        (disk / "foreign").unlink()
        assert reserve.keep(shelves.spool)
        assert reserve.held(shelves.spool) > 0
        shelves.close()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_release_that_cannot_be_written_takes_nothing(shelves: Shelves, monkeypatch: pytest.MonkeyPatch) -> None:
    exam = shelves.exam()
    mine = shelves.still(exam, archive=State.STORED)

    def full(*_: Any) -> None:
        raise SmartBoxError("disk-full", "No space.", "Make some.")

    with monkeypatch.context() as patch:
        patch.setattr(release, "append", full)
        with pytest.raises(SmartBoxError, match="No space"):
            Kept(shelves, CLOSED + 31 * DAY).look()
    assert here(shelves, mine)
    assert shelves.instance(mine).released_at == ""
    assert retention.left(shelves.store.reader) == []
    assert Kept(shelves, CLOSED + 31 * DAY).look() == (mine.id,)


def test_what_is_wanted_again_in_the_last_moment_stays(shelves: Shelves, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commitment that failed between the question and the transaction."""
    exam = shelves.exam()
    mine = shelves.still(exam, archive=State.STORED)
    go = LettingGo._let_go

    def late(self: LettingGo, *arguments: Any) -> Any:
        shelves.move(mine, shelves.rows(mine)["archive"].id, [State.QUEUED])
        return go(self, *arguments)

    letting_go = LettingGo(shelves.spool, shelves.store, lambda: datetime.now(UTC))
    monkeypatch.setattr(LettingGo, "_let_go", late)
    gone = letting_go.promised(exam, STORED, "days")
    assert gone.pictures == ()
    assert here(shelves, mine)
    assert shelves.instance(mine).released_at == ""
