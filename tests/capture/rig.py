"""Capture under test: in this process on scripted sources, or as the real process on the test pattern."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import av
import msgspec
import numpy as np

from hw.base import VideoSource
from hw.video.strip import read_strip
from smartbox_tui.capture.accelerated import Encoders, no_encoders
from smartbox_tui.capture.assembly import REAL, Assembly, Hardware
from smartbox_tui.model.uids import uid_of
from smartbox_tui.settings.destination import Destination
from smartbox_tui.settings.paths import Paths
from smartbox_tui.settings.schema import Pedal, Recording, Settings, Source
from smartbox_tui.spool.examfile import ExamFile, RevisionFile, create_exam
from smartbox_tui.spool.layout import exam_dir
from smartbox_tui.spool.sidecar import Sidecar, read_sidecar
from smartbox_tui.wire import client, commands, events, times
from tests.support import encoders as fakes


def until(condition: Callable[[], Any], timeout_s: float = 10.0, what: str = "") -> Any:
    """What `condition` answers once it is true."""
    give_up = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < give_up, f"did not happen: {what or condition}"
        time.sleep(0.01)
    return value


def new_id() -> str:
    return str(uuid4())


def exam_in(spool: Path, patient: str = "4711") -> str:
    """An open exam, as the engine makes it."""
    exam = uuid4()
    now = times.now()
    create_exam(
        exam_dir(spool, str(exam)),
        ExamFile(str(exam), "open", uid_of(exam), now, "engine"),
        RevisionFile(1, {"id": patient, "name": "Test^Case", "sex": "F", "birth_date": "1961-03-14"}, now),
    )
    return str(exam)


class Rig:
    """Capture without its socket. `more`: further sources by id, set as the first one is."""

    def __init__(self, root: Path, source: VideoSource | None = None, **settings: Any) -> None:
        self.paths = Paths(settings.pop("state", root / "state"), root / "run")
        for folder in (self.paths.spool, self.paths.runtime):
            folder.mkdir(parents=True, exist_ok=True)
        source_settings = {"id": "endo", "kind": "pattern", "size": "320x240", "preroll_s": 1.0}
        source_settings |= settings.pop("of", {})
        # 0: tests fill disks to the last byte
        settings["recording"] = replace(
            settings.get("recording", Recording()), reserve_bytes=settings.pop("reserve_bytes", 0)
        )
        pedals = settings.pop("pedal_sources", {})
        encoders = settings.pop("encoders", no_encoders)
        more = settings.pop("more", {})
        others = tuple(Source(**(source_settings | {"id": identity})) for identity in more)
        hotplug = settings.pop("hotplug", REAL.hotplug)
        self.settings = Settings(sources=(Source(**source_settings), *others), **settings)
        video = REAL.video if source is None else lambda each: more.get(each.id, source)
        self.hardware = Hardware(video, lambda pedal: pedals.get(pedal.id), encoders=encoders, hotplug=hotplug)
        self.events: list[msgspec.Struct] = []
        self.assembly = self._assembly()

    def _assembly(self) -> Assembly:
        return Assembly(
            self.paths,
            self.settings,
            self.hardware,
            self.events.append,
            lambda: logging.error("a thread died"),
        )

    def __enter__(self) -> Rig:
        self.assembly.start()
        until(lambda: self.source().signal, what="signal")
        return self

    def __exit__(self, *_: object) -> None:
        self.assembly.close()

    def restart(self) -> None:
        """A clean end and a new start on the same folders."""
        self.assembly.close()
        self.assembly = self._assembly()
        self.__enter__()

    def command(self, kind: type[commands.Command], **values: Any) -> Any:
        """The answer as plain JSON."""
        values.setdefault("id", new_id())
        return json.loads(msgspec.json.encode(self.assembly.service.answer(kind(**values))))

    def still(self, **values: Any) -> Any:
        return self.command(commands.Still, **values)["instance"]

    def record(self, seconds: float, **values: Any) -> Any:
        """A recording of about that long, stopped; the stop's answer."""
        self.command(commands.RecordStart, **values)
        time.sleep(seconds)
        return self.command(commands.RecordStop)

    def source(self) -> Any:
        return self.assembly.service.sources()[0]

    def told(self, kind: type[msgspec.Struct]) -> list[Any]:
        return [each for each in self.events if isinstance(each, kind)]

    def sidecar(self, instance: Any) -> Sidecar:
        return read_sidecar(self.file(instance).with_suffix(".json"))

    def file(self, instance: Any) -> Path:
        suffix = {"clip": "ts", "burst": "mjpeg"}.get(instance["kind"], "jpg")
        return self.paths.spool / instance["exam"] / f"{instance['id']}.{suffix}"


