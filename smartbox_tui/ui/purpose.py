"""What a person is chosen for: a new exam, or the pictures of an exam that are somebody else's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from smartbox_tui.ui.link import new_id
from smartbox_tui.wire import commands


@dataclass(frozen=True, slots=True)
class Purpose:
    """`exam`: the one whose pictures get the person; None: an exam is opened for them."""

    exam: str | None = None

    def command(
        self,
        *,
        patient: dict[str, Any] | None = None,
        worklist: str | None = None,
        emergency: str | None = None,
        age: str | None = None,
        accession: str = "",
        referring_physician: str = "",
    ) -> commands.ExamOpen | commands.ExamReassign:
        """One press, one command; exactly one of `patient`, `worklist`, `emergency`."""
        if self.exam is None:
            return commands.ExamOpen(
                id=new_id(),
                patient=patient,
                worklist=worklist,
                emergency=emergency,
                age=age,
                accession=accession,
                referring_physician=referring_physician,
            )
        return commands.ExamReassign(
            id=new_id(),
            exam=self.exam,
            patient=patient,
            worklist=worklist,
            emergency=emergency,
            age=age,
            accession=accession,
            referring_physician=referring_physician,
        )


NEW = Purpose()
