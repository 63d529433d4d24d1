"""Crop and mask: what they take out is in nothing that leaves the source, and everything else stays as it was."""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
import simplejpeg

from hw.base import Frame, PixelFormat, VideoFormat
from hw.errors import NotSupported
from hw.fake.source import FakeSource
from hw.video.pattern import PatternSource
from hw.video.strip import draw_strip, read_strip, strip_size
from hw.video.trim import Trim
from smartbox_tui.capture.convert import Converter
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.media.jpeg import entropy_coded
from smartbox_tui.settings import whole
from smartbox_tui.settings.load import settings_from
from smartbox_tui.settings.schema import Settings, Source
from smartbox_tui.spool.sidecar import SidecarState
from smartbox_tui.wire import commands
from smartbox_tui.wire.preview import PreviewReader
from tests.capture.rig import Rig, probe, strips, until

WIDTH, HEIGHT = 320, 240
CROP, MASK = "32,16,24,8", "100,60,61,31;0,0,40,20;300,230,20,10"
"""The second mask lies half in what is cut off, the third wholly; the first has odd edges."""

TRIM = Trim((32, 16, 24, 8), ((100, 60, 61, 31), (0, 0, 40, 20), (300, 230, 20, 10)))
KEPT = (WIDTH - 56, HEIGHT - 24)
LIT = 180
"""The luma of the whole made-up picture: nothing of it may be seen where it is masked."""

Plane = npt.NDArray[np.uint8]
WHOLE = [pixel for pixel in PixelFormat if pixel is not PixelFormat.H264]
"""H.264 is decoded before anything is cut off."""


