"""What the worklist server is asked for what somebody typed."""

from __future__ import annotations

import re
from typing import Final

from smartbox_tui.ui.link import new_id
from smartbox_tui.wire import commands

_DATE: Final = re.compile(r"^(\d{1,2})[./](\d{1,2})[./](\d{4})$")


def query_for(text: str) -> commands.WorklistQuery:
    """A date is that day's list; anything with a digit an ID, on any day; the rest a name that begins so."""
    text = text.strip()
    if match := _DATE.match(text):
        day = f"{match[3]}-{int(match[2]):02d}-{int(match[1]):02d}"
        return commands.WorklistQuery(id=new_id(), date=day)
    if any(sign.isdigit() for sign in text):
        return commands.WorklistQuery(id=new_id(), date="any", patient=text)
    family, comma, given = (part.strip() for part in text.partition(","))
    name = f"{family}^{given}" if comma else text
    if not any(sign in name for sign in "*?"):
        name += "*"
    return commands.WorklistQuery(id=new_id(), date="any", name=name)
