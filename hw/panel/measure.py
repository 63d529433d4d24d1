"""How large the panel is, and the letters that make its touch targets as large as a finger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hw.panel.framebuffer import Screen

SIZES: Final = ((8, 16), (12, 24), (16, 32))
"""The console's fonts."""
LEAST_CELLS: Final = (80, 24)
"""The screens work from there on."""
USUAL_CELLS: Final = (100, 30)
"""They were designed for that, at least."""
TARGET_MM: Final = 9.0
_TARGET_CELLS: Final = (5, 3)
"""The smallest thing to touch: a key of the keyboard, in columns and rows."""
_MM_PER_INCH: Final = 25.4
_LIKELY_DPI: Final = (40.0, 400.0)
_SHAPES_ONLY: Final = {(160, 90), (160, 100), (16, 9), (16, 10), (1600, 900), (1600, 1000)}
"""Millimetres in EDIDs that tell a television's shape instead of its size."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A font, as (width, height) of a letter; `target_mm` the smallest side of the smallest thing to touch, 0 when
    nobody knows; `dpi` 0 likewise; `said_by` the one that knew: settings, edid, framebuffer or nobody."""

    size: tuple[int, int]
    cells: tuple[int, int]
    dpi: float
    said_by: str
    target_mm: float

    @property
    def name(self) -> str:
        return f"{self.size[0]}x{self.size[1]}"


def choose(pixels: tuple[int, int], dpi: float, said_by: str, wanted: str = "auto") -> Choice:
    """The smallest font whose touch targets are large enough, as long as the screens still fit; with an unknown
    resolution the largest that leaves the screens their usual room."""
    if wanted != "auto":
        width, height = (int(part) for part in wanted.split("x"))
        return _choice((width, height), pixels, dpi, said_by)
    fitting = [size for size in SIZES if _fits(size, pixels, LEAST_CELLS)] or [SIZES[0]]
    if dpi <= 0:
        usual = [size for size in fitting if _fits(size, pixels, USUAL_CELLS)] or fitting[:1]
        return _choice(usual[-1], pixels, dpi, said_by)
    choices = [_choice(size, pixels, dpi, said_by) for size in fitting]
    return next((each for each in choices if each.target_mm >= TARGET_MM), choices[-1])


def _fits(size: tuple[int, int], pixels: tuple[int, int], cells: tuple[int, int]) -> bool:
    return all(have // one >= need for have, one, need in zip(pixels, size, cells, strict=True))


def _choice(size: tuple[int, int], pixels: tuple[int, int], dpi: float, said_by: str) -> Choice:
    cells = pixels[0] // size[0], pixels[1] // size[1]
    sides = (size[0] * _TARGET_CELLS[0], size[1] * _TARGET_CELLS[1])
    target = min(sides) / dpi * _MM_PER_INCH if dpi > 0 else 0.0
    return Choice(size, cells, round(dpi, 1), said_by, round(target, 1))


def resolution(screen: Screen, setting: float, edids: Sequence[bytes]) -> tuple[float, str]:
    """Dots per inch and who says so: the settings, the panel's EDID, the framebuffer's driver; (0, "nobody")."""
    if setting > 0:
        return setting, "settings"
    pixels = (screen.width, screen.height)
    for edid in edids:
        if dpi := _dpi(pixels, edid_millimetres(edid)):
            return dpi, "edid"
    if dpi := _dpi(pixels, screen.millimetres):
        return dpi, "framebuffer"
    return 0.0, "nobody"


def _dpi(pixels: tuple[int, int], millimetres: tuple[int, int]) -> float:
    if min(millimetres) <= 0 or millimetres in _SHAPES_ONLY:
        return 0.0
    across, down = (count * _MM_PER_INCH / size for count, size in zip(pixels, millimetres, strict=True))
    # pixels are square: sizes that say otherwise belong to a panel that was turned, or to none
    if not 0.8 <= across / down <= 1.25 or not _LIKELY_DPI[0] <= across <= _LIKELY_DPI[1]:
        return 0.0
    return across


def edid_millimetres(edid: bytes) -> tuple[int, int]:
    """Of the preferred timing, else of the whole display; (0, 0) for what is no EDID (VESA E-EDID 1.4, 3.6 and
    3.10.2)."""
    if len(edid) < 128 or edid[:8] != b"\x00\xff\xff\xff\xff\xff\xff\x00" or sum(edid[:128]) % 256:
        return 0, 0
    if edid[54] or edid[55]:  # a timing, no text
        wide, high = edid[66] | (edid[68] & 0xF0) << 4, edid[67] | (edid[68] & 0x0F) << 8
        if wide and high:
            return wide, high
    return edid[21] * 10, edid[22] * 10


def connected_edids(sysfs: Path = Path("/sys")) -> list[bytes]:
    """Of the displays that are plugged in, a built-in panel first."""
    found: list[tuple[bool, bytes]] = []
    for connector in sorted((sysfs / "class" / "drm").glob("card*-*")):
        try:
            if (connector / "status").read_text(encoding="ascii").strip() != "connected":
                continue
            edid = (connector / "edid").read_bytes()
        except OSError:
            continue
        built_in = any(kind in connector.name for kind in ("eDP", "LVDS", "DSI", "DPI"))
        found.append((not built_in, edid))
    return [edid for _, edid in sorted(found, key=lambda each: each[0])]
