"""The contract's error codes as sentences for the operator, with what to do. The engine's own English sentence
stays beside them as the technical detail."""

from __future__ import annotations

from typing import Final, NamedTuple

from smartbox_tui.errors import PROCESS_AWAY, SmartBoxError
from smartbox_tui.model.ending import NO_RECORDING
from smartbox_tui.ui.i18n import N_, Texts
from smartbox_tui.wire.state import ROLE_NEEDED


class Sentence(NamedTuple):
    what: str
    hint: str


SENTENCES: Final[dict[str, Sentence]] = {
    "no-engine": Sentence(
        N_("A part of the box does not answer."), N_("It is restarted by itself; try again in a moment.")
    ),
    "unknown-source": Sentence(N_("There is no such picture source."), N_("Have the settings checked.")),
    "device-gone": Sentence(N_("The device is unplugged."), N_("Plug it in again; it goes on by itself.")),
    "device-busy": Sentence(N_("Another program uses the device."), N_("Close the other program.")),
    "no-signal": Sentence(N_("No picture comes in: nothing was taken."), N_("Check the processor and its cable.")),
    "no-exam": Sentence(N_("No exam is open."), N_("Choose a patient first.")),
    "exam-open": Sentence(N_("Another exam is still open."), N_("Close it first.")),
    "already-recording": Sentence(N_("A recording is already running."), N_("Stop it first.")),
    "not-recording": Sentence(N_("No recording is running."), N_("Start one first.")),
    "disk-full": Sentence(
        N_("The box is full: nothing more can be taken."), N_("See why pictures are not sent: queue.")
    ),
    "unknown-key": Sentence(N_("An unknown setting."), N_("Have the settings checked.")),
    "bad-value": Sentence(N_("A value is not right."), N_("Correct it and try again.")),
    "refused": Sentence(N_("That was refused."), N_("The detail says why.")),
    "no-route": Sentence(N_("The archive cannot be reached."), N_("It is tried again and again; nothing is lost.")),
    "timeout": Sentence(N_("No answer in time."), N_("It is tried again; nothing is done twice.")),
    "tls": Sentence(N_("The secure connection failed."), N_("Have IT check the certificates.")),
    "called-aet-rejected": Sentence(
        N_("The archive does not know itself by this name."), N_("Have IT check the archive's AE title.")
    ),
    "calling-aet-rejected": Sentence(
        N_("The archive does not know this box."), N_("Have IT enter the box's AE title there.")
    ),
    "no-context": Sentence(
        N_("The archive does not take this kind of picture."), N_("Have IT allow the SOP class and format.")
    ),
    "archive-refused": Sentence(N_("The archive refused the picture."), N_("Correct it there, then send again.")),
    "outcome-unknown": Sentence(
        N_("Sent, but the archive's answer was lost."), N_("It is sent again; the archive sees that it has it.")
    ),
    "not-found": Sentence(N_("That is not there any more."), N_("Nothing needs to be done.")),
    "in-use": Sentence(N_("It is in use."), N_("Wait until it is done.")),
    "invalid-object": Sentence(
        N_("The picture does not keep the DICOM rules and was not sent."), N_("Call service; it is kept.")
    ),
}

NO_RECORDING_ROOM: Final = Sentence(
    N_("The box is almost full: no recording can be begun."),
    N_("Photos still work. See why pictures are not sent: queue."),
)
NOT_THIS_ROLE: Final = Sentence(
    N_("Whoever works this console may not do that."), N_("Have it done by somebody who may: service or IT.")
)
CAPTURE_AWAY: Final = Sentence(
    N_("The recorder does not answer: no pictures can be taken."), N_("It is restarted by itself.")
)
ENGINE_AWAY: Final = Sentence(
    N_("The engine does not answer: no patient can be chosen, nothing is sent."),
    N_("Photos and recordings go on and are kept."),
)
SETTINGS_UNREADABLE: Final = Sentence(
    N_("The settings of the box cannot be read."),
    N_("Call service. Once the settings are mended all goes on by itself."),
)
NO_PICTURES: Final = N_("No pictures can be taken. Those taken before are kept.")
PEDALS_WORK: Final = N_("The pedals still take pictures. They are kept.")

FIELD_REASONS: Final = {
    "a patient needs an ID": N_("A patient needs an ID."),
    "a patient needs a name": N_("A patient needs a name."),
    "not a date": N_("Not a date: DD/MM/YYYY."),
    "no such day": N_("There is no such day."),
    "in the future or before 1850": N_("In the future, or before 1850."),
    "a backslash or control character is not allowed in DICOM": N_("A backslash is not allowed."),
    "a broken character, from a text that was read wrongly": N_("A character is broken: type it anew."),
    "must be a text": N_("That is not a text."),
    "longer than 64 characters": N_("Longer than 64 characters."),
    "longer than 16 characters": N_("Longer than 16 characters."),
    "more than five components": N_("The sign ^ is not allowed here."),
    "more than three component groups": N_("The sign = is not allowed here."),
}
"""model.patient's reasons, said at the field."""


def sentence(t: Texts, code: str) -> tuple[str, str]:
    """What and hint for a code; a code this version does not know is shown as it is."""
    found = SENTENCES.get(code)
    return (t(found.what), t(found.hint)) if found else (code, "")


def error_texts(t: Texts, error: SmartBoxError) -> tuple[str, str]:
    """Headline, and the lines below it: what to do, then the technical detail in English."""
    what, hint = sentence(t, error.code)
    if NO_RECORDING in error.message:
        what, hint = t(NO_RECORDING_ROOM.what), t(NO_RECORDING_ROOM.hint)
    if error.code == "refused" and ROLE_NEEDED in error.message:
        what, hint = t(NOT_THIS_ROLE.what), t(NOT_THIS_ROLE.hint)
    if error.code == PROCESS_AWAY:
        return what, hint  # the socket's path tells an operator nothing, and the status screen has it
    return what, "\n".join(part for part in (hint, error.message) if part)


def field_error(t: Texts, error: SmartBoxError) -> tuple[str, str]:
    """The key a bad-value names, and its reason in words; the key is empty where it names none."""
    key, separator, why = error.message.partition(": ")
    if not separator:
        return "", error.message
    known = FIELD_REASONS.get(why)
    return key, t(known) if known else why
