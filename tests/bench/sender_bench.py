"""The sender against DCMTK's tools in the same run, interleaved and repeated, medians. Prints one JSON object.

    python -m tests.bench.sender_bench [--only stills_storescp,clips,…] [--repeats 3] [--stills 300]
                                       [--clip-mib 2048] [--folder DIR]

Every row: what was measured, `ratio` against the peer tool where there is one, its `bar` (DESIGN section 8) and
whether it is reached, and the machine's load before and after it. Needs four times the clip's room on the disk.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.bench import sender_engine, sender_load
from tests.bench.sender_load import Run, State, dcmsend, emptied, load, median_of, middle, ours, storescu
from tests.support.dcmtk import storescp
from tests.support.orthanc import orthanc
from tests.support.relay import Relay

SINK: Final = ("-pm", "+B", "--ignore")
"""The cheapest storescp: what a disk costs is not what a clip is measured for."""

THROTTLE: Final = 20_000_000
SEND_MB: Final = 100
ENGINE_MB: Final = 160
TLS_CLIP: Final = 1 << 30


@dataclass
class Bench:
    """The objects are made when a row first wants them."""

    root: Path
    repeats: int
    stills: int
    clip_bytes: int
    _made: dict[str, tuple[State, list[Path]]] = field(default_factory=dict)

    def objects(self, kind: str, size: int = 0) -> tuple[State, list[Path]]:
        """The state folder and the Part 10 files of `still` or `clip`, the latter of `size` bytes."""
        key = f"{kind}-{size}"
        if key not in self._made:
            sender_load.note(f"making {key}")
            state = State(self.root / key)
            if kind == "still":
                sender_load.put_stills(state.spool, self.stills, 500_000)
            else:
                sender_load.put_clip(state.spool, size)
            self._made[key] = state, state.files(self.root / f"{key}-dcm")
        return self._made[key]

    def drop(self, kind: str, size: int = 0) -> None:
        """Makes room on the disk."""
        key = f"{kind}-{size}"
        if self._made.pop(key, None):
            shutil.rmtree(self.root / key)
            shutil.rmtree(self.root / f"{key}-dcm")

    @contextmanager
    def place(self) -> Iterator[Path]:
        with emptied(self.root / "peer") as folder:
            yield folder


def _size(files: Sequence[Path]) -> int:
    return sum(path.stat().st_size for path in files)


def _seconds(runs: Sequence[Run]) -> float:
    return round(middle([item.seconds for item in runs]), 3)


def _sending(run: Run) -> float:
    """From the first object to the last answer, as `dicom send` tells."""
    return float(json.loads(run.text)["seconds"])


def judged(
    row: dict[str, Any], ratio: float | None = None, bar: float | None = None, **most: float
) -> dict[str, Any]:
    """`most`: values of the row that must not be higher."""
    if ratio is not None:
        row |= {"ratio": round(ratio, 2), "bar": bar}
    row |= {f"{name}_bar": value for name, value in most.items()}
    good = (ratio is None or bar is None or ratio >= bar) and all(row[name] <= top for name, top in most.items())
    return row | {"ok": good}


# ---- rows


def stills_storescp(bench: Bench) -> dict[str, Any]:
    """A stock storescp that writes to disk; whole commands."""
    return _stills(bench, 8, lambda folder: storescp(folder / "scp"), "STORESCP")


def stills_orthanc(bench: Bench) -> dict[str, Any]:
    """A stock Orthanc, an empty one for each command; whole commands."""
    stock: dict[str, Any] = {"MaximumPduLength": 16384, "OverwriteInstances": False}
    return _stills(bench, 4, lambda folder: orthanc(folder / "orthanc", **stock), "ORTHANC")


def _stills(bench: Bench, bar: float, peer: Callable[[Path], Any], aet: str) -> dict[str, Any]:
    _, files = bench.objects("still")

    def to_peer(send: Callable[[int], Run]) -> Callable[[], Run]:
        def once() -> Run:
            with bench.place() as folder, peer(folder) as running:
                return send(running.port)

        return once

    runs = median_of(
        bench.repeats,
        storescu=to_peer(lambda port: storescu(port, aet, "still", files)),
        dcmsend=to_peer(lambda port: dcmsend(port, aet, files)),
        ours=to_peer(lambda port: ours(port, aet, files)),
    )
    row = {f"{name}_s": _seconds(found) for name, found in runs.items()}
    row |= {"ours_sending_s": round(middle([_sending(item) for item in runs["ours"]]), 3)}
    row |= {"times_dcmsend": round(row["dcmsend_s"] / row["ours_s"], 2)}
    return judged(row, row["storescu_s"] / row["ours_s"], bar)


def stills_nodelay(bench: Bench) -> dict[str, Any]:
    """A storescp that answers at once: from our first object to the last answer against storescu's whole run."""
    row = _stills(bench, 0.5, lambda folder: storescp(folder / "scp", environment={"TCP_NODELAY": "1"}), "STORESCP")
    row |= {"ratio_whole_command": row["ratio"]}
    return judged(row, row["storescu_s"] / row["ours_sending_s"], 0.5)


