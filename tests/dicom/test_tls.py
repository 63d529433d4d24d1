"""The same sender under TLS, and what is wrong with a certificate is said."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from smartbox_tui.dicom.compose import from_part10
from smartbox_tui.dicom.scu.echo import check_destination
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.dicom.scu.store import StoreSession
from tests.dicom.pictures import ORDERED, Media, clip, composition, still
from tests.support.dcmtk import storescp


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(key, certificate) of localhost, signed by itself."""
    openssl = shutil.which("openssl") or pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = f"req -x509 -newkey rsa:2048 -nodes -keyout {key} -out {cert} -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([openssl, *command.split(), *names], check=True, capture_output=True)
    return key, cert


def options(certificate: tuple[Path, Path]) -> list[str]:
    key, cert = certificate
    return ["+tls", str(key), str(cert), "-ic", "-pdu", "131072", "+B"]


def test_objects_arrive_under_tls_as_they_left(
    certificate: tuple[Path, Path], media: Media, tmp_path: Path
) -> None:
    items = [
        composition(ORDERED, still("vl-endoscopic", media.still), media.still),
        composition(ORDERED, clip("video-endoscopic", media.clip_60), media.clip_60),
    ]
    pairs = [(item.sop_class_uid, item.transfer_syntax_uid) for item in items]
    trusted = ssl.create_default_context(cafile=str(certificate[1]))
    with storescp(tmp_path / "scp", *options(certificate)) as peer:
        target = Peer("localhost", peer.port, "STORESCP", tls=trusted)
        with StoreSession(target, pairs) as session:
            assert [session.store(item).status for item in items * 10] == [0] * 20
        held = {found.sop_instance_uid: b"".join(found.chunks()) for found in map(from_part10, peer.files())}
    assert held == {item.sop_instance_uid: b"".join(item.chunks()) for item in items}


def test_a_certificate_nobody_vouches_for_is_a_tls_error(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    with storescp(tmp_path / "scp", *options(certificate)) as peer:
        report = check_destination(Peer("localhost", peer.port, "STORESCP", tls=ssl.create_default_context()))
    (step,) = report["steps"]
    assert (step["step"], step["ok"], step["code"]) == ("connect", False, "tls")
    assert step["hint"]


def test_tls_to_a_plain_port_is_a_tls_error(tmp_path: Path) -> None:
    with storescp(tmp_path / "scp") as peer:
        target = Peer("localhost", peer.port, "STORESCP", timeout_s=2, tls=ssl.create_default_context())
        report = check_destination(target)
    assert report["steps"][0]["code"] == "tls"


def test_plain_to_a_tls_port_ends_in_time(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    with storescp(tmp_path / "scp", *options(certificate)) as peer:
        report = check_destination(Peer("localhost", peer.port, "STORESCP", timeout_s=2))
    assert not report["ok"]
    assert report["steps"][-1]["step"] == "associate"
