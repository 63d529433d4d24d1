"""What may say who a patient is is taken out of a text, in whatever way somebody has written it."""

from __future__ import annotations

import json

import pytest

from smartbox_tui.commands.doctor.scrub import GONE, Scrubber, leaves

KNOWN = ["Müller^Jörg^^Dr.", "4711-22", "1961-03-14", "A2026-1180", "Łukasz^Ali", "12"]


@pytest.fixture
def scrubber() -> Scrubber:
    return Scrubber(KNOWN)


@pytest.mark.parametrize(
    "text",
    [
        "Müller^Jörg refused",
        "patient MÜLLER, Jörg not found",
        "mueller joerg",
        "Muller Jorg",
        "M\u0075\u0308ller",  # a letter and its dots apart
        "ID 4711-22.",
        "born 14.03.1961, 19610314, 1961-03-14, 14/03/1961",
        "A2026-1180",
        "file_Ali_2.jpg",
        "Łukasz",
        "lukasz",
        "Unknown^Person^Somebody",
        "patient 12 here",
    ],
)
def test_a_patient_is_taken_out(scrubber: Scrubber, text: str) -> None:
    out = scrubber.text(text)
    low = out.casefold()
    for part in ("müller", "mueller", "muller", "jörg", "joerg", "jorg", "4711", "1961", "1180", "ukasz", "person"):
        assert part not in low
    assert GONE in out


def test_what_an_engineer_needs_stays(scrubber: Scrubber) -> None:
    text = "10.0.0.5:104 no-route 1.2.840.10008.5.1.4.1.1.77.1.1.1 quality usb-0:2 2026-11-21T21:45:07+0100 13.5 ms"
    assert scrubber.text(text) == text


def test_identifiers_become_words_that_are_the_same_in_one_bundle_only() -> None:
    uid, exam = "2.25.113059749145936325402354257176981405696", "0b8c1d8e-7a4e-4f39-9c8a-0123456789ab"
    one, two = Scrubber([]), Scrubber([])
    out = one.text(f"{uid} of {exam}")
    assert uid not in out
    assert exam not in out
    assert out == one.text(f"{uid} of {exam.upper()}")
    assert out != two.text(f"{uid} of {exam}")
    assert one.text("1.2.276.0.7230010.3.1.4.8323329") != "1.2.276.0.7230010.3.1.4.8323329"
    assert one.text("number 12345678") == "number [number]"


def test_the_last_look_finds_what_is_written_in_another_way(scrubber: Scrubber) -> None:
    assert scrubber.clean(b"nothing to see, 12 of them")
    assert not scrubber.clean("Müller".encode())
    assert not scrubber.clean("Müller".encode("latin-1"))
    assert not scrubber.clean(json.dumps("Müller").encode())
    assert not scrubber.clean(b"born 14.03.1961")


def test_values_of_all_shapes(scrubber: Scrubber) -> None:
    said = scrubber.value({"Müller": ["Jörg", {"n": 5, "ok": None}], "plain": True})
    assert said == {GONE: [GONE, {"n": 5, "ok": None}], "plain": True}
    assert set(leaves({"a": ["x", {"b": '{"c": "y"}'}], "n": 5, "t": True})) == {"x", "y", "5"}


def test_with_no_patients_nothing_but_identifiers_goes() -> None:
    assert (
        Scrubber([]).text("capture serves /run/smartbox/capture.sock")
        == "capture serves /run/smartbox/capture.sock"
    )
