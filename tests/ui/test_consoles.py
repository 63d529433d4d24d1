"""Several real consoles over "SSH" on one real box: each is a session as long as it lives."""

from __future__ import annotations

import asyncio
import os
import pwd
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.box import PROGRAM, Box, no_archive, running, sessions
from tests.ui.test_terminal import PATIENCE_S, Terminal, until


@pytest.fixture
def box() -> Iterator[Box]:
    with running(no_archive()) as made:
        yield made


async def count(box: Box, wanted: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    try:
        async with asyncio.timeout(PATIENCE_S):
            while len(found := await asyncio.to_thread(sessions, box)) != wanted:
                await asyncio.sleep(0.1)
    except TimeoutError:
        pytest.fail(f"{wanted} sessions were awaited: {found}")
    return found


async def test_consoles_see_each_other_and_vanish_with_their_terminals(box: Box) -> None:
    command = [*PROGRAM, "console", *box.common]
    over_ssh = {"SSH_CONNECTION": "192.0.2.7 50000 192.0.2.8 22", "SSH_TTY": "/dev/pts/9"}
    one = Terminal(box.runtime, command, **over_ssh)
    (first,) = await count(box, 1)
    assert (first["terminal"], first["role"], first["pid"]) == ("ssh", "service", one.pid)
    assert pwd.getpwuid(os.geteuid()).pw_name in first["user"]
    two = Terminal(box.runtime, command, **over_ssh)
    local = Terminal(box.runtime, command)
    assert [item["terminal"] for item in await count(box, 3)].count("ssh") == 2
    said = b"Service is connected: "
    for terminal in (one, two, local):
        await until(lambda terminal=terminal: said in terminal.output, "the line about the others")
    os.kill(two.pid, signal.SIGKILL)
    await two.status()
    await count(box, 2)
    # the link breaks: sshd hangs the terminal up
    one.deaf()
    os.close(one.master)
    assert await one.status() == 1
    (last,) = await count(box, 1)
    assert last["pid"] == local.pid
    box.kill("engine")
    box.start("engine")
    (again,) = await count(box, 1)
    assert again["pid"] == local.pid, "it announces itself to the new engine"
    os.kill(local.pid, signal.SIGTERM)
    assert await local.status() == 0
    await count(box, 0)
