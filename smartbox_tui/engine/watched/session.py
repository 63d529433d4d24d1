"""What a folder's cameras have photographed lately: codes, and the pictures that they gave a patient to.

Kept in a file, so that an engine that starts anew goes on in the middle. It holds what the codes say.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from smartbox_tui.spool.durable import write_json

_MOST: Final = 500


@dataclass(frozen=True, slots=True)
class Code:
    """`picture` shows it; `at` RFC 3339 of the camera's clock; `text` empty where it is nobody's: of two
    people, or a picture whose EXIF ends the code before."""

    picture: str
    camera: str
    at: str
    text: str


@dataclass(frozen=True, slots=True)
class Used:
    """A picture that has its patient from a code (`code`: the picture of it), or no patient (`code` then is that of
    the code that says nobody, or empty)."""

    picture: str
    camera: str
    at: str
    code: str
    exam: str


class Session:
    """Of one source. Methods that change something are durable when they return; they block."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.codes: list[Code] = []
        self.used: list[Used] = []
        self.late: list[str] = []
        """Exams held back: a code came after pictures that had been taken after it."""
        try:
            value: dict[str, Any] = json.loads(path.read_bytes())
            self.codes = [Code(**item) for item in value["codes"]]
            self.used = [Used(**item) for item in value["used"]]
            self.late = [str(item) for item in value["late"]]
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            self.codes, self.used, self.late = [], [], []

    def code_for(self, camera: str, at: datetime, minutes: float) -> Code | None:
        """The newest code of this camera that was taken before, and not too long before."""
        found = [code for code in self.codes if code.camera == camera and _moment(code.at) <= at]
        if not found:
            return None
        newest = max(found, key=lambda code: _moment(code.at))
        return newest if at - _moment(newest.at) <= timedelta(minutes=minutes) else None

    def is_before_a_code(self, camera: str, at: datetime) -> bool:
        """Whether a code of this camera is known that was taken after that."""
        return any(code.camera == camera and _moment(code.at) > at for code in self.codes)

    def add_code(self, code: Code, minutes: float) -> list[Used]:
        """Returns the pictures that would have been this code's, and were given to another before it came."""
        if any(item.picture == code.picture for item in self.codes):
            return []
        self.codes.append(code)
        at = _moment(code.at)
        late = []
        for item in self.used:
            taken = _moment(item.at)
            then = self.code_for(item.camera, taken, minutes) if item.camera == code.camera else None
            if then is code and item.code != code.picture and taken > at:
                late.append(item)
        self._save()
        return late

    def use(self, used: Used) -> None:
        self.used = [item for item in self.used if item.picture != used.picture] + [used]
        self._save()

    def loose_exam(self, camera: str, code: str, at: datetime, minutes: float) -> str | None:
        """The exam that the pictures around this one went into, which have no patient for the same reason."""
        for item in reversed(self.used):
            near = abs(at - _moment(item.at)) <= timedelta(minutes=minutes)
            if item.camera == camera and item.code == code and near:
                return item.exam
        return None

    def hold_late(self, exams: list[str]) -> None:
        self.late = list(dict.fromkeys([*self.late, *exams]))
        self._save()

    def settle_late(self, exams: list[str]) -> None:
        self.late = exams
        self._save()

    def _save(self) -> None:
        # by arrival: a camera's clock may be years off
        self.codes, self.used = self.codes[-_MOST:], self.used[-_MOST:]
        value = {"codes": [asdict(item) for item in self.codes], "used": [asdict(item) for item in self.used]}
        write_json(self._path, {**value, "late": self.late})


def _moment(at: str) -> datetime:
    return datetime.fromisoformat(at)
