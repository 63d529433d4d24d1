"""The sidecar beside each bitstream: all that capture knows of it. Written by capture only.

Times: `*_ns` are CLOCK_MONOTONIC of boot `boot_id`; `captured_at` is wall time, RFC 3339 with offset, as the clock
stood then. `suspended_ns` more is CLOCK_BOOTTIME, which the anchors of spool.clock belong to.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from smartbox_tui.spool.durable import write_json
from smartbox_tui.spool.reserve import last_room

VERSION: Final = 1


class SidecarState(StrEnum):
    """pinned: of a gesture that is not over, never adopted. recording: the bitstream still grows.
    closed: done, adopt it. discarded: the operator took it back; kept 7 days, never sent."""

    PINNED = "pinned"
    RECORDING = "recording"
    CLOSED = "closed"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class Sidecar:
    """`id` is the picture's UUID (hex with dashes): its SOP Instance UID is 2.25.<id>. `bytes`, `frames`,
    `frames_lost`, `duration_s` and `sha256` are final once `state` is closed."""

    id: str
    exam: str
    revision: int
    source: str
    kind: str  # still | burst | clip
    file: str  # the bitstream's name in the same folder
    state: SidecarState
    command: str  # the UUID of the command that made it
    trigger: str  # pedal:<id> | api | key ...
    trigger_ns: int
    frame_ns: int
    captured_at: str
    boot_id: str
    clock: str  # trusted | unsure
    width: int
    height: int
    fps_num: int
    fps_den: int
    sop_class: str  # the settings' word, e.g. vl-endoscopic
    sampling: str  # 422 | 444 | 420
    media: str  # jpeg | jpegs | h264-ts | mpeg2-ts | hevc-ts
    transfer_syntax_uid: str = ""
    bytes: int = 0
    frames: int = 1
    frames_lost: int = 0
    duration_s: float | None = None
    trigger_to_disk_ms: float | None = None
    sha256: str = ""
    burned_in_annotation: bool = True
    device: dict[str, str] = field(default_factory=dict)  # manufacturer, model, serial
    appended: int = 0  # how often the exam had been appended to when it was taken: the series follows from it
    container: str = "ts"  # of clips, what the object is to have: with mp4 the TS is remuxed after the stop
    index: tuple[tuple[int, int], ...] = ()  # (offset, length) of each frame of a burst
    frame_time_ms: float | None = None  # of bursts, as measured
    boot: int = 0  # the number of the boot (spool.clock): pictures of an earlier one come first; 0: not known
    suspended_ns: int = 0  # how long the box had slept since its start
    lossy_before: tuple[tuple[str, float], ...] = ()  # (method, ratio) of compressions before the bitstream's own
    series_class: str = ""  # the settings' word of the source's class that tells the modality of the whole series
    part: int = 0  # of a clip that outgrew one instance: 0, 1, 2 ...
    stop_command: str = ""
    marks: tuple[dict[str, Any], ...] = ()  # {"id", "at_s", "text", "frame"}: from 1 on
    discarded: dict[str, str] = field(default_factory=dict)  # {"id", "reason", "at"}
    note: str = ""  # e.g. "closed after a crash"
    version: int = VERSION

    def with_(self, **changes: Any) -> Sidecar:
        return replace(self, **changes)


_NAMES: Final = frozenset(item.name for item in fields(Sidecar))


def write_sidecar(folder: Path, sidecar: Sidecar) -> None:
    """Replaces the sidecar of this picture; durable when it returns, on a full disk with the last room. Raises
    disk-full."""
    last_room(folder.parent, lambda: write_json(folder / f"{sidecar.id}.json", asdict(sidecar)))


def read_sidecar(path: Path) -> Sidecar:
    """Raises OSError, ValueError (not a sidecar). Unknown keys of a newer version are passed over."""
    value = json.loads(path.read_bytes())
    if not isinstance(value, dict) or "id" not in value or "sop_class" not in value:
        raise ValueError(f"{path.name} is not a sidecar")
    known = {key: item for key, item in value.items() if key in _NAMES}
    known["state"] = SidecarState(known["state"])
    known["marks"] = tuple(known.get("marks", ()))
    known["lossy_before"] = tuple((str(word), float(ratio)) for word, ratio in known.get("lossy_before", ()))
    known["index"] = tuple((int(at), int(length)) for at, length in known.get("index", ()))
    try:
        return Sidecar(**known)
    except TypeError as exc:
        raise ValueError(f"{path.name} is not a sidecar: {exc}") from exc
