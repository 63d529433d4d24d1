"""Encoders: whether the machine has the power for its sources, and the self-test of what may be used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from smartbox_tui.commands.doctor.check import Check, Context
from smartbox_tui.settings.schema import Source

_CORE_S: Final = {"h264": (0.6e-3, 4.5e-9), "mpeg2": (0.4e-3, 3.5e-9), "hevc": (14e-3, 17.6e-9)}
"""Seconds of one core for a frame, and for each of its pixels, as measured (README)."""
_CORE_SHARE: Final = 0.6
"""Of the cores; conversion, stills, sending and screens want theirs."""
_LIVE: Final = ("v4l2", "file", "pattern")


def encoding(context: Context) -> Iterator[Check]:
    """Whether the machine's cores are likely to encode all that its sources deliver, at once."""
    cores = len(os.sched_getaffinity(0))
    live = [each for each in context.settings.sources if each.kind in _LIVE]
    needed = 0.0
    for each in live:
        frame_s, pixel_s = _CORE_S[each.codec]
        needed += (frame_s + pixel_s * each.width * each.height) * each.fps
    if not live:
        return
    codecs = ", ".join(dict.fromkeys(each.codec for each in live))
    text = f"{codecs} for all sources takes about {needed:.1f} of {cores} cores"
    hint = "Frames may be lost, and counted: choose h264 or mpeg2, or a smaller size or rate."
    yield Check("encoding", needed <= cores * _CORE_SHARE, text, hint)


def encoders(context: Context) -> Iterator[Check]:
    """In children, of each codec that a source is recorded in; at the largest of its sizes."""
    for item in context.sources:
        if item.get("encoder_failed"):
            hint = "Software does its work. See the driver, or set the source's encoder to software."
            yield Check(f"source.{item['id']}.encoder", False, str(item["encoder_failed"]), hint)
        elif item.get("encoder"):
            note = f" ({item['encoder_note']})" if item.get("encoder_note") else ""
            yield Check(f"source.{item['id']}.encoder", True, f"clips are made by {item['encoder']}{note}")
    largest: dict[str, Source] = {}
    for each in context.settings.sources:
        known = largest.get(each.codec)
        if each.kind in _LIVE and (known is None or each.width * each.height > known.width * known.height):
            largest[each.codec] = each
    if not largest:
        yield Check("encoder", None, "not tested because no source records clips")
    elif context.recording:
        yield Check("encoder", None, "could not be checked because a recording runs", "Try again after it.")
    else:
        for codec, each in largest.items():
            yield from _survey(codec, each)


def _survey(codec: str, item: Source) -> Iterator[Check]:
    from smartbox_tui.capture.accelerated import survey

    rate = Fraction(item.fps).limit_denominator(1001)
    try:
        found = survey(codec, item.width, item.height, rate, item.bitrate)
    except ValueError as exc:
        yield Check(f"encoder.{codec}", False, str(exc), "Record it in another codec, size or rate.")
        return
    for each in found:
        needed = each.kind == "software"
        # hardware that fails its test is not used: nothing is wrong, and the engineer wants to know why
        ok = each.ok if needed or each.ok else None
        hint = "Choose a smaller size or rate, or h264." if needed else "Software is used instead."
        yield Check(f"encoder.{codec}.{each.kind}", ok, each.text, hint)
