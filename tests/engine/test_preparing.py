"""The preparer alone: children that die, hang, fill the disk, come too late; and what is made once for several."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.engine.delivery import preparing, tidying, variants
from smartbox_tui.engine.delivery.preparing import DEATHS, Preparer
from smartbox_tui.engine.exams.adopt import Adopter
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.delivery import DeliveryState as State
from smartbox_tui.settings.destination import Destination
from smartbox_tui.settings.schema import Settings
from smartbox_tui.spool.bitstream import read_made, remuxed_name
from smartbox_tui.spool.examfile import read_exam, read_revision
from smartbox_tui.spool.sidecar import Sidecar, SidecarState, write_sidecar
from smartbox_tui.store import queries, queue, reconcile, records
from smartbox_tui.store.database import Store
from tests.support.spooled import put_exam, put_still

Child = Callable[..., Awaitable[Any]]


def destination(name: str, **keys: Any) -> Destination:
    return Destination(name=name, host="127.0.0.1", aet="A", send="immediately", **keys)


def put_clip(spool: Path, exam: str, container: str) -> Sidecar:
    """Not a video: children of these tests do not look into it."""
    still = put_still(spool, exam)
    (spool / exam / still.file).rename(spool / exam / f"{still.id}.ts")
    sidecar = still.with_(
        kind="clip", file=f"{still.id}.ts", media="h264-ts", sop_class="video-endoscopic", sampling="420",
        container=container, frames=30, duration_s=1.0, transfer_syntax_uid="1.2.840.10008.1.2.4.102",
    )  # fmt: skip
    write_sidecar(spool / exam, sidecar)
    return sidecar


class Rig:
    """A store and a spool with one exam, and a preparer whose children are functions."""

    def __init__(self, folder: Path, *destinations: Destination) -> None:
        self.spool = folder / "spool"
        self.spool.mkdir()
        self.store = Store(folder / "smartbox.db")
        self.settings = Settings(destinations=destinations)
        self.exam = put_exam(self.spool)
        self.adopter = Adopter(self.spool, self.store, lambda: self.settings)
        self.calls: list[tuple[str, ...]] = []
        self.child: Child = self.makes

    @property
    def folder(self) -> Path:
        return self.spool / self.exam

    def adopt(self) -> None:
        exam = read_exam(self.folder)
        revision = read_revision(self.folder, exam.revision)
        self.store.write(lambda database: records.put_exam(database, exam, revision)).result()
        self.adopter.exam(self.exam)

    async def makes(self, *arguments: str, timeout_s: float) -> Any:
        """A child that does its work: the result is the source's bytes and a word."""
        source, out = Path(arguments[1]), Path(arguments[arguments.index("--out") + 1])
        length = int(arguments[arguments.index("--length") + 1])
        data = source.read_bytes()[:length] + arguments[0].encode()
        out.write_bytes(data)
        container = arguments[arguments.index("--container") + 1] if "--container" in arguments else ""
        codec = arguments[arguments.index("--codec") + 1] if "--codec" in arguments else "h264"
        syntax = {"h264": "1.2.840.10008.1.2.4.102", "mpeg2": "1.2.840.10008.1.2.4.100"}[codec]
        return {
            "bytes": len(data), "media": f"{codec}-{container}" if container else "rgb",
            "transfer_syntax_uid": syntax if container else "", "width": 320, "height": 240,
            "frames": 30 if container else 1, "sampling": "420", "sha256": hashlib.sha256(data).hexdigest(),
            "fps_num": 30, "fps_den": 1, "index": [],
        }  # fmt: skip

    async def ask(self, *arguments: str, timeout_s: float) -> Any:
        self.calls.append(arguments)
        return await self.child(*arguments, timeout_s=timeout_s)

    def rows(self) -> list[Any]:
        return queries.deliveries(self.store.reader)

    def change(self, job: Callable[[Any], Any]) -> Any:
        return self.store.write(job).result()

    async def run(self, until: Callable[[], bool], *, meanwhile: Callable[[], None] | None = None) -> None:
        preparer = Preparer(
            self.spool, self.store, lambda: self.settings, changed=lambda _: None, remade=lambda _: None,
            ready=lambda: None, ask=self.ask,
        )  # fmt: skip
        task = asyncio.create_task(preparer.run())
        try:
            async with asyncio.timeout(20):
                if meanwhile is not None:
                    while not self.calls:
                        await asyncio.sleep(0.02)
                    await asyncio.to_thread(meanwhile)
                while not await asyncio.to_thread(until):
                    assert not task.done(), task.exception()
                    await asyncio.sleep(0.02)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def prepare(self, until: Callable[[], bool], *, meanwhile: Callable[[], None] | None = None) -> None:
        asyncio.run(self.run(until, meanwhile=meanwhile))

    def in_state(self, *states: str) -> Callable[[], bool]:
        return lambda: [row.state for row in self.rows()] == list(states)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    made: list[Rig] = []

    def one(*destinations: Destination) -> Rig:
        made.append(Rig(tmp_path, *destinations))
        return made[-1]

    yield one
    for rig in made:
        rig.store.close()


