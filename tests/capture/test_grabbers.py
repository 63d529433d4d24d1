"""Grabbers in a running capture: fields and pixels of SD, controls, two at once, plugged in, empty pictures."""

from __future__ import annotations

import errno
import itertools
import time
from collections import deque
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
import simplejpeg

from hw.base import FieldOrder, PixelFormat, VideoFormat
from hw.errors import HardwareError
from hw.fake.pictures import as_webcam
from hw.fake.source import Fail, FakeSource
from hw.fake.v4l2 import Behaviour, Control, FakeV4l2
from hw.hotplug import Hotplug
from hw.identity import Node
from hw.video.v4l2 import abi, control_abi
from hw.video.v4l2.device import V4l2Source
from smartbox_tui.capture.interlaced import scanned
from smartbox_tui.capture.standing import Look, Standing
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.wire import commands
from tests.capture.rig import Rig, exam_in, until

PAL, NTSC = 0x000000FF, 0x0000B000
SECOND = 1_000_000_000


def grabber(
    behaviour: Behaviour, width: int = 320, height: int = 240, fps: int = 30
) -> tuple[FakeV4l2, V4l2Source]:
    device = FakeV4l2(behaviour)
    source = V4l2Source(
        key="endo", name="Grabber", device=device.path, width=width, height=height, fps=Fraction(fps), calls=device,
        nodes=lambda subsystem: (),
    )  # fmt: skip
    return device, source


# ---- fields


def moving(number: int, width: int, lines: int, *, bottom_first: bool) -> bytes:
    """A bright bar on grey that goes 12 pixels in each field, woven, as YUYV."""
    luma = np.full((lines, width), 60, np.uint8)
    for field in (0, 1):
        left = (24 * number + 12 * field) % (width - 80)
        row = 1 - field if bottom_first else field
        luma[row::2, left : left + 60] = 200
    packed = np.full((lines, width, 2), 128, np.uint8)
    packed[:, :, 0] = luma
    return packed.tobytes()


def comb(luma: npt.NDArray[np.uint8]) -> float:
    """How much more the lines differ from their neighbours than from those of their own field, in levels."""
    inner = luma[8:-8].astype(float)
    return float(np.abs(inner[1:-1] - inner[:-2]).mean() - np.abs(inner[2:] - inner[:-2]).mean())


def frames_of(path: Path) -> list[npt.NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]


@pytest.mark.parametrize(
    ("standard", "lines", "shown"), [(PAL, 576, (786, 576)), (NTSC, 480, (720, 528))], ids=["pal", "ntsc"]
)
def test_sd_video_is_whole_and_square_in_clips_stills_and_preview(
    tmp_path: Path, standard: int, lines: int, shown: tuple[int, int]
) -> None:
    bottom_first = standard == NTSC
    behaviour = Behaviour(
        sizes={"YUYV": [(720, lines)]}, standard=standard, field=abi.FIELD_INTERLACED, fps=Fraction(25),
        pictures=lambda number: moving(number, 720, lines, bottom_first=bottom_first),
    )  # fmt: skip
    woven = moving(3, 720, lines, bottom_first=bottom_first)
    before = comb(np.frombuffer(woven, np.uint8).reshape(lines, 720, 2)[:, :, 0])
    assert before > 4, "as it comes it has a comb"
    _, source = grabber(behaviour, 720, lines, 25)
    with Rig(tmp_path, source, of={"kind": "v4l2", "size": f"720x{lines}", "fps": 25.0}) as rig:
        assert (rig.source().width, rig.source().height) == shown
        (instance,) = rig.record(0.8)["instances"]
        pictures = frames_of(rig.file(instance))
        assert len(pictures) >= 10
        for picture in pictures:
            assert picture.shape == (shown[1], shown[0])
            assert comb(picture) < before / 8
        still = simplejpeg.decode_jpeg(rig.file(rig.still()).read_bytes(), "GRAY")[:, :, 0]
        assert still.shape == (shown[1], shown[0])
        assert comb(still) < before / 8
        sidecar = rig.sidecar(instance)
        assert (sidecar.width, sidecar.height) == shown
        assert sidecar.frames_lost == 0


def test_deinterlacing_can_be_switched_off_and_on() -> None:
    def form(order: FieldOrder, lines: int = 576) -> VideoFormat:
        return VideoFormat(PixelFormat.YUYV, 720, lines, Fraction(25), False, order)

    assert scanned(form(FieldOrder.TOP_FIRST), "off") is FieldOrder.PROGRESSIVE
    assert scanned(form(FieldOrder.BOTTOM_FIRST), "auto") is FieldOrder.BOTTOM_FIRST
    assert scanned(form(FieldOrder.PROGRESSIVE), "auto") is FieldOrder.PROGRESSIVE
    assert scanned(form(FieldOrder.PROGRESSIVE), "on") is FieldOrder.TOP_FIRST
    assert scanned(form(FieldOrder.PROGRESSIVE, 480), "on") is FieldOrder.BOTTOM_FIRST
    assert scanned(form(FieldOrder.TOP_FIRST, 480), "on") is FieldOrder.TOP_FIRST


