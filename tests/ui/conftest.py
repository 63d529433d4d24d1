"""The German texts are there however the tests are started."""

from __future__ import annotations

import pytest

from tests.ui import catalogs


@pytest.fixture(scope="session", autouse=True)
def _compiled() -> None:
    catalogs.compile_all()
