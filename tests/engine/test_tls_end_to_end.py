"""A box whose archive wants TLS: told what is missing step by step, set right on the box, and then it delivers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.box import Box, settings, until
from tests.support.certificates import Authority
from tests.support.dcmtk import free_port
from tests.support.orthanc import orthanc


def failing(box: Box) -> tuple[str, str]:
    """The step of the connection test that fails, and its cause."""
    step = box.ctl("destination", "test", "archive")["steps"][-1]
    assert (step["ok"], step["code"]) == (False, "tls"), step
    return step["step"], step["cause"]


@pytest.mark.orthanc
def test_from_plain_to_a_client_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    server = authority.issue("archive", "server", "IP:127.0.0.1")
    own = authority.issue("smartbox", "own")
    values: dict[str, Any] = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(server.cert),
        "DicomTlsPrivateKey": str(server.key),
        "DicomTlsTrustedCertificates": str(authority.cert),
        "DicomTlsRemoteCertificateRequired": True,
    }
    box = Box(settings(free_port()))
    try:
        with orthanc(tmp_path / "orthanc", **values) as archive:
            box.start("capture", "engine")
            box.ctl("settings", "set", "destinations.archive.port", str(archive.port))
            exam = box.open_exam()
            box.ctl("still")
            box.ctl("exam", "close")
            assert failing(box) == ("associate", "encrypted")

            box.ctl("settings", "set", "destinations.archive.tls", "true")
            assert failing(box) == ("tls", "issuer")
            waiting = until(lambda: [row for row in box.deliveries(exam["id"]) if row["code"] == "tls"], 60)
            assert waiting[0]["state"] == "waiting"
            assert "ca_file" in waiting[0]["reason"] or "certificate" in waiting[0]["reason"]

            box.ctl("settings", "set", "destinations.archive.ca_file", str(authority.cert))
            assert failing(box)[1] == "demanded"

            box.ctl("settings", "set", "destinations.archive.cert_file", str(own.cert))
            assert failing(box) == ("tls", "files")
            box.ctl("settings", "set", "destinations.archive.key_file", str(own.key))
            report = box.ctl("destination", "test", "archive")
            assert [step["step"] for step in report["steps"]] == ["connect", "tls", "associate", "echo", "store"]
            box.wait_stored(exam["id"], 1)
            assert len(archive.instances()) == 1
            for text in (box.log("engine"), box.raw("ctl", "settings", "get", "destinations.archive").stdout):
                assert "PRIVATE KEY" not in text
    finally:
        box.close()