def test_a_cheap_sd_grabber_that_says_nothing_is_put_right_by_the_setting(tmp_path: Path) -> None:
    behaviour = Behaviour(
        sizes={"YUYV": [(720, 576)]}, fps=Fraction(25),
        pictures=lambda number: moving(number, 720, 576, bottom_first=False),
    )  # fmt: skip
    _, source = grabber(behaviour, 720, 576, 25)
    with Rig(tmp_path, source, of={"kind": "v4l2", "size": "720x576", "fps": 25.0, "deinterlace": "on"}) as rig:
        assert (rig.source().width, rig.source().height) == (786, 576)
        (instance,) = rig.record(0.5)["instances"]
        for picture in frames_of(rig.file(instance)):
            assert picture.shape == (576, 786)
            assert comb(picture) < 0.6


@pytest.mark.parametrize("pixel", [PixelFormat.NV12, PixelFormat.I420, PixelFormat.UYVY, PixelFormat.MJPEG])
def test_every_layout_is_deinterlaced_where_the_setting_says_so(tmp_path: Path, pixel: PixelFormat) -> None:
    """Each still shows the strip of its picture: nothing is mixed up, and times stay with their pictures."""
    with Rig(tmp_path, FakeSource(pixel=pixel), of={"deinterlace": "on"}) as rig:
        still = rig.still()
        assert rig.file(still).stat().st_size > 1000
        (instance,) = rig.record(0.5)["instances"]
        pictures = frames_of(rig.file(instance))
        assert all(comb(picture) < 3 for picture in pictures)
        assert abs(rig.sidecar(still).frame_ns - rig.sidecar(still).trigger_ns) < SECOND // 4


# ---- controls


def controls() -> dict[str, Control]:
    return {
        "Brightness": Control(0x00980900, 128),
        "White Balance, Automatic": Control(0x0098090C, 1, maximum=1, kind=control_abi.CTRL_TYPE_BOOLEAN),
        "White Balance Temperature": Control(0x0098091A, 4600, 2800, 6500, 10, ruled_by="White Balance, Automatic"),
    }


def test_controls_are_set_at_each_open_in_whichever_order_they_are_named(tmp_path: Path) -> None:
    behaviour = Behaviour(sizes={"YUYV": [(320, 240)]}, controls=controls())
    device, source = grabber(behaviour)
    wanted = "white_balance_temperature=5000, brightness=90, white_balance_automatic=0"
    with Rig(tmp_path, source, of={"kind": "v4l2", "controls": wanted}) as rig:
        assert [each.value for each in behaviour.controls.values()] == [90, 0, 5000]
        assert rig.source().warning == ""
        told = rig.command(commands.SourceAsk)["source"]
        assert told["controls"][0]["name"] == "brightness"
        assert told["formats"][0]["format"] == "yuyv"
        device.unplug()
        until(lambda: rig.source().signal_state == "gone")
        behaviour.controls["Brightness"].value = 128  # a device that was without power has forgotten
        with pytest.raises(SmartBoxError) as caught:
            rig.command(commands.SourceAsk)
        assert caught.value.code == "device-gone"
        device.replug()
        until(lambda: rig.source().signal, 10)
        assert behaviour.controls["Brightness"].value == 90


def test_a_control_that_cannot_be_set_is_told_and_the_picture_comes(tmp_path: Path) -> None:
    _, source = grabber(Behaviour(sizes={"YUYV": [(320, 240)]}, controls=controls()))
    with Rig(tmp_path, source, of={"kind": "v4l2", "controls": "brightness=900, sharpnes=3"}) as rig:
        assert rig.source().signal
        assert "brightness is 0 to 255, not 900" in rig.source().warning
        assert "no control sharpnes" in rig.source().warning
        rig.still()


# ---- signals


