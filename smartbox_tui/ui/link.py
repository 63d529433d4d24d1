"""The one place where wire messages become Textual messages: past-tense facts, and the answers to commands.

Everything here runs in the app's event loop and never blocks it: `wire.stream.Link` is asynchronous. The workers
are named and never end the app with their errors.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from textual.app import App
from textual.message import Message
from textual.message_pump import MessagePump
from textual.worker import Worker

from smartbox_tui.errors import PROCESS_AWAY, SmartBoxError
from smartbox_tui.settings.paths import Paths
from smartbox_tui.ui.state import Fact, Gone, Process
from smartbox_tui.wire import commands, events, state
from smartbox_tui.wire.stream import Link

log = logging.getLogger(__name__)

RETRY_FOR_S: Final = 3.0
"""How long a command is repeated, with the same id, to a process that was lost: a restart takes about a second."""
RETRY_EVERY_S: Final = 0.3
PATIENCE_S: Final[dict[type[commands.Command], float]] = {
    commands.WorklistQuery: 900.0,  # a slow server goes on as long as entries come; whoever waits can stop it
    commands.ExamReassign: 300.0,  # what is being sent is finished first
    commands.ExamClose: 180.0,
}
"""How long an answer is waited for where a minute may be too short."""


class BoxMessage(Message):
    """A fact from one of the processes; `fact` is what the reducer takes."""

    def __init__(self, fact: Fact) -> None:
        super().__init__()
        self.fact = fact


class EngineWentAway(BoxMessage):
    """No connection to the engine."""


class EngineCameBack(BoxMessage):
    """Connected, for the first time or again; `fact` is the EngineSnapshot."""


class CaptureWentAway(BoxMessage):
    """No connection to capture."""


class CaptureCameBack(BoxMessage):
    """Connected, for the first time or again; `fact` is the CaptureSnapshot."""


class SourceHasChanged(BoxMessage):
    """Signal, size or recording of a source."""


class StillWasTaken(BoxMessage):
    """The picture is on the disk."""


class RecordingHasStarted(BoxMessage):
    """`note` of the fact says when it was by itself."""


class RecordingHasStopped(BoxMessage):
    """With the clips it made."""


class MarkWasSet(BoxMessage):
    """A point in the running clip."""


class PictureWasDiscarded(BoxMessage):
    """By somebody on this box, with a reason."""


class HeldExamHasChanged(BoxMessage):
    """Capture works for another exam, or for none."""


class PedalWasUsed(BoxMessage):
    """Also when it is stuck, gone or back."""


class PedalHasChanged(BoxMessage):
    """It is stuck, gone, back, or another program's."""


class TriggerHasFailed(BoxMessage):
    """A pedal's press could not be followed; the fact says why."""


class ExamHasChanged(BoxMessage):
    """Opened, closed, released or resumed."""


class InstanceWasAdopted(BoxMessage):
    """The engine has the picture in its store."""


class DeliveryHasChanged(BoxMessage):
    """A row of the queue."""


class StatusHasChanged(BoxMessage):
    """Archives, storage, clock, alarms, counts."""


class EmergencyWasAsked(BoxMessage):
    """By a pedal: capture has the picture, the engine makes the patient."""


class WorklistHasChanged(BoxMessage):
    """A refresh has ended, well or not."""


class SettingsHaveChanged(BoxMessage):
    """The settings on the disk are others now."""


class CodeWasSeen(BoxMessage):
    """A code was held before the camera."""


_MESSAGES: Final[dict[type[msgspec.Struct], type[BoxMessage]]] = {
    events.SourceChanged: SourceHasChanged,
    events.StillTaken: StillWasTaken,
    events.RecordingStarted: RecordingHasStarted,
    events.RecordingStopped: RecordingHasStopped,
    events.MarkSet: MarkWasSet,
    events.PictureDiscarded: PictureWasDiscarded,
    events.ExamHeld: HeldExamHasChanged,
    events.PedalUsed: PedalWasUsed,
    events.PedalChanged: PedalHasChanged,
    events.TriggerFailed: TriggerHasFailed,
    events.ExamChanged: ExamHasChanged,
    events.InstanceAdopted: InstanceWasAdopted,
    events.DeliveryChanged: DeliveryHasChanged,
    events.StatusChanged: StatusHasChanged,
    events.EmergencyAsked: EmergencyWasAsked,
    events.WorklistChanged: WorklistHasChanged,
    events.SettingsChanged: SettingsHaveChanged,
    events.CodeSeen: CodeWasSeen,
}
_SNAPSHOT: Final[dict[Process, tuple[type[msgspec.Struct], type[BoxMessage], type[BoxMessage]]]] = {
    Process.ENGINE: (state.EngineSnapshot, EngineCameBack, EngineWentAway),
    Process.CAPTURE: (state.CaptureSnapshot, CaptureCameBack, CaptureWentAway),
}


class CommandWasAnswered(Message):
    """The command was done; `answer` is its JSON. Posted to whoever ordered it, bubbles to the app."""

    def __init__(self, command: commands.Command, answer: Any) -> None:
        super().__init__()
        self.command = command
        self.answer = answer


class CommandWasRefused(Message):
    """The command was not done; `error` says why. Posted to whoever ordered it, bubbles to the app."""

    def __init__(self, command: commands.Command, error: SmartBoxError) -> None:
        super().__init__()
        self.command = command
        self.error = error


