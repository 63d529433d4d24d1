"""After a start: what a crash left behind is closed, and what lies in the spool becomes known."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import threading
import time
from pathlib import Path
from typing import Final
from uuid import UUID, uuid5

from smartbox_tui.capture import bursts
from smartbox_tui.capture.bursts import CRASHED
from smartbox_tui.capture.clipfile import NO_FRAME, room_file
from smartbox_tui.capture.desk import Sessions
from smartbox_tui.capture.exams import ExamDesk
from smartbox_tui.capture.pictures import Pictures
from smartbox_tui.capture.recordings import Recordings
from smartbox_tui.capture.stills import withdraw
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.media import ts
from smartbox_tui.media.told import told
from smartbox_tui.media.tsmux import CLOCK_HZ
from smartbox_tui.spool.durable import fsync_dir
from smartbox_tui.spool.layout import exam_dir, exam_folders, is_uuid
from smartbox_tui.spool.sidecar import Sidecar, SidecarState, read_sidecar, write_sidecar
from smartbox_tui.wire import times
from smartbox_tui.wire.current import boot_id

log = logging.getLogger(__name__)

RESUME_S: Final = 5.0
RESUMED: Final = "goes on after a crash of capture"

_SIGNAL_WAIT_S: Final = 10.0
_TEMPORARY: Final = ("tmp", "room")
_LEFT_OVER_S: Final = 60.0
"""So that no file of a process that still lives is taken for one."""

_RECENT_S: Final = 2 * 24 * 3600.0
"""Commands are repeated within minutes; older sidecars are read only to find one that a crash left open."""

_BREATH_S: Final = 0.002
_BREATH_EVERY: Final = 20
"""The scan must not keep the interpreter from the threads that handle frames."""


class Recovery:
    """Runs once, in a thread of its own, the newest exam first. A still never waits for it, see `Pictures`."""

    def __init__(
        self, spool: Path, sessions: Sessions, exams: ExamDesk, pictures: Pictures, recordings: Recordings
    ) -> None:
        self._spool = spool
        self._sessions = sessions
        self._exams = exams
        self._pictures = pictures
        self._recordings = recordings
        self._ended = threading.Event()
        self._started_ns = time.monotonic_ns()
        self._started_at = time.time()

    def end(self) -> None:
        self._ended.set()

    def run(self) -> None:
        """Names first, which takes no time; then what must go on; then what takes as long as the clips are."""
        names = []
        for folder in sorted(exam_folders(self._spool), key=_changed_at, reverse=True):
            clips, pictures = _names(folder, self._started_at - _LEFT_OVER_S)
            names.append((folder, clips, pictures))
        self._undouble(names)
        for folder, _, pictures in names:
            self._pictures.found((picture, folder.name) for picture in pictures)
        self._pictures.scanned()
        crashed = [
            sidecar for folder, clips, _ in names for clip in clips if (sidecar := self._open_clip(folder, clip))
        ]
        newest = {each.command: each for each in sorted(crashed, key=lambda each: each.part)}
        for sidecar in [each for each in newest.values() if self._may_go_on(each)]:
            self._resume(sidecar)
        for sidecar in crashed:
            self._close_clip(sidecar)
        for folder, _, pictures in names:
            self._read(folder, pictures)

    def _undouble(self, names: list[tuple[Path, list[str], list[str]]]) -> None:
        """A crash came while a pinned still moved to an emergency's exam: it lies in both, and stays there."""
        seen: dict[str, list[tuple[Path, list[str]]]] = {}
        for folder, _, pictures in names:
            for picture in pictures:
                seen.setdefault(picture, []).append((folder, pictures))
        for picture, places in seen.items():
            if len(places) == 1 or self._pictures.claimed(picture):
                continue
            pinned = []
            for folder, pictures in places:
                try:
                    sidecar = read_sidecar(folder / f"{picture}.json")
                except (OSError, ValueError):
                    continue
                if sidecar.state is SidecarState.PINNED:
                    pinned.append((folder, pictures, sidecar))
            if len(pinned) == len(places):
                continue  # not of that kind: all are kept
            for folder, pictures, sidecar in pinned:
                withdraw(folder, sidecar)
                pictures.remove(picture)
                self._pictures.forget_in(picture, folder.name)
                log.warning("still %s had moved to an emergency when capture crashed", picture)

    def _read(self, folder: Path, pictures: list[str]) -> None:
        for number, picture in enumerate(pictures):
            if self._ended.is_set():
                return
            if number % _BREATH_EVERY == 0:
                time.sleep(_BREATH_S)
            path = folder / f"{picture}.json"
            try:
                recent = self._started_at - path.stat().st_mtime < _RECENT_S
                if not recent and b'"pinned"' not in path.read_bytes():
                    continue
                sidecar = self._pictures.get(picture)
                if sidecar is not None and sidecar.state is SidecarState.PINNED:
                    self._close_pinned(folder, sidecar)
            except OSError:
                continue

    def _close_pinned(self, folder: Path, sidecar: Sidecar) -> None:
        """The crash came before the gesture was over: a picture too many is better than one too few."""
        if self._pictures.claimed(sidecar.command):
            return
        note = "; ".join(filter(None, (sidecar.note, CRASHED)))
        closed = sidecar.with_(state=SidecarState.CLOSED, note=note)
        write_sidecar(folder, closed)
        self._pictures.put(closed)
        log.warning("still %s was pinned when capture crashed: closed", sidecar.id)

    def _open_clip(self, folder: Path, clip: str) -> Sidecar | None:
        """The sidecar of a clip or burst where a crash left it `recording`."""
        path = folder / f"{clip}.json"
        try:
            if b'"recording"' not in path.read_bytes():
                return None
            sidecar = read_sidecar(path)
        except (OSError, ValueError):
            log.exception("sidecar of clip %s is not readable", clip)
            return None
        left = sidecar.state is SidecarState.RECORDING and not self._pictures.claimed(sidecar.command)
        return sidecar if left else None

    def _may_go_on(self, sidecar: Sidecar) -> bool:
        """A clip of the same boot and exam, and capture is back before anybody has reached for the switch."""
        held = self._exams.held
        if sidecar.kind != "clip":
            return False
        if sidecar.boot_id != boot_id() or held is None or held.id != sidecar.exam:
            return False
        return 0 <= self._started_at - _last_write(exam_dir(self._spool, sidecar.exam), sidecar) < RESUME_S

    def _close_clip(self, sidecar: Sidecar) -> None:
        try:
            if sidecar.kind == "burst":
                closed = bursts.close_crashed(self._spool, sidecar)
            else:
                closed = close_crashed(exam_dir(self._spool, sidecar.exam), sidecar)
        except (OSError, ValueError, SmartBoxError):
            log.exception("%s %s, which a crash left open, cannot be closed", sidecar.kind, sidecar.id)
            return
        self._pictures.put(closed)
        log.warning("%s %s was open when capture crashed: %d frames kept", closed.kind, closed.id, closed.frames)

    def _resume(self, crashed: Sidecar) -> None:
        """A new clip of the same exam, by itself. Its id follows from the old one's: there is only ever one."""
        try:
            session = self._sessions.named(crashed.source)
            if not session.first_frame.wait(_SIGNAL_WAIT_S) or self._ended.is_set():
                log.warning("recording of %s does not go on: no picture", crashed.source)
                return
            identity = str(uuid5(UUID(crashed.id), "resumed"))
            held = self._exams.held
            if self._pictures.of_command(identity) or held is None or held.id != crashed.exam:
                return
            self._recordings.begin(
                session, identity, crashed.trigger, time.monotonic_ns(), self._started_ns, note=RESUMED
            )
        except SmartBoxError as exc:
            log.warning("recording of %s does not go on after the crash: %s", crashed.source, exc)


