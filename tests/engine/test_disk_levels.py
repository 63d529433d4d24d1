"""Bytes as hours of recording, and when somebody is called."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from smartbox_tui.engine.keeping import disk, levels
from smartbox_tui.engine.keeping.keeper import Figures
from smartbox_tui.engine.keeping.levels import Levels
from smartbox_tui.settings.schema import Recording, Retention, Settings, Source
from smartbox_tui.spool.room import Room

GB = 1_000_000_000
MB = 1 << 20


def settings(*bitrates: int, **values: object) -> Settings:
    sources = tuple(Source(id=f"s{at}", kind="pattern", bitrate=rate) for at, rate in enumerate(bitrates))
    return Settings(sources=sources, **values)  # type: ignore[arg-type]


@pytest.fixture
def a_disk(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """[bytes in all, free]."""
    size = [1000 * GB, 500 * GB]

    def room(_: Path, reserve: int) -> Room:
        return Room(size[0], size[1], reserve, reserve // 4, reserve // 32)

    monkeypatch.setattr(levels, "room", room)
    return size


def now(given: Settings) -> Levels:
    return levels.levels(Path("/"), given)


def test_hours_are_of_all_sources_together_until_a_recording_ends(a_disk: list[int]) -> None:
    one, two = now(settings(8_000_000)), now(settings(8_000_000, 12_000_000))
    hour = 8_000_000 / 8 * 3600 * 1.04
    assert one.hours_left == pytest.approx((500 * GB - 256 * MB) / hour)
    assert two.hours_left == pytest.approx(one.hours_left / 2.5)
    watched = replace(settings(8_000_000), sources=(Source(id="w", kind="folder", device="/x"),))
    assert now(watched).hours_left == one.hours_left  # nothing records: as one source would
    a_disk[1] = 0
    assert now(settings(8_000_000)).hours_left == 0


def test_room_is_made_by_hours_or_by_a_part_of_a_small_disk(a_disk: list[int]) -> None:
    large = now(settings(8_000_000))
    assert large.begin == int(10 * large.per_hour)
    assert large.end == int(20 * large.per_hour)
    a_disk[0] = 64 * GB
    small = now(settings(8_000_000))
    assert (small.begin, small.end) == (int(6.4 * GB), int(12.8 * GB))
    a_disk[0] = 4 * GB
    tiny = now(settings(8_000_000))
    assert tiny.begin > tiny.room.record  # or no recording could be begun before anything went
    assert tiny.end > tiny.begin


def test_room_is_never_made_where_nobody_wants_it(a_disk: list[int]) -> None:
    found = now(settings(8_000_000, retention=Retention(begin_hours=0)))
    assert (found.begin, found.end) == (0, 0)
    assert found.warn > 0
    wrong = now(settings(8_000_000, retention=Retention(begin_hours=30, end_hours=1)))
    assert wrong.end >= wrong.begin


def test_three_degrees_and_what_can_go_counts_as_room(a_disk: list[int]) -> None:
    given = settings(8_000_000)
    hour = now(given).per_hour
    seen = {}
    for hours in (100.0, 9.0, 1.5):
        a_disk[1] = int(hours * hour + 256 * MB)
        seen[hours] = disk.alarm(now(given), Figures(undelivered=371 * GB))
    assert seen[100.0] == ("", "")
    assert seen[9.0][0] == "disk-low"
    assert seen[1.5] == (
        "disk-urgent",
        "Space for 1.5 hours of recording is left; pictures that no archive has yet take 371.0 GB.",
    )
    assert disk.alarm(now(given), Figures(releasable=200 * GB)) == ("", "")
    a_disk[1] = 1000 * MB
    code, said = disk.alarm(now(given), Figures(releasable=200 * GB))
    assert (code, said) == ("disk-no-recording", "No recording can be begun: 1000 MB are free.")
    told = disk.storage(now(given), Figures(releasable=2, undelivered=3))
    assert (told.records, told.releasable_bytes, told.undelivered_bytes) == (False, 2, 3)
    assert (told.total_bytes, told.free_bytes, told.hours_left) == (1000 * GB, 1000 * MB, 0.2)


def test_a_reserve_of_nothing_refuses_nothing(a_disk: list[int]) -> None:
    a_disk[1] = 10
    assert disk.storage(now(settings(8_000_000, recording=Recording(reserve_bytes=0))), Figures()).records
