"""`smartbox dicom build`: a DICOM object of other people's pictures and videos, no engine and no state needed."""

from __future__ import annotations

import argparse
import contextlib
import errno
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final
from uuid import uuid4

from smartbox_tui.commands import build_pictures, build_video
from smartbox_tui.commands.ctl_exam import read_patient
from smartbox_tui.commands.options import Options
from smartbox_tui.commands.output import note, out
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.instance import SOP_CLASSES
from smartbox_tui.model.patient import UNKNOWN, Patient, accession_from, patient_from
from smartbox_tui.model.uids import uid_of

if TYPE_CHECKING:
    from smartbox_tui.dicom.compose import Composition
    from smartbox_tui.dicom.foreign import Built, Said, Taken
    from smartbox_tui.dicom.iods import Iod

_PATIENT: Final = {"patient_id": "id", "name": "name", "birth_date": "birth_date", "sex": "sex"}
_PATIENT_TAGS: Final = {"id": 0x00100020, "name": 0x00100010, "birth_date": 0x00100030, "sex": 0x00100040}
_OPTION_TAGS: Final = {
    "accession": (0x00080050,),
    "study_uid": (0x0020000D,),
    "series_uid": (0x0020000E,),
    "sop_uid": (0x00080018,),
    "study_description": (0x00081030,),
    "study_date": (0x00080020, 0x00080030),
    "captured_at": (0x0008002A, 0x00080023, 0x00080033),
    "modality": (0x00080060,),
    "series_number": (0x00200011,),
    "instance_number": (0x00200013,),
    "burned_in": (0x00280301,),
}
_UID: Final = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+", re.ASCII)
_SIZE: Final = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})", re.ASCII)
_HEAD: Final = 1024


def build(arguments: argparse.Namespace, options: Options) -> int:
    """Raises SmartBoxError: nothing is written then. The exit status otherwise."""
    from smartbox_tui.dicom.foreign import object_of

    target: Path = arguments.out
    _check_target(target, arguments.media, overwrite=arguments.overwrite)
    said = _said(arguments)
    with contextlib.ExitStack() as stack:
        taken = _taken(arguments, said.sop_class_uid, target, stack)
        built = object_of(said, taken)
        size = _write(built.composition, target)
    _answer(target, built, taken.frames, size, options)
    return 0


def _answer(target: Path, built: Built, frames: int, size: int, options: Options) -> None:
    composition = built.composition
    value = {
        "file": str(target),
        "sop_instance_uid": composition.sop_instance_uid,
        "study_instance_uid": built.study_instance_uid,
        "series_instance_uid": built.series_instance_uid,
        "sop_class_uid": composition.sop_class_uid,
        "transfer_syntax_uid": composition.transfer_syntax_uid,
        "frames": frames,
        "bytes": size,
        "findings": [asdict(item) for item in built.findings],
    }
    many = f"{frames} frame{'s' if frames > 1 else ''}"
    out(value, f"{target}: {many}, {size} bytes, study {built.study_instance_uid}", as_json=options.json)
    for item in built.findings:
        note(f"{item.severity}: {item.message} {item.hint} [{item.rule}, {item.section}]")


# ---- the file


def _check_target(target: Path, media: list[Path], *, overwrite: bool) -> None:
    if not target.parent.is_dir():
        raise SmartBoxError("not-found", f"There is no folder {target.parent}.", "Make it first.")
    if target.is_dir():
        raise SmartBoxError("refused", f"{target} is a folder.", "Give the name of a file.")
    if not target.exists():
        return
    if any(one.exists() and one.samefile(target) for one in media):
        raise SmartBoxError("refused", f"{target.name} is one of the media, too.", "Give --out another name.")
    if not overwrite:
        raise SmartBoxError("refused", f"{target} is there already.", "--overwrite replaces it.")


def _write(composition: Composition, target: Path) -> int:
    try:
        return composition.write(target)
    except OSError as exc:
        raise _not_written(target, exc) from exc


def _not_written(target: Path, exc: OSError) -> SmartBoxError:
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        return SmartBoxError("disk-full", f"No space left for {target.name}.", "Free some space there.")
    return SmartBoxError("refused", f"{target} cannot be written: {exc.strerror}.", "Check the folder's rights.")


