"""Every reason that the engine can write into a row of the queue has words, in both languages."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import smartbox_tui
from smartbox_tui.dicom.scu import status
from smartbox_tui.model.delivery import DeliveryState
from smartbox_tui.ui import queue_rows, reasons, words
from smartbox_tui.ui.i18n import LANGUAGES, Texts
from smartbox_tui.ui.sentences import SENTENCES
from smartbox_tui.wire import state
from tests.support.fakebox import delivery

ROOT = Path(smartbox_tui.__file__).parent
WRITERS = frozenset(
    {"move", "_move", "_move_all", "_block", "_end", "give_back", "recover", "interrupt", "apply", "_born",
     "first_state", "cancel", "Verdict"}
)  # fmt: skip
"""Functions that are given a reason, or give one."""
CONTRACT_CODES = (
    "no-engine unknown-source device-gone device-busy no-signal no-exam exam-open already-recording not-recording"
    " disk-full unknown-key bad-value refused no-route timeout tls called-aet-rejected calling-aet-rejected"
    " no-context archive-refused outcome-unknown not-found in-use invalid-object"
).split()


def _texts(node: ast.AST) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value


def written() -> tuple[set[str], set[str]]:
    """The reasons and the codes that stand in the sources where a delivery's state is changed."""
    texts: set[str] = set()
    for folder in ("engine/delivery", "engine/exams", "store"):
        for file in sorted((ROOT / folder).glob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef) and node.name in WRITERS:
                    for each in ast.walk(node):
                        if isinstance(each, ast.Return) and each.value is not None:
                            texts.update(_texts(each.value))
                        elif isinstance(each, ast.arguments):
                            for default in each.defaults:
                                texts.update(_texts(default))
                if isinstance(node, ast.Call):
                    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                    if name in WRITERS:
                        for value in [*node.args, *[item.value for item in node.keywords]]:
                            if isinstance(value, (ast.Constant, ast.JoinedStr, ast.IfExp)):
                                texts.update(_texts(value))
                if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
                    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                    if isinstance(target, ast.Name) and target.id in ("RETRIED", "CANCELLED", "why"):
                        texts.update(_texts(node.value))
    sentences = {text for text in texts if " " in text.strip() and "?" not in text and " = " not in text}
    codes = {text for text in texts if text in CONTRACT_CODES or text in reasons.CODES}
    return sentences, codes


def is_known(text: str) -> bool:
    return text in reasons.TEXTS or any(text.startswith(begin) for begin in reasons.BEGINNINGS)


def test_every_reason_in_the_sources_has_words() -> None:
    sentences, codes = written()
    held = {"no patient is assigned", "the exam is held back by hand", "is sent by hand", "the exam is open"}
    assert held <= sentences, "the sources are read"
    assert {"cancelled by hand", "the engine was restarted", "the exam was reassigned"} <= sentences
    assert {"exam-open", "no-patient", "manual", "exam-held", "cancelled", "discarded"} <= codes
    # a held row is told by its code; a select is no reason
    elsewhere = {"has no patient"}  # of an error that is told to whoever reassigns
    missing = {text for text in sentences - held - elsewhere if not is_known(text) and "SELECT" not in text}
    allowed = {text for text in missing if text.startswith((" AND ", "destination", "state", "failures", "exam "))}
    assert missing - allowed == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_has_words_and_every_error_says_what_to_do(language: str) -> None:
    t = Texts(language)
    for code in [*CONTRACT_CODES, *reasons.CODES]:
        said = reasons.told(t, "", code)
        assert said, code
        assert said != code, code
    for code in CONTRACT_CODES:
        assert SENTENCES[code].hint


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_answer_of_an_archive_has_words(language: str) -> None:
    t = Texts(language)
    for meaning in [*(row.meaning for row in status.TABLE), status.UNKNOWN]:
        for more in ("", " (A700H)", " (C001H: (no) reason given)"):
            said = reasons.told(t, meaning.sentence + more, "archive-refused")
            assert said == t(reasons.ANSWERS[meaning.sentence])
            assert said != t(meaning.sentence) or language == "en"


def test_german_has_its_own_words() -> None:
    de, en = Texts("de"), Texts("en")
    for table in (reasons.CODES, reasons.TEXTS, reasons.BEGINNINGS, reasons.ANSWERS):
        for text in table.values():
            assert de(text) != en(text), text


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_row_that_needs_a_hand_is_without_a_reason(language: str) -> None:
    t = Texts(language)
    for condition in DeliveryState:
        for code in ["", *CONTRACT_CODES, *reasons.CODES]:
            item = delivery(1, condition.value, code=code, reason="something unheard of")
            assert reasons.reason(t, item)
            word, style = queue_rows.condition(t, item)
            assert t(words.DELIVERY[condition]) in word
            assert style or condition == "queued"
    blocked = delivery(1, "blocked", code="archive-refused", reason="x")
    assert reasons.hint(t, blocked)
    assert reasons.technical("x", "archive-refused") == "archive-refused · x"


OFFER = "PACS at h:104 takes none of what this picture can be sent as. Offered: Video Endoscopic Image as H.264. "


@pytest.mark.parametrize(
    ("condition", "code", "why", "german"),
    [
        ("preparing", "", "is made ready: MP4", "Wird vorbereitet: MP4"),
        ("queued", "", "is made ready: pixels", "Wird vorbereitet: Bildpunkte"),
        (
            "blocked",
            "no-context",
            OFFER + "It takes: Video Endoscopic Image as MPEG2 Main Profile / Level 4.1.",
            "Es nimmt: Video Endoscopic Image as MPEG2 Main Profile / Level 4.1. "
            "Angeboten wurde: Video Endoscopic Image as H.264.",
        ),
        (
            "blocked",
            "no-context",
            OFFER + "It takes: nothing that the box makes. More.",
            "nichts, was die Box macht.",
        ),
        ("waiting", "", "media ended with 9", "Die Vorbereitung ist gescheitert; sie wird wiederholt."),
        ("held", "exam-held", "the exam is held back by hand", "Die Untersuchung wird von Hand zurückgehalten."),
    ],
)
def test_what_is_made_and_what_an_archive_takes_is_said_in_german(
    condition: str, code: str, why: str, german: str
) -> None:
    row: state.Delivery = delivery(1, condition, code=code, reason=why)
    said = reasons.reason(Texts("de"), row)
    assert german in said
    assert "Offered" not in said
