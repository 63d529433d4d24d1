"""Roles: who calls is what the kernel says, and what each role may order is one table."""

from __future__ import annotations

import asyncio
import grp
import os
import socket
import tempfile
import uuid
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.wire import access, commands, serve
from smartbox_tui.wire.access import Role
from smartbox_tui.wire.serve import Caller

ID = str(uuid.uuid4())
OPERATORS, SERVICE, VIEWERS = 7001, 7002, 7003
SOMEBODY = 65534


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = {"smartbox": OPERATORS, "smartbox-service": SERVICE, "smartbox-viewer": VIEWERS}
    monkeypatch.setattr(access, "group_id", numbers.get)


def put(**changes: Any) -> commands.SettingsPut:
    return commands.SettingsPut(id=ID, changes={key.replace("__", "."): value for key, value in changes.items()})


@pytest.mark.parametrize(
    ("gid", "more", "role"),
    [
        (100, (OPERATORS,), Role.OPERATOR),
        (OPERATORS, (), Role.OPERATOR),
        (100, (OPERATORS, SERVICE), Role.SERVICE),
        (100, (OPERATORS, VIEWERS), Role.VIEWER),
        (100, (OPERATORS, VIEWERS, SERVICE), Role.SERVICE),
        (100, (), Role.VIEWER),
    ],
)
def test_groups_make_the_role(groups: None, gid: int, more: tuple[int, ...], role: Role) -> None:
    assert access.role_of(Caller(1, SOMEBODY, gid, more)) is role


def test_root_and_the_boxs_own_user_may_do_all_without_any_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "group_id", lambda name: None)
    assert access.role_of(Caller(1, 0, 0)) is Role.SERVICE
    assert access.role_of(Caller(1, os.geteuid(), 12345)) is Role.SERVICE
    assert access.role_of(Caller(-1, -1, -1)) is Role.VIEWER, "no Unix socket: nobody is known"


def test_a_group_is_looked_up_by_its_name() -> None:
    assert access.group_id(grp.getgrgid(os.getegid()).gr_name) == os.getegid()
    assert access.group_id("no-such-group-here") is None


def test_every_command_has_its_role() -> None:
    every = {*commands.CaptureCommand.__args__, *commands.EngineCommand.__args__}  # type: ignore[attr-defined]
    assert not every - access.NEEDS.keys()


@pytest.mark.parametrize("kind", list(access.NEEDS))
def test_a_viewer_changes_nothing(kind: type[commands.Command]) -> None:
    if kind not in (commands.WorklistQuery, commands.WorklistCancel):
        assert access.NEEDS[kind] is not Role.VIEWER


def refused(role: Role, command: commands.Command) -> str:
    with pytest.raises(SmartBoxError) as caught:
        access.check(role, command)
    assert caught.value.code == "refused"
    return f"{caught.value.message} {caught.value.hint}"


def test_what_each_role_may() -> None:
    still = commands.Still(id=ID)
    access.check(Role.OPERATOR, still)
    access.check(Role.SERVICE, still)
    assert "operator" in refused(Role.VIEWER, still)
    hold = commands.HoldExam(id=ID, exam="e", revision=1)
    assert "smartbox-service" in refused(Role.OPERATOR, hold), "pictures would go to another exam"
    access.check(Role.SERVICE, hold)
    access.check(Role.VIEWER, commands.WorklistQuery(id=ID))


def test_a_command_that_the_table_does_not_know_needs_service() -> None:
    class Unheard(commands.Command, frozen=True, kw_only=True, tag="unheard"):
        pass

    refused(Role.OPERATOR, Unheard(id=ID))
    access.check(Role.SERVICE, Unheard(id=ID))


@pytest.mark.parametrize(
    "allowed",
    [
        put(language="en"),
        put(display__theme="console"),
        put(pedals__left={"kind": "evdev", "device": "/dev/input/event3", "short": "still"}),
        put(panel__touch="usb-0:3"),
        put(panel={"beep": False}),
    ],
)
def test_an_operator_sets_what_is_of_the_room(allowed: commands.SettingsPut) -> None:
    access.check(Role.OPERATOR, allowed)
    refused(Role.VIEWER, allowed)


@pytest.mark.parametrize(
    "held",
    [
        put(destinations__archive__host="10.0.0.9"),
        put(destinations__archive__token_file="/etc/shadow"),
        put(hooks__x={"url": "http://elsewhere"}),
        put(language="en", worklist__host="10.0.0.9"),
        put(panel__settings=True),
        put(panel={"settings": True}),
        put(panel=None),
        put(pedals__left={"kind": "evdev", "device": "/etc/shadow"}),
        put(pedals__left__device="/dev/../etc/shadow"),
        put(sources__endo__device="/root/film.mp4"),
        put(retention__keep_days=1),
        put(languages="x"),
    ],
)
def test_where_pictures_go_and_every_path_is_for_service(held: commands.SettingsPut) -> None:
    assert "service" in refused(Role.OPERATOR, held)
    access.check(Role.SERVICE, held)


def test_trying_what_is_not_saved_is_for_service() -> None:
    access.check(Role.OPERATOR, commands.ConnectionTest(id=ID, what="destination", name="archive"))
    values = {"token_file": "/etc/shadow", "url": "http://elsewhere"}
    refused(Role.OPERATOR, commands.ConnectionTest(id=ID, what="destination", name="archive", values=values))


def test_a_terminal_of_the_machine_is_known_by_the_kernels_number(tmp_path: Path) -> None:
    found = []
    for number in (4 << 8 | 1, 4 << 8 | 63, 4 << 8 | 64, 136 << 8 | 1, 0):
        stat = tmp_path / "12" / "stat"
        stat.parent.mkdir(exist_ok=True)
        stat.write_text(f"12 (a (tmux) b) S 1 12 12 {number} 12 4194560 0", encoding="utf-8")
        found.append(access.on_panel(Caller(12, 0, 0), tmp_path))
    assert found == [True, True, False, False, False]
    assert not access.on_panel(Caller(2**22 + 5, 0, 0)), "a process that is gone"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to call as somebody else")
async def test_the_kernel_tells_the_groups_of_the_caller() -> None:
    """A process of another user with further groups, over a real socket."""
    seen: list[Caller] = []

    async def tell(request: web.Request) -> web.Response:
        seen.append(serve.caller(request))
        return serve.reply({})

    with tempfile.TemporaryDirectory(prefix="sb-") as folder:
        os.chmod(folder, 0o755)
        path = Path(folder) / "t.sock"
        runner = await serve.serve_unix([web.get("/", tell)], path)
        os.chmod(path, 0o666)
        child = os.fork()
        if child == 0:
            os.setgroups([OPERATORS, SERVICE])
            os.setgid(100)
            os.setuid(SOMEBODY)
            with socket.socket(socket.AF_UNIX) as caller:
                caller.connect(str(path))
                caller.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                caller.recv(1000)
            os._exit(0)
        await asyncio.to_thread(os.waitpid, child, 0)
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(path=str(path))) as session:
            await session.get("http://localhost/")
        await runner.cleanup()
    assert (seen[0].pid, seen[0].uid, seen[0].gid) == (child, SOMEBODY, 100)
    assert set(seen[0].groups) == {OPERATORS, SERVICE}
    assert seen[1].uid == os.geteuid()
