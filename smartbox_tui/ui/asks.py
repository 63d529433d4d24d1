"""What the console asks or says once, in a line with two buttons above the lower edge: it takes no focus, and no
trigger waits for it. Pure but for the memory of what was asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from smartbox_tui.settings.schema import Settings
from smartbox_tui.ui import words
from smartbox_tui.ui.i18n import N_, Texts
from smartbox_tui.ui.state import BoxState, current_exam
from smartbox_tui.wire import state

ARRIVAL_S: Final = 60.0
"""How long a new entry is announced when nobody takes notice."""
UNDO_S: Final = 120.0
"""The exam's own screen has the way back for ever; this line is for who sees at once that it was wrong."""
_REMEMBERED: Final = 5000


@dataclass(frozen=True, slots=True)
class Ask:
    """`key`: what is asked only once; `yes` and `no` msgids of the buttons, `action` what yes does."""

    key: str
    what: str
    detail: str
    yes: str
    action: str
    no: str = N_("OK")
    grave: bool = False


@dataclass(frozen=True, slots=True)
class Undo:
    """A reassignment that was just done: from whom, to whom."""

    key: str
    before: str
    after: str


class Asks:
    """One at a time: what concerns the pictures first."""

    def __init__(self) -> None:
        self._answered: dict[str, None] = {}
        self._arrived: list[tuple[state.WorklistItem, float]] = []
        self._undo: tuple[Undo, float] | None = None

    def answer(self, key: str) -> None:
        """It is not asked again."""
        self._answered[key] = None
        while len(self._answered) > _REMEMBERED:
            del self._answered[next(iter(self._answered))]
        if key == "arrived":
            self._arrived.clear()
            del self._answered[key]
        if self._undo is not None and self._undo[0].key == key:
            self._undo = None

    def arrived(self, items: Sequence[state.WorklistItem], now_s: float) -> None:
        """Entries that were not there before; each is said once."""
        for item in items:
            key = f"item:{item.id}"
            if key not in self._answered:
                self.answer(key)
                self._arrived.append((item, now_s))

    def newly_arrived(self) -> list[state.WorklistItem]:
        """What the line speaks of now."""
        return [item for item, _at in self._arrived]

    def offer_undo(self, undo: Undo, now_s: float) -> None:
        self._undo = (undo, now_s)

    def forget_undo(self) -> None:
        """Another patient is before the camera: a button that moves the last one's pictures has no place there."""
        self._undo = None

    def current(self, t: Texts, box: BoxState, settings: Settings, now: datetime, now_s: float) -> Ask | None:
        """What is asked now, None: nothing."""
        self._arrived = [(item, at) for item, at in self._arrived if now_s - at < ARRIVAL_S]
        if self._undo is not None and now_s - self._undo[1] > UNDO_S:
            self._undo = None
        asks = (self._recording(t, box, settings, now_s), self._open(t, box, settings, now), *self._told(t))
        return next((ask for ask in asks if ask is not None and ask.key not in self._answered), None)

    def _recording(self, t: Texts, box: BoxState, settings: Settings, now_s: float) -> Ask | None:
        seconds, limit = box.recording_seconds(now_s), settings.recording.warn_min * 60
        if box.recording is None or not limit or seconds < limit:
            return None
        what = t("Recording for {time}: still wanted?", time=t.span(seconds))
        return Ask(
            f"recording:{box.recording.since}", what, t("It goes on until it is stopped."), N_("Stop"),
            "app.stop_recording", N_("Go on"), grave=True,
        )  # fmt: skip

    def _open(self, t: Texts, box: BoxState, settings: Settings, now: datetime) -> Ask | None:
        exam, limit = current_exam(box), settings.exam.open_warn_min * 60
        if exam is None or not limit or box.recording is not None:
            return None
        moments = [exam.opened_at, exam.last_picture_at, *(item.captured_at for item in box.pictures[-1:])]
        last = max(moments, key=_at)
        since = (now - moment).total_seconds() if (moment := words.when(last)) else 0.0
        if since < limit:
            return None
        name = words.person(exam.patient.name) or t("NO PATIENT")
        what = t("Is the exam over? {name}", name=name)
        detail = t("Nothing was taken for {time}.", time=t.span(since))
        return Ask(f"open:{exam.id}", what, detail, N_("Close exam"), "app.close_exam", N_("Go on"), grave=True)

    def _told(self, t: Texts) -> list[Ask]:
        asks = []
        if self._undo is not None:
            undo = self._undo[0]
            what = t("Reassigned to {name}", name=undo.after)
            asks.append(Ask(undo.key, what, t("Before: {name}", name=undo.before), N_("Undo"), "app.undo"))
        if self._arrived:
            items = self.newly_arrived()
            urgent = [item for item in items if item.emergency]
            first = (urgent or items)[0]
            what = t("New on the list: {name}", name=words.person(first.patient.name))
            if len(items) > 1:
                what = t.n("{count} new entry on the list", "{count} new entries on the list", len(items))
            detail = first.procedure if len(items) == 1 else words.person(first.patient.name)
            if urgent:
                urgently = t("EMERGENCY")
                detail = f"{urgently} · {detail}" if detail else urgently
            asks.append(Ask("arrived", what, detail, N_("Show"), "app.show_arrived", grave=bool(urgent)))
        return asks


def _at(text: str) -> datetime:
    moment = words.when(text)
    return moment if moment is not None and moment.tzinfo is not None else datetime.min.replace(tzinfo=UTC)
