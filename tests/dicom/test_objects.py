"""Every object the box makes is a good one: for dciodvfy, for pydicom, and for who reads the name."""

from __future__ import annotations

import dataclasses
import datetime
import io
from pathlib import Path
from typing import Any

import pydicom
import pytest

from smartbox_tui.dicom.build import build_header
from smartbox_tui.dicom.compose import compose
from smartbox_tui.dicom.iods import IODS
from smartbox_tui.dicom.lineage import Lineage, LossyStep, Source
from smartbox_tui.dicom.modules import MODULES
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.instance import (
    EXPLICIT_VR_LE,
    H264_HP_41,
    H264_HP_42_2D,
    JPEG_EXTENDED,
    MPEG2_MPHL,
    MPEG2_MPML,
    SOP_CLASSES,
    Kind,
    Picture,
    StudyValues,
)
from smartbox_tui.model.patient import Patient
from tests.dicom.pictures import (
    CLIP_WORDS,
    EMERGENCY_CHILD,
    EQUIPMENT,
    ORDERED,
    SUMMER,
    TAKEN,
    UNASSIGNED,
    Media,
    clip,
    composition,
    still,
)
from tests.support.dcmtk import dciodvfy

STUDIES = {"ordered": ORDERED, "unassigned": UNASSIGNED, "emergency child": EMERGENCY_CHILD}

EXPLAINED = (
    "needed to build DICOMDIR",  # the patient's ID is empty, and truly so
    "Coding Scheme Designator",  # 99OPS: the hospital's own, from the worklist
    "attribute <Laterality>",  # empty: "actually unknown" is the case here
    "Acquisition Duration",  # General Acquisition, in the standard since 2021, after this dciodvfy's tables
    "Standard Extended SOP Class",  # of the same
)


def pictures(media: Media) -> list[tuple[Picture, Path]]:
    made = [(still(word, media.still), media.still) for word in SOP_CLASSES if not word.startswith("video")]
    made += [(still("vl-endoscopic", media.still, transfer_syntax_uid=JPEG_EXTENDED), media.still)]
    burst = still("multiframe-sc", media.still, kind=Kind.BURST, number_of_frames=3, frame_time_ms=200.0)
    made += [(burst, media.still)]  # dciodvfy does not look into the bitstream
    made += [(clip(word, media.clip_30), media.clip_30) for word in CLIP_WORDS]
    made += [
        (clip("video-endoscopic", media.mpeg2_ml, MPEG2_MPML), media.mpeg2_ml),
        (clip("video-endoscopic", media.mpeg2_hl, MPEG2_MPHL), media.mpeg2_hl),
    ]
    made += [(clip(word, media.clip_60, H264_HP_42_2D), media.clip_60) for word in CLIP_WORDS]
    return made


def header(study: StudyValues, picture: Picture) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(build_header(study, picture, EQUIPMENT)))


@pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)
def test_dciodvfy_finds_no_error_and_no_unexplained_warning(
    study: StudyValues, media: Media, objects: Path
) -> None:
    for picture, bitstream in pictures(media):
        path = objects / "object.dcm"
        composition(study, picture, bitstream).write(path)
        errors, warnings = dciodvfy(path)
        name = IODS[picture.sop_class_uid].name, picture.transfer_syntax_uid
        assert errors == [], name
        assert [line for line in warnings if not any(known in line for known in EXPLAINED)] == [], name


def test_every_module_an_iod_names_has_a_table() -> None:
    assert {name for iod in IODS.values() for name in iod.modules} == set(MODULES)


def test_no_attribute_stands_in_two_modules_of_one_iod() -> None:
    for iod in IODS.values():
        keywords = [item.keyword for name in iod.modules for item in MODULES[name]]
        assert len(keywords) == len(set(keywords)), iod.name


def test_the_same_values_make_the_same_bytes(media: Media) -> None:
    picture = clip("video-endoscopic", media.clip_30)
    assert build_header(ORDERED, picture, EQUIPMENT) == build_header(ORDERED, picture, EQUIPMENT)


def test_a_clip_says_what_a_player_needs(media: Media) -> None:
    found = header(ORDERED, clip("video-endoscopic", media.clip_30))
    assert found.NumberOfFrames == 30
    assert found.FrameIncrementPointer == 0x00181063
    assert float(found.FrameTime) == pytest.approx(33.333333)
    assert (found.CineRate, found.RecommendedDisplayFrameRate) == (30, 30)
    assert found.AcquisitionDuration == 1.0
    assert found.PhotometricInterpretation == "YBR_PARTIAL_420"
    assert found.file_meta.TransferSyntaxUID == H264_HP_41
    assert (found.LossyImageCompression, found.LossyImageCompressionMethod) == ("01", "ISO_14496_10")
    raw = 1280 * 720 * 3 * 30
    assert float(found.LossyImageCompressionRatio) == pytest.approx(raw / media.clip_30.stat().st_size, rel=1e-3)


