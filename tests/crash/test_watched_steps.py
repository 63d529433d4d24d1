"""Taking a picture from a watched folder, with kill -9 at each step: it is there once, and its patient's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.box import Box, until
from tests.support.camerapictures import done, person, put, sidecars, start_dying, taken, waiting, watching
from tests.support.dcmtk import free_port
from tests.support.dying_intake import SURVIVED

pytestmark = pytest.mark.timeout(1500)  # a process for every step, on a machine that may be busy

MOST = 60


@pytest.mark.parametrize(("named", "stride"), [(True, 1), (False, 4)], ids=["a patient", "nobody"])
def test_dying_at_every_step(tmp_path: Path, named: bool, stride: int) -> None:
    folder = tmp_path / "camera"
    folder.mkdir()
    box = Box(watching(folder, free_port()))
    mark = box.state / SURVIVED
    try:
        for count, step in enumerate(range(1, MOST, stride), 1):
            mark.unlink(missing_ok=True)
            put(folder, f"{step}.jpg", taken(step, person(f"C-{count}") if named else "", second=step % 60))
            dying = start_dying(box, step)
            until(lambda dying=dying: dying.poll() is not None or mark.exists(), 60, f"step {step}")  # type: ignore[misc]
            survived = dying.poll() is None
            if not survived:
                assert dying.returncode == -9, box.log("engine")
                start_dying(box, 0)
            box.wait_for("engine")
            until(lambda: not waiting(folder), 60, f"the picture after a death at step {step}")
            assert len(done(folder)) == count
            found = sidecars(box)
            assert len(found) == len({item["id"] for item in found}) == count
            until(lambda: pictures_in_store(box) == count, 20, "the rows")  # noqa: B023
            if named:
                exams = [item for item in box.ctl("exam", "list")["exams"] if item["instances"]]
                assert sorted(item["patient"]["id"] for item in exams) == sorted(f"C-{n + 1}" for n in range(count))
            box.stop("engine")
            if survived:
                assert step > 10, "so few steps cannot be all"
                return
        raise AssertionError(f"more than {MOST} steps")
    finally:
        box.close()


def pictures_in_store(box: Box) -> int:
    return sum(item["instances"] for item in box.ctl("exam", "list")["exams"])
