"""Properties and fuzzing: how many examples, how bytes are damaged, and a child process to hold the consequences.

SMARTBOX_FUZZ=50 tries fifty times as many examples, and other ones in every run.
"""

from __future__ import annotations

import faulthandler
import importlib
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

FACTOR: Final = float(os.environ.get("SMARTBOX_FUZZ", "1"))
HANGS_S: Final = float(os.environ.get("SMARTBOX_HANGS_S", "10"))
"""No example takes so long on any machine, unless it hangs."""
MEMORY: Final = 384 << 20
"""What a parser of a few kilobytes may take beyond what the process has."""

_NUMBERS: Final = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)


def examples(count: int) -> settings:
    """`count` in CI, the same ones in every run there. No deadline of hypothesis': a loaded machine misses it."""
    return settings(
        max_examples=max(1, round(count * FACTOR)),
        deadline=None,
        derandomize=FACTOR == 1,
        database=None,
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.function_scoped_fixture,
            HealthCheck.large_base_example,
        ],
    )


def damaged(seeds: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """One of the seeds with up to six damages, most of them near its beginning, where headers are; seldom noise."""

    @st.composite
    def one(draw: st.DrawFn) -> bytes:
        data = bytearray(draw(st.sampled_from(seeds)))
        for _ in range(draw(st.integers(1, 6))):
            near = min(len(data), draw(st.sampled_from((64, 512, 4096, 1 << 30))))
            at = draw(st.integers(0, max(near - 1, 0)))
            match draw(st.integers(0, 7)):
                case 0:
                    data[at : at + 1] = bytes((data[at] ^ 1 << draw(st.integers(0, 7)),)) if at < len(data) else b""
                case 1:
                    data[at : at + 1] = bytes((draw(st.integers(0, 255)),))
                case 2 | 3:
                    size, order = draw(st.sampled_from((1, 2, 4, 8))), draw(st.sampled_from(("big", "little")))
                    number = draw(st.sampled_from(_NUMBERS)) & (1 << 8 * size) - 1
                    data[at : at + size] = number.to_bytes(size, order)
                case 4:
                    del data[at : at + draw(st.integers(1, 64))]
                case 5:
                    data[at:at] = data[at : at + draw(st.integers(1, 300))] * draw(st.integers(1, 8))
                case 6:
                    del data[at:]
                case _:
                    other = draw(st.sampled_from(seeds))
                    begin = draw(st.integers(0, max(len(other) - 1, 0)))
                    data[at : at + 200] = other[begin : begin + 200]
        return bytes(data)

    return st.one_of(one(), one(), one(), one(), st.binary(max_size=300))


@dataclass(frozen=True)
class Target:
    """`call` one parser; anything but `errors` that it raises is a crash."""

    call: Callable[[bytes], object]
    errors: tuple[type[Exception], ...]


def on_file(call: Callable[[Path], object]) -> Callable[[bytes], object]:
    """For a parser that reads a file."""

    def run(data: bytes) -> object:
        with NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            return call(Path(file.name))

    return run


def run_confined(place: str, folder: Path, count: int) -> None:
    """Runs a target in a child process with bounded memory and a watchdog. `place`: MODULE:NAME; MODULE has TARGETS
    by name, and `seeds(name, folder)`. Raises AssertionError with what the child said, and where the example is."""
    command = [sys.executable, "-m", "tests.support.fuzzing", place, str(folder), str(count)]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        command, cwd=Path(__file__).parents[2], env=environment, capture_output=True, check=False
    )
    if result.returncode:
        said = result.stderr.decode("utf-8", "replace")[-6000:]
        raise AssertionError(f"{place} ended with {result.returncode}; {folder / 'last'} holds the example\n{said}")


def _child(place: str, folder: Path, count: int) -> None:
    module_name, _, name = place.partition(":")
    module = importlib.import_module(module_name)
    target, seeds = module.TARGETS[name], module.seeds(name, folder)
    for seed in seeds:
        target_once(target, seed)  # also loads what is loaded late, before memory is counted
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    last = os.open(folder / "last", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)

    @given(damaged(seeds))
    @examples(count)
    def check(data: bytes) -> None:
        note(f"{len(data)} bytes, beginning {data[:64].hex()}")
        os.ftruncate(last, 0)
        os.pwrite(last, data, 0)
        faulthandler.dump_traceback_later(HANGS_S, exit=True)
        try:
            target_once(target, data)
        finally:
            faulthandler.cancel_dump_traceback_later()

    check()


def target_once(target: Target, data: bytes) -> None:
    try:
        target.call(data)
    except target.errors:
        pass


if __name__ == "__main__":
    _child(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
