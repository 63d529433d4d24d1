"""What a machine may have: its device nodes decide, not what FFmpeg was built with."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from hw import accelerators


def test_a_machine_without_anything_says_what_it_lacks(tmp_path: Path) -> None:
    assert "NVIDIA" in accelerators.missing("nvenc", tmp_path)
    assert "Intel" in accelerators.missing("qsv", tmp_path)
    assert "V4L2" in accelerators.missing("v4l2m2m", tmp_path)
    with pytest.raises(ValueError, match="no kind of encoder: vaapi"):
        accelerators.missing("vaapi", tmp_path)


def test_an_nvidia_card_needs_its_drivers_node(tmp_path: Path) -> None:
    nodes = tmp_path / "dev"
    nodes.mkdir()
    (nodes / "nvidiactl").touch()
    assert accelerators.missing("nvenc", tmp_path)
    (nodes / "nvidia0").touch()
    assert not accelerators.missing("nvenc", tmp_path)


@pytest.mark.parametrize(("vendor", "there"), [("0x8086\n", True), ("0x1002\n", False), (None, False)])
def test_quick_sync_needs_intels_render_node(vendor: str | None, there: bool, tmp_path: Path) -> None:
    nodes = tmp_path / "dev/dri"
    nodes.mkdir(parents=True)
    (nodes / "renderD128").touch()
    device = tmp_path / "sys/class/drm/renderD128/device"
    device.mkdir(parents=True)
    if vendor is not None:
        (device / "vendor").write_text(vendor)
    assert (not accelerators.missing("qsv", tmp_path)) is there


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do all")
def test_a_render_node_that_we_may_not_use_is_none(tmp_path: Path) -> None:
    nodes = tmp_path / "dev/dri"
    nodes.mkdir(parents=True)
    (nodes / "renderD128").touch(mode=0)
    device = tmp_path / "sys/class/drm/renderD128/device"
    device.mkdir(parents=True)
    (device / "vendor").write_text("0x8086\n")
    assert accelerators.missing("qsv", tmp_path)


@pytest.mark.parametrize(
    ("capabilities", "device_caps", "m2m"),
    [
        (0x84204000, 0x04204000, True),  # a codec: V4L2_CAP_VIDEO_M2M_MPLANE
        (0x84208000, 0x04208000, True),
        (0x85A00001, 0x04200001, False),  # a camera
        (0x84A04001, 0x04200001, False),  # one node of a device that has others, too
        (0x04008000, 0, True),  # from before there were device_caps
    ],
)
def test_which_v4l2_nodes_convert(capabilities: int, device_caps: int, m2m: bool) -> None:
    answer = struct.pack("=16s32s32sIII12x", b"driver", b"card", b"bus", 0x060100, capabilities, device_caps)
    assert len(answer) == 104
    assert accelerators.is_m2m(answer) is m2m


def test_a_node_that_is_no_video_device_is_passed_over(tmp_path: Path) -> None:
    nodes = tmp_path / "dev"
    nodes.mkdir()
    (nodes / "video0").write_bytes(b"no device")
    assert accelerators.missing("v4l2m2m", tmp_path)
