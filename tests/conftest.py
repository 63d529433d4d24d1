"""What several folders of tests stand on: a real Orthanc, and a box of real processes that delivers to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.box import Box, running, settings
from tests.support.orthanc import Orthanc, orthanc


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Orthanc]:
    with orthanc(tmp_path / "orthanc") as running:
        yield running


@pytest.fixture
def box(archive: Orthanc) -> Iterator[Box]:
    with running(settings(archive.port)) as made:
        yield made


@pytest.fixture(autouse=True, scope="module")
def whole_data_sets() -> None:
    """The small archive of `dicom.scp` lets pynetdicom receive in chunks, for the whole process: what one module
    started must not leave the next one's peers with empty data sets."""
    from pynetdicom import _config

    _config.STORE_RECV_CHUNKED_DATASET = False
