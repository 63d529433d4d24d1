"""A camera's JPEG made fit for an exam: upright, without EXIF, in a sampling that DICOM knows; and the codes in it.
For a child process only: what it decodes may be damaged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.media.foreign import ForeignJpeg, bare, describe_jpeg, obstacle
from smartbox_tui.media.jpeg import Jpeg, NotBaseline

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

QUALITY: Final = 95
MOST_PIXELS: Final = 64 << 20
"""Decoding takes three bytes a pixel, turning it as many again."""
MOST_BYTES: Final = 64 << 20
_LOOK_WIDTHS: Final = (1600, 3200)
"""Codes are sought in the picture scaled down to at least that width, then in the next larger one."""

_TURNS: Final = {
    1: (0, False), 2: (0, True), 3: (2, False), 4: (2, True),
    5: (3, True), 6: (3, False), 7: (1, True), 8: (1, False),
}  # fmt: skip
"""Orientation (CIPA DC-008 4.6.4.A) -> quarter turns anticlockwise, then mirrored left to right."""


@dataclass(frozen=True, slots=True)
class Ready:
    """`before` the ratio of the camera's own compression where the picture was encoded anew, `why` that was so."""

    jpeg: Jpeg
    before: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class CodeInPicture:
    """`share` of the picture's area that it covers, 0 to 1."""

    text: str
    share: float


def checked(data: bytes) -> ForeignJpeg:
    """What the markers say. Raises SmartBoxError invalid-object, with a sentence for people."""
    try:
        found = describe_jpeg(data)
    except ValueError as exc:
        raise _not_readable(f"This is no whole JPEG: {exc}.") from None
    if found.width * found.height > MOST_PIXELS:
        raise SmartBoxError(
            "invalid-object",
            f"The picture has more than {MOST_PIXELS >> 20} million pixels.",
            "Set the camera to a smaller size.",
        )
    return found


Four = tuple[int, int, int, int]


def ready(
    data: bytes, found: ForeignJpeg, orientation: int, crop: Four = (0, 0, 0, 0), masks: tuple[Four, ...] = ()
) -> Ready:
    """The camera's own compressed data where that will do, else encoded anew as 4:2:2. Raises invalid-object.

    `crop` left, top, right, bottom of the upright picture, `masks` left, top, width, height in it before the crop.
    """
    why = obstacle(found)
    if not why and found.sampling not in ("422", "444"):
        why = "it is grey or RGB"
    if not why and orientation != 1:
        why = "it does not lie upright"
    if not why and (any(crop) or masks):
        why = "something of it is cut off or blackened"
    if not why:
        try:
            own = bare(data)
            if own.sampling in ("422", "444"):
                return Ready(own)
            why = "it is grey or RGB"
        except NotBaseline as exc:
            why = str(exc)
    import numpy as np
    import simplejpeg

    pixels = _decoded(data, "RGB")
    turns, mirrored = _TURNS[orientation]
    upright = np.rot90(pixels, turns)
    upright = np.array(upright[:, ::-1] if mirrored else upright, order="C")
    for x, y, wide, high in masks:
        upright[y : y + high, x : x + wide] = 0
    left, top, right, bottom = crop
    upright = np.ascontiguousarray(upright[top : upright.shape[0] - bottom, left : upright.shape[1] - right])
    if not upright.size:
        raise SmartBoxError(
            "invalid-object", "Nothing of the picture is left when it is cut.", "Check the source's crop."
        )
    made = bytes(simplejpeg.encode_jpeg(upright, quality=QUALITY, colorspace="RGB", colorsubsampling="422"))
    height, width = upright.shape[:2]
    ratio = found.width * found.height * 3 / max(len(data), 1)
    return Ready(Jpeg(made, width, height, "422"), round(max(ratio, 1.0), 3), why)


def codes(data: bytes, found: ForeignJpeg) -> list[CodeInPicture]:
    """The QR and Data Matrix codes, each once. Decoding it says at the same time whether the picture is whole:
    raises invalid-object when it is not."""
    for width in _LOOK_WIDTHS:
        luma = _decoded(data, "GRAY", min_width=min(width, found.width))[:, :, 0]
        if here := codes_with_share(luma):
            return here
        if luma.shape[1] >= found.width:
            break
    return []


def codes_with_share(luma: npt.NDArray[np.uint8]) -> list[CodeInPicture]:
    from smartbox_tui.media.codes import readings

    area = luma.shape[0] * luma.shape[1]
    shares: dict[str, float] = {}
    for reading in readings(luma):
        spot = reading.position
        corners = [(p.x, p.y) for p in (spot.top_left, spot.top_right, spot.bottom_right, spot.bottom_left)]
        pairs = zip(corners, corners[1:] + corners[:1], strict=True)
        covered = abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs)) / 2
        shares[reading.text] = max(shares.get(reading.text, 0.0), round(covered / area, 4))
    return [CodeInPicture(text, share) for text, share in shares.items()]


def _decoded(data: bytes, colorspace: str, min_width: int = 0) -> npt.NDArray[np.uint8]:
    import simplejpeg

    try:
        pixels: Any = simplejpeg.decode_jpeg(data, colorspace=colorspace, min_width=min_width)
    except (ValueError, MemoryError) as exc:
        # the library's own words may be anything, and hold nothing of the picture
        raise _not_readable(f"The picture is damaged ({type(exc).__name__}).") from None
    return pixels  # type: ignore[no-any-return]


def _not_readable(message: str) -> SmartBoxError:
    return SmartBoxError("invalid-object", message, "Copy it from the camera again, or take it anew.")
