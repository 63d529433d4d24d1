"""What has to go on in the engine, for the service manager's watchdog.

store      jobs of the writer's thread done, as long as there is one
delivery   turns of the thread that wakes what waits, twice a second through the writer
senders    of each worker that sends over the network its turns, or what the archive has taken: half an
           hour of neither is no slow archive, whose answers have limits of their own. A medium or a folder may
           hang for ever in the kernel, and takes nothing else with it.
api        turns of the event loop, which also reads the database
"""

from __future__ import annotations

from typing import Final

from smartbox_tui.engine.delivery.pool import Delivery
from smartbox_tui.store.database import Store
from smartbox_tui.wire import state
from smartbox_tui.wire.notify import Manager
from smartbox_tui.wire.watchdog import DISK_S, Progress, Watchdog

SENDER_LOOKS: Final = 360
"""Half an hour, at the manager's limit of 30 s."""
_OPEN: Final = ("queued", "preparing", "sending", "waiting")


class _Senders:
    """Changes from look to look as long as every worker moves."""

    def __init__(self, delivery: Delivery, looks: int) -> None:
        self._delivery, self._most = delivery, looks
        self._looks = 0
        self._moved: dict[str, tuple[int, int]] = {}  # turns, and the look that saw them first

    def __call__(self) -> int:
        now = self._delivery.senders()
        self._moved = {
            name: seen if (seen := self._moved.get(name)) and seen[0] == turns else (turns, self._looks)
            for name, turns in now.items()
        }
        if all(self._looks - since <= self._most for _, since in self._moved.values()):
            self._looks += 1
        return self._looks


def watchdog(
    store: Store, delivery: Delivery, api: Progress, manager: Manager | None = None, *, looks: int = SENDER_LOOKS
) -> Watchdog:
    """Not yet `ready`."""
    dog = Watchdog(manager)
    dog.watch("store", DISK_S, lambda: store.progress)
    dog.watch("delivery", DISK_S, lambda: delivery.turns)
    dog.watch("senders", DISK_S, _Senders(delivery, looks))
    dog.watch("api", DISK_S, api)
    return dog


def told(status: state.Status) -> str:
    """The line of `systemctl status`."""
    waiting = sum(int(status.queue.get(each, 0)) for each in _OPEN)
    return f"{waiting} to send, {status.queue.get('blocked', 0)} blocked"
