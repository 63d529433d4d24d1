"""A pedal's emergency: a new unassigned exam with the frame of the press, whatever was held before."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg

from hw.base import SignalState
from hw.fake.source import FakeSource, Says
from hw.video.strip import read_strip
from smartbox_tui.capture.emergency import Emergencies
from smartbox_tui.capture.taking import Stills
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.spool.examfile import read_exam
from smartbox_tui.spool.sidecar import Sidecar, SidecarState, read_sidecar
from smartbox_tui.wire import commands, events
from smartbox_tui.wire.current import read_current
from tests.capture.rig import Pedal, Process, Rig, exam_in, process, strips, until

LONG = Pedal(id="left", kind="key", short="still", long="emergency", double="none")
AT_ONCE = Pedal(id="left", kind="key", short="emergency", long="none", double="none")
KEYS = '[[pedals]]\nid = "left"\nkind = "key"\nshort = "still"\nlong = "emergency"\ndouble = "none"\n'


def number_in(path: Path) -> int:
    """The frame number in a still's strip."""
    strip = read_strip(np.asarray(simplejpeg.decode_jpeg(path.read_bytes(), "GRAY"))[:, :, 0])
    assert strip.ok
    return strip.number


def edge(rig: Rig, which: str) -> None:
    rig.command(commands.PedalPress, pedal="left", edge=which)


def pictures(rig: Rig | Process) -> list[Sidecar]:
    found = []
    for path in rig.paths.spool.glob("*/*.json"):
        if len(path.stem) == 36:
            with contextlib.suppress(FileNotFoundError):  # withdrawn between the two looks
                found.append(read_sidecar(path))
    return found


def jpegs(rig: Rig | Process) -> list[Path]:
    return list(rig.paths.spool.glob("*/*.jpg"))


def asked(rig: Rig) -> events.EmergencyAsked:
    (event,) = until(lambda: rig.told(events.EmergencyAsked), 5)
    return event  # type: ignore[no-any-return]


def press(rig: Rig) -> int:
    """Down, long enough, up; the number of the frame at the press."""
    before = rig.still()
    pressed_ns = time.monotonic_ns()
    edge(rig, "down")
    asked(rig)
    edge(rig, "up")
    return number_in(rig.file(before)) + round((pressed_ns - before["frame_ns"]) / 1e9 * 30)


def test_the_frame_of_the_press_moves_to_the_new_exam(tmp_path: Path) -> None:
    with Rig(tmp_path, pedals=(LONG,)) as rig:
        first = rig.still()
        expected = press(rig)
        event = asked(rig)
        assert event.pedal == "left"
        assert event.exam != first["exam"]
        held = rig.assembly.service.held()
        assert held is not None
        assert (held.id, held.state) == (event.exam, "unassigned")
        assert read_current(rig.paths.runtime).exam == event.exam
        (picture,) = (each for each in pictures(rig) if each.exam == event.exam)
        assert picture.state is SidecarState.CLOSED
        assert picture.trigger == "pedal:left"
        shown = number_in(rig.paths.spool / event.exam / picture.file)
        assert abs(shown - expected) <= 1, "the frame of the press, not that of 600 ms later"
        # The exam before keeps its own two and nothing of the press.
        assert len([each for each in pictures(rig) if each.exam == first["exam"]]) == 2
        assert len(jpegs(rig)) == 3
        until(lambda: [each.exam for each in rig.told(events.StillTaken)].count(event.exam) == 1)
        assert held.stills == 1
        # What is taken now is the emergency's.
        assert rig.still()["exam"] == event.exam
        assert not rig.told(events.TriggerFailed)


def test_a_press_with_no_exam_makes_one_and_not_two(tmp_path: Path) -> None:
    with Rig(tmp_path, pedals=(LONG,)) as rig:
        edge(rig, "down")
        event = asked(rig)
        edge(rig, "up")
        assert [path.name for path in rig.paths.spool.iterdir()] == [event.exam]
        (picture,) = pictures(rig)
        assert (picture.exam, picture.state) == (event.exam, SidecarState.CLOSED)


def test_emergency_at_once_and_again_is_two_patients(tmp_path: Path) -> None:
    with Rig(tmp_path, pedals=(AT_ONCE,)) as rig:
        edge(rig, "tap")
        until(lambda: len(rig.told(events.EmergencyAsked)) == 1, 5)
        edge(rig, "tap")
        one, two = until(lambda: len(both := rig.told(events.EmergencyAsked)) == 2 and both, 5)
        assert one.exam != two.exam
        assert sorted(each.exam for each in pictures(rig)) == sorted((one.exam, two.exam))
        assert rig.assembly.service.held().id == two.exam


def test_an_open_exam_gets_the_still_and_no_emergency_begins(tmp_path: Path) -> None:
    for settings in (LONG, AT_ONCE):
        with Rig(tmp_path / settings.long, pedals=(settings,)) as rig:
            exam = exam_in(rig.paths.spool)
            rig.command(commands.HoldExam, exam=exam, revision=1)
            edge(rig, "down")
            (failed,) = until(lambda: rig.told(events.TriggerFailed), 5)
            edge(rig, "up")
            assert (failed.function, failed.error["code"]) == ("emergency", "exam-open")
            until(lambda: rig.told(events.StillTaken))
            (picture,) = pictures(rig)
            assert (picture.exam, picture.state) == (exam, SidecarState.CLOSED)
            assert not rig.told(events.EmergencyAsked)
            assert len(list(rig.paths.spool.iterdir())) == 1


