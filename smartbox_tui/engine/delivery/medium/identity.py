"""Which medium it is: a mark on the medium itself, and what the box remembers of the one it had last."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from smartbox_tui.engine.delivery.medium.files import Parts, Root
from smartbox_tui.engine.delivery.medium.pulse import Pulse
from smartbox_tui.model.uids import uid_of
from smartbox_tui.spool.durable import fsync_dir, make_folder, write_json

log = logging.getLogger(__name__)

MARK: Final = ".smartbox-medium"
_NEW: Final[Parts] = (".smartbox-medium.TMP",)
_MOST: Final = 4096


def read_mark(root: Root) -> UUID | None:
    """None: the medium has none. Raises MediumError, ValueError for one that is not readable."""
    if root.stat((MARK,)) is None:
        return None
    try:
        return UUID(str(json.loads(root.read((MARK,), _MOST))["id"]))
    except (KeyError, TypeError, UnicodeDecodeError) as exc:
        raise ValueError("its mark is not readable") from exc


def write_mark(root: Root, identity: UUID, pulse: Pulse) -> None:
    """Raises MediumError."""
    text = json.dumps({"id": str(identity), "made_by": "SmartBox"}) + "\n"
    root.write(_NEW, [memoryview(text.encode())], pulse)
    root.rename(_NEW, (MARK,))


def new_identity(file_set_uid: str = "") -> UUID:
    """Of a medium without a mark; one whose DICOMDIR is ours keeps that UID."""
    number = file_set_uid.removeprefix("2.25.")
    if number != file_set_uid and number.isdigit() and int(number) < 2**128:
        return UUID(int=int(number))
    return uuid4()


def file_set_uid(identity: UUID) -> str:
    return uid_of(identity)


@dataclass(slots=True)
class Remembered:
    """The medium that belongs to a folder destination until somebody has it ejected; kept in the state folder where
    there is one."""

    file: Path | None
    path: str
    identity: UUID | None = None

    @classmethod
    def of(cls, state: Path | None, destination: str, path: str) -> Remembered:
        """`path`: of the destination; what it had when it was another one says nothing."""
        made = cls(state / "media" / f"{destination}.json" if state is not None else None, path)
        if made.file is not None:
            try:
                value = json.loads(made.file.read_bytes())
                made.identity = UUID(value["medium"]) if value["path"] == path else None
            except FileNotFoundError:
                pass
            except (OSError, ValueError, KeyError, TypeError) as exc:
                log.error("what medium %s had is not readable: %s", destination, type(exc).__name__)
        return made

    def keep(self, identity: UUID) -> None:
        """Raises disk-full, OSError of the box's own disk."""
        if self.identity == identity:
            return
        if self.file is not None:
            make_folder(self.file.parent)
            write_json(self.file, {"medium": str(identity), "path": self.path})
        self.identity = identity

    def forget(self) -> None:
        """Raises OSError."""
        self.identity = None
        if self.file is not None and self.file.exists():
            self.file.unlink()
            fsync_dir(self.file.parent)
