"""An archive's web service on the settings screens: its keys, none that say nothing there, its test in words."""

from __future__ import annotations

from typing import Any

import pytest

from smartbox_tui.ui.screens.settings_form import SettingsFormScreen
from tests.support.fakebox import FakeBox
from tests.ui.rig import Rig
from tests.ui.settings_rig import at, choose, settings

WEB = {"kind": "dicomweb", "url": "https://archive.example/dicom-web"}
REPORT: dict[str, Any] = {
    "ok": False,
    "steps": [
        {"step": "connect", "ok": True, "message": "archive.example:443 takes the connection.", "hint": ""},
        {"step": "tls", "ok": True, "message": "The connection is encrypted: TLSv1.3.", "hint": ""},
        {
            "step": "authenticate",
            "ok": False,
            "message": "https://archive.example/dicom-web does not let the box in (401).",
            "hint": "Check auth and its user, password, token or certificate, and the box's rights there.",
            "code": "calling-aet-rejected",
        },
    ],
    "accepted": [],
    "peer": {
        **{"host": "archive.example", "port": 443, "aet": "-", "calling_aet": "SMARTBOX"},
        "url": "https://archive.example/dicom-web",
    },
}


def box_with(**values: Any) -> Any:
    def prepare(box: FakeBox) -> None:
        box.settings.put(destinations__web={**WEB, **values})
        box.settings.report = REPORT

    return prepare


async def shown(rig: Rig) -> set[str]:
    await choose(rig, "destinations")
    await choose(rig, "web")
    screen = await at(rig, SettingsFormScreen)
    return {item.key.key for item in screen._items}


USER = {"user": "box", "password_file": "/etc/smartbox/secret"}


@pytest.mark.parametrize(
    ("values", "there", "missing"),
    [
        (
            {},
            {"url", "auth", "fallback", "ca_file", "tls_name"},
            {"host", "aet", "user", "token_url", "path", "mpps"},
        ),
        ({"url": "http://127.0.0.1/x"}, {"url"}, {"ca_file", "cert_file"}),
        ({"auth": "basic", **USER}, {"user", "password_file"}, {"token_file", "token_url"}),
        ({"auth": "bearer", "token_file": "/t"}, {"token_file"}, {"user", "password_file", "token_url"}),
        ({"auth": "oauth2", **USER, "token_url": "https://t/t"}, {"user", "token_url"}, {"token_file"}),
        ({"auth": "cert", "cert_file": "/c"}, {"cert_file", "key_file"}, {"user", "token_file"}),
        ({"fallback": True, "host": "a", "aet": "B"}, {"host", "port", "calling_aet", "tls"}, {"path"}),
        ({"kind": "dimse", "url": "", "host": "a", "aet": "B"}, {"host"}, {"url", "auth", "fallback", "ca_file"}),
    ],
)
async def test_only_what_says_something_is_shown(
    values: dict[str, Any], there: set[str], missing: set[str]
) -> None:
    async with settings(box_with(**values)) as rig:
        keys = await shown(rig)
        assert there <= keys
        assert not missing & keys


@pytest.mark.parametrize(
    ("language", "words"), [("de", "lässt die Box nicht hinein"), ("en", "does not let the box in")]
)
async def test_the_connection_test_says_who_is_not_let_in(language: str, words: str) -> None:
    async with settings(box_with(auth="basic", **USER), language=language) as rig:
        await shown(rig)
        await rig.press("t")
        await rig.until(lambda: words in rig.text())
