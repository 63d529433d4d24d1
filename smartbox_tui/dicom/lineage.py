"""Where a picture's pixels come from, when its bitstream is not the one that was captured (DESIGN section 4)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LossyStep:
    """One lossy compression: its defined term (ISO_10918_1 ...), and uncompressed by compressed bytes."""

    method: str
    ratio: float


@dataclass(frozen=True, slots=True)
class Source:
    """The instance that a derived one was made from, and what was done, in a sentence without patient data."""

    sop_class_uid: str
    sop_instance_uid: str
    description: str


@dataclass(frozen=True, slots=True)
class Lineage:
    """`before`: the compressions before the picture's own, oldest first; decoded pixels have no own.
    `source` makes the instance DERIVED, which needs a new UID; a still decoded for a peer keeps its own."""

    before: tuple[LossyStep, ...] = ()
    source: Source | None = None
