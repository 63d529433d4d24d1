"""What a grabber can do, asked beside whoever streams from it: nothing here changes the device."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction

from hw.base import DeviceInfo, PixelFormat, SignalState, VideoControl
from hw.calls import SystemCalls, hardware_error
from hw.identity import Nodes, resolve, udev_nodes
from hw.video.v4l2 import abi
from hw.video.v4l2.controls import Controls
from hw.video.v4l2.formats import PIXELS
from hw.video.v4l2.requests import Requests


@dataclass(frozen=True, slots=True)
class Size:
    """`rates` highest first, exact; empty where the device follows its input."""

    width: int
    height: int
    rates: tuple[Fraction, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """`code` is the device's (four letters), `pixel` ours, None for one that the box cannot use; `sizes` empty
    where the device lists none."""

    code: str
    pixel: PixelFormat | None
    sizes: tuple[Size, ...]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """`inputs` are the device's names for them, `selected` the one that is used; `digital`: it measures its signal,
    and `facts` names what comes in; `analogue`: it has standards such as PAL."""

    info: DeviceInfo
    driver: str
    bus: str
    layouts: tuple[Layout, ...]
    inputs: tuple[str, ...]
    selected: str
    digital: bool
    analogue: bool
    signal: SignalState
    facts: str
    controls: tuple[VideoControl, ...]


def capabilities(device: str, calls: SystemCalls | None = None, nodes: Nodes = udev_nodes) -> Capabilities:
    """Of /dev/videoN or a key of hw.identity. Raises HardwareError."""
    calls = calls or SystemCalls()
    node = resolve(device, "video4linux", accept=lambda path: captures(calls, path), nodes=nodes)
    path = node.path
    try:
        fd = calls.open(path, os.O_RDWR | os.O_NONBLOCK)
        try:
            return _asked(Requests(calls, fd), Controls(calls, fd, path), node.info)
        finally:
            calls.close(fd)
    except OSError as error:
        raise hardware_error("ask", path, error) from error


def captures(calls: SystemCalls, path: str) -> bool:
    """Whether a node is the one that captures: grabbers have others, for metadata or output."""
    try:
        fd = calls.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError:
        # No right to look: let the open of the chosen one say so.
        return True
    try:
        return bool(caps_of(Requests(calls, fd).capability()) & abi.CAP_VIDEO_CAPTURE)
    except OSError:
        return False
    finally:
        calls.close(fd)


def caps_of(said: abi.Capability) -> int:
    """V4L2_CAP_… of the node, not of the whole device."""
    return int(said.device_caps if said.capabilities & abi.CAP_DEVICE_CAPS else said.capabilities)


def text_of(array: object) -> str:
    """A text of the kernel's."""
    return bytes(array).split(b"\0", 1)[0].decode("utf-8", "replace")  # type: ignore[call-overload, no-any-return]


def _asked(requests: Requests, controls: Controls, info: DeviceInfo) -> Capabilities:
    said = requests.capability()
    layouts = []
    for code in requests.formats():
        sizes = tuple(
            Size(width, height, tuple(requests.rates(code, width, height)))
            for width, height in requests.sizes(code)
        )
        layouts.append(Layout(abi.fourcc_text(code), PIXELS.get(code), sizes))
    selected = requests.input()
    able = selected.capabilities if selected is not None else 0
    signal = requests.signal()
    card = text_of(said.card)
    name = card if info.name == info.path else info.name
    return Capabilities(
        info=DeviceInfo(info.key, name or card, info.path, info.manufacturer, info.model or card, info.serial),
        driver=text_of(said.driver),
        bus=text_of(said.bus_info),
        layouts=tuple(layouts),
        inputs=tuple(text_of(each.name) for each in requests.inputs()),
        selected=text_of(selected.name) if selected is not None else "",
        digital=bool(able & abi.IN_CAP_DV_TIMINGS),
        analogue=bool(able & abi.IN_CAP_STD),
        signal=signal.state,
        facts=signal.facts,
        controls=controls.all(),
    )
