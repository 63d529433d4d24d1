"""A settings key: its default, its rule and its meaning, and the docs that several servers share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Any, Final

REQUIRED: Final = object()

TLS_DOC: Final = "encrypted, the server's certificate verified; often port 2762"
CA_DOC: Final = "PEM file with the CA or server to trust; empty: the system's CAs"
CERT_DOC: Final = "PEM file with the box's certificate, where the server demands one"
KEY_DOC: Final = "PEM file with its private key; empty: in the certificate's file"
NAME_DOC: Final = "the name in the server's certificate, where it is another"


def key(
    default: Any = REQUIRED, doc: str = "", *, rule: Callable[[Any], str | None] | None = None, secret: bool = False
) -> Any:
    """A settings key. `rule` gives a sentence why a value is wrong, or None. No default: the key must be there."""
    metadata = {"doc": doc, "rule": rule, "secret": secret}
    if default is REQUIRED:
        return field(metadata={**metadata, "required": True})
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)
