"""The box's own DICOM service (settings.port): who may call it, and what is said when it cannot listen."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from smartbox_tui.dicom.scp_association import Rules
from smartbox_tui.dicom.scp_port import Port
from smartbox_tui.dicom.scp_table import COMMITMENT, SERVICES, VERIFICATION, committed, verified
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.commitment import Report
from smartbox_tui.settings.schema import Settings

log = logging.getLogger(__name__)

AGAIN_S: Final = 30.0
"""A port that somebody else has is tried again so often."""
STRANGER_S: Final = 600.0
"""So long an alarm says that somebody called in vain."""


class DicomPort:
    """Listens while the engine runs; a port that cannot be opened is an alarm, and tried again."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        on_report: Callable[[str, Report], int],
        status_changed: Callable[[], None],
    ) -> None:
        self._settings, self._status_changed = settings, status_changed
        handlers = {VERIFICATION.name: verified, COMMITMENT.name: committed(on_report)}
        self._port = Port(SERVICES, handlers, self._rules, self._refused)
        self._ending = threading.Event()
        self._trouble = ""
        self._stranger: tuple[str, float] = ("", 0.0)
        self._thread = threading.Thread(target=self._run, name="dicom-port-opener", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(5)
        self._port.stop()

    def alarms(self) -> dict[str, str]:
        """By code, in English."""
        found = {}
        if self._trouble:
            found["port"] = self._trouble
        why, at = self._stranger
        if why and time.monotonic() - at < STRANGER_S:
            found["port-stranger"] = why
        return found

    def _rules(self) -> Rules:
        settings = self._settings()
        own = {settings.aet, *(item.calling_aet for item in settings.destinations)}
        further = settings.callers.split(",")
        servers = (
            *further,
            settings.worklist.aet,
            settings.mpps.aet,
            *(item.aet for item in settings.destinations),
        )
        return Rules(
            frozenset(title.strip(" ") for title in own if title),
            frozenset(title.strip(" ") for title in servers if title.strip(" ")),
        )

    def _refused(self, calling_aet: str, host: str, why: str) -> None:
        """Alarms go to the screens of everybody: what a stranger calls itself is shown as far as it is a title."""
        title = "".join(char for char in calling_aet if char.isascii() and char.isprintable())[:16]
        self._stranger = (f"{title} at {host} called the box and was rejected: {why}.", time.monotonic())
        self._status_changed()

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                self._port.start(self._settings().port)
            except SmartBoxError as exc:
                if self._trouble != exc.message:
                    log.error("%s", exc.message)
                    self._trouble = exc.message
                    self._status_changed()
                self._ending.wait(AGAIN_S)
                continue
            log.info("the DICOM port %d is open", self._port.number)
            self._trouble = ""
            self._status_changed()
            return
