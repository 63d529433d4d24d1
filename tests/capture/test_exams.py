"""Exams: a picture belongs to the exam held at its trigger, and to one made for it where there is none."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from uuid import UUID

import pytest

from smartbox_tui.capture import session
from smartbox_tui.capture.frames import FrameRing
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.uids import series_uuid, uid_of
from smartbox_tui.spool.examfile import RevisionFile, read_exam, read_revision, write_revision
from smartbox_tui.wire import commands, events
from smartbox_tui.wire.current import Current, boot_id, read_current, write_current
from tests.capture.rig import Rig, exam_in, until


def test_a_trigger_without_an_exam_makes_an_unassigned_one(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        first, second = rig.still(), rig.still()
        assert first["exam"] == second["exam"]
        folder = rig.paths.spool / first["exam"]
        exam = read_exam(folder)
        assert (exam.state, exam.opened_by) == ("unassigned", "capture")
        assert exam.study_instance_uid == uid_of(UUID(exam.id))
        assert read_revision(folder, 1).patient["name"] == ""
        assert first["series_instance_uid"] == uid_of(series_uuid(UUID(exam.id), "endo"))
        current = read_current(rig.paths.runtime)
        assert current is not None
        assert current.exam == exam.id
        held = rig.told(events.ExamHeld)
        assert [each.exam.state for each in held] == ["unassigned"]


def test_where_a_patient_is_wanted_a_trigger_without_one_is_refused(tmp_path: Path) -> None:
    with Rig(tmp_path, without_patient="refuse") as rig:
        for kind in (commands.Still, commands.RecordStart):
            with pytest.raises(SmartBoxError) as caught:
                rig.command(kind)
            assert caught.value.code == "no-exam"
        assert list(rig.paths.spool.iterdir()) == []
        rig.command(commands.HoldExam, exam=exam_in(rig.paths.spool), revision=1)
        rig.still()


def test_two_triggers_at_once_share_one_unassigned_exam(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        at_ns = time.monotonic_ns()
        threads = [threading.Thread(target=lambda ago=ago: rig.still(at_ns=at_ns - ago)) for ago in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(list(rig.paths.spool.iterdir())) == 1


def test_holding_an_exam_answers_it_with_the_one_before(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        first, second = exam_in(rig.paths.spool, "1"), exam_in(rig.paths.spool, "2")
        answer = rig.command(commands.HoldExam, exam=first, revision=1)
        assert answer["previous"] is None
        assert answer["exam"]["patient"]["id"] == "1"
        rig.still()
        answer = rig.command(commands.HoldExam, exam=second, revision=1)
        assert (answer["previous"]["id"], answer["previous"]["stills"]) == (first, 1)
        assert rig.still()["exam"] == second
        with pytest.raises(SmartBoxError) as caught:
            rig.command(commands.HoldExam, exam="00000000-0000-4000-8000-000000000000", revision=1)
        assert caught.value.code == "not-found"
        assert rig.still()["exam"] == second


def test_a_newer_revision_of_the_same_exam_is_taken_over_while_it_records(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        exam = exam_in(rig.paths.spool, "1")
        rig.command(commands.HoldExam, exam=exam, revision=1)
        rig.command(commands.RecordStart)
        corrected = RevisionFile(2, {"id": "9", "name": "Right^One"}, "2026-01-01T00:00:00+00:00")
        write_revision(rig.paths.spool / exam, corrected)
        answer = rig.command(commands.HoldExam, exam=exam, revision=2)
        assert answer["exam"]["patient"]["name"] == "Right^One"
        assert rig.source().recording is not None
        assert rig.sidecar(rig.still()).revision == 2
        rig.command(commands.RecordStop)


def test_another_exam_ends_the_recording_of_the_one_before(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        first, second = exam_in(rig.paths.spool, "1"), exam_in(rig.paths.spool, "2")
        rig.command(commands.HoldExam, exam=first, revision=1)
        time.sleep(1.5)
        rig.command(commands.RecordStart)
        time.sleep(0.4)
        switched_ns = time.monotonic_ns()
        rig.command(commands.HoldExam, exam=second, revision=1)
        assert rig.source().recording is None
        (stopped,) = rig.told(events.RecordingStopped)
        assert {each.exam for each in stopped.instances} == {first}
        rig.command(commands.RecordStart)
        time.sleep(0.4)
        (clip,) = rig.command(commands.RecordStop)["instances"]
        assert clip["exam"] == second
        # The pre-roll would reach a second back, into the patient before.
        assert clip["frame_ns"] >= switched_ns


def test_dropping_ends_the_recording_and_answers_its_pictures(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        exam = exam_in(rig.paths.spool)
        rig.command(commands.HoldExam, exam=exam, revision=1)
        rig.command(commands.RecordStart)
        time.sleep(0.3)
        other = rig.command(commands.DropExam, exam="00000000-0000-4000-8000-000000000000")
        assert other["exam"]["id"] == exam
        answer = rig.command(commands.DropExam, exam=exam)
        assert answer["exam"] is None
        assert [each["exam"] for each in answer["instances"]] == [exam]
        assert read_current(rig.paths.runtime) is None
        assert rig.assembly.service.held() is None


def _pressed_before_the_change(rig: Rig) -> tuple[str, str, int]:
    """The exam before, the one that has followed, and a moment of the first, whose still is its own."""
    first, second = exam_in(rig.paths.spool, "1"), exam_in(rig.paths.spool, "2")
    rig.command(commands.HoldExam, exam=first, revision=1)
    time.sleep(0.2)
    press_ns = time.monotonic_ns()
    rig.command(commands.HoldExam, exam=second, revision=1)
    assert rig.still(at_ns=press_ns)["exam"] == first
    return first, second, press_ns


def test_a_press_from_before_the_change_belongs_to_the_exam_before(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        first, second, press_ns = _pressed_before_the_change(rig)
        assert rig.still()["exam"] == second
        time.sleep(1)
        assert rig.still(at_ns=press_ns)["exam"] == first


def test_a_press_of_which_no_frame_is_left_belongs_to_who_lies_there_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "FrameRing", lambda: FrameRing(0.5))
    with Rig(tmp_path) as rig:
        _, second, press_ns = _pressed_before_the_change(rig)
        time.sleep(1)
        assert rig.still(at_ns=press_ns)["exam"] == second


def test_recordings_started_while_the_exam_changes_never_reach_over_the_change(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        exams = [exam_in(rig.paths.spool, str(number)) for number in range(6)]
        rig.command(commands.HoldExam, exam=exams[0], revision=1)
        changes = {exams[0]: time.monotonic_ns()}
        for exam in exams[1:]:
            starting = threading.Thread(target=lambda: rig.command(commands.RecordStart))
            starting.start()
            time.sleep(0.02)
            rig.command(commands.HoldExam, exam=exam, revision=1)
            changes[exam] = time.monotonic_ns()
            starting.join()
            if rig.source().recording:
                rig.command(commands.RecordStop)
        ends = dict(zip(exams, list(changes.values())[1:], strict=False))
        for path in rig.paths.spool.glob("*/*.ts"):
            clip = rig.sidecar({"kind": "clip", "exam": path.parent.name, "id": path.stem})
            last_ns = clip.frame_ns + int((clip.duration_s or 0) * 1e9) - 33_000_000
            assert last_ns <= ends.get(clip.exam, last_ns)


def test_the_exam_is_taken_up_after_a_restart_and_when_the_engine_named_it_meanwhile(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        first, second = exam_in(rig.paths.spool, "1"), exam_in(rig.paths.spool, "2")
        rig.command(commands.HoldExam, exam=first, revision=1)
        rig.still()
        rig.restart()
        held = rig.assembly.service.held()
        assert held is not None
        assert (held.id, held.stills) == (first, 1)
        write_current(rig.paths.runtime, Current(second, 1, boot_id()))
        rig.assembly.catch_up()
        assert rig.still()["exam"] == second


def test_the_snapshot_has_sources_exam_and_its_pictures(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        rig.still()
        rig.record(0.3)
        until(lambda: rig.told(events.RecordingStopped))
        snapshot = rig.assembly.service.snapshot()
        assert [each.kind for each in snapshot.instances] == ["still", "clip"]
        assert snapshot.exam is not None
        assert (snapshot.exam.stills, snapshot.exam.clips) == (1, 1)
        assert snapshot.sources[0].signal
