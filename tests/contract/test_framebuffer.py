"""What every framebuffer does: run on made-up ones of each format, on a real /dev/fb0 where there is one."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest

from hw.errors import DeviceGone, DeviceRefused, HardwareError, NotSupported
from hw.fake.framebuffer import BGR888, RGB565, XBGR, XRGB, FakeFramebuffer
from hw.panel.framebuffer import Framebuffer
from hw.panel.packing import Packer, colour

FORMATS = {"xrgb": XRGB, "xbgr": XBGR, "rgb565": RGB565, "bgr888": BGR888}


class FakeBench:
    def __init__(self, name, folder):
        self.device = FakeFramebuffer(folder, (320, 200), FORMATS[name], padding=48, virtual_height=500)
        self.device.y_offset = 200
        self.framebuffer = Framebuffer(calls=self.device)

    def end(self):
        self.framebuffer.close()
        assert self.device.opened == 0


class RealBench:
    """The machine's own. What it showed is put back."""

    def __init__(self):
        self.framebuffer = Framebuffer()
        try:
            self.framebuffer.open()
        except HardwareError as error:
            pytest.skip(f"no usable /dev/fb0 here ({error.reason}): a real framebuffer is not tested")
        self.before = self.framebuffer.pixels()[:64, :64].copy()

    def end(self):
        self.framebuffer.open()
        self.framebuffer.pixels()[:64, :64] = self.before
        self.framebuffer.close()


@pytest.fixture(params=[*FORMATS, "real"])
def bench(request, tmp_path):
    bench = RealBench() if request.param == "real" else FakeBench(request.param, tmp_path)
    yield bench
    bench.end()


def unpacked(packing, packed):
    """Packed pixels as RGB again, in the depth that the format keeps."""
    if packing.bits == 24:
        values = packed.astype(np.uint32) @ np.array([1, 1 << 8, 1 << 16], np.uint32)
    else:
        values = packed.astype(np.uint32)
    channels = []
    for shift, bits in (packing.red, packing.green, packing.blue):
        channels.append(((values >> shift) & (2**bits - 1)) << (8 - bits))
    return np.stack(channels, axis=-1)


def test_what_is_written_is_what_the_screen_shows(bench):
    screen = bench.framebuffer.open()
    picture = np.random.default_rng(6).integers(0, 256, (48, 64, 3), np.uint8)
    pixels = bench.framebuffer.pixels()
    assert pixels.shape[:2] == (screen.height, screen.width)
    pixels[8:56, :64] = Packer(screen.packing, 64, 48, 64, 48).pack(picture)
    again = Framebuffer(bench.framebuffer.path, bench.framebuffer._calls)
    again.open()
    try:
        read = unpacked(screen.packing, again.pixels()[8:56, :64])
    finally:
        again.close()
    keep = np.array(
        [0xFF << (8 - bits) & 0xFF for _, bits in (screen.packing.red, screen.packing.green, screen.packing.blue)]
    )
    assert (read == (picture & keep)).all()


def test_one_colour_fills_an_area(bench):
    screen = bench.framebuffer.open()
    bench.framebuffer.pixels()[:32, :32] = colour(screen.packing, (255, 128, 0))
    read = unpacked(screen.packing, bench.framebuffer.pixels()[:32, :32])
    assert (read[..., 0] >= 248).all()
    assert (read[..., 1] == 128).all()
    assert (read[..., 2] == 0).all()


def test_it_can_be_opened_again_after_it_was_closed(bench):
    first = bench.framebuffer.open()
    bench.framebuffer.close()
    bench.framebuffer.close()
    with pytest.raises(DeviceGone):
        bench.framebuffer.pixels()
    with pytest.raises(DeviceGone):
        bench.framebuffer.look()
    assert bench.framebuffer.open() == first
    assert bench.framebuffer.look() == first


def test_closing_with_a_view_in_somebodys_hands_hurts_nobody(bench):
    bench.framebuffer.open()
    held = bench.framebuffer.pixels()
    bench.framebuffer.close()
    held[:1, :1] = held[:1, :1].copy()


# ---- what only a made-up one can be asked to do


@pytest.fixture
def fake(tmp_path):
    return FakeFramebuffer(tmp_path, (320, 200))


