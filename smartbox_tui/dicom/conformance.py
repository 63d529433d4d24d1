"""The DICOM conformance statement (PS3.2 Annex N), made from the tables that the box runs on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from smartbox_tui.dicom import conformance_media as media
from smartbox_tui.dicom import conformance_objects as objects
from smartbox_tui.dicom import conformance_promises as promises
from smartbox_tui.dicom import conformance_services as services
from smartbox_tui.dicom import conformance_web as web
from smartbox_tui.dicom.conformance_objects import class_name, iods_of, syntax
from smartbox_tui.dicom.conformance_page import Block, Contents, Heading, Items, NewPage, Page, Text, table
from smartbox_tui.dicom.conformance_services import Context
from smartbox_tui.dicom.scp_table import SERVICES
from smartbox_tui.dicom.scu import commit, find, get, mpps
from smartbox_tui.model.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

TITLE: Final = "SmartBox: DICOM conformance statement"


@dataclass(frozen=True, slots=True)
class Server:
    """A peer as set: `role` Archive, Worklist or Procedure steps; `charset` the defined term of what an archive is
    sent; `tls` whether it is called with TLS."""

    role: str
    name: str
    host: str
    port: int
    called_aet: str
    calling_aet: str
    charset: str = ""
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Parameter:
    """A settings key: all cells as people read them; `value` empty where defaults are stated."""

    path: str
    doc: str
    allowed: str
    default: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Site:
    """What the statement needs of the settings.

    own      the values are those of a box, not the defaults
    offered  (SOP class, transfer syntax) of everything that the box could be set to store
    chosen   the same as it is set; empty: no source is set
    largest  bytes of the largest bitstream in one object, by the destinations' settings
    """

    version: str
    own: bool
    aet: str
    station_name: str
    servers: tuple[Server, ...]
    offered: tuple[tuple[str, str], ...]
    chosen: tuple[tuple[str, str], ...]
    largest: int
    parameters: tuple[tuple[str, tuple[Parameter, ...]], ...]
    port: int = 11112
    web: tuple[tuple[str, str, str], ...] = ()
    """(name, address, how the box shows who it is) of each web service."""


@dataclass(frozen=True, slots=True)
class Statement:
    page: Page
    contexts: tuple[Context, ...]


def statement(site: Site) -> Statement:
    """The same site gives the same text. No secrets, no patients: it is made to be handed out."""
    proposed = services.contexts(site.offered)
    blocks = (
        *_sheet(site),
        *_overview(site),
        *_introduction(site),
        *_model(),
        *_services(site),
        *_configuration(site),
        *_network(proposed),
        *_security(),
        *_annexes(site),
    )
    return Statement(Page(TITLE, blocks), tuple(proposed))


def _sheet(site: Site) -> Iterator[Block]:
    """The first page: for the day of the installation."""
    yield Heading(1, "Sheet for the administrator")
    if site.own:
        yield Text(f"Values of the box {site.station_name}, SmartBox {site.version}.")
    else:
        yield Text(f"SmartBox {site.version}; default values: everything marked * is set at the box.")
    star = "" if site.own else " *"
    yield table(
        "The box",
        [
            (f"AE title (calling){star}: {site.aet}",),
            (
                f"Listens on port{star}: {site.port}, for {' and '.join(item.name for item in SERVICES)}; only the "
                "answers of archives that are asked for commitment need to reach it.",
            ),
            (f"Implementation Class UID {IMPLEMENTATION_CLASS_UID}, Version Name {IMPLEMENTATION_VERSION_NAME}",),
            (
                "TLS: set for each server, 1.2 or 1.3, off by default; port 2762 is usual. Associations at a time: "
                "one for each service of each server, for storage its `associations`; a worklist search by hand "
                "and a connection test are one more each.",
            ),
        ],
    )
    rows = [
        (f"{item.role} {item.name}".strip(), item.host, f"{item.port}{' (TLS)' * item.tls}", item.called_aet,
         item.calling_aet,
         _TO_ENTER[item.role] + (f"; text of the objects in {item.charset}" if item.charset else ""))
        for item in site.servers
    ]  # fmt: skip
    for role, text in _TO_ENTER.items():
        if not any(item.role == role for item in site.servers):
            unset, port = ("not set", "") if site.own else ("to be set *", "104 *")
            rows.append((role, unset, port, unset, f"{site.aet}{star}", text))
    yield table("Server | Address | Port | Its AE title | Called by the box as | To be entered there", rows)
    if site.web:
        yield table("Web service | Address | The box shows who it is by", web.shown(site.web))
    yield Text("Services as SCU; as SCP: Verification.")
    yield table(
        "Service | SOP classes | Transfer syntaxes",
        [
            ("Verification", "Verification", _syntaxes(services.VERIFICATION_CONTEXTS)),
            *_stored(site.chosen or site.offered),
            ("Modality Worklist (C-FIND)", services.NAMES[find.MODALITY_WORKLIST], _syntaxes(find.CONTEXTS)),
            ("Performed Procedure Step (N-CREATE, N-SET)", services.NAMES[mpps.PERFORMED_STEP],
             _syntaxes(mpps.CONTEXTS)),
            ("Storage Commitment (N-ACTION, N-EVENT-REPORT)", services.NAMES[commit.STORAGE_COMMITMENT],
             _syntaxes(commit.CONTEXTS)),
            ("Read-back (C-GET, C-FIND)", services.NAMES[get.STUDY_GET], _syntaxes(get.CONTEXTS)),
        ],
    )  # fmt: skip
    yield Text(
        "Character set of the objects: ISO_IR 192 (UTF-8), or by the archive's setting ISO_IR 100. A clip can have "
        f"{site.largest / (1 << 30):.3g} GiB, then the recording goes on in the next object: allow objects of that "
        "size, and an association to last as long as data flows."
    )
    yield NewPage()


_TO_ENTER: Final = {
    "Archive": "calling AE title, the box's address, for commitment its port; C-STORE, C-ECHO, C-GET; "
    "the SOP classes and transfer syntaxes below",
    "Worklist": "calling AE title, the box's address; C-FIND; the box as scheduled station, where steps have one",
    "Procedure steps": "calling AE title, the box's address; N-CREATE and N-SET",
}


def _stored(pairs: tuple[tuple[str, str], ...]) -> list[tuple[str, str, str]]:
    """One row for all classes with the same syntaxes."""
    by_syntaxes: dict[str, list[str]] = {}
    for sop_class in dict.fromkeys(pair[0] for pair in pairs):
        mine = _syntaxes(tuple(pair for pair in pairs if pair[0] == sop_class))
        by_syntaxes.setdefault(mine, []).append(f"{class_name(sop_class)} ({sop_class})")
    return [("Storage (C-STORE)", "; ".join(names), mine) for mine, names in by_syntaxes.items()]


def _syntaxes(pairs: tuple[tuple[str, str], ...]) -> str:
    return "; ".join(syntax(uid) for uid in dict.fromkeys(pair[1] for pair in pairs))


def _overview(site: Site) -> Iterator[Block]:
    yield Heading(1, "1 Overview")
    yield Text(
        "SmartBox is a medical capture box: it takes stills and clips from endoscopes, microscopes and cameras, "
        "makes DICOM objects of them and delivers these to archives."
    )
    yield Heading(2, "1.1 Content and transfer")
    yield table(
        "SOP Class | UID | Created | Sent | Received | Displayed",
        [
            (class_name(uid), uid, "yes", "yes", "no", "no")
            for uid in dict.fromkeys(pair[0] for pair in site.offered)
        ],
    )
    yield Heading(2, "1.2 DIMSE services")
    provided = {item.name for item in SERVICES if item.ours == "SCP"}
    classes = dict.fromkeys((item.service, item.name) for item in services.contexts(site.offered))
    yield table(
        "Service | SOP Class | User of the service (SCU) | Provider of the service (SCP)",
        [(service, name, "yes", "yes" if service in provided else "no") for service, name in classes],
    )
    yield from web.overview()
    yield from media.overview()
    for number, name in (("1.5", "Real-time video services"), ("1.6", "De-identification profiles")):
        yield Heading(2, f"{number} {name}")
        yield Text("None.")
    yield Heading(2, "1.7 Specific Character Sets")
    yield Text("Written: ISO_IR 192, ISO_IR 100. Read: those of 5.7.2.")
    yield Heading(1, "2 Table of contents")
    yield Contents()


def _introduction(site: Site) -> Iterator[Block]:
    yield Heading(1, "3 Introduction")
    yield Heading(2, "3.1 Revision history")
    yield table("Version of the software and of this statement", [(site.version,)])
    yield Heading(2, "3.2 Audience")
    yield Text("Administrators of archives and information systems, and those who connect the box to them.")
    yield Heading(2, "3.3 Remarks")
    yield Text(
        "This statement is made by the software itself, `smartbox conformance`, from the tables that it runs on; a "
        "test of the software compares it with what is really proposed and written. Two statements that fit do not "
        "replace a test of the two systems: `smartbox ctl destination test NAME`."
    )
    yield Heading(2, "3.4 Terms and abbreviations")
    yield Items(
        (
            "AE: application entity. IOD: information object definition. SCU, SCP: user, provider of a service.",
            "Destination: an archive as set at the box. Exam: what is taken of one patient in one go, one study.",
            "Rejection note: a Key Object Selection that names objects sent under the wrong worklist entry.",
            "MPPS: Modality Performed Procedure Step. VL: visible light. VR: value representation.",
        )
    )
    yield Heading(2, "3.5 References")
    yield Text(
        "DICOM PS3.2 to PS3.8, PS3.10, PS3.16. IHE Radiology Technical Framework: Scheduled Workflow (RAD-5, "
        "RAD-6, RAD-7, RAD-8) and Imaging Object Change Management (rejection note) guided the content; no IHE "
        "integration statement is made here."
    )


def _model() -> Iterator[Block]:
    yield Heading(1, "4 Implementation model")
    yield Heading(2, "4.1 Application data flow")
    yield Items(
        (
            "Somebody looks for a patient: worklist server, C-FIND, entries to the box.",
            "An exam is opened: performed procedure step servers, N-CREATE.",
            "Pictures are taken: objects wait in a queue that survives a loss of power.",
            "By the destination's setting at once, after the exam or by hand: archives, C-STORE or STOW-RS.",
            "An archive has stored objects, where its setting says so: N-ACTION, its N-EVENT-REPORT; or C-GET.",
            "The exam is closed: performed procedure step servers, N-SET.",
            "An archive has stored a clip in which marks were set: C-STORE of the Key Object Selection that names "
            "their frames.",
            "An exam is given to another patient after it was sent: archives, C-STORE of a rejection note and of "
            "the objects under new UIDs.",
        )
    )
    yield Heading(2, "4.2 Functional definition of the application entity")
    yield Text(
        "There is one application entity, SMARTBOX. It initiates associations, and accepts those of 7.2.2. Its "
        "title is a setting, and can be another one towards each server."
    )


def _services(site: Site) -> Iterator[Block]:
    iods = iods_of(site.offered)
    yield Heading(1, "5 Service and interoperability description")
    yield Heading(2, "5.1 Mapping of services to application entities")
    names = dict.fromkeys(item.service for item in services.contexts(site.offered))
    provided = {item.name for item in SERVICES if item.ours == "SCP"}
    roles = [(name, "SMARTBOX", "SCU, SCP" if name in provided else "SCU") for name in names]
    yield table("Service | Application entity | Role", roles)
    yield Heading(2, "5.2 DIMSE services")
    yield from services.worklist(iods)
    yield from services.performed(iods)
    yield Heading(3, "5.2.3 Storage (SCU)")
    yield Text(
        "Objects as in Annex A. A clip is one object, its whole stream one fragment, but for the fragmentable "
        "syntaxes. The SOP Instance UID is fixed when the picture is taken and never changed by a repetition; an "
        "object that is changed gets a new one. "
        "Before an object is sent for the first time it is held against the standard (attributes, values, "
        "bitstream); one that breaks a rule is not sent (the setting check). What an archive answers is in 7.3.2."
    )
    yield Text(
        "A destination may be set to get another SOP class, or clips in another container (MPEG-TS, MP4) or codec: "
        "it then gets, instead of the captured instance, a derived one with its own SOP Instance UID, which is the "
        "same whenever it is made: ImageType DERIVED, SourceImageSequence naming the captured instance, "
        "DerivationDescription saying what was done, and every lossy compression with its ratio and method. A "
        "class of another modality makes another series. 7.2.1 has the transfer syntaxes an object may be sent in."
    )
    yield Heading(3, "5.2.4 Verification (SCU, SCP)")
    yield Text(
        "C-ECHO in connection tests, and to find out whether a destination that did not answer is back or an idle "
        "one is still there. C-ECHO of others is answered with success."
    )
    yield from promises.services()
    yield from web.services()
    yield from media.services(site.offered)
    yield Heading(2, "5.5 Real-time video services")
    yield Text("None.")
    yield Heading(2, "5.6 Cross-service considerations")
    yield Text(
        "The study UID is the worklist entry's wherever there is one. Objects name the performed procedure step "
        "they were made in; they are not held back for it, and the step is not held back for them. Objects of a "
        "patient who is not yet named stay on the box. Pictures added after an exam was closed form a new series."
    )
    yield from objects.character_sets()


def _configuration(site: Site) -> Iterator[Block]:
    yield Heading(1, "6 Configuration")
    yield Text(
        "Set in a file or on the screens of the box. A file may give each value another default. Keys with one "
        "allowed value are there for what this version does not do."
    )
    heads = "Parameter | Meaning | Allowed | Default"
    for number, (name, parameters) in enumerate(site.parameters, 1):
        yield Heading(2, f"6.{number} {name}")
        if site.own:
            rows: list[tuple[str, ...]] = [
                (f"`{item.path}`", item.doc, item.allowed, item.default, item.value) for item in parameters
            ]
            yield table(f"{heads} | This box", rows)
        else:
            yield table(heads, [(f"`{item.path}`", item.doc, item.allowed, item.default) for item in parameters])


def _network(proposed: list[Context]) -> Iterator[Block]:
    yield Heading(1, "7 Network and media communication details")
    yield from services.association()
    yield Heading(2, "7.2 Application entity SMARTBOX")
    yield Heading(3, "7.2.1 Association initiation")
    yield from services.proposed(proposed)
    yield Heading(3, "7.2.2 Association acceptance")
    yield from promises.acceptance()
    yield Heading(3, "7.2.3 Network interface")
    yield Text("DICOM upper layer over TCP/IP, IPv4 and IPv6, from ports that the operating system chooses.")
    yield from services.statuses()
    yield from media.media()


def _security() -> Iterator[Block]:
    yield Heading(1, "8 Security")
    yield Text(
        "Secure transport connection, as client (TLS initiator): BCP 195 RFC 8996, 9325 TLS Secure Transport "
        "Connection Profile (PS3.15 B.12), for each server that it is switched on for (`tls`); never downgraded to "
        "a connection without. Details in Annex C. Without it, connect the box to a network in which that is "
        "acceptable."
    )
    yield Text(
        "Of the other security profiles of PS3.15 none in this version: no user identity, no audit messages to a "
        "repository, no signatures, no attribute confidentiality, no media security."
    )
    yield Text("Ports: outgoing only, to the ports of the servers set (104 by default; 2762 is usual for TLS).")


def _annexes(site: Site) -> Iterator[Block]:
    iods = iods_of(site.offered)
    yield from objects.objects(iods)
    yield from objects.documents(iods)
    yield Heading(1, "Annex C: Security details")
    yield table(
        "TLS | Value",
        [
            ("Versions", "1.2 and 1.3; the newest that both sides have"),
            ("Cipher suites of TLS 1.2", "ECDHE or DHE, with AES-GCM or ChaCha20-Poly1305 (authenticated "
             "encryption and forward secrecy only)"),
            ("Cipher suites of TLS 1.3", "all"),
            ("The server's certificate", "always verified, with its validity and the name of the server: the one "
             "that is called, or the one set as `tls_name`. Revocation is not looked up."),
            ("Trusted", "what stands in `ca_file` (PEM: roots, intermediates, or the server's own certificate), "
             "and nothing else; where none is set, the CAs that the operating system trusts"),
            ("The box's certificate", "`cert_file` and `key_file` (PEM, RSA or ECDSA), shown to a server that "
             "demands one; none otherwise"),
            ("Files", "read for each connection: a renewed certificate holds at once"),
            ("Renegotiation, compression, early data", "none"),
        ],
    )  # fmt: skip
    yield from objects.mapping(iods)
    yield from objects.codes()
