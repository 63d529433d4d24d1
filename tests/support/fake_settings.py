"""The fake engine's settings: the real settings room on the fake's own folder, so that the screens see what they
would see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiohttp import web

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings import describe, history
from smartbox_tui.settings.schema import Loaded
from smartbox_tui.settings.site import Outcome, Site
from smartbox_tui.wire import commands, serve

CONFIG = """
station_name = "ENDO1"
[[sources]]
id = "endo"
kind = "pattern"
name = "Endoskop"
[[pedals]]
id = "demo"
kind = "key"
[[destinations]]
name = "archive"
host = "10.0.0.5"
aet = "PACS"
[[destinations]]
name = "backup"
host = "10.0.0.7"
port = 11112
aet = "BACKUP"
[worklist]
host = "10.0.0.6"
aet = "RIS"
"""
NOON = "2026-11-20T12:30:00+01:00"


class FakeSettings:
    """`report` is what connection tests answer; `pedal` what was pressed, None: nothing."""

    def __init__(self, runtime: Path, environ: dict[str, str] | None = None) -> None:
        self.runtime = runtime
        self.environ = environ or {}
        self.report: dict[str, Any] = {"ok": True, "steps": [], "accepted": [], "peer": {}}
        self.pedal: dict[str, str] | None = {"kind": "evdev", "device": "usb-0:3", "name": "Footswitch"}
        self.busy_pedal = ""
        self.trouble = ""
        self.file_trouble = ""

    @property
    def site(self) -> Site:
        config = self.runtime / "box.toml"
        if not config.exists():
            config.write_text(CONFIG, encoding="utf-8")
        return Site(self.runtime, config, self.environ)

    def start(self, language: str) -> None:
        """What the box itself has written so far: the console reads it, too."""
        (self.runtime / "site.toml").write_text(f'language = "{language}"\n', encoding="utf-8")

    def put(self, **changes: Any) -> None:
        """A change made earlier by somebody else."""
        self.site.put({path.replace("__", "."): value for path, value in changes.items()}, "root (pid 812)")
        for file in history.folder(self.runtime).glob("*.json"):
            text = file.read_text(encoding="utf-8")
            at = text.index('"at": "') + 7
            file.write_text(text[:at] + NOON + text[text.index('"', at) :], encoding="utf-8")

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/v1/settings", self._settings), web.get("/v1/settings/export", self._export)]

    async def _settings(self, _: web.Request) -> web.Response:
        loaded = self.site.load()
        return serve.reply(
            {
                "values": describe.shown(loaded.settings),
                "origins": {path: self._origin(name) for path, name in loaded.origins.items()},
                "history": self.site.changes(),
                "trouble": self.trouble,
                "file_trouble": self.file_trouble,
            }
        )

    def _origin(self, name: str) -> dict[str, str]:
        kind = "default" if name == "default" else "environment" if "/" not in name else "file"
        return {"origin": "box" if name.endswith("site.toml") else kind, "name": name}

    async def _export(self, _: web.Request) -> web.Response:
        return serve.reply({"text": self.site.export(self._loaded()), "name": "smartbox-ENDO1-2026-11-20.toml"})

    def _loaded(self) -> Loaded:
        return self.site.load()

    def obey(self, command: commands.Command) -> tuple[dict[str, Any], list[str]] | None:
        """The answer and the changed paths; None for a command that is not of the settings."""
        match command:
            case commands.SettingsPut():
                return _told(self.site.put(command.changes, "tester"))
            case commands.SettingsUndo():
                return _told(self.site.undo(command.change, "tester"))
            case commands.SettingsImport():
                return _told(self.site.import_text(command.text, "tester"))
            case commands.ConnectionTest():
                return self.report, []
            case commands.TeachPedal():
                if self.busy_pedal:
                    what = f"Another program has {self.busy_pedal}: no press on it was heard."
                    raise SmartBoxError("device-busy", what, "End it.")
                if self.pedal is None:
                    raise SmartBoxError("timeout", "No pedal was pressed.", "Press it.")
                return {"pedal": self.pedal}, []
        return None


def _told(outcome: Outcome) -> tuple[dict[str, Any], list[str]]:
    paths = outcome.change.paths if outcome.change else []
    restart = {place.key.restart for place in map(describe.place, paths) if place.key} - {"", "capture"}
    touched = any(path.startswith(("sources", "pedals", "recording")) for path in paths)
    return {
        "change": outcome.change.number if outcome.change else None,
        "paths": paths,
        "restart": sorted(restart),
        "capture": "restarting" if touched else "",
    }, paths
