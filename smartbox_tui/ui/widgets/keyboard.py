"""The keyboard on the screen: for gloved fingers, in the language of the screens, by the field's purpose.

It opens by itself on every `BoxScreen` whose Input is touched (`keyboard_host`). A field says what it is for by two
attributes, which `field.Entry` takes as arguments and any other Input may simply be given:

    entry.purpose = "name" | "text" | "id" | "date" | "number" | "host"      absent: text
    entry.key = "family"          what it is completed from (`completion`); absent or empty: nothing is proposed

A key reaches the field as `events.Key` by way of the app, so that bindings of the screen (Enter: next field) work
as they do with a real keyboard. After an entry was accepted `app.completion.remember(key, text)` proposes it again.
"""

from __future__ import annotations

from typing import Final

from textual import events
from textual.errors import NoWidget
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input

from smartbox_tui.ui.completion import Suggestions
from smartbox_tui.ui.view import View
from smartbox_tui.ui.widgets import keyboard_layouts as layouts
from smartbox_tui.ui.widgets.touch_pad import PadKey, TouchPad

KEYBOARD_ID: Final = "keyboard"
REPEAT_AFTER_S: Final = 0.4
REPEAT_EVERY_S: Final = 0.06
ACCENTS_AFTER_S: Final = 0.5
CLEAR_AFTER_S: Final = 1.0
"""How long backspace is held until the whole field is empty."""
DOUBLE_TAP_S: Final = 0.4
_MOST_REPEATS: Final = 80
"""A touch panel that loses the end of a touch types no book."""
_PROPOSALS: Final = 4
_STRIP_GAP: Final = PadKey("", "", look="gap")
_SENT: Final = {
    layouts.BACKSPACE: "backspace",
    layouts.ENTER: "enter",
    layouts.LEFT: "left",
    layouts.RIGHT: "right",
}
_ON_RELEASE: Final = frozenset({layouts.HIDE, layouts.EMERGENCY})
"""Keys that leave: only when the finger does not slide off them."""
_TRIES: Final = 8
_TRY_AGAIN_S: Final = 0.03
_FIELD_ROWS: Final = 6
"""A parent not higher than that is the field with its label: it stays in sight as a whole."""


