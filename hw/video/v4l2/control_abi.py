"""Controls of <linux/videodev2.h> and <linux/v4l2-controls.h>, for 64-bit Linux. A test compares them."""

from __future__ import annotations

import ctypes

from hw.calls import io_both

_u8, _u32 = ctypes.c_uint8, ctypes.c_uint32

CTRL_TYPE_INTEGER, CTRL_TYPE_BOOLEAN, CTRL_TYPE_MENU = 1, 2, 3
CTRL_TYPE_INTEGER_MENU = 9

CTRL_FLAG_DISABLED = 0x0001
CTRL_FLAG_GRABBED = 0x0002
CTRL_FLAG_READ_ONLY = 0x0004
CTRL_FLAG_INACTIVE = 0x0010
CTRL_FLAG_WRITE_ONLY = 0x0040
CTRL_FLAG_NEXT_CTRL = 0x80000000

CTRL_WHICH_CUR_VAL = 0

CID_DV_RX_POWER_PRESENT = 0x00A00964
CID_MPEG_VIDEO_B_FRAMES = 0x009909CA
CID_MPEG_VIDEO_GOP_SIZE = 0x009909CB
CID_MPEG_VIDEO_GOP_CLOSURE = 0x009909CC
CID_MPEG_VIDEO_REPEAT_SEQ_HEADER = 0x009909E2
CID_MPEG_VIDEO_FORCE_KEY_FRAME = 0x009909E5
CID_MPEG_VIDEO_H264_I_PERIOD = 0x00990A66
CID_MPEG_VIDEO_H264_PROFILE = 0x00990A6B
H264_PROFILE_HIGH = 4

WORDS = {
    0x00980900: "brightness",
    0x00980901: "contrast",
    0x00980902: "saturation",
    0x00980903: "hue",
    0x0098090C: "white_balance_automatic",
    0x00980910: "gamma",
    0x00980911: "exposure",
    0x00980912: "gain_automatic",
    0x00980913: "gain",
    0x00980914: "horizontal_flip",
    0x00980915: "vertical_flip",
    0x00980918: "power_line_frequency",
    0x00980919: "hue_automatic",
    0x0098091A: "white_balance_temperature",
    0x0098091B: "sharpness",
    0x0098091C: "backlight_compensation",
    0x009A0901: "auto_exposure",
    0x009A0902: "exposure_time_absolute",
    0x009A0903: "exposure_dynamic_framerate",
    0x009A090A: "focus_absolute",
    0x009A090C: "focus_automatic_continuous",
    0x009A090D: "zoom_absolute",
}
"""Names that stay when a kernel or a driver words them anew; others are made of the driver's own."""


class QueryExtCtrl(ctypes.Structure):
    _fields_ = (
        ("id", _u32),
        ("type", _u32),
        ("name", ctypes.c_char * 32),
        ("minimum", ctypes.c_int64),
        ("maximum", ctypes.c_int64),
        ("step", ctypes.c_uint64),
        ("default_value", ctypes.c_int64),
        ("flags", _u32),
        ("elem_size", _u32),
        ("elems", _u32),
        ("nr_of_dims", _u32),
        ("dims", _u32 * 4),
        ("reserved", _u32 * 32),
    )


class _MenuUnion(ctypes.Union):
    _pack_ = 1
    _fields_ = (("name", _u8 * 32), ("value", ctypes.c_int64))


class QueryMenu(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("id", _u32), ("index", _u32), ("u", _MenuUnion), ("reserved", _u32))


class _ControlUnion(ctypes.Union):
    _pack_ = 1
    _fields_ = (("value", ctypes.c_int32), ("value64", ctypes.c_int64), ("ptr", ctypes.c_void_p))


class ExtControl(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("id", _u32), ("size", _u32), ("reserved2", _u32 * 1), ("u", _ControlUnion))


class ExtControls(ctypes.Structure):
    _fields_ = (
        ("which", _u32),
        ("count", _u32),
        ("error_idx", _u32),
        ("request_fd", ctypes.c_int32),
        ("reserved", _u32 * 1),
        ("controls", ctypes.POINTER(ExtControl)),
    )


_size = ctypes.sizeof

VIDIOC_QUERYMENU = io_both("V", 37, _size(QueryMenu))
VIDIOC_G_EXT_CTRLS = io_both("V", 71, _size(ExtControls))
VIDIOC_S_EXT_CTRLS = io_both("V", 72, _size(ExtControls))
VIDIOC_QUERY_EXT_CTRL = io_both("V", 103, _size(QueryExtCtrl))
