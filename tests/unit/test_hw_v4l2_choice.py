"""Which format a grabber is asked for, how its pictures are scanned, what it tells of its signal, its controls."""

from __future__ import annotations

import errno
import itertools
from fractions import Fraction

import pytest

from hw.base import Controlled, FieldOrder, PixelFormat, SignalState, Telling
from hw.errors import DeviceGone, HardwareError, NotSupported
from hw.fake.pictures import luma_of
from hw.fake.several import FakeSeveral
from hw.fake.v4l2 import Behaviour, Control, FakeV4l2
from hw.identity import Node
from hw.video.strip import read_strip
from hw.video.v4l2 import abi, control_abi
from hw.video.v4l2.device import V4l2Source
from hw.video.v4l2.query import capabilities

HD, SMALL = [(1920, 1080)], [(320, 240)]
PAL, NTSC = 0x000000FF, 0x0000B000


def source_of(device, *, width=320, height=240, fps=30, pixel=None):
    return V4l2Source(
        key="endo",
        name="",
        device=FakeV4l2.path,
        width=width,
        height=height,
        fps=Fraction(fps),
        pixel=pixel,
        calls=device,
        nodes=lambda subsystem: (),
    )


def opened(**behaviour):
    asked = {name: behaviour.pop(name) for name in ("width", "height", "fps", "pixel") if name in behaviour}
    device = FakeV4l2(Behaviour(**behaviour))
    source = source_of(device, **asked)
    source.open()
    return device, source


# ---- the format


@pytest.mark.parametrize(
    ("sizes", "rates", "fps", "expected"),
    [
        ({"YUYV": HD, "MJPG": HD}, {"YUYV": [5], "MJPG": [30]}, 30, PixelFormat.MJPEG),
        ({"MJPG": HD, "NV12": HD}, {"MJPG": [30], "NV12": [60, 30]}, 60, PixelFormat.NV12),
        ({"NV12": HD, "MJPG": [(1280, 720)]}, {"NV12": [5], "MJPG": [30]}, 30, PixelFormat.MJPEG),
        ({"MJPG": HD, "YUYV": HD}, {"MJPG": [Fraction(30000, 1001)], "YUYV": [60, 30]}, 30, PixelFormat.MJPEG),
        ({"H264": HD, "UYVY": HD, "RGB3": HD}, {}, 30, PixelFormat.UYVY),
        ({"H264": HD, "BGR3": HD}, {"H264": [60], "BGR3": [30]}, 60, PixelFormat.H264),
        ({"BGR3": HD, "RGB3": HD}, {}, 30, PixelFormat.BGR24),
    ],
)
def test_what_reaches_size_and_rate_beats_what_does_not(sizes, rates, fps, expected):
    behaviour = Behaviour(sizes=sizes, rates=rates, fps=Fraction(60))
    form = source_of(FakeV4l2(behaviour), width=1920, height=1080, fps=fps).open()
    assert form.pixel is expected


def test_a_named_format_is_taken_and_nothing_else():
    _, source = opened(sizes={"MJPG": SMALL, "UYVY": SMALL}, pixel=PixelFormat.UYVY)
    frame = source.read(1)
    assert frame.format.pixel is PixelFormat.UYVY
    assert read_strip(luma_of(PixelFormat.UYVY, 320, 240, frame.data)).ok
    with pytest.raises(NotSupported, match=r"no rgb24; it offers MJPG, UYVY"):
        opened(sizes={"MJPG": SMALL, "UYVY": SMALL}, pixel=PixelFormat.RGB24)


def test_a_format_that_a_driver_lists_and_refuses_is_passed_over():
    _, source = opened(sizes={"MJPG": SMALL, "YUYV": SMALL}, refuses=("MJPG",))
    assert source.read(2.0).format.pixel is PixelFormat.YUYV
    source.close()
    with pytest.raises(NotSupported):
        opened(sizes={"MJPG": SMALL}, refuses=("MJPG",))


def test_a_stride_of_compressed_pictures_says_nothing():
    _, source = opened(sizes={"MJPG": SMALL}, stride=640)
    frame = source.read(2.0)
    assert frame is not None
    assert frame.format.pixel is PixelFormat.MJPEG
    source.close()


