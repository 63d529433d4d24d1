"""What an archive's status means for a delivery: PS3.4 B.2.3 and PS3.7 Annex C, read from the standard."""

from __future__ import annotations

import pytest

from smartbox_tui.dicom.scu.status import meaning
from smartbox_tui.model.answer import Outcome

STORED, WARNING, RETRY, BLOCKED, DUPLICATE = (
    Outcome.STORED,
    Outcome.STORED_WITH_WARNING,
    Outcome.RETRY,
    Outcome.BLOCKED,
    Outcome.DUPLICATE,
)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (0x0000, STORED),
        (0xB000, WARNING),
        (0xB006, WARNING),
        (0xB007, WARNING),
        (0xB123, WARNING),
        (0x0001, WARNING),
        (0x0107, WARNING),
        (0x0116, WARNING),
        (0xA700, RETRY),
        (0xA701, RETRY),
        (0xA7FF, RETRY),
        (0x0110, RETRY),
        (0x0213, RETRY),
        (0xFE00, RETRY),
        (0x0111, DUPLICATE),
        (0xA900, BLOCKED),
        (0xA9FF, BLOCKED),
        (0xA801, BLOCKED),
        (0xC000, BLOCKED),
        (0xCFFF, BLOCKED),
        (0x0122, BLOCKED),
        (0x0124, BLOCKED),
        (0x0117, BLOCKED),
        (0x0106, BLOCKED),
        (0x0211, BLOCKED),
    ],
)
def test_a_status_has_its_outcome_and_a_sentence(status: int, outcome: Outcome) -> None:
    found = meaning(status)
    assert found.outcome is outcome
    assert found.sentence.endswith(".")
    assert found.hint or outcome in (STORED, WARNING), "whoever must act is told how"


def test_a_status_nobody_defined_is_never_taken_for_stored() -> None:
    stored = {status for status in range(0x10000) if meaning(status).outcome in (STORED, WARNING)}
    assert stored == {0x0000, 0x0001, 0x0107, 0x0116} | set(range(0xB000, 0xC000))


def test_the_warnings_of_the_storage_service_are_told_apart() -> None:
    assert len({meaning(status).sentence for status in (0xB000, 0xB006, 0xB007, 0xB123)}) == 4
