"""`smartbox media remux`, `transcode`, `decode`, `probe`: bitstreams made of others, each in a process of its own.

What is read may be damaged, or made to do harm: memory is bounded, the result is checked, a failure is a sentence.
"""

from __future__ import annotations

import argparse
import resource
import signal
import sys
from dataclasses import replace
from typing import Any, Final

from smartbox_tui.commands.media_files import give_up, making, scratch
from smartbox_tui.commands.options import Options
from smartbox_tui.commands.output import out
from smartbox_tui.errors import SmartBoxError

ACTIONS: Final = ("remux", "decode", "transcode", "probe")
_MEMORY_BYTES: Final = 6 << 30
"""Address space, most of it never used: a picture that claims to be larger is refused, the box goes on."""


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Raises SmartBoxError."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    signal.signal(signal.SIGTERM, lambda *_: give_up(128 + signal.SIGTERM))
    try:
        value, text = {"remux": _remux, "decode": _decode, "transcode": _transcode, "probe": _probe}[
            arguments.action
        ](arguments)
    except MemoryError as exc:
        raise SmartBoxError(
            "invalid-object", f"{arguments.file.name} wants more memory than any picture.", "It is damaged."
        ) from exc
    out(value, text, as_json=options.json)
    return 0


def _remux(arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from smartbox_tui.media.remux import remux
    from smartbox_tui.media.units import Clip

    with Clip(arguments.file, arguments.length) as clip, making(arguments.out) as (path, file):
        made = remux(clip, arguments.container, path, file)
    return made.as_dict(), f"{arguments.out}: {made.frames} frames, {made.bytes} bytes"


def _decode(arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from smartbox_tui.media.decode import decode, read_index

    if arguments.index is None:
        index = []
    else:
        index = read_index(sys.stdin.read() if arguments.index == "-" else arguments.index)
    with making(arguments.out) as (_path, file):
        made = decode(arguments.file, arguments.length, index, file)
    return (
        made.as_dict(),
        f"{arguments.out}: {made.frames} frames of {made.width}x{made.height}, {made.bytes} bytes",
    )


def _transcode(arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from smartbox_tui.media.remux import remux
    from smartbox_tui.media.transcode import transcode
    from smartbox_tui.media.units import Clip

    most, out_path = arguments.max_bytes, arguments.out
    with Clip(arguments.file, arguments.length) as clip, making(out_path) as (path, file):
        if arguments.container == "ts":
            made = transcode(clip, arguments.codec, most, path, file)
        else:
            with scratch(out_path) as (between, stream):
                first = transcode(clip, arguments.codec, most, between, stream)
                with Clip(between) as encoded:
                    second = remux(encoded, arguments.container, path, file)
            made = replace(second, dropped=first.dropped, repeated=first.repeated)
            if most and made.bytes > most:
                raise SmartBoxError(
                    "invalid-object",
                    f"{arguments.file.name} does not fit into {most} bytes in that codec.",
                    "Let the destination take larger objects (max_instance_bytes), or record shorter parts.",
                )
    changed = f", {made.dropped} dropped, {made.repeated} repeated" if made.dropped or made.repeated else ""
    return made.as_dict(), f"{out_path}: {made.frames} frames{changed}, {made.bytes} bytes"


def _probe(arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from smartbox_tui.media.probe import lines, probe

    found = probe(arguments.file, arguments.length)
    return found.as_dict(), lines(found)
