"""Settings changed on a running box: in force at once, audited without secrets, undone, and never its end."""

from __future__ import annotations

import contextlib
import json
import socket
import sqlite3
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.ui.settings_known import known_from
from smartbox_tui.wire import client
from tests.support.box import Box, CtlError, settings, until
from tests.support.dcmtk import free_port, need
from tests.support.orthanc import orthanc
from tests.support.worklist import Scheduled, wlmscpfs


@contextlib.contextmanager
def running(config: str, *processes: str) -> Iterator[Box]:
    box = Box(config)
    try:
        box.start(*(processes or ("engine",)))
        yield box
    finally:
        box.close()


def audit(box: Box) -> list[dict[str, Any]]:
    database = sqlite3.connect(f"file:{box.state / 'smartbox.db'}?mode=ro", uri=True)
    with contextlib.closing(database):
        rows = database.execute("SELECT who, action, detail FROM audit ORDER BY id").fetchall()
    return [{"who": who, "action": action, **json.loads(detail)} for who, action, detail in rows]


def test_a_destination_put_by_path_gets_its_pictures_and_can_be_undone(tmp_path: Path) -> None:
    with orthanc(tmp_path) as archive, running(settings(free_port()), "capture", "engine") as box:
        exam = box.open_exam()
        box.ctl("still")
        box.ctl("exam", "close")
        # the wrong port of the config file: corrected on the box, and what waits goes out
        changed = box.ctl("settings", "set", "destinations.archive.port", str(archive.port))
        assert (changed["paths"], changed["restart"], changed["capture"]) == (["destinations.archive.port"], [], "")
        box.wait_stored(exam["id"], 1)
        assert len(archive.instances()) == 1
        assert box.ctl("settings", "get", "destinations.archive.port")["origin"] == "box"
        undone = box.ctl("settings", "undo")
        assert undone["paths"] == ["destinations.archive.port"]
        assert box.ctl("settings", "get", "destinations.archive.port")["origin"] == "file"
        lines = audit(box)
        assert [line["action"] for line in lines[-2:]] == ["settings-changed", "settings-undone"]
        assert lines[-2]["values"]["destinations.archive.port"][1] == archive.port
        assert "pid" in lines[-2]["who"]


def test_adding_removing_and_what_stands_against_it() -> None:
    with running(settings(free_port()), "capture", "engine") as box:
        box.ctl("destination", "add", "second", "--host", "127.0.0.1", "--port", str(free_port()), "--aet", "TWO")
        assert [item["name"] for item in box.ctl("destination", "list")["destinations"]] == ["archive", "second"]
        box.open_exam()
        box.ctl("still")
        box.ctl("exam", "close")
        for attempt in (
            ("destination", "remove", "second"),
            ("settings", "unset", "destinations.second"),
            ("settings", "undo", "1"),
        ):
            with pytest.raises(CtlError) as caught:
                box.ctl(*attempt)
            assert caught.value.code == "in-use"
        box.ctl("queue", "cancel", "--destination", "second")
        box.ctl("destination", "remove", "second")
        assert [item["name"] for item in box.ctl("destination", "list")["destinations"]] == ["archive"]
        with pytest.raises(CtlError) as caught:
            box.ctl("destination", "remove", "second")
        assert caught.value.code == "not-found"


def test_the_engine_goes_on_with_what_was_put_and_says_what_must_restart() -> None:
    with running(settings(free_port())) as box:
        assert box.ctl("settings", "set", "port", "11199")["restart"] == ["engine"]
        answer = box.ctl("settings", "set", "sources.endo.fps", "25")
        assert answer["capture"] == "away"  # it starts with them
        for wrong, code in ((("language", "fr"), "bad-value"), (("langauge", "de"), "unknown-key")):
            with pytest.raises(CtlError) as caught:
                box.ctl("settings", "set", *wrong)
            assert caught.value.code == code
        box.ctl("settings", "set", "emergency.id", "E{date}{time}")
        assert box.ctl("exam", "open", "--emergency", "male")["exam"]["patient"]["id"].startswith("E2")
        box.stop("engine")
        box.start("engine")
        value = box.ctl("settings", "show")
        assert value["values"]["sources"][0]["fps"] == 25
        assert [item["number"] for item in value["history"]] == [3, 2, 1]
        known = known_from(value)  # what the screens make of it
        assert known.values["sources.endo.fps"] == 25
        assert known.history[0].values == {"emergency.id": ["N{date}{time}{station_name}", "E{date}{time}"]}
        keys = {item["name"]: item for item in value["sections"]}
        assert keys["pedals"]["keys"][2]["key"] == "device"
        assert value["origins"]["station_name"] == {"origin": "file", "name": str(box.config)}


