"""What is wrong with a medium, in the codes of the contract: all of it waits until somebody has mended it."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from smartbox_tui.engine.delivery.medium.files import FULL as NO_SPACE
from smartbox_tui.engine.delivery.medium.files import MediumError, of_medium
from smartbox_tui.engine.delivery.medium.pulse import Pulse
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.answer import TransferCancelled, TransferLost
from smartbox_tui.model.medium import (
    CLAIMED,
    DAMAGED,
    EJECTED,
    FOREIGN,
    FULL,
    NO_FOLDER,
    NOT_ALLOWED,
    NOT_MOUNTED,
    PULLED,
    READ_ONLY,
    WRONG,
)

of_kernel = of_medium


def not_mounted(path: Path) -> SmartBoxError:
    return SmartBoxError(
        "no-route", f"{NOT_MOUNTED}{path}.", "Plug the medium in. A folder that is no medium: set mounted = false."
    )


def read_only(path: Path) -> SmartBoxError:
    return SmartBoxError("refused", f"{READ_ONLY}{path}.", "Take off its write protection, or use another medium.")


def not_allowed(path: Path) -> SmartBoxError:
    return SmartBoxError("refused", f"{NOT_ALLOWED}{path}.", "Give the box's user the right to write there.")


def wrong(path: Path) -> SmartBoxError:
    return SmartBoxError(
        "refused",
        f"{WRONG}{path}.",
        "Plug the other one in again, or have the destination ejected and resumed to go on with this one.",
    )


def claimed(path: Path) -> SmartBoxError:
    return SmartBoxError("refused", f"{CLAIMED}{path}.", "It goes on when the other one is done.")


def foreign(path: Path) -> SmartBoxError:
    return SmartBoxError(
        "refused", f"{FOREIGN}{path}.", "The box leaves it as it is: use another, or empty, medium."
    )


def damaged(path: Path, why: str) -> SmartBoxError:
    return SmartBoxError(
        "refused", f"{DAMAGED}{path}: {why}.", "The box leaves it as it is: save the medium, then use an empty one."
    )


def pulled(path: Path, why: str) -> SmartBoxError:
    return SmartBoxError("no-route", f"{PULLED}{path}: {why}.", "Plug it in again; what was not whole is repeated.")


def full(path: Path) -> SmartBoxError:
    return SmartBoxError(
        "disk-full", f"{FULL}{path}.", "Make space on it, or have it ejected and use an empty one."
    )


def busy(path: Path) -> SmartBoxError:
    return SmartBoxError(
        "in-use", f"A picture is still being written to {path}.", "No other one is begun; ask again in a moment."
    )


def ejected(path: Path) -> SmartBoxError:
    return SmartBoxError("refused", f"{EJECTED}{path}.", "Resume the destination when a medium is there.")


def of_error(path: Path, exc: MediumError) -> SmartBoxError:
    """An error of the medium's file system."""
    if exc.errno in NO_SPACE:
        return full(path)
    if exc.errno == errno.EROFS:
        return read_only(path)
    if exc.errno in (errno.EACCES, errno.EPERM):
        return not_allowed(path)
    if exc.errno in (errno.ENOENT, errno.ENOTDIR) and not path.is_dir():
        return SmartBoxError("no-route", f"{NO_FOLDER}{path}.", "Check the path, or plug the medium in.")
    return pulled(path, str(exc))


@contextlib.contextmanager
def told(path: Path, pulse: Pulse) -> Iterator[None]:
    """Everything that is wrong with the medium, as TransferLost; what is not of the medium as it is."""
    try:
        yield
    except (TransferCancelled, TransferLost):
        raise
    except MediumError as exc:
        raise _lost(of_error(path, exc), pulse) from exc
    except SmartBoxError as exc:
        if exc.code == "invalid-object":
            raise
        raise _lost(exc, pulse) from exc


def _lost(exc: SmartBoxError, pulse: Pulse) -> TransferLost:
    return TransferLost(exc.code, exc.message, exc.hint, outcome_unknown=pulse.is_committed)
