"""`make bench`: all figures in one JSON object, beside the bars of DESIGN section 8. Never part of `make test`.

python -m tests.bench [--seconds 600] [--out bench.json] [--only box,sender,long,media,encoder,ui,touch,panel,start]
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any


def _run(module: str, *arguments: str) -> Any:
    """The JSON that a benchmark prints, in a process of its own."""
    print(f"running {module} {' '.join(arguments)}", file=sys.stderr, flush=True)
    done = subprocess.run(
        [sys.executable, "-m", f"tests.bench.{module}", *arguments], stdout=subprocess.PIPE, text=True, check=False
    )
    if not done.stdout.strip():
        return {"failed": done.returncode}
    return json.loads(done.stdout)


def main() -> int:
    """Writes and prints the figures; 1 when a benchmark could not be run."""
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--seconds", default="600")
    parser.add_argument("--out", default="bench.json")
    parser.add_argument("--only", default="box,sender,long,media,encoder,ui,touch,panel,start")
    options = parser.parse_args()
    wanted = options.only.split(",")
    result: dict[str, Any] = {"machine": {"python": platform.python_version(), "kernel": platform.release()}}
    if "box" in wanted:
        result["box"] = _run("box_bench", "--seconds", options.seconds)
    if "sender" in wanted:
        result["sender"] = _run("sender_bench")
    if "long" in wanted:
        result["long"] = _run("long_bench")
    if "media" in wanted:
        result["media"] = _run("media_bench")
    if "encoder" in wanted:
        result["encoder"] = _run("encoder_bench")
    if "ui" in wanted:
        result["ui"] = _run("ui_bench")
    if "touch" in wanted:
        result["touch"] = _run("touch_bench")
    if "panel" in wanted:
        result["panel"] = _run("panel_bench")
    if "start" in wanted:
        result["start"] = _run("start_bench")
    text = json.dumps(result, indent=1)
    Path(options.out).write_text(text + "\n", encoding="utf-8")
    print(text)
    return 1 if any("failed" in part for part in result.values() if isinstance(part, dict)) else 0


if __name__ == "__main__":
    sys.exit(main())
