"""Plain words for values: patients, signals, deliveries, destinations. Pure; the language comes in as `t`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

import msgspec

from smartbox_tui.ui.clock import Clock
from smartbox_tui.ui.i18n import N_, Texts, clip_length
from smartbox_tui.ui.moment import off_s, off_words
from smartbox_tui.ui.state import BoxState, Taken
from smartbox_tui.wire import state, times

SEX: Final = {"M": N_("male"), "F": N_("female"), "O": N_("diverse")}
EMERGENCY: Final = {
    "male": N_("Emergency, man"),
    "female": N_("Emergency, woman"),
    "child": N_("Emergency, child"),
    "unknown": N_("Emergency, nobody knows who"),
}
EXAM: Final = {
    "open": N_("open"),
    "unassigned": N_("without a patient"),
    "suspended": N_("interrupted"),
    "closed": N_("closed"),
    "appended": N_("goes on"),
}
"""model.exam's states."""

REASON: Final = {
    "unspecified": N_("No reason given"),
    "wrong-worklist-entry": N_("Wrong entry chosen"),
    "equipment": N_("Equipment failure"),
    "cancelled": N_("Doctor cancelled"),
    "patient-refused": N_("Patient refused"),
    "patient-condition": N_("Patient's condition"),
    "patient-did-not-arrive": N_("Patient did not come"),
}
"""model.performed's reasons, short enough for a button."""

SIGNAL: Final = {
    "ok": N_("Signal"),
    "starting": N_("Source is starting …"),
    "no-cable": N_("No cable"),
    "no-signal": N_("No signal"),
    "unstable": N_("Signal unstable"),
    "unsupported": N_("Format not supported"),
    "gone": N_("Grabber gone"),
    "frozen": N_("Picture is frozen"),
}
"""The contract's `signal_state`."""

FOLDER: Final = {
    "ok": N_("is watched"),
    "starting": N_("is looked for"),
    "unstable": N_("Pictures cannot be taken over"),
    "unsupported": N_("The box may not write there"),
    "gone": N_("Folder away"),
}
"""The same of a watched folder."""

PICTURE: Final = {
    "black": N_("Picture is black"),
    "uniform": N_("Picture has one colour only"),
    "still": N_("Picture does not move"),
}
"""What is wrong with a picture that comes (`Source.picture`), instead of the state."""

PICTURE_HELP: Final = {
    "black": N_("Is the lens covered, the light off? Pictures can be taken."),
    "uniform": N_("Check processor and cable. Pictures can be taken."),
    "still": N_("Does the processor hold it, or does nothing move? Pictures can be taken."),
}

SIGNAL_HELP: Final = {
    "starting": N_("One moment, it begins by itself."),
    "no-cable": N_("Check the plug at the processor and at the box."),
    "no-signal": N_("Is the processor switched on? The picture returns by itself."),
    "unstable": N_("Check the cable and the plugs."),
    "unsupported": N_("Set the processor's output to 1080p or 720p."),
    "gone": N_("Plug the grabber in again; it goes on by itself."),
    "frozen": N_("The source sends the same picture again and again: check the processor."),
}

DELIVERY: Final = {
    "held": N_("held back"),
    "queued": N_("queued"),
    "preparing": N_("preparing"),
    "sending": N_("sending"),
    "waiting": N_("waiting"),
    "blocked": N_("BLOCKED"),
    "stored": N_("stored"),
    "committed": N_("committed"),
    "cancelled": N_("cancelled"),
    "superseded": N_("superseded"),
}
"""model.delivery's states."""

DESTINATION: Final = {
    "ok": N_("reachable"),
    "unreachable": N_("not reachable"),
    "rejected": N_("refuses us"),
    "paused": N_("paused"),
    "unknown": N_("not asked yet"),
}

KIND: Final = {
    "still": N_("Photo"),
    "burst": N_("Burst"),
    "clip": N_("Clip"),
    "mark": N_("Mark"),
    "marks": N_("Marks"),
}
KIND_GLYPH: Final = {"still": "■", "burst": "▚", "clip": "▶"}

PEDAL: Final = {
    "stuck": N_("The pedal {pedal} seems to be stuck."),
    "free": N_("The pedal {pedal} works again."),
    "gone": N_("The pedal {pedal} is unplugged."),
    "busy": N_("Another program has the pedal {pedal}."),
    "back": N_("The pedal {pedal} is back."),
}
"""Gestures that are news to the operator; the others are seen by what they did."""
PEDAL_STATE: Final = {
    "ok": N_("ready"),
    "starting": N_("is looked for"),
    "stuck": N_("is stuck"),
    "gone": N_("not plugged in"),
    "busy": N_("another program has it"),
    "refused": N_("may not be used"),
    "failed": N_("does not work"),
}
PEDAL_PRESS: Final = {"short": N_("short: {what}"), "long": N_("long: {what}"), "double": N_("double: {what}")}
"""The settings' keys of what a pedal does."""


