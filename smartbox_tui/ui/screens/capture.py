"""The capture screen: the picture, what to press, what was taken, where it goes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from textual.app import ComposeResult
from textual.containers import Container, Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget

from smartbox_tui.ui.halfblocks import Depth
from smartbox_tui.ui.i18n import N_, running_time
from smartbox_tui.ui.live_pixels import LivePixels
from smartbox_tui.ui.screens.base import BoxScreen
from smartbox_tui.ui.state import BoxState, Process, current_exam
from smartbox_tui.ui.view import View
from smartbox_tui.ui.widgets.big_button import BigButton
from smartbox_tui.ui.widgets.preview import Preview
from smartbox_tui.ui.widgets.queue_pane import QueuePane
from smartbox_tui.ui.widgets.taken import TakenPane


def _record_label(view: View) -> str | Content:
    if view.box.recording is None:
        return Content.assemble(("● ", "bold $red"), (view.t("Record"), "bold"))
    stop = view.t("Stop")
    return f"■ {stop}  {running_time(view.box.recording_seconds(view.now_s))}"


def _has_pictures(box: BoxState) -> bool:
    return bool(box.pictures)


def _records(box: BoxState) -> bool:
    return box.recording is not None


def _has_exam(box: BoxState) -> bool:
    return current_exam(box) is not None


def _pictures_label(view: View) -> str | Content:
    """With the exams that wait for a name, where no louder place says it."""
    waits = view.box.status.unassigned if view.box.status else 0
    exam = current_exam(view.box)
    waits -= exam is not None and exam.unassigned and bool(view.box.pictures)
    if waits <= 0:
        return view.t("Pictures")
    return Content.assemble(view.t("Pictures"), (f" {waits}?", "bold $wait"))


class RecordButton(BigButton):
    """Red while it records: the only red on a calm screen but the emergency."""

    def show(self, view: View) -> None:
        self.set_class(view.box.recording is not None, "-red")
        super().show(view)


class CaptureScreen(BoxScreen):
    """Everything of an exam by touch, by key and by pedal."""

    BRIEF = False

    DEFAULT_CSS = """
    CaptureScreen #body { layout: horizontal; }
    CaptureScreen #side { width: 28; height: 1fr; background: $night; padding-left: 1; }
    CaptureScreen.-wide #side { width: 36; }
    CaptureScreen.-huge #side { width: 48; }
    CaptureScreen #side Horizontal { height: auto; }
    CaptureScreen.-tall #photo { height: 5; }
    CaptureScreen.-high #photo { height: 7; }
    CaptureScreen.-high #record { height: 5; }
    CaptureScreen.-high #mark, CaptureScreen.-high #discard { height: 5; }
    CaptureScreen #queue-box { height: auto; }
    CaptureScreen.-tall #queue-box { padding-top: 1; }
    CaptureScreen.-tall TakenPane { margin-top: 1; }
    CaptureScreen.-narrow #nav BigButton { padding: 0; }
    CaptureScreen.-narrow #nav #emergency { padding: 0; }
    """

    def __init__(self, runtime: Path, fps: float, depth: Depth, pixels: LivePixels | None = None) -> None:
        super().__init__()
        self._pixels = pixels
        self._runtime = runtime
        self._fps = fps
        self._depth = depth

    def compose_body(self) -> Iterable[Widget]:
        yield Preview(self._runtime, fps=self._fps, depth=self._depth, pixels=self._pixels, id="preview")
        yield Side(id="side")

    def compose_nav(self) -> Iterable[Widget]:
        yield BigButton(N_("Patient"), "app.patient", "n", needs=Process.ENGINE, id="patient")
        yield BigButton(N_("Close exam"), "app.close_exam", "c", needs=Process.ENGINE, usable=_has_exam, id="close")
        yield BigButton(_pictures_label, "app.exams", "x", id="exams")
        yield BigButton(N_("Queue"), "app.queue", "q", id="queue")
        yield BigButton(N_("Status"), "app.status", "s", id="status")


class Side(Vertical):
    """The right column."""

    def compose(self) -> ComposeResult:
        capture = Process.CAPTURE
        yield BigButton(
            N_("P H O T O"), "app.still", N_("Space"), needs=capture, at_once=True, id="photo", classes="-first"
        )
        yield RecordButton(_record_label, "app.record", "r", needs=capture, id="record")
        with Horizontal():
            yield BigButton(N_("Mark"), "app.mark", "m", needs=capture, usable=_records, at_once=True, id="mark")
            yield BigButton(N_("Discard"), "app.discard", "d", needs=capture, usable=_has_pictures, id="discard")
        yield TakenPane(id="taken")
        with Container(id="queue-box"):
            yield QueuePane(id="queue-pane")
