"""The live picture: half blocks over the terminal, pixels on the panel where its framebuffer can be drawn on. Reads
the newest picture of the source's file, never waits for one."""

from __future__ import annotations

import fcntl
import struct
import sys
import termios
import time
from collections import deque
from pathlib import Path
from typing import Final

import numpy as np
from textual.geometry import Offset, Region

from smartbox_tui.ui import words
from smartbox_tui.ui.halfblocks import Depth
from smartbox_tui.ui.live_pixels import LivePixels, Subject
from smartbox_tui.ui.pace import drawn, may_draw
from smartbox_tui.ui.pixel_places import Area
from smartbox_tui.ui.sentences import CAPTURE_AWAY, SETTINGS_UNREADABLE
from smartbox_tui.ui.state import TAKEN_S, BoxState, Presence, Process, Taken
from smartbox_tui.ui.view import View
from smartbox_tui.ui.widgets.picture import Inset, Scene, draw, worded
from smartbox_tui.ui.widgets.strip import HalfBlockStrip, StripWidget
from smartbox_tui.wire.preview import PreviewPicture, PreviewReader

LOCAL_FPS: Final = 10.0
REMOTE_FPS: Final = 4.0
"""Over SSH: 120 x 45 cells are about 1.5 Mbit/s a frame in the worst case."""
_REMEMBERED: Final = 12
"""Pictures kept to find the one of the press: about a second, the longest that a still takes to be told of."""
_LARGE: Final = 800
"""A picture that is wider, for a panel's pixels, is kept at half its size."""
FLASH_S: Final = 0.15


def cell_aspect(default: float = 0.5) -> float:
    """A cell's width over its height, where the terminal tells its size in pixels (ioctl_tty(2), TIOCGWINSZ)."""
    terminal = sys.__stdout__
    if terminal is None:
        return default
    try:
        size = fcntl.ioctl(terminal.fileno(), termios.TIOCGWINSZ, b"\0" * 8)
        rows, columns, width, height = struct.unpack("4H", size)
    except (OSError, ValueError, TypeError):
        return default
    if not (rows and columns and width and height):
        return default
    aspect: float = (width / columns) / (height / rows)
    return min(0.8, max(0.3, aspect))


def was_taken(before: BoxState, after: BoxState) -> bool:
    """Whether a picture was taken between the two, by whatever: a mark, a clip's end is none."""
    taken = after.taken
    return taken is not None and taken is not before.taken and taken.kind in ("still", "burst")


def _smaller(picture: PreviewPicture) -> PreviewPicture:
    rgb = np.frombuffer(picture.rgb, np.uint8).reshape(picture.height, picture.width, 3)[::2, ::2]
    return PreviewPicture(rgb.shape[1], rgb.shape[0], rgb.tobytes(), picture.sequence, picture.timestamp_ns)


