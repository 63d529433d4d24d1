"""A real box that watches a folder, a real archive: each picture once, for the right patient, or for nobody yet."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
import pytest
import simplejpeg

from tests.support.box import Box, until
from tests.support.camerapictures import done, person, put, sidecars, stored, taken, waiting, watching
from tests.support.orthanc import Orthanc, orthanc
from tests.support.worklist import Scheduled, orthanc_worklist, write_worklist

pytestmark = pytest.mark.orthanc

ONE = Scheduled("W-1", "Müller^Jörg", accession="ACC-1", birth_date="19610314", sex="M", study_uid="1.2.3.4.1")
TWICE = [
    Scheduled(
        "W-2", "Łukasz^Zofia", accession=f"ACC-2{letter}", study_uid=f"1.2.3.4.2{number}", step_id=f"S2{letter}"
    )
    for number, letter in enumerate("AB")
]


@dataclass
class House:
    archive: Orthanc
    box: Box
    folder: Path

    def put(self, name: str, data: bytes) -> None:
        put(self.folder, name, data)

    def empty(self) -> None:
        """Until nothing waits in the folder."""
        until(lambda: not waiting(self.folder), 60, "the folder to be empty")

    def pictures_of(self, patient: str, count: int) -> list[pydicom.Dataset]:
        try:
            until(lambda: len(stored(self.archive, patient)) >= count, 60, f"{count} pictures")
        except AssertionError as exc:
            raise AssertionError(f"{exc}\n{self.box.log('engine')}") from exc
        return stored(self.archive, patient)

    def exams_without(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.box.ctl("exam", "list", "--unassigned")["exams"]
        return [exam for exam in found if exam["instances"]]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    base = tmp_path_factory.mktemp("house")
    folder = base / "camera"
    folder.mkdir()
    lists = write_worklist(base / "lists", [ONE, *TWICE])
    with orthanc(base / "orthanc", **orthanc_worklist(lists)) as archive:
        more = f'[worklist]\nhost = "127.0.0.1"\nport = {archive.port}\naet = "{archive.aet}"\nrefresh_s = 5\n'
        box = Box(watching(folder, archive.port, more))
        try:
            box.start()
            until(lambda: box.ctl("worklist", "query", "--cached")["items"], 20, "the worklist")
            yield House(archive, box, folder)
        finally:
            box.close()


def test_a_camera_that_writes_what_it_scanned(house: House) -> None:
    """The order's number, looked up in the worklist: its study, its patient, and nothing of the EXIF."""
    said = "ACC-1|Müller, Jörg|1961-03-14|M|Wunde links"
    house.put("R0010001.JPG", taken(1, barcode=said, orientation=6, model="G900SE"))
    house.put("R0010002.JPG", taken(2, barcode=said, sampling="420"))
    first, second = house.pictures_of("W-1", 2)
    for item in (first, second):
        assert str(item.PatientName) == "Müller^Jörg"
        assert (item.PatientBirthDate, item.PatientSex) == ("19610314", "M")
        assert (item.StudyInstanceUID, item.AccessionNumber) == ("1.2.3.4.1", "ACC-1")
        assert item.SOPClassUID == "1.2.840.10008.5.1.4.1.1.77.1.4"
        assert (item.Manufacturer, item.ManufacturerModelName) == ("RICOH", "G900SE")
        assert item.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.50"
        for trace in (b"Exif", b"ACC-1|", "Müller, J".encode()):
            assert trace not in item.PixelData
    assert first.SeriesInstanceUID == second.SeriesInstanceUID
    assert [first.InstanceNumber, second.InstanceNumber] == [1, 2]
    assert (first.Columns, first.Rows) == (240, 320)  # turned upright
    assert first.AcquisitionDateTime[8:14] == "000001"
    assert list(second.LossyImageCompressionMethod) == ["ISO_10918_1", "ISO_10918_1"]
    assert len(second.LossyImageCompressionRatio) == 2
    assert second.PhotometricInterpretation == "YBR_FULL_422"
    assert "R0010001.JPG" in done(house.folder)


def test_a_patient_as_json_in_a_comment(house: House) -> None:
    house.put("a.jpg", taken(10, person("J-1", "Prüf^Jördis", accession="J-ACC")))
    (item,) = house.pictures_of("J-1", 1)
    assert str(item.PatientName) == "Prüf^Jördis"
    assert item.AccessionNumber == "J-ACC"
    assert item.LossyImageCompressionMethod == "ISO_10918_1"  # the camera's own compression, untouched
    status = house.box.ctl("status")
    (source,) = [each for each in status["sources"] if each["id"] == "cam"]
    assert source["kind"] == "folder"
    assert source["signal"] is True
    assert source["signal_text"].startswith("watching")
    assert status["exam"] is None  # nobody's current exam


