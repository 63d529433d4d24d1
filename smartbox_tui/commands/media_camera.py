"""`smartbox media camera`: a picture from a watched folder, made ready for an exam, and all that it says of itself.

The answer may hold patient data: it goes through a pipe to the engine and is never logged.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from smartbox_tui.commands.options import Options
from smartbox_tui.commands.output import out
from smartbox_tui.errors import SmartBoxError


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Writes the JPEG at --out and answers {"exif", "codes", "width", "height", "sampling", "before", "why"}.

    Raises invalid-object: a sentence why the file is no picture that can be taken.
    """
    from smartbox_tui.media import camera
    from smartbox_tui.media.exif import parse_tiff

    source: Path = arguments.file
    target: Path = arguments.out
    try:
        data = source.read_bytes()
    except OSError as exc:
        raise SmartBoxError("refused", f"The picture is not readable: {exc.strerror}.", "Check the disk.") from exc
    found = camera.checked(data)
    exif = parse_tiff(found.exif)
    codes = camera.codes(data, found)
    ready = camera.ready(data, found, exif.orientation, numbers(arguments.crop), masks(arguments.mask))
    try:
        target.write_bytes(ready.jpeg.data)
    except OSError as exc:
        raise SmartBoxError("refused", f"{target.name} is not written: {exc.strerror}.", "Check the disk.") from exc
    answer = {
        "exif": {
            "taken": exif.taken.isoformat() if exif.taken else None,
            "make": exif.make,
            "model": exif.model,
            "serial": exif.serial,
            "texts": list(exif.texts),
        },
        "codes": [{"text": each.text, "share": each.share} for each in codes],
        "width": ready.jpeg.width,
        "height": ready.jpeg.height,
        "sampling": ready.jpeg.sampling,
        "before": ready.before,
        "why": ready.why,
    }
    out(answer, target.name, as_json=options.json)
    return 0


def numbers(text: str) -> tuple[int, int, int, int]:
    """As the settings have them: left,top,right,bottom, or left,top,width,height."""
    try:
        first, second, third, fourth = (int(part) for part in text.split(","))
    except ValueError:
        raise SmartBoxError("bad-value", "--crop and --mask take four numbers.", "As in 0,0,0,0.") from None
    return first, second, third, fourth


def masks(text: str) -> tuple[tuple[int, int, int, int], ...]:
    return tuple(numbers(part) for part in text.split(";") if part)
