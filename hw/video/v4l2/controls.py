"""The controls of a device: brightness, gain, white balance … All raise OSError or HardwareError."""

from __future__ import annotations

import ctypes
import errno
import re
from fractions import Fraction

from hw.base import VideoControl
from hw.calls import SystemCalls, hardware_error
from hw.errors import NotSupported
from hw.video.v4l2 import control_abi as abi

_KINDS = {
    abi.CTRL_TYPE_INTEGER: "number",
    abi.CTRL_TYPE_BOOLEAN: "switch",
    abi.CTRL_TYPE_MENU: "choice",
    abi.CTRL_TYPE_INTEGER_MENU: "choice",
}
_UNUSABLE = abi.CTRL_FLAG_DISABLED | abi.CTRL_FLAG_WRITE_ONLY
_RULED = abi.CTRL_FLAG_INACTIVE | abi.CTRL_FLAG_GRABBED | abi.CTRL_FLAG_READ_ONLY
_MOST = 512
"""Of controls, and of entries of a menu: a driver that never ends must not keep us."""


class Controls:
    """Of one open device."""

    def __init__(self, calls: SystemCalls, fd: int, path: str) -> None:
        self._calls = calls
        self._fd = fd
        self._path = path

    def all(self) -> tuple[VideoControl, ...]:
        """In the device's order; those of kinds that no setting can give (buttons, texts) are left out."""
        found = []
        for said in self._told():
            value = self.get(said.id)
            if value is not None:
                found.append(self._described(said, value))
        return tuple(found)

    def set(self, name: str, value: int) -> None:
        """Raises NotSupported for an unknown name or a value outside its range, else HardwareError."""
        said = next((each for each in self._told() if _word(each) == name), None)
        if said is None:
            known = ", ".join(_word(each) for each in self._told()) or "none"
            raise NotSupported("control", self._path, f"there is no control {name}", f"There are: {known}.")
        low, high, step = said.minimum, said.maximum, said.step or 1
        if not low <= value <= high or (value - low) % step:
            steps = f" in steps of {step}" if step > 1 else ""
            raise NotSupported(
                "control", self._path, f"{name} is {low} to {high}{steps}, not {value}", "Correct the setting."
            )
        if said.type in (abi.CTRL_TYPE_MENU, abi.CTRL_TYPE_INTEGER_MENU) and value not in self._choices(said):
            choices = ", ".join(f"{key} ({text})" for key, text in self._choices(said).items())
            raise NotSupported("control", self._path, f"{name} has no choice {value}", f"There are: {choices}.")
        try:
            self.put(said.id, value)
        except OSError as error:
            if said.flags & _RULED and error.errno in (errno.EACCES, errno.EBUSY, errno.EINVAL, errno.EIO):
                raise NotSupported(
                    "control", self._path, f"{name} is ruled by another control", "Switch the automatic off first."
                ) from error
            raise hardware_error("control", self._path, error) from error

    def get(self, identity: int) -> int | None:
        """None where the device has no such control, or cannot say."""
        one = abi.ExtControl(id=identity)
        try:
            self._ask(abi.VIDIOC_G_EXT_CTRLS, one)
        except OSError as error:
            if error.errno in (errno.ENODEV, errno.ENXIO):
                raise
            return None
        return int(one.u.value)

    def put(self, identity: int, value: int) -> None:
        """Raises OSError."""
        one = abi.ExtControl(id=identity)
        one.u.value = value
        self._ask(abi.VIDIOC_S_EXT_CTRLS, one)

    def ask_for_cuttable_h264(self, fps: Fraction) -> None:
        """High Profile, closed groups of a second with parameter sets, no B-frames: where the device lets us."""
        wishes = (
            (abi.CID_MPEG_VIDEO_H264_PROFILE, abi.H264_PROFILE_HIGH),
            (abi.CID_MPEG_VIDEO_B_FRAMES, 0),
            (abi.CID_MPEG_VIDEO_GOP_CLOSURE, 1),
            (abi.CID_MPEG_VIDEO_REPEAT_SEQ_HEADER, 1),
            (abi.CID_MPEG_VIDEO_GOP_SIZE, max(1, int(fps))),
            (abi.CID_MPEG_VIDEO_H264_I_PERIOD, max(1, int(fps))),
        )
        for identity, value in wishes:
            try:
                self.put(identity, value)
            except OSError as error:
                if error.errno in (errno.ENODEV, errno.ENXIO):
                    raise

    def _ask(self, request: int, one: abi.ExtControl) -> None:
        several = abi.ExtControls(which=abi.CTRL_WHICH_CUR_VAL, count=1, controls=ctypes.pointer(one))
        self._calls.ioctl(self._fd, request, several)

    def _told(self) -> list[abi.QueryExtCtrl]:
        found: list[abi.QueryExtCtrl] = []
        last = 0
        for _ in range(_MOST):
            said = abi.QueryExtCtrl(id=last | abi.CTRL_FLAG_NEXT_CTRL)
            try:
                self._calls.ioctl(self._fd, abi.VIDIOC_QUERY_EXT_CTRL, said)
            except OSError as error:
                if error.errno in (errno.EINVAL, errno.ENOTTY, errno.EIO):
                    break
                raise
            if said.id <= last:
                break
            last = said.id
            if said.type in _KINDS and not said.flags & _UNUSABLE and said.elems <= 1:
                found.append(said)
        return found

    def _described(self, said: abi.QueryExtCtrl, value: int) -> VideoControl:
        kind = _KINDS[said.type]
        return VideoControl(
            name=_word(said),
            kind=kind,
            value=value,
            minimum=said.minimum,
            maximum=said.maximum,
            step=max(1, said.step),
            default=said.default_value,
            choices=self._choices(said) if kind == "choice" else {},
            writable=not said.flags & _RULED,
        )

    def _choices(self, said: abi.QueryExtCtrl) -> dict[int, str]:
        found: dict[int, str] = {}
        for index in range(max(0, said.minimum), min(said.maximum, said.minimum + _MOST) + 1):
            menu = abi.QueryMenu(id=said.id, index=index)
            try:
                self._calls.ioctl(self._fd, abi.VIDIOC_QUERYMENU, menu)
            except OSError as error:
                if error.errno in (errno.ENODEV, errno.ENXIO):
                    raise
                continue  # menus have holes
            if said.type == abi.CTRL_TYPE_INTEGER_MENU:
                found[index] = str(menu.u.value)
            else:
                found[index] = bytes(menu.u.name).split(b"\0", 1)[0].decode("utf-8", "replace")
        return found


def _word(said: abi.QueryExtCtrl) -> str:
    known = abi.WORDS.get(said.id)
    return known or re.sub(r"[^a-z0-9]+", "_", said.name.decode("utf-8", "replace").lower()).strip("_")