class Keyboard(TouchPad, can_focus=False):
    """Fifteen rows: a strip of completions or accents, four rows of keys. Taller on tall screens.

    Tap shift for one capital, twice for capitals; hold a letter for its accents, then slide to one or tap it; hold
    backspace to empty the field; other keys repeat.
    """

    DEFAULT_CSS = "Keyboard { height: 15; }"

    def __init__(self, suggestions: Suggestions | None = None) -> None:
        super().__init__(id=KEYBOARD_ID)
        self._suggestions = suggestions
        self._view: View | None = None
        self._page = "letters"
        self._shift = ""  # "", once, caps
        self._shift_at = 0.0
        self._field: Input | None = None
        self._strip: list[PadKey] = []
        self._accents_of = ""
        self._before = ""
        self._hold_timers: list[Timer] = []

    # ---- the field it types into

    def on_mount(self) -> None:
        self.watch(self.screen, "focused", self._focus_moved)
        self.open()

    @property
    def is_open(self) -> bool:
        """Whether it is to be seen."""
        return self.display

    def open(self) -> None:
        """Comes up for the field that has the focus."""
        self.display = True
        self.screen.add_class("-keyboard")
        if isinstance(self.screen.focused, Input):
            self._take(self.screen.focused)

    def close(self) -> None:
        """Goes away; the field keeps the focus."""
        self.display = False
        self.screen.remove_class("-keyboard")

    def _focus_moved(self, focused: Widget | None) -> None:
        if self.display and isinstance(focused, Input) and focused is not self._field:
            self._take(focused)

    def _take(self, field: Input) -> None:
        self._field = field
        self._page = layouts.first_page(self.purpose)
        self._shift, self._accents_of = "", ""
        self._capital()
        self._lay_out()
        self.watch(field, "value", self._value_changed)
        self.call_after_refresh(self.keep_in_sight)

    @property
    def field(self) -> Input | None:
        """The field that keys go to."""
        return self._field

    @property
    def purpose(self) -> str:
        """The field's, text where it says none or one that is not known here."""
        purpose = getattr(self._field, "purpose", "text")
        return purpose if purpose in layouts.PURPOSES else "text"

    def _value_changed(self, _value: str) -> None:
        # later: the field moves its cursor only after it has told of its new value
        self.call_later(self._follow_value)

    def _follow_value(self) -> None:
        if self.display and self._field is not None:
            self._capital()
            self._lay_out()

    def keep_in_sight(self, tries: int = _TRIES) -> None:
        """The field with its label above the keyboard, whatever is scrolled. Containers within containers learn of
        their new heights one after the other: so it is looked at again until it is true."""
        field = self._field
        if field is None or not field.is_attached or not self.display:
            return
        whole: Widget = field
        for parent in field.ancestors:
            scrolls = isinstance(parent, Widget) and parent.styles.overflow_y != "hidden"
            if scrolls or not isinstance(parent, Widget) or parent.outer_size.height > _FIELD_ROWS:
                break
            whole = parent
        whole.scroll_visible(animate=False, immediate=True, force=True)
        if tries and not self._in_sight(whole):
            self.set_timer(_TRY_AGAIN_S, lambda: self.keep_in_sight(tries - 1), name="keep-in-sight")

    def _in_sight(self, widget: Widget) -> bool:
        try:
            return self.screen.find_widget(widget).visible_region.height == widget.region.height > 0
        except NoWidget:
            return False

    def on_resize(self) -> None:
        super().on_resize()
        self._lay_out()
        self.call_after_refresh(self.keep_in_sight)

    def on_hide(self) -> None:
        """Nothing goes on under a keyboard that is not there."""
        self._stop_timers()
        self._accents_of = ""

    def show(self, view: View) -> None:
        """Language and state; the keys are drawn anew only when they change."""
        self._view = view
        if self.is_attached:
            self._lay_out()

    # ---- keys

    def _lay_out(self) -> None:
        if self._view is None:
            return
        t = self._view.t
        emergency = self.screen.has_class("-low")
        rows = layouts.rows(self.purpose, self._page, t.language, emergency=emergency)
        keys = [[self._dressed(key) for key in row] for row in rows]
        self._strip = self._strip_keys()
        self.set_keys([self._strip or [_STRIP_GAP], *keys])

    def _dressed(self, key: PadKey) -> PadKey:
        """Its label as it types now, in the language of the screens."""
        assert self._view is not None
        if key.name == layouts.SHIFT:
            label = {"": "↑", "once": "↑", "caps": "↑↑"}[self._shift]
            return PadKey(key.name, label, key.weight, "on" if self._shift else key.look)
        if key.name in (layouts.SPACE, layouts.EMERGENCY):
            return PadKey(key.name, self._view.t(key.label), key.weight, key.look)
        return PadKey(key.name, self._cased(key.label) if len(key.name) == 1 else key.label, key.weight, key.look)

    def _cased(self, sign: str) -> str:
        upper = sign.upper()
        return upper if self._shift and len(upper) == 1 else sign

    def _strip_keys(self) -> list[PadKey]:
        if self._accents_of:
            return [PadKey(f"accent:{sign}", sign, look="first") for sign in layouts.accents(self._accents_of)]
        field = self._field
        if field is None or field.password or self._suggestions is None or self.purpose in ("date", "number"):
            return []
        found = self._suggestions(self.purpose, getattr(field, "key", ""), field.value)
        keys = [PadKey(f"suggest:{text}", text, look="side") for text in found[:_PROPOSALS]]
        # a single one does not become a bar across the whole screen
        return keys + [_STRIP_GAP] * (_PROPOSALS - len(keys)) if keys else []

    def _capital(self) -> None:
        """Names begin with a capital: shift for once, unless somebody has said otherwise."""
        if self.purpose != "name" or self._field is None or self._shift == "caps":
            return
        before = self._field.value[: self._field.cursor_position]
        self._shift = "once" if not before or before[-1] in " -" else ""

    # ---- touch

    def pressed(self, key: PadKey) -> None:
        self._stop_timers()
        name = key.name
        if name.startswith(("suggest:", "accent:")) or name in _ON_RELEASE:
            return
        if self._accents_of:
            self._accents_of = ""
            self._lay_out()
        if name == layouts.SHIFT:
            self._tap_shift()
        elif name in (layouts.LETTERS, layouts.DIGITS):
            self._page = layouts.other_page(self.purpose, self._page)
            self._lay_out()
        else:
            self._type_and_hold(key)

    def _type_and_hold(self, key: PadKey) -> None:
        sign = self._sign(key)
        self._before = self._field.value if self._field is not None else ""
        self._send(key.name, sign)
        if layouts.accents(sign):
            self._hold_timers = [self.set_timer(ACCENTS_AFTER_S, lambda: self._open_accents(sign), name="accents")]
        elif key.name != layouts.ENTER:
            self._hold_timers = [
                self.set_timer(REPEAT_AFTER_S, lambda: self._begin_repeat(key.name, sign), name="repeat-begins")
            ]
            if key.name == layouts.BACKSPACE:
                self._hold_timers.append(self.set_timer(CLEAR_AFTER_S, self._clear, name="clear"))
        if self._shift == "once" and sign.strip():
            self._shift = ""
            self._lay_out()

    def _sign(self, key: PadKey) -> str:
        """What it types; empty for keys that do something else."""
        if key.name == layouts.SPACE:
            return " "
        return self._cased(key.name) if len(key.name) == 1 else ""

    def _begin_repeat(self, name: str, sign: str) -> None:
        self._hold_timers.append(
            self.set_interval(REPEAT_EVERY_S, lambda: self._repeat(name, sign), name="repeat", repeat=_MOST_REPEATS)
        )

    def _repeat(self, name: str, sign: str) -> None:
        if self._held is not None and self.display:
            self._send(name, sign)

    def _clear(self) -> None:
        self._stop_timers()
        if self._field is not None:
            self._field.value = ""

    def _open_accents(self, sign: str) -> None:
        self._accents_of = sign
        self._lay_out()

    def moved(self, key: PadKey, over: PadKey | None) -> None:
        """Sliding along the accents lights them up; sliding off a key ends its repetition."""
        if self._accents_of:
            self._light(over.name if over is not None and over.name.startswith("accent:") else key.name)
        else:
            self._stop_timers()

    def _light(self, name: str) -> None:
        if name != self._down:
            before, self._down = self._down, name
            self._redraw_key(before)
            self._redraw_key(name)

    def released(self, key: PadKey, over: PadKey | None) -> None:
        self._stop_timers()
        if over is None:
            return
        if over.name.startswith("accent:"):
            self._choose_accent(over.label)
        elif over != key:
            return
        elif key.name.startswith("suggest:"):
            self._complete(key.label)
        elif key.name == layouts.HIDE:
            self.close()
        elif key.name == layouts.EMERGENCY:
            self.call_later(self.app.run_action, "app.emergency")

    def _tap_shift(self) -> None:
        now = self._down_since
        if self._shift == "once" and now - self._shift_at < DOUBLE_TAP_S:
            self._shift = "caps"
        else:
            self._shift = "" if self._shift else "once"
        self._shift_at = now
        self._lay_out()

    def _choose_accent(self, sign: str) -> None:
        """Takes the place of the letter that the long press has typed."""
        field, base, self._accents_of = self._field, self._accents_of, ""
        if field is not None:
            at = field.cursor_position
            if field.value != self._before and field.value[at - 1 : at] == base:
                field.delete(at - 1, at)
            self._send(sign, sign)
        self._lay_out()

    def _complete(self, text: str) -> None:
        if self._field is not None:
            self._field.value = text
            self._field.cursor_position = len(text)

    # ---- out

    def _send(self, name: str, sign: str) -> None:
        """To the app, as a key of the terminal would come, with this widget as the sender."""
        field = self._field
        if field is None or not field.is_attached:
            return
        if self.screen.focused is not field:
            field.focus(scroll_visible=False)
        key = _SENT.get(name) or ("space" if sign == " " else sign)
        event = events.Key(key, sign or None)
        event.set_sender(self)
        self.app.post_message(event)

    def _stop_timers(self) -> None:
        timers, self._hold_timers = self._hold_timers, []
        for timer in timers:
            timer.stop()
