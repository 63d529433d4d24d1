"""A clip in another codec, for an archive that cannot take the one it was recorded in.

Frames keep their times, and gaps stay gaps; only where the codec has no code for the rate are frames dropped or
repeated. What the encoder has made is read back and checked: it is not believed.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Final

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.media import mpeg2
from smartbox_tui.media.encoders import CODECS, opened
from smartbox_tui.media.encoding import Plan, bitrate_for, plan_for
from smartbox_tui.media.made import Made
from smartbox_tui.media.remux import Index, checked, feed, seconds
from smartbox_tui.media.told import own, starts_gop
from smartbox_tui.media.tsmux import TsMuxer
from smartbox_tui.media.units import Clip, split
from smartbox_tui.model.formats import placed

_NS: Final = 1_000_000_000
_GAP: Final = Fraction(3, 2)
"""Where a frame would be shown longer than so many frame times, the next one is missing."""


def transcode(clip: Clip, codec: str, max_bytes: int, path: Path, file: BinaryIO) -> Made:
    """Writes the clip in `codec` (mpeg2, h264) as a transport stream into `file`, open for reading and writing at
    `path`; never more than `max_bytes` (0: any number).

    Raises SmartBoxError invalid-object: damaged, too large, or an encoder that did not make what it should.
    """
    if clip.video.turned:
        raise clip.damaged("it is to be shown rotated or mirrored, which would be lost")
    index = Index(clip)
    video = clip.video
    aspect = video.aspect or Fraction(1)
    width, height = video.width, video.height
    if aspect >= 1:
        width = round(width * aspect)
    else:
        height = round(height / aspect)
    long = seconds(index)
    try:
        plan = plan_for(codec, width, height, index.fps)
    except ValueError as exc:
        raise clip.damaged(str(exc)) from exc
    try:
        source_rate = int(sum(index.samples.sizes) * 8 / long)
        bitrate = bitrate_for(plan, clip.codec, source_rate, max_bytes, long)
    except ValueError as exc:
        raise _too_large(clip, max_bytes) from exc
    writer = _Writer(clip, plan, max_bytes, file)
    try:
        encoder = opened(CODECS[codec], plan.form, bitrate, video.colour, live=False)
        pictures = _fitted(clip, plan, width, height, _decoded(clip, index))
        for number, (picture, at) in enumerate(_timed(plan, index, writer, pictures)):
            writer.expect(at)
            picture.pts, picture.time_base = number, 1 / plan.form.fps
            picture.pict_type = writer.picture_type(at)
            writer.write(encoder.encode(picture))
        writer.write(encoder.encode(None))
    except _av_error() as exc:
        raise clip.damaged("it cannot be decoded or encoded") from exc
    file.flush()
    return writer.checked(path, index)


# ---- pictures in


def _decoded(clip: Clip, index: Index) -> Iterator[tuple[Any, int]]:
    """Every picture and its time in ticks; each frame of the stream must give one."""
    container = clip.opened()
    count = 0
    try:
        stream = container.streams.video[0]
        stream.codec_context.thread_type = "AUTO"
        stream.codec_context.thread_count = 2
        for picture in container.decode(stream):
            if picture.is_corrupt or picture.pts is None:
                raise clip.damaged(f"frame {count} cannot be decoded")
            yield picture, picture.pts
            count += 1
    finally:
        container.close()
    if count != len(index.samples):
        raise clip.damaged(f"only {count} of {len(index.samples)} frames can be decoded")


def _fitted(
    clip: Clip, plan: Plan, width: int, height: int, pictures: Iterator[tuple[Any, int]]
) -> Iterator[tuple[Any, int]]:
    """The pictures as the encoder takes them: progressive, square, of the plan's size, 4:2:0 in limited range."""
    graph: Any = None
    times: deque[int] = deque()
    form: tuple[object, ...] = ()
    for picture, at in pictures:
        now = (picture.width, picture.height, picture.format.name)
        if form and now != form:
            raise clip.damaged("its format changes within it")
        if not form:
            form = now
            graph = _graph(clip, plan, width, height, picture)
        if graph is None:
            yield picture, at
            continue
        times.append(at)
        picture.pts = None
        graph.push(picture)
        yield from _pulled(graph, times)
    if graph is not None:
        graph.push(None)
        yield from _pulled(graph, times)


def _pulled(graph: Any, times: deque[int]) -> Iterator[tuple[Any, int]]:
    import av

    while times:
        try:
            picture = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        yield picture, times.popleft()


def _graph(clip: Clip, plan: Plan, width: int, height: int, picture: Any) -> Any:
    """The filters that are needed for pictures like this one; None where they fit as they are."""
    import av

    left, top, wide, high = placed(width, height, plan.form)
    full = _is_full(picture)
    steps = []
    if picture.interlaced_frame or not clip.video.progressive:
        steps.append(("bwdif", "mode=send_frame:deint=interlaced"))
    if (picture.width, picture.height) != (wide, high) or full:
        steps.append(("scale", f"{wide}:{high}:flags=bicubic:in_range={'full' if full else 'tv'}:out_range=tv"))
    if (wide, high) != (plan.form.width, plan.form.height):
        steps.append(("pad", f"{plan.form.width}:{plan.form.height}:{left}:{top}:black"))
    if not steps and picture.format.name == "yuv420p":
        return None
    graph = av.filter.Graph()
    nodes = [
        graph.add_buffer(
            width=picture.width, height=picture.height, format=picture.format.name, time_base=Fraction(1, 90_000)
        )
    ]
    nodes += [graph.add(name, arguments) for name, arguments in (*steps, ("format", "yuv420p"))]
    nodes.append(graph.add("buffersink"))
    graph.link_nodes(*nodes).configure()
    return graph


