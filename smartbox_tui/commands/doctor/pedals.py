"""Pedals: there, allowed, and not stuck. What capture holds is not opened; capture says how it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hw.errors import HardwareError
from hw.identity import resolve
from smartbox_tui.commands.doctor.check import Check, Context
from smartbox_tui.settings.schema import Pedal

_SUBSYSTEM: Final = {"evdev": "input", "serial-line": "tty", "serial-bytes": "tty"}
_HINTS: Final = {
    "stuck": "Take the foot off; clean or change the pedal.",
    "gone": "Plug it in; it goes on by itself.",
    "busy": "Another program holds it: see `fuser` on its device.",
    "refused": "The box's user must be in the groups input and dialout: see systemd/sysusers.conf.",
    "failed": "See the log of capture.",
}


def pedals(context: Context) -> Iterator[Check]:
    if not context.settings.pedals:
        yield Check("pedals", None, "none is set up", "Teach one: settings, pedals, or `ctl settings teach`.")
        return
    said = (context.engine or {}).get("pedals") or (context.capture or {}).get("pedals") or []
    states = {item.get("id"): item for item in said if isinstance(item, dict)}
    for item in context.settings.pedals:
        known = states.get(item.id)
        if known is not None:
            state = str(known.get("state", ""))
            words = " ".join(filter(None, (f"{item.device or item.kind}: {state}", str(known.get("text", "")))))
            ok = None if state == "starting" else state == "ok"
            yield Check(f"pedal.{item.id}", ok, words, _HINTS.get(state, ""))
        else:
            yield _there(item)


def _there(item: Pedal) -> Check:
    """With capture away: whether the node is there, and may be opened by this user."""
    identity = f"pedal.{item.id}"
    subsystem = _SUBSYSTEM.get(item.kind)
    if subsystem is None:
        return Check(identity, True, "is pressed by software")
    # /dev/input/… and serial ports may carry what was learned behind a question mark
    key = item.device.partition("?")[0]
    if not key:
        return Check(identity, None, "no device is named", "Teach it: settings, pedals.")
    try:
        node = resolve(key, subsystem, accept=lambda path: subsystem != "input" or "/event" in path)
    except HardwareError as exc:
        return Check(identity, False, str(exc), exc.hint)
    if not Path(node.path).exists():
        return Check(identity, False, f"{node.path} is not there", "Plug it in; it goes on by itself.")
    if not os.access(node.path, os.R_OK | os.W_OK):
        return Check(identity, None, f"{node.path} is there, this user may not open it", "Run it as root.")
    return Check(identity, True, f"{node.path} {node.name} is there; capture does not say more")
