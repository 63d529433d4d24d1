"""What `make test` calls: all tests side by side, and a second look at the very few that may have failed there.

The tests drive some hundred processes on a few cores. One that waits for a terminal or a peer may fail beside the
others without a defect of the box. It is run again, alone, three times; it counts as passed when it passes each
time, and is named as unsteady. No second look: with more than a few failures, and for what kills processes or loses
data on purpose (a picture that was lost once is a defect).
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).parents[1]
_FAILED: Final = _ROOT / ".pytest_cache/v/cache/lastfailed"
_MOST: Final = 3
_LOOKS: Final = 3
_NEVER: Final = ("tests/crash/", "tests/fault/")
_SOME_FAILED: Final = 1
"""pytest's exit status."""


def _pytest(*arguments: str) -> int:
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=_ROOT, check=False).returncode


def main(jobs: str, *arguments: str) -> int:
    _FAILED.unlink(missing_ok=True)
    status = _pytest("--numprocesses", jobs, "--dist", "loadfile", *arguments)
    if status != _SOME_FAILED:
        return status
    failed = sorted(json.loads(_FAILED.read_text(encoding="utf-8")))
    if len(failed) > _MOST or any(name.startswith(_NEVER) or "::" not in name for name in failed):
        return status
    for look in range(1, _LOOKS + 1):
        print(f"\nsecond look, {look} of {_LOOKS}, alone:", *failed, sep="\n  ", flush=True)
        if (status := _pytest("-p", "no:cacheprovider", "-p", "no:xdist", *failed)) != 0:
            return status
    print(f"\nUNSTEADY, failed beside the others (above) and passed {_LOOKS} times alone:", *failed, sep="\n  ")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
