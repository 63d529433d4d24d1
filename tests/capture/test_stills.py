"""Stills: the frame of the trigger, once, durable, with the grabber's own data where it can be."""

from __future__ import annotations

import threading
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg

from hw.base import PixelFormat, SignalState
from hw.fake.pictures import as_webcam, picture
from hw.fake.source import FakeSource, Freeze, Says, Stall
from hw.video.strip import read_strip
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.media.jpeg import entropy_coded
from smartbox_tui.spool.sidecar import SidecarState
from smartbox_tui.wire import commands, events
from tests.capture.rig import Rig, exam_in, new_id, until

JPEG_BASELINE = "1.2.840.10008.1.2.4.50"


def number_in(path: Path) -> int:
    luma = np.asarray(simplejpeg.decode_jpeg(path.read_bytes(), "GRAY"))[:, :, 0]
    strip = read_strip(luma)
    assert strip.ok
    return strip.number


def webcam_jpeg(number: int) -> bytes:
    """4:2:2 baseline as many UVC cameras send it."""
    grey = np.full((240, 320), 100, np.uint8)
    whole = np.frombuffer(picture(PixelFormat.I420, 320, 240, number), np.uint8)[: 320 * 240].reshape(240, 320)
    half = np.full((240, 160), 128, np.uint8)
    assert whole.shape == grey.shape
    return as_webcam(simplejpeg.encode_jpeg_yuv_planes(whole, half, half, quality=90))


