"""What the box asks the hardware's encoders for is what the installed FFmpeg knows: an option that it does not know
would be passed over in silence, and there is no hardware here that would show it."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from av.bitstream import bitstream_filters_available

from smartbox_tui.media.encoders import CODECS
from smartbox_tui.media.hardware import HARDWARE
from smartbox_tui.model.formats import Format

_CONST = 11
"""AV_OPT_TYPE_CONST: a named value of an option (libavutil/opt.h)."""


class _Option(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("help", ctypes.c_char_p),
        ("offset", ctypes.c_int),
        ("type", ctypes.c_int),
        ("default", ctypes.c_double),
        ("min", ctypes.c_double),
        ("max", ctypes.c_double),
        ("flags", ctypes.c_int),
        ("unit", ctypes.c_char_p),
    )


class _Codec(ctypes.Structure):
    """AVCodec up to its private options (libavcodec/codec.h)."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("long_name", ctypes.c_char_p),
        ("type", ctypes.c_int),
        ("id", ctypes.c_int),
        ("capabilities", ctypes.c_int),
        ("max_lowres", ctypes.c_uint8),
        ("lists", ctypes.c_void_p * 4),
        ("priv_class", ctypes.c_void_p),
    )


def _library(name: str) -> Any:
    """One that PyAV has loaded into this process."""
    found = re.search(rf"(/\S*{name}[^\s]*)", Path("/proc/self/maps").read_text())
    assert found, f"{name} is not loaded"
    return ctypes.CDLL(found.group(1))


def _options(owner: int) -> Iterator[tuple[str, str | None, int]]:
    """Name, unit and type of the options of the class at that address."""
    util = _library("libavutil")
    util.av_opt_next.restype = ctypes.POINTER(_Option)
    util.av_opt_next.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
    pointer, option = ctypes.c_void_p(owner), None
    while option := util.av_opt_next(ctypes.byref(pointer), option):
        unit = option.contents.unit
        yield option.contents.name.decode(), unit.decode() if unit else None, option.contents.type


def _known(library: str) -> dict[str, set[str] | None]:
    """Options of an encoder, its own and all encoders'; for each its named values, None where it takes numbers."""
    codec = _library("libavcodec")
    codec.avcodec_find_encoder_by_name.restype = ctypes.POINTER(_Codec)
    codec.avcodec_get_class.restype = ctypes.c_void_p
    found = codec.avcodec_find_encoder_by_name(library.encode())
    assert found, f"this FFmpeg has no {library}"
    assert found.contents.name.decode() == library
    known: dict[str, set[str] | None] = {}
    for owner in (codec.avcodec_get_class(), found.contents.priv_class):
        listed = list(_options(owner))
        for name, unit, kind in listed:
            if kind != _CONST:
                values = {other for other, group, each in listed if each == _CONST and unit and group == unit}
                known[name] = values or None
    return known


PLANS = [
    Format(720, 576, Fraction(25)),
    Format(1280, 720, Fraction(60)),
    Format(1920, 1080, Fraction(30)),
]


@pytest.mark.parametrize("which", sorted(HARDWARE), ids="-".join)
@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_every_option_and_value_is_known(which: tuple[str, str], plan: Format) -> None:
    codec = HARDWARE[which]
    known = _known(codec.library)
    assert "maxrate" in known  # what all encoders have was found, too
    for name, value in codec.options(plan, 8_000_000, True).items():
        assert name in known, f"{codec.library} has no option {name}"
        values = known[name]
        named = [each for each in re.split(r"[+-]", value) if each]
        if values is not None and not re.fullmatch(r"-?\d+", value):
            assert set(named) <= values or value in values, f"{codec.library} has no {name}={value}"


def test_an_unknown_option_would_be_found() -> None:
    known = _known("h264_nvenc")
    assert "forced_idr" not in known  # QSV's spelling
    assert known["tune"] is not None
    assert {"ll", "ull"} <= known["tune"]
    assert "slow" not in known["tune"]


@pytest.mark.parametrize("which", sorted(HARDWARE), ids="-".join)
def test_they_take_what_is_given_and_hold_nothing_back(which: tuple[str, str]) -> None:
    codec = HARDWARE[which]
    assert codec.name in CODECS
    formats = av.Codec(codec.library, "w").video_formats
    if formats:  # V4L2's depend on the driver
        assert codec.pixel in {each.name for each in formats}
    options = codec.options(PLANS[0], 8_000_000, True)
    match codec.kind:
        case "qsv":
            assert (options["async_depth"], options["forced_idr"]) == ("1", "1")
        case "nvenc":
            assert (options["delay"], options["zerolatency"], options["forced-idr"]) == ("0", "1", "1")
    if codec.mended is not None:
        assert codec.mended(PLANS[0]).partition("=")[0] in bitstream_filters_available
