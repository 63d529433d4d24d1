"""Decoded as others decode, turned as others turn, and damaged pictures are refused."""

from __future__ import annotations

import io

import numpy as np
import pytest
import simplejpeg
from PIL import Image, ImageOps

from smartbox_tui.media import raster
from smartbox_tui.media.foreign import bare, describe_jpeg, describe_png
from tests.unit.test_media_foreign import COLOUR, jpeg, picture, saved


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_as_pillow_turns(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(picture(), "PNG", exif=exif)
    wanted = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    assert (raster.upright(COLOUR, orientation) == wanted).all()
    grey = np.asarray(picture("L"))
    assert raster.upright(grey, orientation).shape == wanted.shape[:2]


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1", "RGBA", "LA"])
@pytest.mark.parametrize("how", [{}, {"optimize": True}])
def test_png_decodes_as_pillow_decodes(mode: str, how: dict[str, bool]) -> None:
    image = picture(mode)
    data = saved(image, "PNG", **how)
    found = raster.decode_png(data, describe_png(data))
    grey = mode in ("L", "1", "LA")
    assert (found == np.asarray(image.convert("L" if grey else "RGB"))).all()


def test_what_is_transparent_or_deep_is_refused() -> None:
    image = picture("RGBA")
    image.putpixel((5, 5), (1, 2, 3, 254))
    for data, why in (
        (saved(image, "PNG"), "transparent"),
        (saved(picture("P"), "PNG", transparency=int(np.asarray(picture("P"))[0, 0])), "transparent"),
        (saved(Image.fromarray(np.zeros((4, 4), np.uint16)), "PNG"), "16 bits"),
    ):
        with pytest.raises(ValueError, match=why):
            raster.decode_png(data, describe_png(data))


@pytest.mark.parametrize(
    "data",
    [
        jpeg(),
        jpeg("L"),
        jpeg(progressive=True),
        jpeg(subsampling="4:2:0"),
        jpeg(keep_rgb=True, subsampling="4:4:4"),
    ],
    ids=["422", "grey", "progressive", "420", "rgb"],
)
def test_jpeg_decodes_as_pillow_decodes(data: bytes) -> None:
    found = raster.decode_jpeg(data, describe_jpeg(data))
    image = Image.open(io.BytesIO(data))
    wanted = np.asarray(image.convert("L" if image.mode == "L" else "RGB")).astype(int)
    assert np.abs(found.astype(int) - wanted).max() <= 2
    again = raster.encode_jpeg(found)
    assert bare(again).sampling == ("grey" if image.mode == "L" else "422")
    assert np.abs(simplejpeg.decode_jpeg(again).astype(int) - raster.as_colour(found)).mean() < 6


def test_damaged_jpegs_are_refused() -> None:
    data = jpeg()
    torn = data[: len(data) * 2 // 3] + b"\xff\xd9"
    assert bare(torn)  # its structure is whole
    with pytest.raises(ValueError, match=r"."):
        raster.decode_jpeg(torn, describe_jpeg(torn))
    with pytest.raises(ValueError, match="CMYK"):
        raster.decode_jpeg(jpeg("CMYK"), describe_jpeg(jpeg("CMYK")))
    lossless = data.replace(b"\xff\xc0", b"\xff\xc3", 1)
    with pytest.raises(ValueError, match=r"."):
        raster.decode_jpeg(lossless, describe_jpeg(lossless))
