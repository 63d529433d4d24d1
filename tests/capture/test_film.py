"""A grabber's own H.264: recorded as it comes where it holds, encoded anew where it does not, stills decoded."""

from __future__ import annotations

import contextlib
import itertools
import time
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from hw.base import FieldOrder, Frame, PixelFormat, VideoFormat
from hw.fake.pictures import picture
from hw.fake.v4l2 import Behaviour, FakeV4l2
from hw.video.strip import read_strip
from hw.video.v4l2.device import V4l2Source
from smartbox_tui.capture.access import AccessUnit
from smartbox_tui.capture.beforehand import Beforehand
from smartbox_tui.capture.convert import Undecodable
from smartbox_tui.capture.passing import Film, Passing
from smartbox_tui.media import h264
from smartbox_tui.media.bits import raw_bytes
from tests.capture.rig import Rig, probe, strips, until

WIDTH, HEIGHT, FPS = 320, 240, 30
NS = 1_000_000_000
GOOD = (
    "8x8dct=1:scenecut=0:open-gop=0:repeat-headers=1:annexb=1:aud=0:bframes=0:force-cfr=1:keyint=15:min-keyint=15"
)


@cache
def film(count: int = 120, params: str = GOOD, profile: str = "high", full: bool = False) -> tuple[bytes, ...]:
    """The access units of pictures whose strips tell their numbers."""
    context: Any = av.CodecContext.create("libx264", "w")
    context.width, context.height, context.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    context.time_base, context.framerate = Fraction(1, FPS), Fraction(FPS)
    context.color_range = 2 if full else 1
    context.sample_aspect_ratio = Fraction(1)
    tune = {} if "bframes=2" in params else {"tune": "zerolatency"}
    context.options = {"preset": "ultrafast", "profile": profile, "x264-params": params, **tune}
    units = []
    for number in range(count):
        data = picture(PixelFormat.I420, WIDTH, HEIGHT, number)
        shown = av.VideoFrame.from_ndarray(np.frombuffer(data, np.uint8).reshape(-1, WIDTH), "yuv420p")
        shown.pts = number
        units += [bytes(packet) for packet in context.encode(shown)]
    return tuple(units + [bytes(packet) for packet in context.encode(None)])


def frames(units: tuple[bytes, ...], lost: dict[int, int] | None = None) -> list[Frame]:
    form = VideoFormat(PixelFormat.H264, WIDTH, HEIGHT, Fraction(FPS), False)
    lost = lost or {}
    return [Frame(data, form, number, lost.get(number, 0), number * NS // FPS) for number, data in enumerate(units)]


def passed(units: tuple[bytes, ...], lost: dict[int, int] | None = None) -> tuple[Passing, list[AccessUnit]]:
    passing, made = Passing("endo"), []
    for frame in frames(units, lost):
        made += passing.take(frame)
    return passing, made


def slices(data: bytes) -> list[bytes]:
    return [unit for kind, unit in h264.nal_units(data) if kind in (1, 5)]


def test_what_fits_goes_on_slice_for_slice_with_all_that_a_cut_needs() -> None:
    units = film()
    passing, made = passed(units)
    assert passing.passes
    assert len(made) == len(units), "from the first picture on"
    assert [slices(unit.data) for unit in made] == [slices(data) for data in units]
    assert [number for number, unit in enumerate(made) if unit.idr] == list(range(0, 120, 15))
    for unit in made:
        kinds = [kind for kind, _ in h264.nal_units(unit.data)]
        assert kinds[0] == h264.NAL_DELIMITER
        assert kinds.count(h264.NAL_DELIMITER) == 1
        assert (h264.NAL_SPS in kinds, h264.NAL_PPS in kinds) == (unit.idr, unit.idr)
    assert made[0].stream.transfer_syntax_uid == "1.2.840.10008.1.2.4.102"


def test_parameter_sets_that_come_only_once_are_repeated() -> None:
    units = film(60, GOOD.replace("repeat-headers=1", "repeat-headers=1"))
    bare = tuple(
        data
        if number == 0
        else b"".join(b"\0\0\0\1" + unit for kind, unit in h264.nal_units(data) if kind not in (7, 8))
        for number, data in enumerate(units)
    )
    _, made = passed(bare)
    assert all(h264.find_sps(unit.data) for unit in made if unit.idr)
    assert sum(unit.idr for unit in made) == 4


def without_rate(sps: bytes) -> bytes:
    """A sequence parameter set cut off before its VUI, as many devices have it."""
    bits = "".join(f"{byte:08b}" for byte in raw_bytes(sps))
    for at in range(32, len(bits)):
        cut = bits[:at] + "01"
        cut += "0" * (-len(cut) % 8)
        shorter = int(cut, 2).to_bytes(len(cut) // 8, "big")
        with contextlib.suppress(ValueError):
            found = h264.parse_sps(shorter)
            if (found.width, found.height, found.fps, found.aspect) == (WIDTH, HEIGHT, None, None):
                return shorter
    raise AssertionError


def test_a_rate_that_the_stream_does_not_tell_is_told() -> None:
    bare = tuple(
        b"".join(b"\0\0\0\1" + (without_rate(unit) if kind == 7 else unit) for kind, unit in h264.nal_units(data))
        for data in film(60)
    )
    sps = h264.find_sps(bare[0])
    assert sps is not None
    assert sps.fps is None
    passing, made = passed(bare)
    assert not passing.refusal
    assert len(made) == 60
    for unit in made:
        found = h264.find_sps(unit.data)
        assert (found is not None and found.fps == FPS) is unit.idr
    assert [slices(unit.data) for unit in made] == [slices(data) for data in film(60)]
    decoder = Film()
    shown = [pair for unit in made for pair in decoder.decode(frames((unit.data,))[0])]
    assert len(shown) >= 58


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"params": GOOD.replace("8x8dct=1:", ""), "profile": "baseline"}, "profile is 66"),
        ({"params": GOOD.replace("keyint=15:min-keyint=15", "keyint=75:min-keyint=75")}, "longer than a second"),
        ({"params": GOOD.replace("bframes=0", "bframes=2")}, "B pictures"),
        ({"full": True}, "full range"),
    ],
)
def test_what_does_not_fit_says_why_and_is_never_passed_on(changed: dict[str, Any], words: str) -> None:
    passing, made = passed(film(**changed))
    assert words in passing.refusal
    assert (made, passing.passes) == ([], False)
    passing.fresh()
    for frame in frames(film(**changed)):
        assert passing.take(frame) == [], "not even after the device was opened anew"
    good = [unit for frame in frames(film()) for unit in passing.take(frame)]
    other = film()[0] != film(**changed)[0] and "longer" not in words
    assert len(good) == (120 if other else 0), "a stream with another header is looked at again"
    assert bool(passing.refusal) is not other


