"""The plain client: one request, one answer, standard library only, so that `smartbox ctl` starts fast."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any, Final

from smartbox_tui.errors import PROCESS_AWAY, SmartBoxError

REQUEST_TIMEOUT_S: Final = 60.0
"""An exam's close may wait for the last fsyncs and a media child; nothing local takes longer."""


def process_away(socket_path: Path) -> SmartBoxError:
    """The error for a process that does not answer; its name is the socket's."""
    name = socket_path.stem
    return SmartBoxError(
        PROCESS_AWAY,
        f"The {name} process does not answer on {socket_path}.",
        f"Start it with `smartbox {name}`, or give the right --runtime folder.",
    )


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def request(
    socket_path: Path, method: str, target: str, body: bytes | None = None, timeout_s: float = REQUEST_TIMEOUT_S
) -> Any:
    """The JSON that `target` answers with. Raises the SmartBoxError it carries, `no-engine` when nobody answers,
    `timeout` when the process accepted the request and then did not answer in time."""
    connection = _UnixConnection(socket_path, timeout_s)
    try:
        connection.request(method, target, body, {"Content-Type": "application/json"} if body else {})
        answer = connection.getresponse()
        value = json.loads(answer.read())
    except TimeoutError as exc:
        raise SmartBoxError(
            "timeout",
            f"The {socket_path.stem} process did not answer within {timeout_s:.0f} s.",
            "Repeat the command; a repeat with the same id makes nothing twice.",
        ) from exc
    except (OSError, http.client.HTTPException, ValueError) as exc:
        raise process_away(socket_path) from exc
    finally:
        connection.close()
    if isinstance(value, dict) and isinstance(value.get("error"), dict) and answer.status >= 400:
        raise SmartBoxError.from_dict(value["error"])
    return value


def get(socket_path: Path, target: str) -> Any:
    """See `request`."""
    return request(socket_path, "GET", target)


def command(socket_path: Path, value: dict[str, Any], timeout_s: float = REQUEST_TIMEOUT_S) -> Any:
    """Posts a command (a dict with `type`, `id` and its fields). See `request`."""
    return request(socket_path, "POST", "/v1/command", json.dumps(value).encode(), timeout_s)
