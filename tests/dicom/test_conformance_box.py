"""A whole box at work, against a peer that notes what is proposed and stored: all of it is in the statement."""

from __future__ import annotations

import threading
import time
from typing import Any

from pydicom.uid import UID
from pynetdicom import AE, evt

from smartbox_tui.commands.conformance import site_of
from smartbox_tui.dicom.conformance import statement
from smartbox_tui.dicom.iods import IODS
from smartbox_tui.model.instance import JPEG_BASELINE, SOP_CLASSES
from smartbox_tui.settings.schema import Settings
from tests.support.box import Box, settings


def test_what_a_whole_box_proposes_and_stores_is_stated() -> None:
    proposed: set[tuple[str, str]] = set()
    stored: set[tuple[str, str]] = set()
    lock = threading.Lock()

    def requested(event: Any) -> None:
        with lock:
            for context in event.assoc.requestor.requested_contexts:
                proposed.update((str(context.abstract_syntax), str(uid)) for uid in context.transfer_syntax)

    def store(event: Any) -> int:
        with lock:
            stored.add((str(event.request.AffectedSOPClassUID), str(UID(event.context.transfer_syntax))))
        return 0

    ae = AE("RECORDER")
    ae.add_supported_context("1.2.840.10008.1.1")
    for iod in IODS.values():
        ae.add_supported_context(iod.sop_class_uid, list(iod.transfer_syntaxes))
    handlers: list[Any] = [(evt.EVT_REQUESTED, requested), (evt.EVT_C_STORE, store)]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    box = Box(settings(server.socket.getsockname()[1], "RECORDER"))
    try:
        box.start()
        exam = box.open_exam()["id"]
        box.ctl("still")
        box.ctl("still", "--burst", "2")
        box.ctl("record", "start")
        time.sleep(1.5)
        box.ctl("record", "stop")
        box.ctl("exam", "close")
        box.wait_stored(exam, 3)
    finally:
        box.close()
        server.shutdown()
    made = statement(site_of(Settings(), own=False))
    stated = {(item.sop_class, item.transfer_syntax) for item in made.contexts}
    assert stored <= proposed <= stated
    assert (SOP_CLASSES["vl-endoscopic"], JPEG_BASELINE) in stored
    classes = ("vl-endoscopic", "multiframe-sc", "video-endoscopic")
    assert {pair[0] for pair in stored} == {SOP_CLASSES[word] for word in classes}
