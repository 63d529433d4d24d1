"""What the keys of a dicomweb destination need of each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from smartbox_tui.model.addresses import keeps_secrets
from smartbox_tui.settings.destination import Destination

OPEN: Final = "a password or token goes over https only: without it everybody on the way can read it"

NO_USER: Final = "basic needs a user name without a colon"
NO_PASSWORD: Final = "this needs the file with the password or client secret"  # noqa: S105
NO_TOKEN: Final = "bearer needs the file with its token"  # noqa: S105
NO_CLIENT: Final = "oauth2 needs its client ID"
NO_TOKEN_URL: Final = "oauth2 needs the address of its tokens"  # noqa: S105
NO_CERTIFICATE: Final = "cert needs the certificate of the box"
CERTIFICATE_OPEN: Final = "a certificate is shown over https only"
NOBODY_BEHIND: Final = "a fall-back needs host, port and aet of the archive"

_BY_AUTH: Final = {
    "user": ("basic", "oauth2"),
    "password_file": ("basic", "oauth2"),
    "token_file": ("bearer",),
    "token_url": ("oauth2",),
}


def is_used(key: str, auth: str) -> bool:
    """Whether this way to show who the box is has a use for the key."""
    return auth in _BY_AUTH.get(key, (auth,))


def problems(item: Destination) -> Iterator[tuple[str, str]]:
    """(key, why) of each."""
    if item.kind != "dicomweb" or not item.url:
        return
    if item.auth in ("basic", "bearer", "oauth2") and not keeps_secrets(item.url):
        yield "url", OPEN
    if item.auth == "basic" and (not item.user or ":" in item.user):
        yield "user", NO_USER
    if item.auth in ("basic", "oauth2") and not item.password_file:
        yield "password_file", NO_PASSWORD
    if item.auth == "bearer" and not item.token_file:
        yield "token_file", NO_TOKEN
    if item.auth == "oauth2" and not item.user:
        yield "user", NO_CLIENT
    if item.auth == "oauth2" and not item.token_url:
        yield "token_url", NO_TOKEN_URL
    elif item.auth == "oauth2" and not keeps_secrets(item.token_url):
        yield "token_url", OPEN
    if item.auth == "cert" and not item.cert_file:
        yield "cert_file", NO_CERTIFICATE
    if item.auth == "cert" and not item.url.startswith("https:"):
        yield "url", CERTIFICATE_OPEN
    if item.fallback:
        for key in ("host", "aet"):
            if not getattr(item, key):
                yield key, NOBODY_BEHIND
