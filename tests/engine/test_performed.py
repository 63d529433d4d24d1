"""Performed procedure steps through real processes: begun, ended, kept while the server is away, never doubled."""

from __future__ import annotations

from pathlib import Path

import pytest

from smartbox_tui.dicom import scp
from tests.engine.performed_rig import (
    COMPLETED,
    DISCONTINUED,
    IN_PROGRESS,
    REASON,
    accepted,
    alarms,
    mpps,
    performed_archive,  # noqa: F401 (fixtures)
    performed_box,  # noqa: F401
    performed_server,  # noqa: F401
    uid,
    wait_for,
)
from tests.support.box import Box, CtlError, settings, until
from tests.support.mpps import StepServer, step_server, value_of


def test_in_progress_at_the_opening_completed_at_the_close(box: Box, server: StepServer) -> None:
    server.start()
    exam = box.open_exam()
    until(lambda: server.states() == {uid(exam): IN_PROGRESS}, 20)
    begin = server.steps()[uid(exam)]
    assert value_of(begin, "00100010")["Alphabetic"] == "Prüf^Jördis"
    assert value_of(begin, "00100020") == "T-1001"
    assert value_of(begin, "00400241") == "SMARTBOX"
    assert value_of(begin, "00080060") == "ES"
    assert value_of(begin, "00400270", "0020000D") == exam["study_instance_uid"]
    stills = [box.ctl("still")["instance"] for _ in range(2)]
    box.ctl("record", "start")
    (clip,) = box.ctl("record", "stop")["instances"]
    box.ctl("discard-last", "--reason", "blurred")  # the clip
    assert server.states() == {uid(exam): IN_PROGRESS}
    box.ctl("exam", "close")
    until(lambda: server.states() == {uid(exam): COMPLETED}, 20)
    end = server.steps()[uid(exam)]
    (series,) = end["00400340"]["Value"]
    assert value_of(series, "0020000E") == stills[0]["series_instance_uid"]
    named = [value_of(item, "00081155") for item in series["00081140"]["Value"]]
    assert named == [item["sop_instance_uid"] for item in stills]
    assert clip["sop_instance_uid"] not in named
    assert value_of(end, "00400250")
    assert value_of(end, "00400251")
    assert accepted(server) == [("create", IN_PROGRESS), ("set", COMPLETED)]
    wait_for(box, ("create", "sent"), ("set", "sent"))


@pytest.mark.parametrize(
    ("picture", "word", "code"),
    [(False, "", "110513"), (True, "equipment", "110501"), (False, "patient-did-not-arrive", "110503")],
)
def test_discontinued_and_why(box: Box, server: StepServer, picture: bool, word: str, code: str) -> None:
    server.start()
    exam = box.open_exam()
    if picture:
        box.ctl("still")
    with pytest.raises(CtlError) as caught:
        box.ctl("exam", "close", "--discontinued", "no-such-word")
    assert caught.value.code == "bad-value"
    box.ctl("exam", "close", *(["--discontinued", word] if word else []))
    until(lambda: server.states() == {uid(exam): DISCONTINUED}, 20)
    end = server.steps()[uid(exam)]
    assert value_of(end, *REASON) == code
    assert bool(end["00400340"].get("Value")) == picture


def test_away_at_the_opening_and_back_days_later(box: Box, server: StepServer, archive: scp.Archive) -> None:
    exam = box.open_exam()
    box.ctl("still")
    box.ctl("exam", "close")
    box.wait_stored(exam["id"], 1)  # no picture waits for this server
    assert archive.stored()
    wait_for(box, ("create", "waiting"), ("set", "waiting"))
    (service,) = box.ctl("status")["performed"]
    assert (service["name"], service["state"], service["code"], service["count"]) == (
        "mpps", "unreachable", "refused", 2,
    )  # fmt: skip
    until(lambda: "performed-away" in alarms(box), 20)
    server.start()
    until(lambda: server.states() == {uid(exam): COMPLETED}, 20)
    assert accepted(server) == [("create", IN_PROGRESS), ("set", COMPLETED)]
    until(lambda: "performed-away" not in alarms(box), 20)
    (row, _) = box.ctl("mpps", "list")["messages"]
    assert row["attempts"] == 1  # only a server's answers count


@pytest.mark.parametrize("memory", [True, False], ids=["it remembers", "it has lost its memory"])
def test_killed_between_create_and_set(box: Box, server: StepServer, memory: bool) -> None:
    server.start()
    exam = box.open_exam()
    wait_for(box, ("create", "sent"))
    server.kill()
    if not memory:
        server.forget()
    box.ctl("still")
    box.ctl("exam", "close")
    wait_for(box, ("create", "sent"), ("set", "waiting"))
    server.start()
    until(lambda: server.states() == {uid(exam): COMPLETED}, 20)
    again = [("create", IN_PROGRESS)] if not memory else []
    assert accepted(server) == [("create", IN_PROGRESS), *again, ("set", COMPLETED)]
    wait_for(box, ("create", "sent"), ("set", "sent"))


