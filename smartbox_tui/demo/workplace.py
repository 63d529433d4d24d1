"""What the demo makes up: folders of its own, and the settings for all that --config does not say."""

from __future__ import annotations

import shutil
import socket
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import tomli_w

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.paths import Paths

MARKER: Final = ".smartbox-demo"
AET: Final = "DEMOPACS"


@contextmanager
def folders(state: Path | None, runtime: Path | None) -> Iterator[Paths]:
    """The folders to work in: given ones are kept, made-up ones are removed at the end. Raises refused."""
    for given in (state, runtime):
        if given is not None:
            _claim(given)
    made: list[Path] = []
    try:
        if state is None or runtime is None:
            base = Path(tempfile.mkdtemp(prefix="smartbox-"))
            made.append(base)
            for name in ("state", "run"):
                (base / name).mkdir(mode=0o750)
            state, runtime = state or base / "state", runtime or base / "run"
        yield Paths(state.absolute(), runtime.absolute())
    finally:
        for path in made:
            shutil.rmtree(path, ignore_errors=True)


def _claim(folder: Path) -> None:
    """Takes an empty folder, or one of an earlier demo; a real box's pictures must not get among invented ones."""
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    marker = folder / MARKER
    if not marker.exists() and any(folder.iterdir()):
        raise SmartBoxError(
            "refused",
            f"{folder} is not empty and not a folder of an earlier demo.",
            "Give an empty folder, or leave the option out: the demo then makes one and removes it.",
        )
    marker.touch()


def write_settings(config: Path | None, pacs: str | None, server_port: int, target: Path) -> None:
    """The settings file of the demo's processes: --config's, and what it lacks is simulated.

    Raises not-found, bad-value (of --config, of --pacs).
    """
    tree: dict[str, Any] = {}
    if config is not None:
        try:
            tree = tomllib.loads(config.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise SmartBoxError("not-found", f"There is no settings file {config}.", "Check --config.") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
            raise SmartBoxError("bad-value", f"{config} is not readable as TOML: {exc}", "Mend that line.") from exc
    tree.setdefault("port", _free_port())  # a box, or another demo, may have the usual one
    tree.setdefault("clock", {}).setdefault("wait_s", 0)
    tree.setdefault("sources", [{"id": "endo", "name": "Endoskop (Demo)", "kind": "pattern"}])
    tree.setdefault("pedals", [{"id": "demo", "kind": "key"}])
    if pacs is not None:
        tree["destinations"] = [{"name": "archive", **_peer(pacs)}]
    tree.setdefault("destinations", [{"name": "archive", "host": "127.0.0.1", "port": server_port, "aet": AET}])
    if "worklist" not in tree:  # who plans the exams wants to hear how they went
        own = {"host": "127.0.0.1", "port": server_port, "aet": AET}
        tree["worklist"] = {**own, "refresh_s": 30}
        tree.setdefault("mpps", own)
    target.write_text("# Written by smartbox demo at each start.\n" + tomli_w.dumps(tree), encoding="utf-8")


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("", 0))
        return int(sock.getsockname()[1])


def needs_server(config: Path | None, pacs: str | None) -> bool:
    """False when somebody has named an archive and a worklist: then there is nothing to simulate."""
    try:
        tree = {} if config is None else tomllib.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False  # write_settings says what is wrong
    return (pacs is None and "destinations" not in tree) or "worklist" not in tree


def _peer(text: str) -> dict[str, Any]:
    head, _, aet = text.rpartition(":")
    host, _, port = head.rpartition(":")
    if not (host and aet and port.isdigit()):
        raise SmartBoxError("bad-value", f"--pacs '{text}' is not HOST:PORT:AET.", "As in 127.0.0.1:4242:ORTHANC.")
    return {"host": host.strip("[]"), "port": int(port), "aet": aet}
