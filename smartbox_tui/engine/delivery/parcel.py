"""One row of the queue on its way to an archive: what it may be sent as, and the object itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from smartbox_tui.dicom.compose import Composition, document, from_part10
from smartbox_tui.dicom.relabel import reencoded
from smartbox_tui.engine import composing, marking
from smartbox_tui.engine.composing import NotMade, Wanted
from smartbox_tui.engine.delivery import variants
from smartbox_tui.engine.delivery.forms import NEVER, NOTE_FORMS, Form, coming_out, forms, forms_of_kind
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.delivery import MAKING, PIXELS
from smartbox_tui.model.instance import EXPLICIT_VR_LE
from smartbox_tui.model.variant import Variant, sop_uid_of
from smartbox_tui.settings.destination import Destination
from smartbox_tui.spool import release
from smartbox_tui.spool.layout import exam_dir
from smartbox_tui.spool.sidecar import Sidecar, read_sidecar
from smartbox_tui.store import queries


def making(variant: str, prepare: str) -> str:
    """Why a row is not sent yet, in the words of the queue."""
    if prepare == variants.PIXELS:
        return f"{MAKING}{PIXELS}"
    wanted = Variant.parse(variant)
    what = variants.CODEC_NAMES.get(wanted.codec) or variants.CONTAINER_NAMES.get(wanted.container, "MP4")
    return f"{MAKING}{what}"


class Parcel:
    """Reads the row's picture as it is now. `instance` is None when the store does not have it."""

    def __init__(
        self, spool: Path, reader: Any, row: Any, destination: Destination, station: tuple[str, str]
    ) -> None:
        self._reader, self._row, self._destination, self._station = reader, row, destination, station
        self.instance: Any | None = queries.instance(reader, row.instance)
        self.variant = Variant.parse(row.variant)
        self.folder = exam_dir(spool, self.instance.folder) if self.instance is not None else spool

    def _known(self) -> Any:
        if self.instance is None:
            raise SmartBoxError("invalid-object", "The instance is gone from the store.", "smartbox store check")
        return self.instance

    def _sidecar(self) -> Sidecar:
        try:
            return read_sidecar(self.folder / f"{self._row.instance}.json")
        except ValueError as exc:
            raise SmartBoxError(
                "invalid-object", f"The picture's sidecar is not readable: {exc}.", "smartbox store check"
            ) from exc

    @property
    def _transcode(self) -> str:
        """What may have arrived under its own UID gets no other one: it would be there twice."""
        return NEVER if self._row.uncertain or self.variant.codec else self._destination.transcode

    def forms(self) -> tuple[Form, ...]:
        """Best first. Raises NotMade, invalid-object, not-found (only archives have it), OSError."""
        row = self._known()
        if row.kind == queries.NOTE:
            return forms(row.sop_class_uid, row.transfer_syntax_uid)
        if self.variant.document:
            return NOTE_FORMS
        _, sop_class = variants.series_and_class(row, self.variant)
        if row.kind == "still":
            return forms(sop_class, row.transfer_syntax_uid)
        sidecar = self._sidecar()
        if row.kind == "burst":
            pixels = sidecar.width * sidecar.height * 3 * sidecar.frames
            return forms(sop_class, row.transfer_syntax_uid, pixels=pixels)
        source = variants.of_variant(self.folder, sidecar, self.variant)
        if source is None:
            release.check_here(self.folder, sidecar)
            raise NotMade(variants.BITSTREAM)
        possible = forms(sop_class, composing.syntax_of(source), self._transcode, length=source.bytes)
        fps = sidecar.fps_num / sidecar.fps_den
        return tuple(item for item in possible if coming_out(item, sidecar.width, sidecar.height, fps))

    def others(self) -> Iterable[Form]:
        """Of everything that is open for the destination."""
        for kind, sop_class, syntax, text in queries.kinds_of_destination(self._reader, self._destination.name):
            transcode = self._destination.transcode if kind == "clip" else NEVER
            yield from forms_of_kind(sop_class, syntax, Variant.parse(text), transcode)

    def check_made(self, form: Form) -> None:
        """Raises NotMade when the form takes pixels that are not decoded yet."""
        if form.is_native and variants.pixels_of(self.folder, self._row.instance) is None:
            raise NotMade(variants.PIXELS)

    def anew(self, form: Form) -> tuple[str, str, str]:
        """(variant, SOP Instance UID, what to make) of the row when the clip is encoded anew."""
        variant = replace(self.variant, codec=form.codec)
        prepare = variants.prepare_of(self.folder, self._sidecar(), variant)
        return str(variant), sop_uid_of(self._known().sop_uid, variant), prepare

    def marks(self) -> Any:
        """`marking.birth` for the archive that has the picture as this row says it."""
        if self.instance is None:
            return None
        return marking.birth(self.folder, self.instance, self.variant, self._destination, self._station)

    def why_not_anew(self) -> str:
        """More of a reason for what no archive takes, and is not encoded anew either."""
        if self._row.kind == "clip" and self._row.uncertain and self._destination.transcode != NEVER:
            return " An earlier attempt may have arrived, so it is not encoded anew: it would be there twice."
        return ""

    def composition(self, form: Form) -> Composition:
        """Raises NotMade, invalid-object, OSError."""
        row = self._known()
        syntax = form.transfer_syntax_uid
        if row.kind == queries.NOTE:
            path = self.folder / row.file
            if syntax == row.transfer_syntax_uid:
                return from_part10(path)
            return document(reencoded(path.read_bytes(), syntax))
        wanted = Wanted(
            row.id,
            self.variant,
            syntax,
            self._destination.charset,
            self._station,
            (row.series_number, row.instance_number),
        )
        if self.variant.document:
            data = marking.document_of(self.folder, wanted)
            return document(data if syntax == EXPLICIT_VR_LE else reencoded(data, syntax))
        return composing.composition(self.folder, wanted)
