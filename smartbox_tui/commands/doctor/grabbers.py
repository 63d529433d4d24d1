"""Grabbers: what is plugged in, what each can do, and whether capture gets what was asked of it."""

from __future__ import annotations

import contextlib
import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from hw.errors import HardwareError
from hw.identity import Node, udev_nodes
from smartbox_tui.commands.doctor.check import Check, Context
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.schema import Source
from smartbox_tui.wire import client
from smartbox_tui.wire.preview import HEADER, MAGIC

MEASURED_S: Final = 2.0
SHARE: Final = 0.9
"""Of the rate that was asked for: below it a line fails. Rates of 29.97 for 30 are usual."""
PREVIEWS: Final = 15.0
"""A second at most (capture.preview): a faster source is not measured by them."""
_LINES: Final = 6


def devices(context: Context) -> Iterator[Check]:
    """Of each video device what it can do. Asking changes nothing; while a recording runs nothing is asked."""
    nodes = udev_nodes("video4linux")
    if not nodes:
        nodes = [Node(str(path), "") for path in sorted(Path("/dev").glob("video[0-9]*"))]
    if not nodes:
        needed = any(item.kind == "v4l2" for item in context.settings.sources)
        yield Check("grabbers", False if needed else None, "no video device is plugged in",
                    "Plug the grabber in; `lsusb` and `dmesg` say whether the machine sees it.")  # fmt: skip
    for node in nodes:
        yield from _device(context, node)
    for item in context.settings.sources:
        yield from _configured(item, nodes)


def _device(context: Context, node: Node) -> Iterator[Check]:
    identity = f"grabber.{node.key}"
    if context.recording:
        yield Check(
            identity, None, f"{node.path} {node.name}: not asked because a recording runs", "Try again after it."
        )
        return
    from hw.calls import SystemCalls
    from hw.video.v4l2.query import capabilities, captures

    if os.access(node.path, os.R_OK | os.W_OK) and not captures(SystemCalls(), node.path):
        return  # a grabber's other nodes, for metadata; decoders
    try:
        found = capabilities(node.path)
    except HardwareError as exc:
        yield Check(identity, False, f"{node.path} {node.name}: {exc}", exc.hint)
        return
    can = []
    for layout in found.layouts:
        text = layout.code if layout.pixel is not None else f"{layout.code} (not used)"
        if layout.sizes:
            best = max(layout.sizes, key=lambda size: size.width * size.height)
            rates = "/".join(f"{float(rate):.4g}" for rate in best.rates[:4])
            more = f", {len(layout.sizes) - 1} smaller" if len(layout.sizes) > 1 else ""
            text += f" {best.width}x{best.height}" + (f" at {rates}" if rates else "") + more
        can.append(text)
    usable = any(layout.pixel is not None for layout in found.layouts)
    words = f"{found.info.name} on {node.path} ({found.driver}): " + "; ".join(can[:_LINES])
    words += f"; signal {found.signal}" + (f" {found.facts}" if found.facts else "")
    yield Check(identity, usable, words, "None of its formats can be used: another grabber, or other firmware.")


def _configured(item: Source, nodes: list[Node]) -> Iterator[Check]:
    """Whether what the settings name is there."""
    identity = f"source.{item.id}.device"
    if item.kind == "v4l2":
        there = [node for node in nodes if node.matches(item.device)]
        if item.device.startswith("/"):
            good, text = Path(item.device).exists(), item.device
        else:
            good, text = bool(there), item.device or "(no device is named)"
        known = ", ".join(sorted({node.key for node in nodes}))
        hint = f"There are: {known}." if known else "Check the cable."
        yield Check(identity, good, f"{text} is {'there' if good else 'not there'}", hint)
    elif item.kind == "file":
        good = Path(item.device).is_file()
        yield Check(identity, good, f"{item.device} is {'there' if good else 'not there'}", "Check the path.")
    elif item.kind == "folder":
        good = os.access(item.device, os.W_OK | os.X_OK) and Path(item.device).is_dir()
        text = f"{item.device} is {'a' if good else 'no'} folder that can be written"
        yield Check(identity, good, text, "Check the path, the drive and its permissions.")


def rates(context: Context) -> Iterator[Check]:
    """Two seconds of each source: a recording's own frames, else the previews that capture makes of them."""
    if context.capture is None:
        yield Check("rates", None, "could not be checked because capture does not answer")
        return
    live = [item for item in context.sources if item.get("kind") in ("v4l2", "file", "pattern") and item["signal"]]
    before = {item["id"]: _count(context, item) for item in live}
    begun = time.monotonic()
    time.sleep(MEASURED_S)
    try:
        said = client.request(context.folders.capture_socket, "GET", "/v1/status", timeout_s=3)
    except SmartBoxError:
        yield Check("rates", None, "could not be checked because capture went away")
        return
    now = {item["id"]: item for item in said["sources"]}
    passed = time.monotonic() - begun
    for item in live:
        later = now.get(item["id"])
        if later is None:
            continue
        yield _rate(item, before[item["id"]], _count(context, later), later, passed)


def _count(context: Context, item: dict[str, Any]) -> tuple[str, int]:
    """Of what, and how many so far."""
    if item.get("recording"):
        return "frames", int(item["recording"]["frames"])
    with contextlib.suppress(OSError, struct.error):
        head = (context.folders.runtime / str(item["preview"])).open("rb").read(HEADER.size)
        magic, _, _, _, _, sequence, _, _ = HEADER.unpack(head)
        if magic == MAGIC:
            return "previews", int(sequence)
    return "", 0


def _rate(
    item: dict[str, Any], before: tuple[str, int], after: tuple[str, int], later: dict[str, Any], passed: float
) -> Check:
    identity, asked = f"source.{item['id']}.rate", float(item["fps"])
    lost = f"{later.get('frames_lost', 0)} frames lost since the start"
    if not before[0] or before[0] != after[0] or after[1] < before[1]:
        return Check(identity, None, f"could not be measured: its picture began anew meanwhile; {lost}")
    rate = (after[1] - before[1]) / passed
    if before[0] == "previews":
        asked = min(asked, PREVIEWS)
        text = f"{rate:.1f} of {asked:.4g} pictures a second in the preview ({item['fps']:.4g} asked of the source)"
    else:
        text = f"{rate:.1f} of {asked:.4g} frames a second in the recording"
    hint = "A grabber in another USB port, a smaller size, or light: cameras get slower in the dark."
    return Check(identity, rate >= asked * SHARE, f"{item['width']}x{item['height']}: {text}; {lost}", hint)
