"""The settings in the words of the screens: what sections, keys and choices are called. The schema's own sentences
about each key are texts of the screens too (tests/ui/catalogs.py extracts them)."""

from __future__ import annotations

from typing import Any, Final

from smartbox_tui.settings import hooks, route
from smartbox_tui.settings.describe import Key, Place, Section
from smartbox_tui.ui import device_words, web_words
from smartbox_tui.ui.i18n import N_, Texts

SECTIONS: Final = {
    "box": N_("This box"),
    "clock": N_("Clock"),
    "sources": N_("Picture sources"),
    "pedals": N_("Pedals"),
    "destinations": N_("Archives"),
    "worklist": N_("Worklist"),
    "mpps": N_("Performed steps (MPPS)"),
    "emergency": N_("Emergency"),
    "exam": N_("Exams"),
    "recording": N_("Recording"),
    "scanner": N_("Barcode scanner"),
    "codes": N_("Codes before the camera"),
    "watched": N_("Watched folders"),
    "display": N_("Display and keyboard"),
    "panel": N_("Panel of the box"),
    "retention": N_("Keeping pictures"),
    "hooks": N_("Messages to other systems"),
}
ORDER: Final = (
    "destinations", "worklist", "mpps", "sources", "pedals", "recording", "box", "display", "panel", "emergency",
    "exam", "scanner", "codes", "watched", "clock", "retention", "hooks",
)  # fmt: skip
"""What is set up first comes first."""
WITH_TLS: Final = ("ca_file", "cert_file", "key_file", "tls_name")
OF_KIND: Final = {
    "hooks.url": ("webhook",),
    "hooks.token_file": ("webhook",),
    "hooks.secret_file": ("webhook",),
    "hooks.ca_file": ("webhook",),
    "hooks.cert_file": ("webhook",),
    "hooks.key_file": ("webhook",),
    "hooks.command": ("command",),
}
"""Keys that say nothing with another `kind` of their entry."""
OF_BACKUP: Final = ("route.backup", "route.after_s", "route.instead")
"""Keys of an archive that say nothing unless it stands in for another one."""
NEW_ENTRY: Final = {
    "sources": N_("New picture source"),
    "pedals": N_("New pedal"),
    "destinations": N_("New archive"),
    "hooks": N_("New receiver"),
}
LABELS: Final = {
    **device_words.LABELS,
    **web_words.LABELS,
    "aet": N_("AE title"),
    "announce_arrivals": N_("Announce new entries"),
    "associations": N_("Connections at once"),
    "begin_hours": N_("Room is made below"),
    "bitrate": N_("Bit rate of clips"),
    "box.aet": N_("AE title of this box"),
    "box.port": N_("Port of this box"),
    "burned_in_annotation": N_("Names may stand in the picture"),
    "burst": N_("Pictures of a burst"),
    "burst_class": N_("Kind of bursts"),
    "ca_file": N_("Trusted certificates"),
    "calling_aet": N_("Calling AE title"),
    "callers": N_("Further callers"),
    "camera": N_("Codes choose the patient"),
    "cert_file": N_("Certificate of this box"),
    "charset": N_("Character set"),
    "clip_class": N_("Kind of clips"),
    "codec": N_("Video codec"),
    "commitment": N_("Storage commitment"),
    "commitment_wait_h": N_("Hours for its answer"),
    "container": N_("Container of clips"),
    "crop": N_("Cut off"),
    "days_after": N_("Days after today"),
    "days_before": N_("Days before today"),
    "done_days": N_("Days in the folder"),
    "first_field": N_("First field of a code"),
    "device": N_("Device"),
    "double": N_("Double press"),
    "emergency.id": N_("Template of the ID"),
    "emergency.name": N_("Template of the name"),
    "emergency.pedal": N_("Emergency by pedal"),
    "end_hours": N_("Until there is room for"),
    "forget_days": N_("Exams are forgotten"),
    "fps": N_("Frames per second"),
    "hooks.command": N_("Program"),
    "hooks.events": N_("Events"),
    "hooks.keep_days": N_("Days it waits"),
    "hooks.kind": N_("Way"),
    "hooks.patient": N_("With patient data"),
    "hooks.secret_file": N_("Secret that signs"),
    "hooks.token_file": N_("Token"),
    "hooks.url": N_("Web address"),
    "host": N_("Server"),
    "id": N_("Short name"),
    "institution_name": N_("Institution"),
    "keep_days": N_("Days kept"),
    "key_file": N_("Key of this box"),
    "keyboard": N_("Keyboard on the screen"),
    "kind": N_("Connection"),
    "language": N_("Language"),
    "layout": N_("Keyboard of the scanner"),
    "limit": N_("Most entries"),
    "long": N_("Long press"),
    "marks": N_("Marks of clips"),
    "mask": N_("Blackened"),
    "max_instance_bytes": N_("Largest clip in bytes"),
    "modality": N_("Modality"),
    "mounted": N_("Something is mounted there"),
    "mpps": N_("Gets performed steps"),
    "name": N_("Short name"),
    "open_warn_min": N_("Exam open too long"),
    "path": N_("Folder"),
    "plain": N_("Plain pictures, too"),
    "port": N_("Port"),
    "preroll_bytes": N_("Memory before the press"),
    "preroll_s": N_("Seconds before the press"),
    "preview_fps": N_("Pictures a second"),
    "rate_limit": N_("Rate limit"),
    "readback": N_("Read back and compare"),
    "refresh_s": N_("Seconds between refreshes"),
    "check": N_("Check before sending"),
    "rejection_note": N_("Rejection note"),
    "release": N_("Promise it takes"),
    "reserve_bytes": N_("Room kept free"),
    "retry.attempts": N_("Attempts"),
    "retry.factor": N_("Growth of the pause"),
    "retry.first_s": N_("First pause"),
    "retry.max_s": N_("Longest pause"),
    "route.after_s": N_("Seconds before it stands in"),
    "route.backup": N_("Stands in for"),
    "route.instead": N_("Its promise is enough"),
    "route.role": N_("Gets pictures"),
    "route.when.emergency": N_("Only emergencies"),
    "route.when.hours": N_("Only at these hours"),
    "route.when.modality": N_("Only these modalities"),
    "route.when.source": N_("Only from these sources"),
    "send": N_("Send"),
    "session_min": N_("Minutes of a code"),
    "settle_s": N_("Quiet before taking"),
    "short": N_("Short press"),
    "size": N_("Size of the picture"),
    "sources.name": N_("Name shown"),
    "station_aet": N_("Only for this station"),
    "station_name": N_("Station name"),
    "still_class": N_("Kind of stills"),
    "theme": N_("Colours"),
    "timeout_s": N_("Longest wait"),
    "tls": N_("Encrypted (TLS)"),
    "tls_name": N_("Name in the certificate"),
    "transcode": N_("Other codec if refused"),
    "wait_s": N_("Wait for the clock"),
    "warn_min": N_("Recording too long"),
    "without_patient": N_("Without a patient"),
}
"""By `section.key` or, where several sections have the same, by `key`."""
CHOICES: Final = {
    **device_words.CHOICES,
    **web_words.CHOICES,
    "dimse": "DICOM (C-STORE)",
    "": N_("as the source"),
    "always": N_("always"),
    "any": N_("all pictures"),
    "backup": N_("as a stand-in only"),
    "burst": N_("Burst"),
    "child": N_("Child"),
    "command": N_("run a program"),
    "committed": N_("it promises to keep it"),
    "console": N_("16 colours"),
    "cyrillic": N_("Cyrillic"),
    "de": "Deutsch",
    "emergency": N_("Emergency"),
    "en": "English",
    "evdev": N_("USB pedal"),
    "exam-close": N_("when the exam is closed"),
    "false": N_("no emergencies"),
    "female": N_("Woman"),
    "file": N_("video file"),
    "folder": N_("watched folder"),
    "greek": N_("Greek"),
    "h264": "H.264",
    "hevc": "HEVC (H.265)",
    "hold": N_("keep the pictures"),
    "immediately": N_("at once"),
    "key": N_("key of the console (demo)"),
    "latin-1": N_("Western Europe (Latin-1)"),
    "latin-2": N_("Central Europe (Latin-2)"),
    "male": N_("Man"),
    "manual": N_("by hand"),
    "mark": N_("Mark"),
    "mp4": "MP4",
    "mpeg2": "MPEG-2",
    "multiframe-sc": N_("multi-frame picture"),
    "never": N_("never"),
    "none": N_("nothing"),
    "order": N_("order number"),
    "patient": N_("patient ID"),
    "pattern": N_("test pattern"),
    "primary": N_("always, and has a stand-in"),
    "record": N_("Recording on and off"),
    "refuse": N_("take no pictures"),
    "secondary-capture": N_("secondary capture"),
    "serial-bytes": N_("serial, bytes"),
    "serial-line": N_("serial, line"),
    "still": N_("Photo"),
    "stored": N_("it has stored it"),
    "touch": N_("when a field is touched"),
    "true": N_("emergencies only"),
    "true-colour": N_("all colours"),
    "ts": "MPEG-TS",
    "turkish": N_("Turkish"),
    "unknown": N_("Unknown"),
    "us": "English (US)",
    "utf-8": N_("all scripts (UTF-8)"),
    "v4l2": N_("Grabber"),
    "video-endoscopic": N_("endoscopic video"),
    "video-microscopic": N_("microscopic video"),
    "video-photographic": N_("photographic video"),
    "vl-endoscopic": N_("endoscopic picture"),
    "vl-microscopic": N_("microscopic picture"),
    "vl-photographic": N_("photographic picture"),
    "webhook": N_("call a web address"),
}
FOLDER_KIND: Final = N_("folder, USB medium")
"""Of a destination; a picture source of that kind is a watched folder."""
REASONS: Final = {
    **device_words.REASONS,
    **web_words.REASONS,
    "must be 1 to 32 letters, digits, '-' or '_'": N_("1 to 32 letters, digits, - or _, no spaces."),
    "must be WIDTHxHEIGHT, as in 1920x1080": N_("Width x height, as in 1920x1080."),
    "must be between 160x120 and 1920x1088": N_("Between 160x120 and 1920x1088."),
    "width and height must be even (4:2:0 video)": N_("Width and height must be even."),
    "must be four numbers: left,top,right,bottom": N_("Four numbers, as in 0,0,0,0."),
    "must be even numbers (4:2:0 video)": N_("Even numbers only."),
    "must be left,top,width,height, and more of them after a ';'": N_(
        "Four numbers: left, top, width, height; more after a semicolon."
    ),
    "must not contain spaces": N_("No spaces."),
    "must be a whole path, from / on": N_("The whole path, from / on."),
    "0 for none, or at least 10000": N_("0 for none, or at least 10000 bytes a second."),
    "a private key needs its certificate": N_("The key's certificate is missing."),
    "an AE title has 1 to 16 characters": N_("An AE title has 1 to 16 characters."),
    "an AE title has no backslash, control or non-ASCII characters": N_("Only plain letters, digits and signs."),
    "at most 16 upper case letters, digits and '_', as in ES": N_("Upper case letters, as in ES."),
    "at most 16 characters, no backslash, no control characters": N_("At most 16 characters, no backslash."),
    "at most 64 characters, no backslash, no control characters": N_("At most 64 characters, no backslash."),
    "may use {sex_text}, {date}, {time}, {station_name}": N_(
        "May use sex_text, date, time, station_name, each in braces."
    ),
    "must contain {date} and {time}, so that two never collide": N_(
        "Must contain date and time in braces: two patients never get the same one."
    ),
    "a dimse destination needs host, port and aet": N_("An archive needs server, port and AE title."),
    "a server needs its AE title": N_("The server's AE title is missing."),
    "a server needs host, port and aet": N_("Give server, port and AE title."),
    "a folder destination needs its path": N_("Give the folder's path, from / on."),
    "another destination has this folder": N_("Another archive uses this folder, or one within it."),
    "a file source needs the file's path": N_("Give the file's path."),
    "a watched folder needs its whole path, from / on": N_("Give the folder's path, from / on."),
    "must be times of day, as in 18:00-06:00": N_("Times of day, as in 18:00-06:00."),
    "must be times of day, from 00:00 to 24:00": N_("Times of day, from 00:00 to 24:00."),
    "must not begin and end at the same time; empty: the whole day": N_(
        "Begin and end differ; leave it empty for the whole day."
    ),
    route.MODALITIES: N_("Upper case letters with commas between, as in ES, XC."),
    route.NAMES: N_("Short names with commas between."),
    route.NO_PRIMARY_NAMED: N_("Name the archive that it stands in for."),
    route.BOTH: N_("An archive that stands in for another one has no stand-in of its own."),
    route.ITSELF: N_("An archive cannot stand in for itself."),
    route.NO_ARCHIVE: N_("There is no archive of that name."),
    route.NO_PRIMARY: N_("First set the other archive to have a stand-in."),
    route.NO_SOURCE: N_("There is no source of that name."),
    hooks.NO_EVENT: N_("No such event: delivery.*, exam.closed, alarm.raised are some."),
    hooks.NO_URL: N_("Give the web address."),
    hooks.NO_COMMAND: N_("Give the program."),
    hooks.OPEN_WAY: N_("Patient data goes only to addresses that begin with https."),
    hooks.NOT_CONFINED: N_("Only a program from the folder hooks beside the settings file."),
    "must be a whole path, from / on, and its arguments": N_("The whole path, from / on, then its arguments."),
    "a pedal needs its device": N_("Let the pedal be taught, or give its device."),
    "must be a whole number": N_("A whole number."),
    "must be a number": N_("A number."),
}
"""The rules' sentences, said at the field."""
ORIGINS: Final = {
    "default": N_("default"),
    "file": N_("settings file"),
    "box": N_("set here"),
    "environment": N_("fixed"),
}
ACTIONS: Final = {
    "put": N_("changed"),
    "undo": N_("undone"),
    "import": N_("imported"),
    "by-hand": N_("edited by hand"),
    "set-aside": N_("set aside: did not hold"),
}


