"""One virtual box for all tests of a run, with the package installed, and an Orthanc outside. Started by
`make appliance` only: a boot under emulation takes a minute, so elsewhere these tests are a visible skip."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.appliance import kept as kept_box
from tests.appliance.grabber import Counter, Grabber
from tests.appliance.image import image
from tests.appliance.virtualbox import VirtualBox
from tests.support.orthanc import Orthanc, orthanc

PACKAGE_VARIABLE = "SMARTBOX_DEB"
IMAGES_VARIABLE = "SMARTBOX_IMAGES"
SHOTS = Path(__file__).parents[2] / "build/appliance/shots"
"""What the panel showed, for people to look at."""


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


@pytest.fixture(scope="module")
def counter(grabber: Grabber, machine: VirtualBox) -> Counter:
    """Of the test grabber that the file has; before anything streams from it."""
    return Counter(machine)
