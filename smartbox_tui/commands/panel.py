"""`smartbox panel`: the panel's font built, and the panel made ready for the console."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any, Final

from hw.calls import SystemCalls
from hw.errors import HardwareError
from hw.panel import console, measure, psf
from hw.panel.display import Display
from hw.panel.framebuffer import Framebuffer
from hw.panel.palette import PALETTE
from hw.panel.vt import virtual_terminal
from smartbox_tui.commands.options import Options
from smartbox_tui.commands.output import out
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.load import load
from smartbox_tui.settings.paths import paths
from smartbox_tui.settings.schema import Panel

TTY: Final = "/dev/tty1"


def run(arguments: argparse.Namespace, options: Options) -> int:
    if arguments.action == "font":
        return font(arguments.size, arguments.out, arguments.outline, options)
    return setup(arguments.tty, options)


def font(size: str, file: Path, outline: Path | None, options: Options) -> int:
    """Builds a font file. Needs Pillow and an outline font, both for building alone."""
    try:
        from hw.panel import fontdraw

        ttf = outline or fontdraw.outline()
        if ttf is None:
            raise SmartBoxError(
                "not-found",
                "DejaVu Sans Mono is not installed; the letters are drawn from it.",
                "apt-get install fonts-dejavu-core, or name the file of another with --outline.",
            )
        data = fontdraw.build(size, ttf).to_bytes()
    except ImportError:
        raise SmartBoxError(
            "not-found", "Pillow is not installed; it draws the letters.", "pip install pillow, to build only."
        ) from None
    except OSError as exc:
        raise SmartBoxError("bad-value", f"{ttf} cannot be read as a font: {exc}", "Name another one.") from exc
    try:
        file.write_bytes(data)
    except OSError as exc:
        raise SmartBoxError(
            "refused", f"{file} cannot be written: {exc.strerror}", "Choose another place."
        ) from exc
    out({"file": str(file), "bytes": len(data)}, f"{file}: {len(data)} bytes", as_json=options.json)
    return 0


def shipped(name: str) -> psf.Font:
    """The font of a size that comes with the package. Raises ValueError or OSError."""
    return psf.parse((resources.files("hw.panel") / "fonts" / f"{name}.psf").read_bytes())


def setup(
    tty: str, options: Options, *, calls: SystemCalls | None = None, screen: SystemCalls | None = None,
    sysfs: Path = Path("/sys"),
) -> int:  # fmt: skip
    """Font, palette, brightness, no blanking by the kernel. Each part is done whatever becomes of the others; 0
    only when all were: the unit that runs it before the console goes on in any case. Run on that very terminal, as
    by the unit, it clears it: a screen whose console has died looks alive."""
    calls = calls or SystemCalls()
    failures: list[str] = []
    settings = _settings(options, failures)
    try:
        fd = calls.open(tty, os.O_RDWR | os.O_NOCTTY)
    except OSError as exc:
        raise SmartBoxError(
            "device-gone", f"{tty} cannot be opened: {exc.strerror}", "Name the panel's terminal with --tty."
        ) from exc
    try:
        terminal = virtual_terminal(fd, calls)
        if terminal is None:
            raise SmartBoxError(
                "bad-value", f"{tty} is no virtual terminal of this machine.", "The panel's is /dev/tty1 as a rule."
            )
        choice = _choice(settings, Framebuffer(calls=screen), sysfs, failures)
        if choice is not None:
            _try(failures, lambda: console.load_font(terminal, shipped(choice.name)))
        _try(failures, lambda: console.set_palette(terminal, PALETTE))
        _try(failures, lambda: _write(fd, console.quiet()))
        on_it = _is_that(fd)
        if on_it:
            _try(failures, lambda: _write(fd, console.cleared()))
    finally:
        calls.close(fd)
    display = Display(Framebuffer(calls=screen), sysfs)
    display.brightness(settings.brightness)
    _steady(sysfs)
    if failures or not on_it:
        out(_report(choice, failures), _sentences(choice, failures), as_json=options.json)
    return 1 if failures else 0


def _is_that(fd: int, ours: int = 1) -> bool:
    """Whether what is printed goes to that terminal."""
    try:
        return os.fstat(ours).st_rdev == os.fstat(fd).st_rdev != 0
    except OSError:
        return False


def _settings(options: Options, failures: list[str]) -> Panel:
    """Those in force; broken ones are no reason for small letters."""
    try:
        return load(
            options.config, paths(options.state, options.runtime).state, os.environ, fallback=True, kept=True
        ).settings.panel
    except SmartBoxError as exc:
        failures.append(exc.message)
        return Panel()


def _choice(settings: Panel, framebuffer: Framebuffer, sysfs: Path, failures: list[str]) -> measure.Choice | None:
    try:
        screen = framebuffer.open()
    except HardwareError as exc:
        if settings.font == "auto":
            failures.append(f"The letters stay as they are: {exc}")
            return None
        return measure.choose((0, 0), 0.0, "nobody", settings.font)  # asked for: loaded, framebuffer or not
    finally:
        framebuffer.close()
    dpi, said_by = measure.resolution(screen, settings.dpi, measure.connected_edids(sysfs))
    return measure.choose((screen.width, screen.height), dpi, said_by, settings.font)


def _try(failures: list[str], work: Callable[[], None]) -> None:
    try:
        work()
    except (HardwareError, OSError, ValueError) as exc:
        failures.append(str(exc))


def _write(fd: int, data: bytes) -> None:
    os.write(fd, data)


def _steady(sysfs: Path) -> None:
    """No blinking cursor, where the driver has one."""
    try:
        (sysfs / "class" / "graphics" / "fbcon" / "cursor_blink").write_text("0", encoding="ascii")
    except OSError:
        return


def _report(choice: measure.Choice | None, failures: list[str]) -> dict[str, Any]:
    if choice is None:
        return {"font": None, "failures": failures}
    return {
        "font": choice.name,
        "columns": choice.cells[0],
        "rows": choice.cells[1],
        "dpi": choice.dpi,
        "dpi_from": choice.said_by,
        "target_mm": choice.target_mm,
        "failures": failures,
    }


def _sentences(choice: measure.Choice | None, failures: list[str]) -> str:
    lines = [f"not done: {failure}" for failure in failures]
    if choice is not None:
        lines.append(f"font {choice.name}, {choice.cells[0]} x {choice.cells[1]} letters")
        if choice.dpi:
            lines.append(f"{choice.dpi:g} dots an inch ({choice.said_by}): keys of {choice.target_mm:g} mm")
            if choice.target_mm < measure.TARGET_MM:
                lines.append(f"less than {measure.TARGET_MM:g} mm: the screens would not fit with larger letters")
        else:
            lines.append("nobody knows the panel's size: measure it and set panel.dpi")
    return "\n".join(lines)