def strips(path: Path) -> list[int]:
    """The frame numbers in a clip; each strip is checked."""
    numbers = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            plane = frame.planes[0]
            luma = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:, : plane.width]
            strip = read_strip(luma)
            assert strip.ok
            numbers.append(strip.number)
    return numbers


def probe(path: Path) -> dict[str, Any]:
    """What ffprobe says of a clip's video stream; its frames are counted by decoding them."""
    answer = subprocess.run(
        ["ffprobe", "-v", "error", "-count_frames", "-select_streams", "v", "-show_streams", "-of", "json", path],
        capture_output=True,
        check=True,
    )
    assert not answer.stderr, answer.stderr
    stream: dict[str, Any] = json.loads(answer.stdout)["streams"][0]
    return stream


class Process:
    """The real capture process on the test pattern."""

    def __init__(self, root: Path, size: str = "320x240", extra: str = "", keys: str = "") -> None:
        self.paths = Paths(root / "state", root / "run")
        self.config = root / "smartbox.toml"
        root.mkdir(parents=True, exist_ok=True)
        self.config.write_text(
            f'[[sources]]\nid = "endo"\nkind = "pattern"\nsize = "{size}"\npreroll_s = 1.0\n{keys}\n{extra}'
        )
        self.child: subprocess.Popen[bytes] | None = None

    def start(self, *, wait: bool = True) -> subprocess.Popen[bytes]:
        # A session of its own, as a service manager and the demo give it: niceness counts within one.
        command = [sys.executable, "-m", "tests.capture.rig", str(self.config.parent)]
        self.child = subprocess.Popen(command, start_new_session=True)
        if wait:
            until(lambda: self._signal(), what="the process delivers")
        return self.child

    def _signal(self) -> bool:
        assert self.child is not None
        assert self.child.poll() is None, "capture has ended"
        if not self.paths.capture_socket.exists():
            return False
        try:
            return bool(self.status()["sources"][0]["signal"])
        except Exception:
            return False

    def status(self) -> Any:
        return client.get(self.paths.capture_socket, "/v1/status")

    def command(self, kind: str, **values: Any) -> Any:
        return client.command(self.paths.capture_socket, {"type": kind, "id": new_id()} | values)

    def kill(self) -> None:
        assert self.child is not None
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()

    def end(self) -> int:
        assert self.child is not None
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        return self.child.wait(15)

    def sidecars(self) -> list[Sidecar]:
        paths = [path for path in self.paths.spool.glob("*/*.json") if len(path.stem) == 36]
        return sorted((read_sidecar(path) for path in paths), key=lambda each: each.frame_ns)

    def bitstream(self, sidecar: Sidecar) -> Path:
        return self.paths.spool / sidecar.exam / sidecar.file


@contextmanager
def process(root: Path, **values: Any) -> Iterator[Process]:
    running = Process(root, **values)
    running.start()
    try:
        yield running
    finally:
        running.end()


def main() -> int:
    """The process's own main, without the command line."""
    from smartbox_tui.capture.app import run
    from smartbox_tui.settings.load import load

    logging.basicConfig(level=os.environ.get("RIG_LOG", "WARNING"))
    root = Path(sys.argv[1])
    loaded = load(root / "smartbox.toml", None)
    recording = replace(loaded.settings.recording, reserve_bytes=int(os.environ.get("RIG_FREE", "0")))
    loaded = replace(loaded, settings=replace(loaded.settings, recording=recording))
    hardware = REAL
    if after := os.environ.get(
        "RIG_CRASH_AFTER"
    ):  # pictures that a hardware encoder's driver takes before it crashes
        hardware = replace(REAL, encoders=partial(crashing, int(after)))
    return run(Paths(root / "state", root / "run"), loaded, hardware)


def crashing(after: int, folder: Path) -> Encoders:
    """One encoder, which takes the process with it, as drivers do that live in it."""

    class Crashes(fakes.Fails):
        def made(self, *arguments: Any) -> Any:
            if self.count > after:
                os.kill(os.getpid(), signal.SIGSEGV)
            return self.maker.encode(*arguments[:3], idr=arguments[3])

    return fakes.encoders(fakes.candidate("qsv", fakes.made_by(fakes.OTHER, Crashes), good=True), folder=folder)


__all__ = [
    "Destination",
    "Pedal",
    "Process",
    "Rig",
    "events",
    "exam_in",
    "new_id",
    "probe",
    "process",
    "strips",
    "until",
]

if __name__ == "__main__":
    sys.exit(main())
