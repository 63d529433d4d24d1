"""What has to go on in capture, for the service manager's watchdog, and what it tells the manager beside.

    read SOURCE     the reader's turns, four a second at least, with a signal or without
    encode SOURCE   frames decoded, encoded and emitted, as long as some wait
    write SOURCE    units written, while a recording has some
    sync SOURCE     turns of the recording's fsync loop
    pedals          functions of pedals done, as long as some wait
    commands        commands answered, as long as every thread for them is busy
    api             turns of the event loop

A source whose driver hangs ends no recording of another one: it is told, and counts when that recording is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Protocol

from smartbox_tui.wire.notify import Manager
from smartbox_tui.wire.watchdog import BUSY_S, DISK_S, Progress, Watchdog

_OF_A_SOURCE: Final = ("read", "encode", "write", "sync")


class Recording(Protocol):
    @property
    def written(self) -> int | None: ...

    @property
    def synced(self) -> int: ...


class Watched(Protocol):
    """What is looked at of a session."""

    id: str
    turns: int

    @property
    def encoding(self) -> int | None: ...

    @property
    def recorder(self) -> Recording | None: ...

    @property
    def told(self) -> str: ...


def watchdog(
    sessions: Iterable[Watched],
    pedals: Progress,
    commands: Progress,
    api: Progress,
    manager: Manager | None = None,
) -> Watchdog:
    """Not yet `ready`."""
    sources = tuple(sessions)

    def forgiven(late: tuple[str, ...]) -> tuple[str, ...]:
        """What stands still of sources that record nothing, while one that goes on records."""
        late_of = {each.id: [name for name in late if name in names_of(each)] for each in sources}
        if not any(each.recorder is not None and not late_of[each.id] for each in sources):
            return ()
        return tuple(name for each in sources if each.recorder is None for name in late_of[each.id])

    dog = Watchdog(manager, forgiven=forgiven)
    for each in sources:
        read, encode, write, sync = names_of(each)
        dog.watch(read, BUSY_S, _turns(each))
        dog.watch(encode, BUSY_S, _encoding(each))
        dog.watch(write, DISK_S, _of_recorder(each, lambda recorder: recorder.written))
        dog.watch(sync, DISK_S, _of_recorder(each, lambda recorder: recorder.synced))
    dog.watch("pedals", DISK_S, pedals)
    dog.watch("commands", DISK_S, commands)
    dog.watch("api", BUSY_S, api)
    return dog


def names_of(session: Watched) -> tuple[str, ...]:
    return tuple(f"{part} {session.id}" for part in _OF_A_SOURCE)


def status(sessions: Iterable[Watched]) -> str:
    """The line of `systemctl status`."""
    return ", ".join(each.told for each in sessions) or "no source is configured"


def _turns(session: Watched) -> Progress:
    return lambda: session.turns


def _encoding(session: Watched) -> Progress:
    return lambda: session.encoding


def _of_recorder(session: Watched, of: Callable[[Recording], int | None]) -> Progress:
    def progress() -> object:
        if (recorder := session.recorder) is None or (mark := of(recorder)) is None:
            return None
        return id(recorder), mark

    return progress
