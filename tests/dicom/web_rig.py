"""A small object and a session for the tests of DICOMweb."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path
from typing import Any

from smartbox_tui.dicom.compose import Composition
from smartbox_tui.dicom.web.service import Auth, Service
from smartbox_tui.dicom.web.session import Session
from tests.dicom.pictures import ORDERED, composition, still
from tests.support.webpeer import WebPeer

TIMEOUT_S = 1.0


def picture(folder: Path, size: int = 20_000, word: str = "vl-endoscopic") -> Composition:
    path = folder / f"{hashlib.sha256(os.urandom(8)).hexdigest()[:12]}.jpg"
    path.write_bytes(os.urandom(size))
    return composition(ORDERED, still(word, path), path)


def whole(item: Composition) -> bytes:
    return b"".join(item.chunks(with_meta=True))


def session(peer: WebPeer | str, auth: Auth | None = None, **values: Any) -> Session:
    url = peer if isinstance(peer, str) else peer.url
    return Session(Service(url, **{"timeout_s": TIMEOUT_S, "auth": auth or Auth(), **values}))


def own_threads() -> set[threading.Thread]:
    """Those that are not the peer's."""
    return {
        thread for thread in threading.enumerate() if "_serve" not in thread.name and "_accept" not in thread.name
    }
