"""kill -9 of the engine at every durable step of making a recording the MP4 that it is to be: no frame is lost, the
archive gets it once, under its own UID, and the recorded TS goes only when the MP4 is whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from smartbox_tui.spool.bitstream import read_made, remuxed_name
from smartbox_tui.spool.sidecar import Sidecar
from tests.engine.test_renditions import EVERYTHING, box_of, own_uid
from tests.support import clips
from tests.support.box import until
from tests.support.spooled import put_exam
from tests.support.taking import put_clip, taking

pytestmark = pytest.mark.crash

MOST = 40
LEAST = 6


def whole(folder: Path, sidecar: Sidecar, hashes: list[str]) -> None:
    """The recording is there: as the TS, or as an MP4 with its record."""
    made = read_made(folder, remuxed_name(sidecar.id))
    if made is None:
        assert clips.pictures(folder / sidecar.file, sidecar.bytes) == hashes
    else:
        assert clips.pictures(folder / made.file) == hashes


def test_dying_at_every_step() -> None:
    with taking(EVERYTHING) as archive:
        box = box_of(archive.port)
        spool = box.state / "spool"
        died = 0
        try:
            for step in range(1, MOST):
                exam = put_exam(spool)
                sidecar = put_clip(spool, exam, container="mp4", number=step)
                hashes = clips.pictures(spool / exam / sidecar.file)
                with (box.folder / "dying.log").open("ab") as log:
                    command = [sys.executable, "-m", "tests.support.dying_preparer", str(step), *box.common]
                    dying = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
                box.processes["engine"] = dying
                mp4, uid = spool / exam / remuxed_name(sidecar.id), own_uid(sidecar)
                until(
                    lambda uid=uid, dying=dying: dying.poll() is not None or uid in archive.uids(),  # type: ignore[misc]
                    30,
                    "the end of it or the picture",
                )
                survived = dying.poll() is None
                if survived:
                    assert box.stop("engine") == 0
                else:
                    died += 1
                    assert dying.returncode == -9
                whole(spool / exam, sidecar, hashes)
                box.start("engine")
                box.wait_stored(exam, 1)
                until(lambda path=spool / exam / sidecar.file: not path.exists(), 20, "the TS to go")  # type: ignore[misc]
                assert clips.pictures(mp4) == hashes
                instance = box.ctl("instance", "show", uid)["instance"]
                assert instance["bytes"] == mp4.stat().st_size
                assert box.stop("engine") == 0
                if survived:
                    break
            assert died >= LEAST, "it must have died often"
            # killed between the last byte and its answer, the engine sends the same object once more
            sent = {uid: [each for each in archive.stored if each.SOPInstanceUID == uid] for uid in archive.uids()}
            assert len(sent) == died + 1
            assert all(copy == copies[0] for copies in sent.values() for copy in copies)
            assert box.smartbox("store", "check")["problems"] == []
        finally:
            box.close()
