"""Grabbers that are plugged in: a source that waits for its device opens it at once, not at the next try."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from hw.errors import HardwareError
from hw.hotplug import Change, Hotplug

log = logging.getLogger(__name__)

_POLL_S: Final = 0.5
_PAUSE_S: Final = 10.0


class Plugging:
    """`run` in a thread of its own; `plugged` is called for every new video device. Where udev cannot be listened
    to, sources look for their devices every two seconds as they do anyway."""

    def __init__(
        self, plugged: Callable[[], None], hotplug: Callable[[], Hotplug], *, pause_s: float = _PAUSE_S
    ) -> None:
        self._plugged = plugged
        self._pause_s = pause_s
        self._make = hotplug
        self._ended = threading.Event()

    def run(self) -> None:
        hotplug = self._make()
        said = False
        while not self._ended.is_set():
            try:
                event = hotplug.poll(_POLL_S)
            except HardwareError as exc:
                if not said:
                    log.warning("new grabbers are not heard of at once: %s %s", exc, exc.hint)
                    said = True
                self._ended.wait(self._pause_s)
                continue
            except Exception:  # a device that goes while it is looked at, a defect of ours: listened to anew
                log.exception("hearing of new grabbers failed")
                hotplug = self._make()
                self._ended.wait(self._pause_s)
                continue
            said = False
            if event is not None and event.change is Change.ADDED:
                log.info("a video device is there: %s (%s)", event.node.path, event.node.key)
                self._plugged()

    def end(self) -> None:
        self._ended.set()
