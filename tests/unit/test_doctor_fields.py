"""doctor's fields on machines that are not here: systemd, disks, networks, rights, pedals, grabbers."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from hw.errors import HardwareError
from hw.identity import Node
from smartbox_tui.commands.doctor import disk, grabbers, machine, network, panel, pedals, rights, running, services
from smartbox_tui.commands.doctor.check import Check, Context, output
from smartbox_tui.settings.destination import Destination
from smartbox_tui.settings.paths import Paths
from smartbox_tui.settings.schema import Panel, Pedal, Settings, Source, Worklist
from tests.support.dcmtk import free_port

SHOWN = """Id=smartbox-engine.service
LoadState=loaded
ActiveState=active
SubState=running
NRestarts=0
Result=success
ActiveEnterTimestamp=Sat 2026-11-21 06:00:01 CET

Id=smartbox-capture.service
LoadState=loaded
ActiveState=active
SubState=running
NRestarts=7
Result=watchdog

Id=smartbox-console@tty1.service
LoadState=not-found
ActiveState=inactive
"""


def found(lines: Any) -> dict[str, Check]:
    return {each.id: each for each in lines}


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(Paths(tmp_path / "s", tmp_path / "r"))


def test_units_that_were_started_anew_are_told(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    says = {"systemctl": SHOWN, "journalctl": "one\ntwo\n"}
    monkeypatch.setattr(services, "output", lambda program, *_words, **_more: says[program])
    lines = found(services.services(context))
    assert lines["service.smartbox-engine"].ok
    assert lines["service.smartbox-capture"].ok is False
    assert "7 times, last ended by watchdog" in lines["service.smartbox-capture"].message
    assert lines["service.smartbox-console@tty1"].ok is None
    assert lines["service.errors"].ok is False
    assert lines["service.errors"].message.startswith("2 errors")


def test_without_systemd_nothing_is_claimed(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "output", lambda *_words, **_more: None)
    (line,) = services.services(context)
    assert line.ok is None


def test_a_program_that_hangs_or_is_missing_gives_nothing() -> None:
    assert output("sleep", "5", seconds=0.1) is None
    assert output("no-such-program-here") is None
    assert output("false") is None
    assert output("printf", "x") == "x"


def test_the_last_mount_of_several_counts_and_options_are_those_of_both(tmp_path: Path) -> None:
    number = tmp_path.stat().st_dev
    here = f"{os.major(number)}:{os.minor(number)}"
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        f"22 1 {here} / / rw,relatime shared:1 - ext4 /dev/sda1 rw,data=journal\n"
        f"23 22 {here} / /var ro,noatime - ext4 /dev/sda1 rw,commit=5\n"
        "24 22 0:5 / /proc rw - proc proc rw\n",
        encoding="ascii",
    )
    assert disk.mount_of(tmp_path, mounts) == ("/var", "ext4", "ro,noatime,rw,commit=5", "/dev/sda1")


def test_a_disk_in_memory_and_one_that_is_read_only_fail(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    context.folders.state.mkdir()
    for mount in (("/", "tmpfs", "rw", "tmpfs"), ("/", "ext4", "ro,relatime", "/dev/sda1")):
        monkeypatch.setattr(disk, "mount_of", lambda _folder, mount=mount: mount)
        assert found(disk.disk(context))["disk.mount"].ok is False


def test_while_a_recording_runs_neither_disk_nor_grabber_is_touched(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    context.capture = {"sources": [{"id": "endo", "recording": {"frames": 5}}]}
    monkeypatch.setattr(disk, "_measured", lambda *_: pytest.fail("the disk was used"))
    monkeypatch.setattr(grabbers, "udev_nodes", lambda _subsystem: [Node("/dev/video7", "pci-1-usb-0:2:1.0")])
    assert found(disk.disk(context))["disk.sync"].ok is None
    assert found(grabbers.devices(context))["grabber.pci-1-usb-0:2"].ok is None


def test_a_grabber_that_is_set_and_not_there(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(path: str) -> Any:
        raise HardwareError("ask", path, "Input/output error", "Pull the plug and put it in again.")

    monkeypatch.setattr(grabbers, "udev_nodes", lambda _subsystem: [Node("/dev/video7", "pci-1-usb-0:2:1.0")])
    monkeypatch.setattr("hw.video.v4l2.query.capabilities", gone)
    context.settings = Settings(sources=(Source(id="a", device="usb-0:2"), Source(id="b", device="usb-0:9")))
    lines = found(grabbers.devices(context))
    assert lines["source.a.device"].ok
    assert lines["source.b.device"].ok is False
    assert "There are: pci-1-usb-0:2." in lines["source.b.device"].hint
    assert lines["grabber.pci-1-usb-0:2"].ok is False
    assert "Pull the plug" in lines["grabber.pci-1-usb-0:2"].hint


def test_rates_by_what_was_counted() -> None:
    asked = {"id": "e", "fps": 30.0, "width": 640, "height": 360, "frames_lost": 3}
    assert grabbers._rate(asked, ("frames", 100), ("frames", 160), asked, 2.0).ok
    slow = grabbers._rate(asked, ("frames", 100), ("frames", 125), asked, 2.0)
    assert slow.ok is False
    assert "12.5 of 30" in slow.message
    assert "3 frames lost" in slow.message
    assert grabbers._rate(asked, ("previews", 10), ("previews", 40), asked, 2.0).ok, "no more than 15 are made"
    assert grabbers._rate(asked, ("previews", 10), ("frames", 40), asked, 2.0).ok is None
    assert grabbers._rate(asked, ("", 0), ("", 0), asked, 2.0).ok is None


@pytest.mark.parametrize(
    ("state", "ok"), [("ok", True), ("starting", None), ("stuck", False), ("gone", False), ("refused", False)]
)
def test_pedals_as_capture_says_them(context: Context, state: str, ok: bool | None) -> None:
    context.settings = Settings(pedals=(Pedal(id="left", device="usb-0:3"),))
    context.engine = {"pedals": [{"id": "left", "kind": "evdev", "device": "usb-0:3", "state": state, "text": "x"}]}
    (line,) = pedals.pedals(context)
    assert line.ok is ok
    assert state in line.message
    assert line.hint or ok is not False


def test_pedals_with_capture_away(context: Context, tmp_path: Path) -> None:
    there = tmp_path / "ttyUSB0"
    there.touch()
    context.settings = Settings(
        pedals=(
            Pedal(id="a", kind="serial-line", device=f"{there}?line=CTS"),
            Pedal(id="b", kind="evdev", device="/dev/input/event-nowhere"),
            Pedal(id="c", kind="key"),
            Pedal(id="d", kind="evdev"),
        )
    )
    lines = found(pedals.pedals(context))
    assert [lines[f"pedal.{name}"].ok for name in "abcd"] == [True, False, True, None]


def test_names_of_the_settings_are_looked_up(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    def lookup(host: str, *_: Any, **__: Any) -> list[Any]:
        if host != "localhost":
            raise socket.gaierror(-2, "Name or service not known")
        return [(2, 1, 6, "", ("127.0.0.1", 0))]

    monkeypatch.setattr("socket.getaddrinfo", lookup)
    context.settings = Settings(
        destinations=(
            Destination(name="a", host="localhost", aet="A"),
            Destination(name="b", host="nobody.invalid", aet="B"),
            Destination(name="c", kind="dicomweb", url="https://192.0.2.1:8443/dicom-web"),
        ),
        worklist=Worklist(host="10.0.0.6"),
    )
    assert network.hosts(context) == ["localhost", "nobody.invalid", "192.0.2.1", "10.0.0.6"]
    lines = found(network._names(context))
    assert lines["network.name.localhost"].ok
    assert lines["network.name.nobody.invalid"].ok is False
    assert len(lines) == 2, "addresses are none"


def test_the_boxs_own_port(context: Context) -> None:
    context.settings = Settings(port=free_port())
    assert not list(network._own_port(context)), "with the engine dead nobody expects it"
    context.engine = {}
    (line,) = network._own_port(context)
    assert line.ok is False


def test_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "_addresses", lambda: {"eth0": ["192.0.2.2/24"]})
    for name, state, duplex in (
        ("eth0", "up", "half"),
        ("eth1", "down", ""),
        ("lo", "unknown", ""),
        ("ifb0", "down", ""),
    ):
        folder = tmp_path / name
        (folder / "statistics").mkdir(parents=True)
        (folder / "statistics" / "rx_errors").write_text("12\n", encoding="ascii")
        (folder / "operstate").write_text(f"{state}\n", encoding="ascii")
        (folder / "duplex").write_text(f"{duplex}\n", encoding="ascii")
    (tmp_path / "eth1" / "device").mkdir()
    lines = found(network._interfaces(tmp_path))
    assert list(lines) == ["network.eth0", "network.eth1"]
    assert lines["network.eth0"].ok is False
    assert "half duplex, 192.0.2.2/24, 12 errors" in lines["network.eth0"].message
    assert lines["network.eth1"].ok is None


def test_secrets_and_pictures_that_everybody_may_read(context: Context, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:2]:
        parent.chmod(parent.stat().st_mode | 0o001)
    open_, closed = tmp_path / "open", tmp_path / "closed"
    for path, mode in ((open_, 0o644), (closed, 0o640)):
        path.write_text("secret", encoding="ascii")
        path.chmod(mode)
    context.settings = Settings(
        destinations=(
            Destination(name="a", kind="dicomweb", url="https://a", auth="bearer", token_file=str(open_)),
            Destination(name="b", kind="dicomweb", url="https://b", auth="bearer", token_file=str(closed)),
            Destination(name="c", kind="dicomweb", url="https://c", auth="bearer", token_file=str(tmp_path / "no")),
            Destination(name="d", kind="dicomweb", url="https://d", auth="bearer", token_file="credential"),
        )
    )
    lines = found(rights.rights(context))
    assert lines["rights.destinations.a.token_file"].ok is False
    assert lines["rights.destinations.b.token_file"].ok
    assert lines["rights.destinations.c.token_file"].ok is False
    assert "rights.destinations.d.token_file" not in lines
    assert "rights.state" not in lines, "it is not there yet"
    assert not any("secret" in each.message.replace(str(tmp_path), "") for each in lines.values())


def test_a_machine_is_described(context: Context) -> None:
    lines = found([*machine.machine(context), *machine.clock(context)])
    assert lines["memory"].ok is not None
    context.engine = {"clock": "trusted"}
    assert found(machine.clock(context))["clock"].ok


def test_a_panel_that_is_not_there_is_no_failure_but_one_that_is_named_is(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(panel, "touch_panels", lambda: [])
    assert found(panel._touch(context))["panel.touch"].ok is None
    context.settings = Settings(panel=Panel(touch="usb-0:4"))
    assert found(panel._touch(context))["panel.touch"].ok is False
    monkeypatch.setattr(panel, "touch_panels", lambda: [("/dev/input/event3", "ILITEK")])
    assert "ILITEK on /dev/input/event3; not calibrated" in found(panel._touch(context))["panel.touch"].message


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_without_root_it_says_what_it_could_not_see(context: Context) -> None:
    """A process of nobody's, which may neither ask the box nor look into its folders."""
    context.folders.runtime.mkdir(mode=0o755)
    context.folders.engine_socket.touch(0o660)
    context.folders.state.mkdir(mode=0o700)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        os.close(read)
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        try:
            fields = (running.engine, disk.disk, rights.rights, panel.panel, machine.machine)
            told = [f"{each.id} {each.ok}" for field in fields for each in field(context)]
            os.write(write, "\n".join(told).encode())
            status = 0
        except BaseException as exc:
            os.write(write, repr(exc).encode())
        finally:
            os._exit(status)
    os.close(write)
    with os.fdopen(read, encoding="utf-8") as pipe:
        told = pipe.read()
    assert os.waitpid(child, 0)[1] == 0, told
    assert "engine None" in told, "it may be there"
    assert "disk.sync None" in told
    assert "memory True" in told