def destination_kind(t: Texts, kind: str) -> str:
    """As beside an archive's name, where there is little room."""
    return {"dimse": "DICOM", "dicomweb": "DICOMweb", "folder": t(FOLDER_KIND)}.get(kind, kind)


def section(t: Texts, name: str) -> str:
    return t(SECTIONS.get(name, name))


def label(t: Texts, section_name: str, key: str) -> str:
    return t(LABELS.get(f"{section_name}.{key}") or LABELS.get(key) or key)


def doc(t: Texts, key: Key) -> str:
    """The schema's sentence, with a capital as the screens have it."""
    text = t(key.doc)
    return text[:1].upper() + text[1:]


def value(t: Texts, key: Key | None, found: Any) -> str:
    """A value as it is said: a choice's word, on and off, numbers in the language's way."""
    if found is None or (found == "" and (key is None or "" not in key.choices)):
        return "–"
    if isinstance(found, bool):
        return t("on") if found else t("off")
    if isinstance(found, dict):
        return ", ".join(f"{name} {item}" for name, item in found.items()) or "–"
    if isinstance(found, int | float):
        if key is not None and key.key == "port":
            return str(found)
        number = t.number(found, 0 if found == int(found) else 1)
        is_bytes = key is not None and key.key.endswith("_bytes") and found
        return f"{number} ({t.size(int(found))})" if is_bytes else number
    if key is not None and found == "folder" and "dimse" in key.choices:
        return t(FOLDER_KIND)
    if key is not None and key.choices:
        return t(CHOICES.get(found, found))
    return str(found)


