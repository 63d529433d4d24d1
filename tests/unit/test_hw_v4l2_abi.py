"""Our structs and request numbers are those of the kernel's own headers."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import pytest

from hw import evdev
from hw.pedal import serial_line
from hw.video.v4l2 import abi, control_abi

STRUCTS = {
    "v4l2_capability": abi.Capability,
    "v4l2_fmtdesc": abi.FmtDesc,
    "v4l2_pix_format": abi.PixFormat,
    "v4l2_format": abi.Format,
    "v4l2_captureparm": abi.CaptureParm,
    "v4l2_streamparm": abi.StreamParm,
    "v4l2_requestbuffers": abi.RequestBuffers,
    "v4l2_timecode": abi.TimeCode,
    "v4l2_buffer": abi.Buffer,
    "v4l2_input": abi.Input,
    "v4l2_bt_timings": abi.BtTimings,
    "v4l2_dv_timings": abi.DvTimings,
    "v4l2_event_subscription": abi.EventSubscription,
    "v4l2_event": abi.Event,
    "v4l2_frmsize_stepwise": abi.SizeRange,
    "v4l2_frmsizeenum": abi.SizeEnum,
    "v4l2_frmival_stepwise": abi.IntervalRange,
    "v4l2_frmivalenum": abi.IntervalEnum,
    "v4l2_rect": abi.Rect,
    "v4l2_cropcap": abi.CropCap,
    "v4l2_selection": abi.Selection,
    "v4l2_query_ext_ctrl": control_abi.QueryExtCtrl,
    "v4l2_querymenu": control_abi.QueryMenu,
    "v4l2_ext_control": control_abi.ExtControl,
    "v4l2_ext_controls": control_abi.ExtControls,
}
# The header's union has no name of its own.
RENAMED = {
    ("v4l2_dv_timings", "u"): "bt",
    ("v4l2_querymenu", "u"): "name",
    ("v4l2_ext_control", "u"): "value",
}
CONSTANTS = [
    name for name in dir(abi) if name.startswith(("CAP_", "BUF_", "IN_", "EVENT_", "MEMORY_", "FIELD_", "SEL_"))
]
CONSTANTS += ["COLORSPACE_JPEG", "QUANTIZATION_FULL_RANGE", "QUANTIZATION_LIM_RANGE", "DV_BT_656_1120"]
CONSTANTS += ["STD_525_60", "STD_625_50", "DV_INTERLACED", "DV_FL_HAS_PICTURE_ASPECT"]
CONSTANTS += [name for name in dir(abi) if name.startswith("FRM")]
CONTROLS = [name for name in dir(control_abi) if name.startswith(("CTRL_", "CID_"))]
CODES = {
    "MJPG": "MJPEG",
    "JPEG": "JPEG",
    "NV12": "NV12",
    "YU12": "YUV420",
    "YUYV": "YUYV",
    "UYVY": "UYVY",
    "H264": "H264",
    "RGB3": "RGB24",
    "BGR3": "BGR24",
}
WORDS = {
    "brightness": "BRIGHTNESS",
    "contrast": "CONTRAST",
    "saturation": "SATURATION",
    "hue": "HUE",
    "white_balance_automatic": "AUTO_WHITE_BALANCE",
    "gamma": "GAMMA",
    "exposure": "EXPOSURE",
    "gain_automatic": "AUTOGAIN",
    "gain": "GAIN",
    "horizontal_flip": "HFLIP",
    "vertical_flip": "VFLIP",
    "power_line_frequency": "POWER_LINE_FREQUENCY",
    "hue_automatic": "HUE_AUTO",
    "white_balance_temperature": "WHITE_BALANCE_TEMPERATURE",
    "sharpness": "SHARPNESS",
    "backlight_compensation": "BACKLIGHT_COMPENSATION",
    "auto_exposure": "EXPOSURE_AUTO",
    "exposure_time_absolute": "EXPOSURE_ABSOLUTE",
    "exposure_dynamic_framerate": "EXPOSURE_AUTO_PRIORITY",
    "focus_absolute": "FOCUS_ABSOLUTE",
    "focus_automatic_continuous": "FOCUS_AUTO",
    "zoom_absolute": "ZOOM_ABSOLUTE",
}

MODEM = {"cts": "CTS", "dcd": "CAR", "ri": "RI", "dsr": "DSR", "dtr": "DTR", "rts": "RTS"}
TTY = ("TIOCEXCL", "TIOCMGET", "TIOCMBIS")


@pytest.fixture(scope="module")
def header(tmp_path_factory) -> dict[str, int]:
    """What the compiler makes of the headers."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if not compiler or not Path("/usr/include/linux/videodev2.h").exists():
        pytest.skip("no C compiler or no <linux/videodev2.h> here: the layouts are not compared")
    wanted: dict[str, str] = {}
    for name, struct in STRUCTS.items():
        wanted[name] = f"sizeof(struct {name})"
        for field, *_ in struct._fields_:
            wanted[f"{name}.{field}"] = f"offsetof(struct {name}, {RENAMED.get((name, field), field)})"
    wanted |= {name: name for name in dir(abi) if name.startswith("VIDIOC_")}
    wanted |= {name: f"V4L2_{name}" for name in CONSTANTS}
    wanted |= {
        name: name for name in ("EVIOCGRAB", "EVIOCSCLOCKID", "EVIOCGID", "SYN_DROPPED", "SYN_REPORT", "EV_KEY")
    }
    wanted |= {name: name for name in TTY} | {name: f"TIOCM_{name}" for name in MODEM.values()}
    wanted |= {
        "EVIOCGKEY": "EVIOCGKEY(96)",
        "EVIOCGNAME": "EVIOCGNAME(256)",
        "EVIOCGBIT_KEY": "EVIOCGBIT(EV_KEY, 96)",
    }
    wanted |= {"input_event": "sizeof(struct input_event)", "KEY_BYTES": "(KEY_CNT + 7) / 8"}
    wanted |= {code: f"V4L2_PIX_FMT_{name}" for code, name in CODES.items()}
    wanted |= {name: name for name in dir(control_abi) if name.startswith("VIDIOC_")}
    wanted |= {name: f"V4L2_{name}" for name in CONTROLS}
    wanted |= {word: f"V4L2_CID_{name}" for word, name in WORDS.items()}
    wanted |= {"H264_PROFILE_HIGH": "V4L2_MPEG_VIDEO_H264_PROFILE_HIGH"}
    lines = "".join(f'printf("{key} %lu\\n", (unsigned long)({value}));\n' for key, value in wanted.items())
    folder = tmp_path_factory.mktemp("abi")
    (folder / "abi.c").write_text(
        "#include <stddef.h>\n#include <stdio.h>\n#include <linux/videodev2.h>\n#include <linux/input.h>\n"
        "#include <sys/ioctl.h>\n"
        f"int main(void) {{ {lines} return 0; }}\n"
    )
    subprocess.run([compiler, "-o", folder / "abi", folder / "abi.c"], check=True)
    output = subprocess.run([folder / "abi"], check=True, capture_output=True, text=True).stdout
    return {key: int(value) for key, value in (line.split() for line in output.splitlines())}


