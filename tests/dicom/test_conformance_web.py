"""What the statement says of DICOM web services is what the client does."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest

from smartbox_tui.commands.conformance import site_of
from smartbox_tui.dicom.conformance import Statement, statement
from smartbox_tui.dicom.web import query, retrieve, status, stow
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.destination import Destination
from smartbox_tui.settings.load import settings_from
from smartbox_tui.settings.schema import Settings
from tests.dicom.test_conformance import rows
from tests.dicom.web_rig import picture, session
from tests.support.webpeer import WebPeer


@pytest.fixture(scope="module")
def made() -> Statement:
    return statement(site_of(Settings(), own=False))


def test_every_request_stands_there(made: Statement, tmp_path: Path) -> None:
    with WebPeer() as peer, session(peer) as archive:
        archive.probe()
        archive.knock()
        stow.store(archive, picture(tmp_path))
        query.search_instances(archive, sop="1.2")
        query.search_instances(archive, study="1.2")
        query.search_instances(archive, study="1.2", series="1.3")
        for ask in (
            lambda: query.metadata(archive, "1.2", "1.3", "1.4"),
            lambda: retrieve.retrieve_instance(archive, "1.2", "1.3", "1.4", lambda piece: None),
        ):
            with contextlib.suppress(SmartBoxError):  # what it answers is not the matter here
                ask()
        asked = {
            (call.method, re.sub(r"/1\.\d", "/UID", call.path.removeprefix(peer.prefix).partition("?")[0]))
            for call in peer.calls
        }
    told = {
        (row[2], path)
        for row in rows(made.page, "5.3 ")
        if len(row) == 4 and row[2] in ("GET", "POST")
        for path in _paths(row[3])
    }
    assert asked <= told
    assert told - asked == set()


def _paths(text: str) -> list[str]:
    found = text.replace(", the same with /metadata", ", /studies/UID/series/UID/instances/UID/metadata")
    return found.split(", ")


def test_every_status_and_reason_stands_there(made: Statement) -> None:
    found = {cell for row in rows(made.page, "7.3.9") for cell in re.split(r"[ ,]+", row[0])}
    assert {f"{reason:04X}H" for reason in (*status.REASONS, *status.NO_CLASS)} <= found
    assert {str(code) for code in (*status.BY_STATUS, *stow.DOORS, 408, 502, 504)} <= found


def test_the_sheet_names_the_web_services_of_a_box_without_their_secrets() -> None:
    values = {
        "destinations": [
            {"name": "web", "kind": "dicomweb", "url": "https://pacs.example/rs", "auth": "basic", "user": "box",
             "password_file": "/etc/smartbox/secret"},
        ]
    }  # fmt: skip
    text = statement(site_of(settings_from(values), own=True)).page.markdown()
    assert "https://pacs.example/rs" in text.partition("## 1.3")[0]
    assert "1.3 DICOM web services" in text
    assert Destination(name="any").auth == "none"
