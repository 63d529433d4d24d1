"""Which web service to call, and as whom. Pure: no file is read, nothing is connected."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from smartbox_tui.dicom.scu.pace import Pace
from smartbox_tui.dicom.scu.tls import Tls
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.addresses import keeps_secrets

NONE: Final = "none"
BASIC: Final = "basic"
BEARER: Final = "bearer"
OAUTH2: Final = "oauth2"
CERT: Final = "cert"
SECRET: Final = (BASIC, BEARER, OAUTH2)
"""What sends a secret along."""


@dataclass(frozen=True, slots=True)
class Auth:
    """How the box shows who it is. Files are whole paths or names of systemd credentials, read when they are used.

    kind           none, basic (RFC 7617), bearer (RFC 6750), oauth2 (client credentials, RFC 6749 4.4), cert (the
                   client certificate of the service's Tls)
    user           of basic; the client ID of oauth2
    password_file  of basic; the client secret of oauth2
    token_file     of bearer
    token_url      of oauth2
    """

    kind: str = NONE
    user: str = ""
    password_file: str = ""
    token_file: str = ""
    token_url: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """The services of an archive, or of whoever gives tokens, below one address.

    url        http or https, without a query; a slash at its end does not count
    timeout_s  for the connection, and for every wait without progress after it
    certificates  whom to trust and what to show; of no effect with http
    pace       how fast all its connections together may send, or None
    Raises bad-value for an address that is none.
    """

    url: str
    timeout_s: float = 30.0
    certificates: Tls = field(default_factory=Tls)
    pace: Pace | None = field(default=None, compare=False)
    auth: Auth = field(default_factory=Auth)

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            fits = False
        if not fits or not self.url.isascii() or not self.url.isprintable() or " " in self.url:
            raise SmartBoxError(
                "bad-value", f"{self.url!r} is not a web address.", "As in https://archive/dicom-web."
            )

    @property
    def name(self) -> str:
        """For messages: the address."""
        return self.url.rstrip("/")

    @property
    def is_secure(self) -> bool:
        return urlsplit(self.url).scheme == "https"

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or (443 if self.is_secure else 80)

    @property
    def tls(self) -> Tls | None:
        return self.certificates if self.is_secure else None

    def certificates_of(self, url: str) -> Tls:
        """For another service that belongs to this one. `name` is that of one server only; our certificate is shown
        where it is how we say who we are."""
        own, same = self.certificates, urlsplit(url).hostname == self.host
        return Tls(own.ca_file, own.cert_file, own.key_file, own.name if same else "")

    @property
    def path(self) -> str:
        """Before the path of each request; empty or beginning with a slash, and ending with none."""
        return urlsplit(self.url).path.rstrip("/")

    @property
    def authority(self) -> str:
        """The Host header's value (RFC 9110 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_secure else 80) else f"{host}:{self.port}"

    @property
    def keeps_secrets(self) -> bool:
        """Whether a secret may go there: encrypted, or not leaving this machine."""
        return keeps_secrets(self.url)
