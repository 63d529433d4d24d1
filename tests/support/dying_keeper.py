"""A keeper that dies by SIGKILL at the N-th durable step of one look: `python -m tests.support.dying_keeper N STATE
SETTINGS NOW`; the retention's settings as JSON, the time RFC 3339. Ends with 0 when it survives."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path

from smartbox_tui.store.database import Store
from tests.support.dying import doomed
from tests.support.keeping import Kept, Shelves, archive


def main() -> None:
    doom = doomed(int(sys.argv[1]), renames=True)
    state = Path(sys.argv[2])
    shelves = Shelves.over(state, Store(state / "smartbox.db"), archive())
    kept = Kept(shelves, datetime.fromisoformat(sys.argv[4]), **json.loads(sys.argv[3]))
    doom.armed = True
    kept.look()


if __name__ == "__main__":
    main()