def test_a_photographed_code_names_the_pictures_after_it(house: House) -> None:
    serials = {"model": "Phone"}
    house.put("c1.jpg", taken(20, second=20, code=person("Q-1", "Erste^Eva"), **serials))
    house.put("c2.jpg", taken(21, second=21, **serials))
    house.put("c3.jpg", taken(22, second=22, **serials))
    house.put("c4.jpg", taken(23, second=23, code=person("Q-2", "Zweite^Zoe"), **serials))
    house.put("c5.jpg", taken(24, second=24, **serials))
    assert len(house.pictures_of("Q-1", 2)) == 2
    assert len(house.pictures_of("Q-2", 1)) == 1
    house.empty()
    assert {"c1.jpg", "c4.jpg"} <= set(done(house.folder))
    assert len(stored(house.archive, "Q-1")) == 2  # the code itself is no picture of anybody


def test_a_small_code_beside_something_is_a_picture_too(house: House) -> None:
    house.put("w1.jpg", taken(30, code=person("B-1"), scale=3, model="Band"))
    assert len(house.pictures_of("B-1", 1)) == 1


def test_nobody_is_named(house: House) -> None:
    before = {exam["id"] for exam in house.exams_without()}
    house.put("n1.jpg", taken(40, model="Nobody"))
    house.put("n2.jpg", taken(41, model="Nobody"))
    until(
        lambda: [exam for exam in house.exams_without() if exam["id"] not in before and exam["instances"] == 2], 60
    )
    (exam,) = [exam for exam in house.exams_without() if exam["id"] not in before]
    assert {row["state"] for row in house.box.deliveries(exam["id"])} == {"held"}
    house.box.ctl("exam", "reassign", exam["id"], "--patient-file", "-", stdin=person("N-1"))
    house.box.wait_stored(exam["id"], 2)
    assert len(stored(house.archive, "N-1")) == 2
    house.put("n3.jpg", taken(42, model="Nobody"))  # does not slip to the one that was named for the others
    until(lambda: [item for item in house.exams_without() if item["id"] not in before], 60)
    assert len(stored(house.archive, "N-1")) == 2


@pytest.mark.parametrize(
    ("said", "model"),
    [
        ("UNKNOWN-9|Müller, Jörg|1961-03-14|M|", "M1"),  # no such order
        ("ACC-1|Müller, Jörg|1971-03-14|M|", "M2"),  # somebody else's birth date
        ('{"id": "X-1", "name": "A^B", "ward": "3"}', "M3"),
        ('{"id": "X-1"', "M4"),
    ],
)
def test_what_is_not_clear_is_nobodys(house: House, said: str, model: str) -> None:
    before = {exam["id"] for exam in house.exams_without()}
    number = 50 + int(model[1])
    house.put(f"{model}-code.jpg", taken(number, second=50, code=person("GOOD-1"), model=model))
    house.put(f"{model}.jpg", taken(number + 10, said, second=51, model=model))
    found = until(lambda: [item for item in house.exams_without() if item["id"] not in before], 60)
    assert found[0]["patient"]["id"] == ""
    house.empty()
    assert not stored(house.archive, "GOOD-1")  # nor that of the code before


def test_a_patient_with_two_orders_is_that_patient_without_an_order(house: House) -> None:
    house.put("two.jpg", taken(70, "W-2"))
    (item,) = house.pictures_of("W-2", 1)
    assert (str(item.PatientName), item.AccessionNumber) == ("Łukasz^Zofia", "")
    assert not item.StudyInstanceUID.startswith("1.2.3.4.2")


def test_the_same_file_again_changes_nothing(house: House) -> None:
    data = taken(80, person("D-1"))
    house.put("d.jpg", data)
    house.pictures_of("D-1", 1)
    house.put("d.jpg", data)
    house.put("d-copy.jpg", data)
    house.empty()
    assert len([item for item in sidecars(house.box) if item["device"]["model"] == "G900SE"]) >= 1
    assert len(stored(house.archive, "D-1")) == 1
    assert len([name for name in done(house.folder) if name.startswith("d")]) == 3


def test_pictures_join_the_exam_that_the_operator_has_open(house: House) -> None:
    box = house.box
    exam = box.ctl("exam", "open", "--patient-file", "-", stdin=person("O-1"))["exam"]
    box.ctl("still", "--source", "endo")
    house.put("o.jpg", taken(90, person("O-1"), model="Op"))
    until(lambda: box.ctl("exam", "show", exam["id"])["exam"]["instances"] == 2, 60, "both pictures in one exam")
    current = box.ctl("exam", "current")["exam"]
    assert (current["id"], current["state"]) == (exam["id"], "open")
    box.ctl("exam", "close")
    box.wait_stored(exam["id"], 2)
    items = stored(house.archive, "O-1")
    assert {item.StudyInstanceUID for item in items} == {exam["study_instance_uid"]}
    assert len({item.SeriesInstanceUID for item in items}) == 2
    assert sorted(int(item.SeriesNumber) for item in items) == [1, 2]
    # the operator corrects the patient: the camera's picture goes along
    box.ctl("exam", "reassign", exam["id"], "--patient-file", "-", stdin=person("O-2", "Richtig^Rosa"))
    assert len(house.pictures_of("O-2", 2)) == 2
    # and what the old code names from now on is not for the new one
    house.put("o2.jpg", taken(91, person("O-1"), model="Op"))
    until(lambda: len(stored(house.archive, "O-1")) == 3, 60)
    assert len(stored(house.archive, "O-2")) == 2


