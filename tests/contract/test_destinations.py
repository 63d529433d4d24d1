"""What every kind of destination does, whatever it is made of (DESIGN section 2, Destination; engine.delivery.way).
The peers are real (tests/support/destinations.py). To add a kind: a class there, its name in KINDS.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import numpy as np
import pytest
import simplejpeg

from smartbox_tui.dicom.build import build_header
from smartbox_tui.dicom.compose import Composition, compose, document
from smartbox_tui.dicom.rejection import build_rejection_note
from smartbox_tui.engine.calling import peer_of
from smartbox_tui.engine.delivery.answers import verdict
from smartbox_tui.engine.delivery.breaker import NETWORK
from smartbox_tui.engine.delivery.forms import Form
from smartbox_tui.engine.delivery.way import Way, way_to
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.answer import Answer, Outcome, TransferCancelled, TransferLost
from smartbox_tui.model.delivery import DeliveryState
from smartbox_tui.model.instance import SOP_CLASSES, Kind
from smartbox_tui.model.rejection import RejectionNote
from smartbox_tui.model.uids import uid_of
from smartbox_tui.settings.destination import Destination, Retry
from tests.dicom.pictures import EQUIPMENT, ORDERED, TAKEN, Media, clip, composition, make_media, still
from tests.support.box import Box, until
from tests.support.dcmtk import free_port, need
from tests.support.destinations import KINDS, TIMEOUT_S, Place
from tests.support.spooled import put_exam, put_still

SLOW = 1_000_000
"""Bytes a second, for what is to be caught in mid-object."""
PATIENCE_S = 60.0
STORED = (Outcome.STORED, Outcome.STORED_WITH_WARNING)


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Media:
    return make_media(tmp_path_factory.mktemp("media"), ffmpeg=need("ffmpeg"))


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    made = KINDS[request.param](tmp_path / "place")
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture
def big(tmp_path: Path) -> Composition:
    """About 3 MB."""
    path = tmp_path / "big.jpg"
    path.write_bytes(noise(1600, 1200))
    return composition(ORDERED, still("vl-endoscopic", path, columns=1600, rows=1200), path)


def noise(width: int, height: int) -> bytes:
    pixels = np.random.default_rng(5).integers(0, 255, (height, width, 3), dtype=np.uint8)
    data: bytes = simplejpeg.encode_jpeg(pixels, quality=95, colorsubsampling="422")
    return data


def burst(folder: Path) -> Composition:
    frames = [noise(64, 48 + 8 * number) for number in range(3)]
    path, index, at = folder / "burst.mjpg", [], 0
    path.write_bytes(b"".join(frames))
    for frame in frames:
        index.append((at, len(frame)))
        at += len(frame)
    picture = still("multiframe-sc", path, kind=Kind.BURST, number_of_frames=3, frame_time_ms=100.0)
    return compose(build_header(ORDERED, picture, EQUIPMENT), path, at, index)


def key_object() -> Composition:
    rejected = (("1.2.3.10", SOP_CLASSES["vl-endoscopic"], "1.2.3.10.1"),)
    uid = uid_of(uuid4())
    note = RejectionNote(uid, f"{uid[:50]}.1", 9000, 1, TAKEN + timedelta(hours=2), rejected)
    return document(build_rejection_note(ORDERED, note, EQUIPMENT))


def every(folder: Path, media: Media) -> dict[str, Composition]:
    return {
        "still": composition(ORDERED, still("vl-endoscopic", media.still), media.still),
        "burst": burst(folder),
        "clip": composition(ORDERED, clip("video-endoscopic", media.clip_30), media.clip_30),
        "key object": key_object(),
    }


def data_of(item: Composition) -> bytes:
    return b"".join(item.chunks())


def way_of(destination: Destination) -> Way:
    return way_to(destination, peer_of(destination, "SMARTBOX"))


def send(
    way: Way,
    item: Composition,
    on_progress: Callable[[int], None] = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
    *,
    uncertain: bool = False,
) -> Answer:
    way.agree([Form(item.sop_class_uid, item.transfer_syntax_uid)], tuple)
    return way.store(item, on_progress=on_progress, cancelled=cancelled, uncertain=uncertain)


def attempts(way: Way, item: Composition, *, uncertain: bool) -> Answer:
    """As the queue does it: the way may be lost, and is taken again."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            answer = send(way, item, uncertain=uncertain)
        except TransferLost as exc:
            if time.monotonic() > deadline:
                raise
            uncertain = uncertain or exc.outcome_unknown
            way.hang_up(abort=True)
            time.sleep(0.2)
        else:
            return answer


