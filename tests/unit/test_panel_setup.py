"""`smartbox panel`: which letters a panel gets, what is loaded, and that nothing of it keeps the console away."""

from __future__ import annotations

import json
import os
import pty
import struct
from pathlib import Path

import pytest

from hw.fake.framebuffer import FakeFramebuffer
from hw.fake.vt import FakeTerminal
from hw.panel import measure, psf
from hw.panel.palette import PALETTE
from smartbox_tui.commands import panel
from smartbox_tui.commands.options import Options
from smartbox_tui.errors import SmartBoxError

# pixels, dots an inch: the font
PANELS = {
    "5 inch 800x480": ((800, 480), 186, "8x16"),  # 80 x 24 letters are not given up for size
    "7 inch 800x480": ((800, 480), 133, "8x16"),
    "7 inch 1024x600": ((1024, 600), 170, "12x24"),
    "10 inch 1280x800": ((1280, 800), 149, "12x24"),
    "10 inch 1920x1200": ((1920, 1200), 224, "16x32"),
    "13 inch 1920x1080": ((1920, 1080), 166, "12x24"),
    "15 inch 1024x768": ((1024, 768), 85, "8x16"),
    "15 inch 1920x1080": ((1920, 1080), 141, "12x24"),
    "22 inch 1920x1080": ((1920, 1080), 102, "8x16"),
    "24 inch 3840x2160": ((3840, 2160), 185, "16x32"),
}


