"""The encoders that may take software's place: what the machine has, and what the self-test of each has said.

The test runs in a child process: a driver that crashes or hangs there harms no recording.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

from hw import accelerators
from hw.base import VideoFormat
from smartbox_tui.capture.encoder import Encoder, UnitMaker
from smartbox_tui.capture.guarded import LIMIT_S, Late
from smartbox_tui.capture.selftest import Verdict, examine
from smartbox_tui.media.encoders import CODECS, Codec
from smartbox_tui.media.hardware import HARDWARE, wished
from smartbox_tui.model.formats import Format
from smartbox_tui.settings.load import PARENT_VARIABLE

log = logging.getLogger(__name__)

SOFTWARE: Final = "software"
_TEST_S: Final = 30.0
"""The test itself gives up after three times its pictures' time; what is left hangs."""

_SETTLE_S: Final = 1.0
_CHECK_S: Final = 10.0
_AGAIN_S: Final = 60.0
_LONGER: Final = 4
_TRIES: Final = 3
_FORGOTTEN_S: Final = 3600.0
"""One that has worked for so long begins to be counted anew."""
_NOTE: Final = "encoder-"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An encoder beside software's.

    kind     the settings' word, `sources.encoder`
    make     opens it: the source's format, the plan, the bits a second, the bytes of a GOP
    test     its self-test, which blocks for seconds and may be run from any thread
    missing  why the machine cannot have it; empty: it may
    """

    kind: str
    make: Callable[[VideoFormat, Format, int, int], UnitMaker]
    test: Callable[[Format, int], Verdict]
    missing: Callable[[], str] = str


def candidates(codec: str, encoder: str) -> tuple[Candidate, ...]:
    """By the settings' words, the best first."""
    return tuple(_candidate(each) for each in wished(codec, encoder))


def _candidate(codec: Codec) -> Candidate:
    return Candidate(
        codec.kind,
        lambda form, plan, bitrate, gop_bytes: Encoder(codec, form, plan, bitrate, gop_bytes=gop_bytes),
        lambda plan, bitrate: in_child(codec.name, codec.kind, plan, bitrate),
        lambda: accelerators.missing(codec.kind),
    )


def in_child(codec: str, kind: str, plan: Format, bitrate: int, timeout_s: float = _TEST_S) -> Verdict:
    """`verdict_of` in a child process, which ends with this one."""
    command = [sys.executable, "-m", "smartbox_tui.cli", "media", "encoder", codec, kind, "--json"]
    command += ["--size", f"{plan.width}x{plan.height}", "--fps", str(plan.fps), "--bitrate", str(bitrate)]
    return judged(command, timeout_s)


def judged(command: list[str], timeout_s: float) -> Verdict:
    """What the child says, or how it died."""
    env = {**os.environ, PARENT_VARIABLE: str(os.getpid())}
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=timeout_s,
            env=env,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Verdict(False, f"its test did not end within {timeout_s:.0f} s", slow=True)
    except OSError as exc:
        return Verdict(False, f"its test could not be started: {exc.strerror}")
    if done.returncode < 0:
        return Verdict(False, f"its driver crashed in the test (signal {-done.returncode})")
    try:
        said = json.loads(done.stdout)
        return Verdict(bool(said["ok"]), str(said["text"]), float(said["picture_ms"]), bool(said["slow"]))
    except (ValueError, KeyError, TypeError):
        return Verdict(False, f"its test ended with status {done.returncode}")


def verdict_of(codec: str, kind: str, plan: Format, bitrate: int) -> Verdict:
    """The self-test in this process; `kind` may be software, too. Raises KeyError for what FFmpeg does not have."""
    chosen = CODECS[codec] if kind == SOFTWARE else HARDWARE[codec, kind]
    return examine(lambda form, plan, bits: Encoder(chosen, form, plan, bits), codec, plan, bitrate)


_Kind = tuple[str, str]
"""Codec and the settings' word for the encoder."""
_Format = tuple[str, str, Format, int]
"""The same, the plan and the bits a second."""
_Key = _Kind | _Format


@dataclass(slots=True)
class _TooLate:
    """One that was too slow, `times` so far: in use, or in the test of a format. Not looked at before `until_s`,
    nor before `answered`; `back`: it has passed its test since, and only the count is kept."""

    why: str
    times: int
    until_s: float
    answered: Callable[[], bool]
    back: bool = False


