"""Start and idle of the three processes on this machine: from exec to ready, memory, processor. Prints JSON.

    python -m tests.bench.start_bench [--rounds 5] [--idle 10]

Each alone, as its unit starts it, with a 640x360 pattern source; `pss_mb` and `idle_core_percent` after `--idle` s.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from typing import Any

from tests.support.starting import NAMES, cpu, pss_mb, started


def measure(name: str, rounds: int, idle_s: float) -> dict[str, Any]:
    """Medians; the last round goes on to be measured idle."""
    wall, used = [], []
    for number in range(rounds):
        with started(name) as ready:
            wall.append(ready.wall_s)
            used.append(ready.cpu_s)
            if number < rounds - 1:
                continue
            time.sleep(2.0)  # what it does right after it is ready is no idling
            begun, before = time.monotonic(), cpu(ready.pid)
            time.sleep(idle_s)
            share = (cpu(ready.pid) - before) / (time.monotonic() - begun)
            memory = pss_mb(ready.pid)
    with started(name, imports=True) as ready:
        modules = len(ready.modules)
    return {
        "ready_s": round(statistics.median(wall), 2),
        "ready_cpu_s": round(statistics.median(used), 2),
        "modules": modules,
        "pss_mb": memory,
        "idle_core_percent": round(share * 100, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="start_bench")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--idle", type=float, default=10.0)
    options = parser.parse_args()
    print(json.dumps({name: measure(name, options.rounds, options.idle) for name in NAMES}, indent=1))


if __name__ == "__main__":
    main()
