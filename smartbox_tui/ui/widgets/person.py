"""A worklist entry as a row of the list, and large before an exam is opened for it."""

from __future__ import annotations

from datetime import datetime

from textual.content import Content

from smartbox_tui.ui import words
from smartbox_tui.ui.people import Entry
from smartbox_tui.ui.view import Shown, View
from smartbox_tui.ui.widgets.biglist import Row
from smartbox_tui.wire import state

_UNLIKE = "bold $wait"
"""What tells two patients of one name apart."""


def at(view: View, item: state.WorklistItem) -> str:
    """`08:00`, with the day where it is another one."""
    moment = words.when(item.scheduled_at)
    if moment is None:
        return "–"
    local: datetime = view.clock.local(moment)
    clock = view.t.clock(local)
    return clock if local.date() == view.now.date() else f"{view.t.date(local.date())} {clock}"


def identity(view: View, entry: Entry) -> list[Content | tuple[str, str]]:
    """Birth date, sex, ID: always there, and loud where somebody else has the name."""
    t, patient, differs = view.t, entry.item.patient, entry.differs
    born = words.born(t, patient, view.now.date()) or t("no birth date")
    sex = t(words.SEX[patient.sex]) if patient.sex in words.SEX else t("sex unknown")
    number = t("ID {id}", id=patient.id or "–")
    parts: list[Content | tuple[str, str]] = []
    for key, text in (("birth_date", born), ("sex", sex), ("id", number)):
        parts += [(text, _UNLIKE if key in differs else ""), " · "]  # type: ignore[list-item]
    return parts[:-1]


def row(view: View, entry: Entry, width: int) -> Row:
    """Time and name; who exactly, and what for."""
    t, item = view.t, entry.item
    name = words.person(item.patient.name) or item.patient.id or "–"
    chips: list[Content | tuple[str, str]] = []
    if item.emergency:
        urgent = t("EMERGENCY")
        chips += [(f" {urgent} ", "bold $on-red on $red-deep"), ("  ", "")]
    if entry.differs:
        same = t("same name")
        chips += [(f" {same} ", "bold $on-wait on $wait"), ("  ", "")]
    if item.exam:
        chips += [("✓ " + t("opened"), "$good"), ("  ", "")]
    chips.append((item.station_name or item.station, "$dim"))
    who = identity(view, entry)
    if item.procedure:
        who += [(" · ", ""), (item.procedure, "")]
    return Row(
        Content.assemble((f"{at(view, item)}  ", "$dim"), (name, "bold")),
        Content.assemble(*chips),
        Content.assemble("       ", *who) if width >= 76 else Content.assemble(*who),
        Content.styled(item.accession_number, "$dim"),
        "bold $red" if item.emergency else "$wait" if entry.differs else "$good" if item.exam else "",
    )


class ChosenText(Shown):
    """The chosen entry, all that must be compared with the wristband."""

    DEFAULT_CSS = "ChosenText { width: 1fr; height: 5; padding: 0 1; background: $key; color: $text; }"

    def __init__(self) -> None:
        super().__init__(id="chosen-text")
        self.entry: Entry | None = None

    def text(self, view: View, width: int, height: int) -> Content:
        entry, t = self.entry, view.t
        if entry is None:
            return Content("")
        item = entry.item
        what = [item.procedure, at(view, item)]
        what.append(t("Order {number}", number=item.accession_number) if item.accession_number else "")
        lines = [
            Content.styled(words.person(item.patient.name) or "–", "bold"),
            Content.assemble(*identity(view, entry)),
            Content(" · ".join(part for part in what if part)),
        ]
        if entry.differs:
            lines.append(Content.styled(t("⚠ Same name as another: check birth date and ID."), _UNLIKE))
        elif item.exam:
            lines.append(Content.styled(t("An exam was already opened for this entry."), "$wait"))
        else:
            lines.append(Content.styled(t("Is it the right patient?"), "$hint"))
        return Content("\n").join([Content(""), *[line.truncate(max(1, width), ellipsis=True) for line in lines]])
