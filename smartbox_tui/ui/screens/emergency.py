"""Emergency: an exam in two touches, without a name. The patient is merged with the right one later."""

from __future__ import annotations

from collections.abc import Iterable

from textual.containers import Center, Grid, Horizontal, Vertical
from textual.widget import Widget

from smartbox_tui.ui.i18n import N_
from smartbox_tui.ui.screens.choice import Question
from smartbox_tui.ui.screens.conflict import OpensExam
from smartbox_tui.ui.view import View
from smartbox_tui.ui.widgets.big_button import BigButton

AGES = (
    ("0M", 0),
    ("6M", 0),
    ("1Y", 1),
    ("2Y", 2),
    ("4Y", 4),
    ("6Y", 6),
    ("8Y", 8),
    ("10Y", 10),
    ("12Y", 12),
    ("15Y", 15),
)
"""DICOM ages offered for a child; steps of about what one sees."""


class EmergencyScreen(OpensExam):
    """Three huge buttons; a child is asked for its estimated age, which can be left out."""

    BINDINGS = [
        ("escape", "back", ""),
        ("1", "kind('male')", ""),
        ("2", "kind('female')", ""),
        ("3", "kind('child')", ""),
        ("0", "age('')", ""),
    ]

    DEFAULT_CSS = """
    EmergencyScreen #body { align: center middle; }
    EmergencyScreen .page { width: 96%; max-width: 120; height: auto; }
    EmergencyScreen #kinds BigButton { height: 9; margin: 0 1; }
    EmergencyScreen #kinds { height: auto; }
    EmergencyScreen.-tall #kinds BigButton { height: 11; }
    EmergencyScreen #ages { display: none; }
    EmergencyScreen.-child #ages { display: block; }
    EmergencyScreen.-child #sexes { display: none; }
    EmergencyScreen #age-grid { grid-size: 5 2; grid-rows: 3; grid-gutter: 0 1; height: auto; }
    EmergencyScreen.-tall #age-grid { grid-rows: 5; }
    EmergencyScreen.-tall #age-grid BigButton { height: 5; }
    EmergencyScreen #skip { width: 100%; }
    """

    def compose_body(self) -> Iterable[Widget]:
        kinds = Horizontal(
            BigButton(N_("MAN"), "screen.kind('male')", "1", classes="-first"),
            BigButton(N_("WOMAN"), "screen.kind('female')", "2", classes="-first"),
            BigButton(N_("CHILD"), "screen.kind('child')", "3", classes="-first"),
            id="kinds",
        )
        ages = Grid(*(self._age_button(age) for age, _years in AGES), id="age-grid")
        skip = BigButton(N_("Skip: age unknown"), "screen.age('')", "0", id="skip")
        yield Center(
            Vertical(
                Question(N_("EMERGENCY: who is it?"), N_("The name comes later.")),
                kinds,
                id="sexes",
                classes="page",
            ),
            Vertical(Question(N_("How old, about?"), ""), ages, skip, id="ages", classes="page"),
        )

    def _age_button(self, age: str) -> BigButton:
        count = int(age[:-1])

        def label(view: View) -> str:
            if age == "0M":
                return view.t("newborn")
            if age.endswith("M"):
                return view.t.n("{count} month", "{count} months", count)
            return view.t.n("{count} year", "{count} years", count)

        return BigButton(label, f"screen.age('{age}')")

    def action_kind(self, kind: str) -> None:
        if self.has_class("-child"):
            return
        if kind == "child":
            self.add_class("-child")
            self.refresh_bindings()
            return
        self.open(self.purpose.command(emergency=kind))

    def action_age(self, age: str) -> None:
        if self.has_class("-child"):
            self.open(self.purpose.command(emergency="child", age=age or None))
