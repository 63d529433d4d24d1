"""Patients, emergencies, exams: values and tables."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from smartbox_tui.errors import CODES, SmartBoxError
from smartbox_tui.model import exam as exams
from smartbox_tui.model import uids
from smartbox_tui.model.exam import ExamState
from smartbox_tui.model.instance import h264_transfer_syntax
from smartbox_tui.model.patient import accession_from, age_string, emergency_patient, patient_from

TODAY = date(2026, 11, 20)
GOOD: dict[str, Any] = {"id": "4711", "name": "Müller^Jörg", "birth_date": "1961-03-14", "sex": "M"}


def test_a_patient_comes_through() -> None:
    patient = patient_from(GOOD, TODAY)
    assert patient.to_json() == {**GOOD, "age": None}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"id": ""}, "bad-value"), ({"name": " "}, "bad-value"), ({"birth_date": "1961-02-30"}, "bad-value"),
        ({"birth_date": "2027-01-01"}, "bad-value"), ({"sex": "X"}, "bad-value"), ({"name": "A\\B"}, "bad-value"),
        ({"name": "a^b^c^d^e^f"}, "bad-value"), ({"name": "x" * 65}, "bad-value"), ({"id": "1\n2"}, "bad-value"),
        ({"age": "old"}, "bad-value"), ({"nmae": "x"}, "unknown-key"),
    ],
)  # fmt: skip
def test_what_dicom_cannot_hold_is_refused_and_the_value_is_not_told(change: dict[str, Any], code: str) -> None:
    with pytest.raises(SmartBoxError) as caught:
        patient_from({**GOOD, **change}, TODAY)
    assert caught.value.code == code
    assert "Müller" not in caught.value.message
    assert "4711" not in caught.value.message


def emergency(kind: str, age: str | None, taken: frozenset[str]) -> Any:
    return emergency_patient(
        kind, age, name="NOTFALL^{sex_text}^{date}^{time}", id="N{date}{time}{station_name}", station_name="E1",
        sex_text="KIND", now=datetime(2026, 11, 20, 3, 4, 5), taken=taken,
    )  # fmt: skip


def test_emergencies_in_the_same_second_do_not_collide() -> None:
    taken: frozenset[str] = frozenset()
    for _ in range(20):
        patient = emergency("male", None, taken)
        assert patient.id not in taken
        taken |= {patient.id}
    assert sorted(taken)[0] == "N20261120030405E1"


def test_an_emergency_child_has_an_estimated_age_and_no_invented_birth_date() -> None:
    patient = emergency("child", "8Y", frozenset())
    assert (patient.birth_date, patient.age, patient.sex) == (None, "008Y", None)
    assert "estimate" in patient.comments


def test_ages() -> None:
    assert [age_string(text) for text in ("8Y", "008y", "3M", "12d")] == ["008Y", "008Y", "003M", "012D"]
    with pytest.raises(SmartBoxError):
        age_string("8")


def test_accession_numbers_hold_16_characters() -> None:
    assert accession_from("A" * 16) == "A" * 16
    with pytest.raises(SmartBoxError):
        accession_from("A" * 17)


@pytest.mark.parametrize("old", list(ExamState))
@pytest.mark.parametrize("new", list(ExamState))
def test_exam_states_are_a_table(old: ExamState, new: ExamState) -> None:
    if (old, new) in exams.TRANSITIONS:
        exams.check(old, new)
    else:
        with pytest.raises(exams.IllegalTransition):
            exams.check(old, new)


def test_uids_follow_from_the_commands_uuid() -> None:
    uuid = UUID(int=5)
    assert uids.uid_of(uuid) == "2.25.5"
    assert uids.further(uuid, 0) == uuid
    others = {uids.further(uuid, index) for index in range(10)}
    assert len(others) == 10
    assert uids.further(uuid, 3) == uids.further(uuid, 3)
    assert len(uids.uid_of(UUID(int=(1 << 128) - 1))) <= 64
    exam = uuid4()
    assert uids.series_uuid(exam, "a") != uids.series_uuid(exam, "b")


def test_levels_without_a_transfer_syntax_are_refused() -> None:
    assert [h264_transfer_syntax(level)[-3:] for level in (31, 40, 41, 42)] == ["102", "102", "102", "104"]
    with pytest.raises(ValueError, match=r"5\.1"):
        h264_transfer_syntax(51)


def test_the_codes_are_the_contracts() -> None:
    assert len(CODES) == 24
    with pytest.raises(ValueError, match="contract"):
        SmartBoxError("oops", "", "")
