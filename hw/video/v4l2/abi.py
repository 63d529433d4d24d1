"""The part of <linux/videodev2.h> that is used here, for 64-bit Linux (x86-64, aarch64).

Names, orders and sizes are the header's; a test compiles a program against it and compares.
"""

from __future__ import annotations

import ctypes

from hw.calls import io_both, io_read, io_write

_u8, _u32, _u64 = ctypes.c_uint8, ctypes.c_uint32, ctypes.c_uint64

BUF_TYPE_VIDEO_CAPTURE = 1
MEMORY_MMAP = 1
SEL_TGT_CROP = 0
FIELD_ANY, FIELD_NONE, FIELD_TOP, FIELD_BOTTOM, FIELD_INTERLACED = 0, 1, 2, 3, 4
FIELD_SEQ_TB, FIELD_SEQ_BT, FIELD_ALTERNATE, FIELD_INTERLACED_TB, FIELD_INTERLACED_BT = 5, 6, 7, 8, 9

CAP_VIDEO_CAPTURE = 0x00000001
CAP_VIDEO_CAPTURE_MPLANE = 0x00001000
CAP_META_CAPTURE = 0x00800000
CAP_STREAMING = 0x04000000
CAP_DEVICE_CAPS = 0x80000000

CAP_TIMEPERFRAME = 0x1000

BUF_FLAG_ERROR = 0x00000040
BUF_FLAG_TIMESTAMP_MASK = 0x0000E000
BUF_FLAG_TIMESTAMP_MONOTONIC = 0x00002000

IN_ST_NO_POWER = 0x00000001
IN_ST_NO_SIGNAL = 0x00000002
IN_ST_NO_H_LOCK = 0x00000100
IN_ST_NO_V_LOCK = 0x00000400
IN_ST_NO_STD_LOCK = 0x00000800
IN_ST_NO_SYNC = 0x00010000
IN_CAP_DV_TIMINGS = 0x00000002
IN_CAP_STD = 0x00000004

STD_525_60 = 0x0000F900
STD_625_50 = 0x00FF06FF

EVENT_SOURCE_CHANGE = 5
EVENT_SRC_CH_RESOLUTION = 1

COLORSPACE_JPEG = 7
QUANTIZATION_DEFAULT, QUANTIZATION_FULL_RANGE, QUANTIZATION_LIM_RANGE = 0, 1, 2

DV_BT_656_1120 = 0
DV_INTERLACED = 1
DV_FL_HAS_PICTURE_ASPECT = 1 << 6

FRMSIZE_TYPE_DISCRETE, FRMSIZE_TYPE_CONTINUOUS, FRMSIZE_TYPE_STEPWISE = 1, 2, 3
FRMIVAL_TYPE_DISCRETE, FRMIVAL_TYPE_CONTINUOUS, FRMIVAL_TYPE_STEPWISE = 1, 2, 3


def fourcc(code: str) -> int:
    """v4l2_fourcc: four letters, the first in the lowest byte."""
    return int.from_bytes(code.encode("ascii"), "little")


def fourcc_text(code: int) -> str:
    return (code & 0x7FFFFFFF).to_bytes(4, "little").decode("ascii", "replace")


class Capability(ctypes.Structure):
    _fields_ = (
        ("driver", _u8 * 16),
        ("card", _u8 * 32),
        ("bus_info", _u8 * 32),
        ("version", _u32),
        ("capabilities", _u32),
        ("device_caps", _u32),
        ("reserved", _u32 * 3),
    )


class FmtDesc(ctypes.Structure):
    _fields_ = (
        ("index", _u32),
        ("type", _u32),
        ("flags", _u32),
        ("description", _u8 * 32),
        ("pixelformat", _u32),
        ("mbus_code", _u32),
        ("reserved", _u32 * 3),
    )


class PixFormat(ctypes.Structure):
    _fields_ = (
        ("width", _u32),
        ("height", _u32),
        ("pixelformat", _u32),
        ("field", _u32),
        ("bytesperline", _u32),
        ("sizeimage", _u32),
        ("colorspace", _u32),
        ("priv", _u32),
        ("flags", _u32),
        ("ycbcr_enc", _u32),
        ("quantization", _u32),
        ("xfer_func", _u32),
    )