def test_a_still_says_how_its_colours_are_sampled(media: Media) -> None:
    assert header(ORDERED, still("vl-endoscopic", media.still)).PhotometricInterpretation == "YBR_FULL_422"
    full = still("vl-endoscopic", media.still, sampling="444")
    assert header(ORDERED, full).PhotometricInterpretation == "YBR_FULL"


def test_a_jpeg_sampled_as_dicom_does_not_know_it_is_refused(media: Media) -> None:
    with pytest.raises(SmartBoxError, match="sampling") as caught:
        build_header(ORDERED, still("vl-endoscopic", media.still, sampling="420"), EQUIPMENT)
    assert caught.value.code == "invalid-object"


def test_the_order_of_the_worklist_stands_in_the_object(media: Media) -> None:
    found = header(ORDERED, still("vl-endoscopic", media.still))
    (request,) = found.RequestAttributesSequence
    assert request.RequestedProcedureID == "RP-1180"
    assert request.ScheduledProcedureStepID == "SPS-7"
    assert request.ScheduledProcedureStepDescription == "Koloskopie, ggf. Polypektomie für Ärzte"
    assert request.RequestedProcedureCodeSequence[0].CodeValue == "1-650"
    assert request.AccessionNumber == found.AccessionNumber == "2026-1180"
    assert request.StudyInstanceUID == found.StudyInstanceUID == "1.2.3.4.5"
    assert found.ReferencedStudySequence[0].ReferencedSOPInstanceUID == "1.2.3.99"
    assert found.ProcedureCodeSequence[0].CodeMeaning == "Diagnostische Koloskopie"
    assert found.IssuerOfPatientID == "KLINIK"
    assert found.StudyID == "RP-1180"
    assert found.SpecificCharacterSet == "ISO_IR 192"


def test_the_issuer_of_an_id_goes_when_the_id_was_corrected_by_hand(media: Media) -> None:
    other = dataclasses.replace(ORDERED, patient=Patient("9", "Other^One"))
    assert "IssuerOfPatientID" not in header(other, still("vl-endoscopic", media.still))


def test_an_unassigned_exam_has_empty_names_not_invented_ones(media: Media) -> None:
    found = header(UNASSIGNED, still("vl-endoscopic", media.still))
    assert (found.PatientName, found.PatientID, found.PatientBirthDate, found.PatientSex) == ("", "", "", "")
    assert "RequestAttributesSequence" not in found


def test_an_emergency_child_has_an_estimated_age_and_no_birth_date(media: Media) -> None:
    found = header(EMERGENCY_CHILD, still("vl-endoscopic", media.still))
    assert (found.PatientAge, found.PatientBirthDate) == ("008Y", "")
    assert "Emergency" in found.PatientComments


def test_times_are_wall_time_and_the_offset_says_which(media: Media) -> None:
    found = header(ORDERED, still("vl-endoscopic", media.still))
    assert (found.StudyDate, found.StudyTime) == ("20260701", "122005.123456")
    assert (found.ContentDate, found.ContentTime) == ("20260701", "123005.123456")
    assert found.TimezoneOffsetFromUTC == "+0200"
    assert found.AcquisitionDateTime == "20260701123005.123456+0200"


def test_all_instances_of_a_study_tell_its_time_alike_when_the_clocks_change(media: Media) -> None:
    winter = datetime.timezone(datetime.timedelta(hours=1))
    later = still("vl-endoscopic", media.still, captured_at=TAKEN.astimezone(winter))
    found = header(ORDERED, later)
    assert (found.StudyTime, found.ContentTime) == ("122005.123456", "123005.123456")
    assert found.TimezoneOffsetFromUTC == TAKEN.astimezone(SUMMER).strftime("%z")


@pytest.mark.parametrize(
    "name",
    ["Müller^Jörg", "Łukasz^Żółć", "Παπαδόπουλος^Γιώργος", "Yamada^Tarou=山田^太郎=やまだ^たろう", "O'Neill^Seán"],
)
def test_names_come_back_letter_by_letter(name: str, media: Media) -> None:
    study = dataclasses.replace(ORDERED, patient=Patient("1", name))
    assert str(header(study, still("vl-endoscopic", media.still)).PatientName) == name


