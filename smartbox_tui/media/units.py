"""Access units of a clip, whatever its container: out of a file of known length, as a byte stream or as samples.

A byte stream (Annex B) has start codes, an MP4's sample a length before each NAL unit; MPEG2 is the same in both.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.media import h264, hevc, mp4, mpeg2
from smartbox_tui.media.examine import Video, examine

_FORMATS: Final = {"ts": "mpegts", "mp4": "mov"}
_BUFFER: Final = 1 << 18
_DELIMITERS: Final = {"h264": b"\x09\xf0", "hevc": b"\x46\x01\x50"}
"""Access unit delimiters that allow any picture (ITU-T H.264 7.3.2.4, H.265 7.3.2.5)."""

_DELIMITER: Final = {"h264": h264.NAL_DELIMITER, "hevc": hevc.NAL_DELIMITER}
_PARAMETERS: Final = {
    "h264": frozenset({h264.NAL_SPS, h264.NAL_PPS}),
    "hevc": frozenset({hevc.NAL_VPS, hevc.NAL_SPS, hevc.NAL_PPS}),
}


class Bounded(io.RawIOBase):
    """The first `length` bytes of a file: what comes behind them does not belong to the clip."""

    def __init__(self, path: Path, length: int) -> None:
        """Raises OSError."""
        super().__init__()
        self._file = path.open("rb", buffering=0)
        self.length = min(length, os.fstat(self._file.fileno()).st_size)
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        left = max(0, self.length - self._at)
        data = os.pread(self._file.fileno(), left if size < 0 else min(size, left), self._at)
        self._at += len(data)
        return data

    def at(self, offset: int, count: int) -> bytes:
        """Fewer bytes at the end."""
        return os.pread(self._file.fileno(), max(0, min(count, self.length - offset)), offset)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.length}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()


@dataclass(frozen=True, slots=True)
class Unit:
    """One access unit as its container has it; times in ticks of the clip's time base."""

    data: bytes
    shown: int
    decoded: int
    key: bool


class Clip:
    """The video of a file. Raises SmartBoxError: not-found, invalid-object."""

    def __init__(self, path: Path, length: int | None = None) -> None:
        try:
            self.file = Bounded(path, path.stat().st_size if length is None else length)
        except OSError as exc:
            raise SmartBoxError("not-found", f"There is no file {path.name}.", "Has it been released?") from exc
        self.name = path.name
        try:
            if length is not None and self.file.length < length:
                raise self.damaged("it is shorter than it should be")
            try:
                self.video: Video = examine(self.file.at, self.file.length)
            except ValueError as exc:
                raise self.damaged(str(exc)) from exc
            if self.video.container not in _FORMATS or self.video.codec not in ("h264", "hevc", "mpeg2"):
                raise self.damaged("it is no MPEG-TS and no MP4 with H.264, HEVC or MPEG2 video")
        except SmartBoxError:
            self.file.close()
            raise
        self.codec = self.video.codec

    def __enter__(self) -> Clip:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.file.close()

    def damaged(self, why: str) -> SmartBoxError:
        return SmartBoxError(
            "invalid-object", f"{self.name} cannot be used: {why}.", "The file itself is kept as it is."
        )

    def opened(self) -> Any:
        """An av container that reads from the beginning; close it. Only the known format is tried: a file cannot
        make the library read another one. Raises SmartBoxError."""
        import av

        self.file.seek(0)
        try:
            return av.open(
                self.file,
                format=_FORMATS[self.video.container],
                options={"ignore_editlist": "1"} if self.video.container == "mp4" else {},
                buffer_size=_BUFFER,
                metadata_errors="replace",
            )
        except (av.FFmpegError, ValueError) as exc:
            raise self.damaged(_sentence(exc)) from exc

    @property
    def parameters(self) -> list[bytes]:
        """The parameter sets of an MP4's sample description; for MPEG2 its sequence header; else none."""
        if self.video.container != "mp4":
            return []
        track = mp4.read_movie(self.file.at, self.file.length).track
        if track is None:
            return []
        if self.codec != "mpeg2":
            return mp4.parameter_sets(self.codec, track.parameters)
        at = track.parameters.find(b"\0\0\1\xb3")
        return [mpeg2.parameters(track.parameters[at:] + b"\0\0\1\0")] if at >= 0 else []

    @property
    def length_size(self) -> int:
        """Bytes of the length before each NAL unit of an MP4's samples."""
        track = mp4.read_movie(self.file.at, self.file.length).track
        data = track.parameters if track else b""
        place = {"h264": 4, "hevc": 21}.get(self.codec, 0)
        return (data[place] & 3) + 1 if len(data) > place else 4

    def units(self) -> Iterator[Unit]:
        """Every access unit in decoding order. Raises SmartBoxError for a damaged one, or none at all."""
        import av

        container = self.opened()
        try:
            if not container.streams.video:
                raise self.damaged("it has no video")
            stream = container.streams.video[0]
            count = 0
            for packet in container.demux(stream):
                if not packet.size:
                    continue
                if packet.is_corrupt:
                    raise self.damaged(f"a part of it is missing after {count} frames")
                if packet.pts is None:
                    raise self.damaged(f"frame {count} has no time stamp")
                decoded = packet.pts if packet.dts is None else packet.dts
                yield Unit(bytes(packet), packet.pts, decoded, bool(packet.is_keyframe))
                count += 1
            if not count:
                raise self.damaged("it has no whole frame")
        except (av.FFmpegError, ValueError) as exc:
            raise self.damaged(_sentence(exc)) from exc
        finally:
            container.close()

    @property
    def time_base(self) -> Fraction:
        container = self.opened()
        try:
            if not container.streams.video:
                raise self.damaged("it has no video")
            return Fraction(container.streams.video[0].time_base)
        finally:
            container.close()