def test_a_stream_that_gets_worse_is_no_longer_passed_on() -> None:
    longer = film(params=GOOD.replace("keyint=15:min-keyint=15", "keyint=75:min-keyint=75"))
    passing, made = passed(film() + longer)
    assert "longer than a second" in passing.refusal
    assert 120 <= len(made) < 160


def test_after_lost_frames_nothing_that_leans_on_them_goes_on() -> None:
    units = film()
    kept = units[:20] + units[22:]
    passing, made = passed(kept, {20: 2})
    numbers = [round(unit.timestamp_ns * FPS / NS) for unit in made]
    assert numbers == list(range(20)) + list(range(28, 118)), "the next IDR picture is unit 30, here 28"
    assert made[20].idr
    assert made[20].lost == 10, "two by the grabber, eight that leaned on them"
    assert passing.lost == 8


def told(made: list[Any]) -> int:
    """Frames that are there, and those that are said to be missing before them."""
    return sum(1 + each.lost for each in made)


def test_what_was_held_back_in_vain_is_told() -> None:
    """The stream becomes another one before the first could be passed on."""
    passing, made = passed(film()[:8] + film(params=f"{GOOD}:ref=2")[:60])
    assert passing.passes
    assert told(made) == 68
    assert made[0].lost == passing.lost == 8
    passing.fresh()
    for frame in [*frames(film()[:5]), *frames(film()[:60])]:  # pulled and back in between
        if frame.sequence == 0 and passing._held:
            passing.fresh()
        made += passing.take(frame)
    assert told(made) == 68 + 5 + 60


def beforehand(made: list[Any]) -> Beforehand:
    passing = Passing("endo")
    return Beforehand(
        "endo", "auto", passing, lambda frame, passed: None if passed else made.append(frame), made.append,
        lambda picture, at_ns: None,
    )  # fmt: skip


def test_when_it_is_encoded_anew_after_all_no_frame_is_missing_in_the_count() -> None:
    made: list[Any] = []
    before = beforehand(made)
    longer = film(params=GOOD.replace("keyint=15:min-keyint=15", "keyint=75:min-keyint=75"))
    for frame in frames(film()[:60]):
        before._take(frame)
    before._begin_anew()  # another device, in the same port
    for frame in frames(longer):
        before._take(frame)
    assert "longer than a second" in before._passing.refusal
    encoded = [each for each in made if isinstance(each, Frame)]
    assert told(made) == 60 + len(longer)
    assert encoded[0].lost == 33, "held back for more than a second"


