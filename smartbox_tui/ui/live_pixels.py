"""Pictures as pixels in the framebuffer, inside the cells of their widgets: the live one, and those that were
taken. The panel only.

One thread reads the newest picture and writes it; the event loop says what and where. The text console draws into
the same memory: text that comes over a picture is written over again, and a picture never comes over text, because
the event loop takes the place away before it writes there. When `put` returns, nothing is being drawn at the old
places, and what was drawn there is gone from the glass: it may have been another patient's.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from hw.errors import HardwareError
from hw.panel.framebuffer import Framebuffer, Screen
from hw.panel.packing import Packed, Packer, colour, dimmed
from hw.panel.vt import VirtualTerminal
from smartbox_tui.ui.pixel_places import NOWHERE, Area, cut, fit, in_pixels
from smartbox_tui.ui.still_pixels import Still, StillPixels, paint
from smartbox_tui.wire.preview import PreviewPicture, PreviewReader

log = logging.getLogger(__name__)

Colour = tuple[int, int, int]
_LOOK_S: Final = 0.004
"""Between two looks at the preview's file."""
_AGAIN_S: Final = 0.1
"""What text has come over the live picture is repaired at least so often."""
_STILLS_AGAIN_S: Final = 5.0
"""The others, which are drawn whenever the console has written: the kernel writes on the screen, too."""
_IDLE_S: Final = 0.25
_REST: Final = 2.0
"""After a picture that took so long, at least so many times as long without one: a third of a core."""
_FLASH_S: Final = 0.15
_FRAME: Final = 3
"""Pixels of the frame around what was just taken; the flash has twice as many."""
_NEAR: Final = 2
"""A picture that is so few pixels smaller than its place is not scaled."""
_RETRY_S: Final = 5.0
_NICE: Final = 5


@dataclass(frozen=True, slots=True)
class Place:
    """Where: the live picture's cells, and the parts of them that nothing lies over; the other pictures with
    theirs. `cells` is the terminal's size. Nothing else on the screen is pixels."""

    cells: tuple[int, int] = (0, 0)
    area: Area = NOWHERE
    free: tuple[Area, ...] = ()
    stills: tuple[Still, ...] = ()

    def parts(self, cell: tuple[int, int]) -> list[Area]:
        """All that may be drawn on, in pixels."""
        return [
            in_pixels(each, cell) for free in (self.free, *(item.free for item in self.stills)) for each in free
        ]


@dataclass(frozen=True, slots=True)
class Subject:
    """What: `file` is the source's in the runtime folder; `dimmed` keeps the last picture, dark; `words` are cells
    that belong to text, `inset` a picture in its cells. All areas count from the terminal's upper left."""

    file: str = ""
    dimmed: bool = False
    words: tuple[Area, ...] = ()
    inset: tuple[PreviewPicture, Area] | None = field(default=None, compare=False)
    inset_at_ns: int = 0


@dataclass(frozen=True, slots=True)
class Colours:
    """Of the console's own palette, so that cells and pixels look alike."""

    bar: Colour
    frame: Colour
    flash: Colour


