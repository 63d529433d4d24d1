"""What archives promise to keep, on the screens: asked since when, never, late, and what was read back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace

from smartbox_tui.ui import reasons, words
from smartbox_tui.ui.alarms import alarm_lines
from smartbox_tui.ui.i18n import Texts
from smartbox_tui.ui.state import BoxState, Presence
from smartbox_tui.wire import state
from tests.support.fakebox import FakeBox
from tests.support.fakequeue import START, delivery
from tests.ui.rig import MIDDLE, SMALL, busy, console
from tests.ui.still_clock import StillClock
from tests.ui.test_watched_words import STATUS

SINCE = (START - timedelta(hours=3)).isoformat()
EN, DE = Texts("en"), Texts("de")


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("read back", "Aus dem Archiv zurückgelesen: es ist dasselbe."),
        (
            "read back; its pixels could not be compared",
            "Aus dem Archiv zurückgelesen; Bildpunkte nicht verglichen.",
        ),
        (
            "The archive does not have the picture that it had said to have stored. (0112H)",
            "Das Archiv hatte das Bild nicht mehr: es wird neu gesendet.",
        ),
        ("The archive holds other pixels than it was sent.", "GEFAHR: das Archiv hat ein ANDERES BILD"),
    ],
)
def test_reasons_in_german(reason: str, said: str) -> None:
    assert reasons.told(DE, reason, "").startswith(said)


def test_every_sentence_of_an_archive_has_words() -> None:
    from smartbox_tui.engine.commitment import reading
    from smartbox_tui.model import commitment

    told = [text for _, _, text in commitment.FAILURES] + [commitment.UNDEFINED]
    told += [reading.MISSING, reading.OTHER_OBJECT, reading.OTHER_PERSON, reading.OTHER_PIXELS]
    for text in told:
        assert reasons.told(DE, f"{text} (0110H)", "archive-refused") not in ("", text)
        assert reasons.told(DE, text, "archive-refused") == DE(reasons.ANSWERS[text])


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"promise": "ok", "asked": 2, "asked_since": SINCE}, "2 pictures asked about · since"),
        ({"promise": "ok"}, ""),
        ({"promise": "unsupported", "promise_reason": "x"}, "Makes no promise"),
        ({"promise": "late", "asked": 2, "asked_since": SINCE}, "Does not answer"),
        ({}, ""),
    ],
)
def test_an_archives_card(values: dict[str, object], said: str) -> None:
    item = state.Destination(name="a", kind="dimse", state="ok", **values)  # type: ignore[arg-type]
    assert words.promise(EN, StillClock(), item).startswith(said)
    assert bool(words.promise(EN, StillClock(), item)) is bool(said)


def test_alarms_have_words_in_both_languages() -> None:
    for code in ("commitment-unsupported-pacs", "commitment-late-pacs", "commitment-away-pacs", "port",
                 "port-stranger"):  # fmt: skip
        alarm = state.Alarm(code=code, message="raw", since=SINCE)
        box = BoxState(engine=Presence.HERE, capture=Presence.HERE, status=replace(STATUS, alarms=[alarm]))
        for t in (EN, DE):
            (line,) = alarm_lines(t, box)
            assert "raw" not in (line.what, line.hint)
            assert all((line.what, line.hint))
            assert ("pacs" in line.what) is ("pacs" in code)


def script(rows: list[state.Delivery]) -> Callable[[FakeBox], None]:
    def fill(box: FakeBox) -> None:
        busy(box)
        box.deliveries.clear()
        box.deliveries.update({row.id: row for row in rows})

    return fill


@pytest.mark.parametrize("size", [SMALL, MIDDLE])
async def test_the_queue_says_since_when_it_is_asked(size: tuple[int, int]) -> None:
    rows = [
        delivery(1, "stored", promise="asked", promise_since=SINCE, attempts=1),
        delivery(2, "stored", promise="never", attempts=1),
        delivery(3, "committed", reason="read back", attempts=1),
    ]
    async with console(script(rows), size=size, language="en") as rig:
        await rig.press("q", "3")
        await rig.settled()
        for text in ("Asked whether it is kept, since 18:45.", "makes no promise for this picture", "Read back"):
            await rig.until(lambda text=text: text in rig.text())  # type: ignore[misc]
