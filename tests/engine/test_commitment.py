"""Storage commitment end to end: a real Orthanc, and a peer that answers late, twice, wrongly or never."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.spool import ledger
from tests.support.box import Box, settings, until
from tests.support.commitment import (
    COMMITMENT,
    Committer,
    Question,
    committer,
    committing_orthanc,
    port_of,
)
from tests.support.dcmtk import free_port
from tests.support.orthanc import Orthanc
from tests.support.spooled import put_exam, put_still

STATES = ("stored", "committed", "queued", "sending", "waiting", "blocked")


def a_box(port: int, aet: str, extra: str = "") -> Box:
    made = Box(settings(port, aet, send="immediately", extra=f"{COMMITMENT}\n{extra}"))
    (made.state / "spool").mkdir(parents=True)
    return made


def fill(box: Box, count: int) -> str:
    exam = put_exam(box.state / "spool")
    for number in range(count):
        put_still(box.state / "spool", exam, number=number)
    return exam


def wait_for(box: Box, exam: str, state: str, count: int, timeout_s: float = 40.0) -> list[dict[str, Any]]:
    def reached() -> list[dict[str, Any]]:
        rows = box.deliveries(exam)
        return rows if [row["state"] for row in rows] == [state] * count else []

    try:
        return until(reached, timeout_s, f"{count} {state} deliveries")
    except AssertionError as exc:
        raise AssertionError(f"{exc}\n{box.deliveries(exam)}\n{box.log('engine')}") from exc


def ledger_states(box: Box, exam: str) -> list[str]:
    return [item.state for item in ledger.read(box.state / "spool" / exam)]


def alarms(box: Box) -> dict[str, str]:
    return {item["code"]: item["message"] for item in box.ctl("status")["alarms"]}


# ---- Orthanc


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[tuple[Orthanc, Box]]:
    port, box_port = free_port(), free_port()
    box = a_box(port, "ORTHANC")
    box.config.write_text(box.config.read_text().replace(f"port = {port_of(box.config.read_text())}",
                                                        f"port = {box_port}", 1))  # fmt: skip
    with committing_orthanc(tmp_path / "orthanc", box_port) as running:
        box.config.write_text(box.config.read_text().replace(f"port = {port}", f"port = {running.port}"))
        try:
            yield running, box
        finally:
            box.close()


@pytest.mark.orthanc
def test_orthanc_promises_on_a_new_association(archive: tuple[Orthanc, Box]) -> None:
    _, box = archive
    exam = fill(box, 4)
    box.start("engine")
    rows = wait_for(box, exam, "committed", 4)
    assert {row["reason"] for row in rows} == {""}
    assert ledger_states(box, exam) == ["stored"] * 4 + ["committed"] * 4
    (destination,) = box.ctl("destination", "list")["destinations"]
    assert (destination["promise"], destination["asked"]) == ("ok", 0)
    report = box.ctl("destination", "test", "archive")
    assert report["ok"]
    assert report["steps"][-1]["step"] == "commitment"


@pytest.mark.orthanc
def test_what_orthanc_has_lost_is_sent_again(archive: tuple[Orthanc, Box]) -> None:
    """Deleted there between its C-STORE and the question; the others are committed at once."""
    running, box = archive
    exam = fill(box, 3)
    box.start("engine")
    rows = until(lambda: [row for row in box.deliveries(exam) if row["state"] == "stored"], 30)
    lost = rows[0]["sop_instance_uid"]
    _delete(running, lost)
    wait_for(box, exam, "committed", 3, 60)
    assert len(running.instances()) == 3
    told = [item for item in ledger.read(box.state / "spool" / exam) if item.uid == lost]
    assert [item.state for item in told] in (["stored", "stored", "committed"], ["stored", "committed"])


def _delete(running: Orthanc, uid: str) -> None:
    base = f"http://127.0.0.1:{running.http_port}"
    request = urllib.request.Request(f"{base}/tools/lookup", data=uid.encode(), method="POST")
    with urllib.request.urlopen(request) as answer:
        (found,) = [item for item in json.loads(answer.read()) if item["Type"] == "Instance"]
    urllib.request.urlopen(urllib.request.Request(f"{base}/instances/{found['ID']}", method="DELETE")).close()


# ---- a peer that does what a test wants


@pytest.fixture
def peer() -> Iterator[Committer]:
    with committer() as running:
        yield running


@pytest.fixture
def box(peer: Committer) -> Iterator[Box]:
    made = a_box(peer.port, peer.aet)
    try:
        yield made
    finally:
        made.close()


def own_port(box: Box) -> int:
    return port_of(box.config.read_text())


def test_an_answer_on_the_same_association(peer: Committer, box: Box) -> None:
    def after(question: Question, association: Any) -> None:
        time.sleep(0.3)
        peer.report(question, association=association)

    peer.after = after
    exam = fill(box, 3)
    box.start("engine")
    wait_for(box, exam, "committed", 3)
    assert peer.statuses == [0x0000]
    assert len(peer.questions) == 1
    assert len(peer.questions[0].references) == 3


def test_an_answer_after_a_restart_twice_and_with_foreign_uids(peer: Committer, box: Box) -> None:
    exam = fill(box, 2)
    box.start("engine")
    until(lambda: peer.questions, 30)
    (row, _) = until(lambda: [row for row in box.deliveries(exam) if row["promise"] == "asked"], 20)
    assert row["state"] == "stored"
    assert row["promise_since"]
    box.kill("engine")
    assert peer.report(peer.questions[0], port=own_port(box)) is None  # nobody is there
    box.start("engine")
    question = peer.questions[0]
    until(lambda: peer.report(question, port=own_port(box), uid="2.25.4711") is not None, 20)
    assert peer.statuses[-1] == 0x0115  # a question that nobody asked
    foreign = [*question.references, ("1.2.840.10008.5.1.4.1.1.7", "1.2.3.4.5")]
    assert peer.report(question, port=own_port(box), kept=foreign) == 0
    assert [item["state"] for item in box.deliveries(exam)] == ["committed"] * 2
    assert peer.report(question, port=own_port(box)) == 0  # again
    uid = question.references[0][1]
    assert peer.report(question, port=own_port(box), failed={uid: 0x0112}) == 0  # and now the opposite
    assert [item["state"] for item in box.deliveries(exam)] == ["committed"] * 2
    assert ledger_states(box, exam).count("committed") == 2
    assert sum(peer.stored.values()) == 2


def test_what_is_not_kept_is_sent_again_and_in_the_end_blocked(peer: Committer, box: Box) -> None:
    port = own_port(box)
    peer.after = lambda question, _: peer.report(
        question, port=port, failed={question.references[0][1]: 0x0112}
    )  # fmt: skip
    exam = fill(box, 1)
    box.start("engine")
    (row,) = wait_for(box, exam, "blocked", 1, 90)
    assert row["code"] == "archive-refused"
    assert "does not have the picture" in row["reason"]
    assert "(0112H)" in row["reason"]
    assert sum(peer.stored.values()) == 5  # retry.attempts
    assert len({question.uid for question in peer.questions}) == len(peer.questions) == 5
    peer.after = lambda question, _: peer.report(question, port=port)
    box.ctl("queue", "retry", "--all")
    wait_for(box, exam, "committed", 1)
    assert "committed" in ledger_states(box, exam)


def test_no_answer_in_time_is_asked_again_and_the_late_one_counts(peer: Committer, box: Box) -> None:
    box.config.write_text(box.config.read_text() + "commitment_wait_h = 0.01\n")  # 36 s
    exam = fill(box, 1)
    box.start("engine")
    until(lambda: len(peer.questions) == 2, 90, "the second question")
    assert peer.questions[0].uid != peer.questions[1].uid
    assert "commitment-late-archive" in until(lambda: alarms(box), 20)
    assert peer.report(peer.questions[0], port=own_port(box)) == 0
    wait_for(box, exam, "committed", 1)
    until(lambda: "commitment-late-archive" not in alarms(box), 20)
    assert peer.report(peer.questions[1], port=own_port(box)) == 0
    assert ledger_states(box, exam) == ["stored", "committed"]


@pytest.mark.parametrize("status", [0x0211, 0x0124])
def test_an_archive_that_takes_no_questions_leaves_it_stored_and_says_so(
    peer: Committer, box: Box, status: int
) -> None:
    peer.respond = lambda _: status
    exam = fill(box, 2)
    box.start("engine")
    until(lambda: "commitment-unsupported-archive" in alarms(box), 40)
    rows = wait_for(box, exam, "stored", 2)
    assert {row["promise"] for row in rows} == {""}
    (destination,) = box.ctl("destination", "list")["destinations"]
    assert destination["promise"] == "unsupported"
    assert f"({status:04X}H)" in destination["promise_reason"]
    time.sleep(2)
    assert len(peer.questions) == 1  # said once, not asked for ever


def test_an_archive_without_the_service_leaves_it_stored(tmp_path: Path) -> None:
    with committer(supports=False) as peer:
        box = a_box(peer.port, peer.aet)
        try:
            exam = fill(box, 1)
            box.start("engine")
            until(lambda: "commitment-unsupported-archive" in alarms(box), 40)
            wait_for(box, exam, "stored", 1)
            last = box.ctl("destination", "test", "archive")["steps"][-1]
            assert (last["step"], last["ok"], last["code"]) == ("commitment", False, "no-context")
        finally:
            box.close()


def test_a_port_that_somebody_else_has_is_said_and_the_engine_goes_on(peer: Committer, box: Box) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("", own_port(box)))
        taken.listen()
        exam = fill(box, 1)
        box.start("engine")
        assert str(own_port(box)) in str(until(lambda: alarms(box).get("port"), 20))
        peer.after = lambda question, association: peer.report(question, association=association)
        wait_for(box, exam, "committed", 1)


def test_an_archive_that_is_away_when_it_is_to_be_asked(tmp_path: Path) -> None:
    """Stored, then gone: the question waits, and is asked when the archive is back, without a hand."""
    port = free_port()
    box = a_box(port, "COMMITTER")
    try:
        exam = put_exam(box.state / "spool")
        put_still(box.state / "spool", exam)
        with committer(port=port) as peer:
            peer.respond = lambda _: 0x0213  # not now: so that it is not asked before it goes
            box.start("engine")
            wait_for(box, exam, "stored", 1)
            until(lambda: peer.questions, 30)
        time.sleep(3)
        (row,) = box.deliveries(exam)
        assert (row["state"], row["promise"]) == ("stored", "")
        with committer(port=port) as peer:
            peer.after = lambda question, association: peer.report(question, association=association)
            wait_for(box, exam, "committed", 1, 60)
            assert peer.stored == {}
    finally:
        box.close()