class _FormatUnion(ctypes.Union):
    # The pointer stands for those in v4l2_window: they align the union to 8.
    _fields_ = (("pix", PixFormat), ("raw_data", _u8 * 200), ("aligned", ctypes.c_void_p))


class Format(ctypes.Structure):
    _fields_ = (("type", _u32), ("fmt", _FormatUnion))


class Fract(ctypes.Structure):
    _fields_ = (("numerator", _u32), ("denominator", _u32))


class CaptureParm(ctypes.Structure):
    _fields_ = (
        ("capability", _u32),
        ("capturemode", _u32),
        ("timeperframe", Fract),
        ("extendedmode", _u32),
        ("readbuffers", _u32),
        ("reserved", _u32 * 4),
    )


class _ParmUnion(ctypes.Union):
    _fields_ = (("capture", CaptureParm), ("raw_data", _u8 * 200))


class StreamParm(ctypes.Structure):
    _fields_ = (("type", _u32), ("parm", _ParmUnion))


class SizeRange(ctypes.Structure):
    """v4l2_frmsize_stepwise; of a discrete size the first two are its width and height (v4l2_frmsize_discrete)."""

    _fields_ = (
        ("min_width", _u32),
        ("max_width", _u32),
        ("step_width", _u32),
        ("min_height", _u32),
        ("max_height", _u32),
        ("step_height", _u32),
    )


class SizeEnum(ctypes.Structure):
    _fields_ = (
        ("index", _u32),
        ("pixel_format", _u32),
        ("type", _u32),
        ("stepwise", SizeRange),
        ("reserved", _u32 * 2),
    )


class IntervalRange(ctypes.Structure):
    """v4l2_frmival_stepwise; of a discrete interval `min` is it."""

    _fields_ = (("min", Fract), ("max", Fract), ("step", Fract))


class IntervalEnum(ctypes.Structure):
    _fields_ = (
        ("index", _u32),
        ("pixel_format", _u32),
        ("width", _u32),
        ("height", _u32),
        ("type", _u32),
        ("stepwise", IntervalRange),
        ("reserved", _u32 * 2),
    )


class Rect(ctypes.Structure):
    _fields_ = (("left", ctypes.c_int32), ("top", ctypes.c_int32), ("width", _u32), ("height", _u32))


class CropCap(ctypes.Structure):
    _fields_ = (("type", _u32), ("bounds", Rect), ("defrect", Rect), ("pixelaspect", Fract))


class Selection(ctypes.Structure):
    _fields_ = (("type", _u32), ("target", _u32), ("flags", _u32), ("r", Rect), ("reserved", _u32 * 9))


class RequestBuffers(ctypes.Structure):
    _fields_ = (
        ("count", _u32),
        ("type", _u32),
        ("memory", _u32),
        ("capabilities", _u32),
        ("flags", _u8),
        ("reserved", _u8 * 3),
    )


class TimeVal(ctypes.Structure):
    _fields_ = (("tv_sec", ctypes.c_int64), ("tv_usec", ctypes.c_int64))


class TimeCode(ctypes.Structure):
    _fields_ = (
        ("type", _u32),
        ("flags", _u32),
        ("frames", _u8),
        ("seconds", _u8),
        ("minutes", _u8),
        ("hours", _u8),
        ("userbits", _u8 * 4),
    )


class _BufferPlace(ctypes.Union):
    _fields_ = (("offset", _u32), ("userptr", ctypes.c_ulong), ("fd", ctypes.c_int32))


class Buffer(ctypes.Structure):
    _fields_ = (
        ("index", _u32),
        ("type", _u32),
        ("bytesused", _u32),
        ("flags", _u32),
        ("field", _u32),
        ("timestamp", TimeVal),
        ("timecode", TimeCode),
        ("sequence", _u32),
        ("memory", _u32),
        ("m", _BufferPlace),
        ("length", _u32),
        ("reserved2", _u32),
        ("request_fd", ctypes.c_int32),
    )


