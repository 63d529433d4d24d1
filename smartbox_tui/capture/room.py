"""The disk as capture sees it: what is begun, what goes on, what is refused in time. See spool.room."""

from __future__ import annotations

import logging
from pathlib import Path

from smartbox_tui.spool.room import Room, no_recording, no_still, room

log = logging.getLogger(__name__)


class Guard:
    """`reserve` is recording.reserve_bytes; with 0 only the disk itself says when it is full. Thread-safe."""

    def __init__(self, spool: Path, reserve: int) -> None:
        self._spool, self._reserve = spool, reserve

    def _look(self) -> Room | None:
        try:
            return room(self._spool, self._reserve)
        except OSError:  # whoever writes next finds out what it is
            log.exception("the disk's free space cannot be asked for")
            return None

    def check_recording(self) -> None:
        """Raises disk-full with a sentence where no recording is begun any more."""
        now = self._look()
        if now is not None and now.free < now.record:
            raise no_recording(now)

    def check_still(self) -> None:
        """Raises disk-full with a sentence where the box needs the rest to send what it has."""
        now = self._look()
        if now is not None and now.free < now.still:
            raise no_still(now)

    def must_end(self) -> bool:
        """Whether recordings end now, whole, while there is room for it."""
        now = self._look()
        return now is not None and now.free < now.stop
