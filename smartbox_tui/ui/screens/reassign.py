"""From whom to whom: the last question before pictures become another patient's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from textual import events
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget

from smartbox_tui.ui import words
from smartbox_tui.ui.i18n import N_
from smartbox_tui.ui.screens.base import BoxScreen
from smartbox_tui.ui.state import Process
from smartbox_tui.ui.view import Shown, View
from smartbox_tui.ui.widgets.big_button import BigButton
from smartbox_tui.wire import state


@dataclass(frozen=True, slots=True)
class Side:
    """A patient with what tells the exam: `at` its opening or its time on the list (RFC 3339 or local)."""

    patient: state.Patient
    procedure: str = ""
    order: str = ""
    emergency: str | None = None
    at: str | None = None


class SidePane(Shown):
    """One of the two, in large letters as far as a terminal has them: room around it, the name on its own."""

    DEFAULT_CSS = """
    SidePane { width: 1fr; height: 9; padding: 0 2; background: $raised; color: $text; border: round $key-line; }
    SidePane.-to { background: $calm-deep; border: round $calm; }
    """

    def __init__(self, headline: str, side: Side, other: Side, *, id: str, classes: str = "") -> None:
        super().__init__(id=id, classes=classes)
        self._headline = headline
        self._side = side
        self._other = other

    def text(self, view: View, width: int, height: int) -> Content:
        t, side, other = view.t, self._side, self._other
        patient = side.patient
        name = words.person(patient.name) or patient.id or t("NO PATIENT")
        if side.emergency is not None:
            name = t(words.EMERGENCY.get(side.emergency, side.emergency)).upper()
        born = words.born(t, patient, view.now.date()) or t("no birth date")
        sex = t(words.SEX[patient.sex]) if patient.sex in words.SEX else t("sex unknown")
        moment = words.when(side.at)
        told = [t("Order {number}", number=side.order) if side.order else ""]
        told.append(t.clock(view.clock.local(moment)) if moment else "")
        unlike = "bold $wait"  # what differs is what must be read
        lines = [
            Content.styled(t(self._headline), "$hint"),
            Content(""),
            Content.styled(name, "bold"),
            Content.styled(born, "" if patient.birth_date == other.patient.birth_date else unlike),
            Content.assemble(
                (t("ID {id}", id=patient.id or "–"), "" if patient.id == other.patient.id else unlike), "  ",
                (sex, "" if patient.sex == other.patient.sex else unlike),
            ),
            Content(side.procedure),
            Content(" · ".join(part for part in told if part)),
        ]  # fmt: skip
        return Content("\n").join([line.truncate(max(1, width), ellipsis=True) for line in lines])


class Meaning(Shown):
    """What it means for the pictures and for the archives."""

    DEFAULT_CSS = "Meaning { height: auto; padding: 1 2; text-align: center; width: 100%; }"

    def __init__(self, exam: state.Exam, sent: int | None) -> None:
        super().__init__(id="meaning")
        self._exam = exam
        self._sent = sent

    def text(self, view: View, width: int, height: int) -> Content:
        t = view.t
        lines = [t.n("{count} picture changes hands.", "{count} pictures change hands.", self._exam.instances)]
        if self._sent is None or self._sent:
            lines.append(t("What was already sent gets new identifiers and is sent again;"))
            lines.append(t("archives that want it are told which objects were wrong."))
        else:
            lines.append(t("Nothing of it has been sent yet."))
        return Content("\n").join([Content.styled(lines[0], "bold"), *map(Content, lines[1:])])


class ReassignScreen(BoxScreen):
    """Calls `confirmed` after it has left. `sent`: deliveries that an archive has, None where nobody knows."""

    BINDINGS = [("escape", "back", "")]

    DEFAULT_CSS = """
    ReassignScreen #body { align: center middle; }
    ReassignScreen #sides { height: auto; width: 100%; padding: 0 1; }
    ReassignScreen #arrow { width: 5; height: 9; content-align: center middle; text-align: center; color: $calm; }
    ReassignScreen #confirm { width: 100%; height: 3; margin: 0 1; }
    ReassignScreen.-tall #confirm { height: 5; }
    ReassignScreen #all { height: auto; max-width: 130; }
    """

    def __init__(
        self, before: state.Exam, to: Side, confirmed: Callable[[], None], sent: int | None = None
    ) -> None:
        super().__init__()
        self._before, self._to, self._confirmed, self._sent = before, to, confirmed, sent

    def compose_body(self) -> Iterable[Widget]:
        exam = self._before
        old = Side(exam.patient, exam.procedure, exam.accession_number, exam.emergency, exam.opened_at)
        sides = Horizontal(
            SidePane(N_("FROM"), old, self._to, id="from"),
            Arrow(id="arrow"),
            SidePane(N_("TO"), self._to, old, id="to", classes="-to"),
            id="sides",
        )
        yield Vertical(
            sides,
            Meaning(exam, self._sent),
            BigButton(
                N_("✓ Yes, reassign"), "screen.confirm", N_("Enter"), needs=Process.ENGINE, id="confirm",
                classes="-first",
            ),
            id="all",
        )  # fmt: skip

    def on_key(self, event: events.Key) -> None:
        if event.key == "enter" and not isinstance(self.focused, BigButton):
            event.stop()
            event.prevent_default()
            self.action_confirm()

    def action_confirm(self) -> None:
        self.action_back()
        self._confirmed()


class Arrow(Shown):
    """Between the two."""

    def text(self, view: View, width: int, height: int) -> Content:
        return Content.styled("━━▶", "bold")
