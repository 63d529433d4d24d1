"""What a row of the queue looks like: state, picture, whose, which archive, how far, and why. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from textual.content import Content

from smartbox_tui.ui import reasons, words
from smartbox_tui.ui.i18n import N_, Texts
from smartbox_tui.ui.view import View
from smartbox_tui.ui.widgets.biglist import Row
from smartbox_tui.wire import state

FILTERS: Final[dict[str, tuple[str, frozenset[str]]]] = {
    "open": (N_("Open"), frozenset({"held", "queued", "preparing", "sending", "waiting", "blocked"})),
    "blocked": (N_("Blocked"), frozenset({"blocked"})),
    "sent": (N_("Sent"), frozenset({"stored", "committed"})),
    "all": (N_("All"), frozenset(words.DELIVERY)),
}

GLYPH: Final = {
    "held": "■", "queued": "·", "preparing": "▚", "sending": "▶", "waiting": "!", "blocked": "✗",
    "stored": "✓", "committed": "✓", "cancelled": "○", "superseded": "○",
}  # fmt: skip
STYLE: Final = {
    "blocked": "bold $red",
    "waiting": "bold $wait",
    "held": "$wait",
    "sending": "bold $calm",
    "preparing": "$calm",
    "stored": "$good",
    "committed": "$good",
    "cancelled": "$dim",
    "superseded": "$dim",
}
_NOTE: Final = N_("Correction note")
_BAR: Final = {"blocked": "$red", "waiting": "$wait", "sending": "$calm"}
_WIDE: Final = 90


def place(item: state.Delivery) -> tuple[str, int]:
    """What decides where in the queue a row stands."""
    return item.state, item.priority


def short(t: Texts, count: int) -> str:
    """A count that fits a button: in thousands from ten thousand on."""
    return t.number(count) if count < 10_000 else f"{count // 1000}k"


def condition(t: Texts, item: state.Delivery) -> tuple[str, str]:
    """The state in a word with its sign, and its style."""
    if item.paused and item.state not in ("stored", "committed", "cancelled", "superseded"):
        return "○ " + t("paused"), "bold $wait"
    word = t(words.DELIVERY.get(item.state, item.state))
    return f"{GLYPH.get(item.state, '·')} {word}", STYLE.get(item.state, "")


def kind(t: Texts, item: state.Delivery) -> str:
    """What is sent."""
    return t(_NOTE) if item.kind == "note" else t(words.KIND.get(item.kind, item.kind))


def progress(t: Texts, item: state.Delivery, rate: float | None, width: int) -> Content:
    """`████▌  62 % · 12 MB/s` while it is sent, the size else."""
    if item.state != "sending" or not item.bytes:
        return Content.styled(t.size(item.bytes) if item.bytes else "", "$dim")
    part = words.share(item)
    bar = words.bar(part, width)
    speed = "" if rate is None else " · " + t("{size}/s", size=t.size(int(rate)))
    return Content.assemble(
        (bar, "$calm on $key"), (" " * (width - len(bar)), "on $key"), (f" {part:4.0%}{speed}", "$calm")
    )


def row(view: View, item: state.Delivery, width: int, patient: Mapping[str, Any] | None, rate: float | None) -> Row:
    """Two lines: what, whose and where to with its progress; why, and when it goes on."""
    t = view.t
    word, style = condition(t, item)
    made = words.when(item.created_at)
    local = view.clock.local(made) if made is not None else None
    at = "" if local is None else t.clock(local) if local.date() == view.now.date() else t.date(local.date())
    name = whose(t, patient)
    what = [f"{kind(t, item)} {at}".rstrip(), name, f"→ {item.destination}"]
    number = f"  #{item.id}" if width >= _WIDE else ""
    right = Content.assemble(
        progress(t, item, rate, 5 if width < _WIDE else 16), (number, "$dim") if number else ("", "")
    )
    why = " ".join(part for part in (reasons.reason(t, item), promised(view, item)) if part)
    todo = reasons.hint(t, item) if item.state == "blocked" and width >= _WIDE else ""
    return Row(
        Content.assemble((f"{word}  ", style), " · ".join(part for part in what if part)),
        right,
        Content.assemble(f"  {why}" if why else "", (f"  {todo}" if todo and why else "", "$dim")),
        Content.styled(due(view, item), "$dim"),
        _BAR.get(item.state, ""),
    )


def whose(t: Texts, patient: Mapping[str, Any] | None) -> str:
    """The patient in a few words; empty while it is not known."""
    if patient is None:
        return ""
    if patient.get("emergency"):
        return t(words.EMERGENCY.get(str(patient["emergency"]), str(patient["emergency"])))
    return words.person(str(patient.get("name") or "")) or str(patient.get("id") or "") or t("NO PATIENT")


def promised(view: View, item: state.Delivery) -> str:
    """Of a stored one: what is known of the archive's promise to keep it."""
    since = words.when(item.promise_since)
    local = view.clock.local(since) if since is not None else None
    if local is None:
        return reasons.promise(view.t, item, "?")
    t = view.t
    today = local.date() == view.now.date()
    return reasons.promise(t, item, t.clock(local) if today else f"{t.date(local.date())} {t.clock(local)}")


def due(view: View, item: state.Delivery) -> str:
    """When it goes on, or how often it was tried."""
    t = view.t
    again = words.when(item.next_attempt_at)
    if item.state == "waiting" and again is not None:
        return t("next {time}", time=t.clock(view.clock.local(again), seconds=True))
    if item.attempts > 1:
        return t.n("{count} attempt", "{count} attempts", item.attempts)
    return ""


def empty_row(view: View, at: int) -> Row:
    """One that has not come yet."""
    return Row(Content.styled(f"  {view.t.number(at + 1)} …", "$dim"), Content(""), Content(""))
