"""How a server of the settings is called: the one place that makes a Peer of them."""

from __future__ import annotations

from typing import Final

from smartbox_tui.dicom.scu.pace import Pace
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.dicom.scu.tls import Tls
from smartbox_tui.dicom.web.service import Auth, Service
from smartbox_tui.settings.destination import Destination
from smartbox_tui.settings.schema import Mpps, Worklist

NOBODY: Final = "-"
"""The AE title of what is not called by DICOM's own protocol."""

Server = Destination | Worklist | Mpps


def service_of(server: Destination, peer: Peer) -> Service:
    """The web service of a destination; `peer` is `peer_of`'s of the same, for its time-out and rate limit. Raises
    bad-value for one without an address."""
    return Service(
        server.url,
        peer.timeout_s,
        Tls(server.ca_file, server.cert_file, server.key_file, server.tls_name),
        peer.pace,
        Auth(server.auth, server.user, server.password_file, server.token_file, server.token_url),
    )


def peer_of(server: Server, own_aet: str, longest_s: float = 600.0) -> Peer:
    """Raises bad-value as Peer does; reads no file. `longest_s` shortens the settings' time-out. A destination's
    rate limit holds for all connections of this Peer together."""
    tls = Tls(server.ca_file, server.cert_file, server.key_file, server.tls_name) if server.tls else None
    rate = server.rate_limit if isinstance(server, Destination) else 0
    nameless = isinstance(server, Destination) and server.kind != "dimse" and not server.aet
    return Peer(
        server.host,
        server.port,
        NOBODY if nameless else server.aet,
        server.calling_aet or own_aet,
        min(server.timeout_s, longest_s),
        tls,
        Pace(rate) if rate else None,
    )
