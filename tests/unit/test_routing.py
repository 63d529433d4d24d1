"""Which destination gets which picture: every rule against every picture, by another way of saying the same."""

from __future__ import annotations

import itertools

import pytest

from smartbox_tui.model import routing
from smartbox_tui.model.routing import DAY, Picture, Rule

SPANS = ("", "08:00-18:00", "18:00-08:00", "00:00-24:00", "06:30-07:00, 23:59-00:01", "22:00-24:00")
MINUTES = (0, 1, 389, 390, 419, 420, 479, 480, 1079, 1080, 1319, 1320, 1438, 1439, None)


def minutes_of(text: str) -> set[int]:
    """Walks the clock from the first minute to the last one."""
    found: set[int] = set()
    for part in filter(None, text.replace(" ", "").split(",")):
        start, end = (int(at[:2]) * 60 + int(at[3:]) for at in part.split("-"))
        at = start
        while True:
            found.add(at % DAY)
            at += 1
            if at % DAY == end % DAY:
                break
    return found


@pytest.mark.parametrize("hours", SPANS)
@pytest.mark.parametrize("emergency", [None, True, False])
def test_every_rule_against_every_picture(hours: str, emergency: bool | None) -> None:
    within = minutes_of(hours)
    for modalities, sources in itertools.product(("", "ES", "XC, ES"), ("", "endo", "derma,micro")):
        rule = Rule(emergency, routing.values(modalities), routing.values(sources), routing.spans(hours))
        for urgent, modality, source, minute in itertools.product(
            (True, False), ("ES", "XC", "GM", ""), ("endo", "derma", "other"), MINUTES
        ):
            wanted = [
                emergency is None or urgent == emergency,
                not modalities or modality in modalities.split(", "),
                not sources or source in sources.split(","),
                not hours or minute is None or minute in within,
            ]
            picture = Picture(urgent, modality, source, minute)
            assert rule.fits(picture) is all(wanted), (rule, picture)


def test_a_rule_without_words_takes_everything() -> None:
    assert Rule().fits(Picture(False, "", "", 0))
    assert Rule().fits(Picture(True, "ES", "endo", None))


@pytest.mark.parametrize(
    "text",
    ["18-06", "18:00", "18:00-", "25:00-06:00", "18:60-06:00", "24:00-06:00", "18:00-24:01", "8:00-8:00", "x"],
)
def test_what_is_no_time_of_day_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        routing.spans(text)


def test_the_minute_is_that_of_the_box() -> None:
    assert routing.minute_of("2026-11-20T23:59:59.999+01:00") == 1439
    assert routing.minute_of("2026-11-20T00:00:00-05:00") == 0


SOURCES = (("endo", "ES"), ("derma", "XC"), ("endo", "ES"))
ENDO = (("endo", "ES"),)


def test_rules_that_take_everything_leave_no_gap() -> None:
    day, night = (Rule(spans=routing.spans(text)) for text in ("06:00-18:00", "18:00-06:00"))
    assert list(routing.gaps([Rule()], SOURCES)) == []
    assert list(routing.gaps([day, night], SOURCES)) == []
    assert list(routing.gaps([Rule(emergency=True), Rule(emergency=False)], SOURCES)) == []
    assert list(routing.gaps([], ())) == []


def test_what_no_rule_takes_is_found() -> None:
    assert list(routing.gaps([Rule(emergency=True)], ENDO)) == [Picture(False, "ES", "endo", 0)]
    only_es = Rule(modalities=frozenset({"ES"}))
    assert {item.source for item in routing.gaps([only_es], SOURCES)} == {"derma"}
    hole = [Rule(spans=routing.spans("06:00-18:00")), Rule(spans=routing.spans("19:00-06:00"))]
    assert [(item.source, item.minute) for item in routing.gaps(hole, ENDO)] == [("endo", 1080)] * 2


def test_every_gap_is_one_and_every_minute_outside_is_none() -> None:
    """By brute force over the whole day."""
    rules = [
        Rule(True, spans=routing.spans("07:00-12:00, 13:00-07:00")),
        Rule(False, sources=frozenset({"endo"}), spans=routing.spans("00:00-24:00")),
    ]
    found = set(routing.gaps(rules, SOURCES))
    for (source, modality), emergency in itertools.product(SOURCES, (True, False)):
        missed = [
            minute
            for minute in range(DAY)
            if not any(rule.fits(Picture(emergency, modality, source, minute)) for rule in rules)
        ]
        starts = {minute for minute in missed if minute - 1 not in missed}
        assert starts == {item.minute for item in found if (item.source, item.emergency) == (source, emergency)}
