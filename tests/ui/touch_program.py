"""The real console with a made-up touch panel: `python -m tests.ui.touch_program RUNTIME FIFO`. Lines "down X Y",
"move X Y" (0 to 1 of the panel), "up", "unplug" and "replug" from the FIFO are what the finger and the cable do."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from hw.fake.touch import FakePanel
from smartbox_tui.settings.paths import Paths
from smartbox_tui.ui import app
from tests.support.fakebox import loaded
from tests.ui.touch_rig import thread_for


def follow(device: FakePanel, fifo: Path) -> None:
    for line in fifo.open(encoding="ascii"):
        what, *place = line.split()
        getattr(device, what)(*map(float, place))


if __name__ == "__main__":
    runtime, fifo = Path(sys.argv[1]), Path(sys.argv[2])
    device = FakePanel()
    app.own_panel = lambda environ: thread_for(device)
    threading.Thread(target=follow, args=(device, fifo), daemon=True).start()
    sys.exit(app.run(Paths(runtime, runtime), loaded()))