def test_rgb_is_full_range_unless_the_driver_says_other():
    _, source = opened(sizes={"RGB3": SMALL})
    assert source.read(1).format.full_range
    _, source = opened(sizes={"RGB3": SMALL}, quantization=abi.QUANTIZATION_LIM_RANGE)
    assert not source.read(1).format.full_range


def test_native_h264_is_asked_to_be_cuttable():
    controls = {
        "H264 Profile": Control(control_abi.CID_MPEG_VIDEO_H264_PROFILE, 0),
        "Repeat Sequence Header": Control(control_abi.CID_MPEG_VIDEO_REPEAT_SEQ_HEADER, 0, maximum=1),
        "Video GOP Size": Control(control_abi.CID_MPEG_VIDEO_GOP_SIZE, 250),
    }
    opened(sizes={"H264": SMALL}, controls=controls, pictures=lambda number: b"\0\0\1\x65", fps=25)
    assert [each.value for each in controls.values()] == [control_abi.H264_PROFILE_HIGH, 1, 25]


# ---- fields and pixels


@pytest.mark.parametrize(
    ("field", "standard", "order"),
    [
        (abi.FIELD_INTERLACED, PAL, FieldOrder.TOP_FIRST),
        (abi.FIELD_INTERLACED, NTSC, FieldOrder.BOTTOM_FIRST),
        (abi.FIELD_INTERLACED_TB, NTSC, FieldOrder.TOP_FIRST),
        (abi.FIELD_INTERLACED_BT, PAL, FieldOrder.BOTTOM_FIRST),
        (abi.FIELD_NONE, PAL, FieldOrder.PROGRESSIVE),
        (abi.FIELD_SEQ_TB, NTSC, FieldOrder.TOP_FIRST),
        (abi.FIELD_ALTERNATE, NTSC, FieldOrder.BOTTOM_FIRST),
    ],
)
def test_the_order_of_fields_is_the_driver_s_or_the_standard_s(field, standard, order):
    lines = 480 if standard == NTSC else 576
    _, source = opened(
        sizes={"YUYV": [(720, lines)]}, field=field, standard=standard, width=720, height=lines, fps=25
    )
    frames = [source.read(1) for _ in range(3)]
    for frame in frames:
        assert frame.format.field_order is order
        assert (frame.format.width, frame.format.height) == (720, lines)
    shown = [read_strip(luma_of(PixelFormat.YUYV, 720, lines, frame.data)) for frame in frames]
    assert all(each.ok for each in shown)
    steps = [1 + frame.lost for frame in frames[1:]]
    assert [b.number - a.number for a, b in itertools.pairwise(shown)] == steps


@pytest.mark.parametrize("code", ["MJPG", "NV12", "YU12"])
def test_fields_that_come_apart_in_planes_are_refused_with_a_sentence(code):
    with pytest.raises(NotSupported, match="fields of a picture apart") as caught:
        opened(sizes={code: [(720, 576)]}, field=abi.FIELD_SEQ_TB, standard=PAL)
    assert "yuyv" in caught.value.hint


@pytest.mark.parametrize(
    ("standard", "size", "told", "aspect"),
    [
        (PAL, (720, 576), (54, 59), Fraction(59, 54)),
        (NTSC, (720, 480), (11, 10), Fraction(10, 11)),
        (PAL, (720, 576), (1, 1), Fraction(59, 54)),
        (NTSC, (720, 480), None, Fraction(10, 11)),
        (PAL, (768, 576), None, Fraction(1)),
        (0, (720, 576), None, Fraction(1)),
    ],
)
def test_pixels_of_analogue_video_are_as_wide_as_the_driver_or_the_standard_says(standard, size, told, aspect):
    _, source = opened(sizes={"YUYV": [size]}, standard=standard, pixel_aspect=told)
    assert source.read(1).format.pixel_aspect == aspect


