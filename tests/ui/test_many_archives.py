"""Several archives in the few lines of the queue's pane: what needs a hand is in sight."""

from __future__ import annotations

from pathlib import Path

import pytest

from smartbox_tui.ui import reasons
from smartbox_tui.ui.i18n import Texts
from smartbox_tui.wire import state
from tests.support.fakebox import FakeBox
from tests.ui.rig import MIDDLE, SMALL, busy, console
from tests.ui.svg import screen_svg


def archive(name: str, condition: str) -> state.Destination:
    why = {"code": "refused", "reason": "PACS at h:104 refuses the connection."} if condition != "ok" else {}
    return state.Destination(name=name, kind="dimse", state=condition, open=3, **why)  # type: ignore[arg-type]


def with_archives(box: FakeBox, conditions: list[str]) -> None:
    box.destinations = [archive(f"archive{number}", item) for number, item in enumerate(conditions, start=1)]


@pytest.mark.parametrize("size", [SMALL, MIDDLE])
@pytest.mark.parametrize(
    ("conditions", "seen", "unseen"),
    [
        (["ok", "ok"], ["archive1", "archive2"], ["weitere", "Archive erreichbar"]),
        (
            ["ok", "ok", "unreachable", "ok", "ok"],
            ["4 Archive erreichbar", "archive3"],
            ["archive1"],
        ),
        (["ok", *["unreachable"] * 4], ["1 Archiv erreichbar", "archive2"], ["nimmt keinen"]),
        (["unreachable"] * 12, ["archive1", "weitere"], ["archive12", "nimmt keinen"]),
    ],
)
async def test_what_is_open_and_blocked_stays_in_sight(
    size: tuple[int, int], conditions: list[str], seen: list[str], unseen: list[str], tmp_path: Path
) -> None:
    async with console(busy, size=size, language="de") as rig:
        with_archives(rig.box, conditions)
        rig.box.tell()
        await rig.until(lambda: all(text in rig.text() for text in seen))
        assert "1 BLOCKIERT" in rig.text()
        assert "offen" in rig.text()
        assert not any(text in rig.text() for text in unseen)
        await rig.settled()
        (tmp_path / "pane.svg").write_text(screen_svg(rig.app))


def test_a_connection_that_nobody_takes_is_no_refusal_of_the_operator() -> None:
    for language in ("de", "en"):
        t = Texts(language)
        what, hint = reasons.of_destination(t, "PACS at h:104 refuses the connection.", "refused")
        assert (
            what
            == reasons.told(t, "PACS at h:104 refuses the connection.", "refused")
            == t(reasons.NO_SERVICE.what)
        )
        assert hint == t(reasons.NO_SERVICE.hint)


async def test_the_status_screen_says_an_archives_trouble_in_the_operators_words() -> None:
    async with console(busy, size=MIDDLE, language="de") as rig:
        with_archives(rig.box, ["unreachable"])
        alarm = state.Alarm(
            code="destination-archive1", message="PACS at h:104 refuses.", since="2026-11-20T21:40:00Z"
        )
        rig.box.alarms = [alarm]
        rig.box.tell()
        await rig.press("s")
        await rig.until(lambda: "Archiv archive1: nicht nutzbar" in rig.text())
        assert "refuses" not in rig.text()
