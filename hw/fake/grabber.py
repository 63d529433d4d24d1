"""What a made-up grabber is like: its behaviour and its controls, and how it answers questions about them."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from fractions import Fraction

from hw.video.v4l2 import abi, control_abi


@dataclass
class Control:
    """`kind` is a CTRL_TYPE_…; `ruled_by` names a control: while that one is not 0 this one is inactive."""

    cid: int
    value: int
    minimum: int = 0
    maximum: int = 255
    step: int = 1
    kind: int = control_abi.CTRL_TYPE_INTEGER
    menu: dict[int, str] = dataclass_field(default_factory=dict)
    flags: int = 0
    ruled_by: str = ""


@dataclass
class Behaviour:
    """What the device is like and what happens to which picture (numbers count from 0 at STREAMON).

    sizes          fourcc to the sizes it can do; another wish gets the first of them
    rate_fixed     the driver knows no rates (G_PARM fails)
    padding        bytes at the end of each row of raw pictures
    stride         what it tells as bytes of a row of compressed pictures, where that makes no sense
    refuses        formats that it lists, and refuses with EINVAL when they are asked for
    wall_clock     stamps by CLOCK_REALTIME and says so (TIMESTAMP_UNKNOWN)
    counts         False: the sequence stays 0, as some drivers do
    missing, damaged, short   pictures that are skipped, flagged ERROR, delivered with too few bytes
    open_errno, stream_errno  these calls fail with that
    status         V4L2_IN_ST_… of ENUMINPUT
    timings        None: no digital receiver; an errno, or (width, height) of what comes in
    events         whether SOURCE_CHANGE can be subscribed to
    siblings       paths of further nodes of the device, which deliver metadata and no pictures
    rates          fourcc to the rates it lists (and at most delivers) in every size; none listed: `fps` for all
    field          V4L2_FIELD_… of its pictures; ALTERNATE delivers fields of half the height
    standard       V4L2_STD_… that is set, `seen_standard` what comes in; 0: no analogue input
    pixel_aspect   (y, x) of CROPCAP; None: the driver knows none
    scales         whether pictures keep their sizes whatever comes in
    shape          (across, down) of the picture that the timings tell; None: they do not
    cropped        (columns, rows) of the signal that its pictures show; None: the driver does not tell
    power          whether the cable's 5 V are there; None: the driver has no such control
    timings_errno  S_DV_TIMINGS fails with that
    refused        with timings ERANGE: (width, height) of what the receiver cannot take, if it tells
    controls       by the name that the driver gives them
    pictures       the bytes of picture n, instead of the grey one with the strip (H.264 needs it)
    """

    sizes: dict[str, list[tuple[int, int]]] = dataclass_field(default_factory=lambda: {"MJPG": [(320, 240)]})
    fps: Fraction = Fraction(30)
    rate_fixed: bool = False
    padding: int = 0
    stride: int = 0
    refuses: tuple[str, ...] = ()
    wall_clock: bool = False
    counts: bool = True
    missing: set[int] = dataclass_field(default_factory=set)
    damaged: set[int] = dataclass_field(default_factory=set)
    short: set[int] = dataclass_field(default_factory=set)
    open_errno: int = 0
    stream_errno: int = 0
    caps: int = abi.CAP_VIDEO_CAPTURE | abi.CAP_STREAMING
    colorspace: int = 0
    quantization: int = 0
    status: int = 0
    timings: int | tuple[int, int] | None = None
    events: bool = True
    siblings: tuple[str, ...] = ()
    rates: dict[str, list[int]] = dataclass_field(default_factory=dict)
    field: int = abi.FIELD_NONE
    standard: int = 0
    seen_standard: int = 0
    pixel_aspect: tuple[int, int] | None = None
    scales: bool = False
    shape: tuple[int, int] | None = None
    cropped: tuple[int, int] | None = None
    power: bool | None = None
    refused: tuple[int, int] | None = None
    timings_errno: int = 0
    controls: dict[str, Control] = dataclass_field(default_factory=dict)
    pictures: Callable[[int], bytes] | None = None


def os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


class Questions:
    """The requests that ask what the device can do, and its controls. It has no state but the behaviour's own."""

    def __init__(self, behaviour: Callable[[], Behaviour]) -> None:
        self._behaviour = behaviour
        self.answers: dict[int, Callable[..., None]] = {
            abi.VIDIOC_ENUM_FRAMESIZES: self._sizes,
            abi.VIDIOC_ENUM_FRAMEINTERVALS: self._rates,
            abi.VIDIOC_G_STD: self._g_std,
            abi.VIDIOC_S_STD: self._s_std,
            abi.VIDIOC_QUERYSTD: self._query_std,
            abi.VIDIOC_CROPCAP: self._crop_cap,
            abi.VIDIOC_G_SELECTION: self._g_selection,
            control_abi.VIDIOC_QUERY_EXT_CTRL: self._query_control,
            control_abi.VIDIOC_QUERYMENU: self._query_menu,
            control_abi.VIDIOC_G_EXT_CTRLS: self._get_control,
            control_abi.VIDIOC_S_EXT_CTRLS: self._set_control,
        }

    def _sizes(self, said: abi.SizeEnum) -> None:
        sizes = self._behaviour().sizes.get(abi.fourcc_text(said.pixel_format), [])
        if said.index >= len(sizes):
            raise os_error(errno.EINVAL)
        said.type = abi.FRMSIZE_TYPE_DISCRETE
        said.stepwise.min_width, said.stepwise.max_width = sizes[said.index]

    def _rates(self, said: abi.IntervalEnum) -> None:
        behaviour = self._behaviour()
        if behaviour.rate_fixed:
            raise os_error(errno.ENOTTY)
        rates = behaviour.rates.get(abi.fourcc_text(said.pixel_format), [behaviour.fps])
        if said.index >= len(rates):
            raise os_error(errno.EINVAL)
        rate = Fraction(rates[said.index])
        said.type = abi.FRMIVAL_TYPE_DISCRETE
        said.stepwise.min = abi.Fract(rate.denominator, rate.numerator)

    def _g_std(self, said: ctypes.c_uint64) -> None:
        if not self._behaviour().standard:
            raise os_error(errno.ENODATA)
        said.value = self._behaviour().standard

    def _s_std(self, wish: ctypes.c_uint64) -> None:
        self._behaviour().standard = wish.value

    def _query_std(self, said: ctypes.c_uint64) -> None:
        said.value = self._behaviour().seen_standard

    def _crop_cap(self, said: abi.CropCap) -> None:
        behaviour = self._behaviour()
        if behaviour.pixel_aspect is None:
            raise os_error(errno.ENOTTY)
        width, height = next(iter(behaviour.sizes.values()))[0]
        said.defrect = abi.Rect(0, 0, width, height)
        said.pixelaspect = abi.Fract(*behaviour.pixel_aspect)

    def _g_selection(self, said: abi.Selection) -> None:
        behaviour = self._behaviour()
        if behaviour.cropped is None or said.target != abi.SEL_TGT_CROP:
            raise os_error(errno.ENOTTY)
        said.r = abi.Rect(0, 0, *behaviour.cropped)

    # ---- controls

    def _query_control(self, said: control_abi.QueryExtCtrl) -> None:
        after = said.id & ~control_abi.CTRL_FLAG_NEXT_CTRL
        later = sorted((each.cid, name) for name, each in self._behaviour().controls.items() if each.cid > after)
        if not later:
            raise os_error(errno.EINVAL)
        name = later[0][1]
        control = self._behaviour().controls[name]
        said.id, said.type, said.name, said.elems = control.cid, control.kind, name.encode(), 1
        said.minimum, said.maximum, said.step = control.minimum, control.maximum, control.step
        said.default_value, said.flags = control.minimum, control.flags
        if self._is_ruled(control):
            said.flags |= control_abi.CTRL_FLAG_INACTIVE

    def _query_menu(self, said: control_abi.QueryMenu) -> None:
        menu = self._control(said.id).menu
        if said.index not in menu:
            raise os_error(errno.EINVAL)
        text = menu[said.index].encode()
        said.u.name[: len(text)] = list(text)

    def _get_control(self, several: control_abi.ExtControls) -> None:
        one = several.controls[0]
        if one.id == control_abi.CID_DV_RX_POWER_PRESENT and self._behaviour().power is not None:
            one.u.value = int(bool(self._behaviour().power))
            return
        one.u.value = self._control(one.id).value

    def _set_control(self, several: control_abi.ExtControls) -> None:
        one = several.controls[0]
        control = self._control(one.id)
        if self._is_ruled(control):
            raise os_error(errno.EACCES)
        if not control.minimum <= one.u.value <= control.maximum:
            raise os_error(errno.ERANGE)
        control.value = one.u.value

    def _control(self, cid: int) -> Control:
        for control in self._behaviour().controls.values():
            if control.cid == cid:
                return control
        raise os_error(errno.EINVAL)

    def _is_ruled(self, control: Control) -> bool:
        return bool(control.ruled_by) and self._behaviour().controls[control.ruled_by].value != 0
