"""What a field may be completed to: however it is spelt, earlier entries first, and fast."""

from __future__ import annotations

import statistics
import time

from smartbox_tui.ui.completion import Completion
from smartbox_tui.ui.folding import fold
from smartbox_tui.wire import state


def people() -> list[state.WorklistItem]:
    names = [("Müller^Jörg", "4711"), ("Muller^Ann", "4712"), ("Mühlbauer^Zoë", "13"), ("Łukaszewicz^Ewa", "14")]
    return [
        state.WorklistItem(id=pid, patient=state.Patient(id=pid, name=name), referring_physician="Weber^Anna")
        for name, pid in names
    ]


def test_completion_knows_accents_spellings_and_what_was_entered_before() -> None:
    known = Completion()
    known.feed_worklist(people())
    assert known.suggest("name", "family", "mul") == ["Muller", "Müller"]
    assert known.suggest("name", "family", "MÜ") == ["Mühlbauer", "Muller", "Müller"]
    assert known.suggest("name", "family", "mueh") == ["Mühlbauer"]
    assert known.suggest("name", "family", "luk") == ["Łukaszewicz"]
    assert known.suggest("name", "referring_physician", "we") == ["Weber, Anna"]
    assert known.suggest("name", "family", "") == []
    assert known.suggest("name", "family", "Müller") == ["Muller"]
    assert known.suggest("date", "id", "4") == []
    assert known.suggest("host", "host", "1") == []
    known.feed_worklist(people()[3:])
    assert known.suggest("name", "family", "mu") == [], "the last list is forgotten with the next one"
    known.remember("family", "Mulder")
    known.remember("family", "Munk")
    known.remember("family", "Mulder")
    assert known.suggest("name", "family", "mu")[:2] == ["Mulder", "Munk"]
    assert fold("Weiß") == "weiss"


def test_completion_of_ten_thousand_names_takes_no_time() -> None:
    syllables = ("ma", "mü", "ker", "ste", "lin", "dow", "ski", "hof", "ber", "gér")
    names = [f"{a}{b}{c}{d}".title() for a in syllables for b in syllables for c in syllables for d in syllables]
    known = Completion()
    known.feed_worklist(
        state.WorklistItem(id=str(at), patient=state.Patient(id=str(at), name=name))
        for at, name in enumerate(names)
    )
    began = time.perf_counter()
    known.prepare()
    first = time.perf_counter() - began
    times = []
    for prefix in ("m", "ma", "müker", "stelin", "zz") * 4:
        began = time.perf_counter()
        known.suggest("name", "family", prefix)
        times.append(time.perf_counter() - began)
    print(f"10000 names: ready in {first * 1e3:.0f} ms, then median {statistics.median(times) * 1e3:.2f} ms")
    assert min(times) < 0.05
