"""Which encoder makes a source's units: software at once, the hardware's where it has passed its test, software
again when that fails.

A running recording sees none of it: the hardware takes over only while nothing is recorded. Where it fails in the
middle of a recording, software makes the very picture that it failed on, as the first of a new stream: nothing is
lost, and the clip goes on in a new instance, for two streams are never in one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Final

import av

from hw.base import Frame, VideoFormat
from smartbox_tui.capture.accelerated import SOFTWARE, Candidate, Encoders
from smartbox_tui.capture.access import AccessUnit
from smartbox_tui.capture.clock import NS
from smartbox_tui.capture.encoder import NO_LIMIT, Encoder, UnitMaker
from smartbox_tui.capture.guarded import Failed, Guarded
from smartbox_tui.capture.selftest import pictures, sentence
from smartbox_tui.capture.spotcheck import SpotCheck
from smartbox_tui.media.encoders import CODECS
from smartbox_tui.model.formats import Format

log = logging.getLogger(__name__)

_OPEN_S: Final = 10.0
"""Loading a driver and the first picture may take that long; nobody waits for it."""

_WARM: Final = 3
_BUSY_S: Final = 5.0


class Makers:
    """`unit` and `close` belong to the encoding thread, the properties to any.

    encoder    the settings' word, `sources.encoder`
    recording  whether a clip is being written: then nothing changes that need not
    """

    def __init__(
        self,
        name: str,
        codec: str,
        bitrate: int,
        *,
        encoder: str = SOFTWARE,
        gop_bytes: int = NO_LIMIT,
        encoders: Encoders,
        recording: Callable[[], bool] = bool,
    ) -> None:
        self._name = name
        self._codec = CODECS[codec]
        self._bitrate = bitrate
        self._gop_bytes = gop_bytes
        self._encoders = encoders
        self._candidates = encoders.choose(codec, encoder)
        self._recording = recording
        self._maker: UnitMaker | None = None
        self._plan: Format | None = None
        self._candidate: Candidate | None = None  # in force; None: software
        self._check: SpotCheck | None = None
        self._lock = threading.Lock()
        self._round = 0  # of searching: what was searched for another format is of no use
        self._better: tuple[Candidate, Guarded] | None = None
        self._changed = threading.Condition(self._lock)
        self._notes: dict[str, str] = {}
        self.kind = SOFTWARE
        """What makes the units, by the settings' word."""
        self.failed = ""
        """Which encoder has failed in use, and why, as a sentence; empty: none, or it is in use again."""

    @property
    def note(self) -> str:
        """Why no better encoder is used, as parts of a sentence; empty where there is nothing to say."""
        with self._lock:
            return "; ".join(f"{kind}: {why}" for kind, why in self._notes.items())

    def unit(self, picture: Any, frame: Frame, plan: Format, lost: int, *, idr: bool) -> AccessUnit | None:
        """See UnitMaker's `encode`; raises what software's encoder does."""
        maker = self._maker
        if maker is None or maker.format != frame.format or self._plan != plan:
            maker = self._begin(frame.format, plan)
        elif self._better is not None and not self._recording():
            maker, idr = self._taken_over(maker), True
        try:
            return self._made(maker, picture, frame, lost, idr)
        except (av.FFmpegError, ValueError) as exc:
            if self._candidate is None:
                self._drop()
                raise
            maker = self._fallen_back(frame.format, plan, exc)
        try:
            return maker.encode(picture, frame.timestamp_ns, lost, idr=True)
        except (av.FFmpegError, ValueError):
            self._drop()
            raise

    def _made(self, maker: UnitMaker, picture: Any, frame: Frame, lost: int, idr: bool) -> AccessUnit | None:
        if self._check is not None and self._check.wrong:
            raise Failed(self._check.wrong)
        unit = maker.encode(picture, frame.timestamp_ns, lost, idr=idr)
        if self._check is not None and unit is not None:
            self._check.look(picture, unit)
        return unit

    def close(self) -> None:
        """The thread ends."""
        self._drop()

    def _begin(self, form: VideoFormat, plan: Format) -> UnitMaker:
        self._drop()
        maker = self._software(form, plan)
        self._search(form, plan)
        return maker

    def _software(self, form: VideoFormat, plan: Format) -> UnitMaker:
        maker = Encoder(self._codec, form, plan, self._bitrate, gop_bytes=self._gop_bytes)
        self._maker, self._plan, self._candidate, self.kind = maker, plan, None, SOFTWARE
        return maker

    def _drop(self) -> None:
        with self._changed:
            self._round += 1
            better, self._better = self._better, None
            self._changed.notify_all()
        for each in (self._maker, better and better[1], self._check):
            if each is not None:
                each.close()
        for candidate in (self._candidate, better and better[0]):
            if candidate is not None:
                self._encoders.use(candidate, self._codec.name, self._name, used=False)
        self._maker = self._check = self._candidate = None

    def _taken_over(self, before: UnitMaker) -> UnitMaker:
        with self._lock:
            better, self._better = self._better, None
        if better is None:
            return before
        candidate, maker = better
        before.close()
        self._maker, self._candidate, self.kind = maker, candidate, candidate.kind
        if self.failed.startswith(f"{candidate.kind}: "):
            self.failed = ""
        if self._plan is not None:
            self._check = SpotCheck(self._name, self._codec.name, self._plan, self._encoders.check_s)
        log.info("%s: %s encodes from now on", self._name, candidate.kind)
        return maker

    def _fallen_back(self, form: VideoFormat, plan: Format, exc: Exception) -> UnitMaker:
        candidate = self._candidate
        assert candidate is not None
        why = sentence(exc)
        self._encoders.failed(candidate, self._codec.name, f"it failed in use: {why}", exc)
        self.failed = f"{candidate.kind}: {why}"
        log.error("%s: %s failed, software encodes from now on: %s", self._name, candidate.kind, why)
        return self._begin(form, plan)

    # ---- the search, in a thread of its own

    def _search(self, form: VideoFormat, plan: Format) -> None:
        if self._candidates:
            arguments = (form, plan, self._round)
            threading.Thread(target=self._find, args=arguments, name=f"test-{self._name}", daemon=True).start()

    def _find(self, form: VideoFormat, plan: Format, round_: int) -> None:
        self._wait(round_, self._encoders.settle_s)
        while self._round == round_ and not self._found(form, plan, round_):
            wait_s = self._encoders.again_s(self._candidates, self._codec.name, plan, self._bitrate)
            if wait_s is None:
                return
            self._wait(round_, wait_s)
            while self._round == round_ and self._recording():  # a test costs what the recording may need
                self._wait(round_, _BUSY_S)

    def _wait(self, round_: int, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._round != round_, seconds)

    def _found(self, form: VideoFormat, plan: Format, round_: int) -> bool:
        """Whether there is a better one now."""
        for candidate in self._candidates:
            if self._round != round_:
                return False
            try:
                why = candidate.missing() or self._refusal(candidate, plan)
                maker = None if why else self._warmed(candidate, form, plan)
            except Failed as exc:
                why, maker = f"it passed its test and failed then: {exc}", None
                self._encoders.failed(candidate, self._codec.name, why, exc)
            except Exception as exc:  # a defect of a driver's or ours costs the hardware, never the recording
                log.exception("%s: the search for an encoder", self._name)
                why, maker = sentence(exc), None
            with self._lock:
                self._notes.pop(candidate.kind, None)
                if maker is None:
                    self._notes[candidate.kind] = why
                    continue
                if self._round == round_:
                    self._better = (candidate, maker)
                    return True
            maker.close()
            self._encoders.use(candidate, self._codec.name, self._name, used=False)
        return False

    def _refusal(self, candidate: Candidate, plan: Format) -> str:
        verdict = self._encoders.verdict(candidate, self._codec.name, plan, self._bitrate)
        return "" if verdict.ok else verdict.text

    def _warmed(self, candidate: Candidate, form: VideoFormat, plan: Format) -> Guarded:
        """Opened, and its first pictures made, which take longer. Raises Failed. From here on its driver lives in
        this process."""
        self._encoders.use(candidate, self._codec.name, self._name, used=True)
        try:
            maker = Guarded(
                lambda: candidate.make(form, plan, self._bitrate, self._gop_bytes),
                form,
                self._name,
                open_s=_OPEN_S,
                limit_s=self._encoders.limit_s,
            )
            for number, picture in zip(range(_WARM), pictures(plan.width, plan.height), strict=False):
                at_ns = int(number * NS / plan.fps)
                if maker.encode(picture, at_ns, 0, idr=not number, limit_s=_OPEN_S) is None:
                    maker.close()
                    raise Failed("it made nothing of a picture")
        except Failed:
            self._encoders.use(candidate, self._codec.name, self._name, used=False)
            raise
        return maker
