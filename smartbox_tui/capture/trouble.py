"""Hardware's errors and states in the application's words: the one place of capture where they are translated."""

from __future__ import annotations

from typing import Final

from hw.base import SignalState
from hw.errors import DeviceBusy, DeviceGone, DeviceRefused, HardwareError, NotSupported, SignalChanged
from smartbox_tui.capture.standing import Look
from smartbox_tui.errors import SmartBoxError

SIGNAL_TEXTS: Final = {
    SignalState.OK: "Signal",
    SignalState.STARTING: "Starting",
    SignalState.NO_CABLE: "No cable in the grabber's input",
    SignalState.NO_SIGNAL: "No signal: is the processor switched on?",
    SignalState.UNSTABLE: "The signal is not steady: check cable and plug",
    SignalState.UNSUPPORTED: "The grabber cannot take this signal",
    SignalState.GONE: "The grabber is not there: check its USB plug",
    SignalState.FROZEN: "The picture does not move",
}
"""Plain words in English; the screens translate by state."""

LOOK_TEXTS: Final = {
    Look.BLACK: "The picture is black",
    Look.UNIFORM: "The picture shows one colour only",
    Look.STILL: "The picture does not move",
}
"""With the state `frozen`: there is a picture, and it says nothing. The screens translate by `Source.picture`."""

HAS_PICTURE: Final = frozenset({SignalState.OK, SignalState.FROZEN, SignalState.UNSTABLE})
"""States with a picture of now. Frozen is one: operators freeze the picture at the processor to photograph it.
So is an unsteady one as long as frames come: a poor picture can be discarded, a refused one is gone."""


def words(state: SignalState, facts: str, look: Look) -> str:
    """The state's, with what comes in where it cannot be taken, and what is wrong with a frozen picture."""
    text = LOOK_TEXTS.get(look, SIGNAL_TEXTS[state]) if state is SignalState.FROZEN else SIGNAL_TEXTS[state]
    return f"{text}: {facts}" if facts and state is SignalState.UNSUPPORTED else text


def state_of(exc: HardwareError) -> SignalState:
    """The signal state that a failed open or read means."""
    match exc:
        case DeviceGone():
            return SignalState.GONE
        case NotSupported():
            return SignalState.UNSUPPORTED
        case SignalChanged():
            return SignalState.STARTING  # what comes now is found at the open, a moment later
        case _:
            return SignalState.NO_SIGNAL


def text_of(exc: HardwareError) -> str:
    """What to show beside the state."""
    match exc:
        case DeviceBusy():
            return "Another program has the grabber"
        case DeviceRefused():
            return "No permission to use the grabber"
        case NotSupported():
            return exc.reason or SIGNAL_TEXTS[SignalState.UNSUPPORTED]
        case DeviceGone():
            return SIGNAL_TEXTS[SignalState.GONE]
        case SignalChanged():
            return SIGNAL_TEXTS[SignalState.STARTING]
        case _:
            return exc.reason or SIGNAL_TEXTS[SignalState.NO_SIGNAL]


def pedal_state(exc: Exception) -> tuple[str, str]:
    """The state of a pedal that an error of its device means, and why, in English; screens translate the state."""
    match exc:
        case DeviceGone():
            return "gone", exc.hint or exc.reason
        case DeviceBusy():
            return "busy", exc.hint or exc.reason
        case DeviceRefused():
            return "refused", exc.hint or exc.reason
        case HardwareError():
            return "failed", f"{exc.reason}. {exc.hint}".strip(". ") + "."
        case _:
            return "failed", f"Its driver failed: {type(exc).__name__}."


def not_heard(exc: DeviceBusy) -> SmartBoxError:
    """Nobody has pressed a pedal that could be listened to; `exc.path` names those that could not."""
    return SmartBoxError("device-busy", f"Another program has {exc.path}: no press on it was heard.", exc.hint)


def no_picture(source: str, state: SignalState, text: str) -> SmartBoxError:
    """The error of a trigger while there is no picture."""
    if state is SignalState.GONE:
        return SmartBoxError(
            "device-gone", f"Source {source}: {text}.", "Plug the grabber in; it returns by itself."
        )
    return SmartBoxError("no-signal", f"Source {source}: {text}.", "Check the video cable and the processor.")