class Encoders:
    """What the process knows of its hardware's encoders, for all sources. Any thread.

    choose    gives the candidates
    settle_s  a format that does not stay so long is not worth a test
    check_s   so far apart are the pictures of one in use that are looked at
    limit_s   for one unit of one in use
    again_s   after that one that was too late is tested anew; then after four times that, and again
    folder    on tmpfs: what is in use is noted there. A process that died with one in use may have died of it, and
              the next one leaves it alone, until a clean end or the machine's next start
    """

    def __init__(
        self,
        choose: Callable[[str, str], tuple[Candidate, ...]] = candidates,
        *,
        settle_s: float = _SETTLE_S,
        check_s: float = _CHECK_S,
        limit_s: float = LIMIT_S,
        again_s: float = _AGAIN_S,
        folder: Path | None = None,
    ) -> None:
        self.choose = choose
        self.settle_s = settle_s
        self.check_s = check_s
        self.limit_s = limit_s
        self._again_s = again_s
        self._lock = threading.Lock()
        self._testing = threading.Lock()
        self._verdicts: dict[_Format, Verdict] = {}
        self._failed: dict[_Kind, str] = {}
        self._late: dict[_Key, _TooLate] = {}
        self._folder = folder
        for note in self._notes():
            _, codec, kind, source = note.name.split("-", 3)
            log.error("the recorder died while %s made %s of %s: it is not used", kind, codec, source)
            self._failed[codec, kind] = "the recorder died while it was in use"

    def verdict(self, candidate: Candidate, codec: str, plan: Format, bitrate: int) -> Verdict:
        """What the test of it says, which is made once for each format, one at a time; that it failed in a
        recording counts for all formats. What was only slow is tested anew, later."""
        key = (codec, candidate.kind, plan, bitrate)
        with self._testing:
            with self._lock:
                why, waiting = self._failed.get(key[:2]), self._waiting(key)
            if why:
                return Verdict(False, why)
            for late in waiting.values():
                if time.monotonic() < late.until_s or not late.answered():
                    return Verdict(False, late.why)
            found = self._verdicts.get(key)
            if found is None:
                found = candidate.test(plan, bitrate)
                with self._lock:
                    if found.ok or not (waiting or found.slow):
                        self._verdicts[key] = found
                        for late in waiting.values():
                            late.back = True
                    else:  # the machine may have as little time as before
                        self._put_off(next(iter(waiting), key), found.text, lambda: True)
                log.log(
                    logging.INFO if found.ok else logging.WARNING,
                    "encoder %s for %s %s: %s",
                    *(candidate.kind, codec, "passed its test" if found.ok else "is not used", found.text),
                )
            return found

    def failed(self, candidate: Candidate, codec: str, why: str, exc: Exception) -> None:
        """It is not tried again while the process lives; one that was only late is, some times."""
        key = (codec, candidate.kind)
        with self._lock:
            if isinstance(exc, Late):
                self._put_off(key, why, exc.answered)
            else:
                self._failed[key] = why

    def again_s(self, found: Iterable[Candidate], codec: str, plan: Format, bitrate: int) -> float | None:
        """Seconds until it is worth a look whether one of them may be used after all; None: it never is."""
        with self._lock:
            able = [(codec, each.kind) for each in found if (codec, each.kind) not in self._failed]
            waiting = [list(self._waiting((*kind, plan, bitrate)).values()) for kind in able]
        untils = [max(late.until_s for late in each) for each in waiting if each]
        wait_s = min(untils, default=0.0) - time.monotonic()
        return None if not untils else wait_s if wait_s > 0 else self._again_s

    def _waiting(self, key: _Format) -> dict[_Key, _TooLate]:
        """What was too slow and is not back: in use first. The caller has the lock."""
        known = {each: self._late[each] for each in (key[:2], key) if each in self._late}
        return {each: late for each, late in known.items() if not late.back}

    def _put_off(self, key: _Key, why: str, answered: Callable[[], bool]) -> None:
        """The caller has the lock."""
        before, now_s = self._late.pop(key, None), time.monotonic()
        times = before.times + 1 if before is not None and now_s < before.until_s + _FORGOTTEN_S else 1
        for each in [each for each in self._verdicts if each[: len(key)] == key]:
            del self._verdicts[each]
        if times > _TRIES:
            why = f"{why}; it was tried {times} times"
            if len(key) == 2:
                self._failed[key] = why
            else:
                self._verdicts[key] = Verdict(False, why)
            return
        until_s = now_s + self._again_s * _LONGER ** (times - 1)
        self._late[key] = _TooLate(f"{why}; it is tried again when nothing is recorded", times, until_s, answered)

    def use(self, candidate: Candidate, codec: str, source: str, *, used: bool) -> None:
        """Notes that a source's clips are made by it, or no more."""
        if self._folder is None:
            return
        note = self._folder / f"{_NOTE}{codec}-{candidate.kind}-{source}"
        try:
            if used:
                note.touch()
            else:
                note.unlink(missing_ok=True)
        except OSError as exc:
            log.warning("%s: %s", note.name, exc.strerror)

    def close(self) -> None:
        """A clean end: nothing is held against anyone any more."""
        for note in self._notes():
            note.unlink(missing_ok=True)

    def _notes(self) -> list[Path]:
        if self._folder is None:
            return []
        return [path for path in self._folder.glob(f"{_NOTE}*") if path.name.count("-") >= 3]


def no_encoders(_folder: Path | None = None) -> Encoders:
    """Software alone."""
    return Encoders(lambda _codec, _encoder: ())


@dataclass(frozen=True, slots=True)
class Finding:
    """Of one encoder, for people. `ok` None: the machine has no such hardware."""

    kind: str
    ok: bool | None
    text: str


def survey(codec: str, width: int, height: int, fps: Fraction, bitrate: int) -> list[Finding]:
    """The self-tests of all encoders that this machine has, software first, each in a child: seconds for each.

    Raises ValueError with a sentence where the codec can encode nothing of that size and rate.
    """
    plan = CODECS[codec].plan(width, height, fps)
    found = [Finding(SOFTWARE, *_said(in_child(codec, SOFTWARE, plan, bitrate)))]
    for candidate in candidates(codec, "auto"):
        if why := candidate.missing():
            found.append(Finding(candidate.kind, None, why))
        else:
            found.append(Finding(candidate.kind, *_said(candidate.test(plan, bitrate))))
    return found


def _said(verdict: Verdict) -> tuple[bool, str]:
    return verdict.ok, verdict.text
