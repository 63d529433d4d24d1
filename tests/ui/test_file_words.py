"""Why a settings file does not hold, in German and English: what the real reading of real files says."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings import last_good
from smartbox_tui.settings.load import load
from smartbox_tui.ui import file_words
from smartbox_tui.ui.i18n import Texts

SOURCE = '[[sources]]\nid = "endo"\nkind = "pattern"\n'
CASES = {
    '[[sources]\nid = "endo"\n': "{file}: Zeile 1, Spalte 10: das ]] eines Abschnitts fehlt."
    " Diese Zeile berichtigen.",
    "[display\n": "{file}: Zeile 1, Spalte 9: das ] eines Abschnitts fehlt. Diese Zeile berichtigen.",
    "language = de\n": "{file}: Zeile 1, Spalte 12: das ist kein Wert; Texte stehen in Anführungszeichen."
    " Diese Zeile berichtigen.",
    "language\n": "{file}: Zeile 1, Spalte 9: zu einem Schlüssel gehören = und sein Wert. Diese Zeile berichtigen.",
    'station_name = "a\n': "{file}: Zeile 1, Spalte 18: ein schließendes Anführungszeichen fehlt."
    " Diese Zeile berichtigen.",
    'station_name = "a': "{file}: am Ende, ein schließendes Anführungszeichen fehlt. Diese Zeile berichtigen.",
    "station_name = 'a": "{file}: am Ende, ein schließendes Anführungszeichen fehlt. Diese Zeile berichtigen.",
    "station_name = '''a": "{file}: am Ende, ein schließendes Anführungszeichen fehlt. Diese Zeile berichtigen.",
    'station_name = """a': "{file}: am Ende, ein schließendes Anführungszeichen fehlt. Diese Zeile berichtigen.",
    'language = "de" port = 104\n': "{file}: Zeile 1, Spalte 17: in der Zeile steht mehr als eine Einstellung."
    " Diese Zeile berichtigen.",
    'language = "de"\nlanguage = "en"\n': "{file}: Zeile 2, Spalte 16: eine Einstellung steht zweimal da."
    " Diese Zeile berichtigen.",
    "[display]\n[display]\n": "{file}: Zeile 2, Spalte 9: ein Abschnitt steht zweimal da. Diese Zeile berichtigen.",
    "port = 1\x01\n": "{file}: Zeile 1, Spalte 9: in der Zeile steht mehr als eine Einstellung."
    " Diese Zeile berichtigen.",
    'station_name = "\x01"\n': "{file}: Zeile 1, Spalte 17: ein Zeichen, das nicht dorthin gehört."
    " Diese Zeile berichtigen.",
    "? = 1\n": "{file}: Zeile 1, Spalte 1: das ist keine Einstellung. Diese Zeile berichtigen.",
    'langage = "de"\n': "Es gibt keine Einstellung langage (in {file}). Ist language gemeint?",
    SOURCE + "fsp = 30\n": "Es gibt keine Einstellung sources.endo.fsp (in {file}). Ist sources.endo.fps gemeint?",
    "[display]\nzzz = 1\n": "Es gibt keine Einstellung display.zzz (in {file})."
    " Es gibt: keyboard, theme, preview_fps.",
    SOURCE + "fps = 1000\n": "sources.endo.fps (in {file}): 1 bis 120. Bilder je Sekunde.",
    SOURCE + 'fps = "many"\n': "sources.endo.fps (in {file}): eine Zahl, ohne Anführungszeichen."
    " Den Wert berichtigen.",
    SOURCE + 'crop = "1,2,3,4"\n': "sources.endo.crop (in {file}): Nur gerade Zahlen."
    " Was abgeschnitten wird: links, oben, rechts, unten in Bildpunkten.",
    'language = "kl"\n': "language (in {file}): eines von de, en. Sprache der Bildschirme.",
    "station_name = [1]\n": "station_name (in {file}): ein Text, in Anführungszeichen. Den Wert berichtigen.",
    "sources = 3\n": "sources (in {file}): eigene Abschnitte, in doppelten Klammern. Wie in [[sources]]",
    "[sources]\nid = 1\n": "sources: eigene Abschnitte, in doppelten Klammern. Wie in [[sources]]",
    "display = 3\n": "display (in {file}): ein eigener Abschnitt. Wie in [display]",
    '[[sources]]\nkind = "pattern"\n': '{file}: jedes [[sources]] braucht sein id. Wie in id = "..."',
}