def wake(rig: Rig) -> None:
    """What waits for a time may go on now."""
    rig.change(lambda database: queue.wake(database, queue.clock() + 86_000))


def test_several_destinations_that_want_the_same_have_it_made_once(make: Callable[..., Rig]) -> None:
    rig = make(
        destination("a", container="mp4"),
        destination("b", container="mp4", clip_class="video-photographic"),
        destination("c"),
    )
    sidecar = put_clip(rig.spool, rig.exam, "ts")
    rig.adopt()
    assert [(row.state, row.prepare) for row in rig.rows()] == [("queued", "bitstream")] * 2 + [("queued", "")]
    assert rig.rows()[2].bytes == sidecar.bytes
    rig.prepare(lambda: all(row.state == "queued" and not row.prepare for row in rig.rows()))
    assert [call[0] for call in rig.calls] == ["remux"]
    assert len({row.sop_uid for row in rig.rows()}) == 3
    assert {row.bytes for row in rig.rows()} == {sidecar.bytes, sidecar.bytes + 5}
    (history,) = [
        [item.new for item in queries.history(rig.store.reader, row.id)]
        for row in rig.rows()
        if row.destination == "a"
    ]
    assert history == ["queued", "preparing", "queued"]


def test_own_mp4_then_the_other_container(make: Callable[..., Rig]) -> None:
    rig = make(destination("a"), destination("b", container="ts"))
    sidecar = put_clip(rig.spool, rig.exam, "mp4")
    rig.adopt()
    rig.prepare(lambda: all(row.state == "queued" and not row.prepare for row in rig.rows()))
    assert [call[0] for call in rig.calls] == ["remux", "remux"]
    assert not (rig.folder / sidecar.file).exists()
    own = variants.own(rig.folder, sidecar)
    assert own is not None
    assert Path(rig.calls[1][1]).name == remuxed_name(sidecar.id)
    instance = queries.instance(rig.store.reader, sidecar.id)
    assert instance is not None
    assert (instance.file, instance.bytes) == (own.file, own.bytes)


def test_what_lost_frames_is_not_used_and_the_recording_stays(make: Callable[..., Rig]) -> None:
    rig = make(destination("a"))
    sidecar = put_clip(rig.spool, rig.exam, "mp4")
    write_sidecar(rig.folder, sidecar.with_(frames=31))
    rig.adopt()
    rig.prepare(rig.in_state("blocked"))
    (row,) = rig.rows()
    assert row.code == "invalid-object"
    assert "30 frames of 31" in row.reason
    assert (rig.folder / sidecar.file).exists()
    assert read_made(rig.folder, remuxed_name(sidecar.id)) is None


