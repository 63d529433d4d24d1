"""The times of an object: one offset for all of it, the study's, whichever the clock of the house had just then."""

from __future__ import annotations

import dataclasses
import io
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartbox_tui.dicom.build import build_header
from smartbox_tui.dicom.rejection import build_rejection_note
from smartbox_tui.model.instance import JPEG_BASELINE, Kind, Picture
from smartbox_tui.model.rejection import RejectionNote
from tests.dicom.pictures import EQUIPMENT, ORDERED, Media, clip, still
from tests.support.fuzzing import examples

PAIRS = (
    ("StudyDate", "StudyTime"),
    ("ContentDate", "ContentTime"),
    ("InstanceCreationDate", "InstanceCreationTime"),
    ("DateOfSecondaryCapture", "TimeOfSecondaryCapture"),
)
BERLIN = ZoneInfo("Europe/Berlin")
MONROVIA = ZoneInfo("Africa/Monrovia")  # 44 minutes and 30 seconds behind UTC until 1972
PLAIN = Picture(
    sop_instance_uid="1.2.3.1", series_instance_uid="1.2.3.2", sop_class_uid="1.2.840.10008.5.1.4.1.1.7",
    transfer_syntax_uid=JPEG_BASELINE, kind=Kind.STILL, series_number=1, instance_number=1,
    captured_at=datetime(2026, 1, 1, tzinfo=UTC), columns=64, rows=64, bitstream_bytes=100, sampling="422",
)  # fmt: skip
ZONES = st.one_of(
    st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
    st.sampled_from([BERLIN, MONROVIA, ZoneInfo("America/St_Johns"), ZoneInfo("Asia/Kathmandu"), UTC]),
)
MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=ZONES)


def header(study_at: datetime, captured_at: datetime, picture: Picture = PLAIN) -> pydicom.Dataset:
    study = dataclasses.replace(ORDERED, study_at=study_at)
    data = build_header(study, dataclasses.replace(picture, captured_at=captured_at), EQUIPMENT)
    return pydicom.dcmread(io.BytesIO(data))


def moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%d%H%M%S.%f%z")


def utc(at: datetime) -> datetime:
    """Comparable: of an hour that comes twice Python says that it equals nothing in another zone."""
    return at.astimezone(UTC)


def assert_times(dataset: pydicom.Dataset, study_at: datetime, captured_at: datetime) -> None:
    offset = dataset.TimezoneOffsetFromUTC
    assert offset != "-0000", "PS3.3 C.12.1.1.8"
    found = 0
    for day, time in PAIRS:
        if day in dataset:
            said = moment(f"{dataset[day].value}{dataset[time].value}{offset}")
            assert said == utc(study_at if day == "StudyDate" else captured_at), day
            found += 1
    assert found >= 3
    if "AcquisitionDateTime" in dataset:
        assert moment(dataset.AcquisitionDateTime) == utc(captured_at)
        assert dataset.AcquisitionDateTime.endswith(offset)


@examples(150)
@given(MOMENTS, st.timedeltas(timedelta(hours=-30), timedelta(hours=30)), ZONES)
def test_all_times_are_in_the_offset_that_is_stated(study_at: datetime, later: timedelta, zone: timezone) -> None:
    captured_at = (study_at.astimezone(UTC) + later).astimezone(zone)
    assert_times(header(study_at, captured_at), study_at, captured_at)


@pytest.mark.parametrize(
    "begun",
    [
        datetime(2026, 10, 24, 23, 50, tzinfo=UTC),  # the hour that comes twice
        datetime(2026, 3, 29, 0, 50, tzinfo=UTC),  # the hour that never comes
    ],
)
def test_a_change_of_the_clocks_in_an_exam_changes_no_study_and_no_order(begun: datetime) -> None:
    study_at = begun.astimezone(BERLIN)
    moments = [(begun + timedelta(minutes=10 * step)).astimezone(BERLIN) for step in range(13)]
    assert len({at.utcoffset() for at in moments}) == 2, "the clocks change in between"
    made = [header(study_at, at) for at in moments]
    assert len({(item.StudyDate, item.StudyTime, item.TimezoneOffsetFromUTC) for item in made}) == 1
    assert [f"{item.ContentDate}{item.ContentTime}" for item in made] == sorted(
        f"{item.ContentDate}{item.ContentTime}" for item in made
    )
    for item, at in zip(made, moments, strict=True):
        assert_times(item, study_at, at)


def test_an_offset_that_had_seconds_is_told_in_whole_minutes() -> None:
    """A clock that was never set stands in 1970."""
    at = datetime(1970, 1, 1, 12, 0, 0, 250_000, tzinfo=MONROVIA)
    dataset = header(at, at)
    assert len(dataset.TimezoneOffsetFromUTC) == 5
    assert_times(dataset, at, at)


def test_a_rejection_note_tells_its_times_in_the_studys_offset() -> None:
    study_at = datetime(2026, 10, 25, 0, 30, tzinfo=UTC).astimezone(BERLIN)
    made_at = study_at.astimezone(UTC) + timedelta(hours=3)
    note = RejectionNote("1.2.3.90.1", "1.2.3.90", 9000, 1, made_at.astimezone(BERLIN), (("1.2", "1.3", "1.4"),))
    data = build_rejection_note(dataclasses.replace(ORDERED, study_at=study_at), note, EQUIPMENT)
    assert_times(pydicom.dcmread(io.BytesIO(data)), study_at, made_at)


def test_what_was_taken_under_a_clock_nobody_trusts_says_so(media: Media, tmp_path: Path) -> None:
    for picture in (still("vl-endoscopic", media.still), clip("video-endoscopic", media.clip_30)):
        unsure = dataclasses.replace(picture, clock_unsure=True, frames_lost=3)
        comment = header(ORDERED.study_at, picture.captured_at, unsure).ImageComments
        assert (
            comment == "3 frames lost while recording; the clock was not synchronised: date and time may be wrong"
        )
        assert "ImageComments" not in header(ORDERED.study_at, picture.captured_at, picture)
