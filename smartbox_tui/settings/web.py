"""What the keys of a dicomweb destination need of each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from smartbox_tui.model.addresses import keeps_secrets
from smartbox_tui.settings.destination import Destination

OPEN: Final = "a password or token goes over https only: without it everybody on the way can read it"


def problems(item: Destination) -> Iterator[tuple[str, str]]:
    """(key, why) of each."""
    if item.kind != "dicomweb" or not item.url:
        return
    if item.auth in ("basic", "bearer", "oauth2") and not keeps_secrets(item.url):
        yield "url", OPEN
    if item.auth == "basic" and (not item.user or ":" in item.user):
        yield "user", "basic needs a user name without a colon"
    if item.auth in ("basic", "oauth2") and not item.password_file:
        yield "password_file", "needs the file with the password or client secret"
    if item.auth == "bearer" and not item.token_file:
        yield "token_file", "bearer needs the file with its token"
    if item.auth == "oauth2" and not item.user:
        yield "user", "oauth2 needs its client ID"
    if item.auth == "oauth2" and not item.token_url:
        yield "token_url", "oauth2 needs the address of its tokens"
    elif item.auth == "oauth2" and not keeps_secrets(item.token_url):
        yield "token_url", OPEN
    if item.auth == "cert" and not item.cert_file:
        yield "cert_file", "cert needs the box's certificate"
    if item.auth == "cert" and not item.url.startswith("https:"):
        yield "url", "a certificate is shown over https only"
    if item.fallback:
        for key in ("host", "aet"):
            if not getattr(item, key):
                yield key, "a fall-back needs host, port and aet of the archive"
