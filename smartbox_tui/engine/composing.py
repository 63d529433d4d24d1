"""The object that a destination gets of a picture: which header, which bitstream, in which transfer syntax.

As captured it is the header that adoption wrote. Any other rendition has a header of its own, written once in
`derived/` and then used as it is, so that no later setting or program gives a UID another meaning.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from uuid import uuid5

from smartbox_tui.dicom.build import build_header
from smartbox_tui.dicom.compose import Composition, compose
from smartbox_tui.dicom.iods import IODS, LOSSY_METHODS, NATIVE, SYNTAX_NAMES
from smartbox_tui.dicom.lineage import Lineage, LossyStep, Source
from smartbox_tui.dicom.part10 import read_meta
from smartbox_tui.dicom.relabel import decoded, relabelled
from smartbox_tui.engine import rendition
from smartbox_tui.engine.delivery import variants
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.media.jpeg import baseline_at
from smartbox_tui.model.instance import JPEG_BASELINE, JPEG_EXTENDED, SOP_CLASSES, Picture
from smartbox_tui.model.variant import AS_CAPTURED, Variant, derived_uuid, sop_uid_of
from smartbox_tui.spool import release
from smartbox_tui.spool.bitstream import DERIVED, Bitstream
from smartbox_tui.spool.durable import make_folder, write_new
from smartbox_tui.spool.examfile import ExamFile, RevisionFile, read_exam, read_revision
from smartbox_tui.spool.layout import header_name
from smartbox_tui.spool.sidecar import Sidecar, read_sidecar

_HEAD: Final = 1 << 16
writing = threading.Lock()
"""One thread a destination: two of them may want the same header at the same time."""


class NotMade(SmartBoxError):
    """A media child must make something first: `prepare` says what (variants.BITSTREAM, PIXELS)."""

    def __init__(self, prepare: str) -> None:
        super().__init__("not-found", "What is to be sent is not made yet.", "The engine makes it by itself.")
        self.prepare = prepare


@dataclass(frozen=True, slots=True)
class Wanted:
    """`syntax` the transfer syntax that was agreed upon; empty: the bitstream's own. `numbers` (SeriesNumber,
    InstanceNumber) of the picture, `station` (station name, institution) for a header that is not made yet."""

    picture: str
    variant: Variant = AS_CAPTURED
    syntax: str = ""
    charset: str = "utf-8"
    station: tuple[str, str] = ("", "")
    numbers: tuple[int, int] = (1, 1)


def syntax_of(bitstream: Bitstream) -> str:
    return bitstream.transfer_syntax_uid or JPEG_BASELINE


def composition(folder: Path, wanted: Wanted, *, keep: bool = True, source: Bitstream | None = None) -> Composition:
    """The complete object, of the picture's newest header revision. With `keep` a header that was made for it is
    written; without, nothing is. `source`: a bitstream that was made for this call, its `file` an absolute path.

    Raises NotMade, and SmartBoxError invalid-object when header or bitstream are missing, short, not encodable,
    not-found for a picture that only archives have.
    """
    try:
        sidecar = read_sidecar(folder / f"{wanted.picture}.json")
        release.check_here(folder, sidecar)
        exam = read_exam(folder)
        source = source or variants.of_variant(folder, sidecar, wanted.variant)
        if source is None:
            raise NotMade(variants.BITSTREAM)
        header = _header(folder, exam, sidecar, source, wanted, keep=keep)
        return _composed(folder, sidecar, source, header, wanted.syntax or syntax_of(source))
    except (OSError, ValueError) as exc:
        raise SmartBoxError(
            "invalid-object",
            f"The picture {wanted.picture} cannot be composed: {type(exc).__name__}: {exc}",
            "smartbox store check shows what of it is there.",
        ) from exc


def _composed(folder: Path, sidecar: Sidecar, source: Bitstream, header: bytes, syntax: str) -> Composition:
    path, frames = folder / source.file, source.index or None
    if syntax in NATIVE:
        pixels = variants.pixels_of(folder, sidecar.id)
        if pixels is None:
            raise NotMade(variants.PIXELS)
        return compose(decoded(header, syntax), folder / pixels.file, pixels.bytes)
    if syntax == syntax_of(source):
        return compose(header, path, source.bytes, frames)
    patches = _extended(path, frames or [(0, source.bytes)]) if syntax == JPEG_EXTENDED else []
    return compose(relabelled(header, syntax), path, source.bytes, frames, patches=patches)


def _extended(path: Path, frames: Sequence[tuple[int, int]]) -> list[tuple[int, bytes]]:
    """SOF1 for SOF0 in each picture. Raises ValueError (NotBaseline), OSError."""
    patches = []
    with path.open("rb") as file:
        for offset, length in frames:
            file.seek(offset)
            patches.append((offset + baseline_at(file.read(min(_HEAD, length))), b"\xc1"))
    return patches


# ---- headers


def _header(
    folder: Path, exam: ExamFile, sidecar: Sidecar, source: Bitstream, wanted: Wanted, *, keep: bool
) -> bytes:
    """In the bitstream's own transfer syntax."""
    if wanted.variant.is_captured and wanted.charset == "utf-8":
        return (folder / header_name(sidecar.id, exam.revision)).read_bytes()
    revision = read_revision(folder, exam.revision)
    own_uid = rendition.sop_uid(sidecar.id, revision)
    name = uuid5(derived_uuid(own_uid, wanted.variant), wanted.charset)
    path = folder / DERIVED / header_name(str(name), exam.revision)
    with writing:
        if path.exists():
            header = path.read_bytes()
            if read_meta(header, path.name).transfer_syntax_uid == syntax_of(source):
                return header
        header = _built(exam, revision, sidecar, source, wanted)
        if keep:
            make_folder(path.parent)
            write_new(path, header)
    return header


