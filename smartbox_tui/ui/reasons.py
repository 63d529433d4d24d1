"""Why a delivery is where it is, in the operator's words. The engine's own English text stays one touch away."""

from __future__ import annotations

from typing import Final

from smartbox_tui.model import medium
from smartbox_tui.model.delivery import MAKING, NOTHING, OFFERED, PIXELS, TAKES
from smartbox_tui.model.routing import BORN, NEEDLESS
from smartbox_tui.ui import stand_ins, web_words
from smartbox_tui.ui.i18n import N_, Texts
from smartbox_tui.ui.sentences import Sentence, sentence
from smartbox_tui.wire import state

NO_SERVICE: Final = Sentence(
    N_("The archive's service takes no calls."), N_("Have IT check whether it runs; it is tried again by itself.")
)
NOTHING_TAKEN: Final = N_("nothing that the box makes")

CODES: Final = {
    "exam-open": N_("Goes out when the exam is closed or released."),
    "exam-held": N_("The exam is held back by hand."),
    "no-patient": N_("No patient is assigned: it stays on the box."),
    "manual": N_("Waits for Send: touch it in the exam, under Pictures."),
    "clock": N_("The clock is not yet sure."),
    "cancelled": N_("Somebody cancelled the sending."),
    "discarded": N_("The picture was discarded."),
    "reassigned": N_("The exam was corrected: a new one takes its place."),
}
"""Codes of a delivery that are no errors."""

TEXTS: Final = {
    "retried by hand": N_("Somebody had it sent again."),
    "cancelled by hand": N_("Somebody cancelled the sending."),
    "discarded by the operator": N_("The picture was discarded."),
    "the engine was restarted": N_("The box was restarted meanwhile."),
    "the engine was stopped": N_("The box was being switched off."),
    "the worker's lease ran out": N_("The sending got stuck and begins anew."),
    "an error of the database": N_("The box could not note it and begins anew."),
    "the exam was reassigned": N_("The exam was corrected: a new one takes its place."),
    "a defect of the box kept it from being sent; its log has more": N_(
        "A defect of the box kept it from being sent."
    ),
    "Making it ready ended with a defect; the log has more.": N_(
        "A defect of the box kept it from being made ready."
    ),
    "the archive takes no Key Object Selections, so it does not get the marks": N_(
        "The archive has the clip; it takes no marks."
    ),
    "The archive has been sent this picture in another codec.": N_(
        "The archive was sent this clip in another format before."
    ),
}
"""Reasons by their text, whatever their code."""

BEGINNINGS: Final = {
    "read back; its pixels could not be compared": N_("Read back from the archive; pixels not compared."),
    "read back": N_("Read back from the archive: it is the same."),
    "The box no longer has this picture": N_("The box no longer has it; an archive does. Cancel it here."),
    "the picture cannot be read": N_("The box cannot read the picture from its disk."),
    medium.NOT_MOUNTED: N_("The medium is not plugged in."),
    medium.NO_FOLDER: N_("The medium is not plugged in."),
    medium.READ_ONLY: N_("The medium can only be read."),
    medium.NOT_ALLOWED: N_("The box may not write to the medium."),
    medium.WRONG: N_("Another medium is plugged in than the one before."),
    medium.CLAIMED: N_("Another box is writing to the folder."),
    medium.FOREIGN: N_("The medium has a DICOMDIR of another system."),
    medium.DAMAGED: N_("The DICOMDIR on the medium is damaged."),
    medium.PULLED: N_("The medium was pulled out, or fails."),
    medium.FULL: N_("The medium is full."),
    medium.SILENT: N_("The medium does not answer."),
    medium.EJECTED: N_("The medium was ejected."),
}
"""Reasons that go on with what differs from time to time."""

