"""The live picture as pixels: pictures a second and the share of one core that they cost. Prints JSON.

    python -m tests.bench.panel_bench [--seconds 5] [--real /dev/tty1]

Without --real into memory that plays a framebuffer; with it into /dev/fb0, at the upper left of that terminal.
Another process writes the preview's file, as capture does.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from hw.fake.framebuffer import RGB565, XRGB, FakeFramebuffer
from hw.fake.vt import FakeTerminal
from hw.panel.framebuffer import Framebuffer, Packing
from hw.panel.vt import VirtualTerminal, virtual_terminal
from smartbox_tui.ui.live_pixels import Colours, LivePixels, Place, Subject
from smartbox_tui.ui.pixel_places import Area

FILE: Final = "preview-bench"
CELL: Final = (12, 24)
COLOURS: Final = Colours((10, 15, 20), (79, 195, 208), (232, 238, 243))
# what is measured: picture, place in pixels, pictures a second, format
CASES: Final[dict[str, tuple[tuple[int, int], tuple[int, int], int, Packing]]] = {
    "960x540 at 30": ((960, 540), (960, 540), 30, XRGB),
    "960x540 at 60": ((960, 540), (960, 540), 60, XRGB),
    "1284x722 at 30": ((1284, 722), (1284, 722), 30, XRGB),
    "1284x722 at 60": ((1284, 722), (1284, 722), 60, XRGB),
    "640x360 enlarged to 1284x722 at 30": ((640, 360), (1284, 722), 30, XRGB),
    "960x540 at 30, 16 bits": ((960, 540), (960, 540), 30, RGB565),
}
_WRITER: Final = """
import sys, time
from pathlib import Path
from smartbox_tui.wire.preview import PreviewWriter
path, width, height, rate = Path(sys.argv[1]), *map(int, sys.argv[2:])
writer = PreviewWriter(path, width, height)
pictures = [bytes((n * 40 + i) % 256 for i in range(768)) * (width * height // 256 + 1) for n in range(4)]
begun, count = time.monotonic(), 0
while True:
    writer.slot()[:] = pictures[count % 4][:width * height * 3]
    writer.publish(time.monotonic_ns())
    count += 1
    time.sleep(max(0.0, begun + count / rate - time.monotonic()))
"""


def _thread_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measure(
    folder: Path, framebuffer: Framebuffer, terminal: VirtualTerminal, case: str, seconds: float
) -> dict[str, Any]:
    """One case, drawn for so long."""
    (width, height), (wide, high), rate, _ = CASES[case]
    columns, rows = terminal.cells()
    area = Area(0, 0, min(columns, -(-wide // CELL[0])), min(rows, -(-high // CELL[1])))
    arguments = [str(folder / FILE), str(width), str(height), str(rate)]
    writer = subprocess.Popen([sys.executable, "-c", _WRITER, *arguments])
    pixels = LivePixels(folder, terminal, framebuffer, COLOURS)
    try:
        pixels.start()
        pixels.put(Place((columns, rows), area, (area,)))
        pixels.show(Subject(FILE))
        until = time.monotonic() + 10
        while not pixels.drawn and time.monotonic() < until:
            time.sleep(0.01)
        drawn, used, begun = pixels.drawn, _thread_s(), time.monotonic()
        time.sleep(seconds)
        took = time.monotonic() - begun
        shown = (pixels.drawn - drawn) / took
        return {"pictures_per_s": round(shown, 1), "core_percent": round((_thread_s() - used) / took * 100, 1)}
    finally:
        pixels.end()
        writer.kill()
        writer.wait()


def main() -> int:
    parser = argparse.ArgumentParser(prog="panel_bench")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--real", metavar="TTY")
    options = parser.parse_args()
    result: dict[str, Any] = {}
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as name:
        folder = Path(name)
        for number, (case, (_, _, _, packing)) in enumerate(CASES.items()):
            if options.real:
                if packing is not XRGB:
                    continue
                with open(options.real, "r+b", buffering=0) as tty:
                    terminal = virtual_terminal(tty.fileno())
                    if terminal is None:
                        print(f"{options.real} is no virtual terminal", file=sys.stderr)
                        return 1
                    result[case] = measure(folder, Framebuffer(), terminal, case, options.seconds)
                continue
            made = folder / str(number)
            made.mkdir()
            fake = FakeTerminal(cells=(160, 45))
            fake.font = CELL
            screen = Framebuffer(calls=FakeFramebuffer(made, (1920, 1080), packing))
            result[case] = measure(folder, screen, VirtualTerminal(0, 1, fake), case, options.seconds)
    print(json.dumps({"into": options.real or "memory", **result}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