def test_a_child_that_dies_is_tried_again_and_in_the_end_blocks(
    make: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "_FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(preparing, "_LONGEST_PAUSE_S", 0.02)
    rig = make(destination("a", container="mp4"))
    put_clip(rig.spool, rig.exam, "ts")
    rig.adopt()

    async def dies(*_arguments: str, timeout_s: float) -> Any:
        raise SmartBoxError("refused", "`media remux` ended with status -9.", "The log has more.")

    def over() -> bool:
        wake(rig)
        return rig.rows()[0].state == "blocked"

    rig.child = dies
    rig.prepare(over)
    (row,) = rig.rows()
    assert len(rig.calls) == DEATHS
    assert "status -9" in row.reason
    assert row.attempts == 0, "only an archive's answers count"
    assert "waiting" in [item.new for item in queries.history(rig.store.reader, row.id)]
    # by hand it is tried again, as often
    rig.child = rig.makes
    rig.change(lambda database: queue.change(database, "retry", [row.id], None))
    rig.prepare(lambda: not rig.rows()[0].prepare)


def test_a_full_disk_waits_for_ever(make: Callable[..., Rig]) -> None:
    rig = make(destination("a", container="mp4"))
    put_clip(rig.spool, rig.exam, "ts")
    rig.adopt()

    async def full(*_arguments: str, timeout_s: float) -> Any:
        raise SmartBoxError("disk-full", "No space left.", "Free some.")

    def often() -> bool:
        wake(rig)
        return len(rig.calls) > DEATHS + 2

    rig.child = full
    rig.prepare(often)
    (row,) = rig.rows()
    assert row.state in ("waiting", "queued", "preparing")
    assert "blocked" not in [item.new for item in queries.history(rig.store.reader, row.id)]


def test_what_says_itself_that_it_cannot_be_is_blocked_at_once(make: Callable[..., Rig]) -> None:
    rig = make(destination("a", container="mp4"))
    put_clip(rig.spool, rig.exam, "ts")
    rig.adopt()

    async def refuses(*_arguments: str, timeout_s: float) -> Any:
        raise SmartBoxError("invalid-object", "Nothing in it can be read.", "It is damaged.")

    rig.child = refuses
    rig.prepare(rig.in_state("blocked"))
    assert len(rig.calls) == 1
    assert rig.rows()[0].reason == "Nothing in it can be read."


class Endless:
    """A child that never ends by itself; `ended` once it was ended."""

    def __init__(self) -> None:
        self.ended = False

    async def __call__(self, *_arguments: str, timeout_s: float) -> Any:
        try:
            await asyncio.sleep(600)
        finally:
            self.ended = True


@pytest.mark.parametrize("how", ["cancelled", "discarded", "superseded"])
def test_a_child_that_nobody_needs_any_more_is_ended(make: Callable[..., Rig], how: str) -> None:
    rig = make(destination("a", container="mp4"))
    sidecar = put_clip(rig.spool, rig.exam, "ts")
    rig.adopt()
    child = rig.child = Endless()
    (row,) = rig.rows()

    def meanwhile() -> None:
        if how == "cancelled":
            rig.change(lambda database: queue.change(database, "cancel", [row.id], None))
        elif how == "discarded":
            rig.change(lambda database: records.discard(database, sidecar.id))
        else:
            rig.change(lambda database: queue.move(database, row.id, State.SUPERSEDED, "the exam was reassigned"))

    rig.prepare(lambda: child.ended, meanwhile=meanwhile)
    (row,) = rig.rows()
    assert row.state == ("superseded" if how == "superseded" else "cancelled")
    assert (
        variants.of_variant(rig.folder, sidecar, variants.variant_for(rig.settings.destinations[0], sidecar))
        is None
    )


def test_what_was_made_for_the_wrong_patient_is_good_for_the_right_one(make: Callable[..., Rig]) -> None:
    rig = make(destination("a", container="mp4"))
    sidecar = put_clip(rig.spool, rig.exam, "ts")
    rig.adopt()
    (old,) = rig.rows()
    going = threading.Event()

    async def slow(*arguments: str, timeout_s: float) -> Any:
        await asyncio.to_thread(going.wait, 10)
        return await rig.makes(*arguments, timeout_s=timeout_s)

    def reassigned() -> None:
        instance = queries.instance(rig.store.reader, sidecar.id)
        assert instance is not None
        birth = reconcile.Birth("a", State.QUEUED, "", "", "container=mp4", "bitstream")
        change = reconcile.Change(
            id=sidecar.id, sop_uid="2.25.777", series_uid=instance.series_uid, series_number=1, instance_number=1,
            revision=1, exam=rig.exam, births=(birth,), captured_at=instance.captured_at, unsure=False,
        )  # fmt: skip
        rig.change(lambda database: reconcile.apply(database, [change], 0, "the exam was reassigned"))
        going.set()

    rig.child = slow
    rig.prepare(lambda: [row.prepare for row in rig.rows()] == ["bitstream", ""], meanwhile=reassigned)
    first, second = rig.rows()
    assert (first.id, first.state) == (old.id, "superseded")
    assert (second.state, second.prepare) == ("queued", "")
    assert second.sop_uid not in (first.sop_uid, "2.25.777")


def test_an_engine_that_died_begins_again_and_makes_nothing_twice(make: Callable[..., Rig]) -> None:
    rig = make(destination("a", container="mp4"))
    put_clip(rig.spool, rig.exam, "ts")
    rig.adopt()
    rig.child = Endless()
    rig.prepare(rig.in_state("preparing"))  # and is gone
    rig.change(lambda database: queue.recover(database, "the engine was restarted"))
    (row,) = rig.rows()
    assert (row.state, row.prepare, row.uncertain) == ("queued", "bitstream", False)
    rig.child = rig.makes
    rig.prepare(lambda: not rig.rows()[0].prepare)
    rig.change(lambda database: database.execute_sql("UPDATE delivery SET prepare = 'bitstream'"))
    before = len(rig.calls)
    rig.prepare(lambda: not rig.rows()[0].prepare)
    assert len(rig.calls) == before


def test_derived_files_go_when_no_delivery_needs_them(make: Callable[..., Rig]) -> None:
    rig = make(destination("a", container="mp4"))
    put_clip(rig.spool, rig.exam, "ts")
    rig.adopt()
    rig.prepare(lambda: not rig.rows()[0].prepare)
    (rig.folder / "derived" / "poster.w0320.jpg").write_bytes(b"kept")
    tidying.tidy(rig.folder, rig.store)
    assert len(tidying.made_files(rig.folder)) == 1
    (row,) = rig.rows()
    rig.change(lambda database: queue.change(database, "cancel", [row.id], None))
    tidying.tidy(rig.folder, rig.store)
    assert [path.name for path in (rig.folder / "derived").iterdir()] == ["poster.w0320.jpg"]


def test_a_discarded_picture_keeps_its_recording(make: Callable[..., Rig]) -> None:
    rig = make(destination("a"))
    sidecar = put_clip(rig.spool, rig.exam, "mp4")
    rig.adopt()
    rig.change(lambda database: records.discard(database, sidecar.id))
    write_sidecar(rig.folder, sidecar.with_(state=SidecarState.DISCARDED))
    tidying.tidy(rig.folder, rig.store)
    assert (rig.folder / sidecar.file).exists()


def test_what_takes_long_keeps_nothing_else_back(make: Callable[..., Rig]) -> None:
    rig = make(destination("a", container="mp4"), destination("b"))
    sidecar = put_clip(rig.spool, rig.exam, "mp4")  # both lanes want the picture's own MP4 first
    other = put_clip(rig.spool, rig.exam, "ts")
    rig.adopt()
    rows = {(row.instance, row.destination): row for row in rig.rows()}
    for picture in (sidecar, other):
        row = rows[picture.id, "b"]
        uid = f"{row.sop_uid}.9"
        rig.change(
            lambda db, row=row, uid=uid: queue.need(db, row, "bitstream", "", variant="codec=mpeg2", sop_uid=uid)
        )
    going = threading.Event()

    async def some_are_slow(*arguments: str, timeout_s: float) -> Any:
        if arguments[0] == "transcode":
            await asyncio.to_thread(going.wait, 15)
        return await rig.makes(*arguments, timeout_s=timeout_s)

    def quick_are_done() -> bool:
        left = {(row.instance, row.destination) for row in rig.rows() if row.prepare}
        if left == {(sidecar.id, "b"), (other.id, "b")} and "transcode" in {call[0] for call in rig.calls}:
            going.set()
        return not left

    rig.child = some_are_slow
    rig.prepare(quick_are_done)
    assert going.is_set()
    assert sorted(call[0] for call in rig.calls) == ["remux", "remux", "transcode", "transcode"]
