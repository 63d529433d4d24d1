"""Two sources at once, a grabber and an MJPEG camera: each has its own series, and an account of its own of what it
lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.encaps import generate_frames

from hw.base import PixelFormat
from hw.fake.pictures import luma_of
from hw.video.strip import read_strip
from tests.appliance.carried import PYTHON
from tests.appliance.grabber import DEVICE, WEBCAM, Counter, Grabber, at_rest, missing
from tests.appliance.virtualbox import VirtualBox
from tests.appliance.workplace import Workplace
from tests.support.orthanc import Orthanc

pytestmark = [pytest.mark.appliance, pytest.mark.timeout(3000)]

CAMERA = "/dev/video20"
WIDTH, HEIGHT, FPS = 320, 240, 5
SOURCES: tuple[dict[str, Any], ...] = (
    {"id": "endo", "kind": "v4l2", "device": DEVICE, "size": "320x180", "fps": 4, "preroll_s": 1},
    {"id": "camera", "kind": "v4l2", "device": CAMERA, "size": f"{WIDTH}x{HEIGHT}", "fps": FPS, "preroll_s": 1},
)


@pytest.fixture(scope="module")
def grabber(machine: VirtualBox) -> Iterator[Grabber]:
    with at_rest(machine) as made:
        yield made


@pytest.fixture(scope="module")
def camera(machine: VirtualBox) -> Iterator[None]:
    """One that sends numbered JPEGs, until the end."""
    machine.ssh("modprobe v4l2loopback")
    machine.put(Path(__file__).with_name("camera.py"), "/run/camera.py")
    arguments = f"{CAMERA} {WIDTH} {HEIGHT} {FPS}"
    machine.ssh(f"systemd-run --collect --unit=camera {PYTHON} /run/camera.py {arguments}")
    yield
    machine.ssh("systemctl stop camera; rm /run/camera.py")


@pytest.fixture(scope="module")
def place(
    camera: None, counter: Counter, grabber: Grabber, machine: VirtualBox, outside: Orthanc
) -> Iterator[Workplace]:
    grabber.choose(WEBCAM)
    made = Workplace(machine, outside)
    made.configure(*SOURCES)
    yield made
    made.leave()


def test_each_its_own_series_and_its_own_account(place: Workplace, counter: Counter, shots: Path) -> None:
    for source in SOURCES:
        place.wait_state("ok", name=source["id"])
    exam = place.open_exam("G-TWO", "Zwilling^Zoe")
    for source in SOURCES:
        place.box.ctl("record", "start", "--source", source["id"])
    place.wait_recorded(5, "camera")
    still = place.box.ctl("still", "--source", "camera")["instance"]
    place.box.screendump(shots / "two-sources.png")
    place.wait_recorded(10, "camera")
    told = {source["id"]: place.box.ctl("record", "stop", "--source", source["id"]) for source in SOURCES}
    place.close_exam(exam, 3)
    clips = {name: one["instances"][0] for name, one in told.items()}
    uids = [still["sop_instance_uid"], *(clip["sop_instance_uid"] for clip in clips.values())]
    assert place.arrived(exam) == sorted(uids)

    held = {uid: place.data_set(uid) for uid in uids}
    assert len({each.StudyInstanceUID for each in held.values()}) == 1
    of_camera, of_endo = (held[clips[name]["sop_instance_uid"]].SeriesInstanceUID for name in ("camera", "endo"))
    assert of_camera != of_endo
    assert held[still["sop_instance_uid"]].SeriesInstanceUID == of_camera

    films = {name: place.pictures(clip["sop_instance_uid"]) for name, clip in clips.items()}
    numbers = {
        "endo": counter.numbers(films["endo"]),
        "camera": [_number(picture) for picture in films["camera"]],
    }
    for name, seen in numbers.items():
        assert len(seen) == told[name]["frames"]
        lost = told[name]["frames_lost"]
        lacks = missing(seen, lost)
        print(f"\n{name}: {len(seen)} pictures, {lost} told as lost, {lacks} lacking in the count")
    assert len(set(numbers["camera"])) == len(numbers["camera"]), "the camera counts each once"

    jpeg = b"".join(generate_frames(held[still["sop_instance_uid"]].PixelData, number_of_frames=1))
    assert jpeg[jpeg.rindex(b"\xff\xd9") :].strip(b"\0") == b"\xff\xd9", "junk behind the picture's end"
    shown = _number(luma_of(PixelFormat.MJPEG, WIDTH, HEIGHT, jpeg))
    assert numbers["camera"][0] <= shown <= numbers["camera"][-1]


def _number(luma: Any) -> int:
    strip = read_strip(luma)
    assert strip.ok
    return int(strip.number)