@pytest.mark.parametrize("mode", ["mute-create", "mute-set"])
def test_a_message_that_arrived_without_an_answer_is_said_once(box: Box, server: StepServer, mode: str) -> None:
    server.start(mode)
    exam = box.open_exam()
    box.ctl("still")
    if mode == "mute-set":
        until(lambda: server.states() == {uid(exam): IN_PROGRESS}, 20)
    box.ctl("exam", "close")
    until(lambda: server.process and server.process.poll() is not None, 20, "the server's death")
    until(lambda: server.steps(), 20)
    server.start()
    wait_for(box, ("create", "sent"), ("set", "sent"))
    assert server.states() == {uid(exam): COMPLETED}
    assert accepted(server) == [("create", IN_PROGRESS), ("set", COMPLETED)]
    statuses = [item["status"] for item in server.told()]
    assert statuses == ([0, 0x111, 0] if mode == "mute-create" else [0, 0, 0x110])


def test_the_engine_is_killed_between_and_goes_on(box: Box, server: StepServer) -> None:
    exam = box.open_exam()
    wait_for(box, ("create", "waiting"))
    box.ctl("still")
    box.kill("engine")
    server.start()
    box.start("engine")
    until(lambda: server.states() == {uid(exam): IN_PROGRESS}, 20)
    box.ctl("exam", "close")
    box.kill("engine")
    box.start("engine")
    until(lambda: server.states() == {uid(exam): COMPLETED}, 20)
    assert accepted(server) == [("create", IN_PROGRESS), ("set", COMPLETED)]


@pytest.mark.crash
@pytest.mark.parametrize("verb", ["create", "set"])
def test_the_engine_is_killed_while_a_message_is_on_its_way(box: Box, server: StepServer, verb: str) -> None:
    server.start("slow")
    exam = box.open_exam()
    box.ctl("still")
    if verb == "set":
        wait_for(box, ("create", "sent"))
    box.ctl("exam", "close")
    until(lambda: [item["verb"] for item in server.told()][-1:] == [verb], 20, "the message at the server")
    box.kill("engine")  # it has the message, we have no answer
    box.start("engine")
    wait_for(box, ("create", "sent"), ("set", "sent"))
    assert server.states() == {uid(exam): COMPLETED}
    assert accepted(server) == [("create", IN_PROGRESS), ("set", COMPLETED)]


def test_a_rebuilt_database_says_nothing_twice(box: Box, server: StepServer) -> None:
    server.start()
    closed = box.open_exam()
    box.ctl("still")
    box.ctl("exam", "close")
    running = box.open_exam(id="T-2")
    until(lambda: server.states() == {uid(closed): COMPLETED, uid(running): IN_PROGRESS}, 20)
    box.stop("engine")
    for path in box.state.glob("smartbox.db*"):
        path.unlink()
    box.smartbox("store", "rebuild")
    box.start("engine")
    wait_for(box, ("create", "sent"), ("set", "sent"), ("create", "sent"))
    assert len(accepted(server)) == 3
    box.ctl("exam", "close")
    until(lambda: server.states() == {uid(closed): COMPLETED, uid(running): DISCONTINUED}, 20)


def test_messages_that_a_crash_left_out_are_made_at_the_start(box: Box, server: StepServer) -> None:
    import sqlite3

    first = box.open_exam()
    box.ctl("still")
    box.ctl("exam", "close", "--discontinued", "patient-condition")
    second = box.open_exam(id="T-2")
    wait_for(box, ("create", "waiting"), ("set", "waiting"), ("create", "waiting"))
    box.kill("engine")
    with sqlite3.connect(box.state / "smartbox.db") as database:  # as if we had died before they were written
        database.execute("DELETE FROM performed_message WHERE exam = ? AND verb = 'set'", (first["id"],))
        database.execute("DELETE FROM performed_message WHERE exam = ?", (second["id"],))
    server.start()
    box.start("engine")
    until(lambda: server.states() == {uid(first): DISCONTINUED, uid(second): IN_PROGRESS}, 20)
    assert value_of(server.steps()[uid(first)], *REASON) == "110505"
    assert value_of(server.steps()[uid(first)], "00400340", "00081140", "00081155")


