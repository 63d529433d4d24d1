"""aiohttp without the machine's certificates: the box speaks through it over Unix sockets alone."""

from __future__ import annotations

import ssl
from typing import Any


def load() -> None:
    """Imports aiohttp. As it is imported it reads the certificates of all CAs that the machine trusts, a sixth of a
    process's start; here its own context trusts nobody. To be called before anything else imports it, and by the
    process alone. The TLS of archives and hooks has contexts of its own."""
    make = ssl.create_default_context

    def trusting_nobody(*_: Any, **__: Any) -> ssl.SSLContext:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    ssl.create_default_context = trusting_nobody
    try:
        import aiohttp  # noqa: F401  # of use to those who import it next
    finally:
        ssl.create_default_context = make
