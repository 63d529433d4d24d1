"""Read-back end to end: a real Orthanc by C-GET and by WADO-RS, with what it holds changed under its hands."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.spool import ledger
from tests.engine.test_commitment import alarms, fill, ledger_states, wait_for
from tests.support.box import Box, settings, until
from tests.support.commitment import committer
from tests.support.orthanc import Orthanc, orthanc

pytestmark = pytest.mark.orthanc
KNOWN: dict[str, Any] = {"DicomModalities": {"box": {"AET": "SMARTBOX", "Host": "127.0.0.1", "Port": 104}}}
"""Who may C-FIND and C-GET; storage commitment is not among what such an entry allows of itself."""
PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"


def a_box(running: Orthanc, kind: str, extra: str = "readback = true") -> Box:
    text = settings(running.port, "ORTHANC", send="immediately", extra=extra)
    if kind == "dicomweb":
        dimse = f'host = "127.0.0.1"\nport = {running.port}\naet = "ORTHANC"'
        text = text.replace(dimse, f'kind = "dicomweb"\nurl = "http://127.0.0.1:{running.http_port}/dicom-web"')
    box = Box(text)
    (box.state / "spool").mkdir(parents=True)
    return box


KNOWN_WITHOUT: dict[str, Any] = {
    "DicomModalities": {"box": {**KNOWN["DicomModalities"]["box"], "AllowStorageCommitment": False}}
}


@pytest.fixture(params=["dimse", "dicomweb"])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Orthanc, Box]]:
    values: dict[str, Any] = KNOWN
    if request.param == "dicomweb":
        if not Path(PLUGIN).exists():
            pytest.skip("Orthanc's DICOMweb plugin is not installed")
        values = {"Plugins": [PLUGIN], "DicomWeb": {"Enable": True}}
    with orthanc(tmp_path / "orthanc", **values) as running:
        box = a_box(running, request.param)
        try:
            yield running, box
        finally:
            box.close()


def test_what_is_there_as_it_was_sent_is_committed(both: tuple[Orthanc, Box]) -> None:
    _, box = both
    exam = fill(box, 3)
    box.start("engine")
    rows = wait_for(box, exam, "committed", 3)
    assert {row["reason"] for row in rows} == {"read back"}
    told = [item.detail for item in ledger.read(box.state / "spool" / exam) if item.state == "committed"]
    assert told == ["read back"] * 3


def ask(running: Orthanc, path: str, body: Any, method: str = "POST") -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{running.http_port}{path}", data=data, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()


def held_back(box: Box) -> str:
    """Three pictures are stored, and not read back before the box is told to: the destination asks for nothing."""
    box.config.write_text(box.config.read_text().replace("readback = true", "readback = false"))
    exam = fill(box, 3)
    box.start("engine")
    wait_for(box, exam, "stored", 3)
    return exam


def test_what_was_lost_is_sent_again_and_what_was_changed_is_blocked(both: tuple[Orthanc, Box]) -> None:
    running, box = both
    exam = held_back(box)
    uids = [row["sop_instance_uid"] for row in box.deliveries(exam)]
    ids = {uid: _id(running, uid) for uid in uids}
    ask(running, f"/instances/{ids[uids[0]]}", b"", "DELETE")
    _change_pixels(running, ids[uids[1]], uids[1])
    box.ctl("settings", "set", "destinations.archive.readback", "true")

    def over() -> dict[str, dict[str, Any]]:
        rows = {row["sop_instance_uid"]: row for row in box.deliveries(exam)}
        return rows if sorted(row["state"] for row in rows.values()) == ["blocked", *["committed"] * 2] else {}

    rows = until(over, 40, "one blocked, two committed")
    assert rows[uids[1]]["state"] == "blocked"
    assert rows[uids[1]]["reason"] == "The archive holds other pixels than it was sent."
    assert rows[uids[0]]["state"] == "committed"  # sent again, and read back
    assert "blocked" in alarms(box)
    assert ledger_states(box, exam).count("committed") == 2


def _id(running: Orthanc, uid: str) -> str:
    found = json.loads(ask(running, "/tools/lookup", uid.encode()))
    return next(str(item["ID"]) for item in found if item["Type"] == "Instance")


def _change_pixels(running: Orthanc, identity: str, uid: str) -> None:
    """Another picture under the same UID, as an archive that mixes up its files would hold it."""
    import io

    import pydicom
    from pydicom.encaps import encapsulate

    dataset = pydicom.dcmread(io.BytesIO(running.file_of(uid)))
    frame = bytearray(pydicom.encaps.get_frame(dataset.PixelData, 0, number_of_frames=1))
    frame[-40] ^= 1
    dataset.PixelData = encapsulate([bytes(frame)])
    dataset["PixelData"].is_undefined_length = True
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    ask(running, f"/instances/{identity}", b"", "DELETE")
    ask(running, "/instances", buffer.getvalue())


def test_another_patient_there_is_told_loudly(both: tuple[Orthanc, Box]) -> None:
    running, box = both
    exam = held_back(box)
    uid = box.deliveries(exam)[0]["sop_instance_uid"]
    import io

    import pydicom

    dataset = pydicom.dcmread(io.BytesIO(running.file_of(uid)))
    dataset.PatientID = "ANOTHER"
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    ask(running, f"/instances/{_id(running, uid)}", b"", "DELETE")
    ask(running, "/instances", buffer.getvalue())
    box.ctl("settings", "set", "destinations.archive.readback", "true")
    (row,) = until(lambda: [row for row in box.deliveries(exam) if row["state"] == "blocked"], 40)
    assert row["sop_instance_uid"] == uid
    assert "another patient" in row["reason"]
    assert "ANOTHER" not in box.log("engine")


def test_an_archive_that_gives_nothing_back_leaves_it_stored_and_says_so() -> None:
    with committer(supports=False) as peer:
        box = Box(settings(peer.port, peer.aet, send="immediately", extra="readback = true"))
        (box.state / "spool").mkdir(parents=True)
        try:
            exam = fill(box, 1)
            box.start("engine")
            until(lambda: "commitment-unsupported-archive" in alarms(box), 40)
            wait_for(box, exam, "stored", 1)
        finally:
            box.close()


def test_without_commitment_it_is_read_back(tmp_path: Path) -> None:
    """Both asked for: an Orthanc that does not know the box takes no questions, and gives the pictures back."""
    with orthanc(tmp_path / "orthanc", **KNOWN_WITHOUT) as running:
        box = a_box(running, "dimse", "commitment = true\nreadback = true")
        try:
            exam = fill(box, 2)
            box.start("engine")
            rows = wait_for(box, exam, "committed", 2)
            assert {row["reason"] for row in rows} == {"read back"}
        finally:
            box.close()
