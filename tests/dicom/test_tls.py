"""The same sender under TLS, and each thing that is wrong with a certificate is said in words."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.dicom.compose import from_part10
from smartbox_tui.dicom.scu.echo import check_destination
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.dicom.scu.store import StoreSession
from smartbox_tui.dicom.scu.tls import NO_GREETING, Tls, TlsTrouble, explain
from tests.dicom.pictures import ORDERED, Media, clip, composition, still
from tests.support.certificates import Authority, Pair
from tests.support.dcmtk import storescp
from tests.support.orthanc import orthanc
from tests.support.peer import Call, scripted_peer


@dataclass(frozen=True)
class Certificates:
    authority: Authority
    server: Pair
    client: Pair
    stranger: Authority
    """An authority that nobody trusts."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    authority = Authority(tmp_path_factory.mktemp("ca"))
    return Certificates(
        authority,
        authority.issue("archive", "server", "DNS:localhost", "IP:127.0.0.1"),
        authority.issue("smartbox", "client"),
        Authority(tmp_path_factory.mktemp("stranger"), "Stranger"),
    )


def trusting(made: Certificates, client: Pair | None = None, **values: str) -> Tls:
    own = {"cert_file": str(client.cert), "key_file": str(client.key)} if client else {}
    return Tls(ca_file=str(made.authority.cert), **own, **values)


def scp_options(made: Certificates, *more: str) -> list[str]:
    return ["+tls", str(made.server.key), str(made.server.cert), "+cf", str(made.authority.cert), *more]


def sends(target: Peer, media: Media, times: int = 5) -> dict[str, bytes]:
    """Stores a still and a clip, several times; what was sent, by UID."""
    items = [
        composition(ORDERED, still("vl-endoscopic", media.still), media.still),
        composition(ORDERED, clip("video-endoscopic", media.clip_60), media.clip_60),
    ]
    with StoreSession(target, [(item.sop_class_uid, item.transfer_syntax_uid) for item in items]) as session:
        assert [session.store(item).status for item in items * times] == [0] * 2 * times
    return {item.sop_instance_uid: b"".join(item.chunks()) for item in items}


@pytest.mark.parametrize("max_pdu", ["131072", "4096", "16384"])
def test_objects_arrive_under_tls_as_they_left(
    made: Certificates, media: Media, tmp_path: Path, max_pdu: str
) -> None:
    with storescp(tmp_path / "scp", *scp_options(made, "-ic", "-pdu", max_pdu, "+B")) as peer:
        sent = sends(Peer("localhost", peer.port, "STORESCP", tls=trusting(made)), media)
        held = {found.sop_instance_uid: b"".join(found.chunks()) for found in map(from_part10, peer.files())}
    assert held == sent


def test_the_command_sends_with_tls_too(made: Certificates, media: Media, tmp_path: Path) -> None:
    item = composition(ORDERED, still("vl-endoscopic", media.still), media.still)
    item.write(tmp_path / "still.dcm")
    command = [sys.executable, "-m", "smartbox_tui.cli", "--json", "dicom", "send"]

    def sent(port: int, *options: str) -> tuple[int, Any]:
        to = ["--to", f"localhost:{port}:SCP", *options, str(tmp_path / "still.dcm")]
        done = subprocess.run([*command, *to], capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, json.loads(done.stdout)

    with storescp(tmp_path / "scp", *scp_options(made, "-rc")) as peer:
        own = ["--cert-file", str(made.client.cert), "--key-file", str(made.client.key)]
        status, value = sent(peer.port, "--tls", "--ca-file", str(made.authority.cert), *own)
        assert (status, value["sent"]) == (0, 1), value
        status, value = sent(peer.port, "--tls", *own)
        assert (status, value["failed"][0]["code"]) == (1, "tls")
        status, value = sent(peer.port, *own)
        assert (status, value["error"]["code"]) == (1, "bad-value")


def test_storescp_demands_a_client_certificate(made: Certificates, media: Media, tmp_path: Path) -> None:
    with storescp(tmp_path / "scp", *scp_options(made, "-rc")) as peer:
        sends(Peer("localhost", peer.port, "STORESCP", tls=trusting(made, made.client)), media, 1)
        report = check_destination(Peer("localhost", peer.port, "STORESCP", timeout_s=3, tls=trusting(made)))
        assert report["steps"][-1]["cause"] == "demanded"
        unknown = trusting(made, made.stranger.issue("nobody", "nobody"))
        report = check_destination(Peer("localhost", peer.port, "STORESCP", timeout_s=3, tls=unknown))
        assert report["steps"][-1]["cause"] == "refused"


@pytest.mark.orthanc
@pytest.mark.parametrize("demanded", [False, True])
def test_orthanc_with_and_without_a_client_certificate(
    made: Certificates, media: Media, tmp_path: Path, demanded: bool
) -> None:
    options: dict[str, Any] = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(made.server.cert),
        "DicomTlsPrivateKey": str(made.server.key),
        "DicomTlsTrustedCertificates": str(made.authority.cert),
        "DicomTlsRemoteCertificateRequired": demanded,
    }
    with orthanc(tmp_path, **options) as archive:
        with_own = trusting(made, made.client)
        sent = sends(Peer("127.0.0.1", archive.port, archive.aet, tls=with_own), media, 1)
        for uid, data in sent.items():
            path = tmp_path / "held"
            path.write_bytes(archive.file_of(uid))
            assert b"".join(from_part10(path).chunks()) == data
        without = Peer("127.0.0.1", archive.port, archive.aet, timeout_s=3, tls=trusting(made))
        report = check_destination(without)
        assert report["ok"] is not demanded
        if demanded:
            assert report["steps"][-1]["cause"] == "demanded"


