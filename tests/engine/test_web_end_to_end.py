"""A box that delivers by STOW-RS: to a real Orthanc, and by C-STORE while the web is away."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.box import Box, CtlError, settings, until
from tests.support.dcmtk import free_port, storescp
from tests.support.frames import dataset_bytes
from tests.support.orthanc import dicomweb, orthanc
from tests.support.webpeer import WebPeer, names_failed, plain


def exported(box: Box, folder: Path, study: str) -> dict[str, bytes]:
    files = box.smartbox("dicom", "export", "--study", study, "--out", str(folder))["exported"]
    return {item["sop_instance_uid"]: Path(item["file"]).read_bytes() for item in files}


def web_box(url: str, **values: Any) -> Box:
    lines = "".join(
        f"{name} = {value!r}\n".replace("True", "true").replace("'", '"') for name, value in values.items()
    )
    return Box(settings(1, extra=f'kind = "dicomweb"\nurl = "{url}"\n{lines}'))


@pytest.mark.orthanc
def test_a_still_and_a_clip_are_in_orthanc_as_they_were_taken(tmp_path: Path) -> None:
    with orthanc(tmp_path / "orthanc", **dicomweb()) as archive:
        box = web_box(archive.web)
        try:
            box.start("capture", "engine")
            exam = box.open_exam()
            box.ctl("still")
            box.ctl("record", "start")
            time.sleep(2)
            box.ctl("record", "stop")
            box.ctl("exam", "close")
            rows = box.wait_stored(exam["id"], 2)
            report = box.ctl("destination", "test", "archive")
            assert report["ok"]
            assert [step["step"] for step in report["steps"]] == ["connect", "query", "store"]
            assert box.ctl("destination", "list")["destinations"][0]["state"] == "ok"
            held = exported(box, tmp_path / "out", exam["study_instance_uid"])
            assert set(held) == {row["sop_instance_uid"] for row in rows}
            for uid, data in held.items():
                assert dataset_bytes(archive.file_of(uid)) == dataset_bytes(data)
            assert len(archive.instances()) == 2
        finally:
            box.close()


def stills(box: Box, count: int) -> dict[str, Any]:
    exam = box.open_exam()
    for _ in range(count):
        box.ctl("still")
    box.ctl("exam", "close")
    return exam


def test_what_the_archive_says_becomes_of_the_row() -> None:
    with WebPeer() as peer:
        peer.script += [
            plain(503, Retry_After="1"),
            names_failed(200, 0xA700),
            lambda talk, call: (peer.take(call.objects[0]), talk.close()),  # type: ignore[func-returns-value]
        ]
        box = web_box(peer.url)
        try:
            box.start("capture", "engine")
            exam = stills(box, 1)
            (row,) = box.wait_stored(exam["id"], 1)
            assert peer.times_stored == {row["sop_instance_uid"]: 1}
            assert len(peer.stores) == 3

            peer.script += [names_failed(409, 0xC000, comment="No such study")]
            exam = stills(box, 1)
            rows = until(lambda: [row for row in box.deliveries(exam["id"]) if row["state"] == "blocked"])
            assert "C000H: No such study" in rows[0]["reason"]
            box.ctl("queue", "retry", "--all")
            box.wait_stored(exam["id"], 1)
        finally:
            box.close()


def test_a_locked_door_blocks_nothing_and_opens_by_itself(tmp_path: Path) -> None:
    with WebPeer(bearer="right") as peer:
        token = tmp_path / "token"
        token.write_text("wrong")
        box = web_box(peer.url, auth="bearer", token_file=str(token))
        try:
            box.start("capture", "engine")
            exam = stills(box, 2)

            def rejected() -> bool:
                return bool(box.ctl("destination", "list")["destinations"][0]["state"] == "rejected")

            until(rejected)
            until(lambda: {row["state"] for row in box.deliveries(exam["id"])} == {"waiting"})
            report = box.ctl("destination", "test", "archive")
            assert (report["ok"], report["steps"][-1]["step"]) == (False, "authenticate")
            token.write_text("right")
            rows = box.wait_stored(exam["id"], 2)
            assert {row["attempts"] for row in rows} == {1}
            assert "wrong" not in box.log("engine")
        finally:
            box.close()


def test_c_store_carries_on_while_the_web_is_away(tmp_path: Path) -> None:
    with storescp(tmp_path / "scp") as behind, WebPeer() as peer:
        peer.away = True
        box = web_box(peer.url, fallback=True)
        text = box.config.read_text().replace("port = 1\n", f"port = {behind.port}\n")
        box.config.write_text(text)
        try:
            box.start("capture", "engine")
            exam = stills(box, 2)
            box.wait_stored(exam["id"], 2)
            assert len(behind.files()) == 2
            assert not peer.stores
            report = box.ctl("destination", "test", "archive")
            assert not report["ok"]
            assert report["steps"][-1]["step"] == "fallback"
            assert report["steps"][-1]["ok"]
            assert report["accepted"]
        finally:
            box.close()


def test_it_is_added_by_ctl_with_tokens_of_oauth2(tmp_path: Path) -> None:
    """dcm4chee's address and Keycloak's tokens; what is wrong is said before anything is kept."""
    secret = tmp_path / "secret"
    secret.write_text("geheim\n")
    with WebPeer(bearer="nobody knows") as peer:
        box = Box(settings(free_port()))
        try:
            box.start("capture", "engine")
            add = ["destination", "add", "pacs", "--kind", "dicomweb", "--send", "immediately"]
            own = [
                "--auth",
                "oauth2",
                "--user",
                "box",
                "--token-url",
                peer.token_url,
                "--password-file",
                str(secret),
            ]
            for wrong, key in (
                ([], "url"),
                (["--url", "ftp://archive"], "url"),
                (["--url", "http://archive.example/rs", *own], "url"),
                (["--url", peer.url, "--auth", "oauth2"], "password_file"),
                (["--url", peer.url, "--auth", "cert"], "cert_file"),
                (["--url", peer.url, "--fallback"], "host"),
            ):
                with pytest.raises(CtlError) as caught:
                    box.ctl(*add, *wrong)
                assert caught.value.code == "bad-value"
                assert f"destinations.pacs.{key}" in str(caught.value)
            box.ctl(*add, "--url", peer.url, *own)
            report = box.ctl("destination", "test", "pacs")
            assert [step["step"] for step in report["steps"]] == ["connect", "authenticate", "query", "store"]
            exam = stills(box, 2)

            def stored() -> bool:
                rows = [row["state"] for row in box.deliveries(exam["id"]) if row["destination"] == "pacs"]
                return rows == ["stored"] * 2

            until(stored)
            assert len(peer.stored) == 2
            for text in (
                box.log("engine"),
                box.raw("ctl", "settings", "export").stdout,
                (box.state / "site.toml").read_text(),
            ):
                assert "geheim" not in text
                assert peer.bearer not in text
        finally:
            box.close()