def test_a_still_shows_the_frame_of_its_trigger(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        time.sleep(0.5)
        for ago_s in (0.0, 0.1, 0.3):
            at_ns = time.monotonic_ns() - int(ago_s * 1e9)
            instance = rig.still(at_ns=at_ns)
            assert abs(instance["frame_ns"] - at_ns) < 1.1e9 / 30
            assert instance["trigger_ns"] == at_ns
        # The strip says the same as the time: the number of the frame is its time in frames.
        first, last = rig.still(), rig.still()
        frames = (last["frame_ns"] - first["frame_ns"]) * 30 / 1e9
        assert number_in(rig.file(last)) - number_in(rig.file(first)) == round(frames)


def test_a_trigger_older_than_the_ring_gets_the_oldest_frame_and_says_so(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        time.sleep(1)
        instance = rig.still(at_ns=time.monotonic_ns() - 5_000_000_000)
        assert "after the trigger" in rig.sidecar(instance).note


def test_the_sidecar_tells_all_and_is_closed(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        identity = new_id()
        instance = rig.still(id=identity, trigger="api")
        sidecar = rig.sidecar(instance)
        assert sidecar.state is SidecarState.CLOSED
        assert (sidecar.id, sidecar.command, sidecar.kind, sidecar.media) == (identity, identity, "still", "jpeg")
        assert (sidecar.width, sidecar.height, sidecar.sampling) == (320, 240, "422")
        assert sidecar.bytes == rig.file(instance).stat().st_size == instance["bytes"]
        assert sidecar.transfer_syntax_uid == instance["transfer_syntax_uid"] == JPEG_BASELINE
        until(lambda: rig.told(events.StillTaken))
        assert rig.sidecar(instance).trigger_to_disk_ms == instance["trigger_to_disk_ms"]
        assert simplejpeg.decode_jpeg_header(rig.file(instance).read_bytes())[3] == "422"


def test_the_same_id_makes_one_picture_also_at_the_same_time_and_after_a_restart(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        identity, answers = new_id(), []
        threads = [threading.Thread(target=lambda: answers.append(rig.still(id=identity))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({answer["frame_ns"] for answer in answers}) == 1
        until(lambda: rig.told(events.StillTaken))
        rig.restart()
        again = rig.still(id=identity)
        assert again == answers[0]
        assert len(list(rig.paths.spool.glob("*/*.jpg"))) == 1


def test_webcam_jpeg_is_passed_on_with_its_entropy_coded_data_untouched(tmp_path: Path) -> None:
    sent: dict[int, bytes] = {}

    def make(number: int) -> bytes:
        sent[number] = webcam_jpeg(number)
        return sent[number]

    with Rig(tmp_path, FakeSource(pixel=PixelFormat.MJPEG, make=make)) as rig:
        instance = rig.still()
        data = rig.file(instance).read_bytes()
        original = sent[number_in(rig.file(instance))]
        assert entropy_coded(data) == entropy_coded(original)
        assert len(entropy_coded(data)) > 1000
        assert b"AVI1" not in data
        assert data.endswith(b"\xff\xd9")
        assert rig.sidecar(instance).sampling == "422"


@pytest.mark.parametrize("pixel", [pixel for pixel in PixelFormat if pixel is not PixelFormat.H264])
def test_every_layout_becomes_422_in_full_range(tmp_path: Path, pixel: PixelFormat) -> None:
    """The fakes' MJPEG is 4:2:0, which DICOM has no photometric interpretation for: it is encoded anew."""
    with Rig(tmp_path, FakeSource(pixel=pixel)) as rig:
        path = rig.file(rig.still())
        assert simplejpeg.decode_jpeg_header(path.read_bytes())[3] == "422"
        luma = np.asarray(simplejpeg.decode_jpeg(path.read_bytes(), "GRAY"))[200:, 200:, 0]
        limited = pixel is not PixelFormat.MJPEG
        assert luma.mean() == pytest.approx((100 - 16) * 255 / 219 if limited else 100, abs=1.5)


def test_without_a_signal_a_still_is_refused_and_no_old_frame_is_used(tmp_path: Path) -> None:
    source = FakeSource()
    with Rig(tmp_path, source) as rig:
        rig.still()
        source.then(Says(SignalState.NO_CABLE))
        until(lambda: not rig.source().signal)
        with pytest.raises(SmartBoxError) as caught:
            rig.still(at_ns=time.monotonic_ns() - 200_000_000)
        assert caught.value.code == "no-signal"
        assert rig.source().signal_state == "no-cable"
        source.then(Says(SignalState.OK))
        until(lambda: rig.source().signal)
        assert rig.still()["frame_ns"] > time.monotonic_ns() - 1_000_000_000


def test_a_frozen_picture_is_told_and_can_be_taken(tmp_path: Path) -> None:
    source = FakeSource(fps=Fraction(10))
    with Rig(tmp_path, source) as rig:
        source.then(Freeze())
        until(lambda: rig.source().signal_state == "frozen", 6)
        assert rig.source().signal
        rig.still()


def test_discarding_takes_back_the_newest_and_only_once(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        first, second = rig.still(), rig.still()
        identity = new_id()
        answer = rig.command(commands.DiscardLast, id=identity, reason="blurred")["instance"]
        assert answer["id"] == second["id"]
        assert answer["discarded"]
        assert rig.command(commands.DiscardLast, id=identity, reason="blurred")["instance"]["id"] == second["id"]
        rig.restart()
        assert rig.command(commands.DiscardLast, id=identity, reason="blurred")["instance"]["id"] == second["id"]
        sidecar = rig.sidecar(second)
        assert sidecar.state is SidecarState.DISCARDED
        assert sidecar.discarded["reason"] == "blurred"
        assert rig.command(commands.DiscardLast, reason="x")["instance"]["id"] == first["id"]
        with pytest.raises(SmartBoxError) as caught:
            rig.command(commands.DiscardLast, reason="x")
        assert caught.value.code == "no-exam"


def test_what_an_archive_has_is_not_discarded(tmp_path: Path) -> None:
    from smartbox_tui.spool import ledger

    with Rig(tmp_path) as rig:
        exam = exam_in(rig.paths.spool)
        rig.command(commands.HoldExam, exam=exam, revision=1)
        instance = rig.still()
        promise = ledger.Promise("now", instance["sop_instance_uid"], "archive", "stored")
        ledger.append(rig.paths.spool / exam, [promise])
        with pytest.raises(SmartBoxError, match="archive") as caught:
            rig.command(commands.DiscardLast, reason="x")
        assert caught.value.code == "refused"


@pytest.mark.parametrize(
    ("values", "code"),
    [({"source": "nope"}, "unknown-source"), ({"id": "1"}, "bad-value"), ({"at_ns": -1}, "bad-value")],
)
def test_a_wrong_still_is_refused_in_words(tmp_path: Path, values: dict[str, Any], code: str) -> None:
    with Rig(tmp_path) as rig, pytest.raises(SmartBoxError) as caught:
        rig.still(**values)
    assert caught.value.code == code
    assert caught.value.hint


def test_an_id_that_names_a_clip_makes_no_still(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        still, clip = rig.still()["id"], rig.record(0.2)["instances"][0]["id"]
        for kind, identity in ((commands.Still, clip), (commands.RecordStart, still)):
            with pytest.raises(SmartBoxError, match="another command"):
                rig.command(kind, id=identity)


def test_an_unsteady_signal_is_told_and_its_pictures_are_taken(tmp_path: Path) -> None:
    source = FakeSource()
    with Rig(tmp_path, source) as rig:
        source.then(Says(SignalState.UNSTABLE))
        until(lambda: rig.source().signal_state == "unstable")
        rig.still()
        source.then(Stall(60))
        until(lambda: rig.source().signal_state == "no-signal")
        assert rig.source().signal_text.startswith("No signal"), "the words are those of the state"