def test_export_and_import_through_the_engine(tmp_path: Path) -> None:
    with running(settings(free_port())) as box:
        box.ctl("settings", "set", "worklist", '{host = "ris.example", aet = "RIS"}')
        file = box.ctl("settings", "export", str(tmp_path))["file"]
        assert Path(file).name.startswith("smartbox-TEST1-")
        box.ctl("settings", "unset", "worklist")
        box.ctl("settings", "set", "language", "de")
        box.ctl("settings", "import", file)
        assert box.ctl("settings", "get", "worklist.host")["value"] == "ris.example"
        assert box.ctl("settings", "get", "language")["value"] == "en"
        with pytest.raises(CtlError) as caught:
            box.ctl("settings", "import", "-", stdin="language = 5")
        assert caught.value.code == "bad-value"
        box.ctl("settings", "undo")
        assert box.ctl("settings", "get", "language")["value"] == "de"


def test_a_repeated_command_is_done_once_also_by_the_next_engine() -> None:
    with running(settings(free_port())) as box:
        box.ctl("settings", "set", "station_name", "ONE")
        undo = {"type": "settings-undo", "id": "7b0e4a52-0000-4000-8000-000000000002"}
        first = client.command(box.runtime / "engine.sock", undo)
        box.kill("engine")  # before its answer was heard, say
        box.start("engine")
        assert client.command(box.runtime / "engine.sock", undo)["change"] == first["change"]
        assert box.ctl("settings", "get", "station_name")["value"] == "TEST1"
        assert [item["action"] for item in box.ctl("settings", "history")["history"]] == ["undo", "put"]


def test_a_file_that_does_not_hold_is_set_aside_and_told_until_somebody_has_looked() -> None:
    with running(settings(free_port())) as box:
        box.ctl("settings", "set", "station_name", "GOOD")
        box.kill("engine")
        (box.state / "site.toml").write_text("station_nam = 5\n", encoding="utf-8")
        doctor = {item["id"]: item["ok"] for item in box.smartbox("doctor")["checks"]}
        assert doctor["settings.site"] is False
        assert doctor["settings"]
        box.smartbox("store", "check")  # the tools of recovery work all the same
        box.start("engine", "capture")
        assert box.ctl("settings", "get", "station_name")["value"] == "GOOD"

        def told() -> list[str]:
            return [item["code"] for item in box.ctl("status")["alarms"]]

        assert "settings-bad" in told()
        assert len(list((box.state / "settings").glob("bad-*.toml"))) == 1
        box.stop("engine")
        box.start("engine")
        assert "settings-bad" in told(), "a restart is nobody who has looked"
        box.ctl("settings", "set", "station_name", "SEEN")
        assert "settings-bad" not in told()


