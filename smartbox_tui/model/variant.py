"""What a destination gets when that is not the picture as it was captured (DESIGN section 4).

A UID never changes its meaning: another SOP class, container or codec is a derived instance with a UID of its own,
which follows from the picture's, so that making it twice does not double it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final, Self
from uuid import UUID, uuid5

from smartbox_tui.model.uids import uid_of

_NAMESPACE: Final = UUID("0c9e1f0e-6f43-4c52-9a43-2f1d3f5f7f10")

CONTAINERS: Final = ("ts", "mp4")
CODECS: Final = ("h264", "mpeg2", "hevc")
MARKS: Final = "marks"
"""The document that names the marked frames of a clip (a Key Object Selection), and `kind` of its row."""


@dataclass(frozen=True, slots=True)
class Variant:
    """`sop_class` a word of SOP_CLASSES, `container` of CONTAINERS, `codec` of CODECS; empty: as captured.
    `document`: not the picture, but what is said about this rendition of it (MARKS)."""

    sop_class: str = ""
    container: str = ""
    codec: str = ""
    document: str = ""

    @property
    def is_captured(self) -> bool:
        return self == AS_CAPTURED

    @property
    def needs_bitstream(self) -> bool:
        """Its bitstream is another than the captured one, and must be made first."""
        return bool(self.container or self.codec)

    def __str__(self) -> str:
        """As it stands in the queue's rows, `sop_class=video-photographic;container=mp4`; empty: as captured."""
        pairs = ((item.name, getattr(self, item.name)) for item in fields(self))
        return ";".join(f"{name}={value}" for name, value in pairs if value)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of `str`. Raises ValueError for what this version does not know."""
        values = dict(pair.split("=", 1) for pair in text.split(";")) if text else {}
        try:
            return cls(**values)
        except TypeError:
            raise ValueError(f"unknown variant {text!r}") from None


AS_CAPTURED: Final = Variant()


def derived_uuid(sop_instance_uid: str, variant: Variant) -> UUID:
    """Names the derived instance and its files; `sop_instance_uid` is the picture's own, of its newest revision."""
    return uuid5(_NAMESPACE, f"{sop_instance_uid}/{variant}")


def sop_uid_of(sop_instance_uid: str, variant: Variant) -> str:
    """The SOP Instance UID under which a destination gets the picture."""
    return sop_instance_uid if variant.is_captured else uid_of(derived_uuid(sop_instance_uid, variant))