def test_a_name_that_latin_1_holds_goes_as_latin_1(media: Media) -> None:
    study = dataclasses.replace(ORDERED, charset="latin-1")
    data = build_header(study, still("vl-endoscopic", media.still), EQUIPMENT)
    assert "Müller^Jörg".encode("latin-1") in data
    assert pydicom.dcmread(io.BytesIO(data)).SpecificCharacterSet == "ISO_IR 100"


@pytest.mark.parametrize("name", ["Łukasz^Jan", "Αθηνά^X", "山田^太郎", "Ole\u0085^X", "Euro€^X"])
def test_a_name_that_latin_1_cannot_hold_is_refused_never_a_question_mark(name: str, media: Media) -> None:
    study = dataclasses.replace(ORDERED, patient=Patient("1", name), charset="latin-1")
    with pytest.raises(SmartBoxError, match="PatientName") as caught:
        build_header(study, still("vl-endoscopic", media.still), EQUIPMENT)
    assert caught.value.code == "invalid-object"
    assert caught.value.hint
    assert name.split("^")[0] not in caught.value.message


def test_a_text_of_the_worklist_is_looked_at_as_well(media: Media) -> None:
    step = {
        "00400007": {"vr": "LO", "Value": ["Gastroskopie bei Łukasz"]},
        "00400009": {"vr": "SH", "Value": ["1"]},
    }
    worklist: dict[str, object] = {"00400100": {"vr": "SQ", "Value": [step]}}
    study = dataclasses.replace(ORDERED, worklist=worklist, charset="latin-1")
    with pytest.raises(SmartBoxError) as caught:
        build_header(study, still("vl-endoscopic", media.still), EQUIPMENT)
    assert caught.value.code == "invalid-object"


@pytest.mark.parametrize(
    "changes",
    [
        {"accession_number": "A" * 17},
        {"patient": Patient("1", "A\\B")},
        {"patient": Patient("1\n2", "A^B")},
        {"patient": Patient("1", "A^B", age="eight")},
        {"study_instance_uid": ""},
        {"study_instance_uid": "not a uid"},
        {"charset": "ebcdic"},
        {"study_at": datetime.datetime(2026, 7, 1, 12, 0)},
        {"worklist": {"00400100": {"vr": "SQ", "Value": [17]}}},
    ],
)
def test_a_value_that_dicom_does_not_allow_is_refused_without_quoting_it(
    changes: dict[str, object], media: Media
) -> None:
    study = dataclasses.replace(ORDERED, **changes)  # type: ignore[arg-type]
    with pytest.raises(SmartBoxError) as caught:
        build_header(study, still("vl-endoscopic", media.still), EQUIPMENT)
    assert caught.value.code == "invalid-object"
    assert caught.value.hint
    assert "AAAA" not in caught.value.message


@pytest.mark.parametrize(
    ("word", "changes"),
    [
        ("vl-endoscopic", {"sop_class_uid": "1.2.3"}),
        ("vl-endoscopic", {"transfer_syntax_uid": H264_HP_41}),
        ("video-endoscopic", {"frame_time_ms": None, "number_of_frames": 30, "transfer_syntax_uid": H264_HP_41}),
        ("vl-endoscopic", {"bitstream_bytes": 0}),
        ("vl-endoscopic", {"columns": 70000}),
    ],
)
def test_a_picture_that_is_none_is_refused(word: str, changes: dict[str, Any], media: Media) -> None:
    picture = still(word, media.still, **changes)
    with pytest.raises(SmartBoxError) as caught:
        build_header(ORDERED, picture, EQUIPMENT)
    assert caught.value.code == "invalid-object"


def test_a_burst_of_frames_has_its_frame_time(media: Media) -> None:
    picture = still("multiframe-sc", media.still, kind=Kind.BURST, number_of_frames=5, frame_time_ms=100.0)
    found = header(ORDERED, picture)
    assert (found.NumberOfFrames, found.FrameTime, found.FrameIncrementPointer) == (5, 100, 0x00181063)
    assert found.Modality == "ES"  # the worklist's: secondary capture has none of its own


