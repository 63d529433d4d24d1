"""`smartbox dicom build`: what is said about a picture, the file that is written, and an archive's answer."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import pytest

from smartbox_tui.cli import run
from smartbox_tui.dicom.compose import from_part10
from smartbox_tui.model.instance import (
    SOP_CLASSES,
)
from tests.dicom.building import Build, video
from tests.support.orthanc import Orthanc
from tests.unit.test_media_foreign import jpeg, picture, saved

# ---- what is said


def test_attributes_in_either_form(build: Build) -> None:
    said = {
        "PatientName": {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"},
        "00100020": {"vr": "LO", "Value": ["00123"]},
        "(0010,0030)": "19610314",
        "0010,1020": 1.75,
        "StudyID": "7",
        "ReferringPhysicianName": "Groß^Änne",
        "ImageComments": "a \\ is allowed here",
        "OtherPatientNames": ["A^B", "C^D"],
        "PatientAge": None,
        "AnatomicRegionSequence": [
            {"CodeValue": "71854001", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Kolon"},
        ],
        "ProcedureCodeSequence": {
            "vr": "SQ",
            "Value": [
                {
                    "00080100": {"vr": "SH", "Value": ["1-650"]},
                    "00080102": {"vr": "SH", "Value": ["99OPS"]},
                    "00080104": {"vr": "LO", "Value": ["Koloskopie"]},
                }
            ],
        },
        "StudyInstanceUID": "1.2.3.4",
    }
    path = build.write("a.json", json.dumps(said).encode())
    still = build.write("a.jpg", jpeg())
    found, value = build.good("vl-endoscopic", "--attributes", path, still, person=False)
    assert found.PatientName == "Yamada^Tarou=山田^太郎=やまだ^たろう"
    assert (found.PatientID, found.PatientBirthDate, found.PatientSize) == ("00123", "19610314", 1.75)
    assert (found.StudyID, found.ReferringPhysicianName) == ("7", "Groß^Änne")
    assert found.ImageComments == "a \\ is allowed here"
    assert list(found.OtherPatientNames) == ["A^B", "C^D"]
    assert found.ProcedureCodeSequence[0].CodeMeaning == "Koloskopie"
    assert found.AnatomicRegionSequence[0].CodeMeaning == "Kolon"
    assert (value["study_instance_uid"], value["findings"]) == ("1.2.3.4", [])


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        ('{"PatientNme": "x"}', "unknown-key", "PatientNme"),
        ('{"Rows": 5}', "bad-value", "Rows"),
        ('{"NumberOfFrames": 5}', "bad-value", "NumberOfFrames"),
        ('{"PhotometricInterpretation": "RGB"}', "bad-value", "PhotometricInterpretation"),
        ('{"SOPClassUID": "1.2.3"}', "bad-value", "SOPClassUID"),
        ('{"SpecificCharacterSet": "ISO_IR 100"}', "bad-value", "SpecificCharacterSet"),
        ('{"TransferSyntaxUID": "1.2.840.10008.1.2"}', "bad-value", "none of a data set"),
        ('{"0002,0010": "1.2.840.10008.1.2"}', "bad-value", "none of a data set"),
        ('{"PixelData": ""}', "bad-value", "PixelData"),
        ('{"60003000": ""}', "bad-value", "60003000"),
        ('{"0009,0010": "x"}', "bad-value", "private"),
        ('{"00100009": "x"}', "unknown-key", "00100009"),
        ('{"ICCProfile": "AAAA"}', "bad-value", "binary"),
        ('{"StudyID": 7}', "bad-value", "StudyID must be a text"),
        ('{"StudyID": true}', "bad-value", "StudyID"),
        ('{"PatientSize": "tall"}', "bad-value", "no number"),
        ('{"PatientSize": NaN}', "bad-value", "PatientSize"),
        ('{"SeriesNumber": 1.5}', "bad-value", "SeriesNumber"),
        ('{"SeriesNumber": 99999999999}', "bad-value", "SeriesNumber"),
        ('{"StudyDate": "2026-07-01"}', "invalid-object", "StudyDate"),
        ('{"Laterality": "X"}', "invalid-object", "Laterality"),
        ('{"StudyID": ["1", "2"]}', "invalid-object", "StudyID"),
        ('{"StudyID": "longer than sixteen"}', "invalid-object", "StudyID"),
        ('{"StudyID": "a\\\\b"}', "bad-value", "backslash"),
        ('{"SeriesDescription": "a\\u0007b"}', "invalid-object", "SeriesDescription"),
        ('{"Modality": ""}', "invalid-object", "Modality"),
        ('{"ProcedureCodeSequence": "x"}', "bad-value", "ProcedureCodeSequence"),
        ('{"ProcedureCodeSequence": [{"CodeVal": "x"}]}', "unknown-key", "CodeVal"),
        ('{"ProcedureCodeSequence": [{"CodeValue": "x"}]}', "invalid-object", "ProcedureCodeSequence"),
        ('{"StudyID": {"vr": "LO", "Value": ["7"]}}', "bad-value", "VR"),
        ('{"StudyID": {"vr": "SH", "InlineBinary": "AA=="}}', "bad-value", "InlineBinary"),
        ('{"StudyID": "1", "0020,0010": "2"}', "bad-value", "twice"),
        ('{"StudyID": "1", "StudyID": "2"}', "bad-value", "twice"),
        ('{"PatientID": "other"}', "bad-value", "PatientID"),
        ('["PatientID"]', "bad-value", "one JSON object"),
        ('{"PatientID": ', "bad-value", "line 1"),
        ("[" * 100000, "bad-value", "JSON"),
    ],
)  # fmt: skip
def test_attributes_that_cannot_be(build: Build, said: str, code: str, words: str) -> None:
    error = build.bad(
        "vl-photographic", "--attributes", build.write("a.json", said.encode()), build.write("a.jpg", jpeg())
    )
    assert error["code"] == code, error
    assert words in error["message"]


def test_the_nearest_keyword_is_named(build: Build) -> None:
    path = build.write("a.json", b'{"patientname": "Test^Zwei"}')
    assert "PatientName" in build.bad("vl-photographic", "--attributes", path, build.write("a.jpg", jpeg()))["hint"]


def test_character_sets(build: Build) -> None:
    still = build.write("a.jpg", jpeg())
    latin = build.write("latin.json", '{"PatientName": "Müller^Jörg"}'.encode())
    polish = build.write("polish.json", '{"PatientName": "Łukasz"}'.encode())
    found, _ = build.good("vl-photographic", "--charset", "latin-1", "--attributes", latin, still, person=False)
    assert (found.SpecificCharacterSet, found.PatientName) == ("ISO_IR 100", "Müller^Jörg")
    error = build.bad(
        "vl-photographic", "--overwrite", "--charset", "latin-1", "--attributes", polish, still, person=False
    )
    assert "PatientName" in error["message"]
    assert "Łukasz" not in json.dumps(error, ensure_ascii=False)
    found, _ = build.good("vl-photographic", "--attributes", polish, still, person=False)
    assert found.PatientName == "Łukasz"


def test_options_say_what_it_belongs_to(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    still = build.write("a.jpg", jpeg())
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"id": "T-2", "name": "Test^Zwei", "sex": "M"}'))
    words = (
        "--patient-file - --accession A-1 --study-uid 1.2.3 --series-uid 1.2.4 --sop-uid 1.2.5 "
        "--study-description Kolo --study-date 2025-05-06T07:08:09+02:00 --modality XC "
        "--series-number 4 --instance-number 9 --burned-in no"
    )
    found, _ = build.good("secondary-capture", *words.split(), still, person=False)
    assert (found.PatientID, found.PatientName, found.PatientSex) == ("T-2", "Test^Zwei", "M")
    assert (found.AccessionNumber, found.StudyDescription) == ("A-1", "Kolo")
    assert (found.StudyInstanceUID, found.SeriesInstanceUID, found.SOPInstanceUID) == ("1.2.3", "1.2.4", "1.2.5")
    assert (found.StudyDate, found.StudyTime[:6], found.TimezoneOffsetFromUTC) == ("20250506", "070809", "+0200")
    assert (found.Modality, found.SeriesNumber, found.InstanceNumber) == ("XC", 4, 9)
    assert found.BurnedInAnnotation == "NO"


def test_nobodys_picture_is_noted(build: Build) -> None:
    found, value = build.good("vl-photographic", build.write("a.jpg", jpeg()), person=False)
    assert (found.PatientID, found.PatientName) == ("", "")
    assert [item["rule"] for item in value["findings"]] == ["no-patient"]
    error = build.bad("vl-photographic", "--overwrite", "--name", "Test^Eins", build.folder / "a.jpg", person=False)
    assert error["message"].startswith("id:")


# ---- the file


def test_a_file_that_is_there_stays(build: Build) -> None:
    still = build.write("a.jpg", jpeg())
    build.good("vl-photographic", still)
    before = (build.folder / "out.dcm").read_bytes()
    assert build.bad("vl-photographic", still)["code"] == "refused"
    assert build.bad("vl-endoscopic", "--overwrite", build.write("b.jpg", jpeg()[:99]))["code"] == "invalid-object"
    assert (build.folder / "out.dcm").read_bytes() == before
    for words, target in (("no folder", "away/o.dcm"), ("folder", "."), ("one of the media", "a.jpg")):
        path = build.folder / target
        status = run(
            ["dicom", "build", "--sop-class", "vl-photographic", "--overwrite", "--out", str(path), str(still)]
        )
        assert status == 1, words
    assert still.read_bytes() == jpeg()


def test_a_folder_that_cannot_be_written(build: Build, capsys: pytest.CaptureFixture[str]) -> None:
    still = build.write("a.jpg", jpeg())
    words = ["dicom", "build", "--json", "--sop-class", "vl-photographic", "--out", "/proc/self/o.dcm", str(still)]
    assert run(words) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "refused"


def test_no_descriptor_is_left_open(build: Build) -> None:
    still, clip = build.write("a.jpg", jpeg()), video(build, "high", "a.mp4")
    build.good("vl-photographic", still)
    before = len(os.listdir("/proc/self/fd"))
    build.good("vl-photographic", still)
    build.good("video-endoscopic", "--container", "ts", clip)
    build.bad("vl-photographic", "--overwrite", clip)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.orthanc
def test_orthanc_gives_them_back_byte_for_byte(build: Build, archive: Orthanc, tmp_path: Path) -> None:
    made = [
        ("vl-photographic", [build.write("a.jpg", jpeg())]),
        ("vl-endoscopic", [build.write("g.jpg", jpeg("L"))]),
        ("secondary-capture", [build.write("a.png", saved(picture(), "PNG"))]),
        ("multiframe-sc", ["--frame-time", "40", build.folder / "a.jpg", build.folder / "a.jpg"]),
        ("video-endoscopic", [video(build, "high", "a.mp4")]),
        ("video-photographic", [video(build, "mpeg2", "a.ts")]),
    ]
    for word, arguments in made:
        _, value = build.good(word, *arguments)
        assert SOP_CLASSES[word] == value["sop_class_uid"]
        peer = f"127.0.0.1:{archive.port}:{archive.aet}"
        assert run(["dicom", "send", "--to", peer, value["file"]]) == 0
        build.silent()
        back = tmp_path / "back.dcm"
        back.write_bytes(archive.file_of(value["sop_instance_uid"]))
        ours, theirs = (b"".join(from_part10(path).chunks()) for path in (Path(value["file"]), back))
        assert ours == theirs, word
