"""One archive's web services, asked as somebody; and what an answer says about the service or about us."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Final, Self

from smartbox_tui.dicom.web import native
from smartbox_tui.dicom.web.client import Body, Bytes, Client, Interrupted, Opener, Reply, lost, said
from smartbox_tui.dicom.web.credentials import Credentials
from smartbox_tui.dicom.web.secrets import Unproven
from smartbox_tui.dicom.web.service import Service
from smartbox_tui.errors import SmartBoxError

JSON: Final = "application/dicom+json"
LONGEST_PAUSE_S: Final = 300.0
"""So long at most is a server left alone that asks for it (Retry-After)."""

ABOUT_US: Final = (401, 403, 407)
ABOUT_THE_PLACE: Final = (301, 302, 303, 307, 308, 404, 405, 410, 501)
AWAY: Final = (429, 502, 503, 504)
ANSWERED: Final = ("called-aet-rejected", "calling-aet-rejected", "archive-refused")


class Busy(SmartBoxError):
    """Code refused; `pause_s`: how long it asks to be left alone, 0 where it does not say."""

    def __init__(self, name: str, reply: Reply) -> None:
        super().__init__(
            "refused",
            f"{name} is not available now ({reply.status}).",
            "The archive behind it may be switched off or busy; the box tries again.",
        )
        self.pause_s = retry_after_s(reply)


class Session:
    """Used by one thread; `abort` by any. A context manager: leaves by closing the connection."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.client = Client(service)
        self._credentials = Credentials(service)

    @property
    def name(self) -> str:
        return self.service.name

    @property
    def is_connected(self) -> bool:
        return self.client.is_connected

    def credentials(self) -> None:
        """Whether there is anything to show. Raises what `Credentials.header` raises."""
        self._credentials.header()

    def ask(
        self,
        method: str,
        path: str,
        fields: dict[str, str],
        body: Body | None = None,
        *,
        patience_s: float = 0.0,
        sink: Opener | None = None,
    ) -> Reply:
        """`Client.request` as whoever the box is there; after a 401 once more with a renewed secret. The answer may
        still be any. Raises what `Client.request` and `Credentials.header` raise."""
        header = self._credentials.header()
        reply = self.client.request(method, path, fields | header, body, patience_s=patience_s, sink=sink)
        if reply.status == 401 and self._credentials.can_renew:
            renewed = self._credentials.header(renew=True)
            if renewed != header:
                reply = self.client.request(method, path, fields | renewed, body, patience_s=patience_s, sink=sink)
        return reply

    def get(self, path: str, accept: str, *, sink: Opener | None = None) -> Reply:
        """An answer of 200, 204 or 404. Raises what the network does, and what `judge` raises of other answers."""
        try:
            reply = self.ask("GET", path, {"Accept": accept}, sink=sink)
        except Interrupted as exc:
            raise lost(self.name, exc) from exc
        if reply.status not in (200, 204, 404):
            raise self.judge(reply) or refusal(self.name, reply)
        return reply

    def probe(self) -> None:
        """Is the service there, and does it take us? One study is asked for; where that is not allowed or missing,
        it is asked about storing.

        Raises SmartBoxError no-route, refused, timeout, tls; called-aet-rejected: not at this address;
        calling-aet-rejected: not for us; archive-refused: any other answer."""
        try:
            self.look()
        except Unproven:  # then there is nothing to knock with
            raise
        except SmartBoxError as exc:
            if exc.code not in ANSWERED or not self.knock():
                raise

    def look(self) -> None:
        """Asks for one study (PS3.18 10.6); what it holds is not read. Raises as `probe`."""
        reply = self.get("/studies?limit=1", JSON)
        if reply.status == 404:
            raise no_place(self.name, reply)
        if reply.status == 200 and reply.body.lstrip()[:1] != b"[":
            raise SmartBoxError(
                "called-aet-rejected",
                f"What answers at {self.name} is no DICOMweb service.",
                "Check the path of the url: …/dicom-web for Orthanc, …/dcm4chee-arc/aets/AET/rs for dcm4chee.",
            )

    def knock(self) -> bool:
        """A store request with nothing in it: would it take objects from us? Nothing comes into being by it. False
        where the answer does not look like one of STOW-RS. Raises as `probe`; an answer that is about the (empty)
        request itself is none about us."""
        fields = {"Content-Type": f'multipart/related; type="application/dicom"; boundary={EMPTY}', "Accept": JSON}
        try:
            reply = self.ask("POST", "/studies", fields, Bytes(f"--{EMPTY}--\r\n".encode()))
        except Interrupted as exc:
            raise lost(self.name, exc) from exc
        error = self.judge(reply)
        if error is not None:
            raise error
        return 400 <= reply.status < 500 or any(native.read(reply.body))

    def judge(self, reply: Reply) -> SmartBoxError | None:
        """What an answer says about the service or about us; None when it says nothing of that."""
        if reply.status in ABOUT_US:
            return SmartBoxError(
                "calling-aet-rejected",
                f"{self.name} does not let the box in ({reply.status}).",
                "Check auth and its user, password, token or certificate, and the box's rights there.",
            )
        if reply.status in ABOUT_THE_PLACE:
            return no_place(self.name, reply)
        if reply.status in AWAY:
            return Busy(self.name, reply)
        return None

    def abort(self) -> None:
        """From any thread: what runs ends soon."""
        self._credentials.abort()
        self.client.abort()

    def close(self, *, hard: bool = False) -> None:
        self.client.close(hard=hard)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(hard=kind is not None)


EMPTY: Final = "smartbox-asks-only"


def no_place(name: str, reply: Reply) -> SmartBoxError:
    where = said(reply.head.fields.get("location", "")) if 300 <= reply.status < 400 else ""
    if where:
        return SmartBoxError(
            "called-aet-rejected",
            f"{name} points to another address ({reply.status}): {where}.",
            "The box does not follow it with its password: enter the right address as url.",
        )
    return SmartBoxError(
        "called-aet-rejected",
        f"There is no DICOMweb service at {name} ({reply.status}).",
        "Check the path of the url: …/dicom-web for Orthanc, …/dcm4chee-arc/aets/AET/rs for dcm4chee.",
    )


def refusal(name: str, reply: Reply) -> SmartBoxError:
    return SmartBoxError(
        "archive-refused",
        f"{name} answered with status {reply.status}.",
        "The archive's log says more.",
    )


def retry_after_s(reply: Reply) -> float:
    """Seconds, from seconds or from a date (RFC 9110 10.2.3), at most LONGEST_PAUSE_S; 0 where it says nothing."""
    text = reply.head.fields.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_PAUSE_S)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, IndexError):
        return 0.0
    pause = (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return max(0.0, min(pause, LONGEST_PAUSE_S))
