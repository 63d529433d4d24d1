"""Lines above the picture that are no alarms: who else is connected, what this console may not do, its size."""

from __future__ import annotations

import os
from typing import Final, NamedTuple

from smartbox_tui.ui import words
from smartbox_tui.ui.i18n import N_, Texts
from smartbox_tui.ui.state import BoxState, Presence
from smartbox_tui.wire import state

LEAST_COLUMNS: Final = 80
LEAST_ROWS: Final = 24
ROLES: Final = {"viewer": N_("looks on"), "operator": N_("operates"), "service": N_("service")}
TERMINALS: Final = {"panel": N_("at the panel"), "ssh": N_("over SSH"), "local": N_("on a terminal")}


class Notice(NamedTuple):
    """`calm`: to be known, nothing is to be done."""

    what: str
    hint: str = ""
    calm: bool = True


def notices(t: Texts, box: BoxState, columns: int, rows: int, own_pid: int | None = None) -> list[Notice]:
    """For a terminal of that size. With the engine away nobody knows who is connected."""
    found = []
    if 0 < columns < LEAST_COLUMNS or 0 < rows < LEAST_ROWS:
        size = t("{columns}×{rows}", columns=columns, rows=rows)
        found.append(Notice(t("The window is too small: {size}.", size=size), t("It needs 80×24."), calm=False))
    mine = os.getpid() if own_pid is None else own_pid
    for session in sessions(box):
        if session.pid == mine:
            if session.role == "viewer":
                found.append(Notice(t("This console looks on."), t("The box is operated by others.")))
        elif session.visiting:
            found.append(
                Notice(t("Service is connected: {name}, since {time}", name=session.user, time=since(t, session)))
            )
    return found


def sessions(box: BoxState) -> list[state.Session]:
    """The consoles that are connected, oldest first."""
    return list(box.status.sessions) if box.status is not None and box.engine is Presence.HERE else []


def since(t: Texts, session: state.Session) -> str:
    moment = words.when(session.since)
    return t.clock(moment.astimezone()) if moment is not None else "?"