def _is_full(picture: Any) -> bool:
    from av.video.reformatter import ColorRange

    return bool(picture.color_range == ColorRange.JPEG) or picture.format.name.startswith("yuvj")


def _timed(
    plan: Plan, index: Index, writer: _Writer, pictures: Iterator[tuple[Any, int]]
) -> Iterator[tuple[Any, Fraction]]:
    """What is encoded, and when it is shown, in seconds from the first on."""
    first: int | None = None
    before: tuple[Any, Fraction] | None = None
    slot = 0
    for number, (picture, ticks) in enumerate(pictures):
        first = ticks if first is None else first
        at = (ticks - first) * index.time_base
        if plan.resampled:
            if before is not None:
                slot = yield from _shown(plan, index, writer, before, at, slot)
            before = picture, at
        elif number % plan.form.every:
            writer.dropped += 1
        else:
            yield picture, at
    if before is not None:
        yield from _shown(plan, index, writer, before, before[1] + index.last_ticks * index.time_base, slot)


def _shown(
    plan: Plan, index: Index, writer: _Writer, shown: tuple[Any, Fraction], until: Fraction, slot: int
) -> Generator[tuple[Any, Fraction], None, int]:
    """One picture in each slot of the new rate that falls into its time; answers the next slot."""
    picture, at = shown
    step = 1 / plan.form.fps
    # A slot belongs to the picture that is shown in its middle.
    slot = max(slot, -((step / 2 - at) // step))
    end = until if until - at <= _GAP / index.fps else at + 1 / index.fps
    count = 0
    while slot * step + step / 2 < end:
        yield picture, slot * step
        slot, count = slot + 1, count + 1
    writer.dropped += not count
    writer.repeated += max(0, count - 1)
    return slot


# ---- access units out


class _Writer:
    """Takes what the encoder gives, gives each its time, and looks at it."""

    def __init__(self, clip: Clip, plan: Plan, max_bytes: int, file: BinaryIO) -> None:
        self._clip = clip
        self._plan = plan
        self._gop = CODECS[plan.codec].gop(plan.form)
        self._max_bytes = max_bytes
        self._file = file
        self._mux = TsMuxer(plan.codec)
        self._waiting: deque[Fraction] = deque()
        self._hash = hashlib.sha256()
        self._since_key = 0
        self._key_at: Fraction | None = None
        self.frames = self.size = self.dropped = self.repeated = 0

    def expect(self, at: Fraction) -> None:
        self._waiting.append(at)

    def picture_type(self, at: Fraction) -> Any:
        """I where a second has passed, which with gaps comes sooner than the encoder's count says."""
        from av.video.frame import PictureType

        limit = 1 - 1 / (2 * self._plan.form.fps)
        if self._key_at is None or at - self._key_at >= limit:
            self._key_at = at
            return PictureType.I
        return PictureType.NONE

    def write(self, packets: list[Any]) -> None:
        """Raises SmartBoxError for what is too large, or not as it was asked for."""
        for packet in packets:
            data = bytes(packet)
            key = starts_gop(self._plan.codec, data)
            at = self._waiting.popleft()
            if self._plan.codec == "mpeg2":
                self._look_at(data, key=key)
            self._since_key = 0 if key else self._since_key + 1
            if self._since_key >= self._gop or (not self.frames and not key):
                raise self._wrong("a GOP is longer than a second")
            packed = self._mux.access_unit(data, -(-at.numerator * _NS // at.denominator), idr=key)
            self.size += len(packed)
            if self._max_bytes and self.size > self._max_bytes:
                raise _too_large(self._clip, self._max_bytes)
            self._file.write(packed)
            feed(self._hash, self._plan.codec, split(self._plan.codec, data))
            self.frames += 1

    def _look_at(self, data: bytes, *, key: bool) -> None:
        if mpeg2.picture_type(data) != ("I" if key else "P"):
            raise self._wrong("a picture is not of the kind that it should be")
        if key and mpeg2.closed_gop(data) is not True:
            raise self._wrong("a GOP is not closed")

    def checked(self, path: Path, index: Index) -> Made:
        """What was made, as it is read back. Raises SmartBoxError."""
        made = checked(
            path, self._file, self._plan.codec, (self.frames, self._hash.hexdigest()), self._plan.form.fps
        )
        with Clip(path) as result:
            try:
                found = own(result.video)
                found.check(self._plan.form)
            except ValueError as exc:
                raise self._wrong(str(exc)) from exc
        kept = len(index.samples) - self.dropped + self.repeated
        if made.frames != kept:
            raise self._wrong(f"it has {made.frames} frames instead of {kept}")
        return Made(
            **{name: getattr(made, name) for name in Made.__slots__}
            | {"transfer_syntax_uid": found.transfer_syntax_uid, "dropped": self.dropped, "repeated": self.repeated}
        )

    def _wrong(self, why: str) -> SmartBoxError:
        return SmartBoxError(
            "invalid-object",
            f"The encoder did not make what it should of {self._clip.name}: {why}.",
            "The recording itself is kept; please report this.",
        )


def _too_large(clip: Clip, max_bytes: int) -> SmartBoxError:
    return SmartBoxError(
        "invalid-object",
        f"{clip.name} does not fit into {max_bytes} bytes in that codec.",
        "Let the destination take larger objects (max_instance_bytes), or record shorter parts.",
    )


def _av_error() -> tuple[type[Exception], ...]:
    import av

    return (av.FFmpegError, ValueError)