class LivePixels:
    """`start` it, say `put` and `show`, `end` it. Errors of the framebuffer make it unusable, and tell the log."""

    def __init__(
        self, runtime: Path, terminal: VirtualTerminal, framebuffer: Framebuffer, colours: Colours
    ) -> None:
        self._runtime = runtime
        self._terminal = terminal
        self._framebuffer = framebuffer
        self._colours = colours
        self._lock = threading.Condition()
        self._place = Place()
        self._subject = Subject()
        self._dark = False
        self._changed = True
        self._flash_until_s = 0.0
        self._flashed = False
        self._ended = False
        self._usable = False
        self._retry_s = 0.0
        self._reader: PreviewReader | None = None
        self._reads = ""
        self._packer: Packer | None = None
        self._picture: Packed | None = None
        self._is_dim = False
        self._seen_size = (0, 0)
        self._inset: tuple[int, Area, Packed] | None = None
        self._repaired_s = 0.0
        self._stills = StillPixels()
        self._stills_s = 0.0
        self._due = False
        self._written = False
        self._on_glass: list[Area] = []
        self.drawn = 0
        """Pictures drawn since the start."""
        self._thread = threading.Thread(target=self._run, name="live-pixels", daemon=True)

    def start(self) -> None:
        """Raises HardwareError when there is no framebuffer to draw on."""
        self._framebuffer.open()
        self._usable = True
        self._thread.start()

    def end(self) -> None:
        with self._lock:
            self._ended = True
            self._lock.notify_all()
        if self._thread.ident is not None:
            self._thread.join(2.0)
        if not self._thread.is_alive():
            self._wipe([])
        self._framebuffer.close()

    @property
    def usable(self) -> bool:
        """Whether pixels are drawn where they may; else the picture is for the cells."""
        return self._usable

    def put(self, place: Place) -> None:
        """From now on there and nowhere else: nothing is being drawn at another place when it returns, and what was
        drawn there is dark."""
        if place != self._place:
            with self._lock:
                self._place = place
                screen = self._screen()
                self._wipe(place.parts(self._cell(screen, place)) if screen is not None else [])
                self._changed = True
                self._lock.notify_all()

    def show(self, subject: Subject) -> None:
        """As `put`."""
        if subject != self._subject:
            with self._lock:
                self._subject = subject
                self._changed = True
                self._lock.notify_all()

    def flash(self) -> None:
        """The picture's frame lights up for a moment."""
        with self._lock:
            self._flash_until_s = time.monotonic() + _FLASH_S
            self._changed = True
            self._lock.notify_all()

    def darken(self, dark: bool) -> None:
        """Nothing is drawn while it is dark."""
        with self._lock:
            self._dark = dark
            self._changed = True
            self._lock.notify_all()

    def written(self) -> None:
        """Text has come to the terminal, perhaps over the pictures. From any thread."""
        if self._place.stills:
            with self._lock:
                self._written = True
                self._lock.notify_all()

    def letter(self, cells: tuple[int, int]) -> tuple[int, int] | None:
        """Width and height of a letter in pixels on a terminal of so many columns and rows; None before `start`."""
        screen = self._screen()
        return self._cell(screen, Place(cells)) if screen is not None else None

    def wanted(self) -> tuple[int, int]:
        """The pixels that the picture's place has, (0, 0) while it has none."""
        place, screen = self._place, self._screen()
        if screen is None or not place.free:
            return 0, 0
        box = in_pixels(place.area, self._cell(screen, place))
        return box.width, box.height

    # ---- the thread

    def _run(self) -> None:
        with contextlib.suppress(OSError):  # a finger comes before a picture
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        pause = _LOOK_S
        while True:
            failure = self._prepare()
            with self._lock:
                if not (self._changed or self._written or self._ended):
                    self._lock.wait(pause)
                if self._ended:
                    break
                began = time.monotonic()
                try:
                    if failure is not None:
                        raise failure
                    pause = self._turn(began)
                except HardwareError as error:
                    pause = self._failed(began, error)
                except Exception:  # a defect here must not cost the screen anything but the picture's pixels
                    log.exception("drawing the picture failed")
                    pause = self._failed(began, None)
            time.sleep(0)  # whoever waits for the lock gets it
        if self._reader is not None:
            self._reader.close()

    def _turn(self, now_s: float) -> float:
        """One look; the seconds until the next."""
        changed, self._changed = self._changed, False
        if not self._usable:
            if now_s < self._retry_s:
                return _IDLE_S
            self._framebuffer.open()
            self._usable = self._due = True
        place, subject = self._place, self._subject
        written, self._written = self._written, False
        if self._dark or not (place.free or place.stills):
            return _IDLE_S
        if not self._terminal.in_front():
            self._repaired_s, self._due = 0.0, True
            self._on_glass = []  # the kernel writes the whole text before it shows this terminal again
            return _AGAIN_S
        if place.stills and (changed or written or self._due or now_s - self._stills_s >= _STILLS_AGAIN_S):
            self._draw_stills(self._framebuffer.look(), place)
            self._stills_s = now_s
        if not place.free:
            return _LOOK_S if self._due else _IDLE_S
        flash = now_s < self._flash_until_s
        over, self._flashed = self._flashed and not flash, flash
        packer = self._packer
        fresh = self._read(place, subject)
        whole = changed or over or packer is not self._packer or now_s - self._repaired_s >= _AGAIN_S
        if not (fresh or whole):
            return _LOOK_S
        screen = self._framebuffer.look()
        self._draw(screen, place, subject, flash, whole)
        self.drawn += fresh
        ended_s = time.monotonic()
        if whole:
            self._repaired_s = ended_s
        return max(_LOOK_S, (ended_s - now_s) * _REST)

    def _failed(self, now_s: float, error: HardwareError | None) -> float:
        if self._usable and error is not None:
            log.warning("the panel's picture is drawn as blocks: %s", error)
        self._usable = False
        self._retry_s = now_s + _RETRY_S
        self._on_glass = []  # the cells have the pictures from now on
        return _IDLE_S

    def _prepare(self) -> Exception | None:
        """Without the lock: the event loop does not wait for it. What went wrong."""
        place, screen = self._place, self._screen()
        if screen is not None and self._usable and not self._dark and (self._due or self._changed):
            try:
                self._stills.prepare(place.stills, screen.packing, self._cell(screen, place))
            except Exception as error:  # noqa: BLE001  # told where the others are
                return error
        return None

    def _draw_stills(self, screen: Screen, place: Place) -> None:
        cell, bounds = self._cell(screen, place), Area(0, 0, screen.width, screen.height)
        bar, pixels = colour(screen.packing, self._colours.bar), self._framebuffer.pixels()
        self._due = False
        for still in place.stills:
            layers = self._stills.layers(still, screen.packing, cell, bar)
            if layers is None:
                self._due = True
                continue
            parts = [part for each in still.free if (part := in_pixels(each, cell).common(bounds))]
            paint(pixels, layers, parts)
            self._drew(parts)

    def _drew(self, parts: list[Area]) -> None:
        self._on_glass = [piece for each in self._on_glass for piece in cut(each, parts)] + parts

    def _wipe(self, keep: list[Area]) -> None:
        """Darkens what was drawn outside of the areas that are kept. Under the lock, or without a thread."""
        gone = [piece for each in self._on_glass for piece in cut(each, keep)]
        self._on_glass = [piece for each in self._on_glass for piece in cut(each, gone)]
        if not gone or not self._usable or not self._terminal.in_front():
            return
        try:
            screen = self._framebuffer.look()
            bar = colour(screen.packing, self._colours.bar)
            paint(self._framebuffer.pixels(), [(Area(0, 0, screen.width, screen.height), bar)], gone)
        except HardwareError as error:
            self._failed(time.monotonic(), error)

    def _screen(self) -> Screen | None:
        return self._framebuffer.screen

    def _cell(self, screen: Screen, place: Place) -> tuple[int, int]:
        """A letter's size in pixels."""
        columns, rows = place.cells
        guessed = (screen.width // max(1, columns), screen.height // max(1, rows))
        told = self._terminal.cell()
        if told is None or told[0] * columns > screen.width or told[1] * rows > screen.height:
            return guessed
        return told

    def _read(self, place: Place, subject: Subject) -> bool:
        """Takes in the newest picture, packed and scaled; whether there was one."""
        if subject.file != self._reads or self._reader is None:
            if self._reader is not None:
                self._reader.close()
            self._reads, self._picture = subject.file, None
            self._reader = PreviewReader(self._runtime / subject.file) if subject.file else None
        screen = self._screen()
        if self._reader is None or screen is None:
            return False
        view = self._reader.look()
        if view is None:
            if subject.dimmed and not self._is_dim and self._picture is not None:
                self._picture, self._is_dim = dimmed(screen.packing, self._picture), True
            return False
        box = self._box(screen, place, view.width, view.height)
        if box.width <= 0 or box.height <= 0:
            return False
        key = (screen.packing, view.width, view.height, box.width, box.height)
        if self._packer is None or self._packer.key != key:
            self._packer = Packer(*key)
        rgb = np.frombuffer(view.rgb, np.uint8).reshape(view.height, view.width, 3)
        packed = self._packer.pack(rgb)
        if not self._reader.whole(view):
            return False
        self._picture = dimmed(screen.packing, packed) if subject.dimmed else packed
        self._is_dim, self._seen_size = subject.dimmed, (view.width, view.height)
        return True

    def _box(self, screen: Screen, place: Place, width: int, height: int) -> Area:
        """Where the picture lies, in pixels."""
        area = in_pixels(place.area, self._cell(screen, place))
        box = fit(width, height, area)
        if 0 <= box.width - width <= _NEAR and 0 <= box.height - height <= _NEAR:
            box = Area(box.x + (box.width - width) // 2, box.y + (box.height - height) // 2, width, height)
        return box

    def _draw(self, screen: Screen, place: Place, subject: Subject, flash: bool, whole: bool) -> None:
        """The picture, what lies over it; bars beside it only when the `whole` is drawn."""
        cell = self._cell(screen, place)
        bounds = Area(0, 0, screen.width, screen.height)
        free = [each for area in place.free for each in cut(area, subject.words)]
        parts = [part for each in free if (part := in_pixels(each, cell).common(bounds))]
        area = in_pixels(place.area, cell)
        layers: list[tuple[Area, Packed]] = []
        if (picture := self._picture) is not None and self._packer and self._packer.key[0] == screen.packing:
            box = self._box(screen, place, *self._seen_size)
            if (box.height, box.width) == picture.shape[:2]:
                layers.append((box, picture))
            elif self._reader is not None:
                self._reader.again()  # made for another place
        if whole:
            bar = colour(screen.packing, self._colours.bar)
            layers = [(each, bar) for each in cut(area, [box for box, _ in layers])] + layers
        if subject.inset is not None:
            layers += self._inset_layers(screen, subject, in_pixels(subject.inset[1], cell))
        if flash:
            light = colour(screen.packing, self._colours.flash)
            layers += [(edge, light) for edge in cut(area, (area.smaller(2 * _FRAME),))]
        paint(self._framebuffer.pixels(), layers, parts)
        self._drew(parts)

    def _inset_layers(self, screen: Screen, subject: Subject, area: Area) -> list[tuple[Area, Any]]:
        """The frame as one colour, the picture in it."""
        assert subject.inset is not None
        picture = subject.inset[0]
        inner = fit(picture.width, picture.height, area.smaller(_FRAME))
        inner = inner._replace(y=area.bottom - _FRAME - inner.height)  # on its label
        if inner.width < 8 or inner.height < 8:
            return []
        if self._inset is None or self._inset[:2] != (subject.inset_at_ns, inner):
            rgb = np.frombuffer(picture.rgb, np.uint8).reshape(picture.height, picture.width, 3)
            packed = Packer(screen.packing, picture.width, picture.height, inner.width, inner.height).pack(rgb)
            self._inset = (subject.inset_at_ns, inner, packed)
        frame = colour(screen.packing, self._colours.frame)
        return [(inner.larger(_FRAME), frame), (inner, self._inset[2])]
