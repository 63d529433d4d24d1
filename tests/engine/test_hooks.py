"""Hooks with real programs and a real HTTP server: slow, hanging, dying, lying; kept in order, tried again,
bounded; and what may be known by whom."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.engine.hooks import worker as worker_module
from smartbox_tui.engine.hooks.api import trial
from smartbox_tui.engine.hooks.desk import Hooks
from smartbox_tui.model.hooks import chosen
from smartbox_tui.settings.hooks import Hook, HookRetry
from smartbox_tui.settings.schema import Settings
from smartbox_tui.store import hooks
from smartbox_tui.store.database import Store
from tests.support.box import until
from tests.support.certificates import Authority
from tests.support.dcmtk import free_port
from tests.support.receiver import receiver

FAST = HookRetry(first_s=0.05, factor=1.5, max_s=0.3, attempts=3)


class Box:
    """The hooks of an engine without the rest of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store(folder / "smartbox.db")
        self.settings = Settings()
        self.hooks: Hooks | None = None

    def start(self, *wanted: Hook) -> None:
        self.settings = Settings(hooks=wanted)
        if self.hooks is None:
            self.hooks = Hooks(self.store, lambda: self.settings)
            self.hooks.start()
        else:
            self.hooks.reconfigure()

    def tell(self, event: str = "box.started", known: dict[str, Any] | None = None, **data: Any) -> None:
        data = data or {"version": "1"}
        self.store.write(lambda db: hooks.tell(db, event, data, "now", time.time(), known=known)).result()

    def state(self, name: str) -> dict[str, Any]:
        assert self.hooks is not None
        return next(item for item in self.hooks.listed() if item["name"] == name)

    def close(self) -> None:
        if self.hooks is not None:
            self.hooks.stop()
        self.store.close()


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    made = Box(tmp_path)
    yield made
    made.close()


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str, name: str = "program") -> str:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    return write


def web(url: str, name: str = "web", events: str = "exam.*, box.*", **more: Any) -> Hook:
    return Hook(name=name, kind="webhook", url=url, events=events, **{"retry": FAST, "timeout_s": 1.0, **more})


def command(text: str, name: str = "run", events: str = "exam.*, box.*", **more: Any) -> Hook:
    return Hook(name=name, kind="command", command=text, events=events, **{"retry": FAST, "timeout_s": 5.0, **more})


# ---- webhooks