class Decoder:
    """Does what it is told with each packet, instead of decoding it."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    def decode(self, packet: Any) -> list[Any]:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        made = []
        for number in answer:
            shown = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
            shown.pts = number
            made.append(shown)
        return made


def test_what_a_decoder_swallows_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    error = av.FFmpegError(1, "Invalid data found when processing input")
    decoders = [Decoder([0], [], [2], error), Decoder([4], [None])]
    monkeypatch.setattr(av.CodecContext, "create", lambda *_: decoders.pop(0))
    units = film()
    film_, made = Film(), []
    for frame in frames((*units[:4], units[15], units[16])):
        with contextlib.suppress(Undecodable):
            made += [whole for _, whole in film_.decode(frame)]
    assert [frame.sequence for frame in made] == [0, 2, 4, 5]
    assert [frame.lost for frame in made] == [0, 1, 1, 0]
    assert told(made) == 6


def test_fields_that_cannot_be_woven_leave_no_picture_with_another_one_s_time() -> None:
    made: list[Any] = []
    before = beforehand(made)
    form = VideoFormat(PixelFormat.I420, WIDTH, HEIGHT, Fraction(FPS), False, field_order=FieldOrder.TOP_FIRST)
    woven = [
        Frame(picture(PixelFormat.I420, WIDTH, HEIGHT, number), form, number, 0, number * NS // FPS)
        for number in range(8)
    ]
    for frame in woven[:4]:
        before._take(frame)
    assert before._fields is not None

    def fails(whole: Any) -> None:
        raise av.FFmpegError(1, "Invalid argument")

    before._fields[1]._ends = (type("End", (), {"push": staticmethod(fails)})(), before._fields[1]._ends[1])
    with pytest.raises(av.FFmpegError):
        before._take(woven[4])
    before._failed(woven[4], ValueError("as the thread does"))
    lost, before._dropped = before._dropped, 0
    for frame in woven[5:]:
        before._take(frame)
    before._begin_anew()
    assert told(made) + lost == 8
    for frame in made:
        assert frame.timestamp_ns == frame.sequence * NS // FPS
        luma = np.frombuffer(frame.data, np.uint8)[: WIDTH * HEIGHT].reshape(HEIGHT, WIDTH)
        assert (read_strip(luma).ok, read_strip(luma).number) == (True, frame.sequence)


def test_a_deinterlacer_that_fails_at_the_end_ends_no_thread(caplog: pytest.LogCaptureFixture) -> None:
    before = beforehand([])

    class Broken:
        def rest(self) -> list[Frame]:
            raise av.FFmpegError(1, "Invalid argument")

    before._fields = (VideoFormat(PixelFormat.I420, 2, 2, Fraction(25), False), Broken())  # type: ignore[assignment]
    before._begin_anew()
    assert before._fields is None
    assert "last picture before the loss" in caplog.text


def test_garbage_is_no_film() -> None:
    film_, passing = Film(), Passing("endo")
    for data in (b"", b"\0\0\0\1", b"\0\0\0\1\x65", b"\0\0\1\x67\x64", bytes(100), b"\xff" * 500):
        (frame,) = frames((data,))
        assert passing.take(frame) == []
        with contextlib.suppress(Undecodable):
            assert film_.decode(frame) == []


# ---- in a running capture


def grabber(units: tuple[bytes, ...], **behaviour: Any) -> V4l2Source:
    device = FakeV4l2(
        Behaviour(
            sizes={"H264": [(WIDTH, HEIGHT)]},
            fps=Fraction(FPS),
            pictures=lambda number: units[number % len(units)],
            **behaviour,
        )
    )
    return V4l2Source(
        key="endo", name="Film", device=device.path, width=WIDTH, height=HEIGHT, fps=Fraction(FPS), calls=device,
        nodes=lambda subsystem: (),
    )  # fmt: skip


def test_a_recording_of_it_is_the_grabber_s_own(tmp_path: Path) -> None:
    units = film()
    with Rig(tmp_path, grabber(units), of={"kind": "v4l2"}) as rig:
        until(lambda: rig.source().encoder == "passthrough", 10)
        (instance,) = rig.record(1.5)["instances"]
        path = rig.file(instance)
        numbers = strips(path)
        assert all((b - a) % 120 == 1 for a, b in itertools.pairwise(numbers))
        assert probe(path)["profile"] == "High"
        own = {part for data in units for part in slices(data)}
        with av.open(str(path)) as container:
            packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
        assert all(part in own for packet in packets for part in slices(packet))
        assert rig.sidecar(instance).transfer_syntax_uid == "1.2.840.10008.1.2.4.102"
        still = rig.still()
        luma = av.open(str(rig.file(still))).decode(video=0)
        plane = next(iter(luma)).to_ndarray(format="gray")
        assert read_strip(plane).ok, "a still is cut out of the film"


@pytest.mark.parametrize(
    ("of", "changed"),
    [
        ({}, {"params": GOOD.replace("8x8dct=1:", ""), "profile": "baseline"}),
        ({"crop": "16,16,0,0"}, {}),
        ({"encoder": "software"}, {}),
    ],
    ids=["baseline", "cropped", "asked"],
)
def test_what_cannot_be_passed_on_is_encoded_anew(
    tmp_path: Path, of: dict[str, Any], changed: dict[str, Any]
) -> None:
    with Rig(tmp_path, grabber(film(**changed)), of={"kind": "v4l2", **of}) as rig:
        time.sleep(1.5)
        (instance,) = rig.record(1.0)["instances"]
        found = probe(rig.file(instance))
        assert found["profile"] == "High"
        assert int(found["nb_read_frames"]) >= 15
        assert int(found["width"]) == (WIDTH - 16 if "crop" in of else WIDTH)
        assert rig.source().encoder != "passthrough"
        assert not rig.source().trouble