def _built(exam: ExamFile, revision: RevisionFile, sidecar: Sidecar, source: Bitstream, wanted: Wanted) -> bytes:
    picture = rendition.picture_values(sidecar, revision, *wanted.numbers)
    lineage = Lineage()
    if not wanted.variant.is_captured:
        picture, lineage = derived(picture, sidecar, source, wanted.variant)
    return build_header(
        rendition.study_values(exam, revision, wanted.charset),
        picture,
        rendition.equipment_values(*wanted.station, sidecar),
        lineage,
    )


def derived(picture: Picture, sidecar: Sidecar, source: Bitstream, variant: Variant) -> tuple[Picture, Lineage]:
    """What the header of a derived instance is made from; `picture` is the captured one, `source` what it has."""
    sop_class = SOP_CLASSES[variant.sop_class] if variant.sop_class else picture.sop_class_uid
    series = picture.series_instance_uid
    made = replace(
        picture,
        sop_instance_uid=sop_uid_of(picture.sop_instance_uid, variant),
        sop_class_uid=sop_class,
        series_instance_uid=variants.series_of(series, picture.sop_class_uid, sop_class),
        transfer_syntax_uid=syntax_of(source),
        columns=source.width,
        rows=source.height,
        number_of_frames=source.frames,
        sampling=source.sampling,
        bitstream_bytes=source.bytes,
    )
    if variant.codec and source.fps_num:
        made = replace(made, frame_time_ms=1000.0 * source.fps_den / source.fps_num)
    before: tuple[LossyStep, ...] = ()
    if variant.codec:
        own = LOSSY_METHODS[picture.transfer_syntax_uid]
        before = (LossyStep(own, picture.uncompressed_bytes / max(picture.bitstream_bytes, 1)),)
    said = _described(picture, sidecar, source, variant)
    return made, Lineage(before, Source(picture.sop_class_uid, picture.sop_instance_uid, said))


def _described(picture: Picture, sidecar: Sidecar, source: Bitstream, variant: Variant) -> str:
    """DerivationDescription (0008,2111), in plain words."""
    said = []
    if variant.codec:
        old, new = SYNTAX_NAMES[picture.transfer_syntax_uid], SYNTAX_NAMES[syntax_of(source)]
        said.append(f"Encoded anew: {new} from {old}.")
    elif variant.container:
        new, old = variants.CONTAINER_NAMES[variant.container], variants.CONTAINER_NAMES[sidecar.container]
        said.append(f"Put from {old} into {new}; the video is the same.")
    if variant.sop_class:
        iod = IODS[SOP_CLASSES[variant.sop_class]]
        what = "; the picture is the same" if not said else ""
        said.append(f"Stored as {iod.name} instead of {IODS[picture.sop_class_uid].name}{what}.")
    return " ".join(said)
