"""The settings of one destination: how it is spoken to, what it gets, and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from smartbox_tui.settings import rules
from smartbox_tui.settings.keys import CA_DOC, CERT_DOC, KEY_DOC, NAME_DOC, TLS_DOC, key
from smartbox_tui.settings.route import Route

CLASSES_STILL: Final = ("secondary-capture", "vl-endoscopic", "vl-microscopic", "vl-photographic")
CLASSES_CLIP: Final = ("video-endoscopic", "video-microscopic", "video-photographic")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    first_s: float = key(5.0, "seconds of the first pause between attempts", rule=rules.at_least(0.01))
    factor: float = key(2.0, "each pause is that many times longer", rule=rules.at_least(1))
    max_s: float = key(3600.0, "seconds of the longest pause", rule=rules.at_least(0.01))
    attempts: int = key(5, "answers of the archive that say 'later' before it is blocked", rule=rules.at_least(1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    name: str = key(doc="short word, names the destination everywhere", rule=rules.word)
    kind: str = key("dimse", "how it is spoken to", rule=rules.one_of("dimse", "dicomweb", "folder"))
    url: str = key("", "DICOMweb: address of its services, as in https://archive/dicom-web", rule=rules.url)
    auth: str = key(
        "none",
        "DICOMweb: how the box shows who it is",
        rule=rules.one_of("none", "basic", "bearer", "oauth2", "cert"),
    )
    user: str = key("", "DICOMweb: user name of basic, client ID of oauth2")
    password_file: str = key(
        "",
        "file or systemd credential with the password of basic, the client secret of oauth2",
        rule=rules.pem_file,
    )
    token_file: str = key("", "file or systemd credential with the token of bearer", rule=rules.pem_file)
    token_url: str = key("", "where oauth2 gets its tokens", rule=rules.url)
    fallback: bool = key(
        False, "DICOMweb: what it cannot take, or while it cannot be reached, goes to host, port and aet by C-STORE"
    )
    host: str = key("", "name or address", rule=rules.host)
    port: int = key(104, "DICOM port of the server", rule=rules.between(1, 65535))
    aet: str = key("", "AE title of the server", rule=rules.ae_title_or_empty)
    calling_aet: str = key("", "the AE title that the box calls with; empty: its own", rule=rules.ae_title_or_empty)
    tls: bool = key(False, TLS_DOC)
    ca_file: str = key("", CA_DOC, rule=rules.pem_file)
    cert_file: str = key("", CERT_DOC, rule=rules.pem_file)
    key_file: str = key("", KEY_DOC, rule=rules.pem_file)
    tls_name: str = key("", NAME_DOC, rule=rules.host)
    path: str = key("", "folder: where it is; it must be mounted there to count as reachable", rule=rules.folder)
    mounted: bool = key(
        True, "folder: a medium or share is mounted at the path; off for a folder of a disk that is always there"
    )
    plain: bool = key(True, "folder: JPEG and MP4 files beside the DICOM files")
    timeout_s: float = key(
        30.0, "seconds for connecting and for each sign of progress", rule=rules.between(0.5, 600)
    )
    associations: int = key(
        1, "pictures sent at the same time, each on a connection of its own", rule=rules.between(1, 16)
    )
    route: Route = key(Route)
    send: str = key("exam-close", "when pictures go out", rule=rules.one_of("immediately", "exam-close", "manual"))
    commitment: bool = key(False, "the archive is asked to promise that it keeps what it has stored")
    readback: bool = key(
        False, "what was stored is fetched again and compared, where the archive makes no promise of its own"
    )
    commitment_wait_h: float = key(
        24.0,
        "hours that an answer about commitment may take before it is asked again",
        rule=rules.between(0.01, 720),
    )
    max_instance_bytes: int = key(
        2 << 30, "a longer clip goes on in the next instance", rule=rules.between(1 << 20, 4 << 30)
    )
    rate_limit: int = key(0, "bytes per second, 0 = none", rule=rules.rate)
    charset: str = key("utf-8", "character set of patient data", rule=rules.one_of("utf-8", "latin-1"))
    still_class: str = key("", "SOP class of stills; empty: the source's", rule=rules.one_of("", *CLASSES_STILL))
    clip_class: str = key("", "SOP class of clips; empty: the source's", rule=rules.one_of("", *CLASSES_CLIP))
    burst_class: str = key("", "SOP class of bursts; empty: the source's", rule=rules.one_of("", "multiframe-sc"))
    container: str = key("", "of clips; empty: the source's", rule=rules.one_of("", "ts", "mp4"))
    transcode: str = key(
        "never",
        "codec for an archive that takes none of the clip's own",
        rule=rules.one_of("never", "mpeg2", "h264"),
    )
    check: bool = key(True, "objects that break the standard's rules are blocked instead of sent")
    rejection_note: bool = key(
        True, "after a correction of the patient this archive is told which objects are wrong (KOS 113038)"
    )
    marks: bool = key(
        True, "the marks of a clip follow it as a Key Object Selection of their own series (KOS 113000)"
    )
    mpps: bool = key(False, "this archive gets the performed procedure steps, too")
    retry: Retry = key(Retry, "pauses between attempts")


NEEDED: Final = {"dimse": ("host", "aet"), "dicomweb": ("url",), "folder": ("path",)}
"""By kind, what it cannot be reached without."""

_DIMSE: Final = ("dimse",)
_NET: Final = ("dimse", "dicomweb")
_WEB: Final = ("dicomweb",)
_FOLDER: Final = ("folder",)
KINDS_OF: Final = {
    **dict.fromkeys(
        ("host", "port", "aet", "calling_aet", "tls", "commitment", "commitment_wait_h", "mpps"), _DIMSE
    ),
    **dict.fromkeys(
        ("ca_file", "cert_file", "key_file", "tls_name", "associations", "readback", "transcode"), _NET
    ),
    **dict.fromkeys(("url", "auth", "user", "password_file", "token_file", "token_url", "fallback"), _WEB),
    **dict.fromkeys(("path", "mounted", "plain"), _FOLDER),
}
"""The keys that only some kinds have a use for; all others are everybody's."""


def is_asked(destination: Destination) -> bool:
    """Whether the destination is asked for more than that it has stored an object: its commitment, or the object
    itself back."""
    used = [name for name in ("commitment", "readback") if getattr(destination, name)]
    return any(is_used(name, destination.kind, fallback=destination.fallback) for name in used)


def promises(destination: Destination) -> bool:
    """Whether what it gets can become `committed`, or is as good: a folder is read again before it counts as
    stored."""
    return destination.kind == "folder" or is_asked(destination)


def is_used(name: str, kind: str, *, fallback: bool = False) -> bool:
    """Whether a destination of this kind has a use for the key; with `fallback` it also has those of dimse."""
    kinds = KINDS_OF.get(name)
    return kinds is None or kind in kinds or (kind == "dicomweb" and fallback and "dimse" in kinds)
