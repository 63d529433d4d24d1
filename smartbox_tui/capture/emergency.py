"""What a pedal's `emergency` does: a new unassigned exam with the picture of the press."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from uuid import uuid4

import msgspec

from smartbox_tui.capture.desk import Sessions
from smartbox_tui.capture.exams import ExamDesk, Held
from smartbox_tui.capture.recordings import Recordings
from smartbox_tui.capture.taking import Pin, Stills
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.wire import commands, events

log = logging.getLogger(__name__)


class Emergencies:
    """Needs no engine: without one the exam stays unassigned, which every screen says aloud."""

    def __init__(
        self,
        sessions: Sessions,
        exams: ExamDesk,
        stills: Stills,
        recordings: Recordings,
        publish: Callable[[msgspec.Struct], None],
    ) -> None:
        self._sessions = sessions
        self._exams = exams
        self._stills = stills
        self._recordings = recordings
        self._publish = publish

    def begin(self, pedal: str, trigger: str, at_ns: int, pin: Pin | None) -> None:
        """Holds the new exam, with the picture in it, and says so.

        Raises exam-open where an exam with a patient is held: the picture is then that exam's. Raises what kept the
        picture from being taken; the exam is begun all the same, for the patient is there.
        """
        trouble: SmartBoxError | None = None
        try:
            # The gate: no recording starts, and the engine changes no exam, meanwhile.
            with self._recordings.gate, self._exams.emergency(at_ns, _made_for_ns(pin)) as held:
                for session in self._sessions:
                    session.new_gop()
                try:
                    self._picture(held, trigger, at_ns, pin)
                except SmartBoxError as exc:
                    trouble = exc
                except Exception:  # whatever failed with the picture: the patient is there
                    log.exception("%s: the picture of an emergency", trigger)
                    trouble = SmartBoxError("refused", "The picture could not be taken.", "Take another one.")
                # What was recorded so far is of the patient before; from the press on it would show the next.
                self._recordings.stop_others(held.id, at_ns)
        except SmartBoxError as exc:
            if exc.code == "exam-open":
                self._still(trigger, at_ns, pin)
            elif pin is not None:
                self._stills.keep(pin)
            raise
        self._publish(events.EmergencyAsked(pedal=pedal, exam=held.id))
        if trouble is not None:
            raise trouble

    def _picture(self, held: Held, trigger: str, at_ns: int, pin: Pin | None) -> None:
        if pin is None:
            self._still(trigger, at_ns, None)
        elif self._stills.move(pin, held).exam != held.id:
            # It was pressed while the patient before was still there: that picture is his, this one is not.
            self._still(trigger, time.monotonic_ns(), None)

    def _still(self, trigger: str, at_ns: int, pin: Pin | None) -> None:
        if pin is not None:
            self._stills.keep(pin)
        else:
            source = self._sessions.named(None).id
            self._stills.take(commands.Still(id=str(uuid4()), source=source, at_ns=at_ns, trigger=trigger))


def _made_for_ns(pin: Pin | None) -> int | None:
    """The moment of the pinned picture; None where there is none."""
    if pin is None:
        return None
    try:
        return pin.done.result().moment_ns
    except Exception:  # noqa: BLE001 - told when the picture is wanted
        return None