def test_the_standard_follows_what_comes_in_and_gives_the_rate():
    device, source = opened(sizes={"YUYV": [(720, 480)]}, standard=PAL, seen_standard=NTSC, rate_fixed=True)
    assert device.behaviour.standard == NTSC
    assert source.read(1).format.fps == Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("timings", "size", "shape", "cropped", "aspect"),
    [
        ((1280, 720), (320, 180), None, None, Fraction(1)),
        ((640, 480), (320, 180), None, None, Fraction(3, 4)),
        ((640, 480), (320, 180), None, (640, 360), Fraction(1)),
        ((720, 576), (720, 576), (16, 9), None, Fraction(64, 45)),
        ((720, 576), (720, 576), (4, 3), (720, 576), Fraction(16, 15)),
        ((720, 576), (640, 480), (4, 3), (720, 576), Fraction(1)),
        ((720, 576), (720, 576), None, None, Fraction(1)),
    ],
)
def test_a_digital_picture_keeps_its_shape_when_the_device_scales_it(timings, size, shape, cropped, aspect):
    _, source = opened(sizes={"NV12": [size]}, timings=timings, scales=True, shape=shape, cropped=cropped)
    form = source.read(1).format
    assert (form.width, form.height) == size
    assert form.pixel_aspect == aspect


# ---- the signal


def test_a_signal_that_the_receiver_cannot_take_is_named():
    device, source = opened(timings=(320, 240))
    assert isinstance(source, Telling)
    device.behaviour.timings, device.behaviour.refused = errno.ERANGE, (3840, 2160)
    assert source.signal() is SignalState.UNSUPPORTED
    assert source.facts() == "3840×2160 30 Hz"
    device.behaviour.refused = None
    source.signal()
    assert source.facts() == ""


@pytest.mark.parametrize(
    ("power", "state"), [(None, SignalState.NO_CABLE), (False, SignalState.NO_CABLE), (True, SignalState.NO_SIGNAL)]
)
def test_a_cable_without_a_signal_is_told_from_no_cable(power, state):
    device, source = opened(timings=(320, 240))
    device.behaviour.timings, device.behaviour.power = errno.ENOLINK, power
    assert source.signal() is state


def test_another_signal_is_followed_without_any_event():
    device, source = opened(timings=(320, 240), events=False)
    assert source.read(1)
    assert source.signal() is SignalState.OK
    assert source.read(1)
    device.behaviour.timings = (640, 480)
    source.signal()
    with pytest.raises(HardwareError, match="changed"):
        source.read(1)
    source.close()
    assert source.open().width == 640


def test_a_signal_that_came_after_the_open_is_set_up():
    device, source = opened(timings=errno.ENOLINK, events=False)
    assert source.signal() is SignalState.NO_CABLE
    device.behaviour.timings = (640, 480)
    assert source.signal() is SignalState.OK
    with pytest.raises(HardwareError, match="changed"):
        source.read(1)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ERANGE])
def test_timings_that_cannot_be_set_are_a_format_that_cannot_be_taken(number):
    device = FakeV4l2(Behaviour(timings=(1280, 720), timings_errno=number))
    source = source_of(device)
    with pytest.raises(NotSupported, match="cannot take 1280×720 30 Hz"):
        source.open()
    assert source.signal() is SignalState.UNSUPPORTED
    assert source.facts() == "1280×720 30 Hz"


@pytest.mark.parametrize("number", [errno.EBUSY, errno.ENOTTY, errno.EPERM])
def test_a_receiver_that_follows_by_itself_is_not_opened_again_and_again(number):
    _, source = opened(timings=(320, 240), timings_errno=number, rate_fixed=True)
    for _ in range(3):
        assert source.read(1)
        assert source.signal() is SignalState.OK


# ---- controls


def some_controls():
    return {
        "Brightness": Control(0x00980900, 128),
        "White Balance Temperature, Auto": Control(0x0098090C, 1, maximum=1, kind=control_abi.CTRL_TYPE_BOOLEAN),
        "White Balance Temperature": Control(
            0x0098091A, 4600, 2800, 6500, 10, ruled_by="White Balance Temperature, Auto"
        ),
        "Power Line Frequency": Control(
            0x00980918, 1, maximum=2, kind=control_abi.CTRL_TYPE_MENU, menu={0: "Disabled", 2: "60 Hz"}
        ),
        "LED1 Mode": Control(0x0A046D05, 3, maximum=3),
    }


