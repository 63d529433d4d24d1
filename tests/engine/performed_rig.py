"""What the tests of performed steps have in common: words, settings, questions to box and server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.dicom import scp
from smartbox_tui.model.performed import step_of
from tests.support.archive import own_archive
from tests.support.box import Box, running, settings, until
from tests.support.mpps import StepServer, step_server, value_of

IN_PROGRESS, COMPLETED, DISCONTINUED = "IN PROGRESS", "COMPLETED", "DISCONTINUED"
STATUS, REASON = "00400252", ("00400281", "00080100")


def mpps(port: int, attempts: int = 5) -> str:
    return (
        f'[mpps]\nhost = "127.0.0.1"\nport = {port}\naet = "MPPS"\ntimeout_s = 3\n'
        f"retry = {{ first_s = 0.1, max_s = 0.5, attempts = {attempts} }}\n"
    )


@pytest.fixture(name="archive")
def performed_archive(tmp_path: Path) -> Iterator[scp.Archive]:
    with own_archive(tmp_path / "archive") as made:
        yield made


@pytest.fixture(name="server")
def performed_server(tmp_path: Path) -> Iterator[StepServer]:
    with step_server(tmp_path / "mpps", running=False) as made:
        yield made


@pytest.fixture(name="box")
def performed_box(archive: scp.Archive, server: StepServer) -> Iterator[Box]:
    with running(settings(archive.port, extra=mpps(server.port))) as made:
        yield made


def uid(exam: dict[str, Any] | str, part: int = 0, generation: int = 0) -> str:
    return step_of(exam if isinstance(exam, str) else exam["id"], part, generation).uid


def messages(box: Box) -> list[tuple[str, str]]:
    return [(row["verb"], row["state"]) for row in box.ctl("mpps", "list")["messages"]]


def wait_for(box: Box, *wanted: tuple[str, str]) -> None:
    until(lambda: messages(box) == list(wanted), 30, f"{wanted}")


def accepted(server: StepServer) -> list[tuple[str, str]]:
    """What the server took, in order."""
    return [(item["verb"], value_of(item["dataset"], STATUS)) for item in server.told() if item["status"] == 0]


def alarms(box: Box) -> list[str]:
    return [item["code"] for item in box.ctl("status")["alarms"]]
