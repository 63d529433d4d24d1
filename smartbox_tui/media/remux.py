"""A clip in another container: every frame, byte by byte, and its time; nothing is encoded.

The source is read twice, for an index and for the pictures, and the result once, by another reader than the writer:
it must have as many frames, and the same bytes in them. Memory is that of one frame and of the index.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Final

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.media import h264, hevc, mpeg2
from smartbox_tui.media.made import Made, rate_of, sha256_of, size_of
from smartbox_tui.media.mp4mux import Entry, Samples, avcc, esds, front, hvcc
from smartbox_tui.media.told import syntax_or_none
from smartbox_tui.media.tsmux import TsMuxer
from smartbox_tui.media.units import Clip, Unit, byte_stream, essence, kind_of, parameter_units, sample, split

_NS: Final = 1_000_000_000


class Index:
    """The first reading of a clip: its samples, its parameter sets, its rate. Raises SmartBoxError."""

    def __init__(self, clip: Clip) -> None:
        self.samples = Samples()
        self.time_base = clip.time_base
        self.parameters: list[bytes] = list(clip.parameters)
        lengths = clip.length_size if clip.video.container == "mp4" else 0
        seen = set(self.parameters)
        for number, unit in enumerate(clip.units()):
            try:
                units = split(clip.codec, unit.data, lengths)
                for each in parameter_units(clip.codec, units) if unit.key or not number else ():
                    if each not in seen:
                        seen.add(each)
                        self.parameters.append(each)
                size = sum(len(each) for each in units) + (0 if clip.codec == "mpeg2" else 4 * len(units))
                self.samples.add(size, unit.decoded, unit.shown, key=unit.key)
            except ValueError as exc:
                raise clip.damaged(str(exc)) from exc
        try:
            self.samples.settle()
        except ValueError as exc:
            raise clip.damaged(str(exc)) from exc
        if not self.samples.keys or self.samples.keys[0]:
            raise clip.damaged("it does not begin with a picture that can be decoded alone")
        self._check_parameters(clip)
        self.fps = rate_of(clip.video, self.samples.usual_ticks, self.time_base)

    def _check_parameters(self, clip: Clip) -> None:
        """One format from beginning to end: a player reads the description once."""
        formats: set[tuple[object, ...]]
        if clip.codec == "mpeg2":
            told = (mpeg2.find_sequence(each) for each in self.parameters)
            formats = {(each.width, each.height, each.fps, each.profile, each.level) for each in told if each}
        else:
            wanted = h264.NAL_SPS if clip.codec == "h264" else hevc.NAL_SPS
            formats = {(each,) for each in self.parameters if kind_of(clip.codec, each) == wanted}
        if not formats:
            raise clip.damaged("it has no parameter sets")
        if len(formats) > 1:
            raise clip.damaged("its format changes within it")

    @property
    def last_ticks(self) -> int:
        """How long the last frame is shown: as the others are."""
        nominal = round(1 / (self.fps * self.time_base)) if self.fps else 0
        return nominal or self.samples.usual_ticks or 1


def remux(clip: Clip, container: str, path: Path, file: BinaryIO) -> Made:
    """Writes the clip as `container` (ts, mp4) into `file`, which is open for reading and writing at `path`.

    Raises SmartBoxError invalid-object (damaged, or the result is not the same); OSError.
    """
    if clip.video.turned:
        raise clip.damaged("it is to be shown rotated or mirrored, which would be lost")
    index = Index(clip)
    if container == "mp4":
        wanted = _write_mp4(clip, index, file)
    elif index.samples.reordered:
        wanted = _write_foreign_ts(clip, file)
    else:
        wanted = _write_ts(clip, index, file)
    file.flush()
    return checked(path, file, clip.codec, wanted, index.fps)


def checked(path: Path, file: BinaryIO, codec: str, wanted: tuple[int, str], fps: Fraction) -> Made:
    """Reads the result back. Raises SmartBoxError invalid-object where it is not what was to be written."""
    with Clip(path) as result:
        found = _digest(result)
        if found != wanted or result.codec != codec:
            raise SmartBoxError(
                "invalid-object",
                f"{path.name.strip('.')} was not written as it should be: {found[0]} of {wanted[0]} frames are the "
                "same.",
                "The original is kept. The disk may be failing: see `smartbox doctor`.",
            )
        video = result.video
        return Made(
            bytes=size_of(path),
            media=f"{codec}-{video.container}",
            transfer_syntax_uid=syntax_or_none(video),
            width=video.width,
            height=video.height,
            frames=found[0],
            sampling="420",
            sha256=sha256_of(file),
            fps_num=fps.numerator,
            fps_den=fps.denominator,
        )


def _digest(clip: Clip) -> tuple[int, str]:
    """How many frames, and a hash over what must be the same in every container."""
    found, frames = hashlib.sha256(), 0
    lengths = clip.length_size if clip.video.container == "mp4" else 0
    for unit in clip.units():
        try:
            feed(found, clip.codec, split(clip.codec, unit.data, lengths))
        except ValueError as exc:
            raise clip.damaged(str(exc)) from exc
        frames += 1
    return frames, found.hexdigest()


def feed(found: Any, codec: str, units: list[bytes]) -> None:
    """Takes an access unit into the hash that `checked` compares."""
    for each in essence(codec, units):
        found.update(len(each).to_bytes(4, "big"))
        found.update(each)
    found.update(b"\0\0\0\0")


def _read_again(clip: Clip, index: Index) -> Iterator[tuple[Unit, list[bytes]]]:
    """The second reading; what changed in between is an error."""
    lengths = clip.length_size if clip.video.container == "mp4" else 0
    total = len(index.samples)
    number = -1
    for number, unit in enumerate(clip.units()):
        units = split(clip.codec, unit.data, lengths)
        if number >= total or unit.shown != index.samples.shown[number]:
            raise clip.damaged("it changes while it is read")
        yield unit, units
    if number + 1 != total:
        raise clip.damaged("it changes while it is read")


def _write_mp4(clip: Clip, index: Index, file: BinaryIO) -> tuple[int, str]:
    video, samples = clip.video, index.samples
    try:
        if clip.codec == "h264":
            parameters = avcc(index.parameters)
        elif clip.codec == "hevc":
            parameters = hvcc(index.parameters)
        else:
            parameters = esds(index.parameters[0], max(samples.sizes), video.bitrate or 0)
        entry = Entry(clip.codec, parameters, video.width, video.height, video.colour)
        scale = round(1 / index.time_base)
        file.write(front(entry, samples, scale, index.last_ticks))
    except ValueError as exc:
        raise clip.damaged(str(exc)) from exc
    found = hashlib.sha256()
    for number, (_unit, units) in enumerate(_read_again(clip, index)):
        data = sample(clip.codec, units)
        if len(data) != samples.sizes[number]:
            raise clip.damaged("it changes while it is read")
        file.write(data)
        feed(found, clip.codec, units)
    return len(samples), found.hexdigest()


def _write_ts(clip: Clip, index: Index, file: BinaryIO) -> tuple[int, str]:
    mux = TsMuxer(clip.codec)
    found = hashlib.sha256()
    first = index.samples.shown[0]
    for unit, units in _read_again(clip, index):
        since = (unit.shown - first) * index.time_base
        # Rounded up: the muxer rounds down to 1/90000 s, which is what most clips count in.
        since_ns = -(-since.numerator * _NS // since.denominator)
        data = byte_stream(clip.codec, units, index.parameters, key=unit.key)
        file.write(mux.access_unit(data, since_ns, idr=unit.key))
        feed(found, clip.codec, units)
    return len(index.samples), found.hexdigest()


def _write_foreign_ts(clip: Clip, file: BinaryIO) -> tuple[int, str]:
    """A stream with reordered frames, which only others make: their transport streams need decoding times too."""
    import av

    source = clip.opened()
    try:
        with av.open(file, "w", format="mpegts") as target:
            stream = source.streams.video[0]
            out = target.add_stream_from_template(stream)
            for packet in source.demux(stream):
                if packet.size:
                    packet.stream = out
                    target.mux(packet)
    except (av.FFmpegError, ValueError) as exc:
        raise clip.damaged("it cannot be written as a transport stream") from exc
    finally:
        source.close()
    return _digest(clip)


def seconds(index: Index) -> Fraction:
    """From the first frame to the end of the last one."""
    samples = index.samples
    return (max(samples.shown) - min(samples.shown) + index.last_ticks) * index.time_base
