"""A connection test in words: what each step found out, what is wrong, what to do. The engine's own English
sentence stays below as the technical detail."""

from __future__ import annotations

from typing import Any, Final

from smartbox_tui.ui import web_words
from smartbox_tui.ui.i18n import N_, Texts
from smartbox_tui.ui.sentences import sentence

STEPS: Final = {
    **web_words.STEPS,
    "connect": N_("The server can be reached."),
    "tls": N_("The connection is encrypted, and it is the right server."),
    "associate": N_("It knows its name and this box."),
    "echo": N_("It answers."),
    "store": N_("It takes the box's pictures."),
    "find": N_("It takes questions for the worklist."),
    "mpps": N_("It takes performed steps."),
    "commitment": N_("It takes questions whether it keeps the pictures."),
    "readback": N_("It gives pictures back for comparing."),
    "mounted": N_("The folder, or the medium, is there."),
    "writable": N_("What is written to it reads back the same."),
    "space": N_("It has room."),
    "dicomdir": N_("Its DICOMDIR is the box's, or the box makes one."),
    "hook": N_("It has taken a test event."),
}
"""What a step that went well has shown."""

_NO_ROOM: Final = (N_("No space is left at {path}."), N_("Make space there, or use an empty medium."))
_FAILS: Final = (N_("The medium fails, or was pulled out."), N_("Plug it in again, or use another one."))
_SILENT: Final = (
    N_("The medium does not answer."),
    N_("Check the medium, its cable, or the server of the shared folder."),
)
CAUSES: Final = {
    **web_words.CAUSES,
    ("connect", "no-route"): (
        N_("There is no way to {host}."),
        N_("Check the address and the network cable; a name needs a name server, an IP address does not."),
    ),
    ("connect", "refused"): (
        N_("{host} is there, but nothing listens on port {port}."),
        N_("Check the port; ask IT whether the DICOM service there is running."),
    ),
    ("connect", "timeout"): (
        N_("{host} does not answer."),
        N_("Is the machine on? Is the address right? Does a firewall stand between?"),
    ),
    ("associate", "refused"): (
        N_("Something on port {port} hangs up: perhaps it is no DICOM service."),
        N_("Check the port."),
    ),
    ("associate", "timeout"): (
        N_("Something takes the call on port {port} and says nothing."),
        N_("Check that it is the port of the DICOM service."),
    ),
    ("associate", "called-aet-rejected"): (
        N_("The server does not call itself {aet}."),
        N_("Enter its AE title exactly as it is set up there, capitals too."),
    ),
    ("associate", "calling-aet-rejected"): (
        N_("The server does not know this box as {calling_aet}."),
        N_("Have IT enter this AE title and the address of the box there."),
    ),
    ("echo", "no-context"): (
        N_("The server takes the call, but not the test (C-ECHO)."),
        N_("Have IT allow verification for this box; sending may work all the same."),
    ),
    ("find", "archive-refused"): (
        N_("The worklist server refuses the question."),
        N_("Have IT allow this box the worklist."),
    ),
    ("store", "no-context"): (
        N_("The server accepts no kind of picture that the box makes."),
        N_("Choose other kinds at the picture source, or have IT allow them."),
    ),
    ("find", "no-context"): (
        N_("The server is there, but it is no worklist server."),
        N_("Ask IT for address, port and AE title of the worklist."),
    ),
    ("mpps", "no-context"): (
        N_("The server is there, but takes no performed steps."),
        N_("Ask IT for address, port and AE title of the MPPS server."),
    ),
    ("commitment", "no-context"): (
        N_("The archive does not promise to keep pictures (storage commitment)."),
        N_("Have IT enable it for this box, or switch it off here; reading back may be possible."),
    ),
    ("readback", "no-context"): (
        N_("The archive gives no pictures back (C-GET)."),
        N_("Have IT allow it for this box, or switch reading back off here."),
    ),
    ("hook", "archive-refused"): (
        N_("The receiver answers that it did not take it."),
        N_("Its answer is in the technical detail; its own log has more."),
    ),
    ("hook", "refused"): (
        N_("Nobody takes the call, or the program cannot be started."),
        N_("Check address and port, or the program's path and that the box may run it."),
    ),
    ("hook", "timeout"): (
        N_("The receiver did not answer in time."),
        N_("Is it on? Does a firewall stand between? Does it need a longer wait?"),
    ),
    ("hook", "no-route"): (
        N_("There is no way to the receiver."),
        N_("Check the address and the network cable; a name needs a name server, an IP address does not."),
    ),
    ("mounted", "no-route"): (
        N_("Nothing is there at {path}."),
        N_("Plug the medium in. For a folder that is no medium, say below that nothing is mounted there."),
    ),
    ("writable", "refused"): (
        N_("The box cannot write to {path}."),
        N_("Take off the write protection, or have the box given the right to write there."),
    ),
    ("writable", "disk-full"): _NO_ROOM,
    ("space", "disk-full"): _NO_ROOM,
    ("dicomdir", "refused"): (
        N_("The medium has a DICOMDIR of another system, or a damaged one."),
        N_("The box leaves it as it is: use another, or empty, medium."),
    ),
    **{(step, "no-route"): _FAILS for step in ("writable", "space", "dicomdir")},
    **{(step, "timeout"): _SILENT for step in ("mounted", "writable", "space", "dicomdir")},
}
"""By step and code."""

