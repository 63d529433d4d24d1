"""What a file of video is, for people and for `dicom build`: refused never. Frames are counted, not estimated."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.media.examine import Video, examine
from smartbox_tui.media.remux import Index, seconds
from smartbox_tui.media.told import syntax_of
from smartbox_tui.media.units import Bounded, Clip

_PROFILES: Final = {
    "h264": {66: "Baseline", 77: "Main", 88: "Extended", 100: "High", 110: "High 10", 122: "High 4:2:2"},
    "hevc": {1: "Main", 2: "Main 10", 3: "Main Still Picture", 4: "Range Extensions"},
    "mpeg2": {5: "Simple", 4: "Main", 3: "SNR Scalable", 2: "Spatially Scalable", 1: "High"},
}
_MPEG2_LEVELS: Final = {10: "Low", 8: "Main", 6: "High 1440", 4: "High"}


@dataclass(frozen=True, slots=True)
class Probe:
    """`damage` and `unfit` are sentences: what is wrong with the file, and why no DICOM transfer syntax fits it as
    it is (`transfer_syntax_uid` then is empty); both empty when all is well.

    container       ts, mp4, raw, or empty: none that is known
    profile, level  in words; `profile_idc`, `level_idc` as the codec writes them
    fps             as a fraction, "30000/1001"; empty when unknown
    gop_frames      most frames, and `gop_s` seconds, from one that can be decoded alone to the next
    front           an MP4's index comes before its pictures
    """

    bytes: int
    container: str
    brand: str
    codec: str
    profile: str
    profile_idc: int
    level: str
    level_idc: int
    width: int
    height: int
    fps: str
    frames: int
    duration_s: float
    audio: bool
    sample_aspect: str
    progressive: bool
    chroma_420: bool
    bit_depth: int
    gop_frames: int
    gop_s: float
    b_frames: bool
    front: bool
    transfer_syntax_uid: str
    unfit: str
    damage: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def probe(path: Path, length: int | None = None) -> Probe:
    """Raises SmartBoxError not-found only."""
    try:
        with Bounded(path, path.stat().st_size if length is None else length) as file:
            size = file.length
            try:
                video, damage = examine(file.at, size), ""
            except ValueError as exc:
                video, damage = Video(""), str(exc)
    except OSError as exc:
        raise SmartBoxError("not-found", f"There is no file {path.name}.", "Is the name right?") from exc
    index: Index | None = None
    if not damage:
        try:
            with Clip(path, length) as clip:
                index = Index(clip)
        except SmartBoxError as exc:
            damage = exc.message
    try:
        syntax, unfit = (
            syntax_of(video) if video.codec else "",
            "" if video.codec else "it is no video that is known",
        )
    except ValueError as exc:
        syntax, unfit = "", str(exc)
    fps = index.fps if index else video.fps
    frames, gop_frames, gop_s = _counted(index)
    return Probe(
        bytes=size,
        container=video.container,
        brand=video.brand,
        codec=video.codec,
        profile=_PROFILES.get(video.codec, {}).get(video.profile, str(video.profile or "")),
        profile_idc=video.profile,
        level=_level(video),
        level_idc=video.level,
        width=video.width,
        height=video.height,
        fps=f"{fps.numerator}/{fps.denominator}" if fps else "",
        frames=frames,
        duration_s=round(float(seconds(index)), 6) if index else 0.0,
        audio=video.audio,
        sample_aspect=f"{video.aspect.numerator}:{video.aspect.denominator}" if video.aspect else "",
        progressive=video.progressive,
        chroma_420=video.chroma_420,
        bit_depth=video.bit_depth,
        gop_frames=gop_frames,
        gop_s=gop_s,
        b_frames=index.samples.reordered if index else False,
        front=video.front,
        transfer_syntax_uid=syntax,
        unfit=unfit,
        damage=damage,
    )


def _counted(index: Index | None) -> tuple[int, int, float]:
    if index is None:
        return 0, 0, 0.0
    samples = index.samples
    points = [*samples.keys, len(samples)]
    ends = [*samples.decoded, samples.decoded[-1] + index.last_ticks]
    longest = max(ends[after] - ends[before] for before, after in pairwise(points))
    frames = max(after - before for before, after in pairwise(points))
    return len(samples), frames, round(float(longest * index.time_base), 6)


def _level(video: Video) -> str:
    if not video.level:
        return ""
    if video.codec == "mpeg2":
        return _MPEG2_LEVELS.get(video.level, str(video.level))
    return f"{video.level / (10 if video.codec == 'h264' else 30):g}"


def lines(found: Probe) -> str:
    """For people."""
    rows = [
        ("container", f"{found.container or 'none that is known'} {found.brand}".strip()),
        ("video", f"{found.codec} {found.profile} {found.level}".strip()),
        ("picture", f"{found.width}x{found.height}, {'progressive' if found.progressive else 'interlaced'}"),
        ("frames", f"{found.frames} at {found.fps or '?'} a second, {found.duration_s:g} s"),
        ("GOP", f"{found.gop_frames} frames, {found.gop_s:g} s{', B-frames' if found.b_frames else ''}"),
        ("sound", "yes" if found.audio else "no"),
        ("pixels", f"{found.sample_aspect or 'aspect not told'}, {found.bit_depth} bits"),
        ("DICOM", found.transfer_syntax_uid or found.unfit),
        ("damage", found.damage or "none"),
    ]
    return "\n".join(f"{name:10} {text}" for name, text in rows)