def test_a_kill_in_the_midst_of_changes_leaves_an_engine_that_starts() -> None:
    with running(settings(free_port())) as box:
        for turn in range(3):
            box.ctl("settings", "set", "station_name", f"T{turn}")
            sender = subprocess.Popen(
                ["sh", "-c", 'for i in 1 2 3 4 5 6 7 8; do "$@" $i; done', "sh",
                 *_ctl(box, "settings", "set", "worklist.modality")],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            time.sleep(0.4 + turn * 0.15)
            box.kill("engine")
            sender.wait(60)
            box.start("engine")
            assert box.ctl("settings", "get", "station_name")["value"] == f"T{turn}"
            box.ctl("settings", "undo")


def _ctl(box: Box, *arguments: str) -> list[str]:
    from tests.support.box import PROGRAM

    return [*PROGRAM, "ctl", *box.common, *arguments]


def test_the_recorder_starts_anew_with_its_new_settings_and_not_in_a_recording() -> None:
    with running(settings(free_port()), "capture", "engine") as box:
        box.ctl("record", "start")
        answer = box.ctl("settings", "set", "sources.endo.fps", "25")
        assert answer["capture"] == "after-recording"
        assert box.processes["capture"].poll() is None
        box.ctl("record", "stop")
        until(lambda: box.processes["capture"].poll() is not None, what="capture to end by itself")
        box.start("capture")
        until(lambda: box.ctl("sources")["sources"][0]["fps"] == 25, what="the new rate")
        box.kill("capture")
        assert box.ctl("settings", "set", "sources.endo.fps", "20")["capture"] == "away"
        box.start("capture", wait=False)
        # perhaps it had read the settings before they were changed: it is told, and ends once more
        until(lambda: box.processes["capture"].poll() is not None, what="capture to end by itself")
        box.start("capture")
        until(lambda: box.ctl("sources")["sources"][0]["fps"] == 20, what="the new rate")


# ---- connection tests


def failing(box: Box, *arguments: str) -> dict[str, Any]:
    """The step that failed, of a test that ended in time."""
    began = time.monotonic()
    value = box.ctl("settings", "test", *arguments)
    assert time.monotonic() - began < 20
    assert not value["ok"]
    step: dict[str, Any] = value["steps"][-1]
    assert not step["ok"]
    assert step["message"]
    assert step["hint"]
    return step


@pytest.fixture
def box() -> Iterator[Box]:
    with running(settings(free_port())) as found:
        yield found


def put(box: Box, **values: Any) -> None:
    for key, value in values.items():
        box.ctl("settings", "set", f"destinations.archive.{key}", str(value))


def test_a_connection_that_works_says_so(box: Box, tmp_path: Path) -> None:
    with orthanc(tmp_path) as archive:
        put(box, port=archive.port)
        value = box.ctl("settings", "test", "destination", "archive")
        assert value["ok"]
        assert [step["step"] for step in value["steps"]] == ["connect", "associate", "echo", "store"]
        assert value["peer"]["aet"] == "ORTHANC"


def test_nothing_listens(box: Box) -> None:
    assert failing(box, "destination", "archive")["code"] == "refused"


def test_a_name_that_nobody_has(box: Box) -> None:
    put(box, host="no-such-host.invalid")
    assert failing(box, "destination", "archive")["code"] == "no-route"


def test_a_black_hole(box: Box) -> None:
    """A socket whose queue is full: the kernel drops every further SYN, as a firewall does."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, contextlib.ExitStack() as stack:
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        put(box, port=server.getsockname()[1])
        step = failing(box, "destination", "archive")
        assert (step["step"], step["code"]) == ("connect", "timeout")


def test_somebody_who_takes_the_call_and_says_nothing(box: Box) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        put(box, port=server.getsockname()[1])
        step = failing(box, "destination", "archive")
        assert (step["step"], step["code"]) == ("associate", "timeout")


def test_the_wrong_name_called_and_calling(box: Box, tmp_path: Path) -> None:
    strict: dict[str, Any] = {
        "DicomCheckCalledAet": True,
        "DicomAlwaysAllowStore": False,
        "DicomAlwaysAllowEcho": False,
    }
    with orthanc(tmp_path, **strict) as archive:
        put(box, port=archive.port, aet="WRONG")
        assert failing(box, "destination", "archive")["code"] == "called-aet-rejected"
        put(box, aet="ORTHANC", calling_aet="STRANGER")
        step = failing(box, "destination", "archive")
        assert step["code"] in ("calling-aet-rejected", "no-context"), step


def test_a_peer_that_speaks_tls_only(box: Box, tmp_path: Path) -> None:
    need("openssl")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
         "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"], check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    plain, _ = server.accept()
                except OSError:
                    return
                with contextlib.suppress(OSError), plain, context.wrap_socket(plain, server_side=True) as safe:
                    safe.recv(1)

        threading.Thread(target=serve, daemon=True).start()
        put(box, port=server.getsockname()[1])
        assert failing(box, "destination", "archive")["code"] == "tls"
        server.shutdown(socket.SHUT_RDWR)


def test_a_worklist_is_asked_and_one_that_is_none_is_told(box: Box, tmp_path: Path) -> None:
    with wlmscpfs(tmp_path / "lists", [Scheduled("4711", "Prüf^Jördis")]) as server:
        box.ctl("settings", "set", "worklist", f'{{host = "127.0.0.1", port = {server.port}, aet = "RIS"}}')
        value = box.ctl("settings", "test", "worklist")
        assert value["ok"], value
        assert value["steps"][-1]["step"] == "find"
        box.ctl("settings", "set", "mpps", f'{{host = "127.0.0.1", port = {server.port}, aet = "RIS"}}')
        step = failing(box, "mpps")
        assert (step["step"], step["code"]) in (("mpps", "no-context"), ("associate", "no-context")), step
    with orthanc(tmp_path / "orthanc") as archive:
        box.ctl("settings", "set", "worklist.port", str(archive.port))
        step = failing(box, "worklist")
        assert (step["step"], step["code"]) in (("find", "no-context"), ("associate", "no-context")), step


def test_unsaved_values_are_tried_over_the_saved_ones_and_wrong_ones_are_told(box: Box, tmp_path: Path) -> None:
    def tried(name: str, **values: Any) -> Any:
        command = {"type": "connection-test", "id": "7b0e4a52-0000-4000-8000-000000000001", "what": "destination"}
        return client.command(box.runtime / "engine.sock", {**command, "name": name, "values": values})

    with orthanc(tmp_path) as archive:
        assert tried("archive", port=archive.port)["ok"]
        assert tried("", host="127.0.0.1", port=archive.port, aet="ORTHANC")["ok"]
    for values, code in (({"port": 0}, "bad-value"), ({"prot": 1}, "unknown-key"), ({"host": ""}, "bad-value")):
        with pytest.raises(SmartBoxError) as caught:
            tried("archive", **values)
        assert caught.value.code == code
    with pytest.raises(SmartBoxError) as caught:
        tried("nobody")
    assert caught.value.code == "not-found"
    assert until(lambda: box.ctl("settings", "show")["history"] == [], what="nothing saved") is True