def split(codec: str, data: bytes, length_size: int = 0) -> list[bytes]:
    """The NAL units of an access unit, without start codes or lengths; MPEG2 is one whole.

    `length_size` 0 is Annex B. Raises ValueError for a torn one.
    """
    if codec == "mpeg2":
        return [data]
    if not length_size:
        find = h264.nal_units if codec == "h264" else hevc.nal_units
        return [unit for _, unit in find(data)]
    found, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + length_size], "big")
        at += length_size
        if not size or at + size > len(data):
            raise ValueError("a frame is torn")
        found.append(data[at : at + size])
        at += size
    return found


def kind_of(codec: str, unit: bytes) -> int:
    """nal_unit_type."""
    return unit[0] & 31 if codec == "h264" else unit[0] >> 1 & 63


def begins_with_delimiter(codec: str, data: bytes) -> bool:
    """Whether the first NAL unit (Annex B) is an access unit delimiter; MPEG2 has none and needs none."""
    if codec == "mpeg2":
        return True
    at = data.find(b"\0\0\1", 0, 8) + 3
    return at > 2 and len(data) > at and kind_of(codec, data[at : at + 1]) == _DELIMITER[codec]


def parameter_units(codec: str, units: list[bytes]) -> list[bytes]:
    """The parameter sets among them; the sequence header of MPEG2 with its extensions."""
    if codec == "mpeg2":
        found = mpeg2.parameters(units[0])
        return [found] if found else []
    return [unit for unit in units if kind_of(codec, unit) in _PARAMETERS[codec]]


def essence(codec: str, units: list[bytes]) -> Iterator[bytes]:
    """What must survive a change of container byte by byte: all but delimiters and parameter sets."""
    if codec == "mpeg2":
        data = units[0]
        at = len(mpeg2.parameters(data)) if data[:4] == b"\0\0\1\xb3" else 0
        yield data[at:].rstrip(b"\0")
        return
    left_out = _PARAMETERS[codec] | {_DELIMITER[codec]}
    yield from (unit for unit in units if kind_of(codec, unit) not in left_out)


def sample(codec: str, units: list[bytes]) -> bytes:
    """As an MP4 has it."""
    if codec == "mpeg2":
        return units[0]
    return b"".join(part for unit in units for part in (len(unit).to_bytes(4, "big"), unit))


def byte_stream(codec: str, units: list[bytes], parameters: list[bytes], *, key: bool) -> bytes:
    """As a transport stream has it: a delimiter first, and where `key` parameter sets, if need be the given ones.

    Start codes have four bytes where the standards want them (ITU-T H.264 B.1.2), else three.
    """
    if codec == "mpeg2":
        missing = key and not mpeg2.starts_gop(units[0])
        return b"".join(parameters) + units[0] if missing else units[0]
    found = list(units)
    if kind_of(codec, found[0]) != _DELIMITER[codec]:
        found.insert(0, _DELIMITERS[codec])
    if key and not parameter_units(codec, found):
        found[1:1] = parameters
    long = _PARAMETERS[codec]
    return b"".join(
        part
        for number, unit in enumerate(found)
        for part in (b"\0\0\0\1" if not number or kind_of(codec, unit) in long else b"\0\0\1", unit)
    )


def _sentence(exc: Exception) -> str:
    """Of FFmpeg's errors only what went wrong: their text can hold a path."""
    text = getattr(exc, "strerror", None) or str(exc)
    return text.rstrip(".").split("\n")[0][:200].lower() or "it is damaged"
