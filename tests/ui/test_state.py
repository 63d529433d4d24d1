"""The reducer: facts in, state out, no Textual."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from smartbox_tui.ui.state import BoxState, Fact, Gone, Presence, Process, current_exam, is_of, reduce, sending
from smartbox_tui.wire import events, state
from tests.support.fakebox import PATIENT, SOURCE, START, delivery

EXAM = state.Exam(
    id="exam-1",
    state="open",
    study_instance_uid="2.25.1",
    accession_number="A1",
    opened_at=START.isoformat(),
    patient=PATIENT,
)
HELD = state.HeldExam(
    id="exam-1",
    state="open",
    study_instance_uid="2.25.1",
    revision=1,
    opened_at=START.isoformat(),
    patient=PATIENT,
)
RECORDING = state.Recording(since=START.isoformat(), seconds=10.0, frames=300, frames_lost=0)


def picture(number: int, kind: str = "still", exam: str = "exam-1") -> state.Instance:
    return state.Instance(
        sop_instance_uid=f"2.25.{number}",
        series_instance_uid="2.25.0",
        sop_class_uid="1",
        transfer_syntax_uid="1",
        kind=kind,
        source="endo",
        captured_at=f"2026-11-20T21:45:{number:02d}+01:00",
        frames=1,
        frames_lost=0,
        duration_s=42.0 if kind == "clip" else None,
        trigger_ns=0,
        frame_ns=0,
        trigger_to_disk_ms=None,
        bytes=1,
        exam=exam,
    )


def status(**values: object) -> state.Status:
    base = {
        "version": "1",
        "exam": EXAM,
        "sources": [SOURCE],
        "queue": {},
        "storage": state.Storage(free_bytes=1, hours_left=9.0),
        "destinations": [],
        "clock": "trusted",
    }
    return state.Status(**{**base, **values})  # type: ignore[arg-type]


def after(*facts: Fact, box: BoxState | None = None) -> BoxState:
    box = box or BoxState()
    for at, fact in enumerate(facts):
        box = reduce(box, fact, float(at))
    return box


ENGINE = state.EngineSnapshot(status=status(), instances=[], deliveries=[])
CAPTURE = state.CaptureSnapshot(sources=[SOURCE], exam=HELD, instances=[])


def test_nothing_is_claimed_about_a_process_that_was_not_asked() -> None:
    assert BoxState().engine is Presence.UNKNOWN
    assert current_exam(BoxState()) is None


def test_capture_says_who_the_next_picture_belongs_to() -> None:
    box = after(ENGINE, state.CaptureSnapshot(sources=[SOURCE], exam=None, instances=[]))
    assert current_exam(box) is None, "the engine's exam does not count while capture holds none"
    exam = current_exam(after(ENGINE, CAPTURE))
    assert exam is not None
    assert (exam.patient.name, exam.accession) == ("Müller^Jörg", "A1")


def test_the_engine_says_it_while_capture_is_away() -> None:
    exam = current_exam(after(CAPTURE, ENGINE, Gone(Process.CAPTURE)))
    assert exam is not None
    assert exam.id == "exam-1"


def test_what_only_archives_have_stays_so_whatever_capture_tells() -> None:
    still = picture(1)
    gone = events.InstanceAdopted(instance=replace(still, released_at="2026-11-20T10:00:00+01:00"))
    told = events.StillTaken(exam="exam-1", instance=still)
    for box in (after(ENGINE, CAPTURE, told, gone), after(ENGINE, CAPTURE, gone, told)):
        assert [item.released_at for item in box.pictures] == ["2026-11-20T10:00:00+01:00"]


def test_a_picture_told_by_both_processes_counts_once() -> None:
    still = picture(1)
    box = after(
        ENGINE,
        CAPTURE,
        events.StillTaken(exam="exam-1", instance=still),
        events.InstanceAdopted(instance=replace(still, sop_class_uid="2")),
        events.InstanceAdopted(instance=picture(2)),
        events.StillTaken(exam="exam-1", instance=picture(2)),
    )
    assert [item.sop_instance_uid for item in box.pictures] == ["2.25.1", "2.25.2"]
    assert (box.stills, box.clips) == (2, 0)
    assert box.taken is not None
    assert (box.taken.kind, box.taken.number) == ("still", 2)


def test_the_marks_of_a_clip_are_not_the_clip() -> None:
    """Whether a clip has arrived is what its own delivery says."""
    clip = replace(picture(1), id="p1", kind="clip")
    own = state.Delivery(
        id=1, sop_instance_uid="2.25.1", exam="e", destination="a", state="blocked", kind="clip", instance="p1"
    )
    assert is_of(own, clip)
    assert not is_of(replace(own, id=2, sop_instance_uid="2.25.9", kind="marks", state="stored"), clip)


def test_a_burst_is_counted_for_itself() -> None:
    burst = replace(picture(3, "burst"), frames=5, duration_s=0.2)
    taken = [events.StillTaken(exam="exam-1", instance=item) for item in (picture(1), picture(2), burst)]
    box = after(ENGINE, CAPTURE, *taken)
    assert (box.stills, box.bursts, box.clips) == (2, 1, 0)
    assert box.taken is not None
    assert (box.taken.kind, box.taken.number) == ("burst", 1)
    box = after(events.PictureDiscarded(exam="exam-1", sop_instance_uid="2.25.3", picture="", reason="x"), box=box)
    assert (box.stills, box.bursts) == (2, 0)


def test_the_next_patient_starts_without_the_pictures_of_the_last_one() -> None:
    other = replace(HELD, id="exam-2")
    box = after(ENGINE, CAPTURE, events.StillTaken(exam="exam-1", instance=picture(1)), events.ExamHeld(exam=other))
    assert box.pictures == ()


def test_a_discarded_picture_is_gone_from_the_strip() -> None:
    discarded = events.PictureDiscarded(exam="exam-1", sop_instance_uid="2.25.1", picture="p", reason="blurred")
    box = after(CAPTURE, events.StillTaken(exam="exam-1", instance=picture(1)), discarded)
    assert box.pictures == ()
    assert box.taken is None


def test_the_recording_time_runs_on_between_two_messages() -> None:
    box = after(CAPTURE)
    box = reduce(box, events.SourceChanged(source=replace(SOURCE, recording=RECORDING)), 100.0)
    assert box.recording_seconds(103.5) == pytest.approx(13.5)
    assert box.recording_seconds(99.0) == pytest.approx(10.0), "never backwards"


def test_a_recording_begins_with_its_event_and_ends_with_its_clip() -> None:
    box = after(CAPTURE, events.RecordingStarted(exam="exam-1", source="endo", picture="p"))
    assert box.recording is not None
    box = after(events.MarkSet(source="endo", at_s=1.0, text=""), box=box)
    assert box.marks == 1
    stopped = events.RecordingStopped(exam="exam-1", source="endo", instances=[picture(3, "clip")])
    box = after(stopped, box=box)
    assert box.recording is None
    assert box.clips == 1
    assert box.taken is not None
    assert box.taken.kind == "clip"


def test_no_recording_is_claimed_while_capture_is_away() -> None:
    box = after(CAPTURE, events.RecordingStarted(exam="exam-1", source="endo", picture="p"), Gone(Process.CAPTURE))
    assert box.recording is None
    assert box.capture is Presence.AWAY


def test_a_new_snapshot_is_the_whole_truth_again() -> None:
    row = delivery(1, "queued")
    box = after(state.EngineSnapshot(status=status(), instances=[], deliveries=[row]), Gone(Process.ENGINE), ENGINE)
    assert box.engine is Presence.HERE
    assert box.deliveries == {}


def test_deliveries_change_by_their_number_and_old_finished_ones_go() -> None:
    box = after(ENGINE, events.DeliveryChanged(delivery=delivery(1, "queued")))
    box = after(events.DeliveryChanged(delivery=delivery(1, "sending")), box=box)
    assert [item.id for item in sending(box)] == [1]
    for number in range(2, 460):
        box = after(events.DeliveryChanged(delivery=delivery(number, "stored")), box=box)
    assert len(box.deliveries) == 400
    assert 1 in box.deliveries, "what is being sent never goes"


def test_a_closed_exam_is_not_the_current_one() -> None:
    box = after(ENGINE, events.ExamChanged(exam=replace(EXAM, state="closed"), current=False))
    assert current_exam(box) is None


def test_a_fact_of_a_later_version_changes_nothing() -> None:
    box = after(ENGINE)
    assert reduce(box, state.Storage(free_bytes=1, hours_left=1), 1.0) is box


def taken(number: int, boot: int, frame_ns: int, at: str) -> state.Instance:
    return replace(picture(number), id=f"p{number}", boot=boot, frame_ns=frame_ns, captured_at=at)


def test_a_clip_with_pre_roll_comes_after_the_still_that_was_taken_before_it() -> None:
    """Its first frame is older than the still: what counts is the press."""
    at = "2026-11-20T10:00:00+01:00"
    still = replace(taken(1, 1, 1_000, at), trigger_ns=1_000)
    clip = replace(taken(2, 1, 500, at), trigger_ns=2_000, kind="clip")
    second = replace(taken(3, 1, 9_000, at), trigger_ns=2_000, kind="clip")  # the same recording's next part
    box = after(
        ENGINE,
        CAPTURE,
        events.RecordingStopped(exam="exam-1", source="endo", instances=[clip, second]),
        events.StillTaken(exam="exam-1", instance=still),
    )
    assert [item.id for item in box.pictures] == ["p1", "p2", "p3"]


def test_pictures_stand_in_the_order_in_which_they_were_taken_whatever_the_clock_did() -> None:
    """Capture and engine tell of them in any order; the wall clock was set back, and an hour came twice."""
    wanted = [
        taken(1, 0, 9, "2026-10-25T02:59:00.000+02:00"),
        taken(2, 0, 1, "2026-10-25T02:01:00.000+01:00"),
        taken(3, 1, 500, "2031-01-01T00:00:00.000+00:00"),
        taken(4, 1, 900, "2020-01-01T00:00:00.000+00:00"),
        taken(5, 2, 10, "1970-01-01T00:01:00.000+00:00"),
    ]
    told = [events.StillTaken(exam="exam-1", instance=wanted[index]) for index in (4, 2, 0, 3, 1)]
    box = after(ENGINE, CAPTURE, *told)
    assert [item.id for item in box.pictures] == ["p1", "p2", "p3", "p4", "p5"]
    put_right = replace(wanted[3], captured_at=START.isoformat())
    box = after(events.InstanceAdopted(instance=put_right), box=box)
    assert [item.id for item in box.pictures] == ["p1", "p2", "p3", "p4", "p5"], "its date was put right"
    assert box.pictures[3].captured_at == START.isoformat()
