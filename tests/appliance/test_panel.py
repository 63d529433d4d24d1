"""The panel worked as a nurse does, by finger alone, on an absolute pointer that `panel.touch = "auto"` takes; and
what it shows, compared with font and palette to the pixel."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from hw.video.strip import Strip, read_strip
from smartbox_tui.ui.pixel_places import Area, fit
from tests.appliance.cells import SLOW_S, Cells, Ink, cells, still
from tests.appliance.finger import Finger
from tests.appliance.looks import pixels
from tests.appliance.virtualbox import VirtualBox
from tests.appliance.workplace import SITE, Workplace
from tests.support.box import until
from tests.support.orthanc import Orthanc

pytestmark = [pytest.mark.appliance, pytest.mark.timeout(3000)]

WIDTH, HEIGHT, FPS = 320, 180, 4
NIGHT = 0
"""The palette's colour of what is beside the picture."""
WATCHED_S = 20.0
DRAGGED = 4
"""Rows that a finger drags: the list has fewer below its end, and the first tell it from a tap."""


class Panel:
    """What the tests of this file use."""

    def __init__(self, box: VirtualBox, shots: Path, work: Workplace) -> None:
        self.box, self.shots, self.work = box, shots, work
        self.finger = Finger(box)

    def look(self, name: str) -> tuple[Cells, NDArray[np.uint8]]:
        """The screen and its text; for people the picture lies in the folder of shots."""
        return still(self.box, self.shots / f"{name}.png")

    def is_its_text(self, name: str, *words: str) -> Cells:
        """A screen without a live picture is nothing but its text: each letter, each colour, each place."""
        self.finger.screen(*words)

        def same() -> Cells | None:
            there, shot = self.look(name)  # what was written is on the glass some milliseconds later
            return there if not there.unlike(shot).any() else None

        seen = until(same, SLOW_S, f"the screen {name} to look as its text says")
        assert seen is not None
        return seen

    def picture_place(self, there: Cells) -> Area:
        """The cells of the live picture: left of the column with PHOTO, down to the signal's line."""
        at, row = next((at, row) for row, line in enumerate(there.text) if (at := line.find("▗")) >= 0)
        signal = there.find("● Signal")
        assert signal is not None, str(there)
        return Area(0, row, at - 1, signal[1] - row)

    def picture(self, there: Cells, shot: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The live picture's pixels, in the largest place of its shape in the middle of its cells."""
        wide, high = there.cell
        cells = self.picture_place(there)
        box = fit(WIDTH, HEIGHT, Area(cells.x * wide, cells.y * high, cells.width * wide, cells.height * high))
        return shot[box.y : box.bottom, box.x : box.right]

    def strip(self, there: Cells, shot: NDArray[np.uint8]) -> Strip:
        return read_strip(self.picture(there, shot).mean(axis=2).astype(np.uint8))


@pytest.fixture(scope="module")
def panel(machine: VirtualBox, outside: Orthanc, shots: Path) -> Iterator[Panel]:
    work = Workplace(machine, outside)
    work.configure({"id": "endo", "kind": "pattern", "size": f"{WIDTH}x{HEIGHT}", "fps": FPS, "preroll_s": 0})
    made = Panel(machine, shots, work)
    try:
        made.finger.screen("P H O T O", "● Signal", without=("does not answer",))
        yield made
    finally:
        work.leave()


def _black_on_amber(there: Cells, text: str) -> None:
    assert there.ink(text) == {Ink(0, 3)}


def test_the_live_picture_is_pixels_in_its_cells(panel: Panel) -> None:
    """And all around it is text, to the pixel."""
    panel.finger.screen("NO PATIENT", "P H O T O")

    def drawn() -> tuple[Cells, NDArray[np.uint8]] | None:
        there, shot = panel.look("panel-capture")
        return (there, shot) if panel.strip(there, shot).ok else None

    there, shot = until(drawn, SLOW_S, "a whole picture on the panel")  # type: ignore[misc]
    place = panel.picture_place(there)
    unlike = there.unlike(shot)
    unlike[place.y : place.bottom, place.x : place.right] = False
    assert not unlike.any(), np.argwhere(unlike)
    wide, high = there.cell
    field = shot[place.y * high : place.bottom * high, place.x * wide : place.right * wide].copy()
    box = fit(WIDTH, HEIGHT, Area(0, 0, field.shape[1], field.shape[0]))
    assert abs(box.width / box.height - WIDTH / HEIGHT) < 0.01
    field[box.y : box.bottom, box.x : box.right] = (0x0A, 0x0F, 0x14)
    assert (field == (0x0A, 0x0F, 0x14)).all(), "beside the picture it is night"
    _black_on_amber(there, "NO PATIENT")
    assert there.ink("EMERGENCY") == {Ink(15, 1)}


def test_the_picture_moves_on(panel: Panel) -> None:
    there = panel.finger.screen("P H O T O", "● Signal")
    seen: dict[int, int] = {}
    looks, began = 0, time.monotonic()
    while time.monotonic() - began < WATCHED_S:
        strip = panel.strip(there, pixels(panel.box.screendump(panel.shots / "panel-moving.png")))
        looks += 1
        if strip.ok:
            seen[strip.number] = strip.ms
    numbers = sorted(seen)
    assert len(numbers) >= 3, seen
    seconds = (seen[numbers[-1]] - seen[numbers[0]]) / 1000
    print(f"\n{len(numbers)} different pictures in {looks} looks at the panel in {seconds:.1f} s: at least "
          f"{(len(numbers) - 1) / seconds:.1f} of {FPS} a second")  # fmt: skip


def test_a_patient_is_typed_photographed_and_sent_by_finger_alone(panel: Panel, outside: Orthanc) -> None:
    before = panel.work.arrived()
    finger = panel.finger
    finger.tap("Patient")
    there = panel.is_its_text("panel-patient", "Family name", "OK, open exam")
    _black_on_amber(there, "NO PATIENT")
    _into(panel, "Family name")
    panel.is_its_text("panel-keyboard", "Family name", "Space")
    finger.type("M")
    finger.hold(*finger.key("u"), lambda now: now.find("ü"), "the accents of u")
    panel.is_its_text("panel-accents", "ü")
    finger.tap("ü")
    finger.type("r", "Mü")
    _into(panel, "Given name")
    finger.type("Eva")
    _into(panel, "Patient ID")
    finger.type("47")
    finger.tap("female")
    finger.tap("OK, open exam")
    there = finger.screen("Mür, Eva", "P H O T O")
    exam = panel.work.exam_now()
    assert exam["patient"] | {"birth_date": None, "age": None} == {
        "id": "47", "name": "Mür^Eva", "birth_date": None, "sex": "F", "age": None,
    }  # fmt: skip

    finger.tap("P H O T O")
    finger.screen("1 photo")
    panel.look("panel-photo")
    finger.tap("Record")
    finger.screen("● REC")
    finger.tap("Close exam")
    panel.is_its_text("panel-close", "Close the exam?")
    finger.tap("Stop and close")
    finger.screen("NO PATIENT", "P H O T O")

    rows = until(lambda: _stored(panel, exam["id"], 2), SLOW_S, "two stored deliveries")
    uids = {row["sop_instance_uid"] for row in rows}
    assert panel.work.arrived() == sorted([*before, *uids])
    held = [panel.work.data_set(uid) for uid in uids]
    assert {str(each.PatientName) for each in held} == {"Mür^Eva"}
    picture = next(each for each in held if "NumberOfFrames" not in each)
    kept = picture.PixelData
    assert _strip_of_jpeg(kept[kept.index(b"\xff\xd8") :]).ok


def _stored(panel: Panel, exam: str, count: int) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = panel.box.ctl("exam", "show", exam)["deliveries"]
    assert not [row for row in rows if row["state"] == "blocked"], rows
    return rows if len(rows) == count and {row["state"] for row in rows} == {"stored"} else []


def _strip_of_jpeg(data: bytes) -> Strip:
    with av.open(io.BytesIO(data), format="mjpeg") as container:
        return read_strip(next(container.decode(video=0)).to_ndarray(format="gray"))


def _into(panel: Panel, label: str) -> None:
    """A finger into the field below that label."""
    column, row = panel.finger.on(label)
    panel.finger.tap_at(column, row + 2)
    panel.finger.screen(label, "▼")


def test_under_a_dialog_the_picture_pauses_and_comes_back(panel: Panel) -> None:
    """On the emergency's screen nothing is drawn over the text; and the emergency is one touch more."""
    finger = panel.finger
    finger.tap("EMERGENCY")
    panel.is_its_text("panel-emergency", "who is it?", "MAN")
    finger.tap("Back")
    there = finger.screen("P H O T O", "● Signal")
    until(lambda: panel.strip(*panel.look("panel-capture")).ok, SLOW_S, "the picture")

    finger.tap("EMERGENCY")
    finger.screen("who is it?")
    finger.tap("WOMAN")
    there = finger.screen("P H O T O", without=("NO PATIENT", "who is it?"))
    exam = panel.work.exam_now()
    assert exam["patient"]["name"].startswith("NOTFALL^")
    assert exam["patient"]["sex"] == "F"
    assert there.ink("EMERGENCY ·" if there.find("EMERGENCY ·") else "EMERGENCY") <= {Ink(15, 1)}
    panel.look("panel-emergency-open")
    finger.tap("Close exam")
    finger.screen("NO PATIENT", "P H O T O")


def test_a_drag_scrolls_a_list(panel: Panel) -> None:
    """The list follows the finger, as far as it goes, and back, and nothing is opened."""
    finger = panel.finger
    finger.tap("Status")
    finger.screen("Consoles", "Settings", without=("…\n",))
    finger.tap("Settings")
    panel.is_its_text("panel-settings", "Panel of the box", "History")
    finger.tap("Panel of the box", last=True)
    there = panel.is_its_text("panel-form", "Calibrate", "Touch panel")
    column, row = finger.on("Dots per inch", there=there)
    finger.drag((column, row), (column, row - DRAGGED))
    until(lambda: row - DRAGGED <= finger.on("Dots per inch")[1] < row, SLOW_S, "the list to have moved")
    finger.drag((column, row - DRAGGED), (column, row))
    until(lambda: finger.on("Dots per inch") == (column, row), SLOW_S, "the list to be back")
    panel.is_its_text("panel-form", "Calibrate", "Touch panel")


def test_four_taps_calibrate_a_panel_whose_left_is_right(panel: Panel) -> None:
    """From that form; then the mirrored finger hits, and takes it back."""
    finger = panel.finger
    finger.tap("Calibrate")
    finger.mirrored = True
    for step in ("1 of 4", "2 of 4", "3 of 4", "4 of 4", "in the middle: is it right?"):
        there = finger.screen(step, "┼")
        panel.box.screendump(panel.shots / "panel-calibrate.png")
        cross = there.find("┼")
        assert cross is not None
        finger.tap_at(*cross)
    finger.screen("Calibrate", "Save")
    written = panel.box.ssh(f"cat {SITE}")
    assert float(written.partition('calibration = "')[2].split(",")[0]) < -0.9, "its left is right"
    finger.tap("Back")
    finger.screen("Undo", "Panel of the box")
    finger.tap("Undo")
    until(lambda: "calibration" not in panel.box.ssh(f"cat {SITE} || true"), SLOW_S, "it taken back")
    panel.box.ssh("systemctl restart smartbox-console@tty1")  # nothing shows when a finger counts as it did before
    finger.mirrored = False
    finger.screen("P H O T O", "● Signal")
    finger.tap("Status")
    finger.screen("Consoles")
    finger.tap("Back")
    finger.screen("P H O T O", "● Signal")


def _with(panel: Panel, settings: str, before: str = "true") -> None:
    """The console anew with these settings of the panel."""
    source = {"id": "endo", "kind": "pattern", "size": f"{WIDTH}x{HEIGHT}", "fps": FPS, "preroll_s": 0}
    panel.box.ssh(f"systemctl stop smartbox-console@tty1; {before}")
    panel.work.configure(source, more=f"[panel]\n{settings}\n")


def _in_blocks(panel: Panel, name: str, cell: tuple[int, int]) -> None:
    """The picture is drawn by letters of that size, moves on, and the whole screen is its text."""
    panel.finger.screen("P H O T O", "Signal", without=("does not answer",))

    def drawn() -> Cells | None:
        there, shot = panel.look(name)
        return there if sum(line.count("▀") for line in there.text) > 100 and not there.unlike(shot).any() else None

    there = until(drawn, SLOW_S, f"a picture in half blocks: {name}")
    assert there is not None
    assert there.cell == cell
    assert {Ink(0, 3)} == there.ink("NO PATIENT")
    until(lambda: (now := cells(panel.box)).text != there.text and now.find("NO PATIENT"), SLOW_S, "it to move on")


def test_half_blocks_when_the_settings_say_so_in_larger_letters(panel: Panel) -> None:
    _with(panel, 'live = "blocks"\nfont = "12x24"')
    _in_blocks(panel, "panel-blocks", (12, 24))


def test_half_blocks_where_the_framebuffer_cannot_be_used(panel: Panel) -> None:
    """Nobody but root may open it; the setting is the default."""
    mode = panel.box.ssh("stat -c %a /dev/fb0").strip()
    try:
        _with(panel, 'font = "16x32"', "chmod 0 /dev/fb0")
        _in_blocks(panel, "panel-no-framebuffer", (16, 32))
    finally:
        panel.box.ssh(f"chmod {mode} /dev/fb0")
