"""The settings of one hook: whom it tells, how, and of what. See docs/hooks.md."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from smartbox_tui.model import hooks
from smartbox_tui.settings import rules
from smartbox_tui.settings.keys import CA_DOC, CERT_DOC, KEY_DOC, key

FOLDER: Final = "hooks"
"""Beside the settings file: the programs that may be chosen on the box itself."""
NOT_CONFINED: Final = "only a program in the folder 'hooks' beside the settings file can be chosen here"
NO_EVENT: Final = "names what is no event; delivery.*, exam.closed and alarm.raised are some"
NO_URL: Final = "a webhook needs its address"
NO_COMMAND: Final = "a command hook needs its command"
OPEN_WAY: Final = "patient data goes only to https addresses"


def events(value: str) -> str | None:
    return NO_EVENT if hooks.unknown(value) else None


def command(value: str) -> str | None:
    if not value:
        return None
    words = arguments(value)
    if not words or not words[0].startswith("/") or words[0].endswith("/") or not value.isprintable():
        return "must be a whole path, from / on, and its arguments"
    return None


def arguments(text: str) -> list[str]:
    """The program and its arguments, written as for a shell; empty where the quotes do not end. No shell runs."""
    try:
        return shlex.split(text)
    except ValueError:
        return []


@dataclass(frozen=True, slots=True, kw_only=True)
class HookRetry:
    first_s: float = key(5.0, "seconds of the first pause between attempts", rule=rules.at_least(0.01))
    factor: float = key(2.0, "each pause is that many times longer", rule=rules.at_least(1))
    max_s: float = key(600.0, "seconds of the longest pause", rule=rules.at_least(0.01))
    attempts: int = key(
        10, "answers that it failed before an event is given up; no answer counts as none", rule=rules.at_least(1)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    name: str = key(doc="short word, names the hook everywhere", rule=rules.word)
    events: str = key(
        "", "what it is told, as in delivery.blocked, exam.*, alarm.raised; empty: nothing", rule=events
    )
    kind: str = key(
        "webhook", "a web address is called, or a program is run", rule=rules.one_of("webhook", "command")
    )
    url: str = key("", "webhook: the address that gets each event by POST", rule=rules.url)
    command: str = key(
        "", "command: whole path of a program, and its arguments; it reads the event as JSON", rule=command
    )
    patient: bool = key(False, "the patient's name, ID and birth date go with each event of an exam")
    token_file: str = key(
        "", "webhook: file or systemd credential with a token (Authorization: Bearer)", rule=rules.pem_file
    )
    secret_file: str = key(
        "", "webhook: file or systemd credential with the secret that signs each event", rule=rules.pem_file
    )
    ca_file: str = key("", CA_DOC, rule=rules.pem_file)
    cert_file: str = key("", CERT_DOC, rule=rules.pem_file)
    key_file: str = key("", KEY_DOC, rule=rules.pem_file)
    timeout_s: float = key(10.0, "seconds that it may take; then it is ended", rule=rules.between(0.5, 300))
    keep_days: float = key(7.0, "days that an event waits for its receiver", rule=rules.between(0.01, 366))
    retry: HookRetry = key(HookRetry, "pauses between attempts")


def problems(found: tuple[Hook, ...]) -> Iterator[tuple[str, str]]:
    """(path, why) of keys that need each other."""
    for item in found:
        path = f"hooks.{item.name}"
        if item.kind == "webhook" and not item.url:
            yield f"{path}.url", NO_URL
        if item.kind == "webhook" and item.patient and not item.url.lower().startswith("https://"):
            yield f"{path}.url", OPEN_WAY
        if item.kind == "command" and not item.command:
            yield f"{path}.command", NO_COMMAND
        if item.key_file and not item.cert_file:
            yield f"{path}.cert_file", "a private key needs its certificate"


def confined(text: str, config: Path) -> bool:
    """Whether a command is one that somebody at the screens may choose: the settings file's owner put it there.
    What is written in the settings file itself needs no leave."""
    words = arguments(text)
    if not words:
        return True
    path = words[0]
    return os.path.normpath(path) == path and Path(path).parent == config.absolute().parent / FOLDER