def raised(file: Path) -> SmartBoxError:
    with pytest.raises(SmartBoxError) as caught:
        load(file, file.parent, {})
    return caught.value


def both(file: Path) -> dict[str, str]:
    trouble = raised(file)
    text = f"{trouble.message} {trouble.hint}"
    return {language: file_words.told(Texts(language), text) for language in ("de", "en")}


@pytest.mark.parametrize("text", CASES)
def test_a_slip_is_said_in_german(tmp_path: Path, text: str) -> None:
    file = tmp_path / "smartbox.toml"
    file.write_text(text, encoding="utf-8")
    said = both(file)
    assert said["de"] == CASES[text].replace("{file}", str(file))
    assert said["en"] != said["de"]


def test_what_is_no_text_or_not_there_is_said_too(tmp_path: Path) -> None:
    file = tmp_path / "smartbox.toml"
    file.write_bytes(b"\xff\xfe")
    assert both(file)["de"] == f"{file}: das ist kein Text in UTF-8. Diese Zeile berichtigen."
    file.unlink()
    assert both(file)["de"] == f"Es gibt keine Datei {file}. --config prüfen."
    file.mkdir()
    assert both(file)["de"] == f"{file} ist nicht lesbar: es ist ein Ordner. Ihre Rechte prüfen."


def test_a_variable_is_named(tmp_path: Path) -> None:
    file = tmp_path / "smartbox.toml"
    file.touch()
    with pytest.raises(SmartBoxError) as caught:
        load(file, tmp_path, {"SMARTBOX_LANGUAGE": "kl"})
    told = file_words.told(Texts("de"), f"{caught.value.message} {caught.value.hint}")
    assert told == "language (in SMARTBOX_LANGUAGE): eines von de, en. Sprache der Bildschirme."


@pytest.mark.parametrize("text", CASES)
def test_with_a_copy_in_its_stead_the_same_is_said(tmp_path: Path, text: str) -> None:
    file = tmp_path / "smartbox.toml"
    last_good.keep(tmp_path, file, SOURCE)
    file.write_text(text, encoding="utf-8")
    told = file_words.told(Texts("de"), load(file, tmp_path, {}, kept=True).instead())
    assert told.startswith(f"{CASES[text].replace('{file}', str(file))} In Kraft ist, was die Datei am ")


def test_of_a_copy_that_stands_in_it_is_said_of_when_it_is(tmp_path: Path) -> None:
    file = tmp_path / "smartbox.toml"
    last_good.keep(tmp_path, file, SOURCE)
    file.write_text(SOURCE + "fsp = 30\n", encoding="utf-8")
    loaded = load(file, tmp_path, {}, kept=True)
    loaded = dataclasses.replace(loaded, kept="2026-11-20T03:07:09+01:00")
    why = f"Es gibt keine Einstellung sources.endo.fsp (in {file}). Ist sources.endo.fps gemeint?"
    assert file_words.told(Texts("de"), loaded.instead()).startswith(f"{why} In Kraft ist, was die Datei am ")
    told = file_words.told(Texts("en"), loaded.instead())
    assert told.startswith(f"There is no setting sources.endo.fsp (in {file}). Is sources.endo.fps meant? In force")
    assert "T03:07" not in told, "a time as people read it"


def test_an_emptied_file_is_said(tmp_path: Path) -> None:
    file = tmp_path / "smartbox.toml"
    last_good.keep(tmp_path, file, SOURCE)
    file.touch()
    said = f"{file} ist leer, und war es vorher nicht. Neu schreiben; sollen es keine Einstellungen sein, "
    assert both(file)["de"] == f"{said}sagt das ein Kommentar."


def test_what_is_not_known_is_shown_as_it_is() -> None:
    assert file_words.told(Texts("de"), "The dog ate it.") == "The dog ate it."
