"""A connection test: each step as it went, what is wrong in words, what to do; the technical detail below."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from textual import on
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget

from smartbox_tui.ui import connection_words, setting_words
from smartbox_tui.ui.i18n import N_
from smartbox_tui.ui.link import CommandWasAnswered, CommandWasRefused, new_id
from smartbox_tui.ui.screens.settings_base import SettingsBase, Title
from smartbox_tui.ui.sentences import error_texts
from smartbox_tui.ui.settings_known import Known
from smartbox_tui.ui.state import Process
from smartbox_tui.ui.view import Shown, View
from smartbox_tui.ui.widgets.big_button import BigButton
from smartbox_tui.wire import commands


class Report(Shown):
    """The steps of a report of `destination test`, or that it is under way."""

    DEFAULT_CSS = "Report { height: auto; padding: 0 1; }"

    def __init__(self, what: str) -> None:
        super().__init__(id="report")
        self._what = what
        self.report: dict[str, Any] | None = None
        self.error: tuple[str, str] | None = None

    def take(self, report: dict[str, Any] | None, error: tuple[str, str] | None = None) -> None:
        """What came of it; None and None: it runs."""
        self.report, self.error = report, error
        self._draw()

    def text(self, view: View, width: int, height: int) -> Content:
        t = view.t
        if self.error is not None:
            return Content("\n").join([Content.styled(f"✗ {self.error[0]}", "bold $red"), Content(self.error[1])])
        if self.report is None:
            return Content.styled(t("The server is called: this may take fifteen seconds."), "$dim")
        peer = self.report.get("peer", {})
        lines: list[Content] = []
        for step in self.report["steps"]:
            if step["ok"]:
                lines.append(Content.styled(f"✓ {connection_words.passed(t, step)}", "$good"))
                if step["hint"]:  # it works, and something about it should be known
                    lines.append(Content.styled(f"  {step['hint']}", "$wait"))
                continue
            what, hint = connection_words.failed(t, step, peer, self._what)
            lines += [Content.styled(f"✗ {what}", "bold $red"), Content(f"  {hint}"), Content("")]
            lines += [Content.styled(t("Technical detail"), "$dim"), Content.styled(str(step["message"]), "$dim")]
        if self.report["ok"]:
            lines += [Content(""), Content.styled(t("The connection works."), "bold $good")]
        accepted = [item for item in self.report.get("accepted", []) if item["accepted"]]
        if accepted:
            count = t("{count} of {all} kinds are accepted.", count=len(accepted), all=len(self.report["accepted"]))
            lines.append(Content.styled(count, "$dim"))
        return Content("\n").join(lines)


class ConnectionTestScreen(SettingsBase):
    """`values`: what is not saved yet, over what is."""

    BINDINGS = [Binding("t", "again", show=False)]

    DEFAULT_CSS = """
    ConnectionTestScreen #report-scroll { height: 1fr; scrollbar-size-vertical: 1; padding-top: 1; }
    """

    def __init__(self, what: str, name: str, values: dict[str, Any]) -> None:
        super().__init__()
        self._what, self._entry, self._values = what, name, values
        self._testing = False

    def compose_body(self) -> Iterable[Widget]:
        yield Title()
        with VerticalScroll(id="report-scroll"):
            yield Report(self._what)

    def compose_nav(self) -> Iterable[Widget]:
        yield from super().compose_nav()
        yield BigButton(N_("Test again"), "screen.again", "t", needs=Process.ENGINE, id="again", classes="-first")

    def on_mount(self) -> None:
        super().on_mount()
        self.action_again()

    def fill(self, view: View, known: Known) -> None:
        name = self._entry or setting_words.section(view.t, self._what)
        self.query_one(Title).say(view.t("Connection test"), name, "bold")

    def action_again(self) -> None:
        """One at a time."""
        if self._testing:
            return
        self._testing = True
        self.query_one(Report).take(None)
        self.console.order(
            commands.ConnectionTest(id=new_id(), what=self._what, name=self._entry, values=self._values), self
        )

    @on(CommandWasAnswered)
    def _answered(self, message: CommandWasAnswered) -> None:
        if isinstance(message.command, commands.ConnectionTest):
            message.stop()
            self._testing = False
            self.query_one(Report).take(message.answer)

    @on(CommandWasRefused)
    def _refused(self, message: CommandWasRefused) -> None:
        if isinstance(message.command, commands.ConnectionTest):
            message.stop()
            self._testing = False
            self.query_one(Report).take(None, error_texts(self.console.view().t, message.error))
