"""The console under a service manager, as on the panel: ready once its screen is there, alive while its loop turns.

A terminal that stops reading (Scroll Lock on the panel) holds the loop, and is started anew for it.
"""

from __future__ import annotations

import asyncio

from smartbox_tui.wire.watchdog import BUSY_S, Watchdog, loop_turns


def watched() -> Watchdog:
    """Ready, from here on. Call it on the loop; without a service manager nobody watches."""
    watchdog = Watchdog()
    watchdog.watch("screen", BUSY_S, loop_turns(asyncio.get_running_loop()))
    watchdog.ready()
    return watchdog