def close_crashed(folder: Path, sidecar: Sidecar) -> Sidecar:
    """Cuts the clip after its last whole frame and closes its sidecar with what is counted; without one whole
    frame it is closed as discarded. Durable when it returns. Raises OSError, disk-full."""
    path = folder / sidecar.file
    room_file(folder, sidecar.id).unlink(missing_ok=True)
    frame_ticks = CLOCK_HZ * sidecar.fps_den / sidecar.fps_num
    found = ts.scan(path, frame_ticks=frame_ticks) if path.exists() else ts.TsScan(0, 0, 0, None, None)
    note = "; ".join(filter(None, (sidecar.note, CRASHED)))
    if not found.frames or found.first_pts is None or found.last_pts is None:
        closed = sidecar.with_(
            state=SidecarState.DISCARDED,
            frames=0,
            note=note,
            discarded={"id": sidecar.id, "reason": NO_FRAME, "at": times.now()},
        )
        write_sidecar(folder, closed)
        return closed
    digest = hashlib.sha256()
    with path.open("r+b") as file:
        file.truncate(found.end)
        while block := file.read(1 << 20):
            digest.update(block)
        file.flush()
        os.fsync(file.fileno())
    fsync_dir(folder)
    try:
        syntax = told(sidecar.media.partition("-")[0], ts.first_access_unit(path)).transfer_syntax_uid
    except ValueError as exc:  # it is kept all the same, and checked again before it is first sent
        log.error("clip %s: %s", sidecar.id, exc)
        syntax = sidecar.transfer_syntax_uid
    ticks = (found.last_pts - found.first_pts) % (1 << 33)
    closed = sidecar.with_(
        state=SidecarState.CLOSED,
        frames=found.frames,
        frames_lost=found.missing,  # what the source had said went with the process; the times still say it
        bytes=found.end,
        duration_s=round(ticks / CLOCK_HZ + sidecar.fps_den / sidecar.fps_num, 3),
        sha256=digest.hexdigest(),
        transfer_syntax_uid=syntax,
        note=note,
    )
    write_sidecar(folder, closed)
    return closed


def _names(folder: Path, left_before: float) -> tuple[list[str], list[str]]:
    """(pictures that are clips or bursts, all pictures) of one exam, by the files' names alone.

    Temporary files of pictures, last written before `left_before`, are what a crash left, and are removed.
    """
    clips, pictures = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            stem, _, suffix = entry.name.rpartition(".")
            if suffix == "json" and is_uuid(stem):
                pictures.append(stem)
            elif suffix in ("ts", "mjpeg"):
                clips.append(stem)
            elif suffix in _TEMPORARY and stem.startswith(".") and is_uuid(stem[1:37]):
                with contextlib.suppress(OSError):
                    if entry.stat().st_mtime < left_before:
                        (folder / entry.name).unlink()
    known = set(pictures)
    return [clip for clip in clips if clip in known], pictures


def _last_write(folder: Path, sidecar: Sidecar) -> float:
    """When capture last wrote to the clip: the time of the crash, as near as can be known."""
    written = [
        path.stat().st_mtime for path in (folder / sidecar.file, folder / f"{sidecar.id}.json") if path.exists()
    ]
    return max(written)


def _changed_at(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:
        return 0.0
