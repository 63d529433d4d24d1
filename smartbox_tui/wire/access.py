"""Who may do what: roles from the socket's peer credentials, and the one table of what each role may order.

Unix groups decide, as the kernel tells them (unix(7), SO_PEERCRED; socket(7), SO_PEERGROUPS): nothing that the
other side says of itself gives it more rights. See docs/service.md.
"""

from __future__ import annotations

import functools
import grp
import os
import time
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.wire import commands
from smartbox_tui.wire.serve import Caller
from smartbox_tui.wire.state import ROLE_NEEDED


class Role(StrEnum):
    """Each may do what those before it may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    SERVICE = "service"


SERVICE_GROUP: Final = "smartbox-service"
VIEWER_GROUP: Final = "smartbox-viewer"
OPERATOR_GROUP: Final = "smartbox"
_GROUPS_FOR_S: Final = 30.0
"""So long a group's number is believed; an answer may come from a directory server."""
_RANK: Final = {role: rank for rank, role in enumerate(Role)}
_VT_MAJOR: Final = 4
_VT_LAST: Final = 63
"""tty_nr of the Linux consoles tty1 to tty63 (Documentation/admin-guide/devices.txt); from 64 on serial lines."""

NEEDS: Final[dict[type[commands.Command], Role]] = {
    # to capture
    commands.Still: Role.OPERATOR,
    commands.RecordStart: Role.OPERATOR,
    commands.RecordStop: Role.OPERATOR,
    commands.RecordMark: Role.OPERATOR,
    commands.DiscardLast: Role.OPERATOR,
    commands.PedalPress: Role.OPERATOR,
    commands.TeachPedal: Role.OPERATOR,
    commands.SourceAsk: Role.OPERATOR,
    # the engine's own: by hand they would put pictures into another exam behind the engine's back
    commands.HoldExam: Role.SERVICE,
    commands.DropExam: Role.SERVICE,
    commands.Restart: Role.SERVICE,
    # to the engine
    commands.ExamOpen: Role.OPERATOR,
    commands.ExamClose: Role.OPERATOR,
    commands.ExamAppend: Role.OPERATOR,
    commands.ExamHold: Role.OPERATOR,
    commands.ExamReassign: Role.OPERATOR,
    commands.ExamRelease: Role.OPERATOR,
    commands.ExamResume: Role.OPERATOR,
    commands.Adopt: Role.OPERATOR,
    commands.QueueChange: Role.OPERATOR,
    commands.PerformedChange: Role.OPERATOR,
    commands.DestinationEject: Role.OPERATOR,
    commands.DestinationTest: Role.OPERATOR,
    commands.HookTest: Role.OPERATOR,
    commands.ConnectionTest: Role.OPERATOR,  # of what is saved; with other values see `check`
    commands.WorklistQuery: Role.VIEWER,
    commands.WorklistCancel: Role.VIEWER,
    commands.SettingsPut: Role.OPERATOR,  # of OPERATOR_SETTINGS; all others see `check`
    commands.DestinationAdd: Role.SERVICE,
    commands.DestinationRemove: Role.SERVICE,
    commands.SettingsUndo: Role.SERVICE,
    commands.SettingsImport: Role.SERVICE,
}
"""What is not in it needs service."""

OPERATOR_SETTINGS: Final = ("language", "display", "exam", "panel", "pedals", "scanner", "emergency.pedal")
"""Settings of the room and its people, with all below them; the others are where pictures come from and go to."""
SERVICE_SETTINGS: Final = ("panel.settings",)
"""But these: they say what an operator may do."""

_WORDS: Final = {
    Role.OPERATOR: f"a member of the group {OPERATOR_GROUP}",
    Role.SERVICE: f"root or a member of the group {SERVICE_GROUP}",
}


def role_of(caller: Caller) -> Role:
    """Root and the user whom the box itself runs as may do everything, so that a box without any groups works.

    Of the others the service group comes first, then the viewers' (all of them are in the socket's group, or they
    could not call), then the operators'. Whoever is in none of them, and whoever calls by another way than the
    Unix socket, looks on."""
    if caller.uid < 0:
        return Role.VIEWER
    if caller.uid in (0, os.geteuid()):
        return Role.SERVICE
    groups = {caller.gid, *caller.groups}
    for name, role in (
        (SERVICE_GROUP, Role.SERVICE),
        (VIEWER_GROUP, Role.VIEWER),
        (OPERATOR_GROUP, Role.OPERATOR),
    ):
        if group_id(name) in groups:
            return role
    return Role.OPERATOR if os.getegid() in groups else Role.VIEWER


def group_id(name: str) -> int | None:
    """The number of a group; None: there is none."""
    return _group_id(name, int(time.monotonic() / _GROUPS_FOR_S))


@functools.lru_cache(maxsize=16)
def _group_id(name: str, _when: int) -> int | None:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None


def on_panel(caller: Caller, proc: Path = Path("/proc")) -> bool:
    """Whether the caller's controlling terminal is one of the machine's own consoles (proc(5), stat, tty_nr). False
    where the kernel does not let us see it."""
    try:
        text = (proc / str(caller.pid) / "stat").read_text(encoding="utf-8", errors="replace")
        number = int(text.rpartition(")")[2].split()[4])
    except (OSError, ValueError, IndexError):
        return False
    minor = number & 0xFF | number >> 12 & 0xFFF00
    return number >> 8 & 0xFFF == _VT_MAJOR and 1 <= minor <= _VT_LAST


def check(role: Role, command: commands.Command) -> None:
    """Raises refused with a sentence where this role may not order that."""
    needed = NEEDS.get(type(command), Role.SERVICE)
    what = "this"
    if isinstance(command, commands.SettingsPut):
        held = next((path for path, value in command.changes.items() if not _operators(path, value)), None)
        if held is not None:
            needed, what = Role.SERVICE, f"changing {held}"
    elif isinstance(command, commands.ConnectionTest) and command.values:
        needed, what = Role.SERVICE, "trying settings that are not saved"
    if _RANK[role] < _RANK[needed]:
        raise SmartBoxError(
            "refused",
            f"The role {role} may not do that: {what} {ROLE_NEEDED} {needed}.",
            f"Have it done by {_WORDS[needed]}.",
        )


def _operators(path: str, value: Any) -> bool:
    """Whether an operator may change it: one of theirs, and no path of a file but that of a device."""
    if _within(path, SERVICE_SETTINGS) or not _within(path, OPERATOR_SETTINGS):
        return False
    if not isinstance(value, dict) and any(_within(held, (path,)) for held in SERVICE_SETTINGS):
        return False  # the whole of it, with theirs
    if isinstance(value, dict):
        return all(_operators(f"{path}.{key}", item) for key, item in value.items())
    if not isinstance(value, str) or "/" not in value:
        return True
    return value.startswith("/dev/") and ".." not in value.split("/")


def _within(path: str, roots: tuple[str, ...]) -> bool:
    return any(path == root or path.startswith(f"{root}.") for root in roots)
