"""Names of five character sets on the real screen: wlmscpfs, a box of real processes, the console in tmux."""

from __future__ import annotations

import shlex
import shutil
import time
from pathlib import Path

import pytest

from tests.engine.test_worklist_end_to_end import STEPS, worklist
from tests.support.box import PROGRAM, Box, settings, until
from tests.support.orthanc import Orthanc
from tests.support.tmux import Pane
from tests.support.worklist import wlmscpfs

pytestmark = [
    pytest.mark.orthanc,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
]

SHOWN = ("Müller, Jörg", "Łukaszewska, Zofia", "Wałęsa, Żofia", "Иванов, Иван", "Yamada, Tarou")


def test_right_names_from_the_worklist_to_the_screen_to_the_archive(archive: Orthanc, tmp_path: Path) -> None:
    with wlmscpfs(tmp_path / "lists", STEPS) as server:
        box = Box(settings(archive.port, extra=worklist(server.port)))
        try:
            box.start()
            until(lambda: len(box.ctl("worklist", "query", "--cached")["items"]) == len(STEPS))
            console = shlex.join([*PROGRAM, "console", *box.common])
            with Pane(f"LC_ALL=C.UTF-8 {console}", (120, 40)) as pane:
                pane.shows("NO PATIENT")
                pane.keys("n")
                pane.shows(*SHOWN)
                pane.type("walesa")  # as a keyboard without Polish letters types it
                pane.shows("Wałęsa, Żofia", without=("Müller, Jörg",))
                pane.keys("Enter")
                pane.shows("Open exam")
                time.sleep(0.5)  # sooner the key counts as held down
                pane.keys("Enter")
                exam = until(lambda: box.ctl("exam", "current")["exam"], 20, "the exam")
                assert exam["patient"]["name"] == "Wałęsa^Żofia"
                pane.shows("Wałęsa, Żofia", "Order A-L2", "P H O T O")
                pane.keys("Space")
                until(lambda: box.ctl("exam", "current")["exam"]["instances"] == 1)
                pane.keys("c")
                box.wait_stored(exam["id"], 1)
            (held,) = archive.instances()
            tags = archive.json(f"/instances/{held}/simplified-tags")
            assert (tags["PatientName"], tags["PatientID"]) == ("Wałęsa^Żofia", "L2")
        finally:
            box.close()