@pytest.mark.parametrize("mode", ["refuse", "busy"])
def test_a_server_that_refuses_is_shown_and_tried_again_by_hand(
    archive: scp.Archive, server: StepServer, mode: str
) -> None:
    server.start(mode)
    box = Box(settings(archive.port, extra=mpps(server.port, attempts=3)))
    try:
        box.start()
        exam = box.open_exam()
        box.ctl("still")
        box.ctl("exam", "close")
        wait_for(box, ("create", "blocked"), ("set", "waiting"))
        (row, _) = box.ctl("mpps", "list")["messages"]
        assert row["code"] == "archive-refused"
        assert ("0106H" if mode == "refuse" else "A700H") in row["reason"]
        assert row["attempts"] == (1 if mode == "refuse" else 3)
        assert "performed-blocked" in alarms(box)
        box.wait_stored(exam["id"], 1)
        server.kill()
        server.start()
        assert box.ctl("mpps", "retry", str(row["id"]))["changed"] == 1
        until(lambda: server.states() == {uid(exam): COMPLETED}, 20)
        wait_for(box, ("create", "sent"), ("set", "sent"))
        assert "performed-blocked" not in alarms(box)
    finally:
        box.close()


def test_a_step_that_somebody_else_has_ended_is_shown_and_can_be_put_away(box: Box, server: StepServer) -> None:
    server.start("final")
    box.open_exam()
    box.ctl("still")
    box.ctl("exam", "close")
    wait_for(box, ("create", "sent"), ("set", "blocked"))
    for wrong in (["retry"], ["retry", "999"]):
        with pytest.raises(CtlError) as caught:
            box.ctl("mpps", *wrong)
        assert caught.value.code == ("bad-value" if wrong == ["retry"] else "not-found")
    assert box.ctl("mpps", "cancel", "--all")["changed"] == 1
    wait_for(box, ("create", "sent"), ("set", "dropped"))
    assert "performed-blocked" not in alarms(box)


def test_a_server_without_the_service_is_told_in_words(archive: scp.Archive) -> None:
    from pynetdicom import AE
    from pynetdicom.sop_class import Verification

    ae = AE(ae_title="MPPS")
    ae.add_supported_context(Verification)
    other = ae.start_server(("127.0.0.1", 0), block=False)
    box = Box(settings(archive.port, extra=mpps(other.socket.getsockname()[1])))
    try:
        box.start("engine")
        box.open_exam()
        wait_for(box, ("create", "blocked"))
        (row,) = box.ctl("mpps", "list")["messages"]
        assert row["code"] == "no-context"
        assert "performed procedure steps" in row["reason"]
        assert box.ctl("status")["performed"][0]["state"] == "rejected"
    finally:
        box.close()
        other.shutdown()


def test_an_archive_that_takes_steps_too(tmp_path: Path, archive: scp.Archive, server: StepServer) -> None:
    """Each server on its own: one that is away holds up no other."""
    with step_server(tmp_path / "second") as second:
        extra = f"""mpps = true
[[destinations]]
name = "ris"
host = "127.0.0.1"
port = {second.port}
aet = "MPPS"
mpps = true
send = "manual"
retry = {{ first_s = 0.1, max_s = 0.5 }}
{mpps(server.port)}"""
        box = Box(settings(archive.port, extra=extra))
        try:
            box.start("engine")
            exam = box.open_exam()
            box.ctl("exam", "close")
            until(lambda: second.states() == {uid(exam): DISCONTINUED}, 20)
            services = {item["name"]: item for item in box.ctl("status")["performed"]}
            assert set(services) == {"archive", "mpps", "ris"}
            assert (services["ris"]["state"], services["ris"]["count"]) == ("ok", 0)
            assert (services["mpps"]["state"], services["mpps"]["count"]) == ("unreachable", 2)
            server.start()
            until(lambda: server.states() == {uid(exam): DISCONTINUED}, 20)
        finally:
            box.close()


def test_appended_is_a_step_of_its_own_in_the_same_study(box: Box, server: StepServer) -> None:
    server.start()
    exam = box.open_exam()
    first = box.ctl("still")["instance"]
    box.ctl("exam", "close")
    until(lambda: server.states() == {uid(exam): COMPLETED}, 20)
    assert box.ctl("exam", "append", exam["id"])["exam"]["state"] == "appended"
    until(lambda: server.states().get(uid(exam, 1)) == IN_PROGRESS, 20)
    second = box.ctl("still")["instance"]
    box.ctl("exam", "close")
    until(lambda: server.states() == {uid(exam): COMPLETED, uid(exam, 1): COMPLETED}, 20)
    for part, picture in ((0, first), (1, second)):
        step = server.steps()[uid(exam, part)]
        assert value_of(step, "00400270", "0020000D") == exam["study_instance_uid"]
        (series,) = step["00400340"]["Value"]
        assert [value_of(item, "00081155") for item in series["00081140"]["Value"]] == [picture["sop_instance_uid"]]
