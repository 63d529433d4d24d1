"""Archives that stand in for others, in words: on the line of either archive, and as a delivery's reason."""

from __future__ import annotations

from smartbox_tui.model import routing
from smartbox_tui.ui.i18n import Texts
from smartbox_tui.ui.view import View
from smartbox_tui.wire import state


def told(view: View, item: state.Destination) -> str:
    """What this archive has to do with another one; empty for most."""
    t = view.t
    if item.stands_in_for:
        if item.standing_in:
            return t("Stands in for {name} now.", name=item.stands_in_for)
        return t("Stands in for {name} when needed.", name=item.stands_in_for)
    others = view.box.status.destinations if view.box.status else []
    now = next((other.name for other in others if other.standing_in and other.stands_in_for == item.name), "")
    return t("{name} stands in for it.", name=now) if now else ""


def reason(t: Texts, text: str) -> str:
    """The reason of a delivery that was born, or ended, because one archive stands in for another."""
    if text.startswith(routing.STANDS_IN):
        return t("Stands in for {name}.", name=text.removeprefix(routing.STANDS_IN))
    if text.endswith(routing.KEEPS):
        return t("{name} keeps the picture instead.", name=text.removesuffix(routing.KEEPS))
    return t("{name} has the picture.", name=text.removesuffix(routing.HAS))
