"""Camera pictures made ready by the child: which way up, what is in them, and what leaves with them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import simplejpeg
import zxingcpp

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.media.camera import Ready, checked, codes, ready
from smartbox_tui.media.exif import read_exif
from smartbox_tui.media.jpeg import entropy_coded
from tests.support.exifbytes import camera, with_exif

RED, GREEN, BLUE, WHITE = (200, 20, 20), (20, 180, 20), (20, 20, 200), (230, 230, 230)


def corners() -> npt.NDArray[np.uint8]:
    """64 x 32: red top left, green top right, blue bottom left, white bottom right."""
    pixels = np.zeros((32, 64, 3), np.uint8)
    pixels[:16, :32], pixels[:16, 32:], pixels[16:, :32], pixels[16:, 32:] = RED, GREEN, BLUE, WHITE
    return pixels


def stored(upright: npt.NDArray[np.uint8], orientation: int) -> npt.NDArray[np.uint8]:
    """As a camera held that way stores it: row 0 and column 0 as CIPA DC-008 4.6.4.A has them."""
    other = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.swapaxes(0, 1), 6: upright.swapaxes(0, 1)[::-1], 7: upright.swapaxes(0, 1)[::-1, ::-1],
        8: upright.swapaxes(0, 1)[:, ::-1],
    }  # fmt: skip
    return np.ascontiguousarray(other[orientation])


def jpeg(pixels: npt.NDArray[np.uint8], sampling: str = "422") -> bytes:
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), 92, "RGB", sampling))


def made(data: bytes) -> Ready:
    return ready(data, checked(data), read_exif(data).orientation)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_leaves_upright(orientation: int) -> None:
    data = with_exif(jpeg(stored(corners(), orientation), "444"), camera(orientation=orientation))
    result = made(data)
    assert (result.jpeg.width, result.jpeg.height) == (64, 32)
    pixels = simplejpeg.decode_jpeg(result.jpeg.data)
    for (y, x), colour in {(8, 16): RED, (8, 48): GREEN, (24, 16): BLUE, (24, 48): WHITE}.items():
        assert np.abs(pixels[y, x].astype(int) - colour).max() < 25
    assert (result.before is None) == (orientation == 1)


@pytest.mark.parametrize("sampling", ["422", "444"])
def test_what_fits_keeps_its_own_compressed_data_and_nothing_else(sampling: str) -> None:
    plain = jpeg(corners(), sampling)
    data = with_exif(plain, camera("PID-1|Prüf^Jörg|1970-01-01|M|")) + b"appended preview"
    result = made(data)
    assert result.jpeg.sampling == sampling
    assert result.before is None
    assert entropy_coded(result.jpeg.data) == entropy_coded(plain)
    for trace in (b"Exif", b"PID-1", b"SN-0815", b"RICOH", b"preview"):
        assert trace not in result.jpeg.data


def test_chroma_that_dicom_does_not_know_is_encoded_anew_and_says_so() -> None:
    result = made(jpeg(corners(), "420"))
    assert result.jpeg.sampling == "422"
    assert checked(result.jpeg.data).sampling == "422"
    assert result.before is not None
    assert result.before > 1
    assert "4:2:0" in result.why


def test_grey_becomes_colour() -> None:
    grey = bytes(simplejpeg.encode_jpeg(np.full((40, 40, 1), 90, np.uint8), 90, "GRAY", "Gray"))
    assert made(grey).jpeg.sampling == "422"


@pytest.mark.parametrize("keep", [0.2, 0.6, 0.95])
def test_a_torn_picture_is_refused(keep: float) -> None:
    whole = jpeg(np.random.default_rng(1).integers(0, 255, (200, 300, 3)).astype(np.uint8))
    torn = whole[: int(len(whole) * keep)]
    with pytest.raises(SmartBoxError) as caught:
        codes(torn, checked(torn))
    assert caught.value.code == "invalid-object"


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"GIF89a", b"\xff\xd8\xff\xe0\0\x02", bytes(1000)])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(SmartBoxError):
        checked(data)


def test_a_code_is_found_with_the_share_of_the_picture_that_it_takes() -> None:
    code = np.array(zxingcpp.write_barcode_to_image(zxingcpp.create_barcode("PID-1", zxingcpp.BarcodeFormat.QRCode),
                                                    scale=8))  # fmt: skip
    pixels = np.full((1200, 1600, 3), 150, np.uint8)
    pixels[300 : 300 + code.shape[0], 500 : 500 + code.shape[1]] = code[:, :, None]
    data = jpeg(pixels, "420")
    (found,) = codes(data, checked(data))
    assert found.text == "PID-1"
    assert 0.005 < found.share < code.size / (1200 * 1600)
