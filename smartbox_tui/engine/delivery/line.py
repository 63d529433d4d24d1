"""The association with one archive, and what it has agreed to take. Used by one thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from smartbox_tui.dicom.compose import Composition
from smartbox_tui.dicom.iods import IODS
from smartbox_tui.dicom.scu.association import CONTEXTS_MAX, associate
from smartbox_tui.dicom.scu.echo import echo
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.dicom.scu.store import StoreSession
from smartbox_tui.engine.delivery import forms
from smartbox_tui.engine.delivery.forms import Form, Pair
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.answer import Answer, TransferLost
from smartbox_tui.model.delivery import NOTHING, OFFERED, TAKES

_ASK_AGAIN_S: Final = 60.0
_CHOOSE: Final = "Compare its conformance statement; choose another still_class, clip_class, codec or transcode."


class Line:
    """The way (way.Way) to a DIMSE archive: at most one association at a time."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.session: StoreSession | None = None
        self._takes: list[Pair] = []
        self._asked_at = -_ASK_AGAIN_S

    @property
    def name(self) -> str:
        return self.peer.name

    @property
    def is_connected(self) -> bool:
        return self.session is not None

    def probe(self) -> None:
        """C-ECHO. An archive that answers, only not to it, is there."""
        try:
            echo(self.peer)
        except SmartBoxError as exc:
            if exc.code != "no-context":
                raise

    def store(
        self,
        composition: Composition,
        *,
        on_progress: Callable[[int], None],
        cancelled: Callable[[], bool],
        uncertain: bool = False,
    ) -> Answer:
        session = self.session
        if session is None:
            raise TransferLost("refused", "The association is closed.", "", outcome_unknown=False)
        return session.store(composition, on_progress=on_progress, cancelled=cancelled)

    def abort(self) -> None:
        if (session := self.session) is not None:
            session.abort()

    def agree(self, wanted: Sequence[Form], others: Callable[[], Iterable[Form]]) -> Form:
        """The best of these forms that the archive takes, on the association that is open when it has proposed them
        all, else on a new one that also proposes the `others`.

        Raises no-context with what was offered and what the archive takes instead; what associating raises.
        """
        session = self.session
        proposed = (
            {(item.sop_class_uid, item.transfer_syntax_uid) for item in session.contexts} if session else set()
        )
        if session is None or not session.is_open or not proposed.issuperset(form.pair for form in wanted):
            session = self._open(wanted, others())
        found = forms.best(wanted, session.accepted) if session is not None else None
        if found is None:
            raise self._refused(wanted)
        return found

    def _open(self, wanted: Sequence[Form], others: Iterable[Form]) -> StoreSession | None:
        """None: the archive accepts nothing of it all."""
        self.hang_up()
        session = StoreSession(self.peer, forms.contexts(wanted, others))
        try:
            session.open()
        except SmartBoxError as exc:
            if exc.code == "no-context":
                return None
            raise
        self.session = session
        return session

    def _refused(self, wanted: Sequence[Form]) -> SmartBoxError:
        offered = forms.said(form.pair for form in wanted)
        takes = self._what_it_takes()
        mine = [pair for pair in takes if pair[0] == wanted[0].sop_class_uid]
        instead = forms.said(mine or takes) or NOTHING
        return SmartBoxError(
            "no-context",
            f"{self.peer.name} takes none of what this picture can be sent as.{OFFERED}{offered}{TAKES}{instead}.",
            _CHOOSE,
        )

    def _what_it_takes(self) -> list[Pair]:
        """Of everything that the box can make; for the sentence alone, and asked once for many pictures."""
        if time.monotonic() - self._asked_at >= _ASK_AGAIN_S:
            every = [(iod.sop_class_uid, syntax) for iod in IODS.values() for syntax in iod.transfer_syntaxes]
            try:
                association = associate(self.peer, every[:CONTEXTS_MAX])
            except SmartBoxError:
                return []
            self._takes = [
                (item.sop_class_uid, item.transfer_syntax_uid) for item in association.contexts if item.accepted
            ]
            association.release()
            self._asked_at = time.monotonic()
        return self._takes

    def hang_up(self, *, abort: bool = False) -> None:
        session, self.session = self.session, None
        if session is not None:
            if abort:
                session.abort()
            session.close()