def person(name: str) -> str:
    """A DICOM PN for people: `Müller^Jörg^^Dr.` is `Müller, Jörg, Dr.` The case is left as it is: upper-casing
    would turn ß into SS, another name. Of several component groups the first with a text is shown."""
    groups = [group for group in name.split("=") if group.strip("^ ")]
    parts = [part.strip() for part in (groups[0] if groups else "").split("^")]
    family, given, middle, prefix, suffix = (parts + [""] * 5)[:5]
    first = " ".join(part for part in (given, middle) if part)
    return ", ".join(part for part in (family, first, prefix, suffix) if part)


def age(t: Texts, patient: state.Patient, today: date) -> str:
    """Years in brackets, months below two years; from PatientAge where there is no birth date."""
    if patient.birth_date:
        try:
            born = date.fromisoformat(patient.birth_date)
        except ValueError:
            return ""
        months = (today.year - born.year) * 12 + today.month - born.month - (today.day < born.day)
        return t("{n} months", n=months) if 0 <= months < 24 else f"{months // 12}"
    if not patient.age:
        return ""
    count, unit = int(patient.age[:-1]), patient.age[-1:].upper()
    unit_word = {"Y": t("years"), "M": t("months"), "W": t("weeks"), "D": t("days")}.get(unit, "")
    return t("about {n} {unit}", n=count, unit=unit_word)


def born(t: Texts, patient: state.Patient, today: date) -> str:
    """`14.03.1961 (65)`; the estimate alone where only that is known; empty where nothing is."""
    years = age(t, patient, today)
    if not patient.birth_date:
        return years
    try:
        return f"{t.date(date.fromisoformat(patient.birth_date))} ({years})"
    except ValueError:
        return patient.birth_date


def who(t: Texts, exam: state.Exam) -> str:
    """Whose exam it is in a few words."""
    if exam.emergency is not None:
        return t(EMERGENCY.get(exam.emergency, exam.emergency))
    return person(exam.patient.name) or exam.patient.id or t("NO PATIENT")


def exam_line(t: Texts, clock: Clock, exam: state.Exam) -> str:
    """`Müller, Jörg · 21:45 · 3 Bilder`: which exam is meant."""
    opened = when(exam.opened_at)
    parts = [
        who(t, exam),
        t.clock(clock.local(opened)) if opened else "",
        t.n("{count} picture", "{count} pictures", exam.instances),
    ]
    return " · ".join(part for part in parts if part)


def exam_of(answer: Any) -> state.Exam:
    """The exam of a command's answer. Raises ValidationError for another version's."""
    return msgspec.convert(answer["exam"], state.Exam)


def delivered(t: Texts, counts: Mapping[str, int], *, under_way: bool = False, by_hand: int = 0) -> tuple[str, str]:
    """What became of an exam's deliveries, in words, and the style of it: what needs a hand comes first.
    `under_way`: pictures of an open exam are held until it is closed, and nobody needs to do anything; `by_hand`:
    so many of the held go out when somebody says so."""
    open_ones = sum(counts.get(name, 0) for name in ("queued", "preparing", "sending"))
    there = counts.get("stored", 0) + counts.get("committed", 0)
    if blocked := counts.get("blocked", 0):
        return "✗ " + t.n("{count} BLOCKED", "{count} BLOCKED", blocked), "bold $red"
    if waiting := counts.get("waiting", 0):
        return "! " + t.n("{count} waiting", "{count} waiting", waiting), "bold $wait"
    if by_hand:
        return "■ " + t.n("{count} waits for Send", "{count} wait for Send", by_hand), "bold $wait"
    if (held := counts.get("held", 0)) and under_way:
        return t.n("{count} waits for the closing", "{count} wait for the closing", held), "$dim"
    if held:
        return "■ " + t.n("{count} held back", "{count} held back", held), "$wait"
    if open_ones:
        return "▶ " + t.n("{count} on the way", "{count} on the way", open_ones), "$calm"
    if there:
        return "✓ " + t("sent"), "$good"
    return "", ""


def promise(t: Texts, clock: Clock, item: state.Destination) -> str:
    """What an archive says of keeping what it has stored; empty where it is not asked, or all is answered."""
    if item.promise == "unsupported":
        return t("Makes no promise: pictures count as stored only.")
    if item.promise in ("late", "away"):
        return t("Does not answer whether it keeps them.")
    since = when(item.asked_since)
    if not item.asked or since is None:
        return ""
    local = clock.local(since)
    told = t.n("{count} picture asked about", "{count} pictures asked about", item.asked)
    asked = t("since {time}", time=f"{t.date(local.date())} {t.clock(local)}")
    return f"{told} · {asked}"


def signal_word(t: Texts, source: state.Source, *, loud: bool = False) -> str:
    """The signal's state in a word or two; where it cannot be taken with what comes in."""
    if source.signal_state == "frozen" and source.picture in PICTURE:
        word = t(PICTURE[source.picture])
    else:
        word = t(SIGNAL.get(source.signal_state, source.signal_text or source.signal_state))
    word = word.upper() if loud else word
    return f"{word}: {source.facts}" if source.facts and source.signal_state == "unsupported" else word


