"""A destination's route in the settings: what may be written, what is refused, what goes together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings import route, whole
from smartbox_tui.settings.load import load, settings_from
from smartbox_tui.settings.route import Route, When
from smartbox_tui.settings.schema import Settings
from smartbox_tui.settings.site import Site


def settings(**routes: dict[str, Any]) -> Settings:
    archives = [{"name": name, "host": "h", "aet": "A", "route": values} for name, values in routes.items()]
    return settings_from({"sources": [{"id": "endo", "kind": "pattern"}], "destinations": archives})


def found(**routes: dict[str, Any]) -> list[tuple[str, str]]:
    made = settings(**routes)
    return list(whole.routed(made.destinations, made.sources))


def test_the_contracts_own_words_are_read(tmp_path: Path) -> None:
    path = tmp_path / "box.toml"
    path.write_text(
        '[[destinations]]\nname = "a"\nroute = { role = "always" }\n'
        '[[destinations]]\nname = "b"\nroute = { role = "primary" }\n'
        '[[destinations]]\nname = "c"\nroute = { backup = "b", after_s = 5,'
        ' when = { emergency = true, modality = "ES", source = "endo", hours = "18:00-06:00" } }\n'
    )
    a, b, c = load(path, None, {"SMARTBOX_DESTINATIONS__A__ROUTE__WHEN__EMERGENCY": "false"}).settings.destinations
    assert a.route == Route(when=When(emergency="false"))
    assert b.route == Route(role="primary")
    assert c.route.when == When(emergency="true", modality="ES", source="endo", hours="18:00-06:00")
    assert (c.route.backup, c.route.after_s, c.route.instead) == ("b", 5.0, False)
    assert c.route.when.rule.emergency is True
    assert When().rule.emergency is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"role": "secondary"},
        {"after_s": -1},
        {"instead": "yes"},
        {"when": {"emergency": "maybe"}},
        {"when": {"modality": "es"}},
        {"when": {"source": "a b"}},
        {"when": {"hours": "18-06"}},
        {"when": {"hours": 18}},
        {"when": True},
    ],
)
def test_what_is_no_route_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SmartBoxError) as caught:
        settings(a=wrong)
    assert caught.value.code == "bad-value"
    assert "destinations.a.route" in caught.value.message


def test_only_a_choice_that_knows_true_takes_it_without_quotes() -> None:
    with pytest.raises(SmartBoxError, match="must be a text"):
        settings(a={"when": {"hours": True}})


def test_a_misspelt_key_is_named() -> None:
    with pytest.raises(SmartBoxError) as caught:
        settings(a={"backups": "b"})
    assert (caught.value.code, "route.backup" in caught.value.hint) == ("unknown-key", True)


def test_what_goes_together() -> None:
    primary = {"role": "primary"}
    assert found(a=primary, b={"backup": "a"}, c={"role": "backup", "backup": "a"}) == []
    assert found(a={"role": "backup"}) == [("destinations.a.route.backup", route.NO_PRIMARY_NAMED)]
    assert found(a=primary, b={"role": "primary", "backup": "a"}) == [("destinations.b.route.role", route.BOTH)]
    assert found(a={"backup": "a"}) == [("destinations.a.route.backup", route.ITSELF)]
    assert found(a={"backup": "x"}) == [("destinations.a.route.backup", route.NO_ARCHIVE)]
    assert found(a={}, b={"backup": "a"}) == [("destinations.b.route.backup", route.NO_PRIMARY)]
    chain = found(a=primary, b={"backup": "a"}, c={"backup": "b"})
    assert chain == [("destinations.c.route.backup", route.NO_PRIMARY)]
    assert found(a={"when": {"source": "endo,x"}}) == [("destinations.a.route.when.source", route.NO_SOURCE)]


def test_the_box_writes_no_route_that_leads_nowhere_and_removes_no_primary_of_a_backup(tmp_path: Path) -> None:
    site = Site(tmp_path, None)
    archive = {"host": "h", "aet": "A"}
    site.put({"destinations.a": {**archive, "route": {"role": "primary"}}}, "test", "1")
    with pytest.raises(SmartBoxError, match=r"route\.backup"):
        site.put({"destinations.b": {**archive, "route": {"backup": "x"}}}, "test", "2")
    site.put(
        {"destinations.b": {**archive, "route": {"backup": "a", "when": {"hours": "08:00-09:00"}}}}, "test", "3"
    )
    with pytest.raises(SmartBoxError, match=r"route\.backup"):
        site.put({"destinations.a": None}, "test", "4")
    with pytest.raises(SmartBoxError, match=r"route\.backup"):
        site.put({"destinations.a.route.role": "always"}, "test", "5")
    site.put({"destinations.b.route.when.hours": None}, "test", "6")
    (_, b) = site.load().settings.destinations
    assert b.route == Route(backup="a"), "taking one key back leaves the others"
