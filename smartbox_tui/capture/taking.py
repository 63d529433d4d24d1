"""Taking stills: at a command, at a press that may yet turn out to mean something else; and taking one back."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import msgspec

from smartbox_tui.capture import bursts
from smartbox_tui.capture.bursts import BURST_MAX, BurstFile
from smartbox_tui.capture.desk import Sessions, draft, picture_id, trigger_ns, used_before
from smartbox_tui.capture.exams import ExamDesk, Held
from smartbox_tui.capture.frames import Hold, Pinned
from smartbox_tui.capture.pictures import Pictures, instance_of
from smartbox_tui.capture.room import Guard
from smartbox_tui.capture.session import Session
from smartbox_tui.capture.stills import StillEncoder, withdraw, write_still
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.media.jpeg import Jpeg
from smartbox_tui.model.exam import ExamState
from smartbox_tui.spool import ledger
from smartbox_tui.spool.sidecar import Sidecar, SidecarState, write_sidecar
from smartbox_tui.wire import commands, events, times

log = logging.getLogger(__name__)

NOT_MOVED: Final = "of an emergency whose exam could not take it"
_NEVER_DISCARDED: Final = frozenset({"stored", "committed"})


@dataclass(slots=True)
class Shot:
    """The frame of a press, encoded. `held` and `sidecar` where it lies on disk, else `trouble` says why not."""

    session: Session
    identity: str
    trigger: str
    at_ns: int
    pinned: Pinned
    jpeg: Jpeg
    held: Held | None = None
    sidecar: Sidecar | None = None
    trouble: SmartBoxError | None = None

    @property
    def moment_ns(self) -> int:
        return self.pinned.moment_ns(self.at_ns)


class Pin:
    """A still whose gesture is not over: on disk as `pinned`, or only in memory, then kept or withdrawn."""

    def __init__(self, done: Future[Shot]) -> None:
        self.done = done


class Stills:
    """Thread-safe. `publish` sends an event."""

    def __init__(
        self,
        spool: Path,
        sessions: Sessions,
        exams: ExamDesk,
        pictures: Pictures,
        guard: Guard,
        publish: Callable[[msgspec.Struct], None],
    ) -> None:
        self._spool = spool
        self._guard = guard
        self._sessions = sessions
        self._exams = exams
        self._pictures = pictures
        self._publish = publish
        self._encoders = {session.id: StillEncoder(session.trim) for session in sessions}
        self._pins = ThreadPoolExecutor(2, "pin")
        # Sidecars are changed after the fact by this one thread alone, so that two changes never cross.
        self._after = ThreadPoolExecutor(1, "settle")
        self._discarding = threading.Lock()

    def close(self) -> None:
        """Waits for what is under way."""
        self._pins.shutdown()
        self._after.shutdown()

    # ---- at a command

    def hold(self, command: commands.Still) -> Hold | None:
        """What `take` shall be given where it may come late; None: it will say what is wrong. Never waits."""
        try:
            return self._sessions.named(command.source).hold(trigger_ns(command.at_ns))
        except SmartBoxError:
            return None

    def take(self, command: commands.Still, hold: Hold | None = None) -> dict[str, Any]:
        """The answer to a still: what was taken, or what was taken when the command came before."""
        identity = picture_id(command.id)
        if not 1 <= command.burst <= BURST_MAX:
            raise SmartBoxError("bad-value", f"A burst has 1 to {BURST_MAX} frames.", "Take a clip instead.")
        done = self._pictures.of_command(identity)
        if not done:
            session = self._sessions.named(command.source)
            hold = hold or session.hold(trigger_ns(command.at_ns))
            # The frame first: only in the first moments after a start is there a scan to wait for.
            pinned = session.pin(hold)
            self._pictures.wait_scanned()
            done = self._pictures.of_command(identity) or self._new(session, command, identity, hold.at_ns, pinned)
        if done[0].kind == "clip":
            raise used_before(identity)
        done = [self._unbroken(each) for each in done]
        instances = [instance_of(each, self._exams.held) for each in done]
        return {"instance": instances[0], "instances": instances}

    def _new(
        self, session: Session, command: commands.Still, identity: str, at_ns: int, pinned: Pinned
    ) -> list[Sidecar]:
        encoder = self._encoders[session.id]
        self._guard.check_still()
        with self._exams.picture(pinned.moment_ns(at_ns)) as held:
            jpeg = encoder.jpeg(pinned.frame)
            sheet = draft(
                session, held, identity=identity, command=identity, trigger=command.trigger, at_ns=at_ns, clip=False
            )
            if command.burst == 1:
                done = self._write(held, sheet, pinned, jpeg, SidecarState.CLOSED)
            else:
                done = self._burst(session, held, sheet, pinned, jpeg, command.burst)
            self._after.submit(self._settle, held, done.id)
        return [done]

    def _burst(
        self, session: Session, held: Held, sheet: Sidecar, pinned: Pinned, jpeg: Jpeg, count: int
    ) -> Sidecar:
        """The press's frame is safe at once, the others follow as they come. Raises disk-full, refused: what is
        there is closed by the next start, or by the command repeated."""
        self._pictures.claim(sheet.id)
        try:
            file = BurstFile(held.folder, sheet, session.settings.burst_class, pinned, jpeg)
            self._pictures.put(file.sidecar)
            try:
                note = bursts.fill(file, count, session, self._encoders[session.id], self._exams, held)
                done = file.close(note)
            finally:
                file.abandon()
        except OSError as exc:
            log.exception("a burst is not closed")
            raise SmartBoxError("refused", f"The disk failed: {exc.strerror}.", "Check it.") from exc
        self._pictures.put(done)
        return done

    def _unbroken(self, done: Sidecar) -> Sidecar:
        """A burst that a crash or a full disk left open is closed by who asks for it. Raises disk-full, refused."""
        if done.kind != "burst" or done.state is not SidecarState.RECORDING:
            return done
        try:
            closed = bursts.close_crashed(self._spool, done)
        except (OSError, ValueError) as exc:
            log.exception("burst %s is not closed", done.id)
            raise SmartBoxError(
                "refused", "The burst could not be closed.", "Check the disk; see the log."
            ) from exc
        self._pictures.put(closed)
        return closed

    def _write(self, held: Held, sheet: Sidecar, pinned: Pinned, jpeg: Jpeg, state: SidecarState) -> Sidecar:
        sidecar = write_still(held.folder, sheet.with_(note=pinned.note), pinned.frame, jpeg, state)
        self._pictures.put(sidecar)
        return sidecar

    def _settle(self, held: Held, picture: str) -> None:
        """After the answer: the sidecar gets the time that everything took, then the world is told."""
        sidecar = self._pictures.get(picture)
        if sidecar is None:
            return
        try:
            write_sidecar(held.folder, sidecar)
        except (SmartBoxError, OSError):
            log.exception("the sidecar of %s keeps its first figures", picture)
        self._publish(events.StillTaken(exam=held.id, instance=instance_of(sidecar, held)))

    # ---- at a press

    def pin(self, session: Session, trigger: str, at_ns: int, *, write: bool) -> Pin:
        """Keeps the frame of the press, and writes it at once where it is meant to `write`; `keep`, `move` or
        `withdraw` follows when the gesture is known."""
        return Pin(self._pins.submit(self._pin, session, trigger, session.hold(at_ns), write))

    def _pin(self, session: Session, trigger: str, hold: Hold, write: bool) -> Shot:
        pinned = session.pin(hold)
        jpeg = self._encoders[session.id].jpeg(pinned.frame)
        shot = Shot(session, str(uuid4()), trigger, hold.at_ns, pinned, jpeg)
        self._pictures.claim(shot.identity)
        if write:
            try:
                with self._exams.picture(shot.moment_ns) as held:
                    shot.sidecar = self._write_shot(held, shot, SidecarState.PINNED)
                    shot.held = held
            except SmartBoxError as exc:
                shot.trouble = exc
            except OSError as exc:
                log.exception("the frame of a press is not written")
                shot.trouble = SmartBoxError("refused", f"The disk failed: {exc.strerror}.", "Check it.")
        return shot

    def _write_shot(self, held: Held, shot: Shot, state: SidecarState) -> Sidecar:
        self._guard.check_still()
        sheet = draft(
            shot.session,
            held,
            identity=shot.identity,
            command=shot.identity,
            trigger=shot.trigger,
            at_ns=shot.at_ns,
            clip=False,
        )
        return self._write(held, sheet, shot.pinned, shot.jpeg, state)

    def keep(self, pin: Pin) -> Sidecar:
        """The press was short: the still is closed. Raises what the pinning raised."""
        shot = pin.done.result()
        if shot.trouble is not None:
            raise shot.trouble
        if shot.held is None or shot.sidecar is None:
            with self._exams.picture(shot.moment_ns) as held:
                return self._close_shot(held, shot)
        return self._after.submit(self._keep, shot.held, shot.sidecar).result()

    def _close_shot(self, held: Held, shot: Shot) -> Sidecar:
        sidecar = self._write_shot(held, shot, SidecarState.CLOSED)
        self._after.submit(self._settle, held, sidecar.id)
        return sidecar

    def move(self, pin: Pin, held: Held) -> Sidecar:
        """The press began an emergency: its still, under the same id, goes to that exam, and only then is taken
        out of the one that was held at the press. A crash between the two leaves a closed and a pinned one; the
        next start removes the pinned one. Raises what the pinning raised; disk-full: it is kept where it is."""
        shot = pin.done.result()
        if shot.held is None or shot.sidecar is None:
            return self._close_shot(held, shot)
        if shot.held.id == held.id or shot.held.state != ExamState.UNASSIGNED:
            return self.keep(pin)
        try:
            sidecar = self._write_shot(held, shot, SidecarState.CLOSED)
        except SmartBoxError:
            kept = shot.sidecar.with_(note="; ".join(filter(None, (shot.sidecar.note, NOT_MOVED))))
            self._after.submit(self._keep, shot.held, kept).result()
            raise
        withdraw(shot.held.folder, shot.sidecar)
        self._after.submit(self._settle, held, sidecar.id)
        return sidecar

    def _keep(self, held: Held, sidecar: Sidecar) -> Sidecar:
        closed = sidecar.with_(state=SidecarState.CLOSED)
        write_sidecar(held.folder, closed)
        self._pictures.put(closed)
        self._publish(events.StillTaken(exam=held.id, instance=instance_of(closed, held)))
        return closed

    def withdraw(self, pin: Pin) -> None:
        """The press meant something else. A pin that failed leaves nothing to withdraw."""
        try:
            shot = pin.done.result()
        except (SmartBoxError, OSError):
            return
        if shot.held is not None and shot.sidecar is not None:
            self._pictures.forget(shot.identity)
            withdraw(shot.held.folder, shot.sidecar)

    # ---- taking back

    def discard_last(self, command: commands.DiscardLast) -> dict[str, Any]:
        """Marks the newest picture of the current exam as discarded. Raises no-exam, refused."""
        identity = picture_id(command.id)
        self._after.submit(lambda: None).result()  # a still that was just answered is settled first
        with self._discarding:
            self._pictures.wait_scanned()
            done = self._pictures.discarded_by(identity)
            if done is None:
                done = self._discard(identity, command)
            return {"instance": instance_of(done, self._exams.held)}

    def _discard(self, identity: str, command: commands.DiscardLast) -> Sidecar:
        held = self._exams.held
        if held is None:
            raise SmartBoxError("no-exam", "There is no exam whose last picture could go.", "Open one first.")
        kept = [each for each in self._pictures.of_exam(held.id) if each.state is SidecarState.CLOSED]
        if not kept:
            raise SmartBoxError("no-exam", "This exam has no picture that could be discarded.", "Take one first.")
        last = next((each for each in kept if each.id == command.picture), None) if command.picture else kept[-1]
        if last is None:
            raise SmartBoxError(
                "not-found", "That picture is not of this exam, or is discarded already.", "Look again."
            )
        pictures = [each for each in kept if each.command == last.command] if last.kind == "clip" else [last]
        self._check_not_sent(held, pictures)
        discarded = {"id": identity, "reason": command.reason, "at": times.now()}
        for each in pictures:
            self._after.submit(self._mark_discarded, held, each, discarded).result()
        return self._pictures.get(last.id) or last

    def _mark_discarded(self, held: Held, sidecar: Sidecar, discarded: dict[str, str]) -> None:
        changed = sidecar.with_(state=SidecarState.DISCARDED, discarded=discarded)
        write_sidecar(held.folder, changed)
        self._pictures.put(changed)
        self._publish(
            events.PictureDiscarded(
                exam=held.id,
                sop_instance_uid=instance_of(changed, held).sop_instance_uid,
                picture=sidecar.id,
                reason=discarded["reason"],
            )
        )

    def _check_not_sent(self, held: Held, pictures: list[Sidecar]) -> None:
        uids = {instance_of(each, held).sop_instance_uid for each in pictures}
        for promise in ledger.read(held.folder):
            if promise.uid in uids and promise.state in _NEVER_DISCARDED:
                raise SmartBoxError(
                    "refused",
                    f"The archive {promise.destination} already has this picture.",
                    "Have it deleted or rejected there.",
                )
