"""The house: what each process has loaded, how long files are. Who may import whom is import-linter's."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

OURS = ("store", "dicom", "engine", "capture", "ui", "demo", "media", "spool")
HEAVY = ("pydicom", "pynetdicom", "peewee", "sqlite3", "textual", "rich", "av", "numpy", "simplejpeg", "aiohttp")
ALLOWED = {  # our rooms, then other people's packages, that a process may have loaded once it is imported
    "smartbox_tui.capture.app": ("capture media spool", "av numpy simplejpeg aiohttp"),
    "smartbox_tui.engine.app": ("engine store dicom spool media", "pydicom pynetdicom peewee sqlite3 aiohttp"),
    "smartbox_tui.ui.app": ("ui", "textual rich aiohttp numpy"),
    "smartbox_tui.demo.app": ("demo", "aiohttp"),
    "smartbox_tui.cli": ("", ""),
    "smartbox_tui.commands.ctl": ("", ""),
}


@pytest.mark.parametrize("module", ALLOWED)
def test_a_process_has_loaded_nothing_that_is_not_its_business(module: str) -> None:
    code = f"import {module}, sys; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = set(done.stdout.split())
    assert module in loaded
    rooms, packages = (set(text.split()) for text in ALLOWED[module])
    assert not {room for room in OURS if f"smartbox_tui.{room}" in loaded} - rooms
    assert not loaded & set(HEAVY) - packages


@pytest.mark.parametrize(
    ("arguments", "imported"),
    [
        (["codes", "--source", "endo"], "smartbox_tui.media.codes"),
        (["poster", "none", "--out", "x"], "av"),
        (["remux", "none", "--container", "mp4", "--out", "x"], "smartbox_tui.media.remux"),
        (
            ["transcode", "none", "--codec", "mpeg2", "--container", "ts", "--out", "x"],
            "smartbox_tui.media.transcode",
        ),
        (["decode", "none", "--out", "x"], "smartbox_tui.media.decode"),
        (["probe", "none"], "smartbox_tui.media.probe"),
    ],
)
def test_a_media_child_loads_neither_engine_nor_store(arguments: list[str], imported: str, tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "smartbox_tui.cli", "media", *arguments]
    told = tmp_path / "imports"
    with told.open("wb") as out:
        child = subprocess.Popen([*command, "--runtime", str(tmp_path)], stderr=out, cwd=ROOT)

        def names() -> set[str]:
            return {line.rpartition("|")[2].strip() for line in told.read_text(encoding="utf-8").splitlines()}

        give_up = time.monotonic() + 60
        while child.poll() is None and imported not in names() and time.monotonic() < give_up:
            time.sleep(0.1)  # the one ends by itself, the other never
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(1)  # what it loads behind it
        child.terminate()
        child.wait(30)
    loaded = names()
    assert imported in loaded
    ours = {name.split(".")[1] for name in loaded if name.startswith("smartbox_tui.")}
    assert not ours & {"engine", "store", "dicom", "capture", "ui", "demo"}
    assert not loaded & {"pydicom", "pynetdicom", "peewee", "textual", "aiohttp"}


def test_no_python_file_is_longer_than_400_lines() -> None:
    files = [path for room in ("smartbox_tui", "hw", "tests") for path in (ROOT / room).rglob("*.py")]
    assert len(files) > 50
    long = {str(path.relative_to(ROOT)): count for path in files if (count := _lines(path)) > 400}
    assert not long


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_the_lock_file_names_versions_and_hashes_and_no_address() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text
    pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#", "-"))]
    assert len(pins) > 30
    assert all("==" in line for line in pins)
    assert text.count("--hash=sha256:") > len(pins)


def test_every_dependency_has_its_reason_in_the_readme() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for item in project["dependencies"]:
        name = item.split(">")[0].split("=")[0]
        assert f"| {name} |" in readme, name
