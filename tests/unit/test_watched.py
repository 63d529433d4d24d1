"""Texts that name a patient, and those that must not; codes and the pictures after them; files in a folder."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartbox_tui.engine.watched.folder import Changed, Folder, Look
from smartbox_tui.engine.watched.patients import Patients, Said
from smartbox_tui.engine.watched.session import Code, Session, Used
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.patient import Patient
from smartbox_tui.model.worklist import WorklistEntry
from smartbox_tui.settings.schema import Settings, Watched
from smartbox_tui.store.worklist import Named
from tests.support.camerapictures import age, jpeg, taken

ENTRIES = [
    WorklistEntry(
        id="e1",
        patient=Patient("W-1", "Müller^Jörg", datetime(1961, 3, 14, tzinfo=UTC).date(), "M"),
        accession_number="ACC-1",
        study_instance_uid="1.2.3",
    ),
    WorklistEntry(
        id="e2", patient=Patient("W-2", "Zwei^Zoe"), accession_number="ACC-2", study_instance_uid="1.2.4"
    ),
    WorklistEntry(
        id="e3", patient=Patient("W-2", "Zwei^Zoe"), accession_number="ACC-3", study_instance_uid="1.2.5"
    ),
    WorklistEntry(id="e4", patient=Patient("77", "Eins^Eva"), accession_number="88", study_instance_uid="1.2.6"),
    WorklistEntry(id="e5", patient=Patient("88", "Ander^Ada"), accession_number="99", study_instance_uid="1.2.7"),
    WorklistEntry(id="e6", patient=Patient("", "Ohne^Id"), accession_number="NOID"),
]


class List:
    def entry(self, item_id: str) -> WorklistEntry:
        for entry in ENTRIES:
            if entry.id == item_id:
                return entry
        raise SmartBoxError("not-found", "none", "none")


@pytest.fixture
def who(monkeypatch: pytest.MonkeyPatch) -> Patients:
    return make(monkeypatch, "order")


def make(monkeypatch: pytest.MonkeyPatch, first_field: str) -> Patients:
    def named(_reader: Any, wanted: str) -> list[Named]:
        return [
            Named(entry.id, entry.accession_number, listed=True)
            for entry in ENTRIES
            if wanted in (entry.accession_number, entry.patient.id)
        ]

    monkeypatch.setattr("smartbox_tui.store.worklist.named", named)
    return Patients(None, List(), lambda: Settings(watched=Watched(first_field=first_field)))


def person(said: Said) -> tuple[str, str]:
    assert said.identity is not None, said
    return said.identity.patient.id, said.identity.study_instance_uid


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ACC-1", ("W-1", "1.2.3")),
        ("  W-1\r\n", ("W-1", "1.2.3")),
        ("ACC-1|Müller, Jörg|1961-03-14|M|Knie", ("W-1", "1.2.3")),
        ("ACC-1|MUELLER^Jörg|", ("W-1", "1.2.3")),
        ("W-1|egal|14.03.1961", ("W-1", "1.2.3")),
        ("ACC-1|x|19610314|m", ("W-1", "1.2.3")),
        ('{"id": "W-1", "name": "Müller^Jörg", "birth_date": "1961-03-14"}', ("W-1", "1.2.3")),
        ('{"id": "NEW", "name": "Neu^Nina"}', ("NEW", "")),
        ('{"id": "W-2", "name": "Zwei^Zoe", "accession": "ACC-3"}', ("W-2", "1.2.5")),
        ('{"id": "W-2", "name": "Zwei^Zoe"}', ("W-2", "")),  # two orders: the person is clear, the order is not
        ("W-2", ("W-2", "")),
    ],
)
def test_forms(who: Patients, text: str, expected: tuple[str, str]) -> None:
    assert person(who.of_text(text, plain_is_unclear=False)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "ACC-1|Müller, Jörg|1971-03-14|M",  # another birth date
        "ACC-1|Schmidt, Jörg||M",  # another name, no birth date
        "ACC-9|Müller, Jörg|1961-03-14|M",  # no such order
        "ACC-1|Müller|14/03/61|M",
        "ACC-1|Müller|1961-03-14|Z",
        "ACC-1|Müller|1961-02-30|M",
        "|Müller|1961-03-14|M",
        "a|b|c|d|e|f|g",
        '{"id": "W-1", "name": "Müller^Jörg", "birth_date": "1971-03-14"}',
        '{"id": "W-1", "name": "Fremd^Frida"}',
        '{"id": "X", "name": "A^B", "Geheim": 1}',
        '{"name": "A^B"}',
        '{"id": 5, "name": "A^B"}',
        "{" * 3000,
        '{"id": "X"',
        "[" * 10 + "|||",
        "88",  # one patient's order is another one's ID
        "NOID",
    ],
)
def test_what_is_not_clear_names_nobody_and_says_nothing_of_the_text(who: Patients, text: str) -> None:
    said = who.of_text(text, plain_is_unclear=False)
    assert said.identity is None
    assert said.unclear
    for word in ("Müller", "Schmidt", "ACC", "Geheim", "Frida"):
        assert word not in said.unclear


def test_the_first_field_is_a_patient_where_the_settings_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    who = make(monkeypatch, "patient")
    assert person(who.of_code("NEW-1|Neu, Nina|1990-01-01|W|")) == ("NEW-1", "")
    said = who.of_code("NEW-1|Neu, Nina|1990-01-01|W|").identity
    assert said is not None
    assert (said.patient.name, said.patient.sex) == ("Neu^Nina", "F")
    assert person(who.of_code("W-1|Müller, Jörg|1961-03-14|M|")) == ("W-1", "1.2.3")
    assert who.of_code("W-1|Müller, Jörg|1971-03-14|M|").identity is None


@pytest.mark.parametrize("text", ["OLYMPUS DIGITAL CAMERA", "Ward 3", ""])
def test_what_cameras_write_by_themselves_means_nobody(who: Patients, text: str) -> None:
    assert who.of_text(text, plain_is_unclear=False).nothing


@pytest.mark.parametrize(
    "text", ["https://example.org/x", "(01)04012345678901(17)261231", "0104012345678901172612"]
)
def test_links_and_implants_are_no_patients(who: Patients, text: str) -> None:
    assert who.of_code(text).nothing


def test_a_plain_code_that_nobody_knows_ends_the_one_before(who: Patients) -> None:
    assert who.of_code("4711").unclear


def test_two_texts_of_one_picture(who: Patients) -> None:
    both = ["ACC-1|Müller, Jörg|1961-03-14|M|Knie", "ACC-1|Müller, Jörg|1961-03-14"]
    assert person(who.of_texts([*both, "Ward 3"])) == ("W-1", "1.2.3")
    assert who.of_texts([both[0], "W-2"]).unclear


@given(st.text(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_text_gives_an_answer(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        who = make(patch, "patient")
        for form in (text, f"{{{text}", f"{text}|{text}|", f'{{"id": "1", "name": "{text}"}}', f"1|{text}||"):
            assert isinstance(who.of_code(form), Said)


# ---- codes and the pictures after them

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def at(minute: float) -> datetime:
    return NOON + timedelta(minutes=minute)


def code(name: str, minute: float, camera: str = "A") -> Code:
    return Code(name, camera, at(minute).isoformat(), f"text of {name}")


def test_a_code_counts_for_its_camera_and_its_time(tmp_path: Path) -> None:
    session = Session(tmp_path / "cam.json")
    session.add_code(code("c1", 0), 60)
    session.add_code(code("c2", 10), 60)
    for minute, camera, expected in [
        (5, "A", "c1"), (10, "A", "c2"), (69, "A", "c2"), (71, "A", None), (-1, "A", None), (5, "B", None),
    ]:  # fmt: skip
        found = Session(tmp_path / "cam.json").code_for(camera, at(minute), 60)
        assert (found.picture if found else None) == expected


def test_a_late_code_names_the_pictures_it_would_have_had(tmp_path: Path) -> None:
    session = Session(tmp_path / "cam.json")
    session.add_code(code("c1", 0), 60)
    for minute in (1, 5, 9):
        session.use(Used(f"p{minute}", "A", at(minute).isoformat(), "c1", "exam"))
    session.use(Used("other", "B", at(5).isoformat(), "c1", "exam"))
    late = session.add_code(code("c2", 4), 60)
    assert [item.picture for item in late] == ["p5", "p9"]
    assert not session.add_code(code("c2", 4), 60)  # told once


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"codes": [{}]}', b"\xff\xfe"])
def test_a_damaged_session_is_an_empty_one(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "cam.json").write_bytes(data)
    assert not Session(tmp_path / "cam.json").codes


# ---- the folder


def settled(folder: Folder) -> Look:
    folder.scan(0.0)
    return folder.scan(0.0)


def test_files_come_in_the_order_in_which_they_were_taken(tmp_path: Path) -> None:
    place = tmp_path / "in"
    place.mkdir()
    for name, second in (("a.jpg", 30), ("b.jpg", 10), ("c.JPEG", 20)):
        (place / name).write_bytes(taken(1, second=second))
    (place / "old.jpg").write_bytes(jpeg(1))
    age(place / "old.jpg", 7 * 86400)
    look = settled(Folder("cam", place, tmp_path / "work"))
    assert [item.path.name for item in look.ready] == ["old.jpg", "b.jpg", "c.JPEG", "a.jpg"]
    assert look.ready[1].peek.camera == "RICOH|G900SE|SN-0815"


def test_a_file_that_changes_is_not_taken(tmp_path: Path) -> None:
    place = tmp_path / "in"
    place.mkdir()
    file = place / "a.jpg"
    file.write_bytes(jpeg(1))
    folder = Folder("cam", place, tmp_path / "work")
    (candidate,) = settled(folder).ready
    with file.open("ab") as more:
        more.write(b"x")
    with pytest.raises(Changed):
        folder.grab(candidate)
    file.unlink()
    file.symlink_to("/etc/passwd")
    with pytest.raises((Changed, OSError)):
        folder.grab(candidate)


def test_a_folder_that_becomes_a_link_leads_nowhere(tmp_path: Path) -> None:
    place = tmp_path / "in"
    (place / "sub").mkdir(parents=True)
    (place / "sub" / "a.jpg").write_bytes(jpeg(1))
    folder = Folder("cam", place, tmp_path / "work")
    (candidate,) = settled(folder).ready
    (place / "sub").rename(tmp_path / "elsewhere")
    (place / "sub").symlink_to(tmp_path / "elsewhere")
    with pytest.raises((Changed, OSError)):
        folder.grab(candidate)


def test_names_that_are_there_already(tmp_path: Path) -> None:
    place = tmp_path / "in"
    place.mkdir()
    folder = Folder("cam", place, tmp_path / "work")
    for number in range(3):
        (place / "a.jpg").write_bytes(jpeg(number))
        (candidate,) = settled(folder).ready
        grabbed = folder.grab(candidate)
        folder.put_away(candidate, grabbed)
        folder.drop(grabbed)
    assert len(list(place.glob("done/*/*.jpg"))) == 3
    assert not list((tmp_path / "work").iterdir())


def test_done_is_emptied_by_the_day_of_taking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "in"
    today = datetime.now().astimezone().date()
    for days in (0, 29, 31, 400):
        day = place / "done" / (today - timedelta(days=days)).isoformat()
        day.mkdir(parents=True)
        (day / "a.jpg").write_bytes(b"x")
        age(day / "a.jpg", 500 * 86400)  # what the camera says of its age does not count
    (place / "done" / "mine").mkdir()
    folder = Folder("cam", place, tmp_path / "work")
    monkeypatch.setattr("smartbox_tui.spool.clock.synchronised", lambda: False)
    assert folder.purge(30) == 0
    monkeypatch.setattr("smartbox_tui.spool.clock.synchronised", lambda: True)
    assert folder.purge(30) == 2
    assert len(list((place / "done").iterdir())) == 3


def test_thousands_of_files_are_seen_in_a_moment(tmp_path: Path) -> None:
    place = tmp_path / "in"
    place.mkdir()
    data = taken(1)
    for number in range(3000):
        (place / f"{number}.jpg").write_bytes(data)
    folder = Folder("cam", place, tmp_path / "work")
    began = time.process_time()
    look = settled(folder)
    while look.unsettled:
        look = folder.scan(0.0)
    assert len(look.ready) == 3000
    assert time.process_time() - began < 20


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    folder = Folder("cam", tmp_path / "in", tmp_path / "work")
    assert folder.scan(0.0).state == "gone"
    os.mkfifo(tmp_path / "in")
    assert folder.scan(0.0).state == "gone"