TLS_CAUSES: Final = {
    "encrypted": (
        N_("The server wants an encrypted connection (TLS); the box calls without."),
        N_("Switch it on here, or have IT open a port without TLS for the box."),
    ),
    "plain": (
        N_("What answers on port {port} speaks no TLS."),
        N_("Check the port: TLS often has one of its own, 2762. Or switch TLS off here."),
    ),
    "silent": (
        N_("What takes the call on port {port} does not answer the greeting of TLS."),
        N_("Check that it is the port for TLS."),
    ),
    "issuer": (
        N_("The box cannot tell whether it is the right server: nobody it trusts signed the certificate."),
        N_("Have IT give the CA's certificate as a file, and enter that file under trusted certificates."),
    ),
    "name": (
        N_("The server's certificate is for another name than {host}."),
        N_("Enter the server by the name in its certificate, or that name in the field for it."),
    ),
    "expired": (
        N_("The server's certificate has expired."),
        N_("Have IT renew it. Check the clock of this box, too."),
    ),
    "not-yet": (
        N_("The server's certificate is not valid yet."),
        N_("Check the clock of this box first, then ask IT."),
    ),
    "weak": (N_("The server's certificate is not safe any more."), N_("Have IT renew it.")),
    "certificate": (N_("The server's certificate is not accepted."), N_("Have IT check it.")),
    "demanded": (
        N_("The server wants a certificate of this box."),
        N_("Have IT issue one for the box, and enter its file and that of its key."),
    ),
    "refused": (
        N_("The server does not accept the certificate of this box."),
        N_("Have IT enter it or its CA there; it may also have expired."),
    ),
    "version": (
        N_("Server and box share no safe kind of encryption."),
        N_("Have IT switch on TLS 1.2 or 1.3 there."),
    ),
    "files": (
        N_("A file with a certificate or a key cannot be used."),
        N_("The technical details name the file and what is wrong with it."),
    ),
}
"""By the cause that a step of code tls names."""


def passed(t: Texts, step: dict[str, Any]) -> str:
    """A step that went well."""
    return t(STEPS.get(str(step["step"]), str(step["message"])))


def failed(t: Texts, step: dict[str, Any], peer: dict[str, Any], what: str = "") -> tuple[str, str]:
    """What is wrong, and what to do; `what` was tested."""
    name, code = str(step["step"]), str(step.get("code", ""))
    if code == "no-context" and name == "associate":
        name = {"worklist": "find", "mpps": "mpps"}.get(what, "store")
    found = TLS_CAUSES.get(str(step.get("cause", ""))) if code == "tls" else None
    found = found or CAUSES.get((name, code)) or CAUSES.get(("connect" if name == "connect" else "associate", code))
    if found is not None:
        names = {key: str(item) for key, item in peer.items()}
        return t(found[0]).format(**names), t(found[1])
    why, hint = sentence(t, code) if code else ("", "")
    return why or str(step["message"]), hint or str(step.get("hint", ""))
