"""`smartbox ctl settings`: what the settings screens do, for the engineer over SSH."""

from __future__ import annotations

import argparse
import sys
import tomllib
import uuid
from pathlib import Path
from typing import Any

from smartbox_tui.commands.options import Options
from smartbox_tui.commands.output import note, out, table
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.describe import Place, place
from smartbox_tui.settings.load import LIST_KEY
from smartbox_tui.settings.paths import paths
from smartbox_tui.wire import client

_CAPTURE = {
    "restarting": "the capture process starts anew by itself",
    "after-recording": "the capture process starts anew after the recording",
    "away": "the capture process is away and starts with them",
    "by-hand": "start the capture process anew",
}


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Raises SmartBoxError; the exit status otherwise."""
    area = _Settings(arguments, options)
    handler = {
        "show": area.show,
        "get": area.get,
        "set": area.set,
        "unset": area.unset,
        "undo": area.undo,
        "history": area.history,
        "export": area.export,
        "import": area.import_file,
        "test": area.test,
        "teach": area.teach,
    }[arguments.action]
    return handler()


class _Settings:
    def __init__(self, arguments: argparse.Namespace, options: Options) -> None:
        self.arguments, self.options = arguments, options
        self.paths = paths(options.state, options.runtime)

    def _all(self) -> Any:
        return client.get(self.paths.engine_socket, "/v1/settings")

    def _send(self, kind: str, *, socket: Path | None = None, **fields: Any) -> Any:
        command = {"type": kind, "id": str(uuid.uuid4()), **fields}
        return client.command(socket or self.paths.engine_socket, command)

    def _out(self, value: Any, text: str) -> int:
        out(value, text, as_json=self.options.json)
        return 0

    # ---- what is

    def show(self) -> int:
        value = self._all()
        everything = self.arguments.all
        rows = []
        for path, item in _flat(value["values"]).items():
            origin = value["origins"].get(path, {"origin": "default", "name": ""})
            if everything or origin["origin"] != "default":
                rows.append([path, _said(item), origin["name"] or origin["origin"]])
        for trouble in (value["file_trouble"], value["trouble"]):
            if trouble:
                note(trouble)
        return self._out(value, table(rows, ["SETTING", "VALUE", "FROM"]))

    def get(self) -> int:
        path = self.arguments.path
        where, value = place(path), self._all()
        found = _flat(value["values"])
        if where.key is None:
            inside = {key: item for key, item in found.items() if key.startswith(path + ".")}
            if not inside:
                raise SmartBoxError("not-found", f"There is no '{path}'.", "See `ctl settings show`.")
            return self._out(
                {"values": inside}, "\n".join(f"{key} = {_said(item)}" for key, item in inside.items())
            )
        if path not in found:
            raise SmartBoxError("not-found", f"There is no '{path}'.", "See `ctl settings show`.")
        origin = value["origins"].get(path, {"origin": "default", "name": ""})
        return self._out({"path": path, "value": found[path], **origin}, _said(found[path]))

    def history(self) -> int:
        value = {"history": self._all()["history"]}
        rows = [
            [item["number"], item["at"][:19], item["who"] or "by hand", _action(item), _change(item["values"])]
            for item in value["history"]
        ]
        return self._out(value, table(rows, ["CHANGE", "AT", "WHO", "WHAT", "VALUES"]))

    # ---- changes

    def set(self) -> int:
        arguments = self.arguments
        return self._changed(
            self._send("settings-put", changes={arguments.path: _value(place(arguments.path), arguments.value)})
        )

    def unset(self) -> int:
        return self._changed(self._send("settings-put", changes={self.arguments.path: None}))

    def undo(self) -> int:
        return self._changed(self._send("settings-undo", change=self.arguments.change))

    def import_file(self) -> int:
        name = self.arguments.file
        try:
            text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise SmartBoxError("not-found", f"There is no file {name}.", "Check its name.") from None
        except (OSError, UnicodeDecodeError) as exc:
            raise SmartBoxError(
                "refused", f"{name} cannot be read as text: {exc}", "Give an exported file."
            ) from None
        return self._changed(self._send("settings-import", text=text))

    def _changed(self, value: Any) -> int:
        if value["change"] is None:
            return self._out(value, "nothing was to change")
        lines = [f"change {value['change']}: {', '.join(value['paths']) or 'no value is other'}"]
        if value["capture"]:
            lines.append(_CAPTURE.get(value["capture"], value["capture"]))
        lines += [f"start the {name} process anew for it to hold" for name in value["restart"]]
        return self._out(value, "\n".join(lines))

    def export(self) -> int:
        value = client.get(self.paths.engine_socket, "/v1/settings/export")
        name = self.arguments.file
        if name is None or name == "-":
            return self._out(value, value["text"].rstrip())
        target = Path(name)
        target = target / value["name"] if target.is_dir() else target
        try:
            target.write_text(value["text"], encoding="utf-8")
        except OSError as exc:
            raise SmartBoxError(
                "refused", f"{target} cannot be written: {exc.strerror}", "Another place."
            ) from None
        return self._out({"file": str(target)}, f"written to {target}")

    # ---- trying

    def test(self) -> int:
        arguments = self.arguments
        if arguments.what == "destination" and not arguments.name:
            raise SmartBoxError("bad-value", "Which destination?", "ctl settings test destination NAME")
        value = self._send("connection-test", what=arguments.what, name=arguments.name or "")
        lines = [f"{'ok ' if step['ok'] else 'NOT'} {step['step']}: {step['message']} {step['hint']}".rstrip()
                 for step in value["steps"]]  # fmt: skip
        self._out(value, "\n".join(lines))
        return 0 if value["ok"] else 1

    def teach(self) -> int:
        """Press the pedal: which one was it? With a name it becomes that pedal of the settings."""
        note(f"Press the pedal now, within {self.arguments.seconds:g} s.")
        socket = self.paths.capture_socket
        value = self._send("teach-pedal", socket=socket, seconds=self.arguments.seconds)
        pedal = value["pedal"]
        if self.arguments.pedal is None:
            return self._out(value, f"{pedal['kind']} {pedal['device']}  {pedal.get('name', '')}".rstrip())
        name = self.arguments.pedal
        known = {item["id"] for item in self._all()["values"]["pedals"]}
        taught = {"kind": pedal["kind"], "device": pedal["device"]}
        changes = {f"pedals.{name}.{key}": item for key, item in taught.items()}
        return self._changed(
            self._send("settings-put", changes=changes if name in known else {f"pedals.{name}": taught})
        )


def _value(where: Place, text: str) -> Any:
    """As the key's type has it; for a whole entry an inline table of TOML."""
    if where.key is not None and where.key.type == "text":
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text  # the engine says what it must be


def _flat(values: Any, path: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{path}{name}.")
        elif isinstance(value, list):
            for entry in value:
                found |= _flat(entry, f"{path}{name}.{entry[LIST_KEY[name]]}.")
        else:
            found[path + name] = value
    return found


def _said(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if value != "" else '""'


def _change(values: dict[str, list[Any]]) -> str:
    return ", ".join(f"{path}: {_said(pair[0])} -> {_said(pair[1])}" for path, pair in values.items())


def _action(item: dict[str, Any]) -> str:
    return f"undo of {item['of']}" if item["of"] is not None else str(item["action"])
