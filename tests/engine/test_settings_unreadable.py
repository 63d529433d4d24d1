"""A settings file that does not hold, with real processes under a service manager: they wait, say why to everybody
who asks, and go on once it is mended; what runs already runs on."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings import history, last_good
from smartbox_tui.wire import client
from tests.support.box import PROGRAM, Box, CtlError, until
from tests.support.tmux import Pane
from tests.unit.test_watchdog import Listener

GOOD = '[[sources]]\nid = "endo"\nkind = "pattern"\nsize = "320x240"\n'
CUT = '[[sources]\nid = "endo"\n'
MISSPELT = GOOD + "fsp = 30\n"
NAMED = GOOD.replace("[[sources]]", 'station_name = "ROOM1"\n[[sources]]')
STATUS = "STATUS=waits, the settings cannot be read: "


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    """What is started under it believes that systemd did."""
    listener = Listener(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", listener.environ["NOTIFY_SOCKET"])
    yield listener
    listener.close()


@pytest.fixture
def box() -> Iterator[Box]:
    made = Box(CUT)
    yield made
    made.close()


def waits(box: Box, name: str) -> None:
    """Starts it, and has it say so."""
    box.start(name, wait=False)

    def says_so() -> bool:
        with pytest.raises(SmartBoxError) as caught:
            client.get(box.runtime / f"{name}.sock", "/v1/status")
        return "its settings cannot be read" in caught.value.message

    until(says_so, what=f"{name} to say that it waits")


def again(box: Box, text: str) -> None:
    """Both end, and are started with another file."""
    for name in ("engine", "capture"):
        assert box.stop(name) == 0
    box.config.write_text(text, encoding="utf-8")
    box.start()


def test_both_wait_say_why_and_end_to_be_started_anew(box: Box, manager: Listener) -> None:
    lines: list[str] = []

    def told(text: str, times: int = 1) -> bool:
        lines.extend(manager.heard(0))
        return sum(text in line for line in lines) >= times

    for name in ("capture", "engine"):
        waits(box, name)
    until(lambda: told(f"{STATUS}{box.config} is not readable as TOML", 2), what="why it waits")
    until(lambda: told("READY=1", 2) and told("WATCHDOG=1", 6), what="ready, and fed while it waits")
    for command in (("status",), ("still",), ("exam", "current")):
        with pytest.raises(CtlError, match=r"its settings cannot be read: .*box\.toml.* line") as caught:
            box.ctl(*command)
        assert (caught.value.status, caught.value.code) == (3, "no-engine")
    checks = {each["id"]: each for each in json.loads(box.raw("doctor", "--json").stdout)["checks"]}
    for name in ("settings", "capture", "engine"):
        assert checks[name]["ok"] is False
        assert "box.toml is not readable as TOML" in checks[name]["message"]

    box.config.write_text(MISSPELT, encoding="utf-8")
    until(lambda: told(f"{STATUS}There is no setting 'sources.endo.fsp'", 2), what="the next mistake")
    assert all(process.poll() is None for process in box.processes.values())
    for name in ("capture", "engine"):
        assert box.log(name).count("waits: ") == 2, "each mistake is in the journal once"

    box.config.write_text(GOOD, encoding="utf-8")
    for process in box.processes.values():
        assert process.wait(30) == 0
    box.start()
    assert box.ctl("still")["instance"]["kind"] == "still"


def test_sigterm_ends_what_waits(box: Box, manager: Listener) -> None:
    waits(box, "capture")
    assert box.stop("capture") == 0
    assert not (box.runtime / "capture.sock").exists()


def test_by_hand_the_mistake_ends_it(box: Box) -> None:
    for name in ("capture", "engine", "console"):
        done = box.raw(name)
        assert done.returncode == 1
        assert "box.toml is not readable as TOML" in done.stderr


def test_what_runs_runs_on_and_nothing_is_changed_in_a_file_that_does_not_hold(box: Box, manager: Listener) -> None:
    box.config.write_text(GOOD, encoding="utf-8")
    box.start()
    box.config.write_text(CUT, encoding="utf-8")
    with pytest.raises(CtlError, match=r"box\.toml is not readable as TOML"):
        box.ctl("settings", "set", "language", "en")
    box.open_exam()
    assert box.ctl("still")["instance"]["kind"] == "still"

    # capture dies, and no copy is there: it cannot begin, and what needs it not goes on
    box.kill("capture")
    (history.folder(box.state) / last_good.FILE).unlink()
    waits(box, "capture")
    with pytest.raises(CtlError, match="its settings cannot be read"):
        box.ctl("still")
    box.ctl("exam", "close")
    exam = box.open_exam()
    box.config.write_text(GOOD, encoding="utf-8")
    assert box.processes["capture"].wait(30) == 0
    box.start("capture")
    until(lambda: box.ctl("exam", "current")["exam"]["id"] == exam["id"], what="the exam that was opened meanwhile")
    box.ctl("still")
    until(lambda: box.ctl("exam", "show", exam["id"])["exam"]["instances"] == 1, what="its picture")


def test_a_box_that_has_worked_works_on_with_what_the_file_said(box: Box, manager: Listener) -> None:
    """Started anew with a slip in the file: the settings of before, an alarm, and no change until it is mended."""
    box.config.write_text(NAMED, encoding="utf-8")
    box.start()
    again(box, NAMED.replace('"ROOM1"', '"ROOM2'))
    assert box.ctl("settings", "get", "station_name")["value"] == "ROOM1"
    exam = box.open_exam()
    assert box.ctl("still")["instance"]["kind"] == "still"

    alarm = next(item for item in box.ctl("status")["alarms"] if item["code"] == "settings-file")
    assert "box.toml is not readable as TOML" in alarm["message"]
    assert "In force is what the file said when it last held, kept on 20" in alarm["message"]
    assert box.ctl("settings", "show")["file_trouble"] == alarm["message"]
    checks = {each["id"]: each for each in json.loads(box.raw("doctor", "--json").stdout)["checks"]}
    assert (checks["settings"]["ok"], checks["settings"]["message"]) == (False, alarm["message"])
    assert "settings.destinations" in checks, "the others are made with what is in force"
    for name in ("capture", "engine"):
        assert f"the settings file cannot be read: {alarm['message']}" in box.log(name)
    with pytest.raises(CtlError, match=r"box\.toml is not readable as TOML"):
        box.ctl("settings", "set", "language", "en")

    for name in ("engine", "capture"):
        box.kill(name)
    box.start()  # and once more: the copy is the same
    assert box.ctl("exam", "current")["exam"]["id"] == exam["id"]

    box.config.write_text(NAMED.replace("ROOM1", "ROOM3"), encoding="utf-8")
    box.ctl("settings", "set", "language", "en")
    assert box.ctl("settings", "get", "station_name")["value"] == "ROOM3", "mended: in force with the next change"
    assert "settings-file" not in {item["code"] for item in box.ctl("status")["alarms"]}
    again(box, CUT)
    assert box.ctl("settings", "get", "station_name")["value"] == "ROOM3", "a change has it kept, too"


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
@pytest.mark.parametrize("size", [(80, 24), (120, 33)])
def test_the_panel_says_it_in_both_languages_and_comes_back(
    size: tuple[int, int], box: Box, manager: Listener
) -> None:
    command = shlex.join([*PROGRAM, "console", *box.common])
    environment = {**os.environ, "TERM": "xterm-256color"}
    with Pane(command, size, environment) as pane:
        both = ("Die Einstellungen der Box sind nicht lesbar", "The settings of the box cannot be read")
        more = ("keine Bilder", "No pictures can be taken", "Zeile 2", "line 2", "Mend that line")
        seen = pane.shows(*both, *more)
        assert "Traceback" not in seen
        box.config.write_text(GOOD, encoding="utf-8")
        pane.shows("LEFT 0")


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_the_panel_knows_that_the_recorder_works_with_what_it_read_before(box: Box, manager: Listener) -> None:
    box.config.write_text(GOOD, encoding="utf-8")
    box.start("capture")
    box.config.write_text(MISSPELT, encoding="utf-8")
    environment = {**os.environ, "TERM": "xterm-256color"}
    with Pane(shlex.join([*PROGRAM, "console", *box.common]), (100, 30), environment) as pane:
        pane.shows("Die Pedale nehmen weiter Bilder auf", "The pedals still take pictures", "sources.endo.fsp")
        box.kill("capture")
        pane.shows("keine Bilder", without=("Die Pedale nehmen",))


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_a_screen_that_was_there_before_says_what_its_recorder_waits_for(box: Box, manager: Listener) -> None:
    box.config.write_text(GOOD, encoding="utf-8")
    environment = {**os.environ, "TERM": "xterm-256color"}
    with Pane(shlex.join([*PROGRAM, "console", *box.common]), (160, 50), environment) as pane:
        pane.shows("KEIN REKORDER")
        box.config.write_text(MISSPELT, encoding="utf-8")
        waits(box, "capture")
        seen = pane.shows("Die Einstellungen der Box sind nicht lesbar", "Ist sources.endo.fps gemeint?")
        assert seen.count("Die Einstellungen der Box sind nicht lesbar") == 2, "above, and in the picture's place"