def test_a_signal_that_cannot_be_taken_is_named_and_another_one_is_taken_without_help(tmp_path: Path) -> None:
    behaviour = Behaviour(sizes={"YUYV": [(320, 240)]}, timings=(320, 240), events=False)
    _, source = grabber(behaviour)
    with Rig(tmp_path, source, of={"kind": "v4l2"}) as rig:
        behaviour.timings, behaviour.refused = errno.ERANGE, (3840, 2160)
        until(lambda: rig.source().signal_state == "unsupported")
        assert rig.source().facts == "3840×2160 30 Hz"
        assert rig.source().signal_text.endswith(": 3840×2160 30 Hz")
        with pytest.raises(SmartBoxError, match="3840×2160") as caught:
            rig.still()
        assert caught.value.code == "no-signal"
        behaviour.timings, behaviour.refused, behaviour.power = errno.ENOLINK, None, True
        until(lambda: rig.source().signal_state == "no-signal")
        behaviour.power = False
        until(lambda: rig.source().signal_state == "no-cable")
        behaviour.timings = (640, 480)
        until(lambda: rig.source().signal and rig.source().width == 640, 10)
        assert rig.source().facts == "640×480 30 Hz"
        rig.still()


# ---- pictures of nothing


def rows_of(level: float, noise: float, seed: int) -> npt.NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    return np.clip(rng.normal(level, noise, (360, 640 * 3)), 0, 255).astype(np.uint8)


def scene(seed: int, noise: float = 3.0) -> npt.NDArray[np.uint8]:
    grey = np.add.outer(np.linspace(30, 120, 360), np.linspace(0, 100, 640)).repeat(3, axis=1)
    return np.clip(grey + np.random.default_rng(seed).normal(0, noise, grey.shape), 0, 255).astype(np.uint8)


