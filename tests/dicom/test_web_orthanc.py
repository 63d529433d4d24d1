"""DICOMweb against a real Orthanc with its plugin: objects go there and come back byte for byte."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from smartbox_tui.dicom.scu.tls import Tls
from smartbox_tui.dicom.web import query, retrieve, stow
from smartbox_tui.dicom.web.check import check_web
from smartbox_tui.dicom.web.service import Auth, Service
from smartbox_tui.dicom.web.session import Session
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.answer import Outcome
from tests.dicom.pictures import ORDERED, Media, clip, composition, still
from tests.dicom.web_rig import picture, session
from tests.support.certificates import Authority
from tests.support.orthanc import Orthanc, dicomweb, orthanc
from tests.support.tlsfront import tls_front

pytestmark = pytest.mark.orthanc


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with orthanc(tmp_path_factory.mktemp("web"), OverwriteInstances=False, **dicomweb()) as running:
        yield running


def test_stills_and_clips_go_and_come_back(archive: Orthanc, media: Media) -> None:
    items = [
        composition(ORDERED, still(word, media.still), media.still)
        for word in ("vl-endoscopic", "secondary-capture")
    ]
    items.append(composition(ORDERED, clip("video-endoscopic", media.clip_30), media.clip_30))
    with session(archive.web, timeout_s=10) as web:
        for item in items:
            assert stow.store(web, item).meaning.outcome is Outcome.STORED
        held = query.search_instances(web, study=ORDERED.study_instance_uid)
        for item in items:
            (found,) = query.search_instances(web, sop=item.sop_instance_uid)
            assert found in held
            assert found.sop_class == item.sop_class_uid
            got: list[bytes] = []
            retrieve.retrieve_instance(web, found.study, found.series, found.sop, got.append)
            data = b"".join(got)
            assert data.endswith(b"".join(item.chunks()))  # behind a group 2 of Orthanc's own
            assert data[128:132] == b"DICM"
            (patient_id,) = query.metadata(web, found.study, found.series, found.sop)["00100020"]["Value"]
            assert patient_id == "4711-22"
        with pytest.raises(SmartBoxError) as caught:
            retrieve.retrieve_instance(web, found.study, found.series, "1.2.3.99", got.append)
        assert caught.value.code == "not-found"


def test_the_same_object_again_is_there_once(archive: Orthanc, tmp_path: Path) -> None:
    item = picture(tmp_path)
    with session(archive.web, timeout_s=10) as web:
        for _ in range(3):
            assert stow.store(web, item).meaning.outcome is Outcome.STORED
        assert len(query.search_instances(web, sop=item.sop_instance_uid)) == 1


def test_pauses_longer_than_the_connection_is_kept(archive: Orthanc, tmp_path: Path) -> None:
    """It keeps one for a second."""
    with session(archive.web, timeout_s=10) as web:
        for pause in (0.2, 0.6, 1.1, 1.4):
            assert stow.store(web, picture(tmp_path)).meaning.outcome is Outcome.STORED
            time.sleep(pause)


def test_the_connection_test(archive: Orthanc) -> None:
    report = check_web(Service(archive.web, 5))
    assert [(step["step"], step["ok"]) for step in report["steps"]] == [
        ("connect", True),
        ("query", True),
        ("store", True),
    ]
    wrong = check_web(Service(archive.web.replace("dicom-web", "dicomweb"), 5))
    assert (wrong["ok"], wrong["steps"][-1]["code"]) == (False, "called-aet-rejected")


def test_a_password(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("geheim\n")
    values = {"AuthenticationEnabled": True, "RegisteredUsers": {"box": "geheim"}, **dicomweb()}
    with orthanc(tmp_path / "orthanc", **values) as archive:
        with session(archive.web, timeout_s=10) as web, pytest.raises(SmartBoxError) as caught:
            stow.store(web, picture(tmp_path))
        assert caught.value.code == "calling-aet-rejected"
        with session(archive.web, Auth("basic", user="box", password_file=str(secret)), timeout_s=10) as web:
            web.probe()
            assert stow.store(web, picture(tmp_path)).meaning.outcome is Outcome.STORED


def test_a_client_certificate(archive: Orthanc, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    server = authority.issue("archive", "server", "DNS:archive.example")
    own = authority.issue("smartbox", "own")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.cert, server.key)
    context.load_verify_locations(authority.cert)
    context.verify_mode = ssl.CERT_REQUIRED
    with tls_front(archive.http_port, context) as port:
        url = f"https://127.0.0.1:{port}/dicom-web"
        tls = Tls(str(authority.cert), str(own.cert), str(own.key), "archive.example")
        with Session(Service(url, 10, tls, auth=Auth("cert"))) as web:
            web.probe()
            item = picture(tmp_path, 3 << 20)
            assert stow.store(web, item).meaning.outcome is Outcome.STORED
            assert len(query.search_instances(web, sop=item.sop_instance_uid)) == 1
        nobody = Tls(str(authority.cert), name="archive.example")
        with Session(Service(url, 10, nobody)) as web, pytest.raises(SmartBoxError) as caught:
            web.probe()
        assert caught.value.code == "tls"
