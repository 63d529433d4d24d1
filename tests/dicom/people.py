"""People as they can be typed: every script, and what no name should hold."""

from __future__ import annotations

from datetime import date
from typing import Any

from hypothesis import strategies as st

MARK = "Zq7Xw"
"""Stands in every text of `people(MARK)`: it may not appear in what an error says."""

SCRIPTS = (
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ -'.,",
    "äöüÄÖÜßéèêëàâçñåøæœÿžŸ",
    "ąćęłńóśźżĄĆĘŁŃÓŚŹŻčďěňřšťůžőű",
    "абвгдежзийклмнопрстуфхцчшщъыьэюяАБВГДЕЖЗИЙЁёЇїЄєҐґ",
    "αβγδεζηθικλμνξοπρστυφχψωάέήίόύώΑΒΓΔΕΖΗΘΪΫ",
    "山田太郎出口花王小東김희중ヤマダタロウやまだたろうﾔﾏﾀﾞ",
    "محمدعليفاطمةالسلام",
    "אבגדהוזחטיכלמנסעפצקרשת",
    "สมชายใจดีกขค",
    "n\u0303a\u0308o\u0302e\u0301 \u0325\u0327",  # a base and what combines with it
    "😀👩🏽\u200d⚕️🏥\U0001f1e9\U0001f1ea\u202e\u200b\ufeff\u00a0\u3000\u2028",  # planes above, joiners, directions
)
WRONG = "\\^=\0\t\n\r\x1b\x1f\x7f\x80\x85\x9f\ufffd\ud800\udcfc\uffff"


LATIN = SCRIPTS[0], "äöüÄÖÜßéèêëàâçñåøæÿ\u00a0"
"""What ISO_IR 100 holds."""


def texts(maximum: int, *, wrong: bool = True, scripts: tuple[str, ...] = SCRIPTS) -> st.SearchStrategy[str]:
    """Mostly one script, sometimes two; seldom, if `wrong`, what no DICOM text may hold, or too much of it."""
    one = st.sampled_from(scripts).flatmap(lambda script: st.text(script, max_size=maximum))
    two = st.tuples(one, one).map("".join).map(lambda text: text[:maximum])
    # Long ones by repetition: hypothesis seldom draws a text of its full length.
    long = st.tuples(st.sampled_from([script[0] for script in scripts]), st.integers(1, maximum)).map(
        lambda it: it[0] * it[1]
    )
    if not wrong:
        return st.one_of(one, one, two, long)
    bad = st.tuples(one, st.sampled_from(WRONG), one).map("".join)
    over = st.sampled_from("aäЖ山😀").map(lambda char: char * (maximum + 1))
    return st.one_of(one, two, long, one, two, bad, over, st.text(max_size=maximum))


def names(*, wrong: bool = True, scripts: tuple[str, ...] = SCRIPTS) -> st.SearchStrategy[str]:
    """PN: up to five components in up to three groups; if `wrong`, seldom one too many, or too long a group."""

    def joined(part: st.SearchStrategy[str], least: int, most: int, sign: str) -> st.SearchStrategy[str]:
        return st.lists(part, min_size=least, max_size=most).map(sign.join)

    plain = texts(12, wrong=False, scripts=scripts).map(lambda text: text.replace("=", "").replace("^", ""))
    group = joined(plain, 1, 5, "^")
    full = st.sampled_from([one[0] * 31 + "^" + two[0] * 32 for one in scripts for two in scripts])
    good = st.one_of(group, group, joined(group, 2, 3, "="), full)
    if not wrong:
        return good
    bad = (
        joined(plain, 6, 6, "^"),
        joined(plain, 4, 4, "="),
        full.map(lambda text: text + "y"),
        joined(texts(12), 1, 5, "^"),
    )
    return st.one_of(good, good, good, *bad)


def people(
    mark: str = "", *, wrong: bool = True, scripts: tuple[str, ...] = SCRIPTS
) -> st.SearchStrategy[dict[str, Any]]:
    """What stands in a patient file, and the order's values that are typed beside it. If `wrong`, one of the values
    may be one that cannot be entered."""

    def marked(strategy: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return strategy.map(lambda text: text[: len(text) // 2] + mark + text[len(text) // 2 :])

    def text(maximum: int) -> st.SearchStrategy[str]:
        return texts(maximum - len(mark), wrong=False, scripts=scripts)

    good = st.fixed_dictionaries(
        {
            "id": marked(text(64)),
            "name": marked(names(wrong=False, scripts=scripts)),
        },
        optional={
            "birth_date": st.one_of(
                st.none(), st.just(""), st.dates(date(1850, 1, 1), date(2026, 11, 20)).map(date.isoformat)
            ),
            "sex": st.sampled_from(("M", "F", "O", "", None)),
            "age": st.sampled_from(("8Y", "008Y", "3m", "12D", "999W", "", None)),
            "accession": marked(text(16)),
            "referring_physician": marked(names(wrong=False, scripts=scripts)),
        },
    )
    if not wrong:
        return good
    other = st.one_of(st.integers(), st.booleans(), st.just([]), st.just({"a": 1}), st.floats(allow_nan=False))
    days = st.one_of(
        st.dates(date(1800, 1, 1), date(1849, 12, 31)), st.dates(date(2026, 11, 22), date(9999, 12, 31))
    )
    born = st.sampled_from(("1961-02-30", "14.03.1961", "x", "0001-01-01", "2026-W01-1", "19610314", "1961-3-14"))
    change = st.one_of(
        st.tuples(st.just("id"), st.one_of(marked(texts(64)), other)),
        st.tuples(st.just("name"), st.one_of(marked(names()), marked(names()), other)),
        st.tuples(st.just("birth_date"), st.one_of(days.map(date.isoformat), marked(born), born, other)),
        st.tuples(st.just("sex"), st.one_of(marked(st.just("m")), other)),
        st.tuples(
            st.just("age"), st.one_of(marked(texts(4)), st.sampled_from(("8", "８Y", "0Y\n", "1000Y")), other)
        ),
        st.tuples(st.just("accession"), marked(texts(16))),
        st.tuples(st.just("referring_physician"), marked(names())),
    )
    return st.one_of(good, st.tuples(good, change).map(lambda pair: pair[0] | {pair[1][0]: pair[1][1]}))
