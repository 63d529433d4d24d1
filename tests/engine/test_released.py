"""What only archives have: what is told to who wants it, what a new database knows, and when it is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from smartbox_tui.engine import composing
from smartbox_tui.engine.exams import rebuild
from smartbox_tui.engine.keeping.keeper import FORGOTTEN
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.delivery import DeliveryState as State
from smartbox_tui.model.keeping import Policy
from smartbox_tui.settings.paths import Paths
from smartbox_tui.spool import release
from smartbox_tui.spool.sidecar import Sidecar
from smartbox_tui.store import audit, queries
from smartbox_tui.store.database import Store
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


@pytest.fixture
def gone(shelves: Shelves) -> Sidecar:
    exam = shelves.exam()
    mine = shelves.still(exam, archive=State.STORED)
    assert Kept(shelves, CLOSED + 31 * DAY).look() == (mine.id,)
    return mine


def test_composing_says_who_has_it(shelves: Shelves, gone: Sidecar) -> None:
    for syntax in ("", "1.2.840.10008.1.2.1"):
        with pytest.raises(SmartBoxError) as caught:
            composing.composition(shelves.spool / gone.exam, composing.Wanted(gone.id, syntax=syntax), keep=False)
        assert caught.value.code == "not-found"
        assert caught.value.message == (
            "The box no longer has this picture since 2026-02-10; archive has it since 2026-01-10."
        )


def test_the_database_made_anew_knows_it(shelves: Shelves, gone: Sidecar, tmp_path: Path) -> None:
    exam = gone.exam
    late = shelves.still(exam, 5, archive=State.BLOCKED)
    shelves.settings = replace(shelves.settings, destinations=(*shelves.settings.destinations, archive("new")))
    shelves.close()
    paths = Paths(tmp_path / "state", tmp_path / "run")
    result = rebuild.rebuild(paths, shelves.settings)
    assert result["ok"]
    assert result["stored"] == 1
    again = Shelves.over(tmp_path / "state", Store(paths.database))
    try:
        row = again.instance(gone)
        assert (row.released_at[:10], row.bytes, row.file) == ("2026-02-10", gone.bytes, gone.file)
        assert set(again.rows(gone)) == {"archive"}  # the new archive cannot have it from the box
        assert set(again.rows(late)) == {"archive", "new"}
    finally:
        again.store.close()
    found = rebuild.check(paths, hashes=True)
    assert (found["problems"], found["released"]) == ([], 1)
    (shelves.spool / exam / late.file).unlink()
    (problem,) = rebuild.check(paths, hashes=True)["problems"]
    assert problem["problem"] == "the bitstream is missing"


def test_a_database_older_than_the_release_learns_of_it(shelves: Shelves, gone: Sidecar) -> None:
    before = release.read(shelves.spool / gone.exam)
    sql = "UPDATE instance SET released_at = ''"
    shelves.store.write(lambda database: database.execute_sql(sql)).result()
    assert Kept(shelves, CLOSED + 40 * DAY).look() == (gone.id,)
    assert shelves.instance(gone).released_at
    assert release.read(shelves.spool / gone.exam) == before


def test_a_missing_picture_is_not_a_released_one(shelves: Shelves) -> None:
    exam = shelves.exam()
    mine = shelves.still(exam, archive=State.STORED)
    (shelves.spool / exam / mine.file).unlink()
    assert Kept(shelves, CLOSED + 31 * DAY).look() == ()
    assert shelves.instance(mine).released_at == ""
    with pytest.raises(SmartBoxError) as caught:
        composing.composition(shelves.spool / exam, composing.Wanted(mine.id))
    assert caught.value.code == "invalid-object"


# ---- forgetting


def test_an_exam_of_which_nothing_is_left_is_forgotten(shelves: Shelves, gone: Sidecar) -> None:
    exam = gone.exam
    aside = shelves.spool / f"{FORGOTTEN}{exam}"
    Kept(shelves, CLOSED + 364 * DAY).look()
    Kept(shelves, CLOSED + 4000 * DAY, forget_days=0).look()
    assert (shelves.spool / exam).exists()
    Kept(shelves, CLOSED + 366 * DAY).look()
    assert not (shelves.spool / exam).exists()
    assert not aside.exists()
    assert queries.exam(shelves.store.reader, exam) is None
    assert shelves.instance(gone) is None
    assert queries.deliveries(shelves.store.reader) == []
    (line,) = audit.lines(shelves.store.reader, action="exam-forgotten")
    assert line.exam == exam


@pytest.mark.parametrize("what", ["here", "open", "new"])
def test_an_exam_with_anything_left_is_not(shelves: Shelves, gone: Sidecar, what: str) -> None:
    exam = gone.exam
    if what == "here":
        shelves.still(exam, 1, archive=State.CANCELLED)
    elif what == "open":
        shelves.move(gone, shelves.rows(gone)["archive"].id, [State.QUEUED])
    else:
        put_still(shelves.spool, exam, number=9)  # not adopted
    Kept(shelves, CLOSED + 4000 * DAY).look()
    assert (shelves.spool / exam).exists()
    assert queries.exam(shelves.store.reader, exam) is not None


def test_forgetting_is_finished_after_a_crash(shelves: Shelves, gone: Sidecar) -> None:
    exam = gone.exam
    (shelves.spool / exam).rename(shelves.spool / f"{FORGOTTEN}{exam}")
    kept = Kept(shelves, CLOSED)
    asyncio.run(kept.keeper.before_serving())
    assert queries.exam(shelves.store.reader, exam) is None
    assert list(shelves.spool.glob(f"{FORGOTTEN}*")) == []
