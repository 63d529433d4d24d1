"""The Authorization header of each kind of authentication, and the tokens of OAuth2."""

from __future__ import annotations

import base64
import json
import time
from typing import Any, Final
from urllib.parse import quote, urlencode

from smartbox_tui.dicom.web import service as kinds
from smartbox_tui.dicom.web.client import Bytes, Client, Interrupted, Reply, lost
from smartbox_tui.dicom.web.secrets import Unproven, read_secret
from smartbox_tui.dicom.web.service import Service
from smartbox_tui.errors import SmartBoxError

_MARGIN_S: Final = 30.0
_LIFE_S: Final = 300.0
"""Of a token whose maker does not say (RFC 6749 5.1: expires_in is recommended only)."""

_TOKEN_MAX: Final = 32768


class Credentials:
    """Who the box is to one service. `abort` from any thread, the rest by one."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._auth = service.auth
        self._token, self._ends_at = "", 0.0
        self._in_body = False
        self._asking: Client | None = None

    @property
    def can_renew(self) -> bool:
        """Whether asking again may bring another header than the one that was refused."""
        return self._auth.kind in kinds.SECRET

    def header(self, *, renew: bool = False) -> dict[str, str]:
        """`renew`: the last one was refused. Raises calling-aet-rejected (a secret is missing, the maker of tokens
        refuses, or the way there is open to everybody), and what the network does on the way to the tokens."""
        auth, name = self._auth, self._service.name
        if auth.kind not in kinds.SECRET:
            return {}
        if not self._service.keeps_secrets:
            raise _open_to_all(name)
        if auth.kind == kinds.BASIC:
            secret = read_secret(auth.password_file, "password_file", name)
            pair = base64.b64encode(f"{auth.user}:{secret}".encode()).decode("ascii")
            return {"Authorization": f"Basic {pair}"}
        if auth.kind == kinds.BEARER:
            return {"Authorization": f"Bearer {_token(read_secret(auth.token_file, 'token_file', name), name)}"}
        if renew or not self._token or time.monotonic() >= self._ends_at:
            self._ask()
        return {"Authorization": f"Bearer {self._token}"}

    def abort(self) -> None:
        if (client := self._asking) is not None:
            client.abort()

    def _ask(self) -> None:
        """RFC 6749 4.4: client credentials; the secret in the header (2.3.1), or in the body for who wants that."""
        self._token = ""
        if not self._auth.token_url:
            raise Unproven(
                f"The box cannot show {self._service.name} who it is: token_url is not set.", "Give token_url."
            )
        maker = Service(
            self._auth.token_url, self._service.timeout_s, self._service.certificates_of(self._auth.token_url)
        )
        if not maker.keeps_secrets:
            raise _open_to_all(maker.name)
        secret = read_secret(self._auth.password_file, "password_file", maker.name)
        client = self._asking = Client(maker)
        try:
            for in_body in (self._in_body, not self._in_body):
                reply = self._post(client, secret, in_body=in_body)
                if reply.status == 200:
                    self._in_body = in_body
                    self._keep(reply, maker.name)
                    return
                if reply.status not in (400, 401):
                    break
        except Interrupted as exc:
            raise lost(maker.name, exc) from exc
        finally:
            self._asking = None
            client.close()
        raise _refused(maker.name, reply)

    def _post(self, client: Client, secret: str, *, in_body: bool) -> Reply:
        form = {"grant_type": "client_credentials"}
        fields = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        if in_body:
            form |= {"client_id": self._auth.user, "client_secret": secret}
        else:
            pair = f"{quote(self._auth.user, safe='')}:{quote(secret, safe='')}"
            fields["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode('ascii')}"
        return client.request("POST", "", fields, Bytes(urlencode(form).encode("ascii")))

    def _keep(self, reply: Reply, name: str) -> None:
        value = _object(reply.body)
        token, kind = value.get("access_token"), str(value.get("token_type", "bearer")).lower()
        if not isinstance(token, str) or kind != "bearer":
            raise Unproven(
                f"{name} answers, but with no bearer token.",
                "Check token_url: it is the token endpoint, as in …/protocol/openid-connect/token.",
            )
        self._token = _token(token, name)
        try:
            life = float(value.get("expires_in", _LIFE_S))
        except (TypeError, ValueError):
            life = _LIFE_S
        self._ends_at = time.monotonic() + max(0.0, min(life, 86400.0) - min(_MARGIN_S, life / 2))


def _token(text: str, name: str) -> str:
    if len(text) > _TOKEN_MAX or not text.isascii() or not text.isprintable() or not text or " " in text:
        raise Unproven(f"The token for {name} is none.", "One line, without spaces.")
    return text


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _refused(name: str, reply: Reply) -> SmartBoxError:
    if reply.status >= 500 or reply.status == 429:
        return SmartBoxError("refused", f"{name} gives no token now ({reply.status}).", "The box asks again.")
    error = str(_object(reply.body).get("error", ""))  # RFC 6749 5.2: one of few words
    word = f": {error}" if error.replace("_", "").isalpha() and error.isascii() and len(error) <= 40 else ""
    return Unproven(
        f"{name} gives the box no token ({reply.status}{word}).",
        "Check token_url, user (the client ID) and the client secret in password_file.",
    )


def _open_to_all(name: str) -> SmartBoxError:
    return Unproven(
        f"The box does not send a password or token to {name}: without TLS everybody on the way can read it.",
        "Give an address that begins with https://.",
    )
