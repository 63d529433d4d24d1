"""The console's fonts: every sign that the screens draw, each to be told from the others, lines that meet."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import pytest

from hw.errors import HardwareError, NotSupported
from hw.fake.vt import FakeTerminal
from hw.panel import console, fontdraw, glyphs, psf
from hw.panel.palette import PALETTE
from hw.panel.vt import FONT_OP, KD_FONT_OP_GET, KDFONTOP, VirtualTerminal, virtual_terminal
from tests.ui.compare import FONT_SIGNS

FOLDER = Path(__file__).parents[2] / "hw" / "panel" / "fonts"
UI = Path(__file__).parents[2] / "smartbox_tui" / "ui"
ALIKE = {"ě"}
"""At 8 x 16 a caron and a breve over a small e are the same few pixels."""


@pytest.fixture(params=fontdraw.SIZES)
def font(request):
    return psf.parse((FOLDER / f"{request.param}.psf").read_bytes())


def cell(font, sign):
    index = next(number for number, signs in enumerate(font.unicode) if sign in signs)
    rows = np.frombuffer(font.glyphs[index], np.uint8).reshape(font.height, -1)
    return np.unpackbits(rows, axis=1)[:, : font.width].astype(bool)


def test_it_has_as_many_glyphs_as_the_kernel_takes_and_all_that_the_screens_may_draw(font):
    assert len(font.glyphs) == glyphs.COUNT == 512
    known = {sign for signs in font.unicode for sign in signs}
    wanted = {chr(number) for number in (*range(0x20, 0x7F), *range(0xA0, 0x180), *range(0x2580, 0x25A0))}
    assert not (wanted | set(FONT_SIGNS)) - known
    assert sum(len(signs) for signs in font.unicode) == len(known), "a sign has two glyphs"


def test_whatever_stands_in_the_screens_source_and_words_is_in_it():
    known = glyphs.KNOWN | {"\n", "\t"}
    for file in (*UI.rglob("*.py"), *UI.rglob("*.tcss"), *UI.rglob("*.po")):
        if file.name in ("keyboard_layouts.py", "folding.py"):
            continue  # names of any writing are folded there
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if file.suffix == ".py" and ("#" in line or '"""' in line):
                continue
            assert not set(line) - known, f"{file.name}:{number}: {set(line) - known}"


def test_ascii_has_its_own_numbers_so_that_the_kernel_clears_with_a_blank(font):
    for number in range(0x20, 0x7F):
        assert font.unicode[number][0] == chr(number)
    assert not any(font.glyphs[0x20])


def test_every_sign_is_seen_and_none_looks_like_another(font):
    seen: dict[bytes, str] = {}
    for data, signs in zip(font.glyphs, font.unicode, strict=True):
        if signs[0] in (" ", "\xa0"):
            assert not any(data)
            continue
        assert any(data), f"{signs[0]!r} is blank"
        if not (font.width == 8 and signs[0] in ALIKE):
            assert data not in seen, f"{signs[0]!r} looks like {seen[data]!r}"
        seen[data] = signs[0]


def test_lines_meet_at_the_edges_of_their_cells(font):
    reach = {sign: glyphs.arms(sign) for sign in glyphs.LINES}
    reach |= {"╭": (0, 1, 0, 1), "╮": (1, 0, 0, 1), "╯": (1, 0, 1, 0), "╰": (0, 1, 1, 0)}
    straight = {1: ("─", "│"), 2: ("━", "┃"), 3: ("═", "║")}
    for sign, (left, right, up, down) in reach.items():
        drawn, weight = cell(font, sign), max(left, right, up, down)
        across, along = (cell(font, each) for each in straight[weight])
        nothing = np.zeros(1, bool)
        for arm, edge, line in (
            (left, drawn[:, 0], across[:, 0]),
            (right, drawn[:, -1], across[:, -1]),
            (up, drawn[0], along[0]),
            (down, drawn[-1], along[-1]),
        ):
            assert (edge == (line if arm else nothing)).all(), sign