ANSWERS: Final = {
    **web_words.ANSWERS,
    medium.TOO_LARGE: N_("The medium takes no file of 4 GiB or more."),
    medium.CORRUPT: N_("The medium does not keep what is written to it."),
    "Stored.": N_("The archive has it."),
    "Stored; the archive changed attributes (coercion).": N_("The archive has it, and changed name or ID."),
    "Stored; the archive dropped attributes.": N_("The archive has it, and left details out."),
    "Stored; the archive finds that the object does not match its SOP class.": N_(
        "The archive has it, but does not find it quite right."
    ),
    "Stored, with a warning.": N_("The archive has it, with a remark."),
    "Stored; the archive does not know some attributes.": N_("The archive has it, and left details out."),
    "Stored; the archive finds a value out of range.": N_("The archive has it, but does not find it quite right."),
    "Stored, with a warning of the archive's own.": N_("The archive has it, with a remark."),
    "The archive is out of resources.": N_("The archive has no room or no time for it."),
    "The archive failed while processing.": N_("The archive had a fault while storing."),
    "The archive finds the message number used twice.": N_("The archive had a fault while storing."),
    "The archive has reached a limit.": N_("The archive has no room or no time for it."),
    "The archive has an object with this UID already.": N_("The archive says that it has this picture already."),
    "The archive finds that the data set does not match its SOP class.": N_(
        "The archive does not understand the picture."
    ),
    "The archive cannot understand the object.": N_("The archive does not understand the picture."),
    "The archive does not accept an attribute.": N_("The archive does not accept the patient's or exam's details."),
    "The archive knows no such instance.": N_("The archive refused the picture."),
    "The archive does not accept an argument.": N_("The archive refused the picture."),
    "The archive finds the SOP Instance UID invalid.": N_("The archive does not accept the picture's number."),
    "The archive knows no such SOP class.": N_("The archive does not take this kind of picture."),
    "The archive holds this UID with another SOP class.": N_("The archive has another picture under this number."),
    "The archive misses an attribute or its value.": N_("The archive misses details of the patient or exam."),
    "The archive does not support this SOP class.": N_("The archive does not take this kind of picture."),
    "The archive does not authorise the box to store.": N_("The archive does not allow the box to store."),
    "The archive does not know the operation C-STORE.": N_("What answers there is no archive."),
    "The archive finds an argument of the wrong kind.": N_("The archive refused the picture."),
    "The archive failed while it checked whether it keeps the picture.": N_(
        "The archive could not say whether it keeps the picture."
    ),
    "The archive does not have the picture that it had said to have stored.": N_(
        "The archive had lost the picture: it is sent again."
    ),
    "The archive has another kind of object under this number.": N_(
        "The archive has another picture under this number."
    ),
    "The archive makes no promise for this kind of object.": N_("The archive makes no promise for this picture."),
    "The archive has seen the number of the question before.": N_("The archive is asked anew."),
    "The archive has no resources to promise anything.": N_("The archive has no room or no time for it."),
    "The archive does not keep the picture, for a reason that DICOM does not define.": N_(
        "The archive does not keep the picture: it is sent again."
    ),
    "The archive holds other pixels than it was sent.": N_(
        "DANGER: the archive holds ANOTHER PICTURE than was sent."
    ),
    "The archive holds the picture under another patient, study or series than it was sent.": N_(
        "DANGER: the archive holds the picture under ANOTHER PATIENT or exam."
    ),
    "The archive gives another object than the one that it was asked for.": N_(
        "The archive gives back another picture than it was asked for."
    ),
    "The archive has changed the picture and is not asked for it by name.": N_(
        "The archive filed it elsewhere: it cannot be read back."
    ),
    "The archive cancelled the operation.": N_("The archive broke off the sending."),
    "The archive refused the object.": N_("The archive refused the picture."),
    "The archive answered with a status that DICOM does not define.": N_(
        "The archive gave an answer that nobody knows."
    ),
}
"""dicom.scu.status's sentences: what an archive's answer means."""


def reason(t: Texts, item: state.Delivery) -> str:
    """Why it is where it is; empty where there is nothing to say."""
    if item.state == "held":
        return t(CODES.get(item.code, CODES["exam-open"]))
    if item.state == "preparing" and not item.reason:
        return t("Is made ready.")
    if item.state == "waiting" and not item.code:
        # what made it ready has died: nobody outside said anything
        return t("It could not be made ready; it is tried again.")
    return told(t, item.reason, item.code)


