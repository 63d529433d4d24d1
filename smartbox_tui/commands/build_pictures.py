"""Pictures given to `smartbox dicom build`: passed through where they fit, else said why not and what mends it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.instance import EXPLICIT_VR_LE, IMPLICIT_VR_LE, JPEG_BASELINE, JPEG_EXTENDED

if TYPE_CHECKING:
    from smartbox_tui.dicom.foreign import Taken
    from smartbox_tui.dicom.lineage import LossyStep
    from smartbox_tui.dicom.validate_report import Finding
    from smartbox_tui.media.exif import Exif
    from smartbox_tui.media.raster import Pixels

RAW_FORMATS: Final = {"rgb24": 3, "bgr24": 3, "gray8": 1}
SYNTAXES: Final = {
    "explicit": EXPLICIT_VR_LE,
    "implicit": IMPLICIT_VR_LE,
    "jpeg-baseline": JPEG_BASELINE,
    "jpeg-extended": JPEG_EXTENDED,
}
_NATIVE: Final = (EXPLICIT_VR_LE, IMPLICIT_VR_LE)
_BYTES_MAX: Final = 1 << 30
_JPEG: Final = "ISO_10918_1"


@dataclass(frozen=True, slots=True)
class Wanted:
    """syntax      a transfer syntax UID, empty: as the pictures are
    colour      grey becomes three samples: the class has no other (PS3.3 A.8.5.4)
    rgb         a JPEG of RGB may stay one
    raw         (columns, rows, format) of files without a header, else None
    """

    multi_frame: bool
    syntax: str = ""
    reencode: bool = False
    quality: int = 95
    colour: bool = False
    rgb: bool = False
    raw: tuple[int, int, str] | None = None
    frame_time_ms: float | None = None


@dataclass(slots=True)
class _Frame:
    """`data` as it goes into the object; `ratio` of the JPEG it came from, None when nothing was lost before."""

    data: bytes
    columns: int
    rows: int
    sampling: str
    ratio: float | None = None
    anew: str = ""
    extended: bool = False


@dataclass(slots=True)
class _Taking:
    """What is collected over all the pictures."""

    frames: list[_Frame] = field(default_factory=list)
    index: list[tuple[int, int]] = field(default_factory=list)
    exif: Exif | None = None
    notes: list[Finding] = field(default_factory=list)
    size: int = 0


def take(media: list[Path], kinds: list[str], wanted: Wanted, target: tuple[Path, BinaryIO]) -> Taken:
    """Writes the bitstream into `target`, a file and its path; one picture is in memory at a time.

    Raises invalid-object, bad-value, not-found, each with what to do about it.
    """
    from smartbox_tui.dicom.foreign import Taken

    path, file = target
    found = _Taking()
    for one, kind in zip(media, kinds, strict=True):
        for frame in _frames(one, kind, wanted, found):
            _alike(one, frame, found)
            file.write(frame.data)
            found.index.append((found.size, len(frame.data)))
            found.size += len(frame.data)
            frame.data = b""
            found.frames.append(frame)
    file.flush()
    frames, first = found.frames, found.frames[0]
    if len(frames) > 1 and not wanted.multi_frame:
        raise SmartBoxError(
            "bad-value",
            f"{media[0].name} holds {len(frames)} pictures of that size, and the class has one.",
            "Check --raw-size, or use --sop-class multiframe-sc.",
        )
    if len(frames) > 1 and wanted.frame_time_ms is None:
        raise SmartBoxError(
            "bad-value",
            "How fast are the pictures shown?",
            "Give --frame-time, the milliseconds from one to the next.",
        )
    syntax = wanted.syntax or _own_syntax(kinds, frames, wanted)
    native = syntax in _NATIVE
    exif = found.exif
    return Taken(
        path=path,
        length=found.size,
        transfer_syntax_uid=syntax,
        columns=first.columns,
        rows=first.rows,
        sampling=first.sampling,
        index=tuple(found.index) if wanted.multi_frame and not native else (),
        frames=len(frames),
        frame_time_ms=wanted.frame_time_ms if len(frames) > 1 else None,
        lossless=native and all(frame.ratio is None for frame in frames),
        before=_before(frames, native=native),
        derivation=_derivation(frames, native=native),
        taken_at=_moment(exif, found.notes),
        make=exif.make if exif else "",
        model=exif.model if exif else "",
        serial=exif.serial if exif else "",
        notes=tuple(found.notes),
    )


def _own_syntax(kinds: list[str], frames: list[_Frame], wanted: Wanted) -> str:
    if "jpeg" in kinds or wanted.reencode:
        return JPEG_EXTENDED if any(frame.extended for frame in frames) else JPEG_BASELINE
    return EXPLICIT_VR_LE


def _before(frames: list[_Frame], *, native: bool) -> tuple[LossyStep, ...]:
    """The JPEG's own compression, where it is no longer the bitstream's (PS3.3 C.7.6.1.1.5.2)."""
    from smartbox_tui.dicom.lineage import LossyStep

    ratios = [frame.ratio for frame in frames if frame.ratio is not None and (native or frame.anew)]
    return (LossyStep(_JPEG, sum(ratios) / len(ratios)),) if ratios else ()


def _derivation(frames: list[_Frame], *, native: bool) -> str:
    done = sorted({frame.anew for frame in frames if frame.anew})
    return f"{'Decoded' if native else 'Encoded anew'}: {'; '.join(done)}"[:1024] if done else ""


def _alike(one: Path, frame: _Frame, found: _Taking) -> None:
    if not found.frames:
        return
    first = found.frames[0]
    if (frame.columns, frame.rows) != (first.columns, first.rows):
        raise SmartBoxError(
            "invalid-object",
            f"{one.name} has {frame.columns}x{frame.rows} pixels, the pictures before it "
            f"{first.columns}x{first.rows}.",
            "All frames of one object have one size (PS3.3 C.7.6.3): make them alike, or build several objects.",
        )
    if frame.sampling != first.sampling or frame.extended != first.extended:
        raise SmartBoxError(
            "invalid-object",
            f"{one.name} is compressed in another way than the pictures before it.",
            "--reencode makes them alike, --transfer-syntax explicit decodes them.",
        )


# ---- one picture


def _frames(one: Path, kind: str, wanted: Wanted, found: _Taking) -> Iterator[_Frame]:
    if wanted.raw is not None:
        yield from _raw(one, wanted)
        return
    data = _read(one)
    if kind == "jpeg":
        yield _jpeg(one, data, wanted, found)
    else:
        yield _png(one, data, wanted, found)


def _read(one: Path) -> bytes:
    try:
        if one.stat().st_size > _BYTES_MAX:
            raise SmartBoxError("invalid-object", f"{one.name} is larger than 1 GiB.", "Is it a picture?")
        return one.read_bytes()
    except OSError as exc:
        raise unreadable(one, exc) from exc


def unreadable(one: Path, exc: OSError) -> SmartBoxError:
    return SmartBoxError("not-found", f"{one.name} cannot be read: {exc.strerror}.", "Check its name and rights.")


def _jpeg(one: Path, data: bytes, wanted: Wanted, found: _Taking) -> _Frame:
    from smartbox_tui.media import raster
    from smartbox_tui.media.exif import parse_tiff
    from smartbox_tui.media.foreign import as_extended, bare, describe_jpeg, obstacle
    from smartbox_tui.media.jpeg import NotBaseline

    try:
        jpeg = describe_jpeg(data)
    except ValueError as exc:
        raise _damaged(one, f"is no whole JPEG: {exc}") from None
    exif = parse_tiff(jpeg.exif)
    found.exif = found.exif or exif
    why = obstacle(jpeg)
    if not why and exif.orientation != 1:
        why = "EXIF says that it is to be turned or mirrored, and DICOM viewers do not do that"
    if not why and wanted.colour and jpeg.sampling == "grey":
        why = "it is grey, and the class has three samples a pixel (PS3.3 A.8.5.4)"
    if not why and jpeg.colour == "rgb" and not wanted.rgb:
        why = "it is RGB, and compressed images of the class have luma and chroma (PS3.3 C.8.12.1.1.1, A.8.5.4)"
    if not why and wanted.syntax == JPEG_BASELINE and jpeg.process == "extended":
        why = "it is sequential extended, not baseline"
    if not why and wanted.reencode and wanted.multi_frame and jpeg.sampling != "422":
        why = "the pictures are to be compressed alike"
    picture = None
    if not why:
        try:
            picture = bare(data)
        except NotBaseline as exc:
            why = str(exc)
    native = wanted.syntax in _NATIVE
    if why and not native and not wanted.reencode:
        raise _mendable(one, why)
    try:
        pixels = raster.decode_jpeg(data, jpeg)  # also of one that is passed through: is it whole?
    except (ValueError, MemoryError) as exc:
        raise _undecodable(one, jpeg.process, jpeg.precision, jpeg.colour, exc) from None
    ratio = max(1.0, jpeg.width * jpeg.height * (1 if jpeg.sampling == "grey" else 3) / len(data))
    if picture is not None and not native:
        extended = wanted.syntax == JPEG_EXTENDED or (not wanted.syntax and jpeg.process == "extended")
        written = as_extended(picture.data) if extended else picture.data
        return _Frame(written, picture.width, picture.height, picture.sampling, extended=extended)
    if jpeg.profile:
        found.notes.append(_profile_note(one))
    turned = "turned upright" if exif.orientation != 1 else ""
    return _made(raster.upright(pixels, exif.orientation), wanted, ratio, turned if native else why)


def _png(one: Path, data: bytes, wanted: Wanted, found: _Taking) -> _Frame:
    from smartbox_tui.media import raster
    from smartbox_tui.media.exif import parse_tiff
    from smartbox_tui.media.foreign import describe_png

    try:
        png = describe_png(data)
    except ValueError as exc:
        raise _damaged(one, f"is no whole PNG: {exc}") from None
    if png.animated:
        raise _refused(
            one, "is animated, and a class of one picture would lose the others", "Save its frames singly."
        )
    exif = parse_tiff(png.exif)
    found.exif = found.exif or exif
    try:
        pixels = raster.decode_png(data, png)
    except (ValueError, MemoryError) as exc:
        if png.depth > 8:
            hint = f"Give 8 bits a sample: ffmpeg -i {one.name} -pix_fmt rgb24 OUT.png"
        elif png.transparent:
            hint = "Save it without transparency: DICOM does not know what is behind it."
        else:
            hint = "Take it from its source again."
        raise _refused(one, f"cannot be taken: {exc}", hint) from None
    if png.profile:
        found.notes.append(_profile_note(one))
    turned = "turned upright" if exif.orientation != 1 else ""
    return _made(raster.upright(pixels, exif.orientation), wanted, None, turned)


def _made(pixels: Pixels, wanted: Wanted, ratio: float | None, anew: str) -> _Frame:
    """Decoded pixels, as they are or compressed."""
    from smartbox_tui.media import raster

    if wanted.colour:
        pixels = raster.as_colour(pixels)
    rows, columns = pixels.shape[:2]
    grey = pixels.ndim == 2
    if wanted.syntax in _NATIVE or (not wanted.syntax and not wanted.reencode):
        return _Frame(pixels.tobytes(), columns, rows, "grey" if grey else "rgb", ratio, anew)
    from smartbox_tui.media.foreign import as_extended, bare

    data = bare(raster.encode_jpeg(pixels, wanted.quality)).data
    extended = wanted.syntax == JPEG_EXTENDED
    if extended:
        data = as_extended(data)
    return _Frame(data, columns, rows, "grey" if grey else "422", ratio, anew or "compressed", extended)


def _raw(one: Path, wanted: Wanted) -> Iterator[_Frame]:
    """Files without a header: as many pictures as there are, each whole."""
    import numpy as np

    assert wanted.raw is not None
    columns, rows, form = wanted.raw
    samples = RAW_FORMATS[form]
    size = columns * rows * samples
    try:
        with one.open("rb") as file:
            length = one.stat().st_size
            if not length or length % size:
                raise SmartBoxError(
                    "invalid-object",
                    f"{one.name} has {length} bytes, which is no whole number of {columns}x{rows} {form} pictures "
                    f"({size} bytes each).",
                    "Check --raw-size and --raw-format.",
                )
            for _ in range(length // size):
                pixels = np.frombuffer(file.read(size), np.uint8).reshape(rows, columns, samples)
                if form == "bgr24":
                    pixels = pixels[:, :, ::-1]
                yield _made(np.ascontiguousarray(pixels[:, :, 0] if samples == 1 else pixels), wanted, None, "")
    except OSError as exc:
        raise unreadable(one, exc) from exc


# ---- what is said


def _moment(exif: Exif | None, notes: list[Finding]) -> datetime | None:
    """When it was taken. A camera without a zone is believed to have the one of this machine, and that is said."""
    from smartbox_tui.dicom.validate_report import Finding

    if exif is None or exif.taken is None:
        return None
    if exif.taken.tzinfo is not None:
        return exif.taken
    notes.append(
        Finding(
            "warning",
            "time-zone",
            "PS3.3 C.12.1",
            "The camera's time names no time zone: that of this machine was assumed.",
            "Check it, or give --captured-at with an offset.",
        )
    )
    return exif.taken.astimezone()


def _profile_note(one: Path) -> Finding:
    from smartbox_tui.dicom.validate_report import Finding

    return Finding(
        "warning",
        "colour-profile",
        "PS3.3 C.11.15",
        f"{one.name} has a colour profile, which decoded pixels no longer carry.",
        "Convert it to sRGB before, if colours matter.",
    )


def _mendable(one: Path, why: str) -> SmartBoxError:
    return SmartBoxError(
        "invalid-object",
        f"{one.name} does not go into a DICOM object as it is: {why}.",
        "--transfer-syntax explicit decodes it without further loss; --reencode compresses it once more, as JPEG "
        "Baseline 4:2:2.",
    )


def _undecodable(one: Path, process: str, precision: int, colour: str, exc: Exception) -> SmartBoxError:
    if precision != 8 or process not in ("baseline", "extended", "progressive", "arithmetic"):
        what = f"{precision} bits a sample" if precision != 8 else f"the {process} process"
        return _refused(one, f"uses {what} of JPEG, which is not decoded here", "Save it as 8-bit PNG or JPEG.")
    if colour == "cmyk":
        hint = "Convert it to RGB in a program that knows its profile: colours must not be guessed."
        return _refused(one, "is CMYK, made for printing", hint)
    if isinstance(exc, MemoryError):
        return _refused(one, "is too large for this machine's memory", "Make it smaller.")
    return _damaged(one, "is damaged: it cannot be decoded to its end")


def _damaged(one: Path, what: str) -> SmartBoxError:
    return _refused(one, what, "Take it from its source again.")


def _refused(one: Path, what: str, hint: str) -> SmartBoxError:
    return SmartBoxError("invalid-object", f"{one.name} {what}.", hint)
