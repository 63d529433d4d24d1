"""What capture knows of the pictures in the spool: by their id, and by the commands that changed them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from smartbox_tui.capture.exams import Held
from smartbox_tui.model.instance import SOP_CLASSES, taken_order
from smartbox_tui.model.uids import further, series_uuid, uid_of
from smartbox_tui.spool.layout import exam_dir, sidecar_paths
from smartbox_tui.spool.sidecar import Sidecar, SidecarState, read_sidecar
from smartbox_tui.wire.current import boot_id
from smartbox_tui.wire.state import Instance

log = logging.getLogger(__name__)

SCAN_WAIT_S: Final = 5.0
"""Only a command in the first moments after a start waits for the scan, and only with a name not yet known."""


MOST_READ: Final = 4000
"""Sidecars in memory, 2 kB each; the others are read again when somebody asks."""


def instance_of(sidecar: Sidecar, held: Held | None) -> Instance:
    """INSTANCE of the contract; `held`: the current exam, whose patient may have been corrected meanwhile."""
    mine = held if held is not None and held.id == sidecar.exam else None
    generation = mine.generation if mine else 0
    reissued = mine.uids.get(sidecar.id) if mine else None
    series = series_uuid(UUID(sidecar.exam), sidecar.source, sidecar.appended, generation)
    return Instance(
        sop_instance_uid=reissued or uid_of(UUID(sidecar.id)),
        series_instance_uid=uid_of(series),
        sop_class_uid=SOP_CLASSES[sidecar.sop_class],
        transfer_syntax_uid=sidecar.transfer_syntax_uid,
        kind=sidecar.kind,
        source=sidecar.source,
        captured_at=sidecar.captured_at,
        frames=sidecar.frames,
        frames_lost=sidecar.frames_lost,
        duration_s=sidecar.duration_s,
        trigger_ns=sidecar.trigger_ns,
        frame_ns=sidecar.frame_ns,
        trigger_to_disk_ms=sidecar.trigger_to_disk_ms,
        bytes=sidecar.bytes,
        id=sidecar.id,
        exam=sidecar.exam,
        discarded=sidecar.state is SidecarState.DISCARDED,
        boot=sidecar.boot,
    )


class Pictures:
    """An index in memory. Thread-safe. The spool is read in the background at the start, never by a command."""

    def __init__(self, spool: Path) -> None:
        self._spool = spool
        self._lock = threading.RLock()
        self._sidecars: dict[str, Sidecar] = {}
        self._folders: dict[str, str] = {}  # picture -> exam, of pictures whose sidecar was not read
        self._commands: dict[str, dict[str, None]] = {}  # ordered sets
        self._stops: dict[str, str] = {}  # stop command -> the command of the clip
        self._marks: dict[str, tuple[str, dict[str, Any]]] = {}
        self._discards: dict[str, str] = {}
        self._exams: dict[str, dict[str, None]] = {}
        self._claimed: set[str] = set()
        self._boot_id = boot_id()
        self._scanned = threading.Event()

    def put(self, sidecar: Sidecar) -> None:
        """A sidecar as it is now on disk, perhaps in the folder of another exam than before."""
        with self._lock:
            known = self._sidecars.get(sidecar.id)
            if known is not None and known.exam != sidecar.exam:
                self.forget(sidecar.id)
            if sidecar.id not in self._sidecars:
                self._exams.setdefault(sidecar.exam, {})[sidecar.id] = None
                self._commands.setdefault(sidecar.command, {})[sidecar.id] = None
            self._sidecars[sidecar.id] = sidecar
            self._let_go(sidecar.exam)
            if sidecar.stop_command:
                self._stops[sidecar.stop_command] = sidecar.command
            for mark in sidecar.marks:
                self._marks[str(mark.get("id"))] = sidecar.id, mark
            if sidecar.discarded:
                self._discards[sidecar.discarded.get("id", "")] = sidecar.id

    def _let_go(self, current: str) -> None:
        """Keeps the names alone of the oldest pictures of other exams: capture runs for months."""
        if len(self._sidecars) > MOST_READ:
            oldest = next(iter(self._sidecars.values()))
            if oldest.exam != current:
                del self._sidecars[oldest.id]
                self._folders[oldest.id] = oldest.exam

    def claim(self, command: str) -> None:
        """A picture of this command is about to be made by this process: no crash has left it open."""
        with self._lock:
            self._claimed.add(command)

    def claimed(self, command: str) -> bool:
        with self._lock:
            return command in self._claimed

    def forget(self, picture: str) -> None:
        """A withdrawn picture: it never was."""
        with self._lock:
            sidecar = self._sidecars.pop(picture, None)
            self._folders.pop(picture, None)
            if sidecar is not None:
                del self._exams[sidecar.exam][picture]
                del self._commands[sidecar.command][picture]

    def forget_in(self, picture: str, exam: str) -> None:
        """The picture does not lie in that exam's folder any more, and perhaps in another's."""
        with self._lock:
            known = self._sidecars.get(picture)
            if known is not None and known.exam == exam:
                self.forget(picture)

    def found(self, names: Iterable[tuple[str, str]]) -> None:
        """(picture, exam) of sidecars that lie in the spool, not yet read."""
        with self._lock:
            for picture, exam in names:
                if picture not in self._sidecars:
                    self._folders.setdefault(picture, exam)

    def scanned(self) -> None:
        """All names in the spool are known."""
        self._scanned.set()

    def wait_scanned(self) -> None:
        """Returns at once but in the first moments after the start."""
        if not self._scanned.wait(SCAN_WAIT_S):
            log.warning("the spool is not read through yet; a repeated command from before the start may be new")

    def get(self, picture: str) -> Sidecar | None:
        """The sidecar of a picture, read from the spool where only its name is known."""
        with self._lock:
            sidecar = self._sidecars.get(picture)
            exam = self._folders.get(picture)
        if sidecar is None and exam is not None:
            try:
                sidecar = read_sidecar(exam_dir(self._spool, exam) / f"{picture}.json")
            except (OSError, ValueError):
                log.exception("sidecar of %s is not readable", picture)
                return None
            return self._read(sidecar)
        return sidecar

    def _read(self, sidecar: Sidecar) -> Sidecar:
        """One read from the spool; what a writer has put meanwhile is newer and stays."""
        with self._lock:
            if sidecar.id not in self._sidecars:
                self.put(sidecar)
            return self._sidecars[sidecar.id]

    def of_command(self, command: str) -> list[Sidecar]:
        """What a command made, in its order. The first picture's id is the command's own."""
        self.get(command)
        with self._lock:
            ids = list(self._commands.get(command, ()))
        known = [sidecar for each in ids if (sidecar := self.get(each)) is not None]
        if known:
            known = self._complete(command, known)
        return sorted(known, key=lambda sidecar: (sidecar.part, sidecar.frame_ns))

    def _complete(self, command: str, known: list[Sidecar]) -> list[Sidecar]:
        """The further instances of a command of which only the first was read (their names follow from it)."""
        index, got = 1, {sidecar.id: sidecar for sidecar in known}
        while True:
            identity = str(further(UUID(command), index))
            sidecar = got.get(identity) or self.get(identity)
            if sidecar is None:
                return list(got.values())
            got[identity] = sidecar
            index += 1

    def stopped_by(self, command: str) -> list[Sidecar]:
        with self._lock:
            start = self._stops.get(command)
        return self.of_command(start) if start else []

    def marked_by(self, command: str) -> dict[str, Any] | None:
        with self._lock:
            found = self._marks.get(command)
        return found[1] if found else None

    def discarded_by(self, command: str) -> Sidecar | None:
        with self._lock:
            picture = self._discards.get(command)
        return self.get(picture) if picture else None

    def load_exam(self, folder: Path) -> None:
        """Reads the sidecars of the exam that becomes current: what is discarded or counted are these."""
        for path in sidecar_paths(folder):
            if path.stem not in self._sidecars:
                try:
                    self._read(read_sidecar(path))
                except (OSError, ValueError):
                    log.warning("sidecar %s of exam %s is not readable", path.name, folder.name)

    def of_exam(self, exam: str) -> list[Sidecar]:
        """Closed and discarded pictures known of the exam, in the order of their triggers."""
        with self._lock:
            ids = list(self._exams.get(exam, ()))
            known = [self._sidecars[each] for each in ids if each in self._sidecars]
        done = [each for each in known if each.state in (SidecarState.CLOSED, SidecarState.DISCARDED)]
        return sorted(done, key=self._order)

    def _order(self, sidecar: Sidecar) -> tuple[bool, tuple[int, float, int, int, int]]:
        """As they were taken; what is of this boot comes last, also where no disk could keep its number."""
        times = (sidecar.captured_at, sidecar.trigger_ns, sidecar.frame_ns, sidecar.part)
        return sidecar.boot_id == self._boot_id, taken_order(sidecar.boot, *times)
