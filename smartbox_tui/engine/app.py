"""The engine's composition root: what exists, in which order it starts and ends."""

from __future__ import annotations

import asyncio
import logging
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from smartbox_tui.dicom.preload import preload
from smartbox_tui.dicom.scu import mpps
from smartbox_tui.dicom.scu.find import find_worklist
from smartbox_tui.engine import view, watch
from smartbox_tui.engine.capture_link import CaptureLink
from smartbox_tui.engine.clock import ClockGate
from smartbox_tui.engine.codes import CodeWatch
from smartbox_tui.engine.commitment.patrol import Commitments
from smartbox_tui.engine.configuration.api import SettingsApi
from smartbox_tui.engine.configuration.desk import SettingsBox, SettingsDesk, mend
from smartbox_tui.engine.delivery.medium.eject import MediaArea
from smartbox_tui.engine.delivery.pool import Delivery
from smartbox_tui.engine.delivery.preparing import Preparer
from smartbox_tui.engine.delivery.standin import StandIns
from smartbox_tui.engine.exams import recovery
from smartbox_tui.engine.exams.adopt import Adopter
from smartbox_tui.engine.exams.dates import Dates
from smartbox_tui.engine.exams.desk import Desk
from smartbox_tui.engine.exams.lifecycle import Exams
from smartbox_tui.engine.exams.reassign import Reassigner
from smartbox_tui.engine.exams.reconcile import Reconcile
from smartbox_tui.engine.hooks.api import HooksArea
from smartbox_tui.engine.hooks.desk import Hooks
from smartbox_tui.engine.keeping.keeper import Keeper
from smartbox_tui.engine.orders.performed import PerformedSteps
from smartbox_tui.engine.orders.performed_api import PerformedArea
from smartbox_tui.engine.orders.performed_worker import Performed, Verbs
from smartbox_tui.engine.orders.worklist import Worklist
from smartbox_tui.engine.orders.worklist_api import WorklistArea
from smartbox_tui.engine.orders.worklist_query import Queries
from smartbox_tui.engine.pictures_api import PicturesArea
from smartbox_tui.engine.queue_api import QueueArea
from smartbox_tui.engine.server import Api
from smartbox_tui.engine.sessions import Sessions
from smartbox_tui.engine.status import StatusBoard
from smartbox_tui.engine.watched.patients import Patients
from smartbox_tui.engine.watched.watch import Watched
from smartbox_tui.engine.who import Registry
from smartbox_tui.settings.paths import Paths
from smartbox_tui.settings.schema import Loaded
from smartbox_tui.spool import reserve
from smartbox_tui.spool.clock import box_clock
from smartbox_tui.spool.durable import make_folder
from smartbox_tui.spool.lock import FolderLock
from smartbox_tui.store import queries
from smartbox_tui.store.database import Store
from smartbox_tui.wire import events, state
from smartbox_tui.wire.current import boot_id
from smartbox_tui.wire.hub import Hub
from smartbox_tui.wire.serve import checked_socket_path, serve_unix
from smartbox_tui.wire.watchdog import Watchdog, loop_turns

log = logging.getLogger(__name__)

STATUS_S: Final = 0.5
"""A changed status is published at most that often."""
HEARTBEAT_S: Final = 5.0
"""And at least that often: ages and free space change by themselves."""


def run(paths: Paths, loaded: Loaded, config: Path | None) -> int:
    """Serves until SIGTERM or SIGINT. Raises SmartBoxError in-use, refused, bad-value, disk-full at the start."""
    checked_socket_path(paths.engine_socket)
    make_folder(paths.state)
    make_folder(paths.spool)
    paths.runtime.mkdir(mode=0o750, parents=True, exist_ok=True)
    lock = FolderLock(paths.state, "engine")
    try:
        settings = SettingsBox(loaded, config)
        mend(paths.state, settings)
        asyncio.run(_serve(paths, settings))
    finally:
        lock.release()
    return 0


