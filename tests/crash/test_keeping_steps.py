"""kill -9 at every durable step of letting pictures go, and of forgetting an exam: a bitstream is never gone before
the spool says in writing who has it, nothing that is wanted goes, and the next start finishes what was begun."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.engine.exams import rebuild
from smartbox_tui.engine.keeping.keeper import FORGOTTEN
from smartbox_tui.model.delivery import DeliveryState as State
from smartbox_tui.settings.paths import Paths
from smartbox_tui.spool import release
from smartbox_tui.spool.sidecar import Sidecar
from smartbox_tui.store import queries, retention
from smartbox_tui.store.database import Store
from tests.support.keeping import CLOSED_AT, Kept, Shelves, archive

pytestmark = pytest.mark.crash

MOST = 60
CLOSED = datetime.fromisoformat(CLOSED_AT)
OVER = CLOSED + timedelta(days=31)
LONG_OVER = CLOSED + timedelta(days=400)


def die(state: Path, step: int, now: datetime, **keep: Any) -> bool:
    """Whether it died."""
    command = [sys.executable, "-m", "tests.support.dying_keeper", str(step), str(state), json.dumps(keep)]
    done = subprocess.run([*command, now.isoformat()], stdin=subprocess.DEVNULL, check=False, timeout=60)
    assert done.returncode in (0, -9)
    return done.returncode == -9


def here(state: Path, sidecar: Sidecar) -> bool:
    return (state / "spool" / sidecar.exam / sidecar.file).exists()


def test_dying_at_every_step_of_letting_go(tmp_path: Path) -> None:
    died = 0
    for step in range(1, MOST):
        state = tmp_path / str(step)
        shelves = Shelves(state)
        exam = shelves.exam()
        going = [shelves.still(exam, number, archive=State.STORED) for number in range(2)]
        wanted = shelves.still(exam, 7, archive=State.BLOCKED)
        folder = shelves.spool / exam
        shelves.close()

        survived = not die(state, step, OVER)
        died += not survived
        written = release.read(folder)
        for item in going:
            assert here(state, item) or item.id in written
        assert here(state, wanted)

        shelves = Shelves.over(state, Store(state / "smartbox.db"), archive())
        kept = Kept(shelves, OVER)
        asyncio.run(kept.keeper.before_serving())
        for item in going:
            assert here(state, item) == (shelves.instance(item).released_at == "")
        assert retention.left(shelves.store.reader) == []
        kept.look()
        assert not any(here(state, item) for item in going)
        assert set(release.read(folder)) == {item.id for item in going}
        assert here(state, wanted)
        assert shelves.instance(wanted).released_at == ""
        shelves.close()
        found = rebuild.check(Paths(state, state / "run"), hashes=True)
        assert (found["problems"], found["released"]) == ([], 2)
        if survived:
            break
    assert died >= 8, "it must have died often"


def test_dying_at_every_step_of_forgetting(tmp_path: Path) -> None:
    died = 0
    for step in range(1, MOST):
        state = tmp_path / str(step)
        shelves = Shelves(state)
        exam, other = shelves.exam(), shelves.exam()
        shelves.still(exam, archive=State.STORED)
        wanted = shelves.still(other, 7, archive=State.HELD)
        Kept(shelves, OVER).look()
        shelves.close()

        survived = not die(state, step, LONG_OVER)
        died += not survived
        shelves = Shelves.over(state, Store(state / "smartbox.db"), archive())
        kept = Kept(shelves, LONG_OVER)
        asyncio.run(kept.keeper.before_serving())
        # the exam is there with its folder, or neither is
        assert (shelves.spool / exam).exists() == (queries.exam(shelves.store.reader, exam) is not None)
        kept.look()
        assert not (shelves.spool / exam).exists()
        assert queries.exam(shelves.store.reader, exam) is None
        assert list(shelves.spool.glob(f"{FORGOTTEN}*")) == []
        assert here(state, wanted)
        assert queries.exam(shelves.store.reader, other) is not None
        shelves.close()
        if survived:
            break
    assert died >= 4, "it must have died often"