@pytest.mark.parametrize("name", PANELS)
def test_touch_targets_are_as_large_as_a_finger_wherever_the_screens_still_fit(name):
    pixels, dpi, expected = PANELS[name]
    choice = measure.choose(pixels, dpi, "edid")
    assert choice.name == expected
    columns, rows = choice.cells
    assert columns >= 80
    assert rows >= 24
    larger = [size for size in measure.SIZES if size > choice.size]
    if choice.target_mm < measure.TARGET_MM:
        # only because the screens would not fit, or because there is no larger one
        assert not any(pixels[0] // w >= 80 and pixels[1] // h >= 24 for w, h in larger)


@pytest.mark.parametrize(("pixels", "expected"), [
    ((640, 400), "8x16"), ((800, 480), "8x16"), ((1024, 768), "8x16"), ((1280, 800), "12x24"),
    ((1920, 1080), "16x32"), ((320, 200), "8x16"),
])  # fmt: skip
def test_a_panel_that_nobody_knows_gets_letters_that_leave_room(pixels, expected):
    choice = measure.choose(pixels, 0.0, "nobody")
    assert (choice.name, choice.target_mm) == (expected, 0.0)


def test_the_settings_decide():
    assert measure.choose((1920, 1080), 141, "edid", "8x16").name == "8x16"


def edid(wide: int, high: int, *, timing: bool = True, centimetres: tuple[int, int] = (0, 0)) -> bytes:
    data = bytearray(128)
    data[:8] = b"\x00\xff\xff\xff\xff\xff\xff\x00"
    data[21:23] = bytes(centimetres)
    if timing:
        data[54:56] = struct.pack("<H", 7425)
        data[66:69] = bytes((wide & 0xFF, high & 0xFF, wide >> 8 << 4 | high >> 8))
    data[127] = -sum(data) % 256
    return bytes(data)


def test_the_size_comes_from_the_display_when_it_tells_one_that_can_be_true(tmp_path):
    fake = FakeFramebuffer(tmp_path, (1920, 1080), millimetres=(508, 286))
    from hw.panel.framebuffer import Framebuffer

    framebuffer = Framebuffer(calls=fake)
    screen = framebuffer.open()
    framebuffer.close()
    cases = [
        (0.0, [edid(344, 194)], 141.8, "edid"),
        (0.0, [edid(0, 0, timing=False, centimetres=(34, 19))], 143.4, "edid"),
        (0.0, [edid(160, 90)], 96.0, "framebuffer"),  # a television that tells its shape
        (0.0, [edid(3000, 90)], 96.0, "framebuffer"),
        (0.0, [b"", edid(344, 194)[:100], b"\0" * 128], 96.0, "framebuffer"),
        (0.0, [edid(344, 194)[:-1] + b"\x01"], 96.0, "framebuffer"),  # damaged on its way
        (120.0, [edid(344, 194)], 120.0, "settings"),
    ]
    for setting, edids, dpi, said_by in cases:
        found, who = measure.resolution(screen, setting, edids)
        assert (round(found, 1), who) == (dpi, said_by)
    fake.millimetres = (0, 0)
    screen = framebuffer.open()
    framebuffer.close()
    assert measure.resolution(screen, 0.0, []) == (0.0, "nobody")


def test_only_displays_that_are_plugged_in_count_and_the_built_in_one_first(tmp_path):
    for name, status, content in (
        ("card0-HDMI-A-1", "connected", edid(500, 281)),
        ("card0-eDP-1", "connected", edid(344, 194)),
        ("card0-DP-1", "disconnected", edid(1, 1)),
    ):
        folder = tmp_path / "class" / "drm" / name
        folder.mkdir(parents=True)
        (folder / "status").write_text(status + "\n")
        (folder / "edid").write_bytes(content)
    (tmp_path / "class" / "drm" / "card0-VGA-1").mkdir()
    assert measure.connected_edids(tmp_path) == [edid(344, 194), edid(500, 281)]
    assert measure.connected_edids(tmp_path / "nowhere") == []


# ---- the command


class Machine(FakeTerminal):
    """A terminal whose device is a file: what is written to it can be read."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.file = folder / "tty1"
        self.file.touch()

    def open(self, path: str, flags: int) -> int:
        return super().open(str(self.file), flags)


@pytest.fixture
def box(tmp_path):
    light = tmp_path / "sys" / "class" / "backlight" / "panel"
    light.mkdir(parents=True)
    for name, value in (("max_brightness", "200"), ("brightness", "200"), ("type", "raw")):
        (light / name).write_text(value)
    screen = FakeFramebuffer(tmp_path, (1280, 800), millimetres=(217, 136))
    return Machine(tmp_path), screen, tmp_path / "sys"


def setup(box, tmp_path, settings: str = "", **changes) -> int:
    terminal, screen, sysfs = box
    config = tmp_path / "box.toml"
    config.write_text(settings)
    options = Options(True, config, tmp_path / "state", None, 0)
    return panel.setup("/dev/tty1", options, calls=terminal, screen=screen, sysfs=sysfs)


def test_the_panel_is_made_ready(box, tmp_path, capsys):
    terminal, _, sysfs = box
    assert setup(box, tmp_path, "[panel]\nbrightness = 40\n") == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {
        "font": "12x24", "columns": 106, "rows": 33, "dpi": 149.8, "dpi_from": "framebuffer", "target_mm": 10.2,
        "failures": [],
    }  # fmt: skip
    assert terminal.font == (12, 24)
    assert len(terminal.glyphs) == 512
    assert terminal.palette == bytes(value for colour in PALETTE for value in colour)
    assert b"\x1b[9;0]" in terminal.file.read_bytes()
    assert (sysfs / "class" / "backlight" / "panel" / "brightness").read_text() == "80"


def test_the_rest_is_done_when_a_part_fails(box, tmp_path, capsys):
    terminal, screen, _ = box
    screen.fail_open = 2
    assert setup(box, tmp_path) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["font"] is None
    assert len(said["failures"]) == 1
    assert terminal.palette
    # a font that was asked for needs no framebuffer
    assert setup(box, tmp_path, '[panel]\nfont = "16x32"\n') == 0
    assert terminal.font == (16, 32)


def test_by_the_unit_it_clears_what_a_dead_console_left(box, tmp_path, capsys, monkeypatch):
    terminal, _, _ = box
    assert setup(box, tmp_path) == 0
    assert b"\x1b[2J" not in terminal.file.read_bytes(), "of somebody who asks at another terminal"
    capsys.readouterr()
    monkeypatch.setattr(panel, "_is_that", lambda fd: True)
    assert setup(box, tmp_path) == 0
    assert terminal.file.read_bytes().endswith(b"\x1b[2J")
    assert capsys.readouterr().out == ""


def test_the_terminal_that_is_printed_to_is_known():
    (_, one), (_, other) = pty.openpty(), pty.openpty()
    assert panel._is_that(one, os.dup(one))
    assert not panel._is_that(one, other)
    assert not panel._is_that(one, -1)


def test_settings_that_cannot_be_read_are_no_reason_for_an_unreadable_screen(box, tmp_path, capsys):
    terminal, _, _ = box
    assert setup(box, tmp_path, "[panel]\nfonts = 1\n") == 1
    assert "fonts" in json.loads(capsys.readouterr().out)["failures"][0]
    assert terminal.font == (12, 24)


def test_what_is_no_panel_is_refused_with_a_sentence(box, tmp_path):
    _, screen, sysfs = box
    options = Options(True, None, tmp_path, None, 0)
    with pytest.raises(SmartBoxError, match="no virtual terminal"):
        panel.setup(os.devnull, options, screen=screen, sysfs=sysfs)
    with pytest.raises(SmartBoxError, match="cannot be opened"):
        panel.setup(str(tmp_path / "tty99"), options, screen=screen, sysfs=sysfs)


def test_the_fonts_come_with_the_package():
    for size in measure.SIZES:
        font = panel.shipped(f"{size[0]}x{size[1]}")
        assert (font.width, font.height) == size


def test_a_font_is_built_into_a_file(tmp_path, capsys):
    pytest.importorskip("PIL")
    from hw.panel import fontdraw

    if fontdraw.outline() is None:
        pytest.skip("DejaVu Sans Mono is not installed")
    options = Options(True, None, None, None, 0)
    file = tmp_path / "font.psf"
    assert panel.font("8x16", file, None, options) == 0
    assert json.loads(capsys.readouterr().out)["bytes"] == file.stat().st_size
    assert psf.parse(file.read_bytes()).height == 16
    with pytest.raises(SmartBoxError, match="cannot be read"):
        panel.font("8x16", file, file, options)
    with pytest.raises(SmartBoxError, match="cannot be written"):
        panel.font("8x16", tmp_path, None, options)
