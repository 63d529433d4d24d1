"""What each of the box's alarms says, and what to do."""

from __future__ import annotations

from typing import Final, NamedTuple

from smartbox_tui.ui.i18n import N_
from smartbox_tui.ui.sentences import NO_RECORDING_ROOM


class Known(NamedTuple):
    """`grave`: red, else amber. `bar`: also above the picture."""

    what: str
    hint: str
    grave: bool = True
    bar: bool = True


ALARMS: Final[dict[str, Known]] = {
    "capture-away": Known(N_("The engine does not reach the recorder."), N_("It is restarted by itself.")),
    "blocked": Known(N_("Blocked pictures need a decision."), N_("The queue says why."), bar=False),
    "no-destination": Known(N_("No archive is set up"), N_("Pictures stay on the box."), grave=False, bar=False),
    "routes": Known(
        N_("Some pictures have no archive to go to."), N_("Check the routes of the archives; they stay on the box.")
    ),
    "no-source": Known(N_("No source"), N_("Have the settings checked."), bar=False),
    "not-recordable": Known(
        N_("A source cannot be recorded."), N_("Check its codec, size and rate in the settings; stills work.")
    ),
    "encoder-failed": Known(
        N_("The hardware encoder failed."),
        N_("Software does its work. Tell service."),
        grave=False,
        bar=False,
    ),
    "disk-low": Known(
        N_("Little room is left on the box."), N_("See why pictures are not sent: queue."), grave=False
    ),
    "disk-no-recording": Known(NO_RECORDING_ROOM.what, NO_RECORDING_ROOM.hint),
    "disk-urgent": Known(
        N_("The box is almost full: soon no recording can be begun."), N_("See why pictures are not sent: queue.")
    ),
    "clock": Known(N_("The clock is not yet sure."), N_("Sending waits for it; pictures are taken."), grave=False),
    "clock-unsure": Known(
        N_("The clock was not set in time."),
        N_("Pictures are sent; a note says their time is not sure."),
        grave=False,
    ),
    "settings-bad": Known(
        N_("An earlier state of the settings is in force."), N_("See the history in the settings."), bar=False
    ),
    "settings-file": Known(
        N_("The settings file cannot be read: what it said before is in force."),
        N_("Mend the file, then start the box anew."),
        bar=False,
    ),
    "worklist-away": Known(
        N_("The worklist is not refreshed."), N_("The last list is there, with its age."), grave=False, bar=False
    ),
    "performed-away": Known(
        N_("The planning system is away."), N_("It is told of the exams later, by itself."), grave=False, bar=False
    ),
    "performed-blocked": Known(
        N_("The planning system refuses what it is told of exams."),
        N_("Call service; no picture waits for it."),
        grave=False,
        bar=False,
    ),
    "port": Known(
        N_("The box's own DICOM port cannot be opened."),
        N_("Answers of archives do not reach it: choose another port in the settings."),
        grave=False,
        bar=False,
    ),
    "port-stranger": Known(
        N_("An archive called the box in vain."),
        N_("Compare the AE titles in the settings with those in the archive."),
        grave=False,
        bar=False,
    ),
    "unreadable": Known(N_("Some folders on the box cannot be read."), N_("Call service; nothing is deleted.")),
}
"""The engine's alarm codes; `destination-NAME` and those of WATCHED beside them."""
DISK_PREFIX: Final = "disk-"
NOTHING_WAITS: Final = N_("Nothing waits to be sent: have service make room.")
"""The hint of those, where the pictures are not what takes the room."""
TOUCH: Final = {
    "none": Known(N_("No touch panel was found."), N_("Plugged in, it works by itself."), grave=False, bar=False),
    "gone": Known(
        N_("The touch panel was unplugged."), N_("Plug it in again; the keyboard and the pedal work."), grave=False
    ),
    "busy": Known(
        N_("Another program has the touch panel."), N_("Another console on this box? End it there."), grave=False
    ),
    "refused": Known(
        N_("The touch panel may not be opened."), N_("Call service: the group input is missing."), grave=False
    ),
    "wrong": Known(
        N_("The device in the settings is no touch panel."), N_("Choose another one there."), grave=False
    ),
    "failed": Known(
        N_("The touch panel does not work."), N_("Unplug it, plug it in again; it is tried on and on."), grave=False
    ),
    "stuck": Known(
        N_("Something lies on the touch panel."), N_("Wipe it; a drop of water is enough."), grave=False
    ),
}
"""Of the console's own panel, `BoxState.touch`."""
PEDALS: Final = {
    "stuck": Known(N_("The pedal {pedal} is stuck."), N_("Free it; everything else works.")),
    "gone": Known(N_("The pedal {pedal} is not there."), N_("Check its plug; it returns by itself."), grave=False),
    "busy": Known(
        N_("Another program has the pedal {pedal}."), N_("Call service; screen and keyboard work."), grave=False
    ),
    "refused": Known(
        N_("The box may not use the pedal {pedal}."), N_("Call service; screen and keyboard work."), grave=False
    ),
    "failed": Known(
        N_("The pedal {pedal} does not work."), N_("Teach it anew in the settings, or call service."), grave=False
    ),
}
"""By the pedal's state, told by capture itself, so that it is known with the engine away; the others are no
trouble."""
PEDAL_PREFIX: Final = "pedal-"
"""Of the engine's alarms about pedals: the same, second hand."""
WATCHED: Final = {
    "watched-away-": Known(
        N_("{name}: the folder cannot be used."), N_("It is looked for again and again."), grave=False, bar=False
    ),
    "watched-quarantine-": Known(
        N_("{name}: {count} files could not be taken over."),
        N_("They lie in its folder quarantine, each with a text that says why."),
        grave=False,
        bar=False,
    ),
    "watched-late-": Known(
        N_("{name}: a code came too late."), N_("Check the patient of the exams held back, then release them.")
    ),
    "commitment-unsupported-": Known(
        N_("{name} makes no promise to keep the pictures."),
        N_("They count as stored only: have commitment enabled there, or change the setting."),
        grave=False,
        bar=False,
    ),
    "commitment-late-": Known(
        N_("{name} does not answer whether it keeps the pictures."),
        N_("It is asked again: have the box's port and AE title checked there."),
        grave=False,
        bar=False,
    ),
    "commitment-away-": Known(
        N_("{name} cannot be asked whether it keeps the pictures."),
        N_("It is asked again and again; the pictures count as stored."),
        grave=False,
        bar=False,
    ),
    "hook-": Known(
        N_("Messages to {name} do not arrive."),
        N_("They are sent again for days; no picture waits for them."),
        grave=False,
        bar=False,
    ),
}
"""Of a watched folder or a hook, by the beginning of the code; its name follows."""
