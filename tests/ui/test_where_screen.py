"""Where an exam's pictures are: each at each archive; and whether fingers hit what the queue's screens have."""

from __future__ import annotations

from datetime import timedelta

import pytest

from smartbox_tui.ui.screens.delivery import DeliveryScreen
from smartbox_tui.ui.screens.where import WhereScreen, lines
from smartbox_tui.wire import state
from tests.support.fakebox import START, FakeBox, delivery
from tests.ui.compare import foreign_signs
from tests.ui.rig import MIDDLE, SMALL, Rig, busy, console
from tests.ui.test_touch_targets import check

ARCHIVES = ("archive", "backup", "tumorboard")


def spread_out(box: FakeBox) -> None:
    """Each picture at three archives, in all conditions."""
    busy(box)
    box.deliveries.clear()
    assert box.exam is not None
    states = ("stored", "blocked", "waiting", "sending", "held", "committed")
    for at, picture in enumerate(box.pictures):
        for column, name in enumerate(ARCHIVES):
            number = 100 + 10 * at + column
            condition = states[at] if column else "stored"
            box.deliveries[number] = delivery(
                number, condition, destination=name, instance=picture.id, exam=box.exam.id,
                kind=picture.kind, paused=condition == "held",
                sop_instance_uid=f"2.25.{number}", code="no-context" if condition == "blocked" else "",
                reason="PACS takes none of what this picture can be sent as." if condition == "blocked" else "",
                next_attempt_at=(START + timedelta(minutes=1)).isoformat() if condition == "waiting" else None,
            )  # fmt: skip
    conditions = dict(zip(ARCHIVES, ("ok", "unreachable", "paused"), strict=True))
    box.destinations = [
        state.Destination(name=name, kind="dimse", state=told, open=1) for name, told in conditions.items()
    ]


async def where(rig: Rig) -> None:
    await rig.press("x")
    await rig.until(lambda: "Müller" in rig.text())
    await rig.press("enter")
    await rig.until(lambda: rig.app.screen.query("#where"))
    await rig.pilot.pause(0.2)
    await rig.pilot.click("#where")
    await rig.until(lambda: isinstance(rig.app.screen, WhereScreen) and "archive" in rig.text())


def picture(number: int, **values: object) -> state.Instance:
    base = {
        "sop_instance_uid": f"2.25.{number}", "series_instance_uid": "2.25.9", "sop_class_uid": "x",
        "transfer_syntax_uid": "y", "kind": "still", "source": "endo", "captured_at": START.isoformat(),
        "frames": 1, "frames_lost": 0, "duration_s": None, "trigger_ns": 1, "frame_ns": 1,
        "trigger_to_disk_ms": 1.0, "bytes": 10, "id": f"p{number}", "exam": "exam-1",
    }  # fmt: skip
    return state.Instance(**{**base, **values})  # type: ignore[arg-type]


def test_a_picture_is_found_by_its_id_whichever_rendition_an_archive_gets() -> None:
    rows = [
        delivery(1, "stored", instance="p1", sop_instance_uid="2.25.1"),
        delivery(2, "blocked", instance="p1", sop_instance_uid="2.25.77", destination="backup"),
        delivery(3, "superseded", instance="p2", sop_instance_uid="2.25.66"),
        delivery(4, "queued", instance="p2", sop_instance_uid="2.25.2"),
        delivery(5, "stored", instance="other", sop_instance_uid="2.25.5"),
    ]
    names, made = lines([picture(1), picture(2), picture(3)], rows)
    assert names == ["archive", "backup"]
    assert [[cell.id if cell else None for cell in line.cells] for line in made] == [
        [1, 2],
        [4, None],
        [None, None],
    ]
    assert [line.worst.id if line.worst else None for line in made] == [2, 4, None]


async def test_the_grid_says_where_each_picture_is_and_why_not() -> None:
    async with console(spread_out) as rig:
        await where(rig)
        text = rig.text()
        assert "2 von 6 in allen Archiven" in text
        assert all(name in text for name in ARCHIVES)
        assert "BLOCKIERT" in text
        assert "backup: Das Archiv nimmt" in text
        assert "takes none" not in text


async def test_a_touch_leads_to_the_reason_and_on_to_the_technical_cause() -> None:
    async with console(spread_out) as rig:
        await where(rig)
        await rig.press("n")
        await rig.press("enter")
        await rig.until(lambda: isinstance(rig.app.screen, DeliveryScreen) and "#111" in rig.text())
        await rig.press("i")
        await rig.until(lambda: "PACS takes none of what this picture can be sent as." in rig.text())
        await rig.pilot.click("#other")
        await rig.until(lambda: "#111" not in rig.text() or "Kein" in " ".join(rig.said()) or rig.said())


async def test_archives_that_do_not_fit_are_one_touch_away() -> None:
    async with console(spread_out, size=SMALL) as rig:
        await where(rig)
        assert "tumorboard" not in rig.text()
        await rig.pilot.click("#more")
        await rig.until(lambda: "tumorboard" in rig.text())
        await rig.press("left")
        await rig.until(lambda: "tumorboard" not in rig.text())


async def test_the_grid_follows_what_is_sent() -> None:
    async with console(spread_out) as rig:
        await where(rig)
        for item in [*rig.box.deliveries.values()]:
            if item.destination != "archive" and item.instance == rig.box.pictures[1].id:
                rig.box.deliver(
                    delivery(
                        item.id, "stored", destination=item.destination, instance=item.instance, exam=item.exam
                    )
                )
        await rig.until(lambda: "3 von 6 in allen Archiven" in rig.text())


SCREENS: dict[str, tuple[str, ...]] = {
    "queue of one archive": ("q", "5"),
    "delivery": ("q", "enter"),
    "technical": ("q", "enter", "i"),
    "archives": ("q", "z"),
    "all again": ("q", "g"),
}


@pytest.mark.parametrize(
    ("size", "language", "term"),
    [
        (SMALL, "de", "linux"),
        (SMALL, "en", "xterm-256color"),
        ((100, 30), "de", "linux"),
        (MIDDLE, "de", "xterm-256color"),
        ((160, 50), "en", "xterm-256color"),
    ],
)
async def test_every_button_is_hit_and_every_sign_is_in_the_font(
    size: tuple[int, int], language: str, term: str
) -> None:
    async with console(spread_out, size=size, language=language, term=term) as rig:
        for name, keys in SCREENS.items():
            for key in keys:
                await rig.press(key)
                await rig.pilot.pause(0.2)
            check(rig.app.screen, name)
            assert not foreign_signs(rig.text()), name
            for _key in keys:
                await rig.press("escape")
        if language == "de":
            await where(rig)
            check(rig.app.screen, "where")
            assert not foreign_signs(rig.text())
