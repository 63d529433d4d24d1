"""What becomes of a picture that was read back: a real spool and store, an archive that says what a test wants."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.dicom import fingerprint
from smartbox_tui.dicom.fingerprint import Fingerprint
from smartbox_tui.dicom.preload import preload
from smartbox_tui.dicom.scu.get import Key
from smartbox_tui.engine.commitment import reading
from smartbox_tui.engine.commitment.promises import Promises
from smartbox_tui.engine.commitment.reading import Reading
from smartbox_tui.engine.delivery.forms import Form
from smartbox_tui.engine.delivery.parcel import Parcel
from smartbox_tui.engine.exams.adopt import Adopter
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.delivery import DeliveryState as State
from smartbox_tui.model.instance import EXPLICIT_VR_LE, JPEG_BASELINE
from smartbox_tui.settings.destination import Destination, Retry
from smartbox_tui.settings.schema import Settings
from smartbox_tui.spool import ledger
from smartbox_tui.spool.examfile import read_exam, read_revision
from smartbox_tui.store import audit, queries, queue, records
from smartbox_tui.store.database import Store
from tests.support.spooled import put_exam, put_still

ARCHIVE = Destination(
    name="archive", host="h", aet="A", send="immediately", readback=True, retry=Retry(first_s=60, attempts=3)
)
STATION = ("ENDO1", "")


class Archive:
    """`answer` makes of the true fingerprint what is given back; None: it is not there."""

    def __init__(self) -> None:
        self.answer: Callable[[Fingerprint], Fingerprint | None] = lambda found: found
        self.true: Callable[[Key], Fingerprint] = lambda _: Fingerprint("", "", "", "", "", "", "", 0)
        self.keys: list[Key] = []

    def fetch(self, key: Key) -> Fingerprint | None:
        self.keys.append(key)
        return self.answer(self.true(key))

    def stop(self) -> None:
        pass


class House:
    def __init__(self, folder: Path) -> None:
        preload()
        self.spool = folder / "spool"
        self.spool.mkdir()
        settings = Settings(destinations=(ARCHIVE,))
        self.store = Store(folder / "box.db")
        self.exam = put_exam(self.spool)
        put_still(self.spool, self.exam)
        folder = self.spool / self.exam
        exam, revision = read_exam(folder), read_revision(folder, 1)
        self.store.write(lambda database: records.put_exam(database, exam, revision)).result()
        Adopter(self.spool, self.store, lambda: settings).exam(self.exam)
        self.again: list[bool] = []
        promises = Promises(
            self.spool, self.store, lambda: settings, changed=lambda _: None,
            sent_again=lambda: self.again.append(True),
        )  # fmt: skip
        self.archive = Archive()
        self.archive.true = self.fingerprint
        self.reading = Reading(ARCHIVE, self.archive, STATION, self.spool, self.store, promises)

    @property
    def row(self) -> Any:
        (row,) = queries.deliveries(self.store.reader)
        return row

    def stored(self, reason: str = "") -> None:
        def job(database: Any) -> None:
            row = queue.claim(database, "archive", "w", 0.0)
            assert row is not None
            queue.move(database, row.id, State.STORED, reason, attempts=1)

        self.store.write(job).result()

    def fingerprint(self, key: Key, syntax: str = JPEG_BASELINE) -> Fingerprint:
        parcel = Parcel(self.spool, self.store.reader, self.row, ARCHIVE, STATION)
        reader = fingerprint.Reader(syntax)
        for piece in parcel.composition(Form(key.sop_class_uid, syntax)).chunks():
            reader.feed(piece)
        return reader.finish()

    def ledger(self) -> list[tuple[str, str]]:
        return [(item.state, item.detail) for item in ledger.read(self.spool / self.exam)]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.store.close()


def test_the_same_is_committed_with_its_line_in_the_ledger(house: House) -> None:
    house.stored("Stored, with a warning. (B123H)")
    assert house.reading.step()
    assert (house.row.state, house.row.reason) == ("committed", "Stored, with a warning. (B123H); read back")
    assert house.ledger() == [("committed", "read back")]
    (key,) = house.archive.keys
    assert JPEG_BASELINE in key.transfer_syntaxes
    assert not house.reading.step()  # there is nothing left


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"pixels": "0" * 64}, reading.OTHER_PIXELS),
        ({"patient_id": "P-2"}, reading.OTHER_PERSON),
        ({"study_uid": "1.2"}, reading.OTHER_PERSON),
        ({"series_uid": "1.2"}, reading.OTHER_PERSON),
        ({"sop_instance_uid": "1.2"}, reading.OTHER_OBJECT),
    ],
)
def test_what_differs_is_blocked_and_told_in_the_audit(house: House, change: dict[str, str], reason: str) -> None:
    house.stored()
    house.archive.answer = lambda found: replace(found, **change)  # type: ignore[arg-type]
    assert house.reading.step()
    assert (house.row.state, house.row.reason, house.row.code) == ("blocked", reason, "archive-refused")
    assert house.ledger() == []
    assert not house.again
    (line,) = audit.lines(house.store.reader, action="read-back-differs")
    assert line.exam == house.exam


def test_what_is_not_there_is_sent_again(house: House) -> None:
    house.stored()
    house.archive.answer = lambda _: None
    assert house.reading.step()
    assert (house.row.state, house.row.reason, house.row.uncertain) == ("queued", reading.MISSING, True)
    assert house.again


@pytest.mark.parametrize("change", [{"patient_id": "MPI-1"}, {"study_uid": "1.2"}])
def test_what_the_archive_had_said_to_change_may_differ(house: House, change: dict[str, str]) -> None:
    house.stored("Stored; the archive changed attributes (coercion). (B000H)")
    house.archive.answer = lambda found: replace(found, **change)  # type: ignore[arg-type]
    assert house.reading.step()
    assert house.row.state == "committed"
    assert "another patient's ID, study or series" in house.row.reason
    assert "MPI-1" not in house.row.reason


def test_even_then_other_pixels_are_other_pixels(house: House) -> None:
    house.stored("Stored; the archive changed attributes (coercion). (B000H)")
    house.archive.answer = lambda found: replace(found, pixels="0" * 64)
    assert house.reading.step()
    assert house.row.state == "blocked"


def test_and_one_that_is_not_found_by_its_old_name_stays(house: House) -> None:
    house.stored("Stored; the archive changed attributes (coercion). (B000H)")
    house.archive.answer = lambda _: None
    assert house.reading.step()
    assert (house.row.state, house.row.promise) == ("stored", "never")
    assert not house.reading.step()  # not asked for ever


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.90", EXPLICIT_VR_LE])
def test_encoded_anew_there_is_compared_without_its_pixels_and_said(house: House, syntax: str) -> None:
    """JPEG 2000, which the box never makes; and native pixels, which it no longer has."""
    house.stored()
    house.archive.answer = lambda found: replace(found, transfer_syntax_uid=syntax, pixels="1" * 64)
    assert house.reading.step()
    assert (house.row.state, house.row.reason) == ("committed", "read back; its pixels could not be compared")


def test_what_does_not_come_is_asked_for_again_and_in_the_end_blocked(house: House) -> None:
    house.stored()

    def fail(_: Fingerprint) -> Fingerprint:
        raise SmartBoxError("archive-refused", "A has the object, but does not give it back.", "")

    house.archive.answer = fail
    for turn in (1, 2):
        assert house.reading.step()
        assert (house.row.state, house.row.promise_failures) == ("stored", turn)
        assert house.row.next_at > 0
        assert not house.reading.step()  # not before its pause is over
        house.store.write(lambda db: db.execute_sql("UPDATE delivery SET next_at = NULL")).result()
    assert house.reading.step()
    assert house.row.state == "blocked"
    assert "does not give it back" in house.row.reason


@pytest.mark.parametrize("code", ["no-context", "timeout", "refused"])
def test_the_network_changes_nothing(house: House, code: str) -> None:
    house.stored()

    def fail(_: Fingerprint) -> Fingerprint:
        raise SmartBoxError(code, "away", "")

    house.archive.answer = fail
    with pytest.raises(SmartBoxError):
        house.reading.step()
    assert (house.row.state, house.row.promise, house.row.promise_failures) == ("stored", "", 0)
