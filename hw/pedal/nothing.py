"""A pedal whose settings make no sense: it says so whenever it is opened."""

from __future__ import annotations

from hw.base import DeviceInfo, PedalEdge
from hw.errors import NotSupported


class NoPedal:
    """`reason`: what is wrong, for a person."""

    down = False

    def __init__(self, key: str, device: str, reason: str) -> None:
        self._info = DeviceInfo(key=key, name=key, path=device)
        self._reason = reason

    @property
    def info(self) -> DeviceInfo:
        return self._info

    def open(self) -> None:
        """Raises NotSupported, always."""
        raise NotSupported("open", self._info.path, self._reason, "Teach the pedal anew in the settings.")

    def read(self, timeout_s: float) -> PedalEdge | None:
        """Raises NotSupported: it was never open."""
        raise NotSupported("read", self._info.path, self._reason)

    def close(self) -> None:
        pass
