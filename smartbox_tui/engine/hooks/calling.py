"""One event for one hook: its body, its signature, and the call."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from smartbox_tui import __version__
from smartbox_tui.dicom.scu.tls import Tls
from smartbox_tui.engine.hooks import program
from smartbox_tui.engine.hooks.reply import Outcome, Reply
from smartbox_tui.engine.hooks.webhook import Post
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.hooks import Hook, arguments
from smartbox_tui.settings.schema import Settings
from smartbox_tui.store.hooks import Waiting

VERSION: Final = 1
"""Of the body's shape."""
_CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"
_SECRET_BYTES: Final = 16384


def body_of(settings: Settings, hook: Hook, event: Waiting, dropped: int) -> bytes:
    """The event as JSON in UTF-8. `dropped`: so many before it were lost. Of the patient only for a hook that may
    know, on a way that nobody reads along."""
    value: dict[str, Any] = {
        "version": VERSION,
        "id": event.event_id,
        "event": event.event,
        "at": event.at,
        "box": {"station_name": settings.station_name, "aet": settings.aet},
        "dropped": dropped,
        "data": event.data,
    }
    if hook.patient and event.known and is_private(hook):
        value |= {key: item for key, item in event.known.items() if key != "data"}
        value["data"] = {**event.data, **event.known.get("data", {})}
    return json.dumps(value, ensure_ascii=False).encode()


def is_private(hook: Hook) -> bool:
    return hook.kind == "command" or hook.url.lower().startswith("https://")


def call(
    hook: Hook, event: Waiting, body: bytes, ending: threading.Event, calling: Callable[[Post | None], None]
) -> Reply:
    """Blocks as long as the hook may take, a name server's time beside. `calling` is told the call that can be
    stopped, and None when it is over; a program watches `ending`."""
    if hook.kind == "command":
        words = arguments(hook.command)
        if not words:
            return Reply(Outcome.AWAY, "bad-value", "No program is set.")
        return program.run(words, event.event, body, hook.timeout_s, ending)
    if not hook.url:
        return Reply(Outcome.AWAY, "bad-value", "No web address is set.")
    try:
        headers = headers_of(hook, event, body)
    except SmartBoxError as exc:
        return Reply(Outcome.AWAY, exc.code, exc.message)
    post = Post(hook.url, Tls(hook.ca_file, hook.cert_file, hook.key_file), hook.timeout_s)
    calling(post)
    try:
        return Reply(Outcome.ENDED) if ending.is_set() else post.send(body, headers)
    finally:
        calling(None)


def headers_of(hook: Hook, event: Waiting, body: bytes) -> dict[str, str]:
    """Raises SmartBoxError for a file that cannot be read; it is read for each call, so a renewed token holds."""
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"SmartBox/{__version__}",
        "X-SmartBox-Event": event.event,
        "X-SmartBox-Id": event.event_id,
    }
    if hook.token_file:
        token = secret(hook.token_file, "token_file")
        if not (token.isascii() and token.decode("ascii").isprintable()):
            raise SmartBoxError("bad-value", "The file of token_file holds no token.", "One line of plain signs.")
        headers["Authorization"] = f"Bearer {token.decode('ascii')}"
    if hook.secret_file:
        digest = hmac.new(secret(hook.secret_file, "secret_file"), body, hashlib.sha256).hexdigest()
        headers["X-SmartBox-Signature"] = f"sha256={digest}"
    return headers


def secret(name: str, key: str) -> bytes:
    """A secret from its file, a whole path or a systemd credential's name, without white space around it.

    Raises refused, bad-value (empty); the sentence names key and path, never what is in it."""
    path = Path(name)
    if not path.is_absolute():
        path = Path(os.environ.get(_CREDENTIALS, "/run/credentials")) / name
    try:
        with path.open("rb") as file:
            found = file.read(_SECRET_BYTES).strip()
    except OSError as exc:
        why = exc.strerror or type(exc).__name__
        raise SmartBoxError("refused", f"{key} cannot be read from {path} ({why}).", "Check the path.") from exc
    if not found:
        raise SmartBoxError("bad-value", f"{path} ({key}) is empty.", "Write the secret into it.")
    return found
