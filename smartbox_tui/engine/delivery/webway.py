"""The way (way.Way) to an archive's web services, with the association of C-STORE to the same archive behind it.

There is no negotiation in STOW-RS: the best form is sent, and what the archive says it does not take is remembered
for some minutes; the object goes again at once in its next form, and when none is left it is no-context.

Fall-back (`fallback`, with host, port and aet): while the web service cannot be reached or does not let us in, the
objects go by C-STORE; the web is asked again now and then, and taken again when it is there. What it has definitely
not taken (too large, no such kind of object) goes by C-STORE by itself. THE RULE that keeps it from being doubled:
an object whose earlier attempt may have arrived by STOW-RS takes STOW-RS again, never C-STORE. While the web is
away it alone waits, and so does one of which nobody remembers which road it took. Then the archive is asked by
QIDO-RS whether it has this UID, which counts as a C-STORE's 0111H does; else it goes by STOW-RS again, where the
archive says that it has it or stores what it did not have. A proxy that gives up on every large object before the
archive has answered is so got over. What was lost on the association is repeated there while the web is away.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

from smartbox_tui.dicom.compose import Composition
from smartbox_tui.dicom.scu.status import meaning as dimse_meaning
from smartbox_tui.dicom.web import query, stow
from smartbox_tui.dicom.web.service import Service
from smartbox_tui.dicom.web.session import Busy, Session
from smartbox_tui.dicom.web.status import PROCESSING_FAILURE, WebAnswer
from smartbox_tui.engine.delivery import forms
from smartbox_tui.engine.delivery.forms import Form, Pair
from smartbox_tui.engine.delivery.line import Line
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.answer import Answer, Meaning, Outcome, TransferCancelled, TransferLost
from smartbox_tui.model.delivery import NOTHING, OFFERED, TAKES

log = logging.getLogger(__name__)

REMEMBER_S: Final = 600.0
"""What an archive does not take is tried again after so long: somebody may have mended it."""

ASK_WEB_S: Final = 60.0
"""So often is the web tried again while C-STORE does its work; less often where it takes long to say nothing."""

_PATIENCE: Final = 10

HELD_S: Final = 30.0
HELD: Final = Meaning(
    Outcome.LATER,
    "It may have arrived over the web: it waits for the web service, so that it is not there twice.",
    "It goes out by itself when the web service is back.",
    HELD_S,
)
OTHER_FORM: Final = Meaning(
    Outcome.LATER, "The archive does not take it in this form: it goes out in another one.", "", 0.0
)
DUPLICATE: Final = dimse_meaning(0x0111)
_CHOOSE: Final = "Compare its conformance statement; choose another still_class, clip_class, codec or transcode."


class WebWay:
    """`line`: the fall-back, or None."""

    def __init__(self, service: Service, line: Line | None = None) -> None:
        self.session = Session(service)
        self._line = line
        self._why: SmartBoxError | None = None  # the web is away, and C-STORE does its work
        self._ask_at = 0.0
        self._lost_on_line: set[str] = set()  # SOP Instance UIDs
        self._by_line = False  # what was agreed on last
        self._refused: dict[Pair, float] = {}  # (class, syntax), or (class, "") for all of a class
        self._knock = False
        self._quiet: tuple[float, SmartBoxError] | None = None  # until when it asked to be left alone

    @property
    def name(self) -> str:
        return self.session.name

    @property
    def is_connected(self) -> bool:
        return self.session.is_connected or (self._line is not None and self._line.is_connected)

    # ---- is it there?

    def probe(self) -> None:
        """The web service, else the fall-back; raises what the web says when neither is there."""
        why = self._ask_web()
        if why is not None and self._line is not None:
            try:
                self._line.probe()
            except SmartBoxError as exc:
                log.info("%s: the fall-back is away, too: %s", self.name, exc.code)
            else:
                self._stand_in(why)
                return
        if why is not None:
            raise why
        self._why = None

    def _stand_in(self, why: SmartBoxError) -> None:
        if self._why is None:
            log.warning("%s is away (%s): objects go by C-STORE", self.name, why.code)
        self._why = why

    def _ask_web(self) -> SmartBoxError | None:
        """Why it cannot be used, or None. After a refusal of a store request it is asked about storing: many a
        server lets everybody read."""
        began = time.monotonic()
        if self._quiet is not None and began < self._quiet[0]:
            return self._quiet[1]
        try:
            self.session.probe()
            if self._knock:
                self.session.knock()
        except TransferCancelled:
            raise
        except SmartBoxError as exc:
            self._note(exc)
            return exc
        finally:
            now = time.monotonic()
            self._ask_at = now + max(ASK_WEB_S, _PATIENCE * (now - began))
        self._knock, self._quiet = False, None
        return None

    def _note(self, exc: SmartBoxError) -> None:
        if isinstance(exc, Busy) and exc.pause_s:
            self._quiet = time.monotonic() + exc.pause_s, exc

    # ---- what it takes

    def agree(self, wanted: Sequence[Form], others: Callable[[], Iterable[Form]]) -> Form:
        self._by_line = False
        line = self._line
        if self._why is not None and time.monotonic() >= self._ask_at:
            self._why = self._ask_web()
        now = time.monotonic()
        self._refused = {pair: at for pair, at in self._refused.items() if now - at < REMEMBER_S}
        taken = (
            form
            for form in wanted
            if form.pair not in self._refused and (form.sop_class_uid, "") not in self._refused
        )
        best = next(taken, None)
        if best is not None and self._why is None:
            why = self._greet()
            if why is None:
                return best
            if line is None:
                raise why
            self._stand_in(why)
        if line is not None:
            self._by_line = True
            return self._agree_on(line, wanted, others)
        offered = forms.said(form.pair for form in wanted)
        raise SmartBoxError(
            "no-context",
            f"{self.name} takes none of what this picture can be sent as.{OFFERED}{offered}{TAKES}{NOTHING}.",
            _CHOOSE,
        )

    def _greet(self) -> SmartBoxError | None:
        """A new connection is asked before an object is risked on it: one that closes at once, as the one of many a
        proxy without its archive, would leave a small object's outcome unknown."""
        return None if self.session.client.is_ready() else self._ask_web()

    def _agree_on(self, line: Line, wanted: Sequence[Form], others: Callable[[], Iterable[Form]]) -> Form:
        """Where nobody is there at all, the web's reason is told."""
        try:
            return line.agree(wanted, others)
        except SmartBoxError as exc:
            why, self._why = self._why, None
            if why is None or exc.code == "no-context":
                raise
            raise why from exc

    # ---- one object

    def store(
        self,
        composition: Composition,
        *,
        on_progress: Callable[[int], None],
        cancelled: Callable[[], bool],
        uncertain: bool = False,
    ) -> Answer:
        uid = composition.sop_instance_uid
        if self._by_line and self._line is not None:
            if uncertain and self._why is not None and uid not in self._lost_on_line:
                return WebAnswer(HELD, "", 0)
            return self._store_on(self._line, composition, on_progress, cancelled)
        self._lost_on_line.discard(uid)
        if uncertain and self._has(uid):
            return WebAnswer(DUPLICATE, "QIDO-RS", 200)
        try:
            answer = stow.store(self.session, composition, on_progress=on_progress, cancelled=cancelled)
        except (TransferLost, TransferCancelled):
            raise
        except SmartBoxError as exc:
            self._note(exc)
            self._knock = self._knock or exc.code in ("calling-aet-rejected", "called-aet-rejected")
            raise
        if answer.refuses_class or answer.refuses_syntax:
            return self._in_another_form(composition, answer)
        if answer.is_too_long and not uncertain:
            return self._by_association(composition, answer, on_progress, cancelled)
        if uncertain and answer.reason == PROCESSING_FAILURE and self._has(uid):
            return replace(answer, meaning=DUPLICATE)
        return answer

    def _store_on(
        self,
        line: Line,
        composition: Composition,
        on_progress: Callable[[int], None],
        cancelled: Callable[[], bool],
    ) -> Answer:
        try:
            answer = line.store(composition, on_progress=on_progress, cancelled=cancelled)
        except TransferLost as exc:
            if exc.outcome_unknown:
                self._lost_on_line.add(composition.sop_instance_uid)
            raise
        self._lost_on_line.discard(composition.sop_instance_uid)
        return answer

    def _in_another_form(self, composition: Composition, answer: WebAnswer) -> Answer:
        """Its next form is found by `agree`, when the row comes again."""
        syntax = "" if answer.refuses_class else composition.transfer_syntax_uid
        self._refused[composition.sop_class_uid, syntax] = time.monotonic()
        return replace(answer, meaning=OTHER_FORM)

    def _by_association(
        self,
        composition: Composition,
        answer: WebAnswer,
        on_progress: Callable[[int], None],
        cancelled: Callable[[], bool],
    ) -> Answer:
        """What the web has definitely not taken; the web's answer where the association cannot take it either."""
        if self._line is None:
            return answer
        own = [Form(composition.sop_class_uid, composition.transfer_syntax_uid)]
        try:
            self._line.agree(own, lambda: ())
        except SmartBoxError as exc:
            log.info("%s: the fall-back does not take it either: %s", self.name, exc.code)
            return answer
        return self._store_on(self._line, composition, on_progress, cancelled)

    def _has(self, sop_instance_uid: str) -> bool:
        try:
            return bool(query.search_instances(self.session, sop=sop_instance_uid))
        except SmartBoxError:
            return False

    def abort(self) -> None:
        self.session.abort()
        if self._line is not None:
            self._line.abort()

    def hang_up(self, *, abort: bool = False) -> None:
        self.session.close(hard=abort)
        if self._line is not None:
            self._line.hang_up(abort=abort)
