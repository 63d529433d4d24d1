"""One delivery: what it is, why it is where it is, and everything that has happened to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from textual import on
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget

from smartbox_tui.ui import queue_rows, reasons, words
from smartbox_tui.ui.i18n import N_
from smartbox_tui.ui.link import ReadingFailed, StateWasRead, new_id
from smartbox_tui.ui.rates import Rates
from smartbox_tui.ui.screens.choice import ChoiceScreen, Option
from smartbox_tui.ui.screens.listing import AskingScreen, ListScreen
from smartbox_tui.ui.sentences import sentence
from smartbox_tui.ui.state import BoxState, Process, sending
from smartbox_tui.ui.view import Shown, View, spread
from smartbox_tui.ui.widgets.big_button import BigButton
from smartbox_tui.ui.widgets.biglist import BigList, Row
from smartbox_tui.wire import commands, state

_FRESH_S: Final = 0.5
_OVER: Final = frozenset({"stored", "committed", "cancelled", "superseded"})
_REPEATED: Final = frozenset({"blocked", "waiting"})


class RowActions(ListScreen):
    """What can be done with the delivery that the screen points at."""

    BINDINGS = [
        ("t", "retry", ""),
        ("f", "change('prioritise')", ""),
        ("a", "pause", ""),
        ("x", "cancel", ""),
    ]

    @property
    def pointed(self) -> state.Delivery | None:
        """The delivery that the keys work on."""
        raise NotImplementedError

    def retry_label(self, view: View) -> str:
        item = self.pointed if self.is_mounted else None
        return view.t("Release") if item is not None and item.state == "held" else view.t("Retry")

    def pause_label(self, view: View) -> str:
        item = self.pointed if self.is_mounted else None
        return view.t("Resume") if item is not None and item.paused else view.t("Pause")

    def action_change(self, action: str) -> None:
        """`action` of the contract."""
        item = self.pointed
        t = self.console.view().t
        if item is None:
            self.console.say(t("No row is chosen."), t("Choose one with the arrow keys or a finger."))
        elif item.state in _OVER:
            self.console.say(t("This one is done."), t("It can neither be sent again nor be cancelled."))
        elif action == "retry" and item.state not in _REPEATED:
            self.console.say(t("It is on its way already."), t("There is nothing to repeat."))
        else:
            self.console.order(commands.QueueChange(id=new_id(), action=action, deliveries=[item.id]), self)

    def action_retry(self) -> None:
        """Now; a held one goes out with all the others of its exam."""
        item = self.pointed
        if item is not None and item.state == "held":
            self.console.order(commands.ExamRelease(id=new_id(), exam=item.exam), self)
        else:
            self.action_change("retry")

    def action_pause(self) -> None:
        item = self.pointed
        self.action_change("resume" if item is not None and item.paused else "pause")

    def action_cancel(self) -> None:
        """Asks first: a cancelled delivery never arrives. The one asked about is the one cancelled, whatever stands
        under the cursor by then."""
        item = self.pointed
        if item is None or item.state in _OVER:
            self.action_change("cancel")
            return

        def cancel(_value: str) -> None:
            self.console.order(commands.QueueChange(id=new_id(), action="cancel", deliveries=[item.id]), self)

        def which(view: View) -> str:
            kept = view.t("The picture stays on the box, but does not go to this archive.")
            return f"#{item.id} · {queue_rows.kind(view.t, item)} → {item.destination}\n{kept}"

        option = Option("cancel", N_("Yes, cancel it"), "Enter", "-red")
        self.app.push_screen(ChoiceScreen(N_("Cancel this delivery?"), which, (option,), cancel, enter="cancel"))


class DeliveryText(Shown):
    """What, whose, where to; the state with its progress; why, and what to do; the technical cause when asked."""

    DEFAULT_CSS = """
    DeliveryText { height: auto; padding: 0 1; background: $raised; color: $text; border: round $key-line; }
    """

    def __init__(self) -> None:
        super().__init__(id="delivery-text")
        self.item: state.Delivery | None = None
        self.picture: state.Instance | None = None
        self.exam: state.Exam | None = None
        self.rate: float | None = None
        self.technical = False

    def text(self, view: View, width: int, height: int) -> Content:
        item, t = self.item, view.t
        if item is None:
            return Content("")
        width = max(1, width)
        who = words.who(t, self.exam) if self.exam is not None else ""
        born = words.born(t, self.exam.patient, view.now.date()) if self.exam is not None else ""
        what = queue_rows.kind(t, item)
        if self.picture is not None and item.kind != "note":
            what = words.picture(t, view.clock, self.picture)
        word, style = queue_rows.condition(t, item)
        tried = t.n("{count} attempt", "{count} attempts", item.attempts) if item.attempts else ""
        next_ = queue_rows.due(view, item) if item.state == "waiting" else ""
        lines = [
            Content.styled(" · ".join(part for part in (who, born) if part), "bold"),
            spread(Content(f"{what} → {item.destination}"), Content.styled(f"#{item.id}", "$dim"), width),
            spread(
                Content.assemble(
                    (word, style),
                    ("   " + " · ".join(part for part in (tried, next_) if part) if tried or next_ else "", "$dim"),
                ),
                queue_rows.progress(t, item, self.rate, 16),
                width,
            ),
            Content(reasons.reason(t, item)),
            Content(queue_rows.promised(view, item)),
            Content.styled(reasons.hint(t, item), "$dim"),
        ]
        told = [line for line in lines if line.plain]
        if self.technical:
            cause = reasons.technical(item.reason, item.code) or t("no reason noted")
            told += [Content.styled(f"UID {item.sop_instance_uid}", "$hint"), Content.styled(cause, "$hint")]
            return Content("\n").join(told)  # the cause in full, on as many lines as it takes
        return Content("\n").join([line.truncate(width, ellipsis=True) for line in told])


class DeliveryScreen(AskingScreen, RowActions):
    """The history below, the newest first; the picture's other archives are one touch away."""

    BINDINGS = [
        ("i", "technical", ""),
        ("n", "other", ""),
    ]

    DEFAULT_CSS = """
    DeliveryScreen #lists { height: 1fr; }
    DeliveryScreen #pages { width: 21; height: 1fr; }
    DeliveryScreen #pages BigButton { height: 3; width: 21; padding: 0; }
    DeliveryScreen #pages #leaf { height: 1fr; min-height: 3; }
    DeliveryScreen #pages #leaf BigButton { width: 1fr; height: 1fr; min-width: 10; margin: 0; }
    DeliveryScreen #pages #page-up { margin-right: 1; }
    DeliveryScreen.-low DeliveryText { max-height: 9; }
    """

    def __init__(self, item: state.Delivery) -> None:
        super().__init__()
        self._item = item
        self._changes: list[dict[str, str]] = []
        self._others: list[state.Delivery] = []
        self._rates = Rates()
        self._technical = False
        self._said = N_("One moment …")
        self._asked_s = 0.0

    def compose_body(self) -> Iterable[Widget]:
        with Vertical():
            yield DeliveryText()
            with Horizontal(id="lists"):
                yield BigList(self._row, empty=lambda view: view.t(self._said), id="list")
                with Vertical(id="pages"):
                    yield BigButton(self._technical_label, "screen.technical", "i", id="technical")
                    yield BigButton(N_("Next archive"), "screen.other", "n", usable=self._has_others, id="other")
                    with Horizontal(id="leaf"):
                        yield from self.page_buttons()

    def compose_nav(self) -> Iterable[Widget]:
        yield from super().compose_nav()
        engine = Process.ENGINE
        open_, again = self._is_open, self._is_repeated
        first = "screen.change('prioritise')"
        yield BigButton(self.retry_label, "screen.retry", "t", needs=engine, usable=again, id="retry")
        yield BigButton(N_("First"), first, "f", needs=engine, usable=open_, id="first")
        yield BigButton(self.pause_label, "screen.pause", "a", needs=engine, usable=open_, id="pause")
        yield BigButton(N_("Cancel"), "screen.cancel", "x", needs=engine, usable=open_, id="cancel")

    @property
    def pointed(self) -> state.Delivery | None:
        return self._item

    # ---- what is shown

    @property
    def _target(self) -> str:
        return f"/v1/deliveries/{self._item.id}"

    def _ask(self) -> None:
        self._asked_s = self.console.view().now_s
        super()._ask()

    @on(StateWasRead)
    def _was_read(self, message: StateWasRead) -> None:
        message.stop()
        if message.target != self._target:
            return  # of the archive before
        value, text = message.value, self.query_one(DeliveryText)
        self._item = msgspec.convert(value["delivery"], state.Delivery)
        self._changes = list(reversed(value["changes"]))
        self._others = sorted(
            msgspec.convert(value["deliveries"], list[state.Delivery]), key=lambda item: (item.destination, item.id)
        )
        text.picture = msgspec.convert(value["instance"], state.Instance | None)
        text.exam = msgspec.convert(value["exam"], state.Exam | None)
        self._said = N_("Nothing has happened yet.")
        self._put()

    @on(ReadingFailed)
    def _failed(self, message: ReadingFailed) -> None:
        self._said = sentence(self.console.view().t, message.error.code)[0]
        self._put()

    def show(self, view: View) -> None:
        if self.is_mounted:
            self._rates.hear(sending(view.box), view.now_s)
            known = view.box.deliveries.get(self._item.id)
            if known is not None and known.changed_at >= self._item.changed_at and known != self._item:
                moved = known.state != self._item.state
                self._item = known
                if moved and view.now_s - self._asked_s >= _FRESH_S:
                    self._ask()
                elif moved:
                    self.set_timer(_FRESH_S, self._ask, name="delivery-again")
            text = self.query_one(DeliveryText)
            text.item, text.technical = self._item, self._technical
            text.rate = self._rates.of(self._item.id, view.now_s)
            self._list.fill(view, self._changes, _key)
        super().show(view)

    def _row(self, view: View, entry: Any, width: int) -> Row:
        """When it went from where to where, and why; with the engine's own words when asked."""
        t = view.t
        at = words.when(entry["at"])
        local = view.clock.local(at) if at is not None else None
        clock = t.clock(local, seconds=True) if local is not None else entry["at"]
        day = f"{t.date(local.date())} " if local is not None and local.date() != view.now.date() else ""
        old, new = (t(words.DELIVERY.get(entry[key], entry[key])) for key in ("old", "new"))
        moved = f"{old} → " if old and old != new else ""
        why = reasons.told(t, entry["reason"], entry["code"])
        if self._technical:
            why = reasons.technical(entry["reason"], entry["code"])
        return Row(
            Content.assemble((f"{day}{clock}  ", "$dim"), moved, (new, queue_rows.STYLE.get(entry["new"], "bold"))),
            Content(""),
            Content.styled(why, "$hint" if self._technical else ""),
        )

    def _technical_label(self, view: View) -> str:
        return view.t("In words") if self._technical else view.t("Technical")

    def _is_open(self, _box: BoxState) -> bool:
        return self._item.state not in _OVER

    def _is_repeated(self, _box: BoxState) -> bool:
        return self._item.state in _REPEATED or self._item.state == "held"

    def _has_others(self, _box: BoxState) -> bool:
        return len(self._others) > 1

    # ---- what can be done

    def action_technical(self) -> None:
        """The engine's own words, for service and for IT; and back."""
        self._technical = not self._technical
        self.query_one("#technical").set_class(self._technical, "-on")
        self.draw()

    def action_other(self) -> None:
        """The same picture at its next archive."""
        if len(self._others) < 2:
            t = self.console.view().t
            self.console.say(t("There is no other archive for this picture."))
            return
        at = next((at for at, item in enumerate(self._others) if item.id == self._item.id), 0)
        self._item = self._others[(at + 1) % len(self._others)]
        self._changes, self._said = [], N_("One moment …")
        self._put()
        self._ask()

    @on(BigList.Tapped)
    def _tapped(self, message: BigList.Tapped) -> None:
        """A touch of the history shows the cause as the engine wrote it."""
        message.stop()
        self.action_technical()


def _key(entry: Any) -> str:
    return f"{entry['at']} {entry['old']} {entry['new']}"
