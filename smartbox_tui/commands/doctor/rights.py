"""Permissions: who this user is for the box, whose the folders are, who may read the pictures and the secrets."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from smartbox_tui.commands.doctor.check import Check, Context
from smartbox_tui.settings import describe
from smartbox_tui.wire.access import OPERATOR_GROUP, SERVICE_GROUP, VIEWER_GROUP, group_id

_SECRETS: Final = ("password_file", "token_file", "key_file", "secret_file")


def rights(context: Context) -> Iterator[Check]:
    groups = ", ".join(_group(number) for number in sorted({os.getegid(), *os.getgroups()}))
    yield Check("rights.user", True, f"{_user(os.geteuid())}, in {groups}")
    missing = [name for name in (OPERATOR_GROUP, SERVICE_GROUP, VIEWER_GROUP) if group_id(name) is None]
    text = f"not there: {', '.join(missing)}" if missing else "all are there"
    hint = "Without them only root and the box's own user work it: docs/service.md."
    yield Check("rights.groups", None if missing else True, f"groups of the box: {text}", hint)
    yield from _folder("rights.state", context.folders.state)
    for name, path in (("engine", context.folders.engine_socket), ("capture", context.folders.capture_socket)):
        if os.access(path, os.F_OK):
            open_ = path.stat().st_mode & 0o007
            yield Check(
                f"rights.{name}", not open_, _told(path), "It must not be open to everybody: restart the box."
            )
    yield from _secrets(context)


def _folder(identity: str, path: Path) -> Iterator[Check]:
    try:
        if not path.exists():
            return
        mode = path.stat().st_mode
        # a folder above it that others may not enter protects it as well
        closed = not mode & 0o007 or any(not parent.stat().st_mode & 0o001 for parent in path.parents)
    except OSError as exc:
        yield Check(identity, None, f"{path} could not be checked: {exc.strerror}", "Run it as root.")
        return
    hint = f"Every user of the machine may look at pictures: chmod o-rwx {path}"
    yield Check(identity, closed, _told(path), hint)


def _secrets(context: Context) -> Iterator[Check]:
    """Files that hold secrets, by the settings that name them. Their content is not looked at."""
    for path, value in describe.flat(context.settings).items():
        if path.rpartition(".")[2] not in _SECRETS or not value or not str(value).startswith("/"):
            continue  # a systemd credential has no path
        file, identity = Path(str(value)), f"rights.{path}"
        try:
            mode = file.stat().st_mode
        except FileNotFoundError:
            yield Check(identity, False, f"{file} is not there", f"Write it, or change {path}.")
        except OSError as exc:
            yield Check(identity, None, f"{file} could not be checked: {exc.strerror}", "Run it as root.")
        else:
            text = _told(file)
            yield Check(identity, stat.S_ISREG(mode) and not mode & 0o004, text, f"chmod o-rwx {file}")


def _told(path: Path) -> str:
    found = path.stat()
    return f"{path} {stat.filemode(found.st_mode)} {_user(found.st_uid)}:{_group(found.st_gid)}"


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
