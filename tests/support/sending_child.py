"""Sends one DICOM file by the way to a destination, given as JSON: a process that a test kills in mid-object.
`python -m tests.support.sending_child DESTINATION FILE STATE` says "at N" for the bytes that have gone."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from smartbox_tui.dicom.compose import from_part10
from smartbox_tui.engine.calling import peer_of
from smartbox_tui.engine.delivery.forms import Form
from smartbox_tui.engine.delivery.way import way_to
from smartbox_tui.settings.destination import Destination


def main() -> None:
    destination = Destination(**json.loads(sys.argv[1]))
    way = way_to(destination, peer_of(destination, "SMARTBOX"), Path(sys.argv[3]))
    composition = from_part10(Path(sys.argv[2]))
    way.agree([Form(composition.sop_class_uid, composition.transfer_syntax_uid)], tuple)
    answer = way.store(composition, on_progress=lambda sent: print("at", sent, flush=True), cancelled=lambda: False)
    print(answer.meaning.outcome, flush=True)


if __name__ == "__main__":
    main()
