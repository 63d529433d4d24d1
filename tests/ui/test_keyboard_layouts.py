"""The keys of every page, in both languages."""

from __future__ import annotations

from itertools import combinations

import pytest

from smartbox_tui.ui.widgets import keyboard_layouts as layouts
from smartbox_tui.ui.widgets.touch_pad import LEAST_HEIGHT, LEAST_WIDTH, arranged


@pytest.mark.parametrize("emergency", [True, False])
@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("width", [80, 100, 120, 160])
def test_every_key_is_at_least_three_by_five(width: int, language: str, emergency: bool) -> None:
    for purpose in layouts.PURPOSES:
        for page in ("letters", "digits", "signs", "host"):
            rows = layouts.rows(purpose, page, language, emergency=emergency)
            names = [item.name for row in rows for item in row]
            assert len(names) == len(set(names)), (purpose, page)
            assert {"HIDE", "ENTER", "BACKSPACE"} <= set(names), (purpose, page)
            assert ("EMERGENCY" in names) is emergency
            places = [place for row in arranged(rows, width, 12) for place in row]
            for place in places:
                told = f"{purpose} {page} {place.key.name}: {place.region}"
                assert place.region.width >= LEAST_WIDTH, told
                assert place.region.height >= LEAST_HEIGHT, told
            for one, other in combinations(places, 2):
                assert not one.region.overlaps(other.region)
            assert max(place.region.right for place in places) == width


def test_every_letter_of_both_languages_has_its_key_and_the_accents_their_letters() -> None:
    german = {item.name for row in layouts.rows("name", "letters", "de", emergency=False) for item in row}
    assert set("abcdefghijklmnopqrstuvwxyzäöüß-'") <= german
    english = [item.name for row in layouts.rows("text", "letters", "en", emergency=False) for item in row]
    assert "".join(name for name in english if len(name) == 1)[:10] == "qwertyuiop"
    for needed in "àáâãåæçèéêëìíîïłñòóôõøšśşğźżžßœčćđřťýąęő":
        assert any(needed in signs for signs in layouts.ACCENTS.values()), needed
        assert (
            not needed.upper().isupper()
            or needed == "ß"
            or any(needed.upper() in layouts.accents(letter.upper()) for letter in layouts.ACCENTS)
        ), needed
    for letter, signs in layouts.ACCENTS.items():
        assert len(signs) <= 16, f"{letter}: the accents must fit beside each other"
        assert all(sign <= "\u017f" or sign in "’–" for sign in signs), "the console's font has no more"
