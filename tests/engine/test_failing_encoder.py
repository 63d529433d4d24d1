"""A hardware encoder fails in a recording: every frame is in the archive all the same, and the box says so."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pydicom

from smartbox_tui.dicom import scp
from tests.support.box import Box, settings, until
from tests.support.frames import bitstream_of, strips_of_clip
from tests.support.stalls import StallWatch


def test_every_frame_of_the_recording_is_stored(tmp_path: Path) -> None:
    archive = scp.start("127.0.0.1", 0, "ORTHANC", tmp_path / "archive", require_called_aet=True)
    box = Box(settings(archive.port, size="320x240"))
    try:
        box.start("engine")
        with (box.folder / "capture.log").open("ab") as log:
            box.processes["capture"] = subprocess.Popen(
                [sys.executable, "-m", "tests.support.failing_capture", *box.common],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        box.wait_for("capture")
        until(lambda: box.ctl("status")["sources"][0]["encoder"] == "qsv", 30, "the hardware encodes")
        exam = box.open_exam()["id"]
        with StallWatch() as machine:
            box.ctl("record", "start")
            alarm = until(lambda: [a for a in box.ctl("status")["alarms"] if a["code"] == "encoder-failed"], 60)
            assert "software makes the clips since" in alarm[0]["message"]
            assert "qsv: it failed: input/output error" in alarm[0]["message"]
            time.sleep(1.0)
            stopped = box.ctl("record", "stop")
        box.ctl("exam", "close")
        assert len(stopped["instances"]) == 2
        box.wait_stored(exam, 2)
        parts = []
        for number, path in enumerate(archive.stored()):
            clip = tmp_path / f"{number}.ts"
            clip.write_bytes(bitstream_of(path.read_bytes()))
            parts.append([strip.number for strip in strips_of_clip(clip, 320, 240)])
        parts.sort()
        assert [len(part) for part in parts] == [each["frames"] for each in stopped["instances"]]
        numbers = parts[0] + parts[1]
        assert numbers == sorted(set(numbers))
        assert numbers[-1] - numbers[0] + 1 == len(numbers) + stopped["frames_lost"]
        assert stopped["frames_lost"] == 0 or machine.withheld
        for path in archive.stored():
            assert pydicom.dcmread(path).PatientID == "T-1001"
        source = box.ctl("sources")["sources"][0]
        assert source["encoder"] == "software"
        assert source["encoder_failed"].startswith("qsv: ")
    finally:
        box.close()
        archive.stop()
