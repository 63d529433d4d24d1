"""Four taps on four crosses say where the panel's touches lie; a fifth tries it. Nothing holds before that."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Protocol, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from hw.base import TouchKind
from hw.panel.calibration import Affine, Grid, Point, TapsContradict, TapsTogether, fitted, hits
from smartbox_tui.ui import words
from smartbox_tui.ui.i18n import N_, running_time
from smartbox_tui.ui.link import CommandWasAnswered, CommandWasRefused, new_id
from smartbox_tui.ui.screens.settings_base import SettingsBase
from smartbox_tui.ui.settings_known import Known
from smartbox_tui.ui.state import current_exam
from smartbox_tui.ui.touching import RawTouch, TouchThread
from smartbox_tui.ui.view import Follower, View
from smartbox_tui.wire import commands

WAIT_S: Final = 20.0
"""Without a touch for so long it is given up: whoever cannot hit the screen has no other way back but a key."""
BOUNCE_S: Final = 0.4
"""A tap so soon after the one before is the same finger, bouncing in its glove."""
_FROM_EDGE: Final = 0.1
_CONTRADICT: Final = N_("The taps contradict each other: once more, the middle of each cross.")
_TOGETHER: Final = N_("The taps lie too close together: once more, each on its cross.")
_MISSED: Final = N_("The last tap did not hit: once more from the beginning.")


class Touched(Protocol):
    """What is asked of the app."""

    touch: TouchThread | None

    def place_touch(self, calibration: Affine | None = None) -> None: ...


def crosses(size: Size) -> list[tuple[int, int]]:
    """Column and row of the four crosses, clockwise from the upper left, and of the fifth in the middle."""
    left, top = max(3, round(size.width * _FROM_EDGE)), max(2, round(size.height * _FROM_EDGE))
    right, bottom = size.width - 1 - left, size.height - 1 - top
    return [(left, top), (right, top), (right, bottom), (left, bottom), (size.width // 2, size.height // 2)]


class Crosses(Widget, Follower):
    """The cross that is due, ticks where others were, what to do, and what must be in sight everywhere: whose
    pictures are taken, and whether it records."""

    DEFAULT_CSS = "Crosses { width: 1fr; height: 1fr; background: $night; color: $text; }"

    def __init__(self) -> None:
        super().__init__(id="crosses")
        self._state: tuple[int, bool, str, str, str] = (0, False, "", "", "")
        self._box = ("", "")

    def show(self, view: View) -> None:
        """The box's state; the rest tells the screen."""
        exam = current_exam(view.box)
        recording = view.box.recording is not None
        box = (
            words.person(exam.patient.name) or view.t("NO PATIENT") if exam is not None else "",
            f"● {running_time(view.box.recording_seconds(view.now_s))}" if recording else "",
        )
        if box != self._box:
            self._box = box
            self.refresh()

    def say(self, step: int, pressed: bool, headline: str, detail: str, trouble: str) -> None:
        """In the language of the view already."""
        state = (step, pressed, headline, detail, trouble)
        if state != self._state:
            self._state = state
            self.refresh()

    def render(self) -> Content:
        step, pressed, headline, detail, trouble = self._state
        width, height = self.size
        lines = [Content(" " * width) for _ in range(height)]
        style = "bold $on-calm on $calm" if pressed else "bold $calm"
        for at, (column, row) in enumerate(crosses(self.size)):
            if at == step:
                _put(lines, column, row - 1, "│", style)
                _put(lines, column - 2, row, "──┼──", style)
                _put(lines, column, row + 1, "│", style)
            elif at < step and at < 4:
                _put(lines, column, row, "✓", "$good")
        top = max(1, height // 4)
        told = ((headline, "bold"), (detail, "$dim"), (trouble, "bold $wait"))
        for row, (text, look) in enumerate(told, top):
            text = text[: max(0, width - 2)]
            _put(lines, (width - len(text)) // 2, row, text, look)
        whose, recording = self._box
        whole = "  ".join(part for part in self._box if part)
        at, row = (width - len(whole)) // 2, height - 1 - top
        _put(lines, at, row, whose, "bold")
        _put(lines, at + len(whole) - len(recording), row, recording, "bold $red")
        return Content("\n").join(lines)


def _put(lines: list[Content], column: int, row: int, text: str, style: str) -> None:
    if 0 <= row < len(lines) and text:
        line = lines[row]
        lines[row] = Content.assemble(line[:column], (text, style), line[column + len(text) :])


class CalibrateScreen(SettingsBase):
    """Any touch counts as one on the cross that is shown: so it works however wrong the panel is."""

    BINDINGS = [Binding("escape", "back", show=False)]

    def __init__(self) -> None:
        super().__init__()
        self._taps: list[Point] = []
        self._found: Affine | None = None
        self._pressed = False
        self._trouble = ""
        self._since_s: float | None = None
        self._last_s = 0.0
        self._saving = ""

    def compose(self) -> ComposeResult:
        yield Crosses()

    def compose_body(self) -> Iterable[Widget]:
        return ()

    def on_screen_resume(self) -> None:
        self._raw(True)
        self._since_s = None
        super().on_screen_resume()

    def on_screen_suspend(self) -> None:
        self._raw(False)

    def on_unmount(self) -> None:
        self._raw(False)

    def _raw(self, raw: bool) -> None:
        if self.panel.touch is not None:
            self.panel.touch.raw = raw

    @property
    def panel(self) -> Touched:
        """The app, as far as touch goes."""
        return cast(Touched, self.app)

    # ---- what is shown

    def fill(self, view: View, known: Known) -> None:
        t = view.t
        if self._since_s is None:
            self._since_s = view.now_s
        left = max(0, round(WAIT_S - (view.now_s - self._since_s)))
        if left == 0 and not self._saving:
            self._give_up(t("Nothing was touched: the touch panel stays as it was."))
            return
        step = len(self._taps)
        if step < 4:
            headline = t("Touch the middle of the cross: {step} of 4", step=step + 1)
        else:
            headline = t("Now the one in the middle: is it right?")
        seconds = t.n("{count} second left", "{count} seconds left", left)
        key = t("Esc: back")
        self.query_one(Crosses).say(step, self._pressed, headline, f"{seconds} · {key}", t(self._trouble))

    # ---- taps

    def raw_touch(self, message: RawTouch) -> None:
        """Of the panel, in its own axes."""
        now, thread = self.console.view().now_s, self.panel.touch
        place = thread.placement if thread is not None else None
        if place is None or self._saving:
            return
        self._since_s = now
        if message.kind is TouchKind.DOWN:
            self._pressed = message.time - self._last_s >= BOUNCE_S
        elif message.kind is TouchKind.UP and self._pressed:
            self._pressed, self._last_s = False, message.time
            self._take(message.place, place.grid)
        self.refill()

    def _take(self, tap: Point, grid: Grid) -> None:
        aims = [grid.middle(*cell) for cell in crosses(self.app.size)]
        self._trouble = ""
        if self._found is not None:
            if hits(self._found(tap), aims[4]):
                self._save(self._found)
            else:
                self._again(_MISSED)
            return
        self._taps.append(tap)
        if len(self._taps) == 4:
            try:
                self._found = fitted(self._taps, aims[:4])
            except TapsContradict:
                self._again(_CONTRADICT)
            except TapsTogether:
                self._again(_TOGETHER)

    def _again(self, why: str) -> None:
        self._taps, self._found, self._trouble = [], None, why

    # ---- the end

    def _save(self, found: Affine) -> None:
        """In force at once; the settings have it for ever."""
        self.panel.place_touch(found)
        self._saving = found.text
        command = commands.SettingsPut(id=new_id(), changes={"panel.calibration": found.text})
        self.console.order(command, self)

    @on(CommandWasAnswered)
    def _answered(self, message: CommandWasAnswered) -> None:
        if isinstance(message.command, commands.SettingsPut):
            message.stop()
            answer: dict[str, Any] = message.answer
            self.action_back()
            self.tuning.saved(answer)

    @on(CommandWasRefused)
    def _refused(self, message: CommandWasRefused) -> None:
        """Why is said by the app."""
        if isinstance(message.command, commands.SettingsPut):
            self.panel.place_touch()
            self._give_up(self.console.view().t("The touch panel stays as it was."))

    def _give_up(self, what: str) -> None:
        self.action_back()
        self.console.say(what)

    def action_undo(self) -> None:
        """A slip of the hand undoes nothing here."""
