"""What a process has done by the time it is ready, as far as it is a fact and not a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from smartbox_tui import cli
from tests.support.starting import NAMES, started

ROOT = Path(__file__).parents[2]
NOT_YET = {  # packages that are loaded when they are needed, if ever
    "capture": ("pydicom", "pynetdicom", "peewee", "sqlite3", "textual", "rich", "babel", "PIL", "cryptography"),
    "engine": ("av", "simplejpeg", "textual", "rich", "babel", "pynetdicom", "zxingcpp"),
    "console": ("av", "simplejpeg", "pydicom", "peewee", "sqlite3", "PIL", "zxingcpp", "serial"),
}
NEVER_AT_START = ("smartbox_tui.commands.build_options", "smartbox_tui.commands.media_options")
OWN = {"capture": "smartbox_tui.capture.app", "engine": "smartbox_tui.engine.app", "console": "smartbox_tui.ui.app"}


def _prints(code: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout.split()


@pytest.mark.parametrize("name", NAMES)
def test_ready_with_nothing_loaded_that_can_wait(name: str) -> None:
    with started(name, imports=True) as ready:
        assert OWN[name] in ready.modules
        # with a dot: the import's own line; a module that was looked for and is not there has one, too
        assert not {
            package for package in NOT_YET[name] if any(one.startswith(f"{package}.") for one in ready.modules)
        }
        assert not ready.modules & set(NEVER_AT_START)


def test_the_panel_is_set_up_without_numpy() -> None:
    assert "numpy" not in _prints("import smartbox_tui.commands.panel, sys; print(*sys.modules)")


def test_no_certificates_are_read_for_unix_sockets() -> None:
    code = (
        "import ssl; whole = ssl.create_default_context\n"
        "from smartbox_tui.wire import untrusting; untrusting.load()\n"
        "from aiohttp import connector\n"
        "own = connector._SSL_CONTEXT_VERIFIED\n"
        "print(own.cert_store_stats()['x509'], own.verify_mode.name, own.check_hostname)\n"
        "print(ssl.create_default_context is whole)\n"
    )
    assert _prints(code) == ["0", "CERT_REQUIRED", "True", "True"]  # it trusts nobody; others' TLS is as it was


def test_what_imports_have_made_is_left_alone_by_the_collector() -> None:
    code = (
        "import gc\n"
        "from smartbox_tui.commands import processes\n"
        "with processes._importing():\n"
        "    print(gc.isenabled())\n"
        "    import smartbox_tui.ui.state\n"
        "print(gc.isenabled(), gc.get_freeze_count() > 10_000)\n"
    )
    assert _prints(code) == ["False", "True", "True"]


def test_only_the_options_of_the_named_command_are_made() -> None:
    for words in (["engine"], ["ctl", "status"], ["--json", "dicom", "validate", "x"]):
        parsed = cli.build_parser(words).parse_args([word for word in words if word != "--json"])
        assert parsed == cli.build_parser().parse_args([word for word in words if word != "--json"])
    with pytest.raises(SystemExit):
        cli.build_parser(["engine"]).parse_args(["ctl", "status"])


def test_the_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.build_parser(["--help"]).parse_args(["--help"])
    short = capsys.readouterr().out
    with pytest.raises(SystemExit):
        cli.build_parser().parse_args(["--help"])
    assert short == capsys.readouterr().out