def signal_help(t: Texts, source: state.Source) -> str:
    """What to do about it; empty where there is nothing."""
    if source.signal_state == "frozen" and source.picture in PICTURE_HELP:
        return t(PICTURE_HELP[source.picture])
    return t(SIGNAL_HELP.get(source.signal_state, ""))


def signal(t: Texts, source: state.Source) -> str:
    """The signal in plain words, with size and rate when there is one; of a folder whether it is there."""
    if source.kind == "folder":
        return t(FOLDER.get(source.signal_state, source.signal_text or source.signal_state))
    word = signal_word(t, source)
    if not source.signal:
        return word
    rate = t("{fps} fps", fps=t.number(source.fps))
    return f"{word} {source.width}×{source.height} · {rate}"


ENCODERS: Final = {
    "nvenc": "NVENC (NVIDIA)",
    "qsv": "Quick Sync (Intel)",
    "v4l2m2m": "V4L2 M2M",
    "passthrough": N_("the grabber itself"),
}
"""What makes the clips, by SOURCE's word; software, which all boxes have, is not worth a word."""


def encoder(t: Texts, source: state.Source) -> str:
    """Empty for software, and where it is not told."""
    word = ENCODERS.get(source.encoder, "")
    return t("clips by {encoder}", encoder=t(word)) if word else ""


def when(text: str | None) -> datetime | None:
    """An RFC 3339 time, None for none and for one that cannot be read."""
    try:
        return times.parse(text) if text else None
    except ValueError:
        return None


def hours_left(t: Texts, storage: state.Storage) -> str:
    """How long can still be recorded; minutes below two hours, where it begins to matter."""
    if not storage.records:
        return t("no room to record")
    if storage.hours_left < 2:
        return t("room for {n} min", n=int(storage.hours_left * 60))
    return t("room for {n} h", n=t.number(int(storage.hours_left)))


def taken(t: Texts, clock: Clock, what: Taken) -> str:
    """`✓ Foto 12 · 21:44:50`, `✓ Serie 1 · 5 Einzelbilder`, `✓ Clip 2 · 0:42`, `✓ Marke 1 · 0:12`; of one that does
    not show its press `! Foto 12 · 10 s nach dem Auslösen`."""
    kind, picture = t(KIND.get(what.kind, what.kind)), what.picture
    if picture is not None and (off := off_s(picture)):
        return f"! {kind} {what.number} · {off_words(t, off)}"
    label = f"✓ {kind} {what.number}"
    if what.kind == "mark":
        return f"{label} · {clip_length(what.at_s)}"
    return f"{label} · {_told(t, clock, picture)}" if picture is not None else label


def picture(t: Texts, clock: Clock, what: state.Instance) -> str:
    """`Foto · 21:44:50`, `Serie · 5 Einzelbilder`, `Clip · 0:42`: how the operator knows it again."""
    kind = t(KIND.get(what.kind, what.kind))
    return f"{kind} · {_told(t, clock, what)}"


def _told(t: Texts, clock: Clock, what: state.Instance) -> str:
    """`mark_of` where there is room for words."""
    return t.n("{count} frame", "{count} frames", what.frames) if what.kind == "burst" else mark_of(t, clock, what)


def mark_of(t: Texts, clock: Clock, what: state.Instance) -> str:
    """A clip's length, how many frames a burst has, the time of a still."""
    if what.kind == "burst":
        return f"×{what.frames}"
    if what.kind == "clip" and what.duration_s is not None:
        return clip_length(what.duration_s)
    moment = when(what.captured_at)
    return t.clock(clock.local(moment), seconds=True) if moment else "?"


def counters(t: Texts, box: BoxState, width: int = 0) -> str:
    """`5 Fotos · 1 Clip`, with the bursts where there are any, and the marks of a running recording; where that is
    wider than `width` columns, `■ 5 · ▚ 1 · ▶ 1`."""
    counts = [t.n("{count} photo", "{count} photos", box.stills), t.n("{count} clip", "{count} clips", box.clips)]
    if box.bursts:
        counts.insert(1, t.n("{count} burst", "{count} bursts", box.bursts))
    kinds = [("still", box.stills), ("burst", box.bursts), ("clip", box.clips)]
    signs = [f"{KIND_GLYPH[kind]} {count}" for kind, count in kinds if count or kind != "burst"]
    if box.recording is not None and box.marks:
        counts.append(t.n("{count} mark", "{count} marks", box.marks))
        signs.append(counts[-1])
    text = " · ".join(counts)
    return " · ".join(signs) if width and len(text) > width else text


def share(delivery: state.Delivery) -> float:
    """How much of it has been sent, 0 to 1."""
    return min(1.0, delivery.bytes_sent / delivery.bytes) if delivery.bytes else 0.0


def bar(part: float, width: int) -> str:
    """A progress bar in eighths of a cell: ▏ to █, all in the console font."""
    eighths = round(max(0.0, min(1.0, part)) * width * 8)
    full, rest = divmod(eighths, 8)
    return "█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")
