"""Which rendition of a picture a destination gets, which bitstream that has, and what must be made for it first.

A made bitstream belongs to the picture, not to a UID: correcting the patient makes no video anew, and two SOP
classes share one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid5

from smartbox_tui.dicom.iods import IODS
from smartbox_tui.model.instance import KEY_OBJECT_SELECTION, SOP_CLASSES
from smartbox_tui.model.uids import uid_of
from smartbox_tui.model.variant import CODECS, CONTAINERS, MARKS, Variant, derived_uuid, sop_uid_of
from smartbox_tui.settings.destination import Destination
from smartbox_tui.spool import bitstream
from smartbox_tui.spool.bitstream import Bitstream, captured, derived_name, read_made, remuxed_name
from smartbox_tui.spool.sidecar import Sidecar

BITSTREAM: Final = "bitstream"
PIXELS: Final = "pixels"
"""The words of a row's `prepare`."""

_SERIES: Final = UUID("b5f7b1f6-53c5-4d0e-9d9e-6d0f1b7c2a41")

CODEC_NAMES: Final = {"h264": "H.264", "mpeg2": "MPEG2", "hevc": "HEVC"}
CONTAINER_NAMES: Final = {"ts": "MPEG-TS", "mp4": "MP4"}


def variant_for(destination: Destination, sidecar: Sidecar) -> Variant:
    """What the destination's settings make of this picture."""
    wanted = {
        "still": destination.still_class,
        "burst": destination.burst_class,
        "clip": destination.clip_class,
    }[sidecar.kind]
    container = destination.container if sidecar.kind == "clip" else ""
    return Variant(
        sop_class="" if wanted == sidecar.sop_class else wanted,
        container="" if container == sidecar.container else container,
    )


def codec_of(sidecar: Sidecar) -> str:
    """h264, mpeg2, hevc; empty for what is no clip."""
    return captured(sidecar).codec


def renditions_of(sop_uid: str, kind: str) -> dict[str, Variant]:
    """Every UID under which a picture of this kind can have gone out, by any setting, and the variant of each."""
    containers, codecs = (("", *CONTAINERS), ("", *CODECS)) if kind == "clip" else (("",), ("",))
    made = itertools.starmap(Variant, itertools.product(("", *SOP_CLASSES), containers, codecs))
    return {sop_uid_of(sop_uid, variant): variant for variant in made}


def documents_of(sop_uid: str, kind: str) -> dict[str, Variant]:
    """The same of what can have gone out about the picture."""
    if kind != "clip":
        return {}
    made = [replace(variant, document=MARKS) for variant in renditions_of(sop_uid, kind).values()]
    return {sop_uid_of(sop_uid, variant): variant for variant in made}


def everything_of(sop_uid: str, kind: str) -> dict[str, Variant]:
    """Renditions and documents: every UID that can have left the box for this picture."""
    return renditions_of(sop_uid, kind) | documents_of(sop_uid, kind)


def marks_series(series_uid: str) -> str:
    """The series of the marks of all clips in a series."""
    return uid_of(uuid5(_SERIES, f"{series_uid}/{MARKS}"))


def series_and_class(row: Any, variant: Variant) -> tuple[str, str]:
    """(Series Instance UID, SOP class) of a rendition, or document; `row`: the picture's, as captured."""
    if variant.document:
        return marks_series(row.series_uid), KEY_OBJECT_SELECTION
    if not variant.sop_class:
        return row.series_uid, row.sop_class_uid
    sop_class = SOP_CLASSES[variant.sop_class]
    return series_of(row.series_uid, row.sop_class_uid, sop_class), sop_class


def series_of(series_uid: str, captured_class: str, sop_class: str) -> str:
    """A series has one modality (PS3.3 C.7.3.1.1.1): a class of another one makes another series."""
    modality = IODS[sop_class].modality
    if captured_class in IODS and IODS[captured_class].modality == modality:
        return series_uid
    return uid_of(uuid5(_SERIES, f"{series_uid}/{modality or ''}"))


# ---- bitstreams


def own(folder: Path, sidecar: Sidecar) -> Bitstream | None:
    """The picture's own bitstream; None while it is to be an MP4 that is not made. Raises OSError."""
    try:
        return bitstream.own(folder, sidecar)
    except ValueError:  # a damaged record: it is made again
        return None


def file_of(sidecar: Sidecar, variant: Variant) -> str:
    """The made bitstream's name in the exam's folder."""
    key = Variant(container=variant.container, codec=variant.codec)
    media = f"{variant.codec or codec_of(sidecar)}-{variant.container or sidecar.container}"
    return derived_name(str(derived_uuid(uid_of(UUID(sidecar.id)), key)), media)


def pixels_file(picture_id: str) -> str:
    return derived_name(picture_id, "rgb")


def of_variant(folder: Path, sidecar: Sidecar, variant: Variant) -> Bitstream | None:
    """The bitstream of this rendition; None when it is not made. Raises OSError."""
    if not variant.needs_bitstream:
        return own(folder, sidecar)
    return _made(folder, file_of(sidecar, variant))


def pixels_of(folder: Path, picture_id: str) -> Bitstream | None:
    """The decoded pixels; None when they are not made. Raises OSError."""
    return _made(folder, pixels_file(picture_id))


def _made(folder: Path, file: str) -> Bitstream | None:
    try:
        return read_made(folder, file)
    except ValueError:
        return None


def prepare_of(folder: Path, sidecar: Sidecar, variant: Variant) -> str:
    """What a row of this rendition begins with: BITSTREAM while its bitstream is not made. Raises OSError."""
    return "" if of_variant(folder, sidecar, variant) is not None else BITSTREAM


def files_needed(sidecar: Sidecar, variants: Iterator[Variant] | list[Variant]) -> frozenset[str]:
    """Names, in the exam's folder, of the made files that these renditions may be composed of."""
    found = {file_of(sidecar, variant) for variant in variants if variant.needs_bitstream}
    if sidecar.kind != "clip":
        found.add(pixels_file(sidecar.id))
    return frozenset(found)


def is_left_over(folder: Path, sidecar: Sidecar) -> bool:
    """The recorded TS lies there although the MP4, which is the picture from now on, has all of its frames."""
    if sidecar.container != "mp4" or sidecar.kind != "clip" or sidecar.file == remuxed_name(sidecar.id):
        return False
    made = own(folder, sidecar)
    return made is not None and made.frames == sidecar.frames and (folder / sidecar.file).exists()
