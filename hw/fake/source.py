"""A video source that plays a script: frames, gaps, stalls, errors, signals. For tests of capture."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

from hw.base import DeviceInfo, Frame, PixelFormat, SignalState, VideoFormat
from hw.errors import DeviceGone, HardwareError
from hw.fake.pictures import picture

_NS = 1_000_000_000
_FPS = Fraction(30)


@dataclass(frozen=True, slots=True)
class Frames:
    """Deliver `count` frames."""

    count: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Lose `count` frames: their time passes, the next frame counts them."""

    count: int


@dataclass(frozen=True, slots=True)
class Stall:
    """Deliver nothing for `seconds`, counting nothing as lost."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Says:
    """From now on `signal` answers `state`. Frames go on: many grabbers do that with the cable out."""

    state: SignalState


@dataclass(frozen=True, slots=True)
class Freeze:
    """From now on every frame shows the same picture; `on` False ends it."""

    on: bool = True


@dataclass(frozen=True, slots=True)
class Fail:
    """The read raises `error` (default: DeviceGone); the next `refused_opens` opens raise it too."""

    error: HardwareError | None = None
    refused_opens: int = 0


Step = Frames | Gap | Stall | Says | Freeze | Fail


class FakeSource:
    """Plays `script`, then delivers frames for ever (`endless`) or nothing more.

    `paced`: frames keep the format's rate, else they come as fast as they are read. `picture`: the bytes of
    frame n, default grey with the strip. The script goes on where it stood after a reopen; `then` adds to it
    from any thread while the source is being read. `opened` counts successful opens.
    """

    def __init__(
        self,
        script: Iterable[Step] = (),
        *,
        key: str = "fake",
        name: str = "Fake source",
        width: int = 320,
        height: int = 240,
        fps: Fraction = _FPS,
        pixel: PixelFormat = PixelFormat.I420,
        paced: bool = True,
        endless: bool = True,
        make: Callable[[int], bytes] | None = None,
    ) -> None:
        self._info = DeviceInfo(key=key, name=name, path="/dev/fake")
        self._format = VideoFormat(pixel, width, height, fps, full_range=pixel is PixelFormat.MJPEG)
        self._script = deque(script)
        self._paced = paced
        self._endless = endless
        self._make = make
        self._open = False
        self._signal = SignalState.STARTING
        self._frozen: bytes | None = None
        self._freeze = False
        self._left = 0
        self._refuse: list[HardwareError] = []
        self._sequence = 0
        self._lost = 0
        self._delivered = False
        self._next_ns = 0
        self.opened = 0

    @property
    def info(self) -> DeviceInfo:
        return self._info

    def then(self, *steps: Step) -> None:
        """Add to the script."""
        self._script.extend(steps)

    def open(self) -> VideoFormat:
        """Starts frames now; their sequence goes on, like that of a driver which was not unloaded."""
        if self._refuse:
            raise self._refuse.pop()
        self._open = True
        self.opened += 1
        self._delivered = False
        self._lost = 0
        self._next_ns = time.monotonic_ns()
        if self._signal in (SignalState.STARTING, SignalState.GONE):
            self._signal = SignalState.OK
        return self._format

    def read(self, timeout_s: float) -> Frame | None:
        if not self._open:
            raise HardwareError("read", self._info.path, "not open")
        give_up_ns = time.monotonic_ns() + int(timeout_s * _NS)
        if not self._play(give_up_ns) or self._next_ns > give_up_ns:
            _sleep_until(give_up_ns)
            return None
        _sleep_until(self._next_ns)
        return self._frame()

    def signal(self) -> SignalState:
        return self._signal

    def close(self) -> None:
        self._open = False

    def _play(self, give_up_ns: int) -> bool:
        """Play the script up to the next frame; False when there is none before `give_up_ns`."""
        while self._left == 0:
            if not self._script:
                return self._endless
            if isinstance(self._script[0], Fail):
                if self._next_ns > give_up_ns:
                    return False
                _sleep_until(self._next_ns)
            match self._script.popleft():
                case Frames(count):
                    self._left = count
                case Gap(count):
                    self._sequence += count
                    self._lost += count
                    self._next_ns += count * self._period_ns if self._paced else 0
                case Stall(seconds):
                    self._next_ns = max(self._next_ns, time.monotonic_ns()) + int(seconds * _NS)
                case Says(state):
                    self._signal = state
                case Freeze(on):
                    self._freeze, self._frozen = on, None
                case Fail(error, refused_opens):
                    failure = error or DeviceGone("read", self._info.path, "unplugged")
                    if isinstance(failure, DeviceGone):
                        self._signal = SignalState.GONE
                    self._refuse = [failure] * refused_opens
                    self._open = False
                    raise failure
        return True

    def _frame(self) -> Frame:
        number = self._sequence
        form = self._format
        data = self._frozen
        if data is None:
            ms = int(number * 1000 / form.fps)
            data = self._make(number) if self._make else picture(form.pixel, form.width, form.height, number, ms)
            if self._freeze:
                self._frozen = data
        frame = Frame(data, form, number, self._lost if self._delivered else 0, self._next_ns)
        self._left = max(0, self._left - 1)
        self._sequence += 1
        self._lost = 0
        self._delivered = True
        self._next_ns = (
            self._next_ns + self._period_ns if self._paced else max(time.monotonic_ns(), self._next_ns + 1)
        )
        return frame

    @property
    def _period_ns(self) -> int:
        return int(_NS / self._format.fps)


def _sleep_until(at_ns: int) -> None:
    time.sleep(max(0, at_ns - time.monotonic_ns()) / _NS)