class StateWasRead(Message):
    """What the engine answered at `target`; posted to whoever asked."""

    def __init__(self, target: str, value: Any) -> None:
        super().__init__()
        self.target = target
        self.value = value


class ReadingFailed(Message):
    """The engine did not answer at `target`, or with an error; posted to whoever asked, bubbles to nobody."""

    bubble = False

    def __init__(self, target: str, error: SmartBoxError) -> None:
        super().__init__()
        self.target = target
        self.error = error


def new_id() -> str:
    """The id of one press. What the command makes takes its UID from it, a repeat finds that again."""
    return str(uuid.uuid4())


def process_for(command: commands.Command) -> Process:
    """Which process a command goes to: pictures to capture, which works without the engine."""
    return Process.CAPTURE if isinstance(command, commands.CaptureCommand) else Process.ENGINE


class BoxLink:
    """Both processes, as the app sees them. `start` once the app runs; `order` to give a command."""

    def __init__(self, app: App[Any], paths: Paths, console: str) -> None:
        """`console`: what kind of terminal this is (ui.terminal), for the engine's list of sessions."""
        self._app = app
        self._links = {
            Process.ENGINE: Link(paths.engine_socket, console),
            Process.CAPTURE: Link(paths.capture_socket),
        }
        self._ready = asyncio.Event()

    def start(self) -> None:
        """Begins to listen. Ends with the app."""
        self._work(self._listen(), "box-events")

    def order(self, command: commands.Command, reply_to: MessagePump) -> None:
        """Gives the command; its outcome comes to `reply_to`, or to the app when that is gone by then."""
        self._work(self._give(command, reply_to), f"command-{type(command).__name__}")

    def ask_preview(self, source: str, width: int, height: int) -> None:
        """Tells capture that the panel shows the source in so many pixels. Nobody waits for the answer."""
        self._work(self._ask_preview(source, width, height), "ask-preview")

    def read(self, target: str, reply_to: MessagePump) -> None:
        """Asks the engine for state; StateWasRead or ReadingFailed comes to `reply_to`."""
        self._work(self._read(target, reply_to), "read-state")

    async def picture(self, picture: str) -> bytes:
        """The JPEG of a picture by its id or SOP Instance UID, a clip's poster. Raises SmartBoxError."""
        await self._ready.wait()
        return await self._links[Process.ENGINE].read(f"/v1/instances/{picture}/picture")

    async def _ask_preview(self, source: str, width: int, height: int) -> None:
        await self._ready.wait()
        query = urlencode({"source": source, "width": width, "height": height})
        with contextlib.suppress(SmartBoxError):  # away: the next one reaches it
            await self._links[Process.CAPTURE].get(f"/v1/preview?{query}")

    async def _read(self, target: str, reply_to: MessagePump) -> None:
        await self._ready.wait()
        outcome: Message
        try:
            outcome = StateWasRead(target, await self._links[Process.ENGINE].get(target))
        except SmartBoxError as exc:
            outcome = ReadingFailed(target, exc)
        if reply_to.is_running:
            reply_to.post_message(outcome)

    def _work(self, work: Any, name: str) -> Worker[None]:
        return self._app.run_worker(work, name=name, group=name, exit_on_error=False)

    async def _listen(self) -> None:
        async with contextlib.AsyncExitStack() as stack:
            for link in self._links.values():
                await stack.enter_async_context(link)
            self._ready.set()
            await asyncio.gather(*(self._follow(process) for process in self._links))

    async def _follow(self, process: Process) -> None:
        snapshot, came_back, went_away = _SNAPSHOT[process]
        async for event in self._links[process].events():
            if event is None:
                self._app.post_message(went_away(Gone(process)))
                continue
            try:
                if event.type == "snapshot":
                    fact: msgspec.Struct | None = msgspec.json.decode(event.data, type=snapshot)
                    kind: type[BoxMessage] | None = came_back
                else:
                    fact = events.typed(event)
                    kind = _MESSAGES.get(type(fact)) if fact is not None else None
            except msgspec.ValidationError:
                # another version on the other side: one fact is lost, the console goes on
                log.exception("%s sent an event %s that cannot be read", process, event.type)
                continue
            if isinstance(fact, events.SettingsUnreadable):
                self._app.post_message(went_away(Gone(process, f"{fact.message} {fact.hint}".rstrip())))
            elif fact is not None and kind is not None:
                self._app.post_message(kind(fact))

    async def _give(self, command: commands.Command, reply_to: MessagePump) -> None:
        await self._ready.wait()
        outcome: Message
        try:
            outcome = CommandWasAnswered(command, await self._with_retries(command))
        except SmartBoxError as exc:
            log.warning("%s was refused: %s %s", type(command).__name__, exc.code, exc.message)
            outcome = CommandWasRefused(command, exc)
        if not (reply_to.is_running and reply_to.post_message(outcome)):
            self._app.post_message(outcome)

    async def _with_retries(self, command: commands.Command) -> Any:
        link = self._links[process_for(command)]
        loop = asyncio.get_running_loop()
        until = loop.time() + RETRY_FOR_S
        while True:
            try:
                return await link.command(command, patience_s=PATIENCE_S.get(type(command), 60.0))
            except SmartBoxError as exc:
                if exc.code != PROCESS_AWAY or loop.time() >= until:
                    raise
            await asyncio.sleep(RETRY_EVERY_S)