def arrived(answer: Answer, *, uncertain: bool = False) -> bool:
    """As the queue sees it (answers.verdict)."""
    row = SimpleNamespace(attempts=0, uncertain=uncertain, bytes=1)
    return verdict(row, answer, Retry()).state is DeliveryState.STORED


# ---- arriving


@pytest.mark.timeout(180)
def test_every_object_arrives_byte_for_byte_and_is_there_when_it_is_called_stored(
    place: Place, media: Media, tmp_path: Path
) -> None:
    way = way_of(place.destination)
    sent: dict[str, bytes] = {}
    for name, item in every(tmp_path, media).items():
        answer = send(way, item)
        assert answer.meaning.outcome in STORED, f"{name}: {answer.meaning} {answer.told}"
        sent[item.sop_instance_uid] = data_of(item)
        found = place.what_it_has()
        assert found.keys() == sent.keys(), name
        assert found[item.sop_instance_uid] == sent[item.sop_instance_uid], f"{name} is another one"
    way.hang_up()
    assert not way.is_connected
    assert place.what_it_has() == sent


def test_progress_is_told(place: Place, big: Composition) -> None:
    told: list[int] = []
    way = way_of(replace(place.destination, rate_limit=2 * SLOW))
    assert send(way, big, told.append).meaning.outcome in STORED
    way.hang_up()
    assert told == sorted(told)
    assert told[-1] == big.dataset_length
    assert len(told) > 1


def test_sent_twice_it_is_there_once(place: Place, big: Composition) -> None:
    way = way_of(place.destination)
    assert arrived(send(way, big))
    send(way, big, uncertain=True)
    way.hang_up()
    assert place.what_it_has() == {big.sop_instance_uid: data_of(big)}


# ---- away


def test_away_it_says_so_and_back_it_takes_what_is_sent(place: Place, big: Composition) -> None:
    way = way_of(place.destination)
    way.probe()
    way.hang_up()
    place.stop()
    with pytest.raises(SmartBoxError) as caught:
        way.probe()
    assert caught.value.code in NETWORK
    with pytest.raises(SmartBoxError) as caught:  # a way that agrees with nobody finds out when it sends
        send(way, big)
    assert caught.value.code in NETWORK
    assert caught.value.hint
    way.hang_up(abort=True)
    place.start()
    way.probe()
    assert arrived(send(way, big))
    way.hang_up()
    assert place.what_it_has() == {big.sop_instance_uid: data_of(big)}


# ---- in mid-object


def test_cancelled_in_mid_object_nothing_of_it_is_there(place: Place, big: Composition) -> None:
    way = way_of(replace(place.destination, rate_limit=2 * SLOW))
    since = time.monotonic()
    with pytest.raises(TransferCancelled):
        send(way, big, cancelled=lambda: time.monotonic() - since > 0.7)
    way.hang_up(abort=True)
    assert place.what_it_has() == {}
    again = way_of(place.destination)
    assert arrived(send(again, big))
    again.hang_up()
    assert place.what_it_has() == {big.sop_instance_uid: data_of(big)}


@pytest.mark.timeout(120)
def test_killed_in_mid_object_and_repeated_it_is_there_once(place: Place, big: Composition, tmp_path: Path) -> None:
    file, state = tmp_path / "big.dcm", tmp_path / "state"
    big.write(file)
    wanted = asdict(replace(place.destination, rate_limit=SLOW))
    wanted.pop("retry")
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.support.sending_child", json.dumps(wanted), str(file), str(state)],
        stdout=subprocess.PIPE,
    )
    try:
        assert child.stdout is not None
        if place.destination.kind == "folder":  # what is on the medium is told late: look at it
            until(
                lambda: any(place.destination and Path(place.destination.path).rglob("*.TMP")), 30, "a begun file"
            )
        else:
            assert child.stdout.readline().startswith(b"at")
        assert child.poll() is None
    finally:
        child.kill()
        child.wait(10)
        child.stdout.close()  # type: ignore[union-attr]
    way = way_to(place.destination, peer_of(place.destination, "SMARTBOX"), state)
    assert arrived(attempts(way, big, uncertain=True), uncertain=True)
    way.hang_up()
    assert place.what_it_has() == {big.sop_instance_uid: data_of(big)}


# ---- refused, silent


def test_refused_for_good_it_is_blocked_with_a_reason(place: Place, big: Composition) -> None:
    with place.refusing() as destination:
        way = way_of(destination)
        answer = send(way, big)
        way.hang_up()
    said = verdict(SimpleNamespace(attempts=0, uncertain=False, bytes=1), answer, Retry())
    assert said.state is DeliveryState.BLOCKED
    assert said.code == "archive-refused"
    assert said.reason
    assert place.what_it_has() == {}