def told(t: Texts, text: str, code: str) -> str:
    """A reason and its code in words; a text that this version does not know is shown as it is."""
    if text.startswith(MAKING):
        what = text.removeprefix(MAKING)
        return t("Is made ready: {what}", what=t("single pixels") if what == PIXELS else what)
    if code in (BORN, NEEDLESS):
        return stand_ins.reason(t, text)
    if text in TEXTS:
        return t(TEXTS[text])
    if code in CODES:
        return t(CODES[code])
    known = next((words for begin, words in BEGINNINGS.items() if text.startswith(begin)), "")
    known = known or ANSWERS.get(_answer(text), "")
    if known:
        return t(known)
    if of_web := web_words.about(t, text)[0]:
        return of_web
    if code:
        what = _of_peer(t, code)[0]
        more = _refused(t, text) if code == "no-context" else ""
        return f"{what} {more}".rstrip()
    return text


def promise(t: Texts, item: state.Delivery, since: str) -> str:
    """Of a stored one: that the archive was asked whether it keeps it, `since` a time as people read it; that it
    makes no such promise. Empty where it is asked for nothing."""
    if item.state != "stored":
        return ""
    if item.promise == "asked":
        return t("Asked whether it is kept, since {time}.", time=since)
    return t("The archive makes no promise for this picture.") if item.promise == "never" else ""


HINTS: Final = {
    medium.NOT_MOUNTED: N_("Plug it in; it goes on by itself."),
    medium.NO_FOLDER: N_("Plug it in; it goes on by itself."),
    medium.READ_ONLY: N_("Take off its write protection."),
    medium.NOT_ALLOWED: N_("Have IT give the box the right."),
    medium.WRONG: N_("Plug in the right one; to go on with this one: eject, resume."),
    medium.CLAIMED: N_("It goes on by itself."),
    medium.FOREIGN: N_("Use another one: the box leaves it as it is."),
    medium.DAMAGED: N_("Save it, and use another one."),
    medium.PULLED: N_("Plug it in again; nothing is lost."),
    medium.FULL: N_("Make space, or use an empty one."),
    medium.SILENT: N_("Check the medium, its cable, or the server of the shared folder."),
    medium.EJECTED: N_("Plug in a medium, then resume."),
}
"""What to do about the BEGINNINGS of a medium."""


def of_destination(t: Texts, text: str, code: str) -> tuple[str, str]:
    """Why a destination takes nothing, and what to do."""
    found = next((begin for begin in HINTS if text.startswith(begin)), "")
    if found:
        return t(BEGINNINGS[found]), t(HINTS[found])
    of_web = web_words.about(t, text)
    return of_web if any(of_web) else _of_peer(t, code)


def _of_peer(t: Texts, code: str) -> tuple[str, str]:
    """A code where the network said it: `refused` is no answer then, nobody took the call or somebody hung up."""
    return (t(NO_SERVICE.what), t(NO_SERVICE.hint)) if code == "refused" else sentence(t, code)


def hint(t: Texts, item: state.Delivery) -> str:
    """What to do about it; empty where nothing has to be done."""
    if not item.code or item.state not in ("blocked", "waiting"):
        return ""
    return of_destination(t, item.reason, item.code)[1]


def technical(text: str, code: str) -> str:
    """As the engine wrote it: for service and for IT."""
    return " · ".join(part for part in (code, text) if part)


def _answer(text: str) -> str:
    """The sentence of an archive's answer without its status and comment: `… (A700H: Out of space)`."""
    if text in ANSWERS:
        return text
    at = next((at for at in range(len(text)) if text.startswith(" (", at) and text[:at] in ANSWERS), -1)
    return text[:at] if at >= 0 else ""


def _refused(t: Texts, text: str) -> str:
    """What an archive takes instead of what it was offered; empty for another reason."""
    offered, between, rest = text.partition(OFFERED)[2].partition(TAKES)
    if not between:
        return ""
    takes, _, more = rest.partition(". ")  # a point within a name has no space behind it
    takes = takes.removesuffix(".")
    shown = t(NOTHING_TAKEN) if takes == NOTHING else takes
    found = t("It takes: {takes}. It was offered: {offered}.", takes=shown, offered=offered)
    return f"{found} {more}".strip()
