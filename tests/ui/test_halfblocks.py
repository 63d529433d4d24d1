"""The picture: right colours, right shape, as few sequences as possible."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest
from rich.console import Console

from smartbox_tui.ui import halfblocks
from smartbox_tui.ui.halfblocks import Depth, fit
from smartbox_tui.ui.widgets.picture import Inset, Scene, draw
from smartbox_tui.wire.preview import PreviewPicture
from tests.support.moving import HEIGHT, WIDTH, scene


def picture(step: int = 0) -> PreviewPicture:
    return PreviewPicture(WIDTH, HEIGHT, scene(step), step + 1, 0)


def test_the_upper_pixel_is_the_foreground_the_lower_the_background() -> None:
    field = np.array([[[252, 0, 0]], [[0, 0, 252]]], np.uint8)
    assert halfblocks.lines(field) == ["\x1b[38;2;252;0;0m\x1b[48;2;0;0;252m▀\x1b[0m"]


def test_a_colour_is_said_only_when_it_changes() -> None:
    field = np.zeros((2, 5, 3), np.uint8)
    field[0] = 252
    assert halfblocks.lines(field)[0].count("\x1b[") == 3, "foreground, background, reset"
    field[0] = 0
    assert halfblocks.lines(field) == ["\x1b[48;2;0;0;0m     \x1b[0m"], "one colour is a blank"


@pytest.mark.parametrize(
    ("depth", "sequences"),
    [
        (Depth.CUBE, ["\x1b[38;5;196m", "\x1b[48;5;21m"]),
        (Depth.SIXTEEN, ["\x1b[31m", "\x1b[44m"]),
    ],
)
def test_terminals_with_fewer_colours_get_what_they_have(depth: Depth, sequences: list[str]) -> None:
    value = 170 if depth is Depth.SIXTEEN else 255
    field = np.array([[[value, 0, 0]], [[0, 0, value]]], np.uint8)
    assert re.findall(r"\x1b\[[\d;]+m", halfblocks.lines(field, depth)[0])[:2] == sequences


@pytest.mark.parametrize(
    ("columns", "rows", "expected"),
    [
        (80, 30, (80, 44)),  # 16:9 in 80 columns: 45 half cells, even
        (160, 20, (71, 40)),
        (86, 26, (86, 48)),
        (1, 1, (1, 2)),
    ],
)
def test_the_aspect_is_kept(columns: int, rows: int, expected: tuple[int, int]) -> None:
    box = fit(1920, 1080, columns, rows)
    assert (box.width, box.height) == expected
    assert 0 <= box.x <= columns - box.width
    assert box.y % 2 == 0
    assert box.y + box.height <= rows * 2


def test_the_aspect_follows_the_shape_of_the_cells() -> None:
    assert fit(100, 100, 100, 25, cell_aspect=0.5).width == 50
    assert fit(100, 100, 100, 25, cell_aspect=0.625).width == 40, "wider cells, fewer of them"


def test_scaling_averages_down_and_repeats_up() -> None:
    board = np.indices((4, 4)).sum(axis=0) % 2 * 200
    grey = np.repeat(board[:, :, None], 3, axis=2).astype(np.uint8)
    assert halfblocks.scale(grey, 2, 2).tolist() == [[[100] * 3] * 2] * 2
    dot = np.array([[[9, 8, 7]]], np.uint8)
    assert halfblocks.scale(dot, 3, 2).tolist() == [[[9, 8, 7]] * 3] * 2


def test_every_line_has_the_width_of_the_widget_also_with_words_in_it() -> None:
    notice = Scene(54, 18, picture(), notice=("KEIN SIGNAL", "", "Kabel prüfen"))
    inset = Scene(54, 18, picture(), Inset(picture(5), "✓ Foto 6 · 21:45:49"))
    for drawn in (draw(notice), draw(inset)):
        assert len(drawn) == 18
        for strip in drawn:
            assert sum(len(segment.text) for segment in strip) == 54
            assert len(re.sub(r"\x1b\[[\d;]*m", "", strip._render_cache or "")) == 54
    assert any("KEIN SIGNAL" in strip.text for strip in draw(notice))
    assert any("✓ Foto 6" in strip.text for strip in draw(inset))


def test_a_cut_through_a_line_keeps_its_colours() -> None:
    strip = draw(Scene(40, 12, picture()))[6]
    left, right = strip.divide([20, 40])
    assert (left.cell_length, right.cell_length) == (20, 20)
    assert [segment.style for segment in right] == [segment.style for segment in strip][20:]


def on_terminal(ansi: str) -> list[tuple[str, str, str]]:
    """Sign, letter's colour and ground of each cell, as numbers of the sequences; a blank has no letter."""
    cells, ink, ground = [], "", ""
    for codes, sign in re.findall(r"\x1b\[([\d;]*)m|([^\x1b])", ansi):
        if sign:
            cells.append((sign, ink if sign != " " else "", ground))
            continue
        if codes == "0":
            ink = ground = ""
        elif re.fullmatch(r"4\d", codes):
            ground = codes
        elif both := re.fullmatch(r"(.*);(4\d)", codes):
            ink, ground = both.groups()
        else:
            ink = codes
    return cells


@pytest.mark.parametrize("notice", [(), ("KEIN SIGNAL",)])
def test_a_cut_through_a_line_of_the_panel_keeps_its_numbers(notice: tuple[str, ...]) -> None:
    """A notice over the picture leaves what is beside it as it is: the same numbers, the same pattern."""
    console = Console(color_system="standard", force_terminal=True)
    seen = set()
    for strip in draw(Scene(40, 12, picture(), depth=Depth.PANEL, notice=notice)):
        whole = on_terminal(strip._render_cache or "")
        assert len(whole) == 40
        halves = strip.divide([17, 40])
        assert [half.cell_length for half in halves] == [17, 23]
        assert [cell for half in halves for cell in on_terminal(half.render(console))] == whole
        seen |= {ground for _sign, _ink, ground in whole}
    assert len(seen) > 2


@pytest.mark.parametrize(("columns", "rows"), [(80, 30), (120, 45), (200, 60)])
def test_how_long_a_picture_takes(columns: int, rows: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Measured and printed, not judged: the machine is shared."""
    pictures = [picture(step) for step in range(8)]
    spent = []
    for live in pictures:
        begin = time.perf_counter()
        strips = draw(Scene(columns, rows, live))
        spent.append((time.perf_counter() - begin) * 1e3)
    size = sum(len(strip._render_cache or "") for strip in strips)
    with capsys.disabled():
        print(f"\npreview {columns}x{rows}: {np.median(spent):.1f} ms, {size / 1e3:.0f} kB", end="")