@pytest.mark.timeout(120)
def test_one_that_hangs_is_noticed_in_time(place: Place, big: Composition) -> None:
    with place.hanging() as destination:
        way = way_of(destination)
        since = time.monotonic()
        with pytest.raises(SmartBoxError) as caught:
            send(way, big)
        took_s = time.monotonic() - since
        way.hang_up(abort=True)
    assert isinstance(caught.value, TransferLost)
    assert caught.value.code in NETWORK or caught.value.outcome_unknown
    assert TIMEOUT_S * 0.9 < took_s < TIMEOUT_S * 4 + 10


@pytest.mark.timeout(120)
def test_abort_from_another_thread_ends_it(place: Place, big: Composition) -> None:
    with place.hanging() as destination:
        way = way_of(replace(destination, timeout_s=60.0))
        timer = threading.Timer(1.0, way.abort)
        timer.start()
        since = time.monotonic()
        with pytest.raises((TransferCancelled, TransferLost)):
            send(way, big)
        assert time.monotonic() - since < 20
        way.hang_up(abort=True)
        timer.join()


# ---- leaving nothing


def threads() -> list[str]:
    return sorted(thread.name for thread in threading.enumerate())


def files() -> set[str]:
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            found.add(f"{name} {os.readlink(f'/proc/self/fd/{name}')}")
        except FileNotFoundError:
            continue  # the listing's own
    return found


def test_no_thread_and_no_descriptor_is_left(place: Place, big: Composition) -> None:
    send(warm := way_of(place.destination), big)  # what is loaded once stays
    warm.hang_up()
    before, open_before = threads(), len(files())
    for number in range(3):
        way = way_of(replace(place.destination, rate_limit=4 * SLOW))
        send(way, big)
        way.hang_up(abort=number % 2 == 1)
    place.stop()
    with pytest.raises(SmartBoxError):
        way_of(place.destination).probe()
    place.start()
    until(lambda: threads() == before, 10, "the threads to end")
    until(lambda: len(files()) <= open_before, 10, "the descriptors to be closed")


# ---- with the engine


def as_toml(destination: Destination) -> str:
    lines = []
    for name in ("name", "kind", "host", "port", "aet", "url", "path", "timeout_s", "rate_limit"):
        if (value := getattr(destination, name)) not in ("", 0):
            lines.append(f"{name} = {json.dumps(value)}")
    lines += [f"mounted = {json.dumps(destination.mounted)}", "retry = { first_s = 0.2, max_s = 0.5 }"]
    return "[[destinations]]\n" + "\n".join(lines) + "\n"


def config(destination: Destination) -> str:
    return f'language = "en"\nport = {free_port()}\n' + (f"[clock]\nwait_s = 0\n{as_toml(destination)}")


def rows(box: Box) -> list[dict[str, object]]:
    found: list[dict[str, object]] = box.ctl("queue", "list")["deliveries"]
    return found


def spooled(box: Box, count: int) -> None:
    spool = box.state / "spool"
    exam = put_exam(spool)
    for number in range(count):
        put_still(spool, exam, number=number, picture=(noise(1600, 1200), 1600, 1200))


def stored(box: Box, count: int) -> bool:
    found = rows(box)
    assert not [row for row in found if row["state"] == "blocked"], found
    return len(found) == count and all(row["state"] == "stored" for row in found)


@pytest.mark.timeout(180)
def test_what_waits_while_it_is_away_is_stored_by_itself_when_it_is_back(place: Place) -> None:
    place.stop()
    box = Box(config(place.destination))
    try:
        spooled(box, 3)
        box.start("engine")
        waiting = until(
            lambda: [row for row in rows(box) if row["state"] == "waiting" and row["code"]], 60, "rows that wait"
        )
        assert all(row["code"] in NETWORK and row["reason"] for row in waiting)
        assert all(row["attempts"] == 0 for row in waiting)
        place.start()
        until(lambda: stored(box, 3), 90, "all to be stored")
        assert len(place.what_it_has()) == 3
    finally:
        box.close()


@pytest.mark.timeout(240)
def test_an_engine_killed_while_it_sends_leaves_each_object_there_once(place: Place) -> None:
    box = Box(config(replace(place.destination, rate_limit=3 * SLOW)))
    try:
        spooled(box, 4)
        for _ in range(2):
            box.start("engine")
            until(lambda: [row for row in rows(box) if row["state"] == "sending"], 60, "a row that is sent")
            time.sleep(0.5)
            box.kill("engine")
        box.config.write_text(config(place.destination))
        box.start("engine")
        until(lambda: stored(box, 4), 90, "all to be stored")
        assert len(place.what_it_has()) == 4
    finally:
        box.close()
