"""What the screens say of a signal: what comes in and cannot be taken, what is wrong with an empty picture."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from smartbox_tui.ui import words
from smartbox_tui.ui.i18n import Texts
from tests.support.fakebox import SOURCE
from tests.ui.rig import busy, console


@pytest.mark.parametrize(
    ("language", "changed", "word", "help_"),
    [
        ("en", {"signal_state": "unsupported", "facts": "3840×2160 60 Hz"},
         "Format not supported: 3840×2160 60 Hz", "1080p"),
        ("de", {"signal_state": "unsupported", "facts": "3840×2160 60 Hz"},
         "Format nicht unterstützt: 3840×2160 60 Hz", "1080p"),
        ("de", {"signal_state": "unsupported"}, "Format nicht unterstützt", "1080p"),
        ("de", {"signal_state": "frozen", "picture": "black"}, "Bild ist schwarz", "Aufnahmen sind möglich"),
        ("en", {"signal_state": "frozen", "picture": "still"}, "Picture does not move", "Pictures can be taken"),
        ("en", {"signal_state": "frozen"}, "Picture is frozen", "again and again"),
        ("en", {"signal_state": "ok", "facts": "1920×1080 60 Hz", "picture": "black"}, "Signal", ""),
        ("en", {"signal_state": "no-cable", "facts": "1920×1080 60 Hz"}, "No cable", "plug"),
    ],
)  # fmt: skip
def test_the_word_and_the_help_of_a_signal(language: str, changed: dict[str, str], word: str, help_: str) -> None:
    source = replace(SOURCE, **changed)
    t = Texts(language)
    assert words.signal_word(t, source) == word
    assert help_ in words.signal_help(t, source)
    loud = words.signal_word(t, source, loud=True)
    assert loud.endswith(source.facts) or source.signal_state != "unsupported", "units keep their letters"
    assert loud.startswith(word.split(":")[0].upper())


async def test_a_picture_that_does_not_move_is_said_below_it_and_not_covered() -> None:
    async with console(busy, language="en") as rig:
        for picture, covered in (("black", True), ("still", False)):
            rig.box._source(replace(rig.box.sources[0], signal_state="frozen", picture=picture))
            word = words.PICTURE[picture]
            await rig.until(lambda word=word: word in rig.text())
            assert (word.upper() in rig.text()) is covered
