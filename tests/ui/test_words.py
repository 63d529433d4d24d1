"""Plain words: names, ages, dates, errors."""

from __future__ import annotations

from datetime import date

import pytest

from smartbox_tui.errors import CODES, SmartBoxError
from smartbox_tui.ui import sentences, words
from smartbox_tui.ui.form_values import iso_date
from smartbox_tui.ui.i18n import Texts, clip_length, running_time
from smartbox_tui.wire import state

DE, EN = Texts("de"), Texts("en")
TODAY = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Müller^Jörg", "Müller, Jörg"),
        ("Weiß^Anna^Maria^Dr.", "Weiß, Anna Maria, Dr."),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada, Tarou"),
        ("Łukasz", "Łukasz"),
        ("", ""),
    ],
)
def test_a_name_is_written_for_people(name: str, shown: str) -> None:
    assert words.person(name) == shown


@pytest.mark.parametrize(
    ("born", "age", "german", "english"),
    [
        ("1961-03-14", None, "14.03.1961 (65)", "14 Mar 1961 (65)"),
        ("1961-11-21", None, "21.11.1961 (64)", "21 Nov 1961 (64)"),
        ("2025-12-01", None, "01.12.2025 (11 Monate)", "1 Dec 2025 (11 months)"),
        (None, "008Y", "etwa 8 Jahre", "about 8 years"),
        (None, None, "", ""),
    ],
)
def test_the_birth_date_comes_with_the_age(born: str | None, age: str | None, german: str, english: str) -> None:
    patient = state.Patient(id="1", name="A", birth_date=born, age=age)
    assert words.born(DE, patient, TODAY) == german
    assert words.born(EN, patient, TODAY) == english


@pytest.mark.parametrize(
    ("typed", "iso"),
    [
        ("14.3.1961", "1961-03-14"),
        ("14/03/1961", "1961-03-14"),
        ("14031961", "1961-03-14"),
        ("1961-03-14", "1961-03-14"),
        ("14.3.61", "14.3.61"),
        ("gestern", "gestern"),
    ],
)
def test_a_birth_date_is_taken_as_people_type_it(typed: str, iso: str) -> None:
    assert iso_date(typed) == iso


def test_every_code_of_the_contract_has_a_sentence_and_a_hint_in_both_languages() -> None:
    assert set(sentences.SENTENCES) == CODES
    for code in CODES:
        for part in (0, 1):
            german, english = sentences.sentence(DE, code)[part], sentences.sentence(EN, code)[part]
            assert german
            assert english
            assert german != english, f"{code} is not translated"


def test_the_engine_s_own_sentence_is_kept_as_the_detail() -> None:
    what, below = sentences.error_texts(DE, SmartBoxError("archive-refused", "A700 out of resources", "x"))
    assert what == "Das Archiv hat das Bild abgelehnt."
    assert "A700 out of resources" in below
    assert "noch einmal senden" in below


def test_a_field_s_error_names_the_key_and_speaks_the_language() -> None:
    assert sentences.field_error(DE, SmartBoxError("bad-value", "birth_date: not a date")) == (
        "birth_date",
        "Kein Datum: TT.MM.JJJJ.",
    )


def test_numbers_and_spans_follow_the_language() -> None:
    assert (DE.size(1_500_000), EN.size(1_500_000)) == ("1,5 MB", "1.5 MB")
    assert (DE.span(45), DE.span(3 * 3600), DE.span(2 * 86400)) == ("45 s", "3 h", "2 Tage")
    assert (running_time(192), clip_length(42), clip_length(3725)) == ("00:03:12", "0:42", "1:02:05")


@pytest.mark.parametrize(
    ("part", "width", "drawn"), [(0.0, 4, ""), (1.0, 4, "████"), (0.5, 3, "█▌"), (2.0, 2, "██")]
)
def test_a_bar_is_drawn_in_eighths(part: float, width: int, drawn: str) -> None:
    assert words.bar(part, width) == drawn