def clips(bench: Bench) -> dict[str, Any]:
    """One clip to a storescp that throws it away, at two PDU sizes of the peer; whole commands."""
    _, files = bench.objects("clip", bench.clip_bytes)
    _read(files)
    rows = {}
    for pdu in (131072, 16384):
        with bench.place() as folder, storescp(folder, *SINK, "-pdu", str(pdu)) as peer:
            rows[f"pdu_{pdu}"] = _clip_row(bench, peer.port, files)
    return rows


def _clip_row(bench: Bench, port: int, files: list[Path], *theirs: str, mine: Sequence[str] = ()) -> dict[str, Any]:
    host = "localhost" if mine else "127.0.0.1"
    runs = median_of(
        bench.repeats,
        storescu=lambda: storescu(port, "SINK", "clip", files, *theirs),
        ours=lambda: ours(port, "SINK", files, *mine, host=host),
    )
    size = _size(files)
    seconds = {name: _seconds(found) for name, found in runs.items()}
    sending = middle([_sending(item) for item in runs["ours"]])
    row: dict[str, Any] = {f"{name}_mb_per_s": round(size / value / 1e6, 1) for name, value in seconds.items()}
    row |= {"ours_sending_mb_per_s": round(size / sending / 1e6, 1)}
    row |= {"ours_peak_mb": max(item.peak_mb for item in runs["ours"])}
    return judged(row, seconds["storescu"] / seconds["ours"], 0.9, ours_peak_mb=SEND_MB)


def engine(bench: Bench) -> dict[str, Any]:
    """The engine itself, with its queue and its ledger, beside storescu sending the same files."""
    rows = {}
    for kind, size, options in (("still", 0, ()), ("clip", bench.clip_bytes, SINK)):
        state, files = bench.objects(kind, size)
        _read(files)
        options = (*options, "-pdu", "131072")
        runs, theirs = [], []
        for _ in range(bench.repeats):
            with bench.place() as folder, storescp(folder, *options) as peer:
                theirs.append(storescu(peer.port, "SINK", kind, files).seconds)
            with bench.place() as folder:
                runs.append(sender_engine.deliver(state, len(files), [sender_engine.sink(folder, *options)]))
        seconds, total = middle([item.seconds for item in runs]), _size(files)
        row: dict[str, Any] = {"engine_s": round(seconds, 3), "storescu_s": round(middle(theirs), 3)}
        row |= {"engine_mb_per_s": round(total / seconds / 1e6, 1)}
        row |= {"times_storescu": round(row["storescu_s"] / row["engine_s"], 2)}
        row |= {"engine_idle_mb": max(item.idle_mb for item in runs)}
        row |= {"engine_mb": max(item.peak_mb for item in runs)}
        rows[kind] = judged(row, engine_mb=ENGINE_MB)
    return rows


def throttled(bench: Bench) -> dict[str, Any]:
    """A link of 20 MB/s: engine, `dicom send` and storescu one after the other, the clip and then the stills."""
    rows = {}
    for kind, size in (("still", 0), ("clip", bench.clip_bytes)):
        state, files = bench.objects(kind, size)
        total = _size(files)
        found: dict[str, float] = {}
        with bench.place() as folder, storescp(folder, *SINK, "-pdu", "131072") as peer:
            with Relay(peer.port, THROTTLE) as relay:
                theirs = storescu(relay.port, "SINK", kind, files)
                mine = ours(relay.port, "SINK", files)
            done = sender_engine.deliver(state, len(files), [sender_engine.sink(folder, *SINK)], throttle=THROTTLE)
        found = {"storescu_s": theirs.seconds, "ours_s": mine.seconds, "engine_s": done.seconds}
        row: dict[str, Any] = {name: round(value, 2) for name, value in found.items()}
        row |= {"engine_mb_per_s": round(total / done.seconds / 1e6, 1)}
        row |= {"ours_peak_mb": mine.peak_mb, "engine_mb": done.peak_mb}
        rows[kind] = judged(row, theirs.seconds / mine.seconds, None, ours_peak_mb=SEND_MB, engine_mb=ENGINE_MB)
    return rows


