"""Every setting, choice, rule and cause has its words in both languages."""

from __future__ import annotations

from typing import Any

from smartbox_tui.settings import describe
from smartbox_tui.ui import connection_words, setting_words
from smartbox_tui.ui.i18n import LANGUAGES, Texts


def test_every_key_and_choice_has_its_words_in_both_languages() -> None:
    for language in LANGUAGES:
        t = Texts(language)
        for section in describe.sections():
            assert section.name in setting_words.SECTIONS
            assert not section.list_key or section.name in setting_words.NEW_ENTRY
            for key in section.keys:
                label = f"{section.name}.{key.key}"
                assert label in setting_words.LABELS or key.key in setting_words.LABELS, label
                if key.fixed:
                    continue
                assert setting_words.doc(t, key)
                if language == "de":
                    assert t(key.doc) != key.doc, f"{label} has no German sentence"
                for choice in key.choices:
                    assert choice in setting_words.CHOICES, f"{label}: {choice}"


def test_no_word_is_left_that_no_key_has() -> None:
    keys = {key.key for section in describe.sections() for key in section.keys}
    full = {f"{section.name}.{key.key}" for section in describe.sections() for key in section.keys}
    assert set(setting_words.LABELS) <= keys | full
    choices = {choice for section in describe.sections() for key in section.keys for choice in key.choices}
    assert set(setting_words.CHOICES) <= choices
    assert set(setting_words.ORDER) == {section.name for section in describe.sections()}


def test_every_rules_sentence_is_known() -> None:
    wrong: list[Any] = [
        "",
        "a b",
        "x" * 80,
        "ä",
        "0x0",
        "161x120",
        "9999x9999",
        "1,2",
        "1,1,1,1",
        "{x}",
        "a\\b",
        "es",
    ]
    t = Texts("de")
    for section in describe.sections():
        for key in section.keys:
            if key.type != "text" or key.choices:
                continue
            for value in wrong:
                why = describe.why_not(section.name, key, value)
                assert not why or why in setting_words.REASONS, (section.name, key.key, why)
                assert not why or setting_words.reason(t, key, why) != why


def test_every_cause_names_only_what_a_peer_has() -> None:
    peer = {"host": "h", "port": 1, "aet": "A", "calling_aet": "B", "path": "/mnt"}
    for language in LANGUAGES:
        t = Texts(language)
        for step, code in connection_words.CAUSES:
            what, hint = connection_words.failed(t, {"step": step, "code": code, "message": "m"}, peer)
            assert what
            assert hint
            assert "{" not in what + hint
        for cause in sorted(connection_words.TLS_CAUSES):
            step = {"step": "tls", "code": "tls", "cause": cause, "message": "m"}
            what, hint = connection_words.failed(t, step, peer)
            assert what
            assert hint
            assert "{" not in what + hint
