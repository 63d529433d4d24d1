"""Who the box is to a web service, and that its secrets go nowhere else."""

from __future__ import annotations

import json
import logging
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.dicom.scu.tls import Tls
from smartbox_tui.dicom.web import stow
from smartbox_tui.dicom.web.check import check_web
from smartbox_tui.dicom.web.service import Auth, Service
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.answer import Outcome
from tests.dicom.web_rig import picture, session
from tests.support.certificates import Authority, Pair
from tests.support.webpeer import Call, Conversation, WebPeer, plain

SECRET = "geheim"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n")
    return path


def refused(peer: WebPeer | str, auth: Auth, **values: Any) -> SmartBoxError:
    with session(peer, auth, **values) as archive, pytest.raises(SmartBoxError) as caught:
        archive.probe()
    assert SECRET not in f"{caught.value.message} {caught.value.hint}"
    return caught.value


def test_basic(tmp_path: Path, secret: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    auth = Auth("basic", user="box", password_file=str(secret))
    with WebPeer(basic=f"box:{SECRET}") as peer:
        with session(peer, auth) as archive:
            archive.probe()
            assert stow.store(archive, picture(tmp_path)).meaning.outcome is Outcome.STORED
        assert refused(peer, replace(auth, user="somebody")).code == "calling-aet-rejected"
        assert refused(peer, Auth()).code == "calling-aet-rejected"
        steps = check_web(Service(peer.url, 2, auth=auth))["steps"]
        assert [step["step"] for step in steps if step["ok"]] == ["connect", "authenticate", "query", "store"]
        bad = check_web(Service(peer.url, 2, auth=replace(auth, user="somebody")))
        assert [(step["step"], step["ok"]) for step in bad["steps"]] == [("connect", True), ("authenticate", False)]
        assert SECRET not in json.dumps([steps, bad])
    assert SECRET not in caplog.text


def test_a_renewed_token_holds_at_once(tmp_path: Path, secret: Path) -> None:
    auth = Auth("bearer", token_file=str(secret))
    with WebPeer(bearer=SECRET) as peer, session(peer, auth) as archive:
        archive.probe()
        peer.bearer = "new-token"
        assert refused(peer, auth).code == "calling-aet-rejected"
        secret.write_text("new-token")
        assert stow.store(archive, picture(tmp_path)).meaning.outcome is Outcome.STORED


def test_a_credential_of_systemd(tmp_path: Path, secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with WebPeer(bearer=SECRET) as peer, session(peer, Auth("bearer", token_file="secret")) as archive:
        archive.probe()


@pytest.mark.parametrize("content", ["", "\n", "two\nlines", "a\x00b", b"\xff\xfe", "x" * 20_000, None])
def test_a_file_that_holds_no_secret(content: str | bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "token"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path.write_text(content)
    with WebPeer() as peer:
        error = refused(peer, Auth("bearer", token_file=str(path)))
        assert error.code == "calling-aet-rejected"
        assert "token_file" in error.message
        assert not peer.calls


def test_a_token_with_a_line_in_it_is_no_header(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("abc def")
    with WebPeer() as peer:
        assert refused(peer, Auth("bearer", token_file=str(path))).code == "calling-aet-rejected"


@pytest.mark.parametrize("kind", ["basic", "bearer", "oauth2"])
def test_secrets_do_not_go_over_an_open_line(kind: str, secret: Path) -> None:
    auth = Auth(kind, "box", str(secret), str(secret), "https://login.example/token")
    error = refused("http://192.0.2.7/rs", auth)
    assert error.code == "calling-aet-rejected"
    assert "without TLS" in error.message
    assert (
        "without TLS"
        in refused("https://127.0.0.1:1/rs", Auth("oauth2", "box", str(secret), "", "http://192.0.2.7/t")).message
    )


# ---- OAuth2


def oauth(peer: WebPeer, secret: Path) -> Auth:
    return Auth("oauth2", user="box", password_file=str(secret), token_url=peer.token_url)


def test_a_token_serves_until_it_ends(tmp_path: Path, secret: Path) -> None:
    with WebPeer(bearer="nobody knows") as peer, session(peer, oauth(peer, secret)) as archive:
        archive.probe()
        for _ in range(3):
            assert stow.store(archive, picture(tmp_path)).meaning.outcome is Outcome.STORED
        asked = peer.of("POST", "token")
        assert len(asked) == 1
        assert asked[0].body == b"grant_type=client_credentials"
        assert asked[0].fields["authorization"].startswith("Basic ")


def test_a_token_that_ends_is_renewed_before(tmp_path: Path, secret: Path) -> None:
    with WebPeer(bearer="nobody knows", token_life_s=0) as peer, session(peer, oauth(peer, secret)) as archive:
        for _ in range(3):
            archive.probe()
        assert len(peer.of("POST", "token")) == 3


def test_a_refused_token_is_renewed_once(tmp_path: Path, secret: Path) -> None:
    """The server has forgotten all tokens: the object goes again with a new one, and is there once."""
    with WebPeer(bearer="nobody knows") as peer, session(peer, oauth(peer, secret)) as archive:
        archive.probe()
        peer.bearer = "all are forgotten"
        one = picture(tmp_path)
        assert stow.store(archive, one).meaning.outcome is Outcome.STORED
        assert peer.times_stored == {one.sop_instance_uid: 1}
        assert len(peer.of("POST", "token")) == 2
        peer.searches += [plain(401)] * 4
        with pytest.raises(SmartBoxError) as caught:
            archive.look()
        assert caught.value.code == "calling-aet-rejected"
        assert len(peer.of("POST", "token")) == 3


def test_a_maker_of_tokens_that_wants_the_secret_in_the_body(tmp_path: Path, secret: Path) -> None:
    def picky(talk: Conversation, call: Call) -> None:
        if "authorization" in call.fields:
            talk.reply(401, '{"error": "invalid_client"}')
        else:
            peer._token(talk, call)

    with WebPeer(bearer="nobody knows", token_life_s=0) as peer, session(peer, oauth(peer, secret)) as archive:
        peer.tokens += [picky] * 3
        archive.probe()
        archive.probe()  # it remembers how
        assert [("authorization" in call.fields) for call in peer.of("POST", "token")] == [True, False, False]


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (plain(401, '{"error": "invalid_client"}'), "calling-aet-rejected", "401: invalid_client"),
        (plain(400, '{"error": "<b>bad</b>"}'), "calling-aet-rejected", "(400)"),
        (plain(302, Location="https://other.example/?code=geheim"), "calling-aet-rejected", "(302)"),
        (plain(404), "calling-aet-rejected", "(404)"),
        (plain(503), "refused", "(503)"),
        (plain(200, "<html>"), "calling-aet-rejected", "no bearer token"),
        (plain(200, '{"access_token": 7}'), "calling-aet-rejected", "no bearer token"),
        (plain(200, '{"access_token": "a b", "token_type": "Bearer"}'), "calling-aet-rejected", "is none"),
        (plain(200, '{"access_token": "a\\nX: y", "token_type": "Bearer"}'), "calling-aet-rejected", "is none"),
        (plain(200, '{"access_token": "a", "token_type": "mac"}'), "calling-aet-rejected", "no bearer token"),
        (lambda talk, call: talk.close(), "refused", "did not answer"),
        (lambda talk, call: talk.hang(), "timeout", "did not answer"),
    ],
)
def test_a_maker_of_tokens_that_gives_none(answer: Any, code: str, words: str, secret: Path) -> None:
    with WebPeer(bearer="nobody knows") as peer:
        peer.tokens += [answer] * 2
        error = refused(peer, oauth(peer, secret))
        assert (error.code, words in error.message) == (code, True), error
        assert not peer.of("GET")


# ---- certificates


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, Pair, Pair, Authority]:
    authority = Authority(tmp_path_factory.mktemp("ca"))
    server = authority.issue("archive", "server", "DNS:archive.example", "IP:127.0.0.1")
    return (
        authority,
        server,
        authority.issue("smartbox", "client"),
        Authority(tmp_path_factory.mktemp("other"), "X"),
    )


def context(authority: Authority, server: Pair, *, demanding: bool = False) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(server.cert, server.key)
    if demanding:
        made.load_verify_locations(authority.cert)
        made.verify_mode = ssl.CERT_REQUIRED
    return made


def test_the_boxs_own_certificate(tmp_path: Path, made: tuple[Authority, Pair, Pair, Authority]) -> None:
    authority, server, client, stranger = made
    own = Tls(str(authority.cert), str(client.cert), str(client.key))
    one = picture(tmp_path, 3 << 20)
    with WebPeer(tls=context(authority, server, demanding=True)) as peer:
        with session(peer, Auth("cert"), certificates=own, timeout_s=5) as archive:
            archive.probe()
            assert stow.store(archive, one).meaning.outcome is Outcome.STORED
        report = check_web(Service(peer.url, 5, own, auth=Auth("cert")))
        assert [step["step"] for step in report["steps"]] == ["connect", "tls", "authenticate", "query", "store"]
        assert report["ok"]
        nobody = refused(peer, Auth(), certificates=Tls(str(authority.cert)))
        assert (nobody.code, getattr(nobody, "cause", "")) == ("tls", "demanded")
        wrong = stranger.issue("smartbox", "wrong")
        foreign = Tls(str(authority.cert), str(wrong.cert), str(wrong.key))
        assert refused(peer, Auth("cert"), certificates=foreign).code == "tls"
    assert list(peer.stored) == [one.sop_instance_uid]


@pytest.mark.parametrize(
    ("values", "cause"),
    [({}, "issuer"), ({"ca_file": "CA", "name": "else.example"}, "name"), ({"ca_file": "/none"}, "files")],
)
def test_a_server_that_is_not_the_right_one(
    values: dict[str, str], cause: str, made: tuple[Authority, Pair, Pair, Authority]
) -> None:
    authority, server, *_ = made
    values = {key: str(authority.cert) if value == "CA" else value for key, value in values.items()}
    with WebPeer(tls=context(authority, server)) as peer:
        error = refused(peer, Auth(), certificates=Tls(**values))
        assert (error.code, getattr(error, "cause", "")) == ("tls", cause)
        report = check_web(Service(peer.url, 2, Tls(**values)))
        assert (report["ok"], report["steps"][-1]["step"], report["steps"][-1]["cause"]) == (False, "tls", cause)
        assert not peer.calls


def test_tls_where_there_is_none_and_none_where_there_is(made: tuple[Authority, Pair, Pair, Authority]) -> None:
    authority, server, *_ = made
    with WebPeer() as peer:
        error = refused(peer.url.replace("http:", "https:"), Auth())
        assert error.code == "tls"
        assert getattr(error, "cause", "") in ("plain", "silent")
    with WebPeer(tls=context(authority, server)) as peer:
        error = refused(peer.url.replace("https:", "http:"), Auth())
        assert error.code in ("tls", "refused")


def test_a_token_maker_under_tls(
    tmp_path: Path, secret: Path, made: tuple[Authority, Pair, Pair, Authority]
) -> None:
    authority, server, *_ = made
    with (
        WebPeer(tls=context(authority, server), bearer="nobody knows") as peer,
        session(peer, oauth(peer, secret), certificates=Tls(str(authority.cert)), timeout_s=5) as archive,
    ):
        assert stow.store(archive, picture(tmp_path)).meaning.outcome is Outcome.STORED


def test_nobody_to_ask_for_tokens(secret: Path) -> None:
    with WebPeer() as peer:
        assert "token_url" in refused(peer, Auth("oauth2", "box", str(secret))).message
        assert not peer.calls