class Preview(StripWidget):
    """Draws at most `fps` pictures a second, fewer when the terminal has not taken the last one yet."""

    DEFAULT_CSS = "Preview { width: 1fr; height: 1fr; background: $ink; }"

    def __init__(
        self, runtime: Path, *, fps: float, depth: Depth, pixels: LivePixels | None = None, id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self._pixels = pixels
        self._flash_until_s = 0.0
        self._runtime = runtime
        self._fps = fps
        self._depth = depth
        self._aspect = cell_aspect()
        self._reader: PreviewReader | None = None
        self._file = ""
        self._seen: deque[PreviewPicture] = deque(maxlen=_REMEMBERED)
        self._drawn_for: tuple[Scene, str, Offset, bool] | None = None
        self._view: View | None = None
        self._inset: tuple[Taken, Inset] | None = None

    def on_mount(self) -> None:
        self.set_interval(1 / self._fps, self._look, name="preview")

    def show(self, view: View) -> None:
        """Follows the source on the screen, its signal and what was just taken."""
        before, self._view = self._view, view
        if before is not None and view.settings.panel.flash and was_taken(before.box, view.box):
            self._flash()
        source = view.box.source
        file = source.preview if source else ""
        if file != self._file:
            self._file = file
            self._seen.clear()
            if self._reader is not None:
                self._reader.close()
            self._reader = PreviewReader(self._runtime / file) if file else None
            self._look()
        self._paint()

    def on_resize(self) -> None:
        self._aspect = cell_aspect(self._aspect)
        self._paint()

    def on_unmount(self) -> None:
        if self._reader is not None:
            self._reader.close()

    def _look(self) -> None:
        if self._reader is None or not self.screen.is_current:
            return
        if not may_draw(self.app):
            return  # the link is slower than we are: the next picture will be a newer one
        picture = self._reader.read()
        if picture is not None:
            self._seen.append(_smaller(picture) if picture.width > _LARGE else picture)
            drawn(self.app)
        self._paint()

    def _flash(self) -> None:
        """The frame lights up: whoever pressed looks here."""
        self._flash_until_s = time.monotonic() + FLASH_S
        if self._pixels is not None:
            self._pixels.flash()
        self._paint()
        self.set_timer(FLASH_S, self._paint)

    @property
    def by_pixels(self) -> LivePixels | None:
        """Who draws the picture where it is not drawn by cells."""
        return self._pixels if self._pixels is not None and self._pixels.usable else None

    def _paint(self) -> None:
        view, size = self._view, self.size
        if view is None or not size.width or not size.height:
            return
        pixels = self.by_pixels
        scene = Scene(
            size.width,
            size.height,
            self._seen[-1] if self._seen and pixels is None else None,
            self._just_taken(view),
            self._notice(view),
            self._depth,
            self._aspect,
            pixels is None and time.monotonic() < self._flash_until_s,
        )
        drawn_for = (scene, self._file, self.region.offset, pixels is None)
        if drawn_for == self._drawn_for:
            return
        before, self._drawn_for = self._strips, drawn_for
        self._strips = draw(scene) if pixels is None else self._hand_over(pixels, scene)
        if len(before) != len(self._strips):
            self.refresh()
            return
        changed = [
            row
            for row, (old, new) in enumerate(zip(before, self._strips, strict=True))
            if old._render_cache != new._render_cache
        ]
        if changed:
            self.refresh(Region(0, changed[0], size.width, changed[-1] - changed[0] + 1))

    def _hand_over(self, pixels: LivePixels, scene: Scene) -> list[HalfBlockStrip]:
        """The picture to the pixels, the text to the cells."""
        words, origin = worded(scene), self.region
        areas = tuple(Area(each.x + origin.x, each.y + origin.y, *each[2:]) for each in words.words)
        inset = None
        if words.inset is not None and scene.inset is not None:
            inset = (
                scene.inset.picture,
                words.inset._replace(x=words.inset.x + origin.x, y=words.inset.y + origin.y),
            )
        stamp = scene.inset.picture.timestamp_ns if scene.inset and inset else 0
        pixels.show(Subject(self._file, bool(scene.notice), areas, inset, stamp))
        return words.lines

    def _just_taken(self, view: View) -> Inset | None:
        taken = view.box.taken
        if taken is None or view.clock.monotonic_s() - taken.heard_s > TAKEN_S or not self._seen:
            self._inset = None
            return None
        if self._inset is None or self._inset[0] is not taken:
            wanted = taken.picture.frame_ns if taken.picture else 0
            # the preview's picture nearest to the frame on the disk; without a time the newest
            frozen = min(self._seen, key=lambda item: abs(item.timestamp_ns - wanted)) if wanted else self._seen[-1]
            self._inset = (taken, Inset(frozen, words.taken(view.t, view.clock, taken)))
        return self._inset[1]

    def _notice(self, view: View) -> tuple[str, ...]:
        t, source = view.t, view.box.source
        if view.box.capture is Presence.AWAY:
            waits = view.box.why_away.get(Process.CAPTURE)
            return (t("NO RECORDER"), "", t(SETTINGS_UNREADABLE.what if waits else CAPTURE_AWAY.hint))
        if source is None:
            return () if view.box.capture is Presence.UNKNOWN else (t("NO SOURCE"), "", t("None is set up."))
        if source.signal_state == "ok" or source.picture == "still":
            return ()  # what does not move may be meant so: it is not covered, the line below says it
        return (words.signal_word(t, source, loud=True), "", words.signal_help(t, source))
