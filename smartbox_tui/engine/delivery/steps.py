"""What a media child must make before a rendition can be sent, step by step, and what becomes of its answer."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from smartbox_tui.engine.delivery import variants
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.variant import Variant
from smartbox_tui.spool.bitstream import Bitstream, captured, remuxed_name
from smartbox_tui.spool.sidecar import Sidecar

_START_S = 120.0
_BYTES_PER_S = 1 << 20
_SECONDS_PER_FRAME = 0.5
"""So slow may a child be on a box that records at the same time, before it counts as hanging."""


@dataclass(frozen=True, slots=True)
class Step:
    """One call of `smartbox media`: its arguments but for `--out`; `file` is the result's name in the exam's
    folder, `frames` how many the result must have (0: as many as come out), `bytes` about how many it will have.
    `own`: it is the picture itself, for want of which nothing of it can go."""

    arguments: tuple[str, ...]
    file: str
    frames: int
    timeout_s: float
    bytes: int = 0
    own: bool = False

    def command(self, out: Path) -> tuple[str, ...]:
        return *self.arguments, "--out", str(out)

    def result(self, answer: Any) -> Bitstream:
        """The child's answer as the record of the file. Raises invalid-object."""
        try:
            index = tuple((int(at), int(length)) for at, length in answer.get("index") or ())
            made = Bitstream(
                file=self.file,
                bytes=int(answer["bytes"]),
                media=str(answer["media"]),
                transfer_syntax_uid=str(answer["transfer_syntax_uid"]),
                width=int(answer["width"]),
                height=int(answer["height"]),
                frames=int(answer["frames"]),
                sampling=str(answer["sampling"]),
                sha256=str(answer["sha256"]),
                fps_num=int(answer.get("fps_num") or 0),
                fps_den=int(answer.get("fps_den") or 1),
                index=index,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            raise SmartBoxError(
                "invalid-object",
                f"`media {self.arguments[0]}` answered what cannot be read: {exc}.",
                "See the log.",
            ) from exc
        if self.frames and made.frames != self.frames:
            raise SmartBoxError(
                "invalid-object",
                f"`media {self.arguments[0]}` made {made.frames} frames of {self.frames}: it is not used.",
                "The recording itself is kept; smartbox store check tells more.",
            )
        return made


def next_step(folder: Path, sidecar: Sidecar, variant: Variant, prepare: str, max_bytes: int) -> Step | None:
    """The next thing to be made for a row; None when everything is there. Raises OSError."""
    own = variants.own(folder, sidecar)
    if own is None:
        source = captured(sidecar)
        step = _remux(folder, source, sidecar.container, remuxed_name(sidecar.id), sidecar.frames)
        return replace(step, own=True)
    if variant.needs_bitstream and variants.of_variant(folder, sidecar, variant) is None:
        file = variants.file_of(sidecar, variant)
        container = variant.container or sidecar.container
        if not variant.codec:
            return _remux(folder, own, container, file, own.frames)
        arguments = (
            *("transcode", str(folder / own.file), "--length", str(own.bytes), "--codec", variant.codec),
            *("--container", container, "--max-bytes", str(max_bytes)),
        )
        return Step(arguments, file, 0, _START_S + _SECONDS_PER_FRAME * own.frames, own.bytes)
    if prepare == variants.PIXELS and variants.pixels_of(folder, sidecar.id) is None:
        index = json.dumps(own.index or [(0, own.bytes)])
        decode = ("decode", str(folder / own.file), "--length", str(own.bytes), "--index", index)
        pixels = own.width * own.height * 3 * own.frames
        timeout_s = _START_S + own.bytes / _BYTES_PER_S
        return Step(decode, variants.pixels_file(sidecar.id), own.frames, timeout_s, pixels)
    return None


def _remux(folder: Path, source: Bitstream, container: str, file: str, frames: int) -> Step:
    arguments = ("remux", str(folder / source.file), "--length", str(source.bytes), "--container", container)
    return Step(arguments, file, frames, _START_S + source.bytes / _BYTES_PER_S, source.bytes)
