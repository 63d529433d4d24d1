"""A worklist server that does what a test wants, and a worklist that asks it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.medium_rig import folder, stick  # noqa: F401 (fixtures)
from tests.engine.worklist_rig import DAY, Rig
from tests.support.box import until
from tests.support.worklist_peer import WorklistPeer, entry, worklist_peer


@pytest.fixture
def server() -> Iterator[WorklistPeer]:
    with worklist_peer() as running:
        yield running


@pytest.fixture
def rig(server: WorklistPeer, tmp_path: Path) -> Iterator[Rig]:
    server.entries = [entry(1, DAY), entry(2, DAY)]
    made = Rig(tmp_path, host="127.0.0.1", port=server.port)
    until(lambda: made.changes, 10, "the first refresh")
    yield made
    made.stop()
