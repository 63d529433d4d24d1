"""The settings file as it last held stands in for one that does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings import history, last_good
from smartbox_tui.settings.load import load
from smartbox_tui.settings.site import Site

GOOD = 'station_name = "BEFORE"\nlanguage = "en"\n'
BAD = 'station_name = "AFTER\n'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "box.toml"
    path.write_text(GOOD, encoding="utf-8")
    return path


@pytest.fixture
def state(tmp_path: Path) -> Path:
    found = tmp_path / "state"
    found.mkdir()
    return found


def remembered(config: Path, state: Path) -> None:
    last_good.keep(state, config, load(config, state, {}).text)


def test_the_copy_is_in_force_and_says_why(config: Path, state: Path) -> None:
    remembered(config, state)
    config.write_text(BAD, encoding="utf-8")
    with pytest.raises(SmartBoxError, match="not readable as TOML"):
        load(config, state, {}, fallback=True)
    found = load(config, state, {}, fallback=True, kept=True)
    assert found.settings.station_name == "BEFORE"
    assert found.origins["station_name"] == str(config), "it is where one looks for it"
    assert found.kept.startswith("20")
    assert "box.toml is not readable as TOML" in found.instead()
    assert found.kept in found.instead()
    config.write_text(GOOD.replace("BEFORE", "MENDED"), encoding="utf-8")
    mended = load(config, state, {}, fallback=True, kept=True)
    assert (mended.settings.station_name, mended.kept, mended.instead()) == ("MENDED", "", "")


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (BAD, "Mend that line. In force is"),
        ("station_nam = 1\n", "Did you mean 'station_name'? In force is"),
        ("language = 5.5\n", "language: must be"),
    ],
)
def test_whatever_is_wrong_with_it(bad: str, said: str, config: Path, state: Path) -> None:
    """What is wrong, what to do, and what is in force meanwhile."""
    remembered(config, state)
    config.write_text(bad, encoding="utf-8")
    found = load(config, state, {}, kept=True)
    assert found.settings.station_name == "BEFORE"
    assert said in found.instead()


@pytest.mark.parametrize("left", ["", "\n \n", "\0" * 52])
def test_what_a_power_cut_leaves_of_an_edit_is_no_settings(left: str, config: Path, state: Path) -> None:
    remembered(config, state)
    config.write_text(left, encoding="utf-8")
    with pytest.raises(SmartBoxError, match=r"box\.toml is (empty|not readable)"):
        load(config, state, {})
    with pytest.raises(SmartBoxError, match=r"box\.toml is (empty|not readable)"):
        Site(state, config, {}).put({"language": "de"}, "nurse")
    found = load(config, state, {}, kept=True)
    assert found.settings.station_name == "BEFORE"
    assert found.instead().startswith(f"{config} is ")


def test_no_settings_on_purpose_hold(config: Path, state: Path) -> None:
    remembered(config, state)
    config.write_text("# nothing, on purpose\n", encoding="utf-8")
    assert load(config, state, {}, kept=True).kept == ""
    remembered(config, state)
    config.write_text("", encoding="utf-8")
    assert load(config, state, {}, kept=True).kept == "", "nothing was lost"


def test_a_file_that_is_gone_although_it_was_named(config: Path, state: Path) -> None:
    remembered(config, state)
    config.unlink()
    found = load(config, state, {}, kept=True)
    assert found.settings.station_name == "BEFORE"
    assert "There is no settings file" in found.instead()


def test_what_the_box_wrote_counts_on_top_of_it(config: Path, state: Path) -> None:
    remembered(config, state)
    (state / "site.toml").write_text('language = "de"\n', encoding="utf-8")
    config.write_text(BAD, encoding="utf-8")
    found = load(config, state, {}, fallback=True, kept=True)
    assert (found.settings.station_name, found.settings.language) == ("BEFORE", "de")
    (state / "site.toml").write_text("language = \n", encoding="utf-8")
    both = load(config, state, {}, fallback=True, kept=True)
    assert (both.settings.language, bool(both.trouble), bool(both.kept)) == ("en", True, True)


def test_a_variable_at_fault_is_not_the_files(config: Path, state: Path) -> None:
    remembered(config, state)
    with pytest.raises(SmartBoxError, match="SMARTBOX_LANGUAGE"):
        load(config, state, {"SMARTBOX_LANGUAGE": "5.5"}, kept=True)
    config.write_text(BAD, encoding="utf-8")
    with pytest.raises(SmartBoxError, match="not readable as TOML"):
        load(config, state, {"SMARTBOX_LANGUAGE": "5.5"}, kept=True)


def test_the_copy_of_another_file_is_none(config: Path, state: Path, tmp_path: Path) -> None:
    remembered(config, state)
    other = tmp_path / "other.toml"
    other.write_text(BAD, encoding="utf-8")
    with pytest.raises(SmartBoxError, match=r"other\.toml is not readable"):
        load(other, state, {}, kept=True)


@pytest.mark.parametrize("damage", [b"", b"# {}\nlanguage = 'en'\n", b"\xff\xfe", b'# {"of": 5, "at": 5}\n'])
def test_a_copy_that_cannot_be_read_is_none(damage: bytes, config: Path, state: Path) -> None:
    remembered(config, state)
    (history.folder(state) / last_good.FILE).write_bytes(damage)
    config.write_text(BAD, encoding="utf-8")
    with pytest.raises(SmartBoxError, match="not readable as TOML"):
        load(config, state, {}, kept=True)


def test_it_is_written_when_it_is_other_only_and_is_no_state_of_the_history(config: Path, state: Path) -> None:
    remembered(config, state)
    copy = history.folder(state) / last_good.FILE
    first = copy.stat()
    assert first.st_mode & 0o007 == 0
    remembered(config, state)
    assert copy.stat().st_ino == first.st_ino
    config.write_text(GOOD + "# a word\n", encoding="utf-8")
    remembered(config, state)
    assert copy.read_text(encoding="utf-8").endswith("# a word\n")
    assert json.loads(copy.read_text(encoding="utf-8").splitlines()[0][2:])["of"] == str(config)
    assert history.numbers(state) == []
    last_good.keep(state, config, None)
    assert not copy.exists()
