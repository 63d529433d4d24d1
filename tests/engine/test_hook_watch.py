"""Archives and alarms as hooks are told of them: once, when they stand, also over a restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.engine.hooks.watch import STAND_S, Watch
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.hooks import EVENTS, chosen
from smartbox_tui.store import hooks
from smartbox_tui.store.database import Store
from smartbox_tui.wire import state


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "smartbox.db")
    made.write(lambda db: hooks.configure(db, {"all": (chosen("*"), False)})).result()
    yield made
    made.close()


def status(word: str = "ok", *alarms: str) -> state.Status:
    archive = state.Destination(name="archive", kind="dimse", state=word, reason="why", code="no-route", open=3)
    return state.Status(
        version="0",
        exam=None,
        sources=[],
        queue={},
        storage=state.Storage(free_bytes=7, hours_left=0.5),
        destinations=[archive],
        clock="trusted",
        alarms=[state.Alarm(code=code, message=f"{code}!", since="then") for code in alarms],
    )


def started(store: Store) -> Watch:
    watch = Watch(store)
    watch.start()
    return watch


def told(store: Store) -> list[tuple[str, dict[str, Any]]]:
    """What was told since the last look."""
    store.write(lambda db: None).result()
    found = []
    while (event := hooks.next_event(store.reader, "all")) is not None:
        found.append((event.event, event.data))
        assert event.data.keys() == EVENTS[event.event].data.keys()
        store.write(lambda db, event=event: hooks.taken(db, "all", [event.id], "now", 0)).result()  # type: ignore[misc]
    return found


def test_an_outage_is_told_once_whatever_restarts_meanwhile(store: Store) -> None:
    watch = started(store)
    for word in ("unknown", "ok", "unreachable", "rejected", "unreachable", "paused"):
        watch.see(status(word), 0.0)
    assert [name for name, _ in told(store)] == ["destination.away"]
    watch = started(store)
    for word in ("unknown", "unreachable"):
        watch.see(status(word), 0.0)
    assert told(store) == []
    for word in ("ok", "ok"):
        watch.see(status(word), 0.0)
    ((name, data),) = told(store)
    assert (name, data["destination"], data["open"]) == ("destination.back", "archive", 3)
    watch.see(status("unreachable"), 0.0)
    assert [name for name, _ in told(store)] == ["destination.away"], "the next outage"


def test_an_alarm_is_told_when_it_stands_and_when_it_is_over(store: Store) -> None:
    watch = started(store)
    watch.see(status("ok", "capture-away"), 0.0)
    watch.see(status(), 1.0)
    watch.see(status("ok", "capture-away"), STAND_S)
    assert told(store) == [], "it came and went"
    watch.see(status("ok", "capture-away"), 2 * STAND_S)
    assert [(name, data["code"]) for name, data in told(store)] == [("alarm.raised", "capture-away")]
    watch = started(store)
    watch.see(status("ok"), 0.0)
    watch.see(status("ok", "capture-away"), 1.0)
    watch.see(status("ok", "capture-away"), 99.0)
    assert told(store) == [], "it stands on"
    watch.see(status("ok"), 100.0)
    watch.see(status("ok"), 100.0 + STAND_S)
    assert [(name, data["message"]) for name, data in told(store)] == [("alarm.cleared", "capture-away!")]


def test_a_disk_that_runs_full_is_told_step_by_step(store: Store) -> None:
    watch = started(store)
    for at, code in ((0.0, "disk-low"), (10.0, "disk-low"), (20.0, "disk-urgent"), (30.0, "disk-urgent")):
        watch.see(status("ok", code), at)
    low = [data for name, data in told(store) if name == "disk.low"]
    assert low == [{"code": code, "free_bytes": 7, "hours_left": 0.5} for code in ("disk-low", "disk-urgent")]


def test_what_could_not_be_written_down_is_told_later(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    watch, tell = started(store), hooks.tell

    def full(*_: Any, **__: Any) -> None:
        raise SmartBoxError("disk-full", "The disk is full.", "Free space.")

    monkeypatch.setattr(hooks, "tell", full)
    watch.see(status("unreachable"), 0.0)
    assert told(store) == []
    monkeypatch.setattr(hooks, "tell", tell)
    watch.see(status("unreachable"), 1.0)
    watch.see(status("unreachable"), 2.0)
    assert [name for name, _ in told(store)] == ["destination.away"]


def test_what_is_seen_before_the_start_is_not_lost_and_not_told_early(store: Store) -> None:
    watch = Watch(store)
    watch.see(status("unreachable"), 0.0)
    assert told(store) == []
    watch.start()
    watch.see(status("unreachable"), 0.0)
    assert [name for name, _ in told(store)] == ["destination.away"]
