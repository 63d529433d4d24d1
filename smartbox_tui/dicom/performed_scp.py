"""Performed procedure steps as the simulated archive keeps them: in memory, by the rules of PS3.4 F.7.2."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from smartbox_tui.dicom.datasets import to_json

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_STATUS: Final = "00400252"
_IN_PROGRESS, _FINAL = "IN PROGRESS", ("COMPLETED", "DISCONTINUED")
_SUCCESS, _INVALID_VALUE, _FAILED, _EXISTS, _NO_SUCH, _MISSING = 0x0000, 0x0106, 0x0110, 0x0111, 0x0112, 0x0120
_NO_LONGER: Final = 0xA710
_STEPS_MAX: Final = 10_000
_EXPLICIT: Final = "1.2.840.10008.1.2.1"


class PerformedSteps:
    """The handlers of N-CREATE and N-SET; called by the threads of the associations."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._steps: dict[str, dict[str, Any]] = {}

    def all(self) -> dict[str, dict[str, Any]]:
        """Each step by its SOP Instance UID, oldest first, in the DICOM JSON model."""
        with self._lock:
            return {uid: dict(step) for uid, step in self._steps.items()}

    def create(self, event: Any) -> tuple[int | Dataset, None]:
        """N-CREATE: a new step is IN PROGRESS (F.7.2.1.2)."""
        uid = str(event.request.AffectedSOPInstanceUID or "")
        step = _read(event, event.request.AttributeList)
        if step is None:
            return _FAILED, None
        with self._lock:
            if uid in self._steps:
                return _EXISTS, None
            if not uid or _STATUS not in step:
                return _MISSING, None
            if _state(step) != _IN_PROGRESS:
                return _INVALID_VALUE, None
            while len(self._steps) >= _STEPS_MAX:
                del self._steps[next(iter(self._steps))]
            self._steps[uid] = step
        return _SUCCESS, None

    def set(self, event: Any) -> tuple[int | Dataset, None]:
        """N-SET: attributes are replaced until the step is final (F.7.2.2.2)."""
        uid = str(event.request.RequestedSOPInstanceUID or "")
        changes = _read(event, event.request.ModificationList)
        if changes is None:
            return _FAILED, None
        with self._lock:
            step = self._steps.get(uid)
            if step is None:
                return _NO_SUCH, None
            if _state(step) in _FINAL:
                return _no_longer(), None
            if _STATUS in changes and _state(changes) not in (_IN_PROGRESS, *_FINAL):
                return _INVALID_VALUE, None
            step.update(changes)
        return _SUCCESS, None


def _read(event: Any, raw: Any) -> dict[str, Any] | None:
    try:
        return to_json(raw.getvalue(), explicit=str(event.context.transfer_syntax) == _EXPLICIT)
    except (ValueError, AttributeError):
        return None


def _state(step: dict[str, Any]) -> str:
    return str(step.get(_STATUS, {}).get("Value", [""])[0])


def _no_longer() -> Dataset:
    from pydicom.dataset import Dataset

    answer = Dataset()
    answer.Status, answer.ErrorID = _FAILED, _NO_LONGER
    answer.ErrorComment = "Performed Procedure Step Object may no longer be updated"
    return answer