def test_controls_have_our_names_and_the_device_s_ranges():
    _, source = opened(controls=some_controls())
    assert isinstance(source, Controlled)
    found = {each.name: each for each in source.controls()}
    assert list(found) == [
        "brightness", "white_balance_automatic", "power_line_frequency", "white_balance_temperature", "led1_mode",
    ]  # fmt: skip
    assert found["power_line_frequency"].choices == {0: "Disabled", 2: "60 Hz"}
    assert found["white_balance_automatic"].kind == "switch"
    assert not found["white_balance_temperature"].writable
    source.set_control("white_balance_automatic", 0)
    source.set_control("white_balance_temperature", 5000)
    found = {each.name: each for each in source.controls()}
    assert (found["white_balance_temperature"].value, found["white_balance_temperature"].writable) == (5000, True)
    source.close()
    assert source.controls() == ()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("brightnes", 1, "no control brightnes"),
        ("brightness", 256, "brightness is 0 to 255, not 256"),
        ("white_balance_temperature", 2805, "in steps of 10"),
        ("power_line_frequency", 1, "no choice 1"),
        ("white_balance_temperature", 5000, "ruled by another"),
    ],
)
def test_what_cannot_be_set_says_why(name, value, words):
    device, source = opened(controls=some_controls())
    with pytest.raises(NotSupported, match=words) as caught:
        source.set_control(name, value)
    assert caught.value.hint
    device.unplug()
    with pytest.raises(DeviceGone):
        source.set_control("brightness", 1)


# ---- what it can do


def test_a_grabber_tells_all_it_can_beside_whoever_streams():
    device, source = opened(
        sizes={"MJPG": [(320, 240), (640, 480)], "GREY": SMALL},
        rates={"MJPG": [15, 30]},
        controls=some_controls(),
    )
    source.read(1)
    before = source.read(1)
    told = capabilities("usb-0:2", device, lambda subsystem: [Node(device.path, "pci-1-usb-0:2:1.0", "Acme_7")])
    assert told.info.key == "pci-1-usb-0:2"
    assert (told.info.name, told.driver, told.digital) == ("Fake grabber", "fake", False)
    assert [(each.code, each.pixel) for each in told.layouts] == [("MJPG", PixelFormat.MJPEG), ("GREY", None)]
    assert [(each.width, each.height) for each in told.layouts[0].sizes] == [(320, 240), (640, 480)]
    assert told.layouts[0].sizes[0].rates == (30, 15)
    assert told.inputs == ("Input 0",)
    assert len(told.controls) == 5
    assert source.read(1).sequence > before.sequence, "it streams on"
    device.behaviour.timings = (1280, 720)
    told = capabilities(device.path, device, lambda subsystem: [])
    assert (told.digital, told.signal, told.facts) == (True, SignalState.OK, "1280×720 30 Hz")
    with pytest.raises(DeviceGone):
        capabilities("/dev/video9", device, lambda subsystem: [])


# ---- two equal ones


def test_two_equal_grabbers_stream_from_their_own_ports_whatever_numbers_they_get():
    left, right = (FakeV4l2(Behaviour(sizes={"YUYV": [size]})) for size in ((320, 240), (640, 480)))
    several = FakeSeveral(left, right)

    def nodes(_):
        same = "Macro_USB3_Video_2021"
        return [
            Node(left.path, "pci-1-usb-0:1:1.0", same, serial="2021"),
            Node(right.path, "pci-1-usb-0:4:1.0", same, serial="2021"),
        ]

    def shown(key):
        source = V4l2Source(
            key=key, name="", device=key, width=320, height=240, fps=Fraction(30), calls=several, nodes=nodes
        )
        width = source.open().width
        assert source.read(1)
        source.close()
        return width

    for numbers in (("/dev/video0", "/dev/video2"), ("/dev/video2", "/dev/video0")):
        left.path, right.path = numbers
        assert (shown("pci-1-usb-0:1"), shown("usb-0:4")) == (320, 640)
        with pytest.raises(HardwareError, match="2 equal devices"):
            shown("Macro_USB3_Video_2021")
