"""The panel's structs and request numbers are those of the kernel's own headers."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from hw.panel import console, framebuffer, sound, vt

NUMBERS = {
    "FBIOGET_VSCREENINFO": framebuffer.FBIOGET_VSCREENINFO,
    "FBIOGET_FSCREENINFO": framebuffer.FBIOGET_FSCREENINFO,
    "FBIOBLANK": framebuffer.FBIOBLANK,
    "FB_BLANK_POWERDOWN": framebuffer.FB_BLANK_POWERDOWN,
    "FB_VISUAL_TRUECOLOR": framebuffer._TRUECOLOUR[0],
    "FB_VISUAL_DIRECTCOLOR": framebuffer._TRUECOLOUR[1],
    "FB_TYPE_PACKED_PIXELS": framebuffer._PACKED_PIXELS,
    "sizeof(struct fb_var_screeninfo)": framebuffer.VAR.size,
    "sizeof(struct fb_fix_screeninfo)": framebuffer.FIX.size,
    # parse() counts in numbers of four bytes
    "offsetof(struct fb_var_screeninfo, red)": 8 * 4,
    "offsetof(struct fb_var_screeninfo, blue)": 14 * 4,
    "offsetof(struct fb_var_screeninfo, height)": 22 * 4,
    "offsetof(struct fb_var_screeninfo, width)": 23 * 4,
    "offsetof(struct fb_fix_screeninfo, smem_len)": 24,
    "offsetof(struct fb_fix_screeninfo, visual)": 36,
    "offsetof(struct fb_fix_screeninfo, line_length)": 48,
    "TIOCGDEV": vt.TIOCGDEV,
    "TIOCGWINSZ": vt.TIOCGWINSZ,
    "VT_GETSTATE": vt.VT_GETSTATE,
    "KDGETMODE": vt.KDGETMODE,
    "KD_TEXT": vt.KD_TEXT,
    "KDFONTOP": vt.KDFONTOP,
    "KD_FONT_OP_GET": vt.KD_FONT_OP_GET,
    "KD_FONT_OP_SET": console.KD_FONT_OP_SET,
    "sizeof(struct console_font_op)": vt.FONT_OP.size,
    "offsetof(struct console_font_op, data)": 24,
    "PIO_UNIMAPCLR": console.PIO_UNIMAPCLR,
    "PIO_UNIMAP": console.PIO_UNIMAP,
    "PIO_CMAP": console.PIO_CMAP,
    "sizeof(struct unimapdesc)": console.UNIMAP.size,
    "offsetof(struct unimapdesc, entries)": 8,
    "sizeof(struct unipair)": console.PAIR.size,
    "KDMKTONE": sound.KDMKTONE,
}


def test_they_are_those_of_the_kernel(tmp_path):
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("no compiler here: the panel's structs are not compared with the kernel's headers")
    lines = "\n".join(f'printf("%llu\\n", (unsigned long long)({name}));' for name in NUMBERS)
    heads = (
        "linux/fb.h",
        "linux/kd.h",
        "linux/vt.h",
        "asm/ioctls.h",
        "termios.h",
        "sys/ioctl.h",
        "stddef.h",
        "stdio.h",
    )
    includes = "\n".join(f"#include <{head}>" for head in heads)
    source = tmp_path / "numbers.c"
    source.write_text(f"{includes}\nint main(void) {{\n{lines}\nreturn 0; }}\n")
    subprocess.run([compiler, str(source), "-o", str(tmp_path / "numbers")], check=True)
    said = subprocess.run([str(tmp_path / "numbers")], check=True, capture_output=True, text=True).stdout.split()
    assert dict(zip(NUMBERS, map(int, said), strict=True)) == NUMBERS
