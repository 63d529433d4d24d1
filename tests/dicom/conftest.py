"""Pictures for the DICOM tests: real JPEGs, real transport streams, real patients' kinds of names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import config

from tests.dicom.building import Build
from tests.dicom.pictures import Media, make_media
from tests.support.dcmtk import need
from tests.support.orthanc import Orthanc, orthanc


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Media:
    return make_media(tmp_path_factory.mktemp("media"), ffmpeg=need("ffmpeg"))


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """One Orthanc for all tests of the session."""
    with orthanc(tmp_path_factory.mktemp("orthanc")) as running:
        yield running


@pytest.fixture
def objects(tmp_path: Path) -> Path:
    folder = tmp_path / "objects"
    folder.mkdir()
    return folder


@pytest.fixture
def build(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Build:
    """`smartbox dicom build`; the folder it writes to is the test's own."""
    monkeypatch.setattr(config.settings, "reading_validation_mode", config.IGNORE)
    return Build(tmp_path, capsys)
