"""A composed object on its way to a medium: in pieces, at the rate that is allowed."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from typing import Final

from smartbox_tui.dicom.compose import Composition, Reader, Segment
from smartbox_tui.dicom.scu.pace import Pace
from smartbox_tui.engine.delivery.medium.files import CHUNK
from smartbox_tui.engine.delivery.medium.pulse import Pulse

_PACE_S: Final = 0.2


def chunks(segments: Sequence[Segment], pulse: Pulse, pace: Pace | None = None) -> Iterator[memoryview]:
    buffer = memoryview(bytearray(CHUNK))
    with Reader(segments) as reader:
        while count := reader.readinto(buffer):
            if pace is not None:
                _wait(pace, count, pulse)
            yield buffer[:count]


def _wait(pace: Pace, count: int, pulse: Pulse) -> None:
    nobody = threading.Event()
    while count:
        allowed, pause_s = pace.take(count)
        count -= allowed
        pulse.check()
        pulse.beat()
        nobody.wait(min(pause_s, _PACE_S))


def digest_of(composition: Composition, pulse: Pulse) -> bytes:
    found = hashlib.blake2b()
    for chunk in chunks((composition.meta, *composition.segments), pulse):
        found.update(chunk)
        pulse.beat()
        pulse.check()
    return found.digest()
