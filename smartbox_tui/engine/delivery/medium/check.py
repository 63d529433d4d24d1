"""Does the folder take pictures? In steps, as `destination test` tells them; nothing is left there."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from smartbox_tui.engine.delivery.medium import faults, mounts
from smartbox_tui.engine.delivery.medium.directory import read_directory
from smartbox_tui.engine.delivery.medium.files import MediumError, Root
from smartbox_tui.engine.delivery.medium.identity import read_mark
from smartbox_tui.engine.delivery.medium.medium import LEAST_FREE
from smartbox_tui.engine.delivery.medium.pulse import Pulse, watched
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.destination import Destination

STEPS: Final = ("mounted", "writable", "space", "dicomdir")
_PROBE: Final = ("SMARTBOX.TMP",)
_PROBE_BYTES: Final = 4096
_SCARCE: Final = 1 << 30


def check_folder(destination: Destination, timeout_s: float) -> dict[str, Any]:
    """{"ok", "steps": [{step, ok, message, hint}], "accepted": []}; ends at the first step that fails, which has a
    `code`. Never raises for what the medium does."""
    steps: list[dict[str, Any]] = []
    pulse = Pulse(destination.path)
    try:
        watched(lambda: _run(destination, pulse, steps), pulse, timeout_s)
    except SmartBoxError as exc:
        failed = {"step": STEPS[min(len(steps), len(STEPS) - 1)], "ok": False}
        steps.append({**failed, "message": exc.message, "hint": exc.hint, "code": exc.code})
    return {"ok": all(item["ok"] for item in steps), "steps": steps, "accepted": []}


def _run(destination: Destination, pulse: Pulse, steps: list[dict[str, Any]]) -> None:
    path = Path(destination.path)

    def passed(message: str, hint: str = "") -> None:
        pulse.beat()
        steps.append({"step": STEPS[len(steps)], "ok": True, "message": message, "hint": hint})

    with faults.told(path, pulse), contextlib.closing(Root(path)) as root:
        passed(_mounted(path, destination))
        _write(root, pulse)
        passed(f"What is written to {path} is read back the same.")
        passed(*_space(root))
        passed(_directory(root))


def _mounted(path: Path, destination: Destination) -> str:
    try:
        mount = mounts.mount_at(path) if destination.mounted else mounts.mount_below(path)
    except OSError as exc:
        raise MediumError(exc) from exc
    if mount is None and destination.mounted:
        raise faults.not_mounted(path)
    kind = f" ({mount.kind})" if mount is not None else ""
    return f"{path} is mounted{kind}." if destination.mounted else f"{path} is there{kind}."


def _write(root: Root, pulse: Pulse) -> None:
    if root.is_read_only():
        raise faults.read_only(root.path)
    if not root.is_writable():
        raise faults.not_allowed(root.path)
    digest = root.write(_PROBE, _once(secrets.token_bytes(_PROBE_BYTES)), pulse)
    try:
        if not root.holds(_PROBE, digest, pulse):
            raise faults.pulled(root.path, "it gives back other bytes than were written")
    finally:
        root.remove(_PROBE)


def _once(data: bytes) -> Iterator[memoryview]:
    yield memoryview(data)


def _space(root: Root) -> tuple[str, str]:
    free = root.free_bytes()
    if free < LEAST_FREE:
        raise faults.full(root.path)
    hint = "" if free >= _SCARCE else "That is little: a minute of video takes some 60 MB."
    return f"{free / 1e9:.1f} GB are free.", hint


def _directory(root: Root) -> str:
    found = read_directory(root)
    try:
        mark = read_mark(root)
    except ValueError:
        raise faults.damaged(root.path, "its mark is not readable") from None
    if found is None:
        return "It has no DICOMDIR yet: the box makes one." if mark is None else "It has no objects yet."
    return f"Its DICOMDIR is the box's own, with {len(found)} objects."