def test_a_recording_of_the_patient_before_ends_at_the_press(tmp_path: Path) -> None:
    with Rig(tmp_path, pedals=(LONG,)) as rig:
        start = rig.command(commands.RecordStart)["picture"]
        time.sleep(0.5)
        pressed_ns = time.monotonic_ns()
        edge(rig, "down")
        event = asked(rig)
        edge(rig, "up")
        (stopped,) = until(lambda: rig.told(events.RecordingStopped), 5)
        assert stopped.exam != event.exam
        clip = read_sidecar(rig.paths.spool / stopped.exam / f"{start}.json")
        end_ns = clip.frame_ns + int((clip.duration_s or 0) * 1e9)
        assert abs(end_ns - pressed_ns) < 1.5e9 / 30, "nothing of after the press, everything of before"
        assert len(strips(rig.paths.spool / stopped.exam / clip.file)) == clip.frames


def test_without_a_picture_the_exam_is_begun_and_the_trouble_told(tmp_path: Path) -> None:
    source = FakeSource()
    with Rig(tmp_path, source, pedals=(AT_ONCE,)) as rig:
        source.then(Says(SignalState.NO_SIGNAL))
        until(lambda: not rig.source().signal)
        edge(rig, "tap")
        event = asked(rig)
        (failed,) = until(lambda: rig.told(events.TriggerFailed), 5)
        assert failed.error["code"] == "no-signal"
        assert rig.assembly.service.held().id == event.exam
        assert not pictures(rig)


def test_a_box_that_wants_a_patient_takes_an_emergency_with_the_frame_of_its_press(tmp_path: Path) -> None:
    source = FakeSource()
    with Rig(tmp_path, source, pedals=(LONG,), without_patient="refuse") as rig:
        pressed_ns = time.monotonic_ns()
        edge(rig, "down")
        event = asked(rig)
        edge(rig, "up")
        (picture,) = until(lambda: pictures(rig))
        assert picture.exam == event.exam
        assert abs(picture.frame_ns - pressed_ns) < 1.5e9 / 30
        rig.command(commands.DropExam, exam=event.exam)
        with pytest.raises(SmartBoxError) as caught:
            rig.still()
        assert caught.value.code == "no-exam"


def test_a_press_that_is_something_else_makes_no_exam(tmp_path: Path) -> None:
    pedal = Pedal(id="left", kind="key", short="none", long="emergency", double="none")
    with Rig(tmp_path, pedals=(pedal,)) as rig:
        edge(rig, "tap")
        until(lambda: rig.told(events.PedalUsed))
        time.sleep(0.2)
        assert not list(rig.paths.spool.iterdir())
        pressed_ns = time.monotonic_ns()
        edge(rig, "down")
        event = asked(rig)
        edge(rig, "up")
        (picture,) = pictures(rig)
        assert picture.exam == event.exam
        assert abs(picture.frame_ns - pressed_ns) < 1.5e9 / 30


class _PowerCutError(BaseException):
    """The process ends here, as a crash ends it: no handler of ours runs."""


@pytest.mark.parametrize("step", ["created", "written", "withdrawn"])
def test_a_crash_at_any_step_loses_nothing_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    import smartbox_tui.capture.taking as taking

    def cut(*_: Any, **__: Any) -> None:
        raise _PowerCutError

    with Rig(tmp_path, pedals=(LONG,)) as rig:
        first = rig.still()
        written = Stills._write

        def after(self: Stills, held: Any, sheet: Any, pinned: Any, jpeg: Any, state: SidecarState) -> Any:
            done = written(self, held, sheet, pinned, jpeg, state)
            if state is SidecarState.CLOSED:
                cut()
            return done

        with monkeypatch.context() as mp:
            match step:
                case "created":
                    mp.setattr(Emergencies, "_picture", cut)
                case "written":
                    mp.setattr(Stills, "_write", after)
                case "withdrawn":
                    real = taking.withdraw
                    mp.setattr(taking, "withdraw", lambda *given: (real(*given), cut()))
            mp.setattr("smartbox_tui.capture.emergency.Emergencies.begin", _quiet(Emergencies.begin))
            edge(rig, "down")
            until(lambda: len(list(rig.paths.spool.iterdir())) == 2, 5)
            time.sleep(0.3)
            edge(rig, "up")
        left = pictures(rig)
        assert len(left) == (3 if step == "written" else 2)
        rig.restart()
        until(lambda: all(each.state is SidecarState.CLOSED for each in pictures(rig)))
        until(lambda: len(pictures(rig)) == 2)
        (moved,) = (each for each in pictures(rig) if each.id != first["id"])
        assert (moved.exam == first["exam"]) is (step == "created")
        until(lambda: len(jpegs(rig)) == 2)  # its bitstream goes just after its sidecar
        assert (rig.paths.spool / moved.exam / moved.file).exists()


def _quiet(begin: Any) -> Any:
    def run(*given: Any) -> None:
        try:
            begin(*given)
        except _PowerCutError:
            pass

    return run


def test_with_the_engine_away_the_real_process_holds_the_emergency(tmp_path: Path) -> None:
    with process(tmp_path, extra=KEYS) as box:
        before = box.command("still")["instance"]["exam"]
        box.command("pedal", pedal="left", edge="down")
        until(lambda: box.status()["exam"]["id"] != before, 5)
        box.command("pedal", pedal="left", edge="up")
        held = box.status()["exam"]
        assert held["state"] == "unassigned"
        until(lambda: box.status()["exam"]["stills"] == 1)
        box.kill()
        box.start()
        assert box.status()["exam"]["id"] == held["id"], "it goes on with the emergency"
        until(lambda: len(box.sidecars()) == 2)
        assert sorted(each.exam for each in box.sidecars()) == sorted((before, held["id"]))
        assert read_exam(box.paths.spool / held["id"]).opened_by == "capture"
        assert json.loads((box.paths.runtime / "current.json").read_text())["exam"] == held["id"]
