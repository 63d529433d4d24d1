"""Settings that are being mended: what is taken for mended, and what only looks so for a moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.again import Again
from smartbox_tui.settings.load import load

GOOD = '[[sources]]\nid = "endo"\nkind = "pattern"\n'


def broken(folder: Path, text: str) -> tuple[Path, Again]:
    file = folder / "box.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SmartBoxError) as caught:
        load(file, folder, fallback=True)
    return file, Again(file, folder, caught.value)


def test_it_holds_once_two_looks_have_seen_the_same(tmp_path: Path) -> None:
    file, again = broken(tmp_path, "[[sources]\n")
    assert "line 1" in again.trouble.message
    assert not again.look()
    file.write_text(GOOD, encoding="utf-8")
    assert not again.look()
    assert again.look()


def test_a_file_that_an_editor_has_emptied_first_is_not_taken_for_settings(tmp_path: Path) -> None:
    file, again = broken(tmp_path, GOOD + "fsp = 30\n")
    assert "sources.endo.fsp" in again.trouble.message
    assert "sources.endo.fps" in again.trouble.hint
    file.write_text("", encoding="utf-8")
    assert not again.look(), "no settings at all are settings that hold"
    file.write_text(GOOD, encoding="utf-8")
    assert not again.look()
    assert again.look()


def test_another_mistake_is_told_instead_and_begins_anew(tmp_path: Path) -> None:
    file, again = broken(tmp_path, GOOD + "fps = -3\n")
    file.write_text(GOOD, encoding="utf-8")
    assert not again.look()
    file.write_text(GOOD + 'fps = "many"\n', encoding="utf-8")
    assert not again.look()
    assert "must be a number" in again.trouble.message
    file.write_text(GOOD, encoding="utf-8")
    assert not again.look()
    assert again.look()


def test_a_file_that_was_named_and_is_not_there_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "box.toml"
    with pytest.raises(SmartBoxError) as caught:
        load(file, tmp_path, fallback=True)
    again = Again(file, tmp_path, caught.value)
    assert not again.look()
    file.write_text(GOOD, encoding="utf-8")
    assert not again.look()
    assert again.look()
