"""`smartbox demo`: the whole box in one command, its processes visible, restarted, ended; folders as promised."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.demo import supervisor
from tests.support.box import PROGRAM, until
from tests.support.orthanc import orthanc


def ctl(runtime: Path, *arguments: str, stdin: str | None = None) -> Any:
    done = subprocess.run(
        [*PROGRAM, "ctl", *arguments, "--json", "--runtime", str(runtime)],
        input=stdin, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return json.loads(done.stdout)


def children(demo: subprocess.Popen[bytes]) -> dict[str, int]:
    """Name to process id, from what ps would show."""
    found = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rsplit(")", 1)[1].split()[1])
            command = (status.parent / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        # a zombie has no command line, and one that was only just forked that of its parent
        if parent == demo.pid and command != [b""] and b"demo" not in command:
            name = next((item.decode() for item in command if item in (b"engine", b"capture", b"console")), "")
            assert b"--runtime" in command
            found[name] = int(status.parent.name)
    return found


@contextmanager
def demo(*arguments: str, **keywords: Any) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [*PROGRAM, "demo", "--headless", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **keywords,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def ready(runtime: Path) -> bool:
    value = ctl(runtime, "status")
    return "error" not in value and value["sources"][0]["signal"]


def test_the_main_job_in_one_command_and_a_killed_process_is_back_within_a_second(tmp_path: Path) -> None:
    state, runtime = tmp_path / "s", tmp_path / "r"
    with demo("--state", str(state), "--runtime", str(runtime)) as process:
        until(lambda: ready(runtime), 20, "the demo")
        before = children(process)
        assert set(before) == {"engine", "capture"}
        patient = '{"id": "D-1", "name": "Demo^Eins", "birth_date": "1970-01-01", "sex": "O"}'
        exam = ctl(runtime, "exam", "open", "--patient-file", "-", stdin=patient)["exam"]
        for name, pid in before.items():
            os.kill(pid, signal.SIGKILL)
            until(lambda name=name, pid=pid: children(process).get(name, pid) != pid, 30, f"a new {name}")  # type: ignore[misc]
        assert supervisor.RESTART_S <= 0.5, "and the rest of the second is the machine's"
        until(lambda: ready(runtime), 20, "the demo after the kills")
        assert ctl(runtime, "exam", "current")["exam"]["id"] == exam["id"]
        assert "instance" in ctl(runtime, "still")
        ctl(runtime, "exam", "close")
        until(lambda: list((state / "archive").glob("*.dcm")), 10, "the picture in the simulated archive")
    until(lambda: not children(process))
    assert (state / "spool").is_dir()  # a given folder is never removed
    with demo("--state", str(state), "--runtime", str(runtime)):
        until(lambda: ready(runtime), 20, "the demo on its own folder again")
        assert ctl(runtime, "queue", "list")["deliveries"][0]["state"] == "stored"


def test_a_folder_that_is_not_the_demos_is_refused(tmp_path: Path) -> None:
    (tmp_path / "picture").write_text("somebody's", encoding="utf-8")
    done = subprocess.run(
        [*PROGRAM, "demo", "--headless", "--json", "--state", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["code"] == "refused"
    assert [path.name for path in tmp_path.iterdir()] == ["picture"]


def test_folders_of_its_own_are_gone_at_the_end_and_nothing_runs_on_when_it_is_killed() -> None:
    with tempfile.TemporaryDirectory(prefix="sbd-") as name:  # short: a socket's path has 107 bytes at most
        _folders_of_its_own(Path(name))


def _folders_of_its_own(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with demo(env=environment) as process:
        until(lambda: len(children(process)) == 2, what="the demo to start both")
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []
    with demo(env=environment) as process:
        # Python tries out TMPDIR with a file of its own before anything else is there
        (runtime,) = until(lambda: list(tmp_path.glob("*/run")), 20, "the demo's folder")
        until(
            lambda: (runtime / "engine.sock").exists() and (runtime / "capture.sock").exists(), 20, "both sockets"
        )
        running = children(process)
        process.kill()
        process.wait()
        until(
            lambda: not [pid for pid in running.values() if Path(f"/proc/{pid}/exe").exists()],
            15,
            "the children's end",
        )


@pytest.mark.orthanc
def test_pacs_and_config_say_what_is_not_simulated(tmp_path: Path) -> None:
    config = tmp_path / "box.toml"
    config.write_text('station_name = "MINE"\n[[sources]]\nid = "left"\nkind = "pattern"\nsize = "640x360"\n')
    runtime = tmp_path / "r"
    with orthanc(tmp_path / "o") as archive:
        arguments = [
            "--config",
            str(config),
            "--runtime",
            str(runtime),
            "--pacs",
            f"127.0.0.1:{archive.port}:ORTHANC",
        ]
        with demo(*arguments):
            until(lambda: ready(runtime), 20, "the demo")
            (source,) = ctl(runtime, "sources")["sources"]
            assert (source["id"], source["width"]) == ("left", 640)
            ctl(runtime, "exam", "open", "--emergency", "male")
            ctl(runtime, "still")
            ctl(runtime, "exam", "close")
            until(lambda: len(archive.instances()) == 1)


@pytest.mark.parametrize(("option", "code"), [("127.0.0.1:x:A", "bad-value"), ("nonsense", "bad-value")])
def test_a_wrong_pacs_is_told(option: str, code: str) -> None:
    done = subprocess.run(
        [*PROGRAM, "demo", "--headless", "--json", "--pacs", option], capture_output=True, text=True, check=False
    )
    assert json.loads(done.stdout)["error"]["code"] == code
