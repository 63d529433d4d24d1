"""The archives: which is reachable, why not, how much waits for it; pause, resume, try now."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from textual import on
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget

from smartbox_tui.ui import stand_ins, words
from smartbox_tui.ui.i18n import N_
from smartbox_tui.ui.link import CommandWasAnswered, CommandWasRefused, new_id
from smartbox_tui.ui.reasons import of_destination
from smartbox_tui.ui.screens.choice import ChoiceScreen, Option
from smartbox_tui.ui.screens.listing import ListScreen
from smartbox_tui.ui.setting_words import destination_kind
from smartbox_tui.ui.state import Presence, Process
from smartbox_tui.ui.view import View
from smartbox_tui.ui.widgets.big_button import BigButton
from smartbox_tui.ui.widgets.biglist import BigList, Row
from smartbox_tui.wire import commands, state

_SIGN = {
    "ok": ("✓", "$good"),
    "unreachable": ("✗", "bold $wait"),
    "rejected": ("✗", "bold $red"),
    "paused": ("○", "bold $wait"),
}
_BAR = {"unreachable": "$wait", "rejected": "$red", "paused": "$wait"}


class ArchivesScreen(ListScreen):
    """A touch chooses one; the buttons work on it."""

    BINDINGS = [
        ("enter", "rows", ""),
        ("a", "pause", ""),
        ("t", "retry", ""),
        ("j", "eject", ""),
        ("i", "technical", ""),
    ]

    DEFAULT_CSS = """
    ArchivesScreen #lists { height: 1fr; }
    ArchivesScreen #pages { width: 16; height: 1fr; }
    ArchivesScreen #pages BigButton { height: 1fr; max-height: 5; width: 16; padding: 0; }
    """

    def __init__(self, choose: Callable[[str], None]) -> None:
        """`choose` is given the name of the archive whose rows are to be shown, or an empty one for all."""
        super().__init__()
        self._choose = choose
        self._technical = False

    def compose_body(self) -> Iterable[Widget]:
        with Horizontal(id="lists"):
            yield BigList(self._row, empty=lambda view: view.t("No archive is set up"), id="list")
            with Vertical(id="pages"):
                yield from self.page_buttons()
                yield BigButton(self._technical_label, "screen.technical", "i", id="technical")
                eject = BigButton(N_("Eject"), "screen.eject", "j", needs=Process.ENGINE, id="eject")
                eject.display = False
                yield eject

    def compose_nav(self) -> Iterable[Widget]:
        yield from super().compose_nav()
        engine = Process.ENGINE
        yield BigButton(N_("Its pictures"), "screen.rows", N_("Enter"), id="rows")
        yield BigButton(self._pause_label, "screen.pause", "a", needs=engine, id="pause")
        yield BigButton(N_("Try now"), "screen.retry", "t", needs=engine, id="retry")

    @property
    def _pointed(self) -> state.Destination | None:
        entry = self._list.pointed if self.is_mounted else None
        return entry if isinstance(entry, state.Destination) else None

    def show(self, view: View) -> None:
        if self.is_mounted:
            status = view.box.status
            self._list.fill(view, status.destinations if status else [], lambda item: str(item.name))
            self._offer_eject()
        super().show(view)

    def _row(self, view: View, item: state.Destination, width: int) -> Row:
        t = view.t
        sign, style = _SIGN.get(item.state, ("○", "$dim"))
        word = t(words.DESTINATION.get(item.state, item.state))
        if view.box.engine is Presence.AWAY:
            sign, style, word = "○", "$dim", t("not known")
        waiting = t.n("{count} open", "{count} open", item.open) if item.open else t("nothing open")
        why = " ".join(part for part in of_destination(t, item.reason, item.code) if part) if item.code else ""
        if item.state == "paused":
            why = t("Paused by hand: nothing is sent to it until it is resumed.")
        if item.state == "ok" and not why:
            why = words.promise(t, view.clock, item)
        reason = item.reason or item.promise_reason
        if self._technical and reason:
            why = " · ".join(part for part in (item.code, reason) if part)
        why = " ".join(part for part in (stand_ins.told(view, item), why) if part)
        return Row(
            Content.assemble((item.name, "bold"), (f"  {destination_kind(t, item.kind)}", "$dim")),
            Content.styled(f"{sign} {word}", style),
            Content.styled(why or (item.reason if item.state != "ok" else ""), "$hint" if self._technical else ""),
            Content.styled(waiting, "" if item.open else "$dim"),
            _BAR.get(item.state, ""),
        )

    @on(BigList.Pointed)
    def _pointed_at(self, message: BigList.Pointed) -> None:
        message.stop()
        self.query_one("#pause", BigButton).show(self.console.view())
        self._offer_eject()

    @on(BigList.Tapped)
    def _tapped(self, message: BigList.Tapped) -> None:
        message.stop()
        if message.by_key:
            self.action_rows()

    def _pause_label(self, view: View) -> str:
        item = self._pointed
        return view.t("Resume") if item is not None and item.state == "paused" else view.t("Pause")

    def _technical_label(self, view: View) -> str:
        return view.t("In words") if self._technical else view.t("Technical")

    # ---- what can be done

    def _change(self, action: str) -> None:
        item = self._pointed
        if item is None:
            t = self.console.view().t
            self.console.say(t("No archive is set up"), t("Set one up in the settings."))
            return
        self.console.order(commands.QueueChange(id=new_id(), action=action, destination=item.name), self)

    def action_pause(self) -> None:
        """What is being sent is finished."""
        item = self._pointed
        self._change("resume" if item is not None and item.state == "paused" else "pause")

    def action_retry(self) -> None:
        """What waits for it, and what it refused, now. Asks first where it may be many."""
        item = self._pointed
        if item is None or item.open < 2:
            self._change("retry")
            return

        def again(_value: str) -> None:
            self.console.order(commands.QueueChange(id=new_id(), action="retry", destination=item.name), self)

        detail = N_("What waits or is blocked is sent again. What an archive refused before, it may refuse again.")
        option = Option("again", N_("Yes, send again"), "Enter")
        self.app.push_screen(
            ChoiceScreen(
                lambda view: view.t("Try {name} now?", name=item.name), detail, (option,), again, enter="again"
            )
        )

    def _offer_eject(self) -> None:
        item = self._pointed
        self.query_one("#eject").display = item is not None and item.kind == "folder"

    def action_eject(self) -> None:
        """A medium, before it is taken out: what is being written is finished, then nothing more is."""
        item = self._pointed
        if item is not None and item.kind == "folder":
            self.console.order(commands.DestinationEject(id=new_id(), name=item.name), self)

    @on(CommandWasAnswered)
    def _answered(self, message: CommandWasAnswered) -> None:
        if not isinstance(message.command, commands.DestinationEject):
            return
        message.stop()
        count = int(message.answer.get("objects", 0))

        def detail(view: View) -> str:
            return (
                view.t.n("{count} picture is on it.", "{count} pictures are on it.", count)
                + "\n"
                + view.t("Nothing more is written until you resume it.")
            )

        option = Option("ok", N_("OK"), "Enter")
        headline = N_("You can take the medium out now.")
        self.app.push_screen(ChoiceScreen(headline, detail, (option,), lambda _value: None, enter="ok"))

    @on(CommandWasRefused)
    def _refused(self, message: CommandWasRefused) -> None:
        if isinstance(message.command, commands.DestinationEject) and message.error.code != "no-engine":
            message.stop()
            what, hint = of_destination(self.console.view().t, message.error.message, message.error.code)
            self.console.say(self.console.view().t("Do not take it out yet."), f"{what} {hint}", "error")

    def action_rows(self) -> None:
        """Back to the queue, with the rows of this archive."""
        item = self._pointed
        self.action_back()
        if item is not None:
            self._choose(item.name)

    def action_technical(self) -> None:
        self._technical = not self._technical
        self.query_one("#technical").set_class(self._technical, "-on")
        self.draw()
