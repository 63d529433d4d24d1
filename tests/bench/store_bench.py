"""C-STORE against DCMTK's storescu in the same run: many stills, one large clip. Prints JSON.

    python -m tests.bench.store_bench [--stills 300] [--clip-mib 2048] [--skip-clip]

Stills go to a stock storescp that writes to disk and to a stock Orthanc, 0.5 MB each. The clip goes to a
storescp that throws it away, with PDUs of 128 and 16 KiB. Our sender runs in a process of its own, as
`smartbox dicom send` does; its peak memory and start-up are its own, and counted.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from smartbox_tui.dicom.build import build_header
from smartbox_tui.dicom.compose import compose
from smartbox_tui.model.instance import (
    H264_HP_41,
    JPEG_BASELINE,
    SOP_CLASSES,
    Equipment,
    Kind,
    Picture,
    StudyValues,
)
from smartbox_tui.model.patient import Patient
from smartbox_tui.model.uids import uid_of
from tests.support.dcmtk import storescp
from tests.support.orthanc import orthanc

_NOW = datetime.datetime(2026, 7, 1, 12, 0, tzinfo=datetime.UTC)
_SENDER = """
import json, resource, sys, time
from pathlib import Path
from smartbox_tui.dicom.compose import from_part10
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.dicom.scu.store import StoreSession
port, aet, paths = int(sys.argv[1]), sys.argv[2], [Path(line) for line in sys.stdin.read().split()]
objects = [from_part10(path) for path in paths]
begin = time.monotonic()
with StoreSession(Peer("127.0.0.1", port, aet), {(o.sop_class_uid, o.transfer_syntax_uid) for o in objects}) as s:
    statuses = {s.store(item).status for item in objects}
seconds = time.monotonic() - begin
peak = [int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("VmHWM")][0] / 1024
print(json.dumps({"seconds_sending": seconds, "peak_mib": peak, "statuses": sorted(statuses)}))
"""


def _picture(kind: Kind, word: str, syntax: str, size: int, number: int) -> Picture:
    clip = kind is Kind.CLIP
    return Picture(
        sop_instance_uid=uid_of(uuid4()),
        series_instance_uid="1.2.4",
        sop_class_uid=SOP_CLASSES[word],
        transfer_syntax_uid=syntax,
        kind=kind,
        series_number=1,
        instance_number=number,
        captured_at=_NOW,
        columns=1920,
        rows=1080,
        bitstream_bytes=size,
        sampling="420" if clip else "422",
        number_of_frames=9000 if clip else 1,
        frame_time_ms=1000 / 30 if clip else None,
    )


def _stills(folder: Path, count: int, size: int) -> list[Path]:
    folder.mkdir()
    bitstream = folder / "still.jpg"
    bitstream.write_bytes(b"\xff\xd8" + os.urandom(size - 4) + b"\xff\xd9")
    study = StudyValues(1, Patient("BENCH", "Bench^Mark"), uid_of(uuid4()), _NOW)
    paths = []
    for number in range(count):
        picture = _picture(Kind.STILL, "vl-endoscopic", JPEG_BASELINE, size, number)
        path = folder / f"{number:04d}.dcm"
        compose(build_header(study, picture, Equipment("BENCH")), bitstream, size).write(path)
        paths.append(path)
    return paths


def _clip(folder: Path, size: int) -> Path:
    """A sparse file: what it costs to read from a disk is not what is measured."""
    bitstream, path = folder / "clip.ts", folder / "clip.dcm"
    with bitstream.open("wb") as file:
        file.truncate(size)
    study = StudyValues(1, Patient("BENCH", "Bench^Mark"), uid_of(uuid4()), _NOW)
    picture = _picture(Kind.CLIP, "video-endoscopic", H264_HP_41, size, 1)
    item = compose(build_header(study, picture, Equipment("BENCH")), bitstream, size)
    head, _, tail = item.segments
    assert isinstance(head, bytes)
    assert isinstance(tail, bytes)
    with path.open("wb") as file:
        file.write(item.meta + head)
        file.seek(size, os.SEEK_CUR)
        file.write(tail)
    return path


def _read_once(path: Path) -> None:
    with path.open("rb", buffering=0) as file:
        while file.read(1 << 20):
            pass


def _ours(port: int, aet: str, paths: Sequence[Path]) -> dict[str, Any]:
    begin = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-c", _SENDER, str(port), aet],
        input="\n".join(map(str, paths)),
        capture_output=True,
        text=True,
        check=True,
    )
    return {"seconds": time.monotonic() - begin, **json.loads(result.stdout)}


def _storescu(port: int, aet: str, paths: Sequence[Path], option: str) -> float:
    begin = time.monotonic()
    command = ["storescu", "-aec", aet, "-R", option, "127.0.0.1", str(port), *map(str, paths)]
    subprocess.run(command, capture_output=True, check=True)
    return time.monotonic() - begin


def _compare(port: int, aet: str, paths: Sequence[Path], option: str) -> dict[str, Any]:
    size = sum(path.stat().st_size for path in paths)
    ours = _ours(port, aet, paths)
    theirs = _storescu(port, aet, paths, option)
    return {
        **{key: round(value, 3) if isinstance(value, float) else value for key, value in ours.items()},
        "mb_per_s": round(size / ours["seconds_sending"] / 1e6, 1),
        "storescu_seconds": round(theirs, 3),
        "storescu_mb_per_s": round(size / theirs / 1e6, 1),
        "times_storescu": round(theirs / ours["seconds"], 2),
    }


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="store-bench-") as name:
        yield Path(name)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="C-STORE against storescu")
    parser.add_argument("--stills", type=int, default=300)
    parser.add_argument("--still-bytes", type=int, default=500_000)
    parser.add_argument("--clip-mib", type=int, default=2048)
    parser.add_argument("--skip-clip", action="store_true")
    arguments = parser.parse_args(argv)
    report: dict[str, Any] = {}
    with _folder() as folder:
        if arguments.stills:
            stills = _stills(folder / "stills", arguments.stills, arguments.still_bytes)
            with storescp(folder / "scp") as peer:
                report["stills_storescp"] = _compare(peer.port, "STORESCP", stills, "-xy")
            with orthanc(folder / "orthanc", MaximumPduLength=16384) as archive:  # as it comes
                report["stills_orthanc"] = _compare(archive.port, archive.aet, stills, "-xy")
        if not arguments.skip_clip:
            clip = _clip(folder, arguments.clip_mib << 20)
            _read_once(clip)  # who comes second must not be the only one who finds it in the page cache
            for pdu in (131072, 16384):
                with storescp(folder / "sink", "-pdu", str(pdu), "-pm", "+B", "--ignore") as peer:
                    report[f"clip_pdu_{pdu}"] = _compare(peer.port, "STORESCP", [clip], "-xn")
    print(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