@contextlib.contextmanager
def tls_server(pair: Pair, *, trusted: Path | None = None, **values: Any) -> Iterator[int]:
    """Greets every caller and answers nothing. `values` are set on its context."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL@SECLEVEL=0")
    context.load_cert_chain(pair.cert, pair.key)
    if trusted is not None:
        context.load_verify_locations(trusted)
        context.verify_mode = ssl.CERT_REQUIRED
    for name, value in values.items():
        context.set_ciphers(value) if name == "ciphers" else setattr(context, name, value)
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                plain, _ = server.accept()
            except OSError:
                return
            plain.settimeout(10)
            with contextlib.suppress(OSError), plain, context.wrap_socket(plain, server_side=True) as safe:
                while safe.recv(1000):
                    pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(15)
        assert not thread.is_alive()


def found(port: int, tls: Tls | None, host: str = "localhost") -> tuple[str, str]:
    """The step that fails and its cause."""
    report = check_destination(Peer(host, port, "ANY", timeout_s=2, tls=tls))
    step = report["steps"][-1]
    assert (step["ok"], step["code"]) == (False, "tls"), step
    assert step["hint"]
    assert "key" not in step["message"] or "PRIVATE" not in step["message"]
    return step["step"], step["cause"]


def test_a_server_certificate_is_judged(made: Certificates) -> None:
    ca = made.authority
    with tls_server(ca.issue("archive", "expired", "DNS:localhost", days=-1)) as port:
        assert found(port, trusting(made)) == ("tls", "expired")
    with tls_server(ca.issue("archive", "other", "DNS:pacs.example")) as port:
        assert found(port, trusting(made)) == ("tls", "name")
        assert found(port, trusting(made), "127.0.0.1") == ("tls", "name")
        # with its own name it is the right one, and then only DICOM is missing
        report = check_destination(
            Peer("127.0.0.1", port, "ANY", timeout_s=0.5, tls=trusting(made, name="pacs.example"))
        )
        assert [(step["step"], step["ok"]) for step in report["steps"]] == [
            ("connect", True),
            ("tls", True),
            ("associate", False),
        ]
        assert "valid until" in report["steps"][1]["message"]
    with tls_server(made.stranger.issue("archive", "foreign", "DNS:localhost")) as port:
        assert found(port, trusting(made)) == ("tls", "issuer")
        assert found(port, Tls()) == ("tls", "issuer")
    with tls_server(ca.own("archive", "self", "DNS:localhost")) as port:
        assert found(port, trusting(made)) == ("tls", "issuer")


def test_a_certificate_itself_can_be_the_one_that_is_trusted(made: Certificates) -> None:
    own = made.authority.own("archive", "pinned", "DNS:localhost")
    signed = made.stranger.issue("archive", "leaf", "DNS:localhost", days=10)
    for pair in (own, signed):
        with tls_server(pair) as port:
            report = check_destination(
                Peer("localhost", port, "ANY", timeout_s=0.5, tls=Tls(ca_file=str(pair.cert)))
            )
            assert report["steps"][1]["ok"], report
            assert bool(report["steps"][1]["hint"]) is (pair is signed), "what ends in ten days is told"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_certificate_is_demanded_and_judged(made: Certificates, version: ssl.TLSVersion) -> None:
    with tls_server(
        made.server, trusted=made.authority.cert, minimum_version=version, maximum_version=version
    ) as port:
        assert found(port, trusting(made))[1] == "demanded"
        assert found(port, trusting(made, made.stranger.issue("nobody", "nobody")))[1] == "refused"
        gone = made.authority.issue("smartbox", "gone", days=-1)
        assert found(port, trusting(made, gone))[1] == "refused"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_and_ciphers_are_not_spoken(made: Certificates) -> None:
    with tls_server(
        made.server, minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1
    ) as port:
        assert found(port, trusting(made)) == ("tls", "version")
    with tls_server(made.server, maximum_version=ssl.TLSVersion.TLSv1_2, ciphers="AES128-SHA@SECLEVEL=0") as port:
        assert found(port, trusting(made, made.client)) == ("tls", "version")


def test_a_port_that_speaks_no_tls(made: Certificates, tmp_path: Path) -> None:
    with storescp(tmp_path / "scp") as peer:
        assert found(peer.port, trusting(made)) == ("tls", "plain")
    for script, cause in (
        (Call.close, "plain"),
        (Call.silent, "silent"),
        (lambda call: (call.sock.recv(1), call.sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")), "plain"),
        (lambda call: (call.sock.recv(1), call.sock.sendall(b"\x16\x03\x03"), call.silent()), "silent"),
    ):
        with scripted_peer(script) as peer_:  # type: ignore[arg-type]
            assert found(peer_.port, trusting(made)) == ("tls", cause)


@pytest.mark.parametrize("kind", [ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionResetError, BrokenPipeError])
def test_whoever_hangs_up_at_the_greeting_speaks_no_tls(kind: type[OSError]) -> None:
    """Which of them is raised is a matter of moments and of OpenSSL's version."""
    said = kind()
    if isinstance(said, ssl.SSLError):
        said.reason = None  # as the module itself leaves it
    assert explain(said, Tls()) == NO_GREETING


