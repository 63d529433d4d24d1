"""Several associations to one destination, and to two at once: real engines, real archives, peers that count."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
import simplejpeg

from smartbox_tui.dicom import scp
from smartbox_tui.wire import client
from tests.support.box import Box, settings, until
from tests.support.dcmtk import storescp
from tests.support.orthanc import orthanc
from tests.support.peer import Call, scripted_peer
from tests.support.relay import Relay
from tests.support.spooled import put_exam, put_still

ECHO = "1.2.840.10008.1.1"


def second(port: int, name: str = "other", extra: str = "") -> str:
    return f"""
[[destinations]]
name = "{name}"
host = "127.0.0.1"
port = {port}
aet = "ORTHANC"
timeout_s = 10
retry = {{ first_s = 0.2, max_s = 1 }}
{extra}
"""


@contextlib.contextmanager
def box_with(config: str, stills: int, picture: Any = None) -> Iterator[tuple[Box, str]]:
    """A box with an exam of so many stills (`picture`) that no engine has seen yet."""
    box = Box(config)
    try:
        spool = box.state / "spool"
        spool.mkdir(parents=True)
        exam = put_exam(spool)
        for number in range(stills):
            put_still(spool, exam, number=number, picture=picture)
        yield box, exam
    finally:
        box.close()


def noise(width: int, height: int) -> tuple[bytes, int, int]:
    """A still that is about as long as it has pixels."""
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return simplejpeg.encode_jpeg(pixels, quality=90, colorspace="RGB", colorsubsampling="422"), width, height


def is_echo(call: Call) -> bool:
    return any(abstract == ECHO for abstract, _ in call.contexts.values())


class Counting:
    """An archive that keeps every object waiting until `go`; it knows how many came together and in which order."""

    def __init__(self, most: int = 99, busy: tuple[int, int, int] = (2, 3, 2)) -> None:
        self.most, self.busy = most, busy
        self.go = threading.Semaphore(0)
        self.open = self.top = self.rejected = self.associations = 0
        self.order: list[str] = []
        self.waiting = 0
        self._lock = threading.Lock()

    def __call__(self, call: Call) -> None:
        with self._lock:
            full = self.open >= self.most
            self.rejected += full
            if not full:
                self.open += 1
                self.top = max(self.top, self.open)
        if full:
            call.reject(*self.busy)
            return
        try:
            call.accept()
            if is_echo(call):
                call.read_message()
                call.respond(0, field=0x8030)
                call.answer_release()
                return
            self.associations += 1
            while True:
                call.read_message()
                with self._lock:
                    self.order.append(call.sop_instance_uid)
                    self.waiting += 1
                while not self.go.acquire(timeout=0.1):
                    if call.stop.is_set():
                        return
                with self._lock:
                    self.waiting -= 1
                call.respond(0)
        except (ConnectionError, AssertionError):
            call.close()
        finally:
            with self._lock:
                self.open -= 1

    def free(self, count: int = 1000) -> None:
        self.go.release(count)


def test_four_associations_to_each_of_two_destinations_at_once() -> None:
    one, two = Counting(), Counting()
    with scripted_peer(one) as first, scripted_peer(two) as other:
        config = settings(first.port, extra="associations = 4") + second(other.port, extra="associations = 4")
        with box_with(config, 12) as (box, exam):
            box.start("engine")
            until(lambda: (one.waiting, two.waiting) == (4, 4), what="four objects on their way to each")
            one.free()
            two.free()
            box.wait_stored(exam, 24)
            assert sorted(one.order) == sorted(two.order) == sorted(set(one.order))
            assert len(one.order) == 12


def test_one_still_opens_one_association() -> None:
    archive = Counting()
    archive.free()
    with scripted_peer(archive) as peer, box_with(settings(peer.port, extra="associations = 8"), 1) as (box, exam):
        box.start("engine")
        box.wait_stored(exam, 1)
        assert archive.associations == 1


@pytest.mark.parametrize("busy", [(2, 3, 2), (2, 3, 1), (1, 1, 1)])
def test_an_archive_that_takes_no_further_association_is_not_away(busy: tuple[int, int, int]) -> None:
    archive = Counting(most=2, busy=busy)
    with scripted_peer(archive) as peer, box_with(settings(peer.port, extra="associations = 4"), 12) as (box, exam):
        box.start("engine")
        until(lambda: archive.waiting == 2 and archive.rejected, what="two associations and a rejection")
        states = {row["state"] for row in box.deliveries(exam)}
        assert states == {"queued", "sending"}, "nothing waits for an archive that is there"
        (destination,) = box.ctl("destination", "list")["destinations"]
        assert destination["state"] == "ok"
        archive.free()
        box.wait_stored(exam, 12)
        assert archive.rejected == 1, "it is not asked again and again"
        assert "unreachable" not in box.log("engine")


def test_an_archive_that_lets_the_next_association_wait_gets_everything_on_the_first(tmp_path: Path) -> None:
    """storescp serves one after the other: further connections are taken by the kernel and never answered."""
    with (
        storescp(tmp_path / "in") as archive,
        box_with(settings(archive.port, extra="associations = 4"), 40) as (box, exam),
    ):
        box.start("engine")
        began = time.monotonic()
        box.wait_stored(exam, 40)
        assert time.monotonic() - began < 10, "no picture waits behind a connection that never stands"
        assert len(archive.files()) == 40
        assert "unreachable" not in box.log("engine")


def test_the_rate_limit_holds_for_all_associations_together(tmp_path: Path) -> None:
    rate = 100_000
    archive = scp.start("127.0.0.1", 0, "ORTHANC", tmp_path / "in", require_called_aet=True)
    try:
        config = settings(archive.port, extra=f"associations = 4\nrate_limit = {rate}")
        with box_with(config, 60) as (box, exam):
            box.start("engine")
            rows = box.wait_stored(exam, 60, timeout_s=120)
            with sqlite3.connect(f"file:{box.state}/smartbox.db?mode=ro", uri=True) as database:
                times = [row[0] for row in database.execute("SELECT at FROM delivery_change WHERE new != 'queued'")]
            moments = sorted(datetime.fromisoformat(at).timestamp() for at in times)
            total = sum(row["bytes"] for row in rows)
            assert moments[-1] - moments[0] > 0.8 * total / rate
    finally:
        archive.stop()


def test_first_by_hand_paused_and_resumed_with_several_workers() -> None:
    archive = Counting()
    with scripted_peer(archive) as peer, box_with(settings(peer.port, extra="associations = 2"), 8) as (box, exam):
        box.start("engine")
        until(lambda: archive.waiting == 2)
        rows = box.deliveries(exam)
        queued = [row for row in rows if row["state"] == "queued"]
        assert len(queued) == 6
        paused, *_, late, last = queued
        assert box.ctl("queue", "pause", str(paused["id"])) == {"changed": 1}
        box.ctl("queue", "prioritise", str(late["id"]))
        box.ctl("queue", "prioritise", str(last["id"]))
        archive.free(2)
        until(lambda: len(archive.order) == 4)
        assert set(archive.order[2:]) == {last["sop_instance_uid"], late["sop_instance_uid"]}
        archive.free()
        until(lambda: [row["state"] for row in box.deliveries(exam)].count("stored") == 7)
        assert paused["sop_instance_uid"] not in archive.order
        box.ctl("queue", "resume", str(paused["id"]))
        box.wait_stored(exam, 8)
        assert len(archive.order) == len(set(archive.order)) == 8


def test_an_emergency_is_next_whatever_waits_before_it() -> None:
    archive = Counting()
    with scripted_peer(archive) as peer, box_with(settings(peer.port, extra="associations = 2"), 8) as (box, exam):
        box.start("engine")
        until(lambda: archive.waiting == 2)
        spool = box.state / "spool"
        urgent = put_exam(spool)
        path = spool / urgent / "exam.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "emergency": "male"}))
        picture = put_still(spool, urgent, number=99)
        client.command(box.runtime / "engine.sock", {"type": "adopt", "id": str(uuid4()), "pictures": [picture.id]})
        archive.free(1)
        until(lambda: len(archive.order) == 3)
        (row,) = box.deliveries(urgent)
        assert archive.order[2] == row["sop_instance_uid"]
        archive.free()
        box.wait_stored(exam, 8)


def test_a_paused_destination_finishes_what_is_on_its_way_on_all_associations() -> None:
    archive = Counting()
    with scripted_peer(archive) as peer, box_with(settings(peer.port, extra="associations = 3"), 9) as (box, exam):
        box.start("engine")
        until(lambda: archive.waiting == 3)
        box.ctl("queue", "pause", "--destination", "archive")
        archive.free()
        until(lambda: [row["state"] for row in box.deliveries(exam)].count("stored") == 3)
        until(lambda: archive.open == 0, what="all associations to be released")
        assert len(archive.order) == 3
        box.ctl("queue", "resume", "--destination", "archive")
        box.wait_stored(exam, 9)


def test_cancelling_finds_the_row_on_whichever_association_it_is(tmp_path: Path) -> None:
    archive = scp.start("127.0.0.1", 0, "ORTHANC", tmp_path / "in", require_called_aet=True)
    try:
        config = settings(archive.port, extra="associations = 3\nrate_limit = 40000")
        with box_with(config, 3, noise(320, 240)) as (box, exam):
            box.start("engine")
            rows = until(
                lambda: (
                    [row for row in box.deliveries(exam) if row["state"] == "sending"]
                    if all(row["state"] == "sending" for row in box.deliveries(exam))
                    else []
                )
            )
            wanted = rows[1]
            box.ctl("queue", "cancel", str(wanted["id"]))

            def settled() -> list[str]:
                states = [row["state"] for row in box.deliveries(exam)]
                return states if set(states) == {"stored", "cancelled"} else []

            assert sorted(until(settled)) == ["cancelled", "stored", "stored"]
            assert wanted["sop_instance_uid"] not in {path.stem for path in archive.stored()}
    finally:
        archive.stop()


def test_a_silent_destination_never_holds_up_another(tmp_path: Path) -> None:
    archive = scp.start("127.0.0.1", 0, "ORTHANC", tmp_path / "in", require_called_aet=True)
    try:
        with scripted_peer(Call.silent) as silent:
            config = settings(silent.port, extra="associations = 4\n") + second(
                archive.port, extra="associations = 2"
            )
            with box_with(config, 30) as (box, exam):
                box.start("engine")
                began = time.monotonic()

                def done() -> bool:
                    rows = [row for row in box.deliveries(exam) if row["destination"] == "other"]
                    return len(rows) == 30 and all(row["state"] == "stored" for row in rows)

                until(done)
                assert time.monotonic() - began < 9, "within the time-out that the silent one takes"
                began = time.monotonic()
                box.stop("engine")
                assert time.monotonic() - began < 10
    finally:
        archive.stop()


def test_stopping_gives_back_what_every_association_was_sending(tmp_path: Path) -> None:
    archive = scp.start("127.0.0.1", 0, "ORTHANC", tmp_path / "in", require_called_aet=True)
    try:
        with (
            Relay(archive.port, 200_000) as relay,
            box_with(settings(relay.port, extra="associations = 4"), 8, noise(1920, 1080)) as (box, exam),
        ):
            box.start("engine")
            until(lambda: [row["state"] for row in box.deliveries(exam)].count("sending") == 4)
            began = time.monotonic()
            assert box.stop("engine") == 0
            assert time.monotonic() - began < 10
            with sqlite3.connect(f"file:{box.state}/smartbox.db?mode=ro", uri=True) as database:
                states = {row[0] for row in database.execute("SELECT state FROM delivery")}
            assert "sending" not in states
            relay.bytes_per_s = 100_000_000
            box.start("engine")
            box.wait_stored(exam, 8)
            assert len(archive.stored()) == 8
    finally:
        archive.stop()


def test_killed_with_several_in_flight_to_two_archives_everything_is_there_exactly_once(tmp_path: Path) -> None:
    with (
        orthanc(tmp_path / "orthanc", OverwriteInstances=False) as one,
        storescp(tmp_path / "in", "--fork") as two,
        Relay(one.port, 40_000) as slow,
        Relay(two.port, 40_000) as other,
    ):
        config = settings(slow.port, extra="associations = 4") + second(other.port, extra="associations = 4")
        with box_with(config, 40) as (box, exam):
            box.start("engine")

            def in_flight() -> bool:
                rows = [row for row in box.deliveries(exam) if row["state"] == "sending"]
                return all(sum(row["destination"] == name for row in rows) >= 2 for name in ("archive", "other"))

            for _ in range(2):
                until(in_flight, 40)
                box.kill("engine")
                box.start("engine")
            slow.bytes_per_s = other.bytes_per_s = 10_000_000
            rows = box.wait_stored(exam, 80)
            wanted = sorted({row["sop_instance_uid"] for row in rows})
            assert len(wanted) == 40
            held: list[dict[str, Any]] = one.json("/instances?expand")
            assert sorted(item["MainDicomTags"]["SOPInstanceUID"] for item in held) == wanted
            assert len(two.files()) == 40