@pytest.mark.parametrize("name", STRUCTS)
def test_layout(header, name):
    struct = STRUCTS[name]
    assert ctypes.sizeof(struct) == header[name]
    ours = {f"{name}.{field}": getattr(struct, field).offset for field, *_ in struct._fields_}
    assert ours == {key: value for key, value in header.items() if key.startswith(f"{name}.")}


def test_requests_and_constants(header):
    names = [name for name in dir(abi) if name.startswith("VIDIOC_")] + CONSTANTS
    assert {name: getattr(abi, name) for name in names} == {name: header[name] for name in names}
    assert {code: abi.fourcc(code) for code in CODES} == {code: header[code] for code in CODES}
    assert abi.fourcc_text(header["NV12"]) == "NV12"


def test_controls(header):
    names = [name for name in dir(control_abi) if name.startswith("VIDIOC_")] + CONTROLS + ["H264_PROFILE_HIGH"]
    assert {name: getattr(control_abi, name) for name in names} == {name: header[name] for name in names}
    assert {word: cid for cid, word in control_abi.WORDS.items()} == {word: header[word] for word in WORDS}


def test_input_events(header):
    assert evdev.EVENT.size == header["input_event"]
    names = [name for name in dir(evdev) if name.startswith("EVIOC")] + ["KEY_BYTES", "SYN_DROPPED", "SYN_REPORT"]
    assert {name: getattr(evdev, name) for name in names} == {name: header[name] for name in names}


def test_modem_lines(header):
    assert {name: getattr(serial_line, name) for name in TTY} == {name: header[name] for name in TTY}
    ours = serial_line.LINES | {"dtr": serial_line.DTR, "rts": serial_line.RTS}
    assert ours == {line: header[name] for line, name in MODEM.items()}