class Input(ctypes.Structure):
    _fields_ = (
        ("index", _u32),
        ("name", _u8 * 32),
        ("type", _u32),
        ("audioset", _u32),
        ("tuner", _u32),
        ("std", _u64),
        ("status", _u32),
        ("capabilities", _u32),
        ("reserved", _u32 * 3),
    )


class BtTimings(ctypes.Structure):
    _pack_ = 1
    _fields_ = (
        ("width", _u32),
        ("height", _u32),
        ("interlaced", _u32),
        ("polarities", _u32),
        ("pixelclock", _u64),
        ("hfrontporch", _u32),
        ("hsync", _u32),
        ("hbackporch", _u32),
        ("vfrontporch", _u32),
        ("vsync", _u32),
        ("vbackporch", _u32),
        ("il_vfrontporch", _u32),
        ("il_vsync", _u32),
        ("il_vbackporch", _u32),
        ("standards", _u32),
        ("flags", _u32),
        ("picture_aspect", Fract),
        ("cea861_vic", _u8),
        ("hdmi_vic", _u8),
        ("reserved", _u8 * 46),
    )


class _TimingsUnion(ctypes.Union):
    _pack_ = 1
    _fields_ = (("bt", BtTimings), ("reserved", _u32 * 32))


class DvTimings(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("type", _u32), ("u", _TimingsUnion))


class EventSubscription(ctypes.Structure):
    _fields_ = (("type", _u32), ("id", _u32), ("flags", _u32), ("reserved", _u32 * 5))


class _EventUnion(ctypes.Union):
    # The 64-bit member stands for v4l2_event_ctrl's.
    _fields_ = (("src_change", _u32), ("data", _u8 * 64), ("aligned", ctypes.c_int64))


class TimeSpec(ctypes.Structure):
    _fields_ = (("tv_sec", ctypes.c_int64), ("tv_nsec", ctypes.c_int64))


class Event(ctypes.Structure):
    _fields_ = (
        ("type", _u32),
        ("u", _EventUnion),
        ("pending", _u32),
        ("sequence", _u32),
        ("timestamp", TimeSpec),
        ("id", _u32),
        ("reserved", _u32 * 8),
    )


_size = ctypes.sizeof

VIDIOC_QUERYCAP = io_read("V", 0, _size(Capability))
VIDIOC_ENUM_FMT = io_both("V", 2, _size(FmtDesc))
VIDIOC_S_FMT = io_both("V", 5, _size(Format))
VIDIOC_REQBUFS = io_both("V", 8, _size(RequestBuffers))
VIDIOC_QUERYBUF = io_both("V", 9, _size(Buffer))
VIDIOC_QBUF = io_both("V", 15, _size(Buffer))
VIDIOC_DQBUF = io_both("V", 17, _size(Buffer))
VIDIOC_STREAMON = io_write("V", 18, 4)
VIDIOC_STREAMOFF = io_write("V", 19, 4)
VIDIOC_G_PARM = io_both("V", 21, _size(StreamParm))
VIDIOC_S_PARM = io_both("V", 22, _size(StreamParm))
VIDIOC_G_STD = io_read("V", 23, 8)
VIDIOC_S_STD = io_write("V", 24, 8)
VIDIOC_ENUMINPUT = io_both("V", 26, _size(Input))
VIDIOC_G_INPUT = io_read("V", 38, 4)
VIDIOC_CROPCAP = io_both("V", 58, _size(CropCap))
VIDIOC_QUERYSTD = io_read("V", 63, 8)
VIDIOC_ENUM_FRAMESIZES = io_both("V", 74, _size(SizeEnum))
VIDIOC_ENUM_FRAMEINTERVALS = io_both("V", 75, _size(IntervalEnum))
VIDIOC_S_DV_TIMINGS = io_both("V", 87, _size(DvTimings))
VIDIOC_DQEVENT = io_read("V", 89, _size(Event))
VIDIOC_SUBSCRIBE_EVENT = io_write("V", 90, _size(EventSubscription))
VIDIOC_G_SELECTION = io_both("V", 94, _size(Selection))
VIDIOC_QUERY_DV_TIMINGS = io_read("V", 99, _size(DvTimings))
