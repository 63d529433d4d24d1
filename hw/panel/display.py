"""The panel's light: brightness of its backlight (Documentation/ABI/stable/sysfs-class-backlight), and darkness."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from hw.errors import HardwareError
from hw.panel.framebuffer import Framebuffer

log = logging.getLogger(__name__)

_POWER_ON: Final = "0"
_POWER_OFF: Final = "4"
_KINDS: Final = ("firmware", "platform", "raw")
"""As the kernel recommends them, the best first."""
_LOWEST: Final = 1


class Display:
    """Does what the panel can: the light may have no dimmer, the driver no switch. Errors go to the log, once."""

    def __init__(self, framebuffer: Framebuffer, sysfs: Path = Path("/sys")) -> None:
        self._framebuffer = framebuffer
        self._folder = sysfs / "class" / "backlight"
        self._told: set[str] = set()

    def open(self) -> None:
        try:
            self._framebuffer.open()
        except HardwareError as error:
            self._tell(error)

    def close(self) -> None:
        self._framebuffer.close()

    @property
    def backlights(self) -> list[Path]:
        """Their folders, the one to use first; several names of one light are usual on PCs."""
        try:
            found = sorted(self._folder.iterdir())
        except OSError:
            return []
        return sorted(found, key=lambda each: _rank(_read(each / "type")))

    def brightness(self, percent: int) -> None:
        """0 to 100, of what the backlight can; never out, that is `dark`."""
        for light in self.backlights[:1]:
            most = _read(light / "max_brightness")
            if not most.isdecimal() or not int(most):
                continue
            value = max(_LOWEST, round(int(most) * max(0, min(100, percent)) / 100))
            self._write(light / "brightness", str(value))

    def dark(self, dark: bool) -> None:
        """The signal off, and the light; or both on again."""
        for light in self.backlights:
            self._write(light / "bl_power", _POWER_OFF if dark else _POWER_ON)
        if self._framebuffer.screen is None:
            return
        try:
            self._framebuffer.blank(dark)
        except HardwareError as error:
            self._tell(error)

    def _write(self, path: Path, value: str) -> None:
        try:
            path.write_text(value, encoding="ascii")
        except OSError as error:
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        text = str(error)
        if text not in self._told:
            self._told.add(text)
            log.warning("the panel's light: %s", text)


def turned(sysfs: Path = Path("/sys")) -> bool:
    """Whether the text console is drawn sideways or upside down (fbcon=rotate): its cells are not where the
    framebuffer's lines are."""
    return _read(sysfs / "class" / "graphics" / "fbcon" / "rotate") not in ("", "0")


def _rank(kind: str) -> int:
    return _KINDS.index(kind) if kind in _KINDS else len(_KINDS)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
