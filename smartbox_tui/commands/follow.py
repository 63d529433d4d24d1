"""`ctl events`: the engine's events, one JSON object a line."""

from __future__ import annotations

from pathlib import Path

import msgspec

from smartbox_tui.wire.client import process_away
from smartbox_tui.wire.stream import Link


async def follow(socket: Path, *, forever: bool) -> int:
    """Prints the snapshot, then with `forever` every event until interrupted. Raises no-engine when it is away
    from the start; while following, an engine that goes away is waited for and told by a new snapshot."""
    seen = False
    async with Link(socket) as link:
        async for event in link.events():
            if event is None:
                if not seen:
                    raise process_away(socket)
                continue
            seen = True
            print(msgspec.json.encode(event).decode(), flush=True)
            if not forever:
                return 0
    return 0
