"""The worklist from real servers: names right in the entry, in the object made from it, and nothing is lost."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest

from smartbox_tui.dicom.build import build_header
from smartbox_tui.dicom.scu.find import FindResult, find_worklist
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.dicom.scu.query import NameFilter
from smartbox_tui.dicom.worklist import entry_of
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.instance import Equipment, Kind, Picture, StudyValues
from smartbox_tui.model.worklist import WorklistEntry, WorklistKeys
from tests.support.orthanc import orthanc
from tests.support.worklist import Scheduled, orthanc_worklist, wlmscpfs, write_worklist

STEPS = [
    Scheduled("L1", "Müller^Jörg", "ISO_IR 100", procedure="Spiegelung, groß"),
    Scheduled("U8", "Łukaszewska^Zofia=王^小東", "ISO_IR 192"),
    Scheduled("L2", "Wałęsa^Żofia", "ISO_IR 101"),
    Scheduled("CY", "Иванов^Иван", "ISO_IR 144"),
    Scheduled("JP", "Yamada^Tarou=山田^太郎=やまだ^たろう", ("", "ISO 2022 IR 87")),
    Scheduled("J2", "Deguchi^Hana=出口^花=でぐち^はな", ("", "ISO 2022 IR 87")),
]
NAMES = {step.patient_id: step.name for step in STEPS}
TODAY = date.today()


def ask(
    port: int, aet: str = "RIS", charset: str = "latin-1", **keys: Any
) -> tuple[list[WorklistEntry], FindResult]:
    found: list[WorklistEntry] = []
    peer = Peer("127.0.0.1", port, aet, timeout_s=10)
    result = find_worklist(peer, WorklistKeys(**keys), on_entry=found.append, charset=charset)
    return found, result


def header_of(entry: WorklistEntry) -> pydicom.Dataset:
    at = datetime(2026, 11, 21, 9, tzinfo=timezone(timedelta(hours=1)))
    study = StudyValues(
        revision=1,
        patient=entry.patient,
        study_instance_uid=entry.study_instance_uid,
        study_at=at,
        accession_number=entry.accession_number,
        referring_physician=entry.referring_physician,
        worklist=entry.source,
    )
    picture = Picture(
        "1.2.3.1", "1.2.3.2", "1.2.840.10008.5.1.4.1.1.77.1.1", "1.2.840.10008.1.2.4.50",
        Kind.STILL, 1, 1, at, 640, 480, 10_000, "422",
    )  # fmt: skip
    return pydicom.dcmread(BytesIO(build_header(study, picture, Equipment("ENDO1"))))


def test_wlmscpfs_that_keeps_the_character_sets(tmp_path: Path) -> None:
    with wlmscpfs(tmp_path, STEPS) as server:
        found, result = ask(server.port)
    assert result == FindResult(len(STEPS), True, 0, "", 0)
    assert {entry.patient.id: entry.patient.name for entry in found} == NAMES
    assert {entry.issuer for entry in found} == {"HOSPITAL"}
    for entry in found:
        assert str(header_of(entry).PatientName) == NAMES[entry.patient.id]


def test_wlmscpfs_that_drops_them(tmp_path: Path) -> None:
    with wlmscpfs(tmp_path, STEPS, csk=False) as server:
        latin, _ = ask(server.port)
        cyrillic, _ = ask(server.port, charset="cyrillic")
        polish, _ = ask(server.port, charset="latin-2")
        strict, result = ask(server.port, charset="utf-8")
    names = {entry.patient.id: entry.patient.name for entry in latin}
    assert all(names[key] == NAMES[key] for key in ("L1", "U8", "JP", "J2"))
    assert NAMES["CY"] in {entry.patient.name for entry in cyrillic}
    assert NAMES["L2"] in {entry.patient.name for entry in polish}
    # Without a way to read a name there is no entry, never a wrong one.
    assert {entry.patient.id for entry in strict} == {"U8", "JP", "J2"}
    assert (result.count, result.skipped, result.complete) == (3, 3, True)


def test_orthanc_and_its_own_conversion(tmp_path: Path) -> None:
    folder = write_worklist(tmp_path / "lists", STEPS)
    with orthanc(tmp_path / "orthanc", **orthanc_worklist(folder)) as server:
        found, result = ask(server.port, server.aet)
        filtered, _ = ask(server.port, server.aet, name="müll*", date_from=TODAY, date_to=TODAY, modality="ES")
    assert result == FindResult(len(STEPS), True, 0, "", 0)
    assert {entry.patient.id: entry.patient.name for entry in found} == NAMES
    assert [entry.patient.id for entry in filtered] == ["L1"]


def test_the_keys_reach_the_server(tmp_path: Path) -> None:
    def day(offset: int) -> str:
        return f"{TODAY + timedelta(days=offset):%Y%m%d}"

    steps = [
        Scheduled("1", "Meier^Eva", "ISO_IR 100", accession="A1", date=day(-1)),
        Scheduled("2", "Meier^Otto", "ISO_IR 100", accession="A2", date=day(0), modality="XC"),
        Scheduled("3", "Müller^Eva", "ISO_IR 100", accession="A3", date=day(1), station_aet="OTHER"),
        Scheduled("4", "Mueller^Jan", "ISO_IR 192", accession="A4", date=day(2)),
        Scheduled("5", "Иванов^Иван", "ISO_IR 144", accession="A5", date=day(2)),
    ]
    with wlmscpfs(tmp_path, steps) as server:

        def ids(**keys: Any) -> set[str]:
            return {entry.patient.id for entry in ask(server.port, **keys)[0]}

        assert ids() == {"1", "2", "3", "4", "5"}
        assert ids(date_from=TODAY, date_to=TODAY) == {"2"}
        assert ids(date_from=TODAY) == {"2", "3", "4", "5"}
        assert ids(date_to=TODAY) == {"1", "2"}
        assert ids(date_from=TODAY - timedelta(days=1), date_to=TODAY + timedelta(days=1)) == {"1", "2", "3"}
        assert ids(modality="XC") == {"2"}
        assert ids(station_aet="OTHER") == {"3"}
        assert ids(accession="A4") == {"4"}
        assert ids(patient_id="3") == {"3"}
        assert ids(name="Meier*") == {"1", "2"}
        # Whatever character set the file has: an umlaut is found, in both ways to write it.
        assert ids(name="Müller*") == {"3", "4"}
        assert ids(name="Иван*") == {"5"}


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("Müller*", "MÜLLER^Jörg", True),
        ("Müller*", "Mueller^Jörg", True),
        ("Müller*", "Muller^Jorg", True),
        ("Müller*", "Miller^Jörg", False),
        ("Müller", "Müller^Jörg", False),
        ("山*", "Yamada^Tarou=山田^太郎", True),
        ("Straße?", "STRASSEN", True),
        ("Łuk*", "Lukasz", True),
        ("ü.*", "üx", False),
        ("", "anything", True),
    ],
)
def test_the_names_that_the_server_was_not_asked_for(pattern: str, name: str, matches: bool) -> None:
    assert NameFilter(pattern).matches(name) is matches


def test_everything_of_the_order_reaches_the_object(tmp_path: Path) -> None:
    with wlmscpfs(tmp_path, [STEPS[0]]) as server:
        (entry,), _ = ask(server.port)
    made = header_of(entry)
    request = made.RequestAttributesSequence[0]
    assert made.StudyInstanceUID == request.StudyInstanceUID == entry.study_instance_uid
    assert (made.AccessionNumber, made.IssuerOfPatientID, made.ReferringPhysicianName) == (
        "A1",
        "HOSPITAL",
        "Arzt^Anna",
    )
    assert request.RequestedProcedureID == "RL1"
    assert request.ScheduledProcedureStepID == entry.step_id == "SL1"
    assert request.RequestedProcedureDescription == made.StudyDescription == "Spiegelung, groß"
    assert request.ScheduledProtocolCodeSequence[0].CodeValue == "S1-1"
    assert made.ProcedureCodeSequence[0].CodeValue == "P1-1"
    assert (entry.station, entry.station_name, entry.modality) == ("SMARTBOX", "ENDO1", "ES")
    assert (entry.scheduled_at, entry.priority, entry.emergency) == (f"{TODAY}T08:30:00", "ROUTINE", False)
    assert (entry.patient.birth_date, entry.patient.sex) == (date(1961, 3, 14), "F")


def test_half_a_code_or_reference_reaches_no_object(tmp_path: Path) -> None:
    """Servers fill what they were asked for with items that say nothing."""
    with wlmscpfs(tmp_path, [STEPS[0]]) as server:
        (entry,), _ = ask(server.port)
    code = entry.source["00321064"]["Value"][0]
    half = [{key: value for key, value in code.items() if key != gone} for gone in ("00080102", "00080104")]
    entry.source["00321064"]["Value"] = [*half, code]
    entry.source["00081110"] = {"vr": "SQ", "Value": [{"00081150": {"vr": "UI", "Value": ["1.2.3"]}}, {}]}
    made = header_of(entry)
    assert [item.CodeValue for item in made.ProcedureCodeSequence] == ["P1-1"]
    assert "ReferencedStudySequence" not in made


def source(**changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Meier^Eva"}]},
        "00100020": {"vr": "LO", "Value": ["1"]},
    }
    for tag, value in changes.items():
        tag = tag.removeprefix("t")
        if value is None:
            values.pop(tag, None)
        else:
            values[tag] = {"vr": "LO", "Value": value if isinstance(value, list) else [value]}
    return values


@pytest.mark.parametrize(
    "bad",
    [
        {"t00100010": None, "t00100020": None},
        {"t00100010": {"Alphabetic": "x" * 65}},
        {"t00100010": {"Alphabetic": "A\x07B"}},
        {"t00100010": [{"Alphabetic": "A"}, {"Alphabetic": "B"}]},
        {"t00100020": "4" * 65},
        {"t00100020": ["1", "2"]},
    ],
)
def test_a_patient_that_no_object_could_carry_is_no_entry(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        entry_of(source(**bad))


def test_other_impossible_values_are_unknown_and_the_object_can_be_made() -> None:
    entry = entry_of(
        source(
            t00100030="19610231",
            t00100040="X",
            t00080050="A" * 17,
            t0020000D="1.2.x",
            t00080090={"Alphabetic": "x" * 70},
        )
    )
    assert entry.patient.birth_date is None
    assert entry.patient.sex is None
    assert (entry.accession_number, entry.study_instance_uid, entry.referring_physician) == ("", "", "")
    for born, expected in (
        ("1961.03.14", date(1961, 3, 14)),
        ("17000101", None),
        ("99990101", None),
        ("1961", None),
    ):
        assert entry_of(source(t00100030=born)).patient.birth_date == expected


def test_the_same_step_has_the_same_id(tmp_path: Path) -> None:
    with wlmscpfs(tmp_path, STEPS) as server:
        first, _ = ask(server.port)
        server.write([*STEPS, Scheduled("N", "Neu^Nina", step_id="S-N")])
        second, _ = ask(server.port)
    assert len({entry.id for entry in first}) == len(STEPS)
    assert {entry.id for entry in first} < {entry.id for entry in second}


def test_times_are_read_generously() -> None:
    def at(day: str, time: str) -> str:
        step = {"00400002": {"vr": "DA", "Value": [day]}, "00400003": {"vr": "TM", "Value": [time]}}
        return entry_of({**source(), "00400100": {"vr": "SQ", "Value": [step]}}).scheduled_at

    assert at("20260701", "0830") == "2026-07-01T08:30:00"
    assert at("20260701", "08") == "2026-07-01T08:00:00"
    assert at("20260701", "083059.123") == "2026-07-01T08:30:59"
    assert at("2026.07.01", "08:30:00") == "2026-07-01T08:30:00"
    assert at("20260701", "") == at("20260701", "what") == "2026-07-01T00:00:00"
    assert at("20261301", "0830") == ""


@pytest.mark.parametrize(
    "keys", [{"name": "x" * 193}, {"patient_id": "a\\b"}, {"accession": "A\n"}, {"modality": "Ü"}]
)
def test_a_key_that_is_none_is_told_before_anybody_is_called(keys: dict[str, str]) -> None:
    with pytest.raises(SmartBoxError) as caught:
        ask(9, **keys)
    assert caught.value.code == "bad-value"


def test_thousands_of_entries_and_a_limit(tmp_path: Path) -> None:
    steps = [Scheduled(f"P{n}", f"Many^{n}", step_id=f"S{n}") for n in range(1500)]
    with wlmscpfs(tmp_path, steps) as server:
        found, result = ask(server.port)
        assert (len({entry.id for entry in found}), result.complete, result.count) == (1500, True, 1500)
        found.clear()
        peer = Peer("127.0.0.1", server.port, "RIS")
        result = find_worklist(peer, WorklistKeys(), on_entry=found.append, limit=10)
        assert (len(found), result.count, result.complete) == (10, 10, False)
        result = find_worklist(peer, WorklistKeys(), on_entry=found.append, limit=1500)
        assert (result.count, result.complete) == (1500, True)
