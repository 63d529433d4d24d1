"""One virtual box for all tests of a run, with the package installed, and an Orthanc outside. Started by
`make appliance` only: a boot under emulation takes a minute, so elsewhere these tests are a visible skip."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.appliance import kept as kept_box
from tests.appliance.image import image
from tests.appliance.virtualbox import HOST, VirtualBox
from tests.support.orthanc import Orthanc, orthanc

PACKAGE_VARIABLE = "SMARTBOX_DEB"
IMAGES_VARIABLE = "SMARTBOX_IMAGES"
SHOTS = Path(__file__).parents[2] / "build/appliance/shots"
"""What the panel showed, for people to look at."""

SETTINGS = """
port = 11112
station_name = "VIRTUAL"
language = "en"
[clock]
wait_s = 0
[[sources]]
id = "endo"
kind = "v4l2"
device = "/dev/video0"
size = "320x180"
fps = 5
preroll_s = 2
[[destinations]]
name = "archive"
host = "{host}"
port = {port}
aet = "ORTHANC"
timeout_s = 60
retry = {{ first_s = 1, max_s = 5 }}
"""


@pytest.fixture(scope="session")
def package() -> Path:
    """The Debian package under test."""
    named = os.environ.get(PACKAGE_VARIABLE)
    if not named:
        pytest.skip("the virtual box runs in `make appliance` only")
    return Path(named)


@pytest.fixture(scope="session")
def outside(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with orthanc(tmp_path_factory.mktemp("outside")) as running:
        yield running


@pytest.fixture(scope="session")
def shots() -> Path:
    SHOTS.mkdir(parents=True, exist_ok=True)
    return SHOTS


@pytest.fixture(scope="session")
def machine(package: Path, outside: Orthanc) -> Iterator[VirtualBox]:
    """A bare Debian with the package installed as an engineer does it, and the settings of a small workplace."""
    if kept := os.environ.get(kept_box.VARIABLE):
        made: VirtualBox = kept_box.KeptBox(Path(kept))
    else:
        made = VirtualBox(image(Path(os.environ.get(IMAGES_VARIABLE, SHOTS.parent))))
    try:
        made.boot()
        if not kept:
            kept_box.install(made, package)
        yield made
    finally:
        made.close()


def settings(archive: Orthanc) -> str:
    return SETTINGS.format(host=HOST, port=archive.port)
