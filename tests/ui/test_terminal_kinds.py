"""The console on the terminals that engineers come with: each TERM on a real one, and what is said where it
cannot be drawn."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.ui import terminal
from tests.support.tmux import Pane
from tests.ui.rig import SMALL
from tests.ui.test_terminal import ROOT, Terminal, box, command_line, environment, until


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
@pytest.mark.parametrize(
    ("term", "more"),
    [
        ("xterm-256color", {}),
        ("tmux-256color", {}),
        ("screen-256color", {}),
        ("xterm", {}),
        ("linux", {"COLORTERM": "truecolor"}),
        ("xterm-256color", {"LC_ALL": "C"}),
        ("xterm-256color", {"LC_ALL": "de_DE.ISO-8859-1"}),
        ("xterm-256color", {"NO_COLOR": "1"}),
        ("xterm-256color", {"COLUMNS": "80", "LINES": "24"}),  # a login that exports its size
    ],
)
async def test_the_screen_is_whole_on_each_terminal(term: str, more: dict[str, str]) -> None:
    """tmux is the terminal; TERM says what the console takes it for."""
    async with box() as fake:
        values = {"TERM": term, "SSH_CONNECTION": "192.0.2.7 5 192.0.2.8 22", **more}
        setting = " ".join(f"{name}='{value}'" for name, value in values.items())
        program = f"env -u COLORTERM -u LC_ALL -u LANG {setting} {shlex.join(command_line(fake.runtime))}"
        await asyncio.to_thread(_whole, program, more.get("LC_ALL", ""))


@pytest.mark.skipif(None in map(shutil.which, ("tmux", "screen")), reason="GNU screen is not installed")
async def test_the_screen_is_whole_in_gnu_screen() -> None:
    async with box() as fake:
        with tempfile.TemporaryDirectory(prefix="sb-") as sockets:
            bare = f"env -u COLORTERM -u LC_ALL -u LANG LC_CTYPE=C.UTF-8 SCREENDIR={sockets}"
            program = f"{bare} screen -c /dev/null -U {shlex.join(command_line(fake.runtime))}"
            await asyncio.to_thread(_whole, program, "")


def _whole(program: str, locale: str) -> None:
    with Pane(program, SMALL, environment()) as pane:
        seen = pane.shows("Müller, Jörg", "AUFNAHME", "Abschließen", "NOTFALL", "▀", "BLOCKIERT")
        assert "\N{REPLACEMENT CHARACTER}" not in seen
        if "ISO" in locale:
            pane.shows("ISO-8859-1", "LANG=C.UTF-8")
        pane.resize(60, 18)
        pane.shows("zu klein: 60×18", "80×24")
        pane.resize(12, 3)
        time.sleep(0.3)
        pane.resize(*SMALL)
        pane.shows("Müller, Jörg", "NOTFALL")
        pane.keys("F10")
        assert "Traceback" not in pane.shows("LEFT 0")


@pytest.mark.parametrize("term", ["vt100", "vt220", "dumb", ""])
async def test_a_terminal_without_colours_gets_a_sentence(term: str, tmp_path: Path) -> None:
    plain = Terminal(tmp_path, TERM=term)
    assert await plain.status() == 1
    await until(lambda: b"TERM=xterm-256color smartbox console" in plain.output, "the sentence")
    assert b"Traceback" not in plain.output
    assert b"\x1b[?1049h" not in plain.output


def test_a_pipe_gets_a_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        command_line(tmp_path), stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 1
    assert "ssh -t box smartbox console" in done.stderr


def test_a_type_that_the_box_has_never_heard_of_is_new() -> None:
    assert terminal._colours("foot-extra-new") == 256
    assert terminal._colours("vt100") < 8


@pytest.mark.parametrize(
    ("environ", "few"),
    [
        ({"TERM": "linux", "COLORTERM": "truecolor"}, True),
        ({"TERM": "xterm"}, True),
        ({"TERM": "screen"}, True),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, False),
        ({"TERM": "tmux-256color"}, False),
        ({}, False),
    ],
)
def test_colours_by_the_terminal(environ: dict[str, str], few: bool) -> None:
    assert terminal.few_colours(environ) is few


@pytest.mark.parametrize(
    ("environ", "charset"),
    [
        ({"LANG": "C"}, ""),
        ({"LANG": "de_DE.UTF-8"}, ""),
        ({"LANG": "de_DE.utf8@euro"}, ""),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "en_US.ISO-8859-1"}, "ISO-8859-1"),
        ({"LANG": "de_DE@euro"}, "de_DE@euro"),
        ({}, ""),
    ],
)
def test_a_login_with_another_character_set_is_noticed(environ: dict[str, str], charset: str) -> None:
    assert terminal.foreign_charset(environ) == charset


def test_ssh_is_seen_through_sudo(tmp_path: Path) -> None:
    assert terminal.kind({"SSH_TTY": "/dev/pts/1"}) == "ssh"
    chain = {
        os.getpid(): ("python", 20),
        20: ("sudo", 19),
        19: ("bash", 18),
        18: ("sshd-session", 1),
        1: ("init", 0),
    }
    for pid, (name, parent) in chain.items():
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_text(f"{pid} ({name}) S {parent} 1 1 0", encoding="ascii")
    assert terminal.kind({"SUDO_USER": "anna"}, tmp_path) == "ssh"
    (tmp_path / "18" / "stat").write_text("18 (login) S 1 1 1 0", encoding="ascii")
    assert terminal.kind({"SUDO_USER": "anna"}, tmp_path) == "local"
    assert terminal.kind({}, tmp_path) == "local"


def test_a_refusal_has_the_contracts_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "isatty", lambda number: True)
    with pytest.raises(SmartBoxError) as caught:
        terminal.prepare({"TERM": "vt100"})
    assert caught.value.code == "refused"