def test_a_code_that_comes_late_holds_back_what_it_may_concern(house: House) -> None:
    box = house.box
    house.put("l1.jpg", taken(100, second=10, minute=30, code=person("L-1", "Lang^Lea"), model="Late"))
    house.put("l3.jpg", taken(101, second=30, minute=30, model="Late"))
    house.pictures_of("L-1", 1)
    house.put("l2.jpg", taken(102, second=20, minute=30, code=person("L-2", "Lind^Lia"), model="Late"))
    house.empty()

    def alarms() -> dict[str, str]:
        return {item["code"]: item["message"] for item in box.ctl("status")["alarms"]}

    until(lambda: "watched-late-Ward camera" in alarms(), 20, "the alarm")
    assert "Lang" not in json.dumps(alarms())
    (exam,) = [item for item in box.ctl("exam", "list")["exams"] if item["patient"]["id"] == "L-1"]
    assert exam["held"]
    box.ctl("exam", "release", exam["id"])
    until(lambda: "watched-late" not in json.dumps(box.ctl("status")["alarms"]), 20, "the alarm to end")


def test_exif_of_somebody_else_ends_a_code(house: House) -> None:
    house.put("e1.jpg", taken(140, second=1, minute=40, code=person("E-1"), model="Mixed"))
    house.put("e2.jpg", taken(141, person("E-2", "Zwei^Zoe"), second=2, minute=40, model="Mixed"))
    house.put("e3.jpg", taken(142, second=3, minute=40, model="Mixed"))
    house.pictures_of("E-2", 1)
    house.empty()
    assert not stored(house.archive, "E-1")
    assert len(stored(house.archive, "E-2")) == 1


def test_a_clock_that_was_set_back_gives_a_picture_to_nobody(house: House) -> None:
    house.put("s1.jpg", taken(150, second=1, minute=41, code=person("T-1"), model="Back"))
    house.put("s2.jpg", taken(151, second=50, minute=41, code=person("T-2", "Zwei^Zoe"), model="Back"))
    house.empty()
    house.put("s3.jpg", taken(152, second=20, minute=41, model="Back"))
    house.empty()
    assert not stored(house.archive, "T-1")
    assert not stored(house.archive, "T-2")


def test_other_files_and_links_are_left_alone(house: House) -> None:
    outside = house.folder.parent / "secret.jpg"
    outside.write_bytes(taken(110, person("S-1")))
    (house.folder / "link.jpg").symlink_to(outside)
    (house.folder / "inner").symlink_to(outside.parent)
    (house.folder / "notes.docx").write_bytes(b"x")
    (house.folder / ".hidden.jpg").write_bytes(taken(111, person("S-1")))
    sub = house.folder / "DCIM" / "100RICOH"
    sub.mkdir(parents=True)
    put(sub, "R1.JPG", taken(112, person("S-2")))
    house.pictures_of("S-2", 1)
    assert not stored(house.archive, "S-1")
    assert outside.exists()
    for name in ("link.jpg", "inner", "notes.docx", ".hidden.jpg"):
        (house.folder / name).unlink()
    shutil.rmtree(house.folder / "DCIM")


def test_names_stay_out_of_the_log(house: House) -> None:
    house.put("Geheim^Gerda.jpg", taken(120, person("G-1", "Geheim^Gerda")))
    house.pictures_of("G-1", 1)
    log = (house.box.folder / "engine.log").read_text()
    for word in ("Geheim", "Müller", "Prüf", "W-1", "ACC-1"):
        assert word not in log


def test_masks_and_crops_hold_for_camera_pictures_too(house: House) -> None:
    text = house.box.config.read_text().replace(
        'still_class = "vl-photographic"', 'still_class = "vl-photographic"\nmask = "0,0,100,40"\ncrop = "0,0,20,0"'
    )
    house.box.stop("engine")
    house.box.config.write_text(text)
    house.box.start("engine")
    house.put("mask.jpg", taken(130, person("K-1")))
    (item,) = house.pictures_of("K-1", 1)
    assert (item.Columns, item.Rows) == (300, 240)
    frame = next(iter(pydicom.encaps.generate_frames(item.PixelData, number_of_frames=1)))
    pixels = simplejpeg.decode_jpeg(frame)
    assert pixels[:36, :96].max() < 12
    assert pixels[60:, 120:].min() > 20
