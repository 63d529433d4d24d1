"""`smartbox media`: what engine and capture have done by children, so that no picture and no driver can harm them.
Not for people."""

from __future__ import annotations

import argparse
import json
import os
import re
import time
from pathlib import Path
from typing import Final

from smartbox_tui.commands.options import Options
from smartbox_tui.commands.output import out
from smartbox_tui.commands.processes import die_with_parent
from smartbox_tui.errors import SmartBoxError

LOOK_S: Final = 0.25
AWAY_S: Final = 5.0
"""A code that stays before the camera is said once, and again only after it was away that long."""

_NICE: Final = 10
_WORD: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Raises SmartBoxError."""
    die_with_parent()
    os.nice(_NICE)  # capture and what is on the screen come first
    if arguments.action == "poster":
        return _poster(arguments, options)
    if arguments.action == "encoder":
        return _encoder(arguments, options)
    if arguments.action == "camera":
        from smartbox_tui.commands import media_camera

        return media_camera.run(arguments, options)
    if arguments.action != "codes":
        from smartbox_tui.commands import media_make

        return media_make.run(arguments, options)
    return _codes(arguments.source, options)


def _poster(arguments: argparse.Namespace, options: Options) -> int:
    from smartbox_tui.media.poster import write_poster

    path: Path = arguments.out
    try:
        write_poster(arguments.file, path, arguments.width)
    except OSError as exc:
        raise SmartBoxError("refused", f"{path.name} is not written: {exc.strerror}.", "Check the disk.") from exc
    out({"file": str(path)}, str(path), as_json=options.json)
    return 0


def _encoder(arguments: argparse.Namespace, options: Options) -> int:
    """The verdict about an encoder that may hang or crash; exit 0 whatever it is."""
    from fractions import Fraction

    from smartbox_tui.capture.accelerated import verdict_of
    from smartbox_tui.media.encoders import CODECS

    width, height = (int(part) for part in arguments.size.split("x"))
    plan = CODECS[arguments.codec].plan(width, height, Fraction(arguments.fps))
    try:
        verdict = verdict_of(arguments.codec, arguments.kind, plan, arguments.bitrate)
    except KeyError:
        raise SmartBoxError("refused", f"There is no {arguments.codec} by {arguments.kind}.", "") from None
    answer = {"ok": verdict.ok, "text": verdict.text, "picture_ms": verdict.picture_ms, "slow": verdict.slow}
    out(answer, f"{arguments.kind}: {verdict.text}", as_json=options.json)
    return 0


def _codes(source: str, options: Options) -> int:
    """Reads the source's preview for ever; each new code is a JSON line. Ends when nobody listens any more."""
    from smartbox_tui.media.codes import codes_in, luma_of_rgb
    from smartbox_tui.settings.paths import paths
    from smartbox_tui.wire.preview import PreviewReader, preview_name

    if not _WORD.fullmatch(source):
        raise SmartBoxError("bad-value", "That is no source's id.", "See `smartbox ctl sources`.")
    reader = PreviewReader(paths(options.state, options.runtime).runtime / preview_name(source))
    seen = Seen(AWAY_S)
    while True:
        started_s = time.monotonic()
        picture = reader.read()
        if picture is not None:
            texts = codes_in(luma_of_rgb(picture.rgb, picture.width, picture.height))
            for text in seen.new(texts, started_s):
                # A pipe that nobody reads raises BrokenPipeError: the command line then ends quietly.
                print(json.dumps({"text": text}), flush=True)
        time.sleep(max(0.0, LOOK_S - (time.monotonic() - started_s)))


class Seen:
    """Which codes were before the camera lately."""

    def __init__(self, away_s: float) -> None:
        self._away_s = away_s
        self._last_s: dict[str, float] = {}

    def new(self, texts: list[str], now_s: float) -> list[str]:
        """Those of `texts` that were not there for a while."""
        self._last_s = {text: at_s for text, at_s in self._last_s.items() if now_s - at_s < self._away_s}
        fresh = [text for text in texts if text not in self._last_s]
        self._last_s |= dict.fromkeys(texts, now_s)
        return fresh
