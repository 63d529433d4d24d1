"""The three codecs: what capture records is what its transfer syntax says, whole, and cut where it may be."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from hw.base import PixelFormat, VideoFormat
from hw.fake.source import FakeSource, Frames, Gap
from smartbox_tui.capture.encoder import Encoder, OtherThanAsked
from smartbox_tui.capture.fitting import Fitter
from smartbox_tui.commands.doctor.check import Context
from smartbox_tui.commands.doctor.encoders import encoding
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.media import h264, hevc, mpeg2, ts
from smartbox_tui.media.encoders import CODECS
from smartbox_tui.media.told import starts_gop, told
from smartbox_tui.media.tsmux import STREAM_TYPES
from smartbox_tui.model.formats import Format, blocks, mpeg2_format, placed, shrunk
from smartbox_tui.model.instance import (
    H264_HP_41,
    HEVC_MP_51,
    MADE,
    MPEG2_MPHL,
    MPEG2_MPML,
    Kind,
)
from smartbox_tui.settings import whole
from smartbox_tui.settings.paths import paths
from smartbox_tui.settings.schema import Settings, Source
from smartbox_tui.spool.sidecar import SidecarState
from smartbox_tui.wire import commands
from tests.capture.rig import Process, Rig, probe, strips, until

EACH = sorted(CODECS)
SYNTAX_320 = {"h264": H264_HP_41, "mpeg2": MPEG2_MPML, "hevc": HEVC_MP_51}
NAMES = {"h264": "h264", "mpeg2": "mpeg2video", "hevc": "hevc"}


def form_of(width: int, height: int, fps: Fraction | int) -> VideoFormat:
    return VideoFormat(PixelFormat.I420, width, height, Fraction(fps), full_range=False)


def encoder_of(codec: str, width: int, height: int, fps: Fraction | int, bitrate: int = 8_000_000) -> Encoder:
    form = form_of(width, height, fps)
    return Encoder(CODECS[codec], form, CODECS[codec].plan(width, height, Fraction(fps)), bitrate)


def grey(width: int, height: int) -> Any:
    frame = av.VideoFrame(width, height, "yuv420p")
    for plane, value in zip(frame.planes, (90, 128, 128), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    return frame


def units_of(path: Path) -> Iterator[bytes]:
    """The access units of a clip as they were written."""
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            if packet.pts is not None:
                assert packet.dts == packet.pts
                yield bytes(packet)


def picture_types(path: Path) -> set[str]:
    """As the decoder names them."""
    with av.open(str(path)) as container:
        return {av.video.frame.PictureType(frame.pict_type).name for frame in container.decode(video=0)}


@pytest.mark.parametrize("codec", EACH)
def test_a_clip_is_what_its_transfer_syntax_says(codec: str, tmp_path: Path) -> None:
    source = FakeSource([Frames(70), Gap(7)])
    with Rig(tmp_path, source, of={"codec": codec, "container": "mp4"}) as rig:
        (instance,) = rig.record(2.5)["instances"]
        path, sidecar = rig.file(instance), rig.sidecar(instance)
    assert sidecar.media == f"{codec}-ts"
    assert sidecar.container == "mp4"
    assert sidecar.transfer_syntax_uid == instance["transfer_syntax_uid"] == SYNTAX_320[codec]
    stream = probe(path)
    assert stream["codec_name"] == NAMES[codec]
    assert stream["profile"] == {"h264": "High", "mpeg2": "Main", "hevc": "Main"}[codec]
    assert int(stream["has_b_frames"]) == 0
    assert picture_types(path) == {"I", "P"}
    assert int(stream["nb_read_frames"]) == sidecar.frames == len(strips(path))
    assert ts.scan(path).whole
    # Closed GOPs of a second at most, of MPEG2 of 15 frames, each with all that a decoder needs.
    begins, times = [], []
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            if packet.pts is None:
                continue
            unit = bytes(packet)
            times.append(packet.pts)
            assert starts_gop(codec, unit) == packet.is_keyframe
            if packet.is_keyframe:
                begins.append(len(times) - 1)
                assert told(codec, unit).transfer_syntax_uid == SYNTAX_320[codec]
                assert mpeg2.closed_gop(unit) in ((True,) if codec == "mpeg2" else (None,))
    starts = [times[at] for at in begins]
    assert begins[0] == 0
    assert len(begins) > 2
    assert all(later - earlier <= 90_000 for earlier, later in itertools.pairwise(starts))
    if codec == "mpeg2":
        assert max(later - earlier for earlier, later in itertools.pairwise(begins)) <= 15
    assert times == sorted(set(times))


@pytest.mark.parametrize("codec", EACH)
def test_each_gop_decodes_alone(codec: str, tmp_path: Path) -> None:
    with Rig(tmp_path, FakeSource(), of={"codec": codec}) as rig:
        (instance,) = rig.record(2.2)["instances"]
        path = rig.file(instance)
    gops: list[list[bytes]] = []
    for unit in units_of(path):
        if starts_gop(codec, unit):
            gops.append([])
        gops[-1].append(unit)
    assert len(gops) > 2
    for gop in gops:
        decoder: Any = av.CodecContext.create(NAMES[codec], "r")
        decoder.thread_count = 1
        count = 0
        for unit in gop:
            count += len(decoder.decode(av.Packet(unit)))
        assert count + len(decoder.decode(None)) == len(gop)


@pytest.mark.parametrize("codec", ["mpeg2", "hevc"])
def test_a_recording_killed_is_closed_with_what_it_has(codec: str, tmp_path: Path) -> None:
    box = Process(tmp_path, keys=f'codec = "{codec}"')
    box.start()
    exam = None
    try:
        time.sleep(1)
        box.command("record-start")
        time.sleep(1.5)
        box.kill()
        killed_ns = time.monotonic_ns()
        (crashed,) = [each for each in box.sidecars() if each.kind == "clip"]
        assert crashed.state is SidecarState.RECORDING
        path = box.bitstream(crashed)
        exam = crashed.exam
        with path.open("ab") as file:  # what a power cut leaves: a torn unit and zeros
            file.write(path.read_bytes()[: 188 * 5 + 77] + bytes(4096))
        box.start()
        closed = until(
            lambda: next(
                (e for e in box.sidecars() if e.id == crashed.id and e.state is SidecarState.CLOSED), None
            ),
            what="the clip is closed",
        )
    finally:
        box.end()
    numbers = strips(path)
    assert closed.exam == exam
    assert closed.frames == len(numbers) == int(probe(path)["nb_read_frames"])
    assert numbers == sorted(set(numbers))
    assert closed.transfer_syntax_uid == SYNTAX_320[codec]
    assert closed.media == f"{codec}-ts"
    assert "crash" in closed.note
    assert closed.bytes == path.stat().st_size
    assert closed.duration_s is not None
    assert killed_ns - closed.frame_ns - closed.duration_s * 1e9 < 1e9


def test_the_program_map_tells_the_codec() -> None:
    assert STREAM_TYPES == {"mpeg2": 0x02, "h264": 0x1B, "hevc": 0x24}


# ---- formats


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        ((320, 240, 30), (320, 240, 30, 1)),
        ((720, 576, 25), (720, 576, 25, 1)),
        ((720, 480, Fraction(2997, 100)), (720, 480, Fraction(30000, 1001), 1)),
        ((720, 576, 30), (1280, 720, 30, 1)),  # 48 600 macroblocks a second: beyond Main Level
        ((720, 576, 50), (1280, 720, 50, 1)),
        ((1280, 720, 60), (1280, 720, 60, 1)),
        ((1280, 720, 120), (1280, 720, 60, 2)),
        ((1280, 1024, 30), (1920, 1080, 30, 1)),
        ((1920, 1080, 30), (1920, 1080, 30, 1)),
        ((1920, 1080, Fraction(60000, 1001)), (1920, 1080, Fraction(30000, 1001), 2)),
        ((1920, 1200, 50), (1920, 1080, 25, 2)),
    ],
)
def test_mpeg2_keeps_all_frames_before_the_size(source: Any, kept: Any) -> None:
    width, height, fps = source
    plan = mpeg2_format(width, height, Fraction(fps))
    assert plan == Format(kept[0], kept[1], Fraction(kept[2]), kept[3])
    left, top, wide, high = placed(width, height, plan)
    assert left + wide <= plan.width
    assert top + high <= plan.height
    assert not any(side % 2 for side in (left, top, wide, high))
    assert wide / high == pytest.approx(width / height, rel=0.01)
    found = told(
        "mpeg2", encoder_of("mpeg2", width, height, Fraction(fps)).encode(grey(width, height), 0, 0, idr=True).data
    )
    assert (found.width, found.height, found.fps) == (plan.width, plan.height, plan.fps)
    assert found.transfer_syntax_uid == (MPEG2_MPML if plan.width <= 720 else MPEG2_MPHL)


@pytest.mark.parametrize("fps", [5, 10, 15, 20, 24, Fraction(24000, 1001)])
def test_mpeg2_refuses_rates_that_it_cannot_tell(fps: Any) -> None:
    with pytest.raises(ValueError, match=r"25, 29\.97, 30, 50, 59\.94 or 60 frames"):
        mpeg2_format(640, 480, Fraction(fps))


def test_bit_rates_stay_within_the_level() -> None:
    for codec, size, most in (("mpeg2", (640, 480), 15_000_000), ("mpeg2", (1280, 720), 60_000_000)):
        unit = encoder_of(codec, *size, 30, bitrate=60_000_000).encode(grey(*size), 0, 0, idr=True)
        sequence = mpeg2.find_sequence(unit.data)
        assert sequence is not None
        assert sequence.bitrate == most
        assert sequence.low_delay
        assert sequence.progressive
    unit = encoder_of("hevc", 640, 480, 30, bitrate=60_000_000).encode(grey(640, 480), 0, 0, idr=True)
    sps = hevc.find_sps(unit.data)
    assert sps is not None
    assert (sps.profile_idc, sps.high_tier) == (1, False)
    assert sps.level_idc <= 153


@pytest.mark.parametrize("codec", EACH)
@pytest.mark.parametrize(
    "fps", [Fraction(10_000_000, 333_333), Fraction(30000, 1001), Fraction(2997, 100), Fraction(25), Fraction(60)]
)
def test_rates_as_grabbers_say_them(codec: str, fps: Fraction) -> None:
    unit = encoder_of(codec, 320, 240, fps).encode(grey(320, 240), 0, 0, idr=True)
    assert float(unit.stream.fps) == pytest.approx(float(fps), rel=0.0005)
    found = told(codec, unit.data)
    assert found.fps is not None
    assert float(found.fps) == pytest.approx(float(fps), rel=0.0005)


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize(
    "fps", [Fraction(1), Fraction(5), Fraction(15), Fraction(15, 2), Fraction(24), Fraction(120)]
)
def test_rates_that_only_the_newer_codecs_have(codec: str, fps: Fraction) -> None:
    unit = encoder_of(codec, 320, 240, fps).encode(grey(320, 240), 0, 0, idr=True)
    assert told(codec, unit.data).fps == fps == unit.stream.fps


def test_pictures_too_large_for_a_level_are_scaled_down() -> None:
    assert shrunk(1920, 1080, 8704) == (1920, 1080)
    wide, high = shrunk(1920, 1200, 8704)
    assert blocks(wide, high) <= 8704
    assert wide / high == pytest.approx(1.6, rel=0.01)
    stream = encoder_of("h264", 1920, 1200, 30).encode(grey(1920, 1200), 0, 0, idr=True).stream
    assert (stream.width, stream.height) == (wide, high)
    sps = h264.find_sps(encoder_of("h264", 1920, 1088, 30).encode(grey(1920, 1088), 0, 0, idr=True).data)
    assert sps is not None
    assert sps.level_idc == 41


def test_a_smaller_picture_lies_in_the_middle_with_black_around() -> None:
    canvas = Fitter(Format(1280, 720, Fraction(30))).fit(grey(640, 480))
    luma = canvas.to_ndarray()[:720]
    assert luma.shape == (720, 1280)
    assert (luma[120:600, 320:960] == 90).all()
    luma[120:600, 320:960] = 16
    assert (luma == 16).all()
    same = grey(1280, 720)
    assert Fitter(Format(1280, 720, Fraction(30))).fit(same) is same


# ---- an encoder that makes something else is told, not believed


def test_what_the_encoder_really_made_decides() -> None:
    def made(codec: str, **instead: str) -> None:
        def options(plan: Format, bitrate: int, live: bool) -> dict[str, str]:
            return CODECS[codec].options(plan, bitrate, live) | instead

        other = dataclasses.replace(CODECS[codec], options=options)
        plan = Format(320, 240, Fraction(30))
        Encoder(other, form_of(320, 240, 30), plan, 1_000_000).encode(grey(320, 240), 0, 0, idr=True)

    made("h264")
    plain = {"x264-params": "8x8dct=0", "profile": "baseline"}
    with pytest.raises(OtherThanAsked, match=r"H\.264 profile is 66, not High"):
        made("h264", **plain)
    with pytest.raises(OtherThanAsked, match="MPEG2 level is 6, not 8"):
        made("mpeg2", level="6")


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080)])
def test_high_level_tells_a_wide_display_and_is_refused_where_it_does_not(size: tuple[int, int]) -> None:
    unit = encoder_of("mpeg2", *size, 30).encode(grey(*size), 0, 0, idr=True).data
    assert told("mpeg2", unit).transfer_syntax_uid == MPEG2_MPHL
    at = unit.index(b"\0\0\1\xb3") + 7
    assert unit[at] >> 4 == 3
    square = unit[:at] + bytes([1 << 4 | unit[at] & 15]) + unit[at + 1 :]
    with pytest.raises(ValueError, match="16:9"):
        told("mpeg2", square)


def test_another_size_or_rate_than_planned_is_told() -> None:
    found = told("hevc", encoder_of("hevc", 320, 240, 30).encode(grey(320, 240), 0, 0, idr=True).data)
    found.check(Format(320, 240, Fraction(10_000_000, 333_333)))
    with pytest.raises(ValueError, match="320x240 instead of 320x200"):
        found.check(Format(320, 200, Fraction(30)))
    with pytest.raises(ValueError, match=r"30 instead of 29\.97 frames"):
        found.check(Format(320, 240, Fraction(30000, 1001)))
    with pytest.raises(ValueError, match="does not tell its frame rate"):
        dataclasses.replace(found, fps=None).check(Format(320, 240, Fraction(30)))


def test_a_grabbers_thirty_stays_at_level_4_1() -> None:
    unit = encoder_of("h264", 1920, 1080, Fraction(10_000_000, 333_333)).encode(grey(1920, 1080), 0, 0, idr=True)
    assert unit.stream.transfer_syntax_uid == H264_HP_41


def test_a_source_that_mpeg2_cannot_tell_is_refused_with_a_sentence_and_stills_work(tmp_path: Path) -> None:
    source = FakeSource(fps=Fraction(15))
    with Rig(tmp_path, source, of={"codec": "mpeg2"}) as rig:
        until(lambda: rig.source().trouble, what="the trouble is told")
        with pytest.raises(SmartBoxError, match="cannot be recorded: MPEG2 in DICOM has 25") as caught:
            rig.command(commands.RecordStart)
        assert caught.value.code == "refused"
        assert "15" in rig.source().trouble
        rig.still()
        assert rig.source().signal


def test_settings_that_no_mpeg2_can_tell_are_named_before_they_are_kept() -> None:
    def problems(**keys: Any) -> list[tuple[str, str]]:
        return list(whole.problems(Settings(sources=(Source(id="endo", kind="pattern", **keys),))))

    assert not problems(codec="mpeg2", fps=29.97)
    assert not problems(codec="hevc", fps=15)
    ((path, why),) = problems(codec="mpeg2", fps=15)
    assert path == "sources.endo.fps"
    assert "25, 29.97, 30" in why


@pytest.mark.parametrize(
    ("codec", "size", "cores", "good"),
    [
        ("hevc", "1920x1080", 2, False),
        ("hevc", "1920x1080", 8, True),
        ("hevc", "1280x720", 2, True),
        ("h264", "1920x1080", 1, True),
        ("mpeg2", "1920x1080", 1, True),
    ],
)
def test_doctor_says_what_encoding_takes(
    codec: str, size: str, cores: int, good: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: set(range(cores)))
    settings = Settings(sources=(Source(id="endo", kind="pattern", codec=codec, size=size),))
    (found,) = encoding(Context(paths(None, None), settings=settings))
    assert found.ok is good
    assert f"of {cores} cores" in found.message


def test_the_statement_names_all_that_is_recorded() -> None:
    assert {H264_HP_41, MPEG2_MPML, MPEG2_MPHL, HEVC_MP_51} <= set(MADE[Kind.CLIP])