def test_plain_to_a_tls_port_is_told(made: Certificates, tmp_path: Path) -> None:
    with storescp(tmp_path / "scp", *scp_options(made, "-ic")) as peer:
        report = check_destination(Peer("localhost", peer.port, "STORESCP", timeout_s=2))
    assert not report["ok"]
    assert report["steps"][-1]["step"] == "associate"
    with scripted_peer(lambda call: call.sock.sendall(b"\x15\x03\x01\x00\x02\x02\x0a")) as alert:
        assert found(alert.port, None) == ("associate", "encrypted")


def test_own_files_that_cannot_be_used(made: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = str(made.client.cert)
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    secret = made.authority.own("smartbox", "secret", password="geheim")
    for tls in (
        Tls(ca_file=str(tmp_path / "missing.pem")),
        Tls(ca_file=str(text)),
        Tls(ca_file=str(tmp_path)),
        Tls(cert_file=str(tmp_path / "missing.pem")),
        Tls(cert_file=good, key_file=str(made.server.key)),
        Tls(cert_file=good, key_file=str(text)),
        Tls(cert_file=good),
        Tls(cert_file=str(secret.cert), key_file=str(secret.key)),
    ):
        with pytest.raises(TlsTrouble) as caught:
            tls.context("PACS")
        assert (caught.value.code, caught.value.cause, bool(caught.value.hint)) == ("tls", "files", True)
    report = check_destination(Peer("127.0.0.1", 9, "ANY", tls=Tls(ca_file=str(text))))
    assert [(step["step"], step["cause"]) for step in report["steps"]] == [("tls", "files")]
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(made.client.cert.parent))
    Tls(cert_file="client.pem", key_file="client.key").context("PACS")


def test_a_renewed_certificate_holds_at_once(made: Certificates, tmp_path: Path) -> None:
    trusted = tmp_path / "ca.pem"
    trusted.write_bytes(made.stranger.cert.read_bytes())
    tls = Tls(ca_file=str(trusted))
    with tls_server(made.server) as port:
        assert found(port, tls) == ("tls", "issuer")
        trusted.write_bytes(made.authority.cert.read_bytes())
        assert check_destination(Peer("localhost", port, "ANY", timeout_s=0.5, tls=tls))["steps"][1]["ok"]
