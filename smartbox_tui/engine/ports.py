"""What the exams need of other parts of the engine, as they see it."""

from __future__ import annotations

from typing import Any, Protocol

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.worklist import WorklistEntry
from smartbox_tui.spool.examfile import ExamFile, RevisionFile


class CapturePort(Protocol):
    """Capture. All raise SmartBoxError no-engine when it is away."""

    async def hold(self, exam_id: str, revision: int) -> dict[str, Any]: ...

    async def drop(self, exam_id: str) -> dict[str, Any]: ...


class WorklistPort(Protocol):
    """The worklist, as far as it is on the box."""

    def entry(self, item_id: str) -> WorklistEntry:
        """What was heard of this step last. Raises not-found."""


class PerformedPort(Protocol):
    """The performed procedure steps. Each method is durable when it returns and never waits for a network; each can
    be called again for the same step and then does nothing. All block: they belong to the spool's thread."""

    @property
    def wanted(self) -> bool:
        """Whether any server gets performed steps: an exam opened now has them."""

    def opened(self, exam: ExamFile, revision: RevisionFile) -> None:
        """A step begins: at opening, at appending, when an exam gets its patient."""

    def ended(self, exam: ExamFile, revision: RevisionFile, discontinued: str) -> None:
        """The step of the exam's present part is over: completed, or discontinued for that reason (a word of
        model.performed.REASONS; empty: completed, or unspecified when nothing was taken)."""

    def corrected(
        self, old: ExamFile, old_revision: RevisionFile, new: ExamFile, new_revision: RevisionFile
    ) -> None:
        """The exam was reassigned: the old steps, of all its parts, are discontinued for the wrong worklist entry,
        the new ones begin, and end where the exam is closed."""

    def redated(self, exam: ExamFile, revision: RevisionFile) -> None:
        """The exam's times were put right: what was not said yet is said with them."""


class NoWorklist:
    """For a box without one."""

    def entry(self, item_id: str) -> WorklistEntry:
        raise SmartBoxError("not-found", "There is no worklist entry of that id.", "See `ctl worklist query`.")


class NoSteps:
    """For tools that work on the spool without an engine."""

    wanted = False

    def opened(self, exam: ExamFile, revision: RevisionFile) -> None: ...

    def ended(self, exam: ExamFile, revision: RevisionFile, discontinued: str) -> None: ...

    def corrected(
        self, old: ExamFile, old_revision: RevisionFile, new: ExamFile, new_revision: RevisionFile
    ) -> None: ...

    def redated(self, exam: ExamFile, revision: RevisionFile) -> None: ...
