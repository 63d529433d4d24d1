"""The units: whether systemd runs them, how often it started them anew, what the journal holds against them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from smartbox_tui.commands.doctor.check import Check, Context, output

UNITS: Final = ("smartbox-engine.service", "smartbox-capture.service", "smartbox-console@tty1.service")
_SHOWN: Final = "Id,LoadState,ActiveState,SubState,NRestarts,Result,ActiveEnterTimestamp,UnitFileState"
_MANY: Final = 5
_ERRORS: Final = 100


def services(_context: Context) -> Iterator[Check]:
    found = units()
    if found is None:
        yield Check("services", None, "could not be checked because systemd does not run here")
        return
    for name in UNITS:
        said = found.get(name, {})
        identity = f"service.{name.removesuffix('.service')}"
        if said.get("LoadState") != "loaded":
            yield Check(identity, None, "systemd has no such unit here", "It comes with the Debian package.")
            continue
        restarts = int(said.get("NRestarts") or 0)
        text = f"{said.get('ActiveState')} ({said.get('SubState')}), started anew {restarts} times"
        if (why := said.get("Result", "success")) != "success":
            text += f", last ended by {why}"
        if since := said.get("ActiveEnterTimestamp"):
            text += f", since {since}"
        good = said.get("ActiveState") == "active" and restarts < _MANY
        yield Check(identity, good, text, f"journalctl -u {name}")
    lines = output(
        "journalctl", "-q", "-p", "err", "--since", "-24h", "-o", "cat", "-n", str(_ERRORS), *_of_units()
    )
    if lines is None:
        yield Check("service.errors", None, "the journal could not be read", "Run it as root.")
    else:
        count = len(lines.splitlines())
        text = f"{count}{' or more' if count >= _ERRORS else ''} errors in the journal within 24 hours"
        yield Check("service.errors", count == 0, text, "journalctl -p err -u 'smartbox-*'")


def units() -> dict[str, dict[str, str]] | None:
    """What systemd shows of each unit, by name; None where there is no systemd."""
    said = output("systemctl", "show", *UNITS, f"--property={_SHOWN}")
    if said is None:
        return None
    found = {}
    for block in said.split("\n\n"):
        values = dict(line.partition("=")[::2] for line in block.splitlines() if "=" in line)
        if values.get("Id"):
            found[values["Id"]] = values
    return found


def journal(lines: int) -> str | None:
    """The newest lines of all units."""
    return output("journalctl", "-q", "-o", "short-iso", "-n", str(lines), *_of_units(), seconds=8.0)


def _of_units() -> list[str]:
    return [word for name in UNITS for word in ("-u", name)]
