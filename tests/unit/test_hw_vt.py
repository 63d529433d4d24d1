"""Whether a terminal is the box's own panel: made-up ones, a real pty, and a real /dev/tty1 where there is one."""

from __future__ import annotations

import os
import pty
import struct

import pytest

from hw.calls import SystemCalls
from hw.errors import HardwareError
from hw.fake.vt import FakeTerminal
from hw.panel import vt


def test_the_panels_terminal_is_known_by_its_device_number():
    terminal = vt.virtual_terminal(0, FakeTerminal(number=3, cells=(128, 40)))
    assert terminal is not None
    assert (terminal.number, terminal.path) == (3, "/dev/tty3")
    assert terminal.cells() == (128, 40)


@pytest.mark.parametrize("device", [(4, 0), (4, 64), (5, 1), (136, 1), (4, 1 << 12 | 1)])
def test_serial_lines_and_ptys_are_not_the_panel(device):
    class Other(FakeTerminal):
        def answer(self, request, argument):
            major, minor = device
            return struct.pack("I", minor & 0xFF | major << 8 | (minor & ~0xFF) << 12)

    assert vt.virtual_terminal(0, Other()) is None


def test_a_real_pty_a_file_and_a_closed_descriptor_are_not_the_panel(tmp_path):
    master, slave = pty.openpty()
    try:
        assert vt.virtual_terminal(slave) is None
    finally:
        os.close(slave)
        os.close(master)
    assert vt.virtual_terminal(slave) is None
    with (tmp_path / "file").open("w") as file:
        assert vt.virtual_terminal(file.fileno()) is None


def test_it_is_in_front_only_while_the_screen_shows_it_as_text():
    fake = FakeTerminal(number=1)
    terminal = vt.virtual_terminal(0, fake)
    assert terminal.in_front()
    fake.front = 2
    assert not terminal.in_front()
    fake.front = 1
    fake.mode = 1
    assert not terminal.in_front()
    fake.mode = vt.KD_TEXT
    assert terminal.in_front()
    fake.gone = True
    assert not terminal.in_front()
    with pytest.raises(HardwareError):
        terminal.cells()


def test_the_size_of_a_letter_is_told_where_the_driver_knows_it():
    fake = FakeTerminal()
    fake.font = (12, 24)
    terminal = vt.virtual_terminal(0, fake)
    assert terminal.cell() == (12, 24)
    fake.font = None
    assert terminal.cell() is None


def test_a_real_virtual_terminal():
    try:
        fd = os.open("/dev/tty1", os.O_RDWR | os.O_NOCTTY)
    except OSError as error:
        pytest.skip(f"no usable /dev/tty1 here ({error.strerror}): a real virtual terminal is not tested")
    try:
        terminal = vt.virtual_terminal(fd, SystemCalls())
        assert terminal is not None
        assert terminal.number == 1
        columns, rows = terminal.cells()
        assert columns >= 1
        assert rows >= 1
        assert terminal.in_front() in (True, False)
    finally:
        os.close(fd)
