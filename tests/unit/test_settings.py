"""Settings: what wins, where a value comes from, what a mistake is told like."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings import describe, whole
from smartbox_tui.settings.load import load, settings_from
from smartbox_tui.settings.schema import Settings

BASE = """
station_name = "OR7"
[[sources]]
id = "endo"
kind = "pattern"
[[destinations]]
name = "archive"
host = "a.example"
aet = "PACS"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "box.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_are_the_contracts() -> None:
    settings = load(None, None, {}).settings
    assert (settings.aet, settings.port, settings.language, settings.without_patient) == (
        "SMARTBOX",
        11112,
        "de",
        "hold",
    )
    assert settings == Settings()


def test_file_site_and_environment_win_in_that_order_and_are_remembered(tmp_path: Path) -> None:
    config = write(tmp_path, BASE)
    state = tmp_path / "state"
    state.mkdir()
    (state / "site.toml").write_text('station_name = "SITE"\nlanguage = "en"\n', encoding="utf-8")
    loaded = load(config, state, {"SMARTBOX_LANGUAGE": "de", "SMARTBOX_DESTINATIONS__ARCHIVE__PORT": "11113"})
    assert (loaded.settings.station_name, loaded.settings.language) == ("SITE", "de")
    assert loaded.settings.destinations[0].port == 11113
    assert loaded.origins["station_name"] == str(state / "site.toml")
    assert loaded.origins["language"] == "SMARTBOX_LANGUAGE"
    assert loaded.origins["destinations.archive.port"] == "SMARTBOX_DESTINATIONS__ARCHIVE__PORT"
    assert loaded.origins["destinations.archive.host"] == str(config)
    assert loaded.origins["aet"] == "default"


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ('langauge = "de"', "unknown-key", "'langauge'.*language"),
        ('[[sources]]\nid = "a"\nkind = "pattern"\nsice = "1x1"', "unknown-key", "sources.a.sice.*sources.a.size"),
        ('language = "fr"', "bad-value", "language: must be one of de, en"),
        ("port = 0", "bad-value", "port: must be between"),
        ('port = "many"', "bad-value", "port: must be a whole number"),
        ('aet = "THIS TITLE IS TOO LONG"', "bad-value", "1 to 16"),
        ('[[sources]]\nkind = "pattern"', "bad-value", "needs its id"),
        ('[[sources]]\nid = "a"\nkind = "webcam"', "bad-value", "sources.a.kind"),
        ('[[sources]]\nid = "a"\nsize = "big"', "bad-value", "WIDTHxHEIGHT"),
        ('[[destinations]]\nname = "a"\nrate_limit = 100', "bad-value", "at least 10000"),
        ('[[destinations]]\nname = "a"\nca_file = "certs/ca.pem"', "bad-value", "whole path"),
        ('[worklist]\nkey_file = "../key"', "bad-value", "whole path"),
        ('[emergency]\nid = "N"', "bad-value", "never collide"),
        ("language = ", "bad-value", "TOML"),
    ],
)
def test_a_mistake_names_the_key_and_the_file(tmp_path: Path, text: str, code: str, says: str) -> None:
    config = write(tmp_path, text)
    with pytest.raises(SmartBoxError) as caught:
        load(config, None, {})
    error = caught.value
    assert error.code == code
    assert re.search(says, f"{error.message} {error.hint}", re.DOTALL), error
    assert error.hint


def test_a_named_file_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(SmartBoxError) as caught:
        load(tmp_path / "none.toml", None, {})
    assert caught.value.code == "not-found"


@pytest.mark.parametrize("text", ['worklist = "x"', "destinations = 5"])
def test_a_table_that_is_none_in_the_file_is_told_and_not_stumbled_over(tmp_path: Path, text: str) -> None:
    (tmp_path / "site.toml").write_text('[worklist]\nhost = "a"\n[[destinations]]\nname = "x"\n', encoding="utf-8")
    with pytest.raises(SmartBoxError) as caught:
        load(write(tmp_path, text), tmp_path, {})
    assert caught.value.code == "bad-value"


def test_a_key_without_its_certificate_is_told_before_it_is_written() -> None:
    given = {"name": "archive", "host": "a.example", "aet": "PACS", "key_file": "/etc/smartbox/box.key"}
    good = settings_from({"destinations": [{**given, "cert_file": "/etc/smartbox/box.pem"}]})
    bad = settings_from({"destinations": [given], "worklist": {"key_file": "box-key"}})
    whole.check(good, Settings())
    assert [path for path, _ in whole.problems(bad)] == ["destinations.archive.cert_file", "worklist.cert_file"]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ('host = "h"\naet = "A"', True),
        ('host = "h"\naet = "A"\ncommitment = true', False),
        ('host = "h"\naet = "A"\nreadback = true', False),
        ('kind = "dicomweb"\nurl = "https://h/x"\ncommitment = true', True),  # without a C-STORE to fall back on
        ('kind = "dicomweb"\nurl = "https://h/x"\nreadback = true', False),
        ('kind = "folder"\npath = "/media/x"', False),
    ],
)
def test_release_when_committed_needs_a_promise_of_everybody(tmp_path: Path, text: str, wrong: bool) -> None:
    file = tmp_path / "box.toml"
    file.write_text(f'[retention]\nrelease = "committed"\n[[destinations]]\nname = "a"\n{text}\n')
    found = [path for path, _ in whole.problems(load(file, None, {}).settings)]
    assert found == (["destinations.a.commitment"] if wrong else [])


@pytest.mark.parametrize(
    ("path", "process"),
    [
        ("panel.live", "console"),
        ("panel.font", "console"),
        ("panel.dpi", "console"),
        ("display.preview_fps", "console"),
        ("scanner.device", "console"),
        ("panel.brightness", ""),
        ("panel.touch", ""),
        ("display.theme", ""),
        ("sources.endo.fps", "capture"),
        ("port", "engine"),
    ],
)
def test_each_key_says_what_must_start_anew_for_it(path: str, process: str) -> None:
    key = describe.place(path).key
    assert key is not None
    assert key.restart == process