def looks(pictures: list[npt.NDArray[np.uint8]]) -> list[Look]:
    standing, found = Standing(), []
    for number, rows in enumerate(pictures):
        standing.see(rows, SECOND * 100 + number * SECOND // 2)
        found.append(standing.look)
    return found


def test_black_and_one_colour_are_seen_through_noise() -> None:
    found = looks([rows_of(16, 3, seed) for seed in range(9)])
    assert found[:6] == [Look.PICTURE] * 6, "for three seconds it may be a lens cap"
    assert found[-1] is Look.BLACK
    assert looks([rows_of(120, 3, seed) for seed in range(9)])[-1] is Look.UNIFORM
    assert looks([rows_of(16, 3, 1) for _ in range(9)] + [scene(1)])[-1] is Look.PICTURE


def test_a_picture_that_is_held_is_seen_through_noise_and_one_that_lives_is_not() -> None:
    assert looks([scene(seed) for seed in range(30)])[-1] is Look.STILL
    assert looks([scene(seed) for seed in range(15)])[-1] is Look.PICTURE, "not before ten seconds"
    living = []
    for seed in range(40):
        picture = scene(seed)
        picture[100:140, 30 * (seed % 20) : 30 * (seed % 20) + 60] = 10
        living.append(picture)
    assert set(looks(living)) == {Look.PICTURE}
    brighter = [np.clip(scene(seed).astype(int) + seed // 4, 0, 255).astype(np.uint8) for seed in range(40)]
    assert set(looks(brighter)) == {Look.PICTURE}, "an automatic at work is a living picture"


def test_a_signal_that_is_lost_while_a_picture_is_looked_at_is_no_error() -> None:
    class Forgets(Standing):
        """The reader's thread forgets what was before, between two looks of this one."""

        kept: Any = None

        @property
        def _means(self) -> Any:
            value, self.kept = self.kept, None
            return value

        @_means.setter
        def _means(self, value: Any) -> None:
            self.kept = value

    standing = Forgets()
    for number in range(4):
        standing.see(scene(number), (100 + number) * SECOND)
    assert standing.look is Look.PICTURE


def test_a_black_picture_is_said_and_can_be_taken(tmp_path: Path) -> None:
    def black(number: int) -> bytes:
        noise = np.random.default_rng(number).integers(16, 20, (240, 320), np.uint8)
        half = np.full((120, 160), 128, np.uint8)
        return as_webcam(bytes(simplejpeg.encode_jpeg_yuv_planes(noise, half, half, quality=90)))

    with Rig(tmp_path, FakeSource(pixel=PixelFormat.MJPEG, make=black)) as rig:
        until(lambda: rig.source().picture == "black", 10)
        source = rig.source()
        assert (source.signal, source.signal_state, source.signal_text) == (True, "frozen", "The picture is black")
        rig.still()


# ---- two at once, and plugged in


def test_two_sources_record_at_once_into_one_exam_each_its_own(tmp_path: Path) -> None:
    second = FakeSource(width=640, height=480)
    with Rig(tmp_path, FakeSource(), more={"room": second}) as rig:
        exam = exam_in(rig.paths.spool)
        rig.command(commands.HoldExam, exam=exam, revision=1)
        until(lambda: all(each.signal for each in rig.assembly.service.sources()))
        for source in ("endo", "room"):
            rig.command(commands.RecordStart, source=source)
        time.sleep(0.7)
        stills = [rig.still(source=source) for source in ("endo", "room")]
        clips = [rig.command(commands.RecordStop, source=source)["instances"] for source in ("endo", "room")]
        found = [clip[0] for clip in clips] + stills
        assert [len(clip) for clip in clips] == [1, 1]
        assert [each["source"] for each in found] == ["endo", "room", "endo", "room"]
        assert {each["exam"] for each in found} == {exam}
        series = [each["series_instance_uid"] for each in found]
        assert series[0] == series[2] != series[1] == series[3]
        shapes = [frames_of(rig.file(clip[0]))[0].shape for clip in clips]
        assert shapes == [(240, 320), (480, 640)]
        spans = [(each.frame_ns, each.frame_ns + each.duration_s * SECOND) for each in map(rig.sidecar, found[:2])]
        (a, b), (c, d) = spans
        assert max(a, c) < min(b, d), "at the same time"


class Udev:
    """A monitor whose events a test makes."""

    def __init__(self) -> None:
        self.events: deque[Any] = deque()
        self.nodes: list[Node] = []

    def start(self) -> None:
        pass

    def poll(self, timeout: float | None) -> None:
        time.sleep(0.01)
        if self.events:
            self.events.popleft()
            raise OSError(errno.ENOBUFS, "overflow")


def test_a_grabber_that_is_plugged_in_is_opened_at_once(tmp_path: Path) -> None:
    """Here even told by an overflow of udev's socket alone."""
    udev = Udev()
    behaviour = Behaviour(sizes={"YUYV": [(320, 240)]})
    device, source = grabber(behaviour)
    opens = []
    opened = source.open
    source.open = lambda: (opens.append(time.monotonic()), opened())[1]  # type: ignore[method-assign]
    hotplug = lambda: Hotplug(("video4linux",), monitor=lambda _: udev, nodes=lambda _: udev.nodes)  # noqa: E731
    with Rig(tmp_path, source, of={"kind": "v4l2"}, hotplug=hotplug) as rig:
        device.unplug()
        until(lambda: rig.source().signal_state == "gone")
        time.sleep(4.0)  # by now it looks every two seconds
        pauses = [b - a for a, b in itertools.pairwise(opens)]
        assert pauses[-1] > 1.0
        device.replug()
        tried = len(opens)
        told = time.monotonic()
        udev.nodes.append(Node(device.path, "pci-1-usb-0:2:1.0"))
        udev.events.append("overflow")
        until(lambda: len(opens) > tried, 5)
        assert opens[tried] - told < 1.0
        until(lambda: rig.source().signal, 5)


def test_without_udev_it_looks_by_itself(tmp_path: Path) -> None:
    def deaf() -> Hotplug:
        def nobody(_: object) -> Any:
            raise OSError(errno.EPERM, "no netlink here")

        return Hotplug(("video4linux",), monitor=nobody, nodes=lambda _: [])

    source = FakeSource()
    with Rig(tmp_path, source, of={"kind": "v4l2"}, hotplug=deaf) as rig:
        source.then(Fail(HardwareError("read", "/dev/fake", "broken"), refused_opens=2))
        until(lambda: not rig.source().signal)
        until(lambda: rig.source().signal, 10)


def test_pulled_in_a_recording_and_back_with_another_number_it_goes_on_in_the_next_clip(tmp_path: Path) -> None:
    device = FakeV4l2(Behaviour(sizes={"MJPG": [(320, 240)]}))
    source = V4l2Source(
        key="endo", name="Grabber", device="pci-1-usb-0:2", width=320, height=240, fps=Fraction(30), calls=device,
        nodes=lambda _: [] if device.gone else [Node(device.path, "pci-1-usb-0:2:1.0", serial="77")],
    )  # fmt: skip
    with Rig(tmp_path, source, of={"kind": "v4l2"}) as rig:
        rig.command(commands.RecordStart)
        time.sleep(0.5)
        device.unplug()
        until(lambda: rig.source().signal_state == "gone")
        with pytest.raises(SmartBoxError) as caught:
            rig.still()
        assert caught.value.code == "device-gone"
        device.path = "/dev/video6"  # type: ignore[misc]
        device.replug()
        until(lambda: rig.source().signal, 10)
        assert rig.source().device == "/dev/video6"
        time.sleep(0.5)
        parts = rig.command(commands.RecordStop)["instances"]
        assert [rig.sidecar(each).part for each in parts] == [0, 1]
        assert "unplugged" in rig.sidecar(parts[0]).note
        assert all(len(frames_of(rig.file(each))) == rig.sidecar(each).frames > 3 for each in parts)
        assert rig.sidecar(parts[0]).device["serial"] == "77"