def test_a_burst_has_the_modality_of_its_series(media: Media) -> None:
    """Secondary Capture has none of its own, and the series has one for all its objects (PS3.3 C.7.3.1)."""
    picture = still("multiframe-sc", media.still, kind=Kind.BURST, number_of_frames=2, frame_time_ms=40.0)
    assert header(UNASSIGNED, picture).Modality == "OT"
    assert header(UNASSIGNED, dataclasses.replace(picture, modality="GM")).Modality == "GM"
    assert header(ORDERED, dataclasses.replace(picture, modality="GM")).Modality == "GM"
    assert (
        header(ORDERED, dataclasses.replace(clip("video-endoscopic", media.clip_30), modality="GM")).Modality
        == "ES"
    )


def test_a_burst_of_one_frame_needs_no_frame_time(media: Media, tmp_path: Path) -> None:
    """What a crash leaves of a burst may be a single frame: nobody has measured a time between two."""
    picture = still("multiframe-sc", media.still, kind=Kind.BURST, number_of_frames=1)
    size = media.still.stat().st_size
    file = tmp_path / "one.dcm"
    compose(build_header(ORDERED, picture, EQUIPMENT), media.still, size, [(0, size)]).write(file)
    found = pydicom.dcmread(file)
    assert found.NumberOfFrames == 1
    assert "FrameTime" not in found
    assert "FrameIncrementPointer" not in found
    assert dciodvfy(file)[0] == []


def test_a_derived_instance_names_its_source_and_every_compression(media: Media, objects: Path) -> None:
    lineage = Lineage(
        before=(LossyStep("ISO_13818_2", 40.0),), source=Source("1.2.840.1", "1.2.3.8", "Re-encoded as H.264")
    )
    picture = clip("video-endoscopic", media.clip_30)
    data = build_header(ORDERED, picture, EQUIPMENT, lineage)
    found = pydicom.dcmread(io.BytesIO(data))
    assert found.ImageType == ["DERIVED", "PRIMARY"]
    assert found.SourceImageSequence[0].ReferencedSOPInstanceUID == "1.2.3.8"
    assert found.DerivationDescription == "Re-encoded as H.264"
    assert found.LossyImageCompressionMethod == ["ISO_13818_2", "ISO_14496_10"]
    assert len(found.LossyImageCompressionRatio) == 2
    path = objects / "derived.dcm"
    compose(data, media.clip_30, media.clip_30.stat().st_size).write(path)
    assert dciodvfy(path)[0] == []


def test_decoded_pixels_that_do_not_say_what_they_lost_are_refused(media: Media) -> None:
    with pytest.raises(SmartBoxError, match="compression"):
        build_header(ORDERED, still("vl-endoscopic", media.still, transfer_syntax_uid=EXPLICIT_VR_LE), EQUIPMENT)


def test_a_grabber_with_a_strange_name_keeps_no_picture_from_its_patient(media: Media) -> None:
    study = dataclasses.replace(ORDERED, charset="latin-1")
    equipment = dataclasses.replace(EQUIPMENT, manufacturer="Łódź\\Video\0\x07" * 9, model_name="日本")
    data = build_header(study, still("vl-endoscopic", media.still), equipment)
    found = pydicom.dcmread(io.BytesIO(data))
    assert found.Manufacturer.startswith("ódVideo")
    assert len(found.Manufacturer) <= 64
    assert "ManufacturerModelName" not in found


def test_a_sloppy_order_keeps_no_picture_from_its_archive(media: Media) -> None:
    def text(vr: str, value: str) -> dict[str, object]:
        return {"vr": vr, "Value": [value]}

    code = {"00080100": text("SH", "C" * 17), "00080102": text("SH", "99X"), "00080104": text("LO", "too long")}
    good = {"00080100": text("SH", "C1"), "00080102": text("SH", "99X"), "00080104": text("LO", "m" * 99)}
    step = {"00400007": text("LO", "a\\b\nc"), "00400009": text("SH", "S" * 17), "00080060": text("CS", "es?")}
    worklist: dict[str, object] = {
        "00321060": text("LO", "x" * 100),
        "00401001": text("SH", "RP1"),
        "00321064": {"vr": "SQ", "Value": [code, good]},
        "00400100": {"vr": "SQ", "Value": [step]},
    }
    study = dataclasses.replace(ORDERED, worklist=worklist)
    found = header(study, still("secondary-capture", media.still))
    (request,) = found.RequestAttributesSequence
    assert request.RequestedProcedureDescription == "x" * 64
    assert request.ScheduledProcedureStepDescription == "a / b c"
    assert "ScheduledProcedureStepID" not in request
    assert [item.CodeValue for item in request.RequestedProcedureCodeSequence] == ["C1"]
    assert request.RequestedProcedureCodeSequence[0].CodeMeaning == "m" * 64
    assert found.Modality == "OT"
