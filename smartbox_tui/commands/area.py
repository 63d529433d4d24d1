"""What the parts of `smartbox ctl` share: the ways to the processes, and how an answer is printed."""

from __future__ import annotations

import argparse
import uuid
from pathlib import Path
from typing import Any

from smartbox_tui.commands.options import Options
from smartbox_tui.commands.output import out
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.paths import Paths, paths
from smartbox_tui.wire import client


class Area:
    """One part, for one command line."""

    def __init__(self, arguments: argparse.Namespace, options: Options) -> None:
        self.arguments, self.options = arguments, options
        self.paths: Paths = paths(options.state, options.runtime)

    def _engine(self, target: str) -> Any:
        return client.get(self.paths.engine_socket, target)

    def _send(self, socket: Path, kind: str, *, timeout_s: float = client.REQUEST_TIMEOUT_S, **fields: Any) -> Any:
        identity = getattr(self.arguments, "id", None) or str(uuid.uuid4())
        try:
            identity = str(uuid.UUID(identity))
        except ValueError:
            raise SmartBoxError("bad-value", "--id must be a UUID.", "For example from `uuidgen`.") from None
        return client.command(socket, {"type": kind, "id": identity, **fields}, timeout_s)

    def _out(self, value: Any, text: str) -> int:
        out(value, text, as_json=self.options.json)
        return 0
