"""Tests that run inside the virtual box, on its devices: what they need is carried in and taken out again."""

from __future__ import annotations

import importlib.metadata
import io
import shlex
import tarfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Final

from tests.appliance.virtualbox import VirtualBox

PYTHON: Final = "/usr/lib/smartbox/bin/python3"
_ROOT: Final = Path(__file__).parents[2]
_THERE: Final = "/root/carried"
_INSTALLED: Final = "/usr/lib/smartbox/lib/python3.11/site-packages"
_PACKAGES: Final = ("pytest", "pluggy", "iniconfig", "packaging", "pytest-asyncio", "pytest-timeout")
"""Plain Python, beside what the box has: no wheel of another machine's."""
PASSED: Final = "passed"


class Carried:
    """Puts the tests and pytest into the box; `end` removes them. They run as root against the installed code, so
    what they test is what runs there."""

    def __init__(self, box: VirtualBox) -> None:
        self._box = box
        box.ssh(f"mkdir -p {_THERE} && tar -xz -C {_THERE}", stdin=_packed(), timeout_s=600)
        box.ssh(f"ln -sfn {_INSTALLED}/hw {_THERE}/hw && ln -sfn {_INSTALLED}/smartbox_tui {_THERE}/smartbox_tui")

    def run(self, *arguments: str, timeout_s: float = 1200.0) -> dict[str, str]:
        """pytest with those arguments. What became of each test, as {"test_file::test_name[parameter]": outcome}:
        "passed", or "skipped: …", "failed: …" with the reason. Raises AssertionError where pytest itself fails."""
        ended = self._box.ssh(
            f"cd {_THERE} && PYTHONDONTWRITEBYTECODE=1 PYTHONPATH={_THERE}/packages {PYTHON} -m pytest -q "
            f"-p no:cacheprovider -p asyncio -p timeout --junitxml=result.xml {shlex.join(arguments)} >said 2>&1; "
            "echo $?",
            timeout_s=timeout_s,
        )
        said = self._box.ssh(f"cat {_THERE}/said")
        assert ended.strip() in ("0", "1"), said
        print(said[-6000:] if ended.strip() == "1" else said.splitlines()[-1])
        return outcomes(self._box.ssh(f"cat {_THERE}/result.xml"))

    def end(self) -> None:
        self._box.ssh(f"rm -rf {_THERE}")


def outcomes(junit: str) -> dict[str, str]:
    """Of the text of a JUnit file."""
    found = {}
    for case in ElementTree.fromstring(junit).iter("testcase"):
        name = f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}"
        found[name] = PASSED
        for part in case:
            if part.tag in ("failure", "error", "skipped"):
                kind = "skipped" if part.tag == "skipped" else "failed"
                found[name] = f"{kind}: {part.get('message', '')}"
    return found


def _packed() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=3) as tar:
        tar.add(_ROOT / "pyproject.toml", "pyproject.toml")
        for path in sorted((_ROOT / "tests").rglob("*.py")):
            tar.add(path, str(path.relative_to(_ROOT)))
        for package in _PACKAGES:
            for file in importlib.metadata.files(package) or ():
                if file.parts[0] != ".." and "__pycache__" not in file.parts:
                    tar.add(file.locate(), f"packages/{file}")
    return packed.getvalue()