class _StatusTicker:
    """Publishes the status soon after it changed, never more often than STATUS_S."""

    def __init__(self) -> None:
        self.dirty = asyncio.Event()
        self.watchdog: Watchdog | None = None
        self._loop = asyncio.get_running_loop()

    def changed(self) -> None:
        """From any thread."""
        self._loop.call_soon_threadsafe(self.dirty.set)

    async def run(self, hub: Hub, board: StatusBoard, hooks: Hooks) -> None:
        while True:
            try:
                await asyncio.wait_for(self.dirty.wait(), HEARTBEAT_S)
            except TimeoutError:
                pass
            self.dirty.clear()
            status = board.build()
            hub.publish(events.StatusChanged(status=status))
            hooks.see(status, board.standing)
            if self.watchdog is not None:
                self.watchdog.tell(watch.told(status))
            await asyncio.sleep(STATUS_S)


async def _serve(paths: Paths, settings: SettingsBox) -> None:
    loop = asyncio.get_running_loop()
    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)

    preload()
    reserve.keep(paths.spool)
    store = Store(paths.database, lambda: reserve.give(paths.spool))
    hooks = Hooks(store, settings)
    ticker = _StatusTicker()
    clock = ClockGate(box_clock(paths.spool, boot_id()), lambda: settings().clock.wait_s)
    capture = CaptureLink(paths.capture_socket, settings, ticker.changed)

    def snapshot() -> state.EngineSnapshot:
        current = exams.current
        rows = queries.instances_of(store.reader, current) if current else []
        return state.EngineSnapshot(
            status=board.build(),
            instances=[view.instance(row) for row in rows],
            deliveries=[view.delivery(row) for row in queries.deliveries_for_screen(store.reader)],
        )

    hub = Hub(snapshot)
    hub.bind(loop)

    def delivery_changed(row: Any, bytes_sent: int | None) -> None:
        if row is not None:
            hub.publish_from_thread(events.DeliveryChanged(delivery=view.delivery(row, bytes_sent)))
            ticker.changed()

    delivery = Delivery(
        paths.spool,
        store,
        settings,
        changed=delivery_changed,
        status_changed=ticker.changed,
        may_send=clock.why_not,
    )

    def remade(picture: str) -> None:
        if (row := queries.instance(store.reader, picture)) is not None:
            hub.publish(events.InstanceAdopted(instance=view.instance(row)))

    preparer = Preparer(
        paths.spool,
        store,
        settings,
        changed=lambda row: delivery_changed(row, None),
        remade=remade,
        ready=delivery.wake,
    )

    def wake_delivery() -> None:
        delivery.wake()
        preparer.wake()

    stand_ins = StandIns(
        paths.spool,
        store,
        settings,
        delivery,
        changed=lambda row: delivery_changed(row, None),
        ready=wake_delivery,
    )
    commitments = Commitments(
        paths.spool,
        store,
        settings,
        changed=lambda row: delivery_changed(row, None),
        sent_again=wake_delivery,
        status_changed=ticker.changed,
    )
    adopter = Adopter(paths.spool, store, settings)
    worklist = Worklist(
        store, settings, find=find_worklist, publish=hub.publish_from_thread, status_changed=ticker.changed
    )
    by_hand = Queries(worklist)
    messenger = Performed(
        store,
        settings,
        Verbs(mpps.create, mpps.set_final),
        status_changed=ticker.changed,
        may_send=clock.why_not,
    )
    performed = PerformedSteps(paths.spool, store, settings, wake=messenger.wake)
    with ThreadPoolExecutor(1, "spool") as spool_thread:
        exams = Exams(
            spool=paths.spool,
            runtime=paths.runtime,
            store=store,
            settings=settings,
            adopter=adopter,
            spool_thread=spool_thread,
            capture=capture,
            registry=Registry(store.reader, worklist),
            performed=performed,
            publish=hub.publish,
            wake_delivery=wake_delivery,
        )
        keeper = Keeper(exams, settings, ticker.changed)
        board = StatusBoard(store, settings, exams, delivery, capture, clock, worklist, messenger, keeper)
        reassigner = Reassigner(paths.spool, store, settings, adopter, performed)
        reconcile = Reconcile(exams, reassigner, delivery)
        dates = Dates(exams, reassigner, reconcile, clock)
        desk = Desk(paths, settings, store, hub, exams, reconcile, delivery, board, ticker.changed)
        settings_desk = SettingsDesk(paths.state, settings, store, hub, delivery, capture, board, ticker.changed)
        patients = Patients(store.reader, worklist, settings)
        watched = board.watched = Watched(paths.state, settings, exams, desk, patients, ticker.changed)
        settings_desk.followers.append(watched.reconfigure)
        sessions = Sessions(hub, settings, exams.write, ticker.changed)
        board.sessions = sessions.listed
        codes = CodeWatch(paths.runtime, settings, hub.publish)
        board.commitments = commitments
        settings_desk.followers += [worklist.reconfigure, messenger.reconfigure, commitments.reconfigure]
        settings_desk.followers += [codes.reconfigure, hooks.reconfigure]
        settings_desk.followers.append(keeper.wake)
        await recovery.before_serving(exams)
        await keeper.before_serving()
        await reconcile.recover()
        await exams.run(performed.recover)
        runner = await serve_unix(
            Api(
                desk,
                sessions,
                [
                    reconcile,
                    SettingsApi(settings_desk, board),
                    WorklistArea(worklist, by_hand),
                    PerformedArea(exams, messenger),
                    PicturesArea(paths.spool, store),
                    QueueArea(store),
                    MediaArea(paths.state, settings, store, delivery, ticker.changed),
                    HooksArea(hooks, settings),
                ],
            ).routes(),
            paths.engine_socket,
        )
        log.info("the engine serves %s", paths.engine_socket)
        tasks = [
            asyncio.create_task(capture.follow(desk), name="capture-link"),
            asyncio.create_task(ticker.run(hub, board, hooks), name="status"),
            asyncio.create_task(desk.adopt_again(), name="adopt-again"),
            asyncio.create_task(preparer.run(), name="preparer"),
            asyncio.create_task(stand_ins.run(exams.run), name="stand-ins"),
            asyncio.create_task(
                dates.follow([delivery.wake, messenger.wake], [worklist.refresh_now, ticker.changed]),
                name="dates",
            ),
            asyncio.create_task(keeper.run(), name="keeper"),
            asyncio.create_task(_walk_spool(exams, board, watched, ticker), name="spool-walk"),
        ]
        essential = asyncio.create_task(_first_to_end(tasks), name="essential")
        delivery.start(settings())
        worklist.start()
        messenger.start()
        await asyncio.to_thread(commitments.start)
        codes.reconfigure()
        hooks.start()
        watchdog = watch.watchdog(store, delivery, loop_turns(loop))
        watchdog.ready()
        ticker.watchdog = watchdog
        try:
            await asyncio.wait([asyncio.create_task(ending.wait()), essential], return_when=asyncio.FIRST_COMPLETED)
        finally:
            watchdog.stopping()
            await codes.close()
            await watched.close()
            by_hand.stop()
            await asyncio.gather(*(asyncio.to_thread(part.stop) for part in (worklist, messenger, commitments)))
            await asyncio.to_thread(delivery.stop)
            await asyncio.to_thread(hooks.stop)
            for task in [essential, *tasks]:
                task.cancel()
            await asyncio.gather(essential, *tasks, return_exceptions=True)
            await keeper.close()
            await runner.cleanup()
            paths.engine_socket.unlink(missing_ok=True)
    await asyncio.to_thread(store.close)
    if essential.done() and not essential.cancelled() and essential.exception() is not None:
        raise essential.exception() or RuntimeError


async def _walk_spool(exams: Exams, board: StatusBoard, watched: Watched, ticker: _StatusTicker) -> None:
    board.unreadable = await recovery.after_serving(exams)
    watched.start()  # which picks up nothing that the spool has already
    ticker.changed()


async def _first_to_end(tasks: list[asyncio.Task[None]]) -> None:
    """Returns never, or raises what an essential task died of: then the process ends and is started anew."""
    pending = set(tasks)
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
