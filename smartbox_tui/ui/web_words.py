"""An archive's web services in the words of the screens: their settings, their connection test, their answers."""

from __future__ import annotations

from typing import Final

from smartbox_tui.settings import web
from smartbox_tui.ui.i18n import N_, Texts

LABELS: Final = {
    "destinations.auth": N_("Shows who it is by"),
    "destinations.fallback": N_("C-STORE as a fall-back"),
    "destinations.password_file": N_("File with the password"),
    "destinations.token_file": N_("File with the token"),
    "destinations.token_url": N_("Token service"),
    "destinations.url": N_("Web address"),
    "destinations.user": N_("User"),
}
CHOICES: Final = {
    "basic": N_("user and password"),
    "bearer": N_("a token"),
    "cert": N_("its certificate"),
    "dicomweb": N_("web service (DICOMweb)"),
    "oauth2": N_("tokens of a service (OAuth2)"),
}
REASONS: Final = {
    "must be a web address, as in https://archive/dicom-web, without a user and without a query": N_(
        "A web address, as in https://archive/dicom-web."
    ),
    "a dicomweb destination needs its url": N_("Give the web address."),
    web.OPEN: N_("A password or token goes only to addresses that begin with https."),
    web.NO_USER: N_("Give the user's name, without a colon."),
    web.NO_PASSWORD: N_("Give the file that holds the password or secret."),
    web.NO_TOKEN: N_("Give the file that holds the token."),
    web.NO_CLIENT: N_("Give the client ID as the user."),
    web.NO_TOKEN_URL: N_("Give the address of the token service."),
    web.NO_CERTIFICATE: N_("Give the box's certificate."),
    web.CERTIFICATE_OPEN: N_("A certificate is shown only to addresses that begin with https."),
    web.NOBODY_BEHIND: N_("The fall-back needs server, port and AE title."),
}

STEPS: Final = {
    "authenticate": N_("It knows this box."),
    "query": N_("A web service for pictures answers there."),
    "fallback": N_("C-STORE works as a fall-back."),
}
CAUSES: Final = {
    ("authenticate", "calling-aet-rejected"): (
        N_("The server does not let the box in."),
        N_("Check how the box shows who it is; have IT check its rights. The technical details say more."),
    ),
    ("query", "called-aet-rejected"): (
        N_("There is no web service for pictures at this address."),
        N_("Check the path behind the server's name; the technical details say what answers there."),
    ),
    ("store", "called-aet-rejected"): (
        N_("The web service can be searched, but takes no pictures."),
        N_("Have IT check the address, and whether storing (STOW-RS) is switched on."),
    ),
    ("query", "refused"): (
        N_("The server is there, but its service for pictures does not answer."),
        N_("The archive behind it may be switched off; ask IT."),
    ),
}

ANSWERS: Final = {
    "The archive finds the request malformed.": N_("The archive does not understand the box."),
    "The archive could not store the object, and does not say why.": N_(
        "The archive did not store it, and does not say why."
    ),
    "The object is too large for the archive's web service.": N_("It is too large for the archive's web service."),
    "The archive does not take this kind of object.": N_("The archive does not take this kind of picture."),
    "The archive's answer does not name the object: it does not count as stored.": N_(
        "The archive does not say that it has it: it is sent again."
    ),
    "The archive's answer contradicts itself: it does not count as stored.": N_(
        "The archive does not say that it has it: it is sent again."
    ),
    "The archive lists the object as failed, and does not say why.": N_(
        "The archive did not store it, and does not say why."
    ),
    "The archive is just storing an object with this UID.": N_("The archive is just storing it."),
    "The archive does not take it in this form: it goes out in another one.": N_(
        "The archive wants it in another form: it goes out again at once."
    ),
    "It may have arrived over the web: it waits for the web service, so that it is not there twice.": N_(
        "It may be there already: it waits for the web service, so that it is not there twice."
    ),
}
"""Of dicom.web.status and engine.delivery.webway."""

_LET_IN: Final = N_("The archive's web service does not let the box in.")
_ACCESS: Final = N_("Have IT check the box's access there: password, token or certificate.")
_ADDRESS: Final = (
    N_("At this address is no web service for pictures."),
    N_("Have IT check the web address of the archive."),
)
_WITHIN: Final = (
    (" does not let the box in (", (_LET_IN, _ACCESS)),
    (" gives the box no token (", (_LET_IN, _ACCESS)),
    (", but with no bearer token.", (_LET_IN, _ACCESS)),
    ("The box cannot show ", (N_("The box cannot show the archive who it is."), _ACCESS)),
    ("The box does not send a password or token to ", (_LET_IN, _ACCESS)),
    ("There is no DICOMweb service at ", _ADDRESS),
    (" is no DICOMweb service.", _ADDRESS),
    (" points to another address (", _ADDRESS),
    (
        " is not available now (",
        (N_("The archive's web service does not answer now."), N_("It is tried again and again; nothing is lost.")),
    ),
)


def about(t: Texts, text: str) -> tuple[str, str]:
    """What a reason of the engine about a web service means, and what to do; empty for any other text."""
    found = next((words for part, words in _WITHIN if part in text), None)
    return (t(found[0]), t(found[1])) if found else ("", "")
