"""Access units: what the encoder makes of frames, and what the ring and the recorder keep."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Stream:
    """What one opening of the encoder makes: units of two streams never go into one file.

    `fps` is the nominal rate of the encoded frames. `number` counts the openings within the process. `parameters`
    are the stream's parameter sets (of MPEG2 its sequence header), as each IDR has them.
    """

    number: int
    width: int
    height: int
    fps: Fraction
    transfer_syntax_uid: str
    codec: str = "h264"
    parameters: bytes = field(default=b"", repr=False)

    def same_as(self, other: Stream) -> bool:
        """Whether units of both decode with the same parameter sets."""
        return replace(self, number=0) == replace(other, number=0)


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One encoded frame (Annex B, beginning with its delimiter, of MPEG2 a picture with its headers; with parameter
    sets where `idr`: decoding can begin there).

    timestamp_ns   CLOCK_MONOTONIC of the frame's capture
    lost           frames lost between the unit before and this one
    """

    data: bytes = field(repr=False)
    timestamp_ns: int
    idr: bool
    lost: int
    stream: Stream
