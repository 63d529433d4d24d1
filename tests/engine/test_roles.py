"""Several consoles and callers with different rights on one real box."""

from __future__ import annotations

import asyncio
import grp
import json
import os
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from smartbox_tui.engine.sessions import Sessions
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.schema import Panel, Settings
from smartbox_tui.wire import access, client, events
from smartbox_tui.wire.hub import Hub
from smartbox_tui.wire.serve import Caller
from smartbox_tui.wire.stream import Link
from tests.support.box import Box, no_archive, running, sessions, until

SOMEBODY = 65534
ASK = """
import json, os, sys
from pathlib import Path
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.wire import client
gid, uid = int(sys.argv[1]), int(sys.argv[2])
os.setgroups([gid]); os.setgid(gid); os.setuid(uid)  # after the imports: the environment may be root's
try:
    print(json.dumps(client.command(Path(sys.argv[3]), json.loads(sys.argv[4]))))
except SmartBoxError as exc:
    print(json.dumps({"error": exc.as_dict()}))
"""


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    with running(no_archive()) as made:
        yield made


def audited(box: Box, action: str) -> list[tuple[str, dict[str, Any]]]:
    with sqlite3.connect(f"file:{box.state}/smartbox.db?mode=ro", uri=True) as database:
        rows = database.execute("select who, detail from audit where action = ? order by id", (action,)).fetchall()
    return [(who, json.loads(detail)) for who, detail in rows]


async def test_consoles_are_listed_while_they_are_connected_and_gone_with_their_connection(box: Box) -> None:
    async def follow(kind: str) -> None:
        async with Link(box.runtime / "engine.sock", kind) as link:
            async for _ in link.events():
                pass

    async def listed(count: int) -> list[dict[str, Any]]:
        async with asyncio.timeout(30):
            while len(found := await asyncio.to_thread(sessions, box)) != count:
                await asyncio.sleep(0.05)
        return found

    follower = asyncio.create_task(follow(""))  # ctl events: no console
    consoles = [asyncio.create_task(follow("local"))]
    await listed(1)
    consoles.append(asyncio.create_task(follow("ssh")))
    local, remote = await listed(2)
    assert (local["terminal"], local["role"], local["visiting"]) == ("local", "service", False), (
        "the box's own user"
    )
    assert (remote["terminal"], remote["role"], remote["visiting"]) == ("ssh", "service", True)
    assert remote["user"]
    assert remote["pid"] == os.getpid()
    consoles[1].cancel()
    assert await listed(1) == [local]
    for task in (consoles[0], follower):
        task.cancel()
    await listed(0)
    until(lambda: audited(box, "session-ended"), 30, "the line in the audit")
    ((who, detail),) = audited(box, "session-began")
    assert "service" in who
    assert detail["terminal"] == "ssh"


def as_somebody(box: Box, gid: int, process: str, **command: Any) -> Any:
    command = {"id": str(uuid.uuid4()), **command}
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            ASK,
            str(gid),
            str(SOMEBODY),
            str(box.runtime / f"{process}.sock"),
            json.dumps(command),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to call as somebody else")
def test_somebody_else_may_do_what_the_groups_say(box: Box) -> None:
    """The socket lets root's group in: here those are the operators."""
    for folder in (box.folder, box.runtime):
        folder.chmod(0o755)
    taken = as_somebody(box, 0, "capture", type="still")
    assert taken["instance"]["kind"] == "still"
    for process, command in (
        ("capture", {"type": "drop-exam", "exam": "x"}),
        ("engine", {"type": "destination-add", "name": "x", "values": {"host": "h", "aet": "A"}}),
        ("engine", {"type": "settings-put", "changes": {"worklist.key_file": "/etc/shadow"}}),
    ):
        error = as_somebody(box, 0, process, **command)["error"]
        assert error["code"] == "refused"
        assert "service" in error["message"]
        assert error["hint"]
    assert as_somebody(box, 0, "engine", type="settings-put", changes={"language": "en"})["paths"] == ["language"]
    (who, _) = audited(box, "settings-changed")[-1]
    assert "(operator, pid " in who
    assert "was refused DestinationAdd" in box.log("engine")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to call as somebody else")
def test_whoever_is_in_no_group_of_the_box_only_looks(box: Box) -> None:
    for folder in (box.folder, box.runtime):
        folder.chmod(0o755)
    other = next(entry.gr_gid for entry in grp.getgrall() if entry.gr_gid not in (0, os.getegid()))
    (box.runtime / "engine.sock").chmod(0o666)
    (box.runtime / "capture.sock").chmod(0o666)
    assert as_somebody(box, other, "capture", type="still")["error"]["code"] == "refused"
    assert as_somebody(box, other, "engine", type="exam-close")["error"]["code"] == "refused"
    error = as_somebody(box, other, "engine", type="worklist-query", cached=True)["error"]
    assert "role" not in error["message"], "they may ask; this box has no worklist"


def test_the_boxs_own_user_may_do_all(box: Box) -> None:
    try:
        client.command(
            box.runtime / "engine.sock",
            {"type": "settings-put", "id": str(uuid.uuid4()), "changes": {"retention.keep_days": 20}},
        )
    except SmartBoxError as exc:
        pytest.fail(f"{exc.code} {exc.message}")


async def test_who_changed_the_settings_is_told_to_all(box: Box) -> None:
    changes = {"type": "settings-put", "id": str(uuid.uuid4()), "changes": {"exam.open_warn_min": 77}}
    async with Link(box.runtime / "engine.sock") as link, asyncio.timeout(60):
        async for event in link.events():
            assert event is not None
            if event.type == "snapshot":
                await asyncio.to_thread(client.command, box.runtime / "engine.sock", changes)
            elif event.type == "settings-changed":
                told = events.typed(event)
                break
    assert isinstance(told, events.SettingsChanged)
    assert (told.paths, told.pid) == (["exam.open_warn_min"], os.getpid())
    assert told.user


@pytest.mark.parametrize(("allowed", "panel", "role"), [(True, True, "service"), (False, True, "operator"),
                                                        (False, False, "service")])  # fmt: skip
def test_the_panel_can_be_kept_to_the_settings_of_the_room(
    allowed: bool, panel: bool, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "on_panel", lambda _caller: panel)
    settings = Settings(panel=Panel(settings=allowed))
    known = Sessions(Hub(Settings), lambda: settings, lambda _job: asyncio.sleep(0), lambda: None)  # type: ignore[arg-type]
    assert known.role(Caller(1, os.geteuid(), os.getegid())) == role
