"""The store's end: what comes after it is told so, and nobody waits for ever."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.store.database import Store


def test_what_was_queued_before_the_end_is_done(tmp_path: Path) -> None:
    store = Store(tmp_path / "smartbox.db")
    gate = threading.Event()

    def slow(_database: Any) -> bool:
        return gate.wait(20)

    first, second = store.write(slow), store.write(lambda database: 7)
    threading.Timer(0.2, gate.set).start()
    store.close()
    assert (first.result(0), second.result(0)) == (True, 7)


def test_what_comes_after_the_end_is_refused_at_once(tmp_path: Path) -> None:
    """A thread of the pool that waits for it would keep the process from ending."""
    store = Store(tmp_path / "smartbox.db")
    store.close()
    with pytest.raises(SmartBoxError, match="being stopped") as caught:
        store.write(lambda database: 7).result(10)
    assert caught.value.code == "no-engine"