def parallel(bench: Bench) -> dict[str, Any]:
    """Four associations to each of two archives at once, beside one to each, and four storescu to each."""
    state, files = bench.objects("still")
    runs: dict[int, list[sender_engine.Delivered]] = {1: [], 4: []}
    theirs = []
    for _ in range(bench.repeats):
        for associations, found in runs.items():
            with bench.place() as folder:
                sinks = [sender_engine.sink(folder / name, "--fork") for name in ("one", "two")]
                found.append(sender_engine.deliver(state, len(files), sinks, associations=associations))
        with bench.place() as folder, ExitStack() as stack:
            peers = [stack.enter_context(storescp(folder / name, "--fork")) for name in ("one", "two")]
            theirs.append(sender_load.at_once([(peer.port, files[part::4]) for peer in peers for part in range(4)]))
    row: dict[str, Any] = {f"engine_{count}_s": round(middle([item.seconds for item in found]), 3)
                           for count, found in runs.items()}  # fmt: skip
    row |= {"storescu_4_s": round(statistics.median(theirs), 3)}
    row |= {"times_one_association": round(row["engine_1_s"] / row["engine_4_s"], 2)}
    row |= {"connections_seen": max(item.connections for item in runs[4])}
    row |= {"engine_mb": max(item.peak_mb for item in runs[4])}
    return judged(row, row["storescu_4_s"] / row["engine_4_s"], None, engine_mb=ENGINE_MB)


def tls(bench: Bench) -> dict[str, Any]:
    """storescp over TLS, the server's certificate verified by both: 1 GiB, and stills to disk."""
    made = sender_load.certificates(bench.root / "ca")
    _, files = bench.objects("clip", TLS_CLIP)
    _read(files)
    with bench.place() as folder, storescp(folder, *SINK, "-pdu", "131072", *made.of_scp) as peer:
        rows = {"clip": _clip_row(bench, peer.port, files, *made.of_scu, mine=made.ours)}
    bench.drop("clip", TLS_CLIP)
    _, files = bench.objects("still")
    runs: dict[str, list[Run]] = {"storescu": [], "ours": []}
    for _ in range(bench.repeats):
        with bench.place() as folder, storescp(folder, *made.of_scp) as peer:
            runs["storescu"].append(storescu(peer.port, "STORESCP", "still", files, *made.of_scu))
            runs["ours"].append(ours(peer.port, "STORESCP", files, *made.ours, host="localhost"))
    row = {f"{name}_s": _seconds(found) for name, found in runs.items()}
    rows["stills"] = judged(row, row["storescu_s"] / row["ours_s"], 8)
    return rows


def _read(files: Sequence[Path]) -> None:
    """Who comes first must not be the only one who waits for the disk."""
    for path in files:
        with path.open("rb", buffering=0) as file:
            while file.read(1 << 20):
                pass


_ALL: Final = (stills_storescp, stills_orthanc, stills_nodelay, clips, engine, throttled, parallel, tls)
ROWS: Final[dict[str, Callable[[Bench], dict[str, Any]]]] = {item.__name__: item for item in _ALL}


def main(argv: Sequence[str]) -> int:
    """Prints the JSON; 1 when there is no room for the clip."""
    parser = argparse.ArgumentParser(prog="sender_bench")
    parser.add_argument("--only", default=",".join(ROWS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--stills", type=int, default=300)
    parser.add_argument("--clip-mib", type=int, default=2048)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args(argv)
    result: dict[str, Any] = {"repeats": options.repeats, "stills": options.stills, "clip_mib": options.clip_mib}
    with tempfile.TemporaryDirectory(prefix="sender-bench-", dir=options.folder) as root:
        if (free := shutil.disk_usage(root).free) < 4 * (options.clip_mib << 20):
            sender_load.note(f"{free >> 20} MB are free on that disk: too few for four clips")
            return 1
        bench = Bench(Path(root), options.repeats, options.stills, options.clip_mib << 20)
        for name in options.only.split(","):
            sender_load.note(f"measuring {name}")
            before, begun = load(), time.monotonic()
            row = ROWS[name](bench)
            result[name] = row | {"load": [before, load()], "took_s": round(time.monotonic() - begun)}
            sender_load.note(json.dumps(result[name]))
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
