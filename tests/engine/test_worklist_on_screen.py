"""Names of five character sets on the real screen: wlmscpfs, a box of real processes, the console in tmux."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine.test_worklist_end_to_end import STEPS, worklist
from tests.support.box import PROGRAM, Box, settings, until
from tests.support.orthanc import Orthanc
from tests.support.worklist import wlmscpfs

pytestmark = [
    pytest.mark.orthanc,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
]

SHOWN = ("Müller, Jörg", "Łukaszewska, Zofia", "Wałęsa, Żofia", "Иванов, Иван", "Yamada, Tarou")
ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def screen(box: Box, columns: int, rows: int) -> Iterator[Callable[..., str]]:
    """The console of this box in a tmux of its own; call it with tmux's words."""
    server = ["tmux", "-L", f"sb-names-{os.getpid()}", "-f", "/dev/null"]

    def tmux(*words: str) -> str:
        return subprocess.run([*server, *words], capture_output=True, text=True, cwd=ROOT, check=False).stdout

    console = shlex.join([*PROGRAM, "console", *box.common])
    tmux("new-session", "-d", "-s", "c", "-x", str(columns), "-y", str(rows), f"LC_ALL=C.UTF-8 {console}")
    try:
        yield tmux
    finally:
        tmux("kill-server")


def test_right_names_from_the_worklist_to_the_screen_to_the_archive(archive: Orthanc, tmp_path: Path) -> None:
    with wlmscpfs(tmp_path / "lists", STEPS) as server:
        box = Box(settings(archive.port, extra=worklist(server.port)))
        try:
            box.start()
            until(lambda: len(box.ctl("worklist", "query", "--cached")["items"]) == len(STEPS))
            with screen(box, 120, 40) as tmux:

                def shows(*texts: str) -> bool:
                    seen = tmux("capture-pane", "-p", "-t", "c")
                    return all(text in seen for text in texts)

                until(lambda: shows("NO PATIENT"), 30, "the console")
                tmux("send-keys", "-t", "c", "n")
                until(lambda: shows(*SHOWN), 20, "all names on the screen")
                tmux("send-keys", "-t", "c", "-l", "walesa")  # as a keyboard without Polish letters types it
                until(lambda: shows("Wałęsa, Żofia") and not shows("Müller, Jörg"), 20, "the filter")
                tmux("send-keys", "-t", "c", "Enter")
                until(lambda: shows("Open exam"), 20, "the confirmation")
                time.sleep(0.5)  # sooner the key counts as held down
                tmux("send-keys", "-t", "c", "Enter")
                exam = until(lambda: box.ctl("exam", "current")["exam"], 20, "the exam")
                assert exam["patient"]["name"] == "Wałęsa^Żofia"
                until(lambda: shows("Wałęsa, Żofia", "Order A-L2", "P H O T O"), 20, "the banner")
                tmux("send-keys", "-t", "c", "Space")
                until(lambda: box.ctl("exam", "current")["exam"]["instances"] == 1)
                tmux("send-keys", "-t", "c", "c")
                box.wait_stored(exam["id"], 1)
            (held,) = archive.instances()
            tags = archive.json(f"/instances/{held}/simplified-tags")
            assert (tags["PatientName"], tags["PatientID"]) == ("Wałęsa^Żofia", "L2")
        finally:
            box.close()
