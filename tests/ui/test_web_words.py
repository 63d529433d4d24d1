"""What is said of web services has words in both languages: answers, reasons of the network, steps of the test."""

from __future__ import annotations

import inspect

import pytest

from smartbox_tui.dicom.web import status
from smartbox_tui.dicom.web.client import Reply
from smartbox_tui.dicom.web.secrets import read_secret
from smartbox_tui.dicom.web.service import Service
from smartbox_tui.dicom.web.session import Busy, Session, no_place
from smartbox_tui.dicom.web.wire import Head
from smartbox_tui.engine.delivery import webway
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.answer import Meaning
from smartbox_tui.settings import web
from smartbox_tui.ui import connection_words, reasons, setting_words
from smartbox_tui.ui.i18n import LANGUAGES, Texts
from smartbox_tui.ui.sentences import SENTENCES

URL = "https://archive.example/dicom-web"


def meanings() -> list[Meaning]:
    found = [*status.BY_STATUS.values(), *status.REASONS.values()]
    for module in (status, webway):
        found += [value for value in vars(module).values() if isinstance(value, Meaning)]
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_answer_has_words(language: str) -> None:
    t = Texts(language)
    assert len(meanings()) > 15
    for meaning in meanings():
        assert meaning.sentence in reasons.ANSWERS, meaning.sentence
        for text in (meaning.sentence, f"{meaning.sentence} (409: 0110H)"):
            said = reasons.told(t, text, "archive-refused")
            assert said
            assert said != text
            assert "0110H" not in said


def reply(code: int, **fields: str) -> Reply:
    return Reply(Head(code, "", fields))


def errors() -> list[SmartBoxError]:
    session = Session(Service(URL))
    found = [session.judge(reply(code)) for code in (401, 403, 404, 301, 501, 503)]
    found += [no_place(URL, reply(302, location="https://else.example/")), Busy(URL, reply(429))]
    with pytest.raises(SmartBoxError) as caught:
        read_secret("/nowhere", "password_file", URL)
    return [item for item in (*found, caught.value) if item is not None]


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_waits_for_a_web_service_says_what_to_do(language: str) -> None:
    t = Texts(language)
    for error in errors():
        what, hint = reasons.of_destination(t, error.message, error.code)
        assert hint
        assert what == reasons.told(t, error.message, error.code)
        assert "AE" not in f"{what} {hint}", f"{error.message}: a web service has no AE title"
        assert what != t(SENTENCES["refused"].what)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_step_and_every_rule_is_said(language: str) -> None:
    t = Texts(language)
    for step in ("connect", "tls", "authenticate", "query", "store", "fallback"):
        assert connection_words.passed(t, {"step": step, "message": ""})
    peer = {"host": "h", "port": 443, "aet": "-", "calling_aet": "B", "url": URL}
    for step in ("connect", "authenticate", "query", "store"):
        for code in ("no-route", "refused", "timeout", "called-aet-rejected", "calling-aet-rejected"):
            what, hint = connection_words.failed(t, {"step": step, "code": code, "message": "m"}, peer)
            assert what
            assert hint
            assert "{" not in what + hint
    rules = [value for name, value in vars(web).items() if name.isupper() and isinstance(value, str)]
    assert len(rules) >= 9
    for rule in rules:
        assert rule in setting_words.REASONS
        assert setting_words.reason(t, None, rule) != rule
    assert "yield" in inspect.getsource(web.problems)
