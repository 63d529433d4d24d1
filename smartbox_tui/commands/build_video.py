"""A video given to `smartbox dicom build`: taken as it is where it fits a transfer syntax, else what mends it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from smartbox_tui.commands.output import note
from smartbox_tui.errors import SmartBoxError

if TYPE_CHECKING:
    from smartbox_tui.dicom.foreign import Taken
    from smartbox_tui.dicom.validate_report import Finding
    from smartbox_tui.media.probe import Probe

KINDS: Final = frozenset({"mp4", "mov", "ts", "m2ts", "mpeg-ps", "matroska", "avi", "elementary"})
_METHODS: Final = {"h264": "ISO_14496_10", "mpeg2": "ISO_13818_2", "hevc": "ISO_23008_2"}

Scratch = Callable[[], AbstractContextManager[tuple[Path, BinaryIO]]]
"""Makes an empty temporary file, open for reading and writing, that goes when the block ends."""


def take(
    one: Path, kind: str, container: str, codec: str, target: tuple[Path, BinaryIO], scratch: Scratch
) -> Taken:
    """The video, or one made of it in `target`: with `codec` encoded anew, with `container` in another container.

    Raises invalid-object with the rule that it breaks, and what to do.
    """
    from smartbox_tui.media.probe import probe

    if kind == "m2ts":
        raise _other(one, "is a transport stream of 192-byte packets", "mpegts", "ts")
    if kind not in ("mp4", "mov", "ts"):
        word = {"mpeg-ps": "an MPEG programme stream", "elementary": "a bare bitstream"}.get(kind, kind.upper())
        raise _other(one, f"is {word}", "mp4", "mp4")
    found = probe(one)
    if found.container and not found.codec:
        raise _refused(one, "holds no H.264, HEVC or MPEG2 video", _encode_line(one))
    if found.damage:
        raise _refused(one, f"is damaged: {found.damage.rstrip('.')}", "Take it from its source again.")
    if codec:
        note(f"{one.name}: {found.frames} frames are encoded anew")
        return _encoded(one, found, codec, container or _container(found), target, scratch)
    if not found.transfer_syntax_uid:
        raise _unfit(one, found)
    remuxed = bool(container) and (container != found.container or found.audio or _is_mov(found))
    if not remuxed and _is_mov(found):
        hint = f"--container mp4 puts it into MP4 without encoding; or: ffmpeg -i {one.name} -c copy -an OUT.mp4"
        raise _refused(one, "is a QuickTime file; DICOM takes MPEG-TS and MP4 (PS3.5 8.2.7)", hint)
    if not remuxed and found.audio:
        hint = (
            f"--container {found.container} leaves the sound out; or: ffmpeg -i {one.name} -c copy -an "
            f"OUT.{found.container}"
        )
        raise _refused(one, "has sound, which archives and viewers seldom take (PS3.5 8.2.12)", hint)
    if remuxed:
        return _remuxed(one, found, container, target)
    return _taken(one, found, one)


def _container(found: Probe) -> str:
    return found.container if found.container in ("ts", "mp4") else "mp4"


def _is_mov(found: Probe) -> bool:
    return found.brand.strip() == "qt"


def _taken(one: Path, found: Probe, path: Path) -> Taken:
    from smartbox_tui.dicom.foreign import Taken

    fps = Fraction(found.fps) if found.fps else Fraction(0)
    if not fps:
        raise SmartBoxError(
            "invalid-object", f"{one.name} does not tell its frame rate.", "Encode it anew: --transcode h264."
        )
    return Taken(
        path=path,
        length=found.bytes,
        transfer_syntax_uid=found.transfer_syntax_uid,
        columns=found.width,
        rows=found.height,
        sampling="420",
        frames=found.frames,
        frame_time_ms=float(1000 / fps),
        duration_s=found.duration_s or None,
        notes=tuple(_notes(found, fps)),
    )


def _notes(found: Probe, fps: Fraction) -> list[Finding]:
    from smartbox_tui.dicom.validate_report import Finding

    notes = []
    nominal = float(found.frames / fps)
    if found.duration_s and abs(found.duration_s - nominal) > max(0.02 * found.duration_s, 2 / float(fps)):
        notes.append(
            Finding(
                "warning",
                "frame-times",
                "PS3.3 C.7.6.5",
                f"The frames are not evenly spaced: {found.duration_s:.1f} s, by FrameTime {nominal:.1f} s.",
                "A viewer that goes by FrameTime shows it at another speed; ffmpeg -vf fps=30 evens it out.",
            )
        )
    if not found.progressive:
        notes.append(
            Finding(
                "warning",
                "interlaced",
                "PS3.5 8.2",
                "The video is interlaced; many viewers show combs.",
                "--transcode h264, or ffmpeg -vf bwdif before.",
            )
        )
    return notes


def _remuxed(one: Path, found: Probe, container: str, target: tuple[Path, BinaryIO]) -> Taken:
    from smartbox_tui.media.probe import probe
    from smartbox_tui.media.remux import remux
    from smartbox_tui.media.units import Clip

    path, file = target
    with Clip(one) as clip:
        made = remux(clip, container, path, file)
    if made.frames != found.frames:
        raise _refused(one, "changed while it was read", "Wait until it is whole.")
    return _taken(one, probe(path), path)


def _encoded(
    one: Path, found: Probe, codec: str, container: str, target: tuple[Path, BinaryIO], scratch: Scratch
) -> Taken:
    from smartbox_tui.dicom.lineage import LossyStep
    from smartbox_tui.media.probe import probe
    from smartbox_tui.media.remux import remux
    from smartbox_tui.media.transcode import transcode
    from smartbox_tui.media.units import Clip

    path, file = target
    with Clip(one) as clip:
        if container == "ts":
            made = transcode(clip, codec, 0, path, file)
        else:
            with scratch() as (between, stream):
                made = transcode(clip, codec, 0, between, stream)
                with Clip(between) as encoded:
                    remux(encoded, container, path, file)
    taken = _taken(one, probe(path), path)
    ratio = max(1.0, found.width * found.height * 3 * found.frames / found.bytes)
    changed = f", {made.dropped} frames dropped, {made.repeated} repeated" if made.dropped or made.repeated else ""
    return replace(
        taken,
        before=(LossyStep(_METHODS[found.codec], ratio),),
        derivation=f"Encoded anew from {found.codec.upper()} {found.profile}{changed}",
    )


def _unfit(one: Path, found: Probe) -> SmartBoxError:
    rule = {"h264": "PS3.5 8.2.7, 8.2.8", "hevc": "PS3.5 8.2.10", "mpeg2": "PS3.5 8.2.5, 8.2.6"}[found.codec]
    # What is to be turned is turned by ffmpeg, not by us.
    mend = "" if "rotated" in found.unfit else "--transcode h264 encodes it anew; or: "
    level = f" at level {found.level}" if found.level else ""
    return _refused(
        one,
        f"is {found.codec.upper()} {found.profile}{level}, {found.width}x{found.height}, and fits no transfer "
        f"syntax: {found.unfit} ({rule})",
        f"{mend}{_encode_line(one)}",
    )


def _encode_line(one: Path) -> str:
    return (
        f"ffmpeg -i {one.name} -an -c:v libx264 -profile:v high -level 4.1 -pix_fmt yuv420p -bf 0 -g 30 "
        "-movflags +faststart OUT.mp4"
    )


def _other(one: Path, what: str, form: str, suffix: str) -> SmartBoxError:
    return _refused(
        one,
        f"{what}; DICOM takes MPEG-TS and MP4 (PS3.5 8.2.5 to 8.2.10)",
        f"ffmpeg -i {one.name} -c copy -an -f {form} OUT.{suffix}",
    )


def _refused(one: Path, what: str, hint: str) -> SmartBoxError:
    return SmartBoxError("invalid-object", f"{one.name} {what}.", hint)
