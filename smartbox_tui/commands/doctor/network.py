"""The network: interfaces, addresses, the way out, and the names that the settings use."""

from __future__ import annotations

import ipaddress
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from smartbox_tui.commands.doctor.check import Check, Context, output, text_of

_PORT_S: Final = 2.0
_UP: Final = 0x1
_GATEWAY: Final = 0x2
"""RTF_UP, RTF_GATEWAY (linux/route.h)."""


def network(context: Context) -> Iterator[Check]:
    yield from _interfaces()
    yield from _way_out()
    yield from _names(context)
    yield from _own_port(context)


def _interfaces(root: Path = Path("/sys/class/net")) -> Iterator[Check]:
    addresses = _addresses()
    for folder in sorted(root.glob("*")):
        if folder.name == "lo" or not ((folder / "device").exists() or folder.name in addresses):
            continue  # neither a device nor in use
        state, speed = text_of(folder / "operstate"), text_of(folder / "speed")
        duplex = text_of(folder / "duplex")
        words = [state or "state unknown"]
        if speed.isdecimal():
            words.append(f"{speed} Mbit/s")
        half = duplex == "half"
        if half:
            words.append("half duplex")
        words += addresses.get(folder.name, [])
        broken = sum(int(text) for name in ("rx_errors", "tx_errors")
                     if (text := text_of(folder / "statistics" / name)).isdecimal())  # fmt: skip
        if broken:
            words.append(f"{broken} errors")
        ok = None if state not in ("up", "unknown") else not half
        yield Check(
            f"network.{folder.name}", ok, ", ".join(words), "Check cable and switch port (autonegotiation)."
        )


def _addresses() -> dict[str, list[str]]:
    said = output("ip", "-j", "address")
    try:
        return {
            item["ifname"]: [f"{each['local']}/{each['prefixlen']}" for each in item["addr_info"]]
            for item in json.loads(said or "[]")
            if item.get("addr_info")
        }
    except (ValueError, KeyError, TypeError):
        return {}


def _way_out() -> Iterator[Check]:
    found = []
    for line in text_of(Path("/proc/net/route")).splitlines()[1:]:
        words = line.split()
        if len(words) > 3 and words[1] == "00000000" and int(words[3], 16) & (_UP | _GATEWAY) == _UP | _GATEWAY:
            gateway = ipaddress.IPv4Address(int(words[2], 16).to_bytes(4, "little"))
            found.append(f"{gateway} by {words[0]}")
    text = (
        f"default route: {', '.join(found)}" if found else "no default route: only the box's own network is reached"
    )
    yield Check("network.route", True if found else None, text, "Needed where servers are in other networks.")


def hosts(context: Context) -> list[str]:
    """All that the settings call, names and addresses."""
    settings = context.settings
    found = [item.host or urlsplit(item.url).hostname or "" for item in settings.destinations]
    found += [settings.worklist.host, settings.mpps.host]
    return list(dict.fromkeys(host for host in found if host))


def _names(context: Context) -> Iterator[Check]:
    for host in hosts(context):
        try:
            ipaddress.ip_address(host)
        except ValueError:
            try:
                known = sorted(
                    {str(item[4][0]) for item in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
                )
            except OSError as exc:
                hint = "Check the name server (/etc/resolv.conf), or use the address."
                yield Check(f"network.name.{host}", False, f"{host}: {exc.strerror or exc}", hint)
            else:
                yield Check(f"network.name.{host}", True, f"{host} is {', '.join(known)}")


def _own_port(context: Context) -> Iterator[Check]:
    """The box's own DICOM port: answers of archives (commitment) come to it."""
    if context.engine is None:
        return
    port = context.settings.port
    try:
        with socket.create_connection(("127.0.0.1", port), _PORT_S):
            yield Check("network.port", True, f"the box's own DICOM port {port} is open")
    except OSError as exc:
        text = f"the box's own DICOM port {port}: {exc.strerror or exc}"
        yield Check("network.port", False, text, "Another program may have it: `ss -ltnp`; or choose another.")
