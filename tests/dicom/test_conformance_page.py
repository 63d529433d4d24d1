"""The statement's two forms, and the command that prints it."""

from __future__ import annotations

import html.parser
import json
import subprocess
import sys
from pathlib import Path

from smartbox_tui.commands.conformance import site_of
from smartbox_tui.dicom.conformance import statement
from smartbox_tui.settings.load import settings_from
from smartbox_tui.settings.schema import Settings
from tests.dicom.test_conformance import rows

ROOT = Path(__file__).parents[2]


class _Links(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        values = dict(attrs)
        assert not [name for name in values if name.startswith("on") or name in ("src", "style")]
        self.ids += [values["id"] or ""] if "id" in values else []
        self.targets += [values["href"] or ""] if "href" in values else []
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_first_page_has_the_values_of_the_box() -> None:
    settings = settings_from(
        {
            "aet": "ENDO|1",
            "station_name": "ROOM 3",
            "sources": [{"id": "s", "kind": "pattern", "still_class": "vl-photographic"}],
            "destinations": [
                {"name": "archive", "host": "10.1.2.3", "port": 4242, "aet": "PACS", "calling_aet": "BOX"}
            ],
            "worklist": {"host": "ris.invalid", "aet": "RIS", "tls": True, "port": 2762},
        }
    )
    page = statement(site_of(settings, own=True)).page
    sheet = rows(page, "Sheet")
    assert any(row[1:5] == ("10.1.2.3", "4242", "PACS", "BOX") for row in sheet)
    assert any(row[1:5] == ("ris.invalid", "2762 (TLS)", "RIS", "ENDO|1") for row in sheet)
    assert any(row[0] == "Procedure steps" and row[1] == "not set" for row in sheet)
    storage = [row for row in sheet if row[0].startswith("Storage")]
    assert any("VL Photographic" in row[1] for row in storage)
    assert not any("VL Endoscopic" in row[1] for row in storage)
    assert "ENDO\\|1" in page.markdown()
    assert ("`destinations.NAME.port`", "4242") in {(row[0], row[-1]) for row in rows(page, "6.3")}


def test_the_page_is_whole_and_loads_nothing() -> None:
    made = statement(site_of(Settings(), own=False))
    parser = _Links()
    parser.feed(made.page.html())
    assert parser.open == []
    assert not parser.tags & {"script", "link", "img", "iframe"}
    assert len(set(parser.ids)) == len(parser.ids)
    assert {target.removeprefix("#") for target in parser.targets} <= set(parser.ids)
    assert all(target.startswith("#") for target in parser.targets)


def test_what_somebody_typed_cannot_break_the_page() -> None:
    settings = settings_from({"station_name": "<b>`|*", "aet": "A<B>&*|"})
    page = statement(site_of(settings, own=True)).page
    assert "<b>" not in page.html()
    assert "A<B>" not in page.html()
    assert "A&lt;B>&\\*\\|" in page.markdown()


def smartbox(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "smartbox_tui.cli", "conformance", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True, timeout=120)


def test_the_command_prints_each_form(tmp_path: Path) -> None:
    config = tmp_path / "box.toml"
    config.write_text('aet = "THISBOX"\n', encoding="utf-8")
    assert "THISBOX" in smartbox("--config", str(config), "--state", str(tmp_path)).stdout
    assert smartbox("--html").stdout.startswith("<!DOCTYPE html>")
    value = json.loads(smartbox("--json").stdout)
    assert value["format"] == "markdown"
    assert {"service", "sop_class", "transfer_syntax"} == set(value["contexts"][0])


def test_the_committed_statement_is_up_to_date() -> None:
    committed = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
    assert smartbox().stdout == committed, "make conformance"
