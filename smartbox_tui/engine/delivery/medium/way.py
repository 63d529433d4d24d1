"""The way (way.Way) to a folder or medium."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from smartbox_tui.dicom.compose import Composition
from smartbox_tui.dicom.scu.pace import Pace
from smartbox_tui.engine.delivery.forms import Form
from smartbox_tui.engine.delivery.medium.medium import medium_of
from smartbox_tui.engine.delivery.medium.pulse import Pulse, watched
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.answer import Answer, Meaning
from smartbox_tui.settings.destination import Destination


@dataclass(frozen=True, slots=True)
class Written:
    """A medium says nothing of its own."""

    meaning: Meaning
    told: str = ""


class MediumWay:
    """Connected: the folder is open, so it cannot be unmounted."""

    def __init__(self, destination: Destination, pace: Pace | None, state: Path | None) -> None:
        self.medium = medium_of(destination, state)
        self._timeout_s, self._plain, self._pace = destination.timeout_s, destination.plain, pace
        self._pulse: Pulse | None = None
        self._connected = False

    @property
    def name(self) -> str:
        return str(self.medium.path)

    @property
    def is_connected(self) -> bool:
        return self._connected

    def probe(self) -> None:
        with self._pulsing(Pulse(self.name)) as pulse:
            watched(lambda: self.medium.check(pulse), pulse, self._timeout_s)

    def agree(self, wanted: Sequence[Form], others: Callable[[], Iterable[Form]]) -> Form:
        """A folder takes everything, so it gets the best."""
        if not wanted:
            raise SmartBoxError("no-context", f"Nothing that can be written to {self.name} can be made of it.", "")
        if not self._connected:
            self.medium.enter(id(self))
            self._connected = True
            try:
                with self._pulsing(Pulse(self.name)) as pulse:
                    watched(lambda: self.medium.open(pulse), pulse, self._timeout_s)
            except SmartBoxError as exc:
                self.hang_up()
                if exc.code != "disk-full":  # that is said of an object, and makes it wait
                    raise
        return wanted[0]

    def store(
        self,
        composition: Composition,
        *,
        on_progress: Callable[[int], None],
        cancelled: Callable[[], bool],
        uncertain: bool = False,
    ) -> Answer:
        with self._pulsing(Pulse(self.name, cancelled)) as pulse:
            told = -1

            def tick() -> None:
                nonlocal told
                if pulse.done != told:
                    told = pulse.done
                    on_progress(told)

            def write() -> Meaning:
                return self.medium.store(composition, pulse, plain=self._plain, pace=self._pace)

            return Written(watched(write, pulse, self._timeout_s, tick))

    @contextlib.contextmanager
    def _pulsing(self, pulse: Pulse) -> Iterator[Pulse]:
        """What `abort` ends."""
        self._pulse = pulse
        try:
            yield pulse
        finally:
            self._pulse = None

    def abort(self) -> None:
        if (pulse := self._pulse) is not None:
            pulse.stop()

    def hang_up(self, *, abort: bool = False) -> None:
        if abort:
            self.abort()
        if self._connected:
            self._connected = False
            self.medium.leave(id(self))
