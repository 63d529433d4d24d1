"""QEMU's monitor (QMP): what the panel shows, where a finger is, and what is plugged in."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any, Final

AXIS_MAX: Final = 0x7FFF
"""The absolute axes of QEMU's input events end there."""


class Qmp:
    """One connection; events that come in between are kept in `events`. Raises RuntimeError with QEMU's words."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(60)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("r", encoding="utf-8")
        self._lines.readline()  # its greeting
        self.events: list[dict[str, Any]] = []
        self.command("qmp_capabilities")

    def command(self, name: str, /, **arguments: Any) -> Any:
        self._socket.sendall(json.dumps({"execute": name, "arguments": arguments}).encode() + b"\n")
        while line := self._lines.readline():
            answer = json.loads(line)
            if "event" in answer:
                self.events.append(answer)
            elif "error" in answer:
                raise RuntimeError(f"{name}: {answer['error']['desc']}")
            else:
                return answer["return"]
        raise RuntimeError(f"{name}: QEMU has ended")

    def screendump(self, png: Path) -> Path:
        """What the panel shows now, as a PNG file."""
        self.command("screendump", filename=str(png.absolute()), format="png")
        return png

    def pointer(self, x: float, y: float, down: bool | None = None) -> None:
        """A finger at a place of the panel, 0 to 1 each; `down` None: it does not change."""
        events: list[dict[str, Any]] = [
            {"type": "abs", "data": {"axis": axis, "value": round(share * AXIS_MAX)}}
            for axis, share in (("x", x), ("y", y))
        ]
        if down is not None:
            events.append({"type": "btn", "data": {"down": down, "button": "left"}})
        self.command("input-send-event", events=events)

    def close(self) -> None:
        self._lines.close()
        self._socket.close()