def test_the_visible_part_is_drawn_on_when_the_memory_is_panned(fake):
    fake.virtual_height = 400
    fake._extend()
    framebuffer = Framebuffer(calls=fake)
    framebuffer.open()
    fake.y_offset = 200
    screen = framebuffer.look()
    framebuffer.pixels()[0, 0] = colour(screen.packing, (1, 2, 3))
    assert fake.shown()[0, 0].tolist() == [1, 2, 3]
    fake.y_offset = 0
    assert fake.shown()[0, 0].tolist() == [0, 0, 0]
    framebuffer.close()


def test_a_larger_mode_is_followed(fake):
    framebuffer = Framebuffer(calls=fake)
    assert framebuffer.open().width == 320
    fake.set_mode((1280, 720))
    assert (framebuffer.look().width, framebuffer.look().height) == (1280, 720)
    framebuffer.pixels()[-1, -1] = 0x00FFFFFF
    assert fake.shown()[-1, -1].tolist() == [255, 255, 255]
    fake.set_mode((640, 480))
    assert framebuffer.look().width == 640
    framebuffer.close()


@pytest.mark.parametrize(
    ("number", "error"), [(errno.ENOENT, DeviceGone), (errno.EACCES, DeviceRefused), (errno.ENODEV, DeviceGone)]
)
def test_one_that_cannot_be_opened_says_why_in_words(fake, number, error):
    fake.fail_open = number
    with pytest.raises(error) as caught:
        Framebuffer(calls=fake).open()
    assert caught.value.path == "/dev/fb0"
    assert caught.value.reason
    assert caught.value.hint


def test_a_driver_that_goes_away_is_gone(fake):
    framebuffer = Framebuffer(calls=fake)
    framebuffer.open()
    fake.gone = True
    with pytest.raises(DeviceGone):
        framebuffer.look()
    with pytest.raises(DeviceGone):
        framebuffer.blank(True)
    framebuffer.close()
    assert fake.opened == 0


@pytest.mark.parametrize(("name", "value"), [("visual", 3), ("kind", 1), ("size", (0, 200))])
def test_what_cannot_be_drawn_on_is_refused_and_let_go(fake, name, value):
    setattr(fake, name, value)
    with pytest.raises(NotSupported) as caught:
        Framebuffer(calls=fake).open()
    assert "panel.live" in caught.value.hint
    assert fake.opened == 0


@pytest.mark.parametrize("bits", [8, 4, 15])
def test_odd_depths_are_refused(tmp_path, bits):
    fake = FakeFramebuffer(tmp_path, (320, 200))
    fake.packing = type(XRGB)(bits, (0, 4), (4, 4), (0, 4))
    with pytest.raises(NotSupported, match=f"{bits} bits"):
        Framebuffer(calls=fake).open()


def test_memory_that_cannot_be_mapped_is_an_error_in_words(fake):
    os.truncate(fake.file, 100)
    with pytest.raises(HardwareError):
        Framebuffer(calls=fake).open()
    assert fake.opened == 0


def test_millimetres_are_told_only_when_the_driver_knows_them(tmp_path):
    fake = FakeFramebuffer(tmp_path, millimetres=(154, 86))
    framebuffer = Framebuffer(calls=fake)
    assert framebuffer.open().millimetres == (154, 86)
    fake.millimetres = (2**32 - 1, 2**32 - 1)
    assert framebuffer.look().millimetres == (0, 0)
    framebuffer.close()


def test_the_panel_goes_dark_and_comes_back(fake):
    framebuffer = Framebuffer(calls=fake)
    framebuffer.open()
    framebuffer.blank(True)
    assert fake.blanked == 4
    framebuffer.blank(False)
    assert fake.blanked == 0
    fake.cannot_blank = True
    with pytest.raises(NotSupported):
        framebuffer.blank(True)
    framebuffer.close()


# ---- scaling


@pytest.mark.parametrize("packing", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize(("size", "to"), [((64, 48), (32, 24)), ((64, 48), (128, 96)), ((64, 48), (100, 30))])
def test_a_scaled_picture_keeps_its_corners_and_its_middle(packing, size, to):
    width, height = size
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2] = (255, 0, 0)
    picture[height // 2 :, width // 2 :] = (0, 0, 255)
    packed = Packer(packing, width, height, *to).pack(picture)
    read = unpacked(packing, packed)
    assert read.shape == (to[1], to[0], 3)
    half_width, half_height = to[0] // 2, to[1] // 2
    assert (read[:half_height, :half_width, 0] >= 248).all()
    assert (read[half_height:, half_width:, 2] >= 248).all()
    assert not read[:half_height, half_width:].any()
