"""The patient banner: who the next picture belongs to, recording, clock. Always in sight, on every screen."""

from __future__ import annotations

import textwrap

from textual.content import Content

from smartbox_tui.ui import words
from smartbox_tui.ui.i18n import Texts, running_time
from smartbox_tui.ui.state import CurrentExam, Presence, current_exam
from smartbox_tui.ui.view import Shown, View, spread


class PatientBanner(Shown):
    """Two lines: name, recording and time; birth date, sex, ID, order. `-nobody` and `-unassigned` are loud."""

    DEFAULT_CSS = """
    PatientBanner { height: 2; padding: 0 1; background: $raised; color: $text; }
    PatientBanner.-nobody { background: $wait; color: $on-wait; }
    PatientBanner.-unassigned { background: $wait; color: $on-wait; }
    PatientBanner.-emergency { background: $red-deep; color: $on-red; }
    """

    def show(self, view: View) -> None:
        exam = current_exam(view.box)
        asked = Presence.UNKNOWN not in (view.box.engine, view.box.capture)
        self.set_class(exam is None and asked, "-nobody")
        self.set_class(exam is not None and exam.unassigned, "-unassigned")
        self.set_class(exam is not None and exam.emergency is not None, "-emergency")
        super().show(view)

    def text(self, view: View, width: int, height: int) -> Content:
        t, exam = view.t, current_exam(view.box)
        first, second = self._who(view, exam)
        parts: list[Content | tuple[str, str]] = []
        if view.box.recording is not None:
            seconds = view.box.recording_seconds(view.now_s)
            word = t("REC")
            # on the red of an emergency the chip is turned round, or it would not be seen
            style = "bold $red-deep on $on-red" if self.has_class("-emergency") else "bold $on-red on $red-deep"
            parts += [(f" ● {word} {running_time(seconds)} ", style), Content("  ")]
        parts.append((t.clock(view.now), "bold"))
        right = Content.assemble(*parts)
        since = self._since(view, exam)
        quiet = "" if self.has_class("-nobody") or self.has_class("-unassigned") else "$dim"
        if self.has_class("-emergency"):
            quiet = ""
        name = spread(Content.styled(first, "bold"), right, width)
        if height > 2 and len(second) > width:  # the way to a name stands beside it: two lines for the sentence
            return Content("\n").join([name, *map(Content, textwrap.wrap(second, max(1, width))[:2])])
        return Content("\n").join([name, spread(Content(second), Content.styled(since, quiet), width)])

    def _who(self, view: View, exam: CurrentExam | None) -> tuple[str, str]:
        t, box = view.t, view.box
        if exam is None:
            if Presence.UNKNOWN in (box.engine, box.capture):
                return t("Connecting to the box …"), ""
            if view.settings.without_patient == "refuse":
                return t("NO PATIENT"), t("Choose a patient: without one nothing is taken.")
            return t("NO PATIENT"), t("Pictures taken now are kept, but not sent, until someone assigns them.")
        if exam.unassigned:
            return t("NO PATIENT · unassigned pictures"), t(
                "They are kept and not sent until someone assigns them."
            )
        if exam.emergency is not None:
            kind = t(words.EMERGENCY.get(exam.emergency, exam.emergency)).upper()
            return kind, self._details(t, view, exam)
        return words.person(exam.patient.name) or exam.patient.id, self._details(t, view, exam)

    def _details(self, t: Texts, view: View, exam: CurrentExam) -> str:
        patient = exam.patient
        parts = [
            words.born(t, patient, view.now.date()),
            t(words.SEX[patient.sex]) if patient.sex in words.SEX else "",
            t("ID {id}", id=patient.id) if patient.id else "",
            exam.procedure,
            t("Order {number}", number=exam.accession) if exam.accession else "",
        ]
        return " · ".join(part for part in parts if part)

    def _since(self, view: View, exam: CurrentExam | None) -> str:
        opened = words.when(exam.opened_at) if exam else None
        if opened is None or self.content_size.width < 100:
            return ""
        return view.t("since {time}", time=view.t.clock(view.clock.local(opened)))
