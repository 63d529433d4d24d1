"""The way to one destination, whichever kind it is: what a delivery worker needs of it, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from smartbox_tui.dicom.compose import Composition
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.engine.calling import service_of
from smartbox_tui.engine.delivery.forms import Form
from smartbox_tui.engine.delivery.line import Line
from smartbox_tui.engine.delivery.medium.way import MediumWay
from smartbox_tui.engine.delivery.webway import WebWay
from smartbox_tui.model.answer import Answer
from smartbox_tui.settings.destination import Destination


class Way(Protocol):
    """Used by one thread; `abort` by any. Nothing in it waits longer than the destination's time-out without a sign
    of progress. Errors are SmartBoxError: those of the network (breaker.NETWORK) make everything wait, `no-context`
    and `invalid-object` block the one row."""

    @property
    def name(self) -> str:
        """For messages."""

    @property
    def is_connected(self) -> bool:
        """Whether `hang_up` would end something."""

    def probe(self) -> None:
        """Asks whether the destination is there, without sending anything. Raises what the network does."""

    def agree(self, wanted: Sequence[Form], others: Callable[[], Iterable[Form]]) -> Form:
        """The best of the forms, which come best first, that the destination takes; `others`: of everything else
        that is open for it. Raises no-context, and what the network does."""

    def store(
        self,
        composition: Composition,
        *,
        on_progress: Callable[[int], None],
        cancelled: Callable[[], bool],
        uncertain: bool = False,
    ) -> Answer:
        """Sends one object and waits for the answer, whatever it is.

        on_progress  told the bytes of the data set that have gone; cancelled  asked before each piece, the last one
        included: True ends it so that the destination has nothing whole; uncertain  an earlier attempt may have
        arrived: a way that has two roads takes the one of that attempt.
        Raises TransferLost (with whether it may have arrived), TransferCancelled, no-context, invalid-object,
        OSError of the picture's own files.
        """

    def abort(self) -> None:
        """From any thread: what runs ends soon, with TransferCancelled or TransferLost."""

    def hang_up(self, *, abort: bool = False) -> None:
        """Ends the connection, if there is one; `abort` without courtesy."""


def way_to(destination: Destination, peer: Peer, state: Path | None = None) -> Way:
    """`peer` is shared by all workers of the destination, for the sake of its rate limit; `state`: the box's state
    folder, where it keeps which medium it had."""
    if destination.kind == "dicomweb":
        line = Line(peer) if destination.fallback and destination.host and destination.aet else None
        return WebWay(service_of(destination, peer), line)
    if destination.kind == "folder":
        return MediumWay(destination, peer.pace, state)
    return Line(peer)
