"""kill -9 at every durable step of a question about commitment and its answer: it is asked, answered and kept once,
nothing is sent twice, and nothing is called committed that no archive has promised."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import pytest

from smartbox_tui.spool import ledger
from smartbox_tui.wire import client
from tests.support.box import Box, settings, until
from tests.support.commitment import COMMITMENT, Committer, Question, committer, port_of
from tests.support.spooled import put_exam, put_still

pytestmark = pytest.mark.crash

MOST = 40
"""More steps than there are: the loop ends at the first engine that survives."""
LEAST = 5


def shown(box: Box, exam: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = client.get(box.runtime / "engine.sock", f"/v1/exams/{exam}")["deliveries"]
    return rows


def test_dying_at_every_step() -> None:
    died = 0
    with committer() as peer:
        for step in range(1, MOST):
            if not _one(peer, step):
                break
            died += 1
    assert died >= LEAST, "it must have died often"


def _one(peer: Committer, step: int) -> bool:
    """Whether the engine died."""
    box = Box(settings(peer.port, peer.aet, send="immediately", extra=COMMITMENT))
    own = port_of(box.config.read_text())
    (box.state / "spool").mkdir(parents=True)
    over: list[bool] = []

    def insist(question: Question, _: Any) -> None:
        """As archives do: it reports until the box has taken it."""
        end = time.monotonic() + 40
        while not over and time.monotonic() < end:
            if peer.report(question, port=own) in (0x0000, 0x0115):
                return
            time.sleep(0.2)

    peer.after = insist
    try:
        exam = put_exam(box.state / "spool")
        pictures = [put_still(box.state / "spool", exam, number=number) for number in range(2)]
        with (box.folder / "dying.log").open("ab") as log:
            dying = subprocess.Popen(
                [sys.executable, "-m", "tests.support.dying_asker", str(step), *box.common],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        box.processes["engine"] = dying

        def committed() -> bool:
            if dying.poll() is not None:
                return True
            try:
                return [row["state"] for row in shown(box, exam)] == ["committed"] * 2
            except Exception:  # it is just dying
                return False

        until(committed, 40, "an answer, or death")
        time.sleep(0.3)
        has_died = dying.poll() is not None
        if has_died:
            assert dying.wait(10) == -9
            said = {item.uid for item in ledger.read(box.state / "spool" / exam) if item.state == "committed"}
            assert not said or len(said) == len(pictures)
            box.start("engine")
        until(lambda: [row["state"] for row in shown(box, exam)] == ["committed"] * 2, 40, "both committed")
        for row in shown(box, exam):
            told = client.get(box.runtime / "engine.sock", f"/v1/deliveries/{row['id']}")["changes"]
            assert [(item["old"], item["new"]) for item in told].count(("stored", "committed")) == 1
            assert peer.stored[row["sop_instance_uid"]] == 1
        states = [item.state for item in ledger.read(box.state / "spool" / exam)]
        assert states.count("stored") == 2
        assert states.count("committed") >= 2
        return has_died
    finally:
        over.append(True)
        box.close()