def test_events_come_in_order_signed_and_once(box: Box, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(" s3cret-token \n", encoding="utf-8")
    (tmp_path / "secret").write_bytes(b"shared secret\n")
    with receiver() as there:
        box.start(web(there.url, token_file=str(tmp_path / "token"), secret_file=str(tmp_path / "secret")))
        for number in range(30):
            box.tell(version=str(number))
        until(lambda: len(there.taken) == 31, 20, "all events")
        until(lambda: box.state("web")["waiting"] == 0, 10, "the outbox to be empty")
    assert [item["data"]["version"] for item in there.taken[1:]] == [str(number) for number in range(30)]
    assert len({item["id"] for item in there.taken}) == 31
    headers, body = there.headers[0], there.bodies[0]
    assert headers["Authorization"] == "Bearer s3cret-token"
    assert headers["Content-Type"] == "application/json"
    assert headers["X-SmartBox-Event"] == "box.started"
    assert headers["X-SmartBox-Id"] == there.taken[0]["id"]
    wanted = hmac.new(b"shared secret", body, hashlib.sha256).hexdigest()
    assert headers["X-SmartBox-Signature"] == f"sha256={wanted}"
    assert there.taken[0]["box"] == {"station_name": "ENDO1", "aet": "SMARTBOX"}
    state = box.state("web")
    assert (state["state"], state["delivered"], state["failed"], state["dropped"]) == ("ok", 31, 0, 0)


@pytest.mark.parametrize("status", [503, 429, 408, 502, -1])
def test_who_is_away_is_tried_until_he_is_back(box: Box, status: int) -> None:
    """More often than the settings' attempts: these are no answers of his."""
    with receiver(lambda number, _event: status if number < 6 else 200) as there:
        box.start(web(there.url))
        until(lambda: there.names() == ["box.started"], 30, "the event")
        assert len({item["id"] for item in there.calls}) == 1
        assert len(there.calls) == 7
        until(lambda: box.state("web")["state"] == "ok", 5, "the state")


@pytest.mark.parametrize(("status", "calls"), [(500, 3), (302, 3), (400, 1), (404, 1), (410, 1)])
def test_what_he_does_not_take_is_given_up_and_the_next_comes(box: Box, status: int, calls: int) -> None:
    with receiver(lambda _number, event: status if event["data"]["version"] == "bad" else 200) as there:
        box.start(web(there.url))
        box.tell(version="bad")
        box.tell(version="good")
        until(lambda: len(there.taken) == 2, 30, "the good one")
        assert sum(item["data"]["version"] == "bad" for item in there.calls) == calls
        assert there.taken[-1]["data"]["version"] == "good"
        until(lambda: box.state("web")["delivered"] == 2, 10, "the count")
        assert box.state("web")["failed"] == 1


@pytest.mark.parametrize("status", [-2, -3])
def test_a_server_that_hangs_costs_its_own_queue_alone(box: Box, status: int) -> None:
    """Silent, or a byte now and then: its time is over all the same."""
    with receiver(lambda _number, _event: status) as hanging, receiver() as there:
        box.start(web(hanging.url, "hangs"), web(there.url, "good"))
        for _ in range(5):
            box.tell()
        until(lambda: len(there.taken) == 6, 10, "the other hook's events")
        until(lambda: len(hanging.calls) >= 2, 20, "the second try")
        state = box.state("hangs")
        assert (state["waiting"], state["delivered"], state["state"], state["code"]) == (6, 0, "failing", "timeout")
        before = time.monotonic()
        box.close()
        assert time.monotonic() - before < 5
        box.hooks, box.store = None, Store(box.folder / "smartbox.db")


def test_nobody_there_and_then_somebody(box: Box) -> None:
    port = free_port()
    box.start(web(f"http://127.0.0.1:{port}/events"))
    until(lambda: box.state("web")["code"] == "refused", 10, "the failure")
    assert "nothing listens" in box.state("web")["last_error"]
    with receiver(port=port) as there:
        until(lambda: there.names() == ["box.started"], 20, "the event")


def test_tls_is_verified(box: Box, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    pair = authority.issue("127.0.0.1", "server", "IP:127.0.0.1")
    with receiver(tls=pair) as there:
        box.start(web(there.url, "stranger"), web(there.url, "friend", ca_file=str(authority.cert)))
        until(lambda: box.state("friend")["delivered"] == 1, 20, "the event")
        until(lambda: box.state("stranger")["code"] == "tls", 20, "the refusal")
        assert len(there.calls) == 1
        assert "vouches" in box.state("stranger")["last_error"]


def test_the_patient_goes_only_to_who_may_know_and_only_over_https(box: Box, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    pair = authority.issue("127.0.0.1", "server", "IP:127.0.0.1")
    known = {"patient": {"id": "P1", "name": "Prüf^Jördis"}, "accession_number": "A9", "data": {"reason": "long"}}
    with receiver(tls=pair) as there, receiver() as plain:
        ca = str(authority.cert)
        box.start(
            web(there.url, "may", "settings.changed", ca_file=ca, patient=True),
            web(there.url, "may-not", "settings.changed", ca_file=ca),
            web(plain.url, "open", "settings.changed", patient=True),
        )
        box.tell("settings.changed", known, reason="short")
        until(lambda: len(there.taken) == 2, 20, "both")
        until(lambda: len(plain.taken) == 1, 20, "the third")
    bodies = sorted(there.bodies, key=len)
    assert "Jördis" in bodies[1].decode()
    assert json.loads(bodies[1])["patient"]["id"] == "P1"
    assert json.loads(bodies[1])["data"]["reason"] == "long"
    for body in (bodies[0], plain.bodies[0]):
        assert "Jördis" not in body.decode()
        assert "A9" not in body.decode()
        assert json.loads(body)["data"]["reason"] == "short"
    assert box.state("open")["state"] == "failing"  # it says that it cannot work as it is set


def test_what_waited_when_the_leave_was_taken_away_is_told_without_the_patient(box: Box, tmp_path: Path) -> None:
    pair = Authority(tmp_path / "ca").issue("127.0.0.1", "server", "IP:127.0.0.1")
    ca, events = str(tmp_path / "ca" / "ca.pem"), "settings.changed"
    box.start(web(f"https://127.0.0.1:{free_port()}/", events=events, ca_file=ca, patient=True))
    box.tell("settings.changed", {"patient": {"id": "P1", "name": "Prüf^Jördis"}}, paths=[])
    with receiver(tls=pair) as there:
        box.start(web(there.url, events=events, ca_file=ca))
        until(lambda: len(there.taken) == 1, 10, "the event")
    assert "Jördis" not in there.bodies[0].decode()


def test_a_secret_that_is_not_there_is_said_and_never_sent_without(box: Box, tmp_path: Path) -> None:
    with receiver() as there:
        box.start(web(there.url, secret_file=str(tmp_path / "gone")))
        until(lambda: "secret_file" in box.state("web")["last_error"], 10, "the reason")
        assert there.calls == []
        (tmp_path / "gone").write_text("x", encoding="utf-8")
        until(lambda: len(there.taken) == 1, 10, "the event")


# ---- programs


def test_a_program_gets_the_event_and_nothing_else(box: Box, script: Callable[[str], str], tmp_path: Path) -> None:
    os.environ["SMARTBOX_TEST_SECRET"] = "nobody's business"
    try:
        known = {"patient": {"id": "P1", "name": "Prüf^Jördis"}}
        path = script(
            f'cat > {tmp_path}/got; env > {tmp_path}/env; echo "$@" > {tmp_path}/args; pwd > {tmp_path}/pwd'
        )
        box.start(command(f"{path} --room 'OR 3' '$HOME;id'", events="settings.changed", patient=True))
        box.tell("settings.changed", known, paths=[])
        until(lambda: box.state("run")["delivered"] == 1, 10, "the program")
    finally:
        del os.environ["SMARTBOX_TEST_SECRET"]
    event = json.loads((tmp_path / "got").read_text(encoding="utf-8"))
    assert event["patient"]["name"] == "Prüf^Jördis"
    assert (tmp_path / "args").read_text(encoding="utf-8") == "--room OR 3 $HOME;id\n"
    assert (tmp_path / "pwd").read_text(encoding="utf-8") == "/\n"
    environment = dict(
        line.split("=", 1) for line in (tmp_path / "env").read_text(encoding="utf-8").splitlines() if "=" in line
    )
    assert environment.keys() <= {"PATH", "LANG", "HOME", "SMARTBOX_EVENT", "PWD", "SHLVL", "_", "OLDPWD"}
    assert environment["SMARTBOX_EVENT"] == "settings.changed"


def test_a_program_that_fails_is_tried_again_and_says_why(box: Box, script: Callable[[str], str]) -> None:
    box.start(command(script("echo the mail server says no >&2; exit 3")))
    until(lambda: box.state("run")["failed"] == 1, 20, "the end of its attempts")
    assert box.state("run")["last_error"] == "The program ended with exit status 3. the mail server says no"


def test_what_a_program_says_of_a_patient_is_not_kept(box: Box, script: Callable[[str], str]) -> None:
    box.start(command(script("cat >&2; exit 1"), patient=True))
    until(lambda: box.state("run")["failed"] == 1, 20, "the end of its attempts")
    assert box.state("run")["last_error"] == "The program ended with exit status 1."


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_program_that_hangs_is_killed_with_all_its_children(
    box: Box, script: Callable[[str], str], tmp_path: Path
) -> None:
    path = script(f'trap "" TERM INT HUP; sleep 300 & echo $! $$ >> {tmp_path}/pids; sleep 300')
    box.start(command(path, timeout_s=0.5, retry=HookRetry(first_s=0.05, attempts=1)))
    until(lambda: box.state("run")["failed"] == 1, 20, "its end")
    assert "0.5 s" in box.state("run")["last_error"]
    pids = [int(item) for item in (tmp_path / "pids").read_text(encoding="utf-8").split()]
    assert len(pids) == 2
    until(lambda: not any(alive(pid) for pid in pids), 5, "the processes to be gone")


def test_what_a_program_leaves_behind_ends_with_it(box: Box, script: Callable[[str], str], tmp_path: Path) -> None:
    """Also where it keeps the output open: nobody waits for it."""
    box.start(command(script(f"sleep 300 & echo $! > {tmp_path}/pid; exit 0")))
    until(lambda: box.state("run")["delivered"] == 1, 10, "the program")
    pid = int((tmp_path / "pid").read_text(encoding="utf-8"))
    until(lambda: not alive(pid), 5, "the process to be gone")


def test_a_program_that_never_stops_talking_is_read_and_dropped(box: Box, script: Callable[[str], str]) -> None:
    box.start(command(script("head -c 50000000 /dev/zero | tr '\\0' x; exit 1"), timeout_s=60))
    until(lambda: box.state("run")["last_error"], 30, "its end")
    assert len(box.state("run")["last_error"]) < 400


@pytest.mark.parametrize("path", ["/nowhere/program", "/etc/hostname"])
def test_a_program_that_cannot_be_run_is_said(box: Box, path: str) -> None:
    box.start(command(path))
    until(lambda: box.state("run")["code"] == "refused", 10, "the reason")
    assert "cannot be started" in box.state("run")["last_error"]
    assert box.state("run")["waiting"] == 1


def test_stopping_ends_a_program_that_runs_and_the_event_comes_again(
    box: Box, script: Callable[[str], str], tmp_path: Path
) -> None:
    box.start(command(script(f"echo $$ >> {tmp_path}/pids; sleep 300"), timeout_s=300))
    until(lambda: (tmp_path / "pids").exists(), 10, "the program")
    before = time.monotonic()
    box.close()
    assert time.monotonic() - before < 5
    assert not alive(int((tmp_path / "pids").read_text(encoding="utf-8")))
    box.hooks, box.store = None, Store(box.folder / "smartbox.db")
    assert hooks.counts(box.store.reader) == {"run": 1}
    box.start(command(script(f"cat > {tmp_path}/got")))
    until(lambda: box.state("run")["delivered"] == 2, 10, "both starts of the box")


# ---- bounds and changes


def test_dropped_ones_are_told_with_the_next(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "MOST_ROWS", 5)
    monkeypatch.setattr(worker_module, "TRIM_S", 0.2)
    port = free_port()
    box.start(web(f"http://127.0.0.1:{port}/events"))
    for number in range(12):
        box.tell(version=str(number))
    until(lambda: box.state("web")["waiting"] == 5, 20, "the oldest to go")
    assert box.state("web")["dropped"] == 8
    with receiver(port=port) as there:
        until(lambda: len(there.taken) == 5, 20, "the rest")
        until(lambda: box.state("web")["waiting"] == 0, 10, "the outbox to be empty")
    assert [item["data"]["version"] for item in there.taken] == ["7", "8", "9", "10", "11"]
    assert [item["dropped"] for item in there.taken] == [8, 0, 0, 0, 0]
    assert box.state("web")["dropped"] == 8


def test_what_is_too_old_is_dropped(box: Box) -> None:
    box.store.write(lambda db: hooks.configure(db, {"web": (chosen("box.*"), False)})).result()
    old = time.time() - 8 * 86400
    box.store.write(lambda db: hooks.tell(db, "box.started", {"version": "old"}, "then", old)).result()
    with receiver() as there:
        box.start(web(there.url, events="box.*"))
        until(lambda: len(there.taken) == 1, 10, "the new one")
    assert there.taken[0]["data"]["version"] != "old"
    assert there.taken[0]["dropped"] == 1


def test_a_changed_hook_goes_on_with_what_waits(box: Box) -> None:
    box.start(web(f"http://127.0.0.1:{free_port()}/events"))
    for number in range(3):
        box.tell(version=str(number))
    until(lambda: box.state("web")["last_error"], 10, "a failure")
    with receiver() as there:
        box.start(web(there.url))
        until(lambda: len(there.taken) == 4, 10, "all of it")
        assert [item["data"]["version"] for item in there.taken[1:]] == ["0", "1", "2"]
        box.start()
        assert box.hooks is not None
        assert box.hooks.listed() == []
        box.tell()
        until(lambda: hooks.counts(box.store.reader) == {}, 5, "nothing to wait for nobody")


async def test_a_test_answers_with_what_came_back(box: Box, script: Callable[[str], str]) -> None:
    with receiver(lambda number, _event: 200 if number == 0 else 404) as there:
        good = await trial(web(there.url), Settings())
        assert (good["ok"], good["answer"]) == (True, "heard")
        assert there.calls[0]["event"] == "hook.test"
        bad = await trial(web(there.url), Settings())
    assert (bad["ok"], bad["code"], bad["answer"]) == (False, "archive-refused", "heard")
    assert "404" in bad["message"]
    assert bad["hint"]
    ran = await trial(command(script("echo hello; exit 4")), Settings())
    assert (ran["ok"], ran["answer"]) == (False, "hello")
    nothing = await trial(Hook(name="x"), Settings())
    assert (nothing["ok"], nothing["code"]) == (False, "bad-value")
