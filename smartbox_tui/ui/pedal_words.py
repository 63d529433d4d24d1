"""What is wrong with a pedal, as alarms: told by capture itself, so that it is known with the engine away."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from smartbox_tui.ui.i18n import N_, Texts
from smartbox_tui.wire import state

ENGINE_PREFIX: Final = "pedal-"
"""Of the engine's alarms about pedals: the same, second hand."""


class PedalTrouble(NamedTuple):
    what: str
    hint: str
    grave: bool


PEDALS: Final = {
    "stuck": PedalTrouble(N_("The pedal {pedal} is stuck."), N_("Free it; everything else works."), grave=True),
    "gone": PedalTrouble(
        N_("The pedal {pedal} is not there."), N_("Check its plug; it returns by itself."), grave=False
    ),
    "busy": PedalTrouble(
        N_("Another program has the pedal {pedal}."), N_("Call service; screen and keyboard work."), grave=False
    ),
    "refused": PedalTrouble(
        N_("The box may not use the pedal {pedal}."), N_("Call service; screen and keyboard work."), grave=False
    ),
    "failed": PedalTrouble(
        N_("The pedal {pedal} does not work."), N_("Teach it anew in the settings, or call service."), grave=False
    ),
}
"""By the pedal's state; the others are no trouble."""


def pedal_troubles(t: Texts, pedals: Iterable[state.Pedal]) -> list[PedalTrouble]:
    """In words, the gravest first."""
    found = [(PEDALS[pedal.state], pedal.id) for pedal in pedals if pedal.state in PEDALS]
    told = [PedalTrouble(t(known.what, pedal=name), t(known.hint), known.grave) for known, name in found]
    return sorted(told, key=lambda each: not each.grave)
