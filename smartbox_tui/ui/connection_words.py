"""A connection test in words: what each step found out, what is wrong, what to do. The engine's own English
sentence stays below as the technical detail."""

from __future__ import annotations

from typing import Any, Final

from smartbox_tui.ui.i18n import N_, Texts
from smartbox_tui.ui.sentences import sentence

STEPS: Final = {
    "connect": N_("The server can be reached."),
    "associate": N_("It knows its name and this box."),
    "echo": N_("It answers."),
    "store": N_("It takes the box's pictures."),
    "find": N_("It takes questions for the worklist."),
    "mpps": N_("It takes performed steps."),
}
"""What a step that went well has shown."""

CAUSES: Final = {
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
    ("associate", "tls"): (
        N_("The server wants an encrypted connection (TLS); the box calls without."),
        N_("Have IT open a port without TLS for the box."),
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
}
"""By step and code."""


def passed(t: Texts, step: dict[str, Any]) -> str:
    """A step that went well."""
    return t(STEPS.get(str(step["step"]), str(step["message"])))


def failed(t: Texts, step: dict[str, Any], peer: dict[str, Any], what: str = "") -> tuple[str, str]:
    """What is wrong, and what to do; `what` was tested."""
    name, code = str(step["step"]), str(step.get("code", ""))
    if code == "no-context" and name == "associate":
        name = {"worklist": "find", "mpps": "mpps"}.get(what, "store")
    found = CAUSES.get((name, code)) or CAUSES.get(("connect" if name == "connect" else "associate", code))
    if found is not None:
        names = {key: str(item) for key, item in peer.items()}
        return t(found[0]).format(**names), t(found[1])
    why, hint = sentence(t, code) if code else ("", "")
    return why or str(step["message"]), hint or str(step.get("hint", ""))