@contextlib.contextmanager
def _scratch(target: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A temporary file on the disk of `target` that has no name in any folder: a killed run leaves nothing."""
    try:
        with tempfile.TemporaryFile(dir=target.parent) as file:
            yield Path(f"/proc/self/fd/{file.fileno()}"), file
    except OSError as exc:
        raise _not_written(target, exc) from exc


# ---- the media


def _taken(arguments: argparse.Namespace, sop_class_uid: str, target: Path, stack: contextlib.ExitStack) -> Taken:
    from smartbox_tui.dicom.iods import IODS

    iod, media = IODS[sop_class_uid], arguments.media
    raw = _raw(arguments)
    kinds = ["raw" if raw else _kind(one) for one in media]
    videos = [one for one, kind in zip(media, kinds, strict=True) if kind in build_video.KINDS]
    if videos and not iod.video:
        raise SmartBoxError(
            "bad-value",
            f"{videos[0].name} is a video, and {iod.name} holds pictures.",
            "Use video-endoscopic, video-microscopic or video-photographic.",
        )
    if not videos and iod.video:
        raise SmartBoxError(
            "bad-value",
            f"{media[0].name} is a picture, and {iod.name} holds a video.",
            "Use a class of pictures; several pictures go into multiframe-sc.",
        )
    if len(media) > 1 and (videos or not iod.multi_frame):
        raise SmartBoxError(
            "bad-value",
            f"{iod.name} holds one {'video' if videos else 'picture'}, and {len(media)} are given.",
            "Build one object each (--study-uid keeps them together), or multiframe-sc of pictures.",
        )
    if videos:
        return _video(arguments, kinds[0], target, stack)
    for name in ("container", "transcode"):
        if getattr(arguments, name):
            raise SmartBoxError("bad-value", f"--{name} is for videos.", "Leave it out.")
    if not raw and len(set(kinds)) > 1:
        raise SmartBoxError("bad-value", "The pictures are of different kinds.", "Give JPEGs only, or PNGs only.")
    wanted = _wanted(arguments, iod, raw)
    return build_pictures.take(media, kinds, wanted, stack.enter_context(_scratch(target)))


def _video(arguments: argparse.Namespace, kind: str, target: Path, stack: contextlib.ExitStack) -> Taken:
    for name in ("transfer_syntax", "reencode", "frame_time", "raw_size"):
        if getattr(arguments, name):
            hint = "A video's bitstream decides that; --container and --transcode change it."
            raise SmartBoxError("bad-value", f"--{name.replace('_', '-')} is for pictures.", hint)
    return build_video.take(
        arguments.media[0],
        kind,
        arguments.container or "",
        arguments.transcode or "",
        stack.enter_context(_scratch(target)),
        lambda: _scratch(target),
    )


def _wanted(arguments: argparse.Namespace, iod: Iod, raw: tuple[int, int, str] | None) -> build_pictures.Wanted:
    word = arguments.transfer_syntax or ""
    syntax = build_pictures.SYNTAXES.get(word, word)
    if syntax and syntax not in iod.transfer_syntaxes:
        known = ", ".join(build_pictures.SYNTAXES)
        raise SmartBoxError("bad-value", f"{iod.name} is not made in that transfer syntax.", f"One of: {known}.")
    if not 1 <= arguments.quality <= 100:
        raise SmartBoxError("bad-value", "--quality must be 1 to 100.", "95 loses next to nothing.")
    time = arguments.frame_time
    if time is not None and not (iod.multi_frame and 0.01 <= time <= 3_600_000):
        raise SmartBoxError(
            "bad-value",
            "--frame-time is for multiframe-sc, and must be 0.01 to 3600000 milliseconds.",
            "40 is 25 frames a second.",
        )
    return build_pictures.Wanted(
        multi_frame=iod.multi_frame,
        syntax=syntax,
        reencode=arguments.reencode,
        quality=arguments.quality,
        colour=iod.multi_frame,
        rgb=iod.word == "secondary-capture",
        raw=raw,
        frame_time_ms=time,
    )


def _raw(arguments: argparse.Namespace) -> tuple[int, int, str] | None:
    if arguments.raw_size is None:
        return None
    match = _SIZE.fullmatch(arguments.raw_size)
    columns, rows = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 0 < columns < 65536 or not 0 < rows < 65536 or columns * rows > 1 << 28:
        raise SmartBoxError("bad-value", "--raw-size is no size.", "As in 1920x1080, at most 65535 each.")
    return columns, rows, arguments.raw_format


def _kind(one: Path) -> str:
    from smartbox_tui.media.foreign import kind_of

    try:
        with one.open("rb") as file:
            kind = kind_of(file.read(_HEAD))
    except OSError as exc:
        raise build_pictures.unreadable(one, exc) from exc
    if kind in ("jpeg", "png") or kind in build_video.KINDS:
        return kind
    if kind == "dicom":
        raise SmartBoxError("bad-value", f"{one.name} is a DICOM object already.", "See `dicom send`, `validate`.")
    what = {"": "is nothing that is known here"}.get(kind, f"is {kind.upper()}, which is not taken")
    hint = (
        "Pixels without a header need --raw-size." if not kind else f"ffmpeg -i {one.name} -pix_fmt rgb24 OUT.png"
    )
    raise SmartBoxError("invalid-object", f"{one.name} {what}.", hint)


# ---- what is said about them


def _said(arguments: argparse.Namespace) -> Said:
    from smartbox_tui.dicom.foreign import Said
    from smartbox_tui.dicom.given import read_attributes

    now = datetime.now().astimezone()
    if arguments.patient_file == "-" and arguments.attributes == "-":
        raise SmartBoxError("bad-value", "Standard input can be read once.", "Give one of them as a file.")
    patient, by_option = _patient(arguments, now)
    given: dict[str, Any] = {}
    if arguments.attributes is not None:
        given = read_attributes(_bytes(arguments.attributes))
    for name, tags in _OPTION_TAGS.items():
        if getattr(arguments, name) is not None:
            by_option |= dict.fromkeys(tags, f"--{name.replace('_', '-')}")
    study_at, time_known = _moment(arguments.study_date, "--study-date", date_alone=True)
    return Said(
        sop_class_uid=_class(arguments.sop_class),
        patient=patient,
        study_uid=_uid(arguments.study_uid, "--study-uid"),
        series_uid=_uid(arguments.series_uid, "--series-uid"),
        sop_uid=_uid(arguments.sop_uid, "--sop-uid"),
        now=now,
        study_at=study_at,
        study_time_known=time_known,
        captured_at=_moment(arguments.captured_at, "--captured-at", date_alone=False)[0],
        accession_number=accession_from(arguments.accession),
        study_description=arguments.study_description or "",
        modality=arguments.modality or "",
        series_number=_number(arguments.series_number, "--series-number"),
        instance_number=_number(arguments.instance_number, "--instance-number"),
        burned_in_annotation=arguments.burned_in != "no",
        charset=arguments.charset,
        given=given,
        by_option=by_option,
    )


def _patient(arguments: argparse.Namespace, now: datetime) -> tuple[Patient, dict[int, str]]:
    """The patient, and which of its attributes an option gives."""
    typed = {key: getattr(arguments, option) for option, key in _PATIENT.items()}
    typed = {key: value for key, value in typed.items() if value is not None}
    source = "the patient's options"
    if arguments.patient_file is not None:
        if typed:
            raise SmartBoxError("bad-value", "Either --patient-file or single values.", "Leave one of them out.")
        typed, source = read_patient(arguments.patient_file), "--patient-file"
    if not typed:
        return UNKNOWN, {}
    tags = _PATIENT_TAGS | {"age": 0x00101010}
    return patient_from(typed, now.date()), {tags[key]: source for key, value in typed.items() if value}


def _bytes(name: str) -> bytes:
    from smartbox_tui.dicom.given import SIZE_MAX

    try:
        if name == "-":
            return sys.stdin.buffer.read(SIZE_MAX + 1)
        with Path(name).open("rb") as file:
            return file.read(SIZE_MAX + 1)
    except OSError as exc:
        raise SmartBoxError("not-found", f"{name} cannot be read: {exc.strerror}.", "Check --attributes.") from exc


def _class(word: str) -> str:
    uid = SOP_CLASSES.get(word, word)
    if uid not in SOP_CLASSES.values():
        raise SmartBoxError(
            "bad-value", "That is no SOP class that is made here.", f"One of: {', '.join(SOP_CLASSES)}."
        )
    return uid


def _uid(text: str | None, option: str) -> str:
    if text is None:
        return uid_of(uuid4())
    if len(text) > 64 or not _UID.fullmatch(text):
        raise SmartBoxError("bad-value", f"{option} is no UID.", "Digits and dots, at most 64 (PS3.5 9.1).")
    return text


def _number(value: int | None, option: str) -> int:
    if value is not None and not 0 <= value < 2**31:
        raise SmartBoxError("bad-value", f"{option} must be 0 to 2147483647.", "Correct it.")
    return 1 if value is None else value


def _moment(text: str | None, option: str, *, date_alone: bool) -> tuple[datetime | None, bool]:
    """An aware time, in this machine's zone where the text names none; and whether the time of day was given."""
    if text is None:
        return None, True
    try:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo is not None else moment.astimezone()
    except (ValueError, OverflowError):
        moment = None
    alone = len(text) <= 10
    if moment is None or moment.year < 1850 or (alone and not date_alone):
        raise SmartBoxError("bad-value", f"{option} is no date and time.", "As in 2026-07-01T12:30:00+02:00.")
    return moment, not alone
