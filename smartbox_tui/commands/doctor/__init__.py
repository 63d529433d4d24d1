"""`smartbox doctor`: what works, what does not, and what to do about it. Under half a minute, whatever hangs; works
with engine and capture dead and without root, and says what it then could not see."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from smartbox_tui.commands.doctor import (
    basics,
    disk,
    encoders,
    grabbers,
    machine,
    network,
    panel,
    pedals,
    rights,
    running,
    services,
)
from smartbox_tui.commands.doctor.check import Check, Context, Field
from smartbox_tui.commands.doctor.check import run as run_fields
from smartbox_tui.commands.options import Options
from smartbox_tui.commands.output import note, out
from smartbox_tui.settings.paths import paths

_MARKS: Final = {True: "ok  ", False: "FAIL", None: "?   "}

FIRST: Final[tuple[tuple[float, dict[str, Field]], ...]] = (
    (2.5, {"versions": basics.versions, "settings": basics.settings}),
    (5.5, {"capture": running.capture, "engine": running.engine}),
    (3.0, {"folders": basics.folders, "disk": disk.disk}),  # measured while nothing else works
)
"""One after the other, each with its seconds at most: what comes later builds on it."""
SIDE_BY_SIDE: Final[dict[str, Field]] = {
    "grabbers": grabbers.devices,
    "sources": running.sources,
    "rates": grabbers.rates,
    "encoding": encoders.encoding,
    "encoders": encoders.encoders,
    "pedals": pedals.pedals,
    "panel": panel.panel,
    "clock": machine.clock,
    "network": network.network,
    "servers": running.servers,
    "queue": running.queue,
    "rights": rights.rights,
    "services": services.services,
    "machine": machine.machine,
}
SIDE_BY_SIDE_S: Final = 18.0


def run(options: Options, bundle: Path | None = None) -> int:
    """Exit 1 when a check failed; a check that could not be made (`ok` null) fails nothing. Raises refused for a
    bundle that cannot be written."""
    context = Context(paths(options.state, options.runtime), options.config)
    found = checks(context)
    lines = "\n".join(_line(each) for each in found)
    answer = {"checks": [each.as_dict() for each in found]}
    if bundle is not None:
        from smartbox_tui.commands.doctor.bundle import write

        told = write(bundle, context, found)
        lines += f"\n\n{told}"
        if options.json:
            note(told)
    out(answer, lines, as_json=options.json)
    return 1 if any(each.ok is False for each in found) else 0


def checks(context: Context) -> list[Check]:
    """All lines."""
    found: list[Check] = []
    for seconds, group in FIRST:
        found += run_fields(context, group, seconds)
    return found + run_fields(context, SIDE_BY_SIDE, SIDE_BY_SIDE_S)


def _line(each: Check) -> str:
    hint = f"\n       {each.hint}" if each.hint and not each.ok else ""
    return f"{_MARKS[each.ok]} {each.id}: {each.message}{hint}"
