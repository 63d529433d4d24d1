"""Encoders: what a picture takes with each that the machine has, and what it costs when one in use stops answering.

    python -m tests.bench.encoder_bench [--size 1920x1080] [--fps 30] [--bitrate 8000000]

Prints one JSON object; what the machine does not have is there with the reason.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from fractions import Fraction
from typing import Any

from hw.base import PixelFormat, VideoFormat
from smartbox_tui.capture.accelerated import candidates, in_child
from smartbox_tui.capture.encoder import Encoder
from smartbox_tui.capture.guarded import Failed, Guarded
from smartbox_tui.capture.selftest import pictures
from smartbox_tui.media.encoders import CODECS
from smartbox_tui.model.formats import Format
from tests.support.encoders import Stalls


def tested(codec: str, plan: Format, bitrate: int) -> dict[str, Any]:
    """By the settings' words, the self-test in a child as capture runs it."""
    found: dict[str, Any] = {}
    for kind, missing in [("software", ""), *((each.kind, each.missing()) for each in candidates(codec, "auto"))]:
        if missing:
            found[kind] = missing
            continue
        begun = time.monotonic()
        verdict = in_child(codec, kind, plan, bitrate)
        seconds = round(time.monotonic() - begun, 2)
        found[kind] = {"ok": verdict.ok, "picture_ms": verdict.picture_ms, "test_s": seconds, "text": verdict.text}
    return found


def guarded(plan: Format, bitrate: int) -> dict[str, float]:
    """What a thread of its own adds to a picture, and how long a stall keeps the next one back."""
    form = VideoFormat(PixelFormat.I420, plan.width, plan.height, plan.fps, full_range=False)
    shown = list(pictures(plan.width, plan.height))

    def timed(maker: Any, count: int) -> float:
        took = []
        for number in range(count):
            begun = time.monotonic()
            maker.encode(shown[number % len(shown)], int(number * 1_000_000_000 / plan.fps), 0, idr=False)
            took.append(time.monotonic() - begun)
        return statistics.median(took) * 1000

    def software() -> Encoder:
        return Encoder(CODECS["h264"], form, plan, bitrate)

    plain = timed(software(), 60)
    maker = Guarded(software, form, "bench", open_s=10)
    own_thread = timed(maker, 60)
    maker.close()

    def stalling() -> Stalls:
        found = Stalls(software())
        found.after = 3
        return found

    maker = Guarded(stalling, form, "bench", open_s=10)
    timed(maker, 3)
    begun = time.monotonic()
    try:
        timed(maker, 1)
    except Failed:
        software().encode(shown[0], 0, 0, idr=True)
    replaced = (time.monotonic() - begun) * 1000
    Stalls.released.set()
    return {
        "picture_ms": round(plain, 2),
        "picture_in_its_own_thread_ms": round(own_thread, 2),
        "stall_to_softwares_first_unit_ms": round(replaced, 1),
    }


def main(argv: list[str]) -> int:
    """Prints the JSON; 1 where software's own encoder of the default codec does not pass."""
    parser = argparse.ArgumentParser(prog="encoder_bench")
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--fps", default="30")
    parser.add_argument("--bitrate", type=int, default=8_000_000)
    options = parser.parse_args(argv)
    width, height = (int(part) for part in options.size.split("x"))
    result: dict[str, Any] = {"size": options.size, "fps": options.fps}
    for codec, encoder in CODECS.items():
        try:
            plan = encoder.plan(width, height, Fraction(options.fps))
        except ValueError as exc:
            result[codec] = str(exc)
            continue
        result[codec] = tested(codec, plan, options.bitrate)
    result["guarded"] = guarded(CODECS["h264"].plan(width, height, Fraction(options.fps)), options.bitrate)
    print(json.dumps(result))
    return 0 if isinstance(result["h264"], dict) and result["h264"]["software"]["ok"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