def path(t: Texts, place: Place) -> str:
    """Where a setting is, as the screens lead there."""
    parts = [section(t, place.section.name), place.entry]
    if place.key is not None:
        parts.append(label(t, place.section.name, place.key.key))
    return " › ".join(part for part in parts if part).replace("›", "→")


def reason(t: Texts, key: Key | None, why: str) -> str:
    """A rule's sentence in the language of the screens; one that is not known as it is."""
    if key is not None and key.minimum is not None and why.startswith("must be") and "number" not in why:
        return bounds(t, key) + "."
    return t(REASONS.get(why, why))


def bounds(t: Texts, key: Key) -> str:
    """What a number may be."""
    if key.minimum is None:
        return ""
    low = t.number(key.minimum)
    if key.maximum is None:
        return t("At least {low}", low=low)
    return t("{low} to {high}", low=low, high=t.number(key.maximum))


def ordered(sections: tuple[Section, ...]) -> list[Section]:
    """Those with something to set, the usual ones first."""
    rank = {name: at for at, name in enumerate(ORDER)}
    found = [item for item in sections if any(not key.fixed for key in item.keys)]
    return sorted(found, key=lambda item: rank.get(item.name, len(rank)))


RESTARTING: Final = N_("The recorder starts anew: a moment without a picture.")
AFTER_RECORDING: Final = N_("The recorder starts anew after the recording.")
RECORDER_AWAY: Final = N_("It holds when the recorder is back.")
RECORDER_BY_HAND: Final = N_("It holds after a restart of the box.")
PROCESSES: Final = {"engine": N_("engine"), "console": N_("screen"), "capture": N_("recorder")}
BY_HAND: Final = ("engine", "console")
"""Those that do not start anew by themselves."""