def planes(seed: int = 0) -> tuple[Plane, Plane, Plane]:
    """Luma and 4:2:2 chroma that differ from pixel to pixel."""
    rng = np.random.default_rng(seed)
    luma = rng.integers(LIT - 40, LIT + 41, (HEIGHT, WIDTH), np.uint8)
    blue, red = (rng.integers(60, 100, (HEIGHT, WIDTH // 2), np.uint8) for _ in range(2))
    return luma, blue, red


def frame_of(pixel: PixelFormat, seed: int = 0, *, full: bool = False) -> Frame:
    luma, blue, red = planes(seed)
    half = blue[::2], red[::2]
    match pixel:
        case PixelFormat.YUYV:
            packed = np.empty((HEIGHT, WIDTH, 2), np.uint8)
            packed[:, :, 0], packed[:, ::2, 1], packed[:, 1::2, 1] = luma, blue, red
            data = packed.tobytes()
        case PixelFormat.UYVY:
            packed = np.empty((HEIGHT, WIDTH, 2), np.uint8)
            packed[:, :, 1], packed[:, ::2, 0], packed[:, 1::2, 0] = luma, blue, red
            data = packed.tobytes()
        case PixelFormat.RGB24 | PixelFormat.BGR24:
            data = np.stack((luma, luma[::-1], luma[:, ::-1]), axis=-1).tobytes()
        case PixelFormat.NV12:
            data = luma.tobytes() + np.stack(half, axis=-1).tobytes()
        case PixelFormat.I420:
            data = luma.tobytes() + half[0].tobytes() + half[1].tobytes()
        case PixelFormat.MJPEG:
            data = simplejpeg.encode_jpeg_yuv_planes(luma, blue, red, quality=95)
            full = True
        case _:
            raise ValueError(pixel)
    return Frame(data, VideoFormat(pixel, WIDTH, HEIGHT, Fraction(30), full), 0, 0, 0)


def arrays(picture: Any) -> list[Plane]:
    return [
        np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width].copy()
        for plane in picture.planes
    ]


def covered(trim: Trim) -> npt.NDArray[np.bool_]:
    """Pixel by pixel from the meaning of the setting: what must be black in what is kept, grown to even edges."""
    black = np.zeros((HEIGHT, WIDTH), bool)
    for x, y, width, height in trim.masks:
        black[y // 2 * 2 : -(-(y + height) // 2) * 2, x // 2 * 2 : -(-(x + width) // 2) * 2] = True
    left, top, right, bottom = trim.crop
    return black[top : HEIGHT - bottom, left : WIDTH - right]


@pytest.mark.parametrize("still", [False, True], ids=["video", "still"])
@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("pixel", WHOLE)
@pytest.mark.parametrize("trim", [TRIM, Trim(TRIM.crop), Trim(masks=TRIM.masks)], ids=["both", "crop", "mask"])
def test_what_is_left_is_the_same_and_the_rest_is_gone(
    pixel: PixelFormat, trim: Trim, full: bool, still: bool
) -> None:
    frame = frame_of(pixel, full=full)
    before = bytes(frame.data)
    kind = "to_still" if still else "to_video"
    whole_picture = arrays(getattr(Converter(), kind)(frame))
    kept = arrays(getattr(Converter(trim), kind)(frame))
    assert bytes(frame.data) == before, "the ring's own frame is read by others"
    black = covered(trim)
    left, top, right, bottom = trim.crop
    for number, (old, new) in enumerate(zip(whole_picture, kept, strict=True)):
        across, down = WIDTH // old.shape[1], HEIGHT // old.shape[0]
        cut = old[top // down : (HEIGHT - bottom) // down, left // across : (WIDTH - right) // across]
        assert new.shape == cut.shape
        hidden = black[::down, ::across]
        assert (new[hidden] == (128 if number else 0 if still else 16)).all()
        assert (new[~hidden] == cut[~hidden]).all()
        assert hidden.any() == black.any()


@pytest.mark.parametrize("seed", range(40))
def test_any_crop_with_any_masks(seed: int) -> None:
    """Odd edges, masks over each other, over the crop's edge, in what is cut off."""
    rng = np.random.default_rng(seed)
    crop = tuple(int(edge) * 2 for edge in rng.integers(0, 30, 4))
    masks = []
    for _ in range(int(rng.integers(0, 5))):
        x, y = int(rng.integers(0, WIDTH)), int(rng.integers(0, HEIGHT))
        masks.append((x, y, int(rng.integers(1, WIDTH - x + 1)), int(rng.integers(1, HEIGHT - y + 1))))
    trim = Trim((crop[0], crop[1], crop[2], crop[3]), tuple(masks))
    assert trim.problem(WIDTH, HEIGHT) == ""
    pixel = WHOLE[seed % len(WHOLE)]
    test_what_is_left_is_the_same_and_the_rest_is_gone(pixel, trim, seed % 3 == 0, seed % 2 == 0)


def test_many_frames_one_after_the_other_keep_their_own_pixels() -> None:
    """A scaler or decoder that hands out the same memory twice would show one frame's mask in another."""
    converter, pictures = Converter(TRIM), []
    for seed in range(5):
        pictures.append(converter.to_video(frame_of(PixelFormat.YUYV, seed)))
    for seed, picture in enumerate(pictures):
        fresh = arrays(Converter(TRIM).to_video(frame_of(PixelFormat.YUYV, seed)))
        assert all((one == other).all() for one, other in zip(arrays(picture), fresh, strict=True))


@pytest.mark.parametrize("pixel", WHOLE)
def test_stills_bursts_clips_and_preview_show_nothing_of_it(tmp_path: Path, pixel: PixelFormat) -> None:
    source = FakeSource(pixel=pixel, make=lambda number: bytes(frame_of(pixel, number).data))
    with Rig(tmp_path, source, of={"kind": "v4l2", "device": "x", "crop": CROP, "mask": MASK}) as rig:
        told = rig.source()
        assert (told.width, told.height) == KEPT
        black = covered(TRIM)
        inside = np.zeros_like(black)  # where no codec's ringing from the lit part comes to
        inside[52:66, 76:124] = True
        assert (black & inside).sum() == inside.sum()

        still = rig.still()
        instance = rig.command(commands.Still, burst=3)["instance"]
        index = rig.sidecar(instance).index
        data = rig.file(instance).read_bytes()
        pictures = [rig.file(still).read_bytes(), *(data[at : at + length] for at, length in index)]
        assert len(pictures) == 4
        for each in pictures:
            assert simplejpeg.decode_jpeg_header(each)[:2] == KEPT[::-1]
            luma = np.asarray(simplejpeg.decode_jpeg(each, "GRAY"))[:, :, 0]
            assert luma[inside].max() <= 8
            assert luma[~black].mean() > 120
        for item in (still, instance):
            sidecar = rig.sidecar(item)
            assert (sidecar.width, sidecar.height, sidecar.sampling) == (*KEPT, "422")

        clip = rig.record(0.5)["instances"][0]
        sidecar = rig.sidecar(clip)
        assert (sidecar.width, sidecar.height, sidecar.state) == (*KEPT, SidecarState.CLOSED)
        stream = probe(rig.file(clip))
        assert (stream["width"], stream["height"]) == KEPT
        with av.open(str(rig.file(clip))) as container:
            for frame in container.decode(video=0):
                luma = arrays(frame)[0]
                assert luma[inside].max() <= 30
                assert luma[~black].mean() > 100

        shown = until(lambda: PreviewReader(rig.paths.runtime / told.preview).read())
        assert (shown.width, shown.height) == KEPT
        rgb = np.frombuffer(shown.rgb, np.uint8).reshape(KEPT[1], KEPT[0], 3)
        assert rgb[inside].max() <= 40


def test_the_grabbers_jpeg_is_passed_on_only_while_nothing_is_taken_out(tmp_path: Path) -> None:
    sent = bytes(frame_of(PixelFormat.MJPEG).data)
    for crop, mask, same in (("0,0,0,0", "", True), ("2,0,0,0", "", False), ("0,0,0,0", "10,10,20,20", False)):
        source = FakeSource(pixel=PixelFormat.MJPEG, make=lambda _number: sent)
        settings = {"kind": "v4l2", "device": "x", "crop": crop, "mask": mask}
        with Rig(tmp_path / f"{crop}{mask}", source, of=settings) as rig:
            data = rig.file(rig.still()).read_bytes()
            assert (entropy_coded(data) == entropy_coded(sent)) is same


# ---- the test pattern


def test_the_patterns_strip_is_drawn_after_crop_and_mask(tmp_path: Path) -> None:
    settings = {"crop": "64,40,0,20", "mask": "0,0,320,120;200,150,40,40"}
    with Rig(tmp_path, of={"size": "480x320", **settings}) as rig:
        told = rig.source()
        assert (told.width, told.height) == (416, 260)
        still = rig.still()
        luma = np.asarray(simplejpeg.decode_jpeg(rig.file(still).read_bytes(), "GRAY"))[:, :, 0]
        assert luma.shape == (260, 416)
        assert read_strip(luma).ok
        below = strip_size(416)[1] + 8
        assert luma[below : 120 - 40 - 4, : 320 - 64 - 4].max() <= 3
        assert luma[114:146, 140:172].max() <= 3
        clip = rig.record(0.4)["instances"][0]
        numbers = strips(rig.file(clip))
        assert len(numbers) == clip["frames"]
        assert numbers == sorted(set(numbers))
        assert (rig.sidecar(clip).width, rig.sidecar(clip).height) == (416, 260)


def test_the_pattern_without_crop_and_mask_is_what_it_was() -> None:
    values: dict[str, Any] = {"key": "p", "name": "P", "device": "", "fps": Fraction(30)}
    plain = PatternSource(**values, width=640, height=360)
    trimmed = PatternSource(**values, width=704, height=400, trim=Trim((32, 20, 32, 20)))
    for source in (plain, trimmed):
        assert (source.open().width, source.open().height) == (640, 360)
        frame = source.read(1)
        assert frame is not None
        assert len(frame.data) == 640 * 360 * 3 // 2
        chroma = np.frombuffer(frame.data, np.uint8)[640 * 360 :][: 640 * 360 // 4].reshape(180, 320)
        width, height = strip_size(640)
        assert (chroma[: height // 2, : width // 2] == 128).all()
        source.close()


def test_the_trimmed_pattern_is_as_fast_as_the_contract_wants() -> None:
    source = PatternSource(
        key="p", name="P", device="", width=1920, height=1080, fps=Fraction(1000), trim=Trim((200, 0, 200, 0))
    )
    source.open()
    source.read(1)
    started = time.process_time()
    for _ in range(50):
        source.read(1)
    assert (time.process_time() - started) / 50 < 0.008  # 2 ms on a machine that has nothing else to do


# ---- values that fit no picture


@pytest.mark.parametrize(
    ("crop", "mask", "words"),
    [
        ("200,0,0,0", "", "crop leaves less"),
        ("0,130,0,0", "", "crop leaves less"),
        ("1000,0,1000,0", "", "crop leaves less"),
        ("0,0,0,0", "310,0,20,10", "outside"),
        ("0,0,0,0", "0,0,10,10;0,239,10,10", "outside"),
    ],
)
@pytest.mark.parametrize("kind", ["pattern", "v4l2"])
def test_what_does_not_fit_is_said_and_no_picture_is_shown(
    tmp_path: Path, crop: str, mask: str, words: str, kind: str
) -> None:
    source = None if kind == "pattern" else FakeSource()
    rig = Rig(tmp_path, source, of={"kind": kind, "device": "x", "crop": crop, "mask": mask})
    rig.assembly.start()
    try:
        until(lambda: rig.source().signal_state == "unsupported")
        assert words in rig.source().signal_text
        assert (rig.source().width, rig.source().height) == (320, 240)
        with pytest.raises(SmartBoxError, match=words) as caught:
            rig.still()
        assert caught.value.code == "no-signal"
        with pytest.raises(SmartBoxError):
            rig.command(commands.RecordStart)
        assert not list(rig.paths.runtime.glob("preview-*"))
        assert not list(rig.paths.spool.glob("*/*.j*"))
    finally:
        rig.assembly.close()


def test_a_picture_that_grows_too_small_while_it_runs_is_shown_no_more(tmp_path: Path) -> None:
    """A processor that switches from 1080 to PAL under masks that were made for the large picture."""
    source = FakeSource(width=640, height=480)
    mask = "500,400,100,40"
    with Rig(tmp_path, source, of={"kind": "v4l2", "device": "x", "size": "640x480", "mask": mask}) as rig:
        rig.still()
        source._format = VideoFormat(PixelFormat.I420, 320, 240, Fraction(30), full_range=False)
        until(lambda: rig.source().signal_state == "unsupported")
        with pytest.raises(SmartBoxError):
            rig.still()
        source._format = VideoFormat(PixelFormat.I420, 640, 480, Fraction(30), full_range=False)
        until(lambda: rig.source().signal)
        rig.still()


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"crop": "1800,0,0,0"}, "crop"),
        ({"crop": "0,480,0,500"}, "crop"),
        ({"size": "640x480", "mask": "600,0,50,10"}, "mask"),
        ({"size": "640x480", "mask": "0,0,640,480;0,470,10,11"}, "mask"),
    ],
)
def test_the_settings_check_knows_the_picture(values: dict[str, str], path: str) -> None:
    source = {"id": "endo", "kind": "pattern"}
    good, bad = settings_from({"sources": [source]}), settings_from({"sources": [source | values]})
    assert not list(whole.problems(good))
    assert [where for where, _ in whole.problems(bad)] == [f"sources.endo.{path}"]
    with pytest.raises(SmartBoxError, match=f"sources.endo.{path}") as caught:
        whole.check(bad, good)
    assert caught.value.code == "bad-value"


@pytest.mark.parametrize("value", ["1,0,0,0", "0,0,0", "-2,0,0,0", "a", "", "0,0,0,0,0"])
def test_a_crop_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(SmartBoxError, match=r"sources\.endo\.crop"):
        settings_from({"sources": [{"id": "endo", "crop": value}]})


@pytest.mark.parametrize("value", ["0,0,0,10", "1,2,3", "1,2,3,4;", ";", "-1,0,2,2", "x"])
def test_a_mask_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(SmartBoxError, match=r"sources\.endo\.mask"):
        settings_from({"sources": [{"id": "endo", "mask": value}]})


def test_the_settings_words_as_numbers() -> None:
    source = Source(id="endo", crop="2,4,6,8", mask="1,2,3,4;5,6,7,8")
    assert source.edges == (2, 4, 6, 8)
    assert source.masks == ((1, 2, 3, 4), (5, 6, 7, 8))
    assert Source(id="endo").masks == ()
    assert not Trim(Source(id="endo").edges, Source(id="endo").masks)
    assert not list(
        whole.problems(Settings(sources=(Source(id="cam", kind="folder", device="/x", crop="1900,0,100,0"),)))
    )


def test_an_odd_crop_is_refused_by_the_source_itself() -> None:
    with pytest.raises(NotSupported, match="even"):
        Trim((1, 0, 0, 0)).check(VideoFormat(PixelFormat.I420, 640, 480, Fraction(30), False), "x")


def test_a_strip_under_a_mask_would_not_be_read() -> None:
    """So that the tests above say something: a mask over a strip does hide it."""
    luma = np.full((240, 320), 100, np.uint8)
    draw_strip(luma, 5, 7)
    assert read_strip(luma).ok
    luma[:20, :100] = 16
    assert not read_strip(luma).ok