def test_blocks_fill_exactly_their_part(font):
    width, height = font.width, font.height
    assert cell(font, "█").all()
    assert (cell(font, "▀") ^ cell(font, "▄")).all()
    assert (cell(font, "▌") ^ cell(font, "▐")).all()
    assert (cell(font, "▙") ^ cell(font, "▝")).all()
    assert (cell(font, "▛") ^ cell(font, "▗")).all()
    assert (cell(font, "▚") ^ cell(font, "▞")).all()
    for number in range(1, 9):
        assert cell(font, chr(0x2580 + number)).sum() == width * (height * number // 8 + (height * number % 8 > 0))
        assert cell(font, chr(0x2590 - number)).sum() == (width * number // 8) * height
    shades = [cell(font, sign).mean() for sign in "░▒▓"]
    assert shades == sorted(shades)
    assert 0.1 < shades[0] < 0.45
    assert shades[1] == 0.5


def test_no_letter_is_cut_off_by_its_cell():
    if fontdraw.outline() is None:
        pytest.skip("DejaVu Sans Mono is not installed: the letters are not drawn anew")
    from PIL import ImageFont

    for size, pixels in fontdraw.SIZES.items():
        width, _ = (int(part) for part in size.split("x"))
        face = ImageFont.truetype(str(fontdraw.outline()), pixels, layout_engine=ImageFont.Layout.BASIC)
        drawn = psf.parse((FOLDER / f"{size}.psf").read_bytes())
        for sign in "ÄÖÜäöüßÀÉÑŁłÅåçgjpqyĎďĽľŐőŘřŽžQW@ĺ":
            ink = np.frombuffer(bytes(face.getmask(sign, mode="1")), np.uint8).astype(bool).sum()
            assert abs(int(cell(drawn, sign).sum()) - int(ink)) <= width // 2, (size, sign)


def test_the_committed_fonts_are_what_the_command_builds():
    if fontdraw.outline() is None:
        pytest.skip("DejaVu Sans Mono is not installed: the fonts are not built anew")
    for size in fontdraw.SIZES:
        built = fontdraw.build(size, fontdraw.outline())
        committed = psf.parse((FOLDER / f"{size}.psf").read_bytes())
        assert built.unicode == committed.unicode
        other = 0
        for sign, new, old in zip(glyphs.GLYPHS, built.glyphs, committed.glyphs, strict=True):
            if sign in glyphs.LINES + glyphs.BLOCKS:
                assert new == old, sign
            other += new != old
        # another FreeType may set a pixel of a letter elsewhere
        assert other <= 25, size


def test_a_font_file_is_read_back_as_it_was_written(font):
    assert psf.parse(font.to_bytes()) == font


@pytest.mark.parametrize("damage", [
    lambda data: b"", lambda data: data[:100], lambda data: b"\0" * 4 + data[4:], lambda data: data[:-40],
    lambda data: data[:16] + struct.pack("<I", 4096) + data[20:],
])  # fmt: skip
def test_a_damaged_font_file_is_refused_in_words(font, damage):
    with pytest.raises(ValueError, match=r"font|file"):
        psf.parse(damage(font.to_bytes()))


# ---- into the kernel


def test_the_console_is_given_glyphs_signs_and_colours(font):
    fake = FakeTerminal()
    terminal = VirtualTerminal(0, 1, fake)
    console.load_font(terminal, font)
    assert terminal.cell() == (font.width, font.height)
    size = font.row_bytes * font.height
    assert [glyph[:size] for glyph in fake.glyphs] == list(font.glyphs)
    assert all(not any(glyph[size:]) for glyph in fake.glyphs)
    for sign in "A▀╭ß✓Жω":
        assert sign in font.unicode[fake.signs[ord(sign)]]
    console.set_palette(terminal, PALETTE)
    assert fake.palette == bytes(value for colour in PALETTE for value in colour)
    assert len(fake.palette) == 48


def test_a_console_that_refuses_is_an_error_in_words(font):
    fake = FakeTerminal()
    fake.gone = True
    terminal = VirtualTerminal(0, 1, fake)
    for work in (lambda: console.load_font(terminal, font), lambda: console.set_palette(terminal, PALETTE)):
        with pytest.raises(HardwareError) as caught:
            work()
        assert caught.value.path == "/dev/tty1"
    with pytest.raises(NotSupported):
        console.load_font(terminal, psf.Font(8, 16, (b"\0" * 16,) * 100, ((),) * 100))


def test_a_real_console_draws_a_sign_with_its_glyph(font):
    """A terminal that nobody looks at: signs are loaded, text is written, its glyphs are read back (vcs(4))."""
    path = "/dev/tty63"
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
        screen = os.open("/dev/vcsa63", os.O_RDONLY)
    except OSError as error:
        pytest.skip(f"no usable {path} here ({error.strerror}): a real console is not tested")
    try:
        terminal = virtual_terminal(fd)
        console.load_signs(terminal, font)
        os.write(fd, b"\x1b%G\x1b[0m\x1b[2J\x1b[H" + "Äßšø▀A\x1b[1;30;103mB".encode())
        cells = os.pread(screen, 16, 4)
        # With more than 256 glyphs a cell's attributes stand one bit higher: the lowest is the glyph's ninth.
        said = bytearray(FONT_OP.pack(KD_FONT_OP_GET, 0, 64, 128, 512, 0))
        many = bool(terminal.cell())
        if many:
            terminal.calls.ioctl(fd, KDFONTOP, said)
            many = FONT_OP.unpack(said)[4] > 256
    finally:
        os.close(screen)
        os.close(fd)
    for at, sign in enumerate("Äßšø▀A"):
        glyph = next(number for number, signs in enumerate(font.unicode) if sign in signs)
        # without a framebuffer the font stays the machine's, and has 256 glyphs
        if glyph < 256 or terminal.cell():
            assert cells[2 * at] == glyph & 0xFF, sign
    # a bright ground is its dark twin; bold black is number 8: the theme and the palette are made for that
    assert cells[13] == 0x68 << many


def test_a_real_console_takes_the_font(font):
    """A terminal that nobody looks at."""
    path = "/dev/tty63"
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
    except OSError as error:
        pytest.skip(f"no usable {path} here ({error.strerror}): a real console is not tested")
    try:
        terminal = virtual_terminal(fd)
        before = terminal.cell()
        try:
            console.load_font(terminal, font)
        except NotSupported as error:
            assert before is None
            pytest.skip(f"{error}: loading a font is not tested")
        assert terminal.cell() == (font.width, font.height)
    finally:
        os.close(fd)
