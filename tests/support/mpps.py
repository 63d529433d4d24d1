"""A server of performed procedure steps, pynetdicom's, in a process of its own: killed and started at any moment.

`python -m tests.support.mpps PORT FOLDER MODE`. Its memory is FOLDER/<UID>.json; what it was told lies in
FOLDER/told.jsonl, one line a message, fsynced before the answer leaves.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

AET = "MPPS"
SLOW_S = 2.0
MODES = ("normal", "mute-create", "mute-set", "slow", "refuse", "busy", "final")
"""mute-…: keeps the message, and dies before it answers. slow: keeps it, and answers seconds later. refuse: 0106H.
busy: A700H to everything. final: every step is over before its N-SET comes (somebody else ended it)."""


@dataclass
class StepServer:
    """`start` and `kill` as often as a test likes; the port stays the same."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self, mode: str = "normal") -> None:
        from tests.support.dcmtk import wait_for_port

        self.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "tests.support.mpps", str(self.port), str(self.folder), mode]
        self.process = subprocess.Popen(command, cwd=Path(__file__).parents[2])
        wait_for_port(self.port, self.process)

    def kill(self) -> None:
        """kill -9; nothing happens when it died by itself."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def forget(self) -> None:
        """Its memory is gone; what it was told stays on record here."""
        for path in self.folder.glob("*.step"):
            path.unlink()

    def told(self) -> list[dict[str, Any]]:
        """Every message in order: {"verb", "uid", "status" (of the answer), "dataset" (DICOM JSON)}."""
        path = self.folder / "told.jsonl"
        whole = path.read_text().rpartition("\n")[0] if path.exists() else ""  # the last line may be half there
        return [json.loads(line) for line in whole.splitlines()]

    def steps(self) -> dict[str, dict[str, Any]]:
        """The data sets of the steps that it knows, by UID."""
        return {path.stem: json.loads(path.read_text()) for path in self.folder.glob("*.step")}

    def states(self) -> dict[str, str]:
        return {uid: value_of(step, "00400252") for uid, step in self.steps().items()}


def value_of(dataset: dict[str, Any], *path: str) -> Any:
    """The first value under these tags, through first items; None where there is none."""
    value: Any = dataset
    for tag in path:
        values = value.get(tag, {}).get("Value") if isinstance(value, dict) else None
        value = values[0] if values else None
    return value


@contextlib.contextmanager
def step_server(folder: Path, *, running: bool = True) -> Iterator[StepServer]:
    from tests.support.dcmtk import free_port

    server = StepServer(folder, free_port())
    try:
        if running:
            server.start()
        yield server
    finally:
        server.kill()


# ---- the child


class _Memory:
    def __init__(self, folder: Path, mode: str) -> None:
        self.folder, self.mode = folder, mode

    def _write(self, uid: str, step: dict[str, Any]) -> None:
        """Whole or not at all: the test reads while this process writes."""
        temporary = self._path(uid).with_suffix(".tmp")
        temporary.write_text(json.dumps(step))
        temporary.replace(self._path(uid))

    def _path(self, uid: str) -> Path:
        return self.folder / f"{uid}.step"

    def _note(self, verb: str, uid: str, status: int, dataset: Any) -> None:
        line = {"verb": verb, "uid": uid, "status": status, "dataset": dataset.to_json_dict()}
        with (self.folder / "told.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def create(self, event: Any) -> Any:
        uid, dataset = str(event.request.AffectedSOPInstanceUID), event.attribute_list
        if self.mode in ("refuse", "busy"):
            status = 0x0106 if self.mode == "refuse" else 0xA700
        elif self._path(uid).exists():
            status = 0x0111
        elif dataset.PerformedProcedureStepStatus != "IN PROGRESS":
            status = 0x0106
        else:
            status = 0
            self._write(uid, dataset.to_json_dict())
        self._note("create", uid, status, dataset)
        if self.mode == "mute-create":
            os._exit(1)
        if self.mode == "slow":
            time.sleep(SLOW_S)
        return status, dataset

    def set(self, event: Any) -> Any:
        from pydicom.dataset import Dataset

        uid, dataset = str(event.request.RequestedSOPInstanceUID), event.modification_list
        answer = Dataset()
        if self.mode == "busy":
            answer.Status = 0xA700
        elif not self._path(uid).exists():
            answer.Status = 0x0112
        else:
            known = json.loads(self._path(uid).read_text())
            if value_of(known, "00400252") != "IN PROGRESS" or self.mode == "final":
                answer.Status = 0x0110
                answer.ErrorComment = "Performed Procedure Step Object may no longer be updated"
                answer.ErrorID = 0xA710
            else:
                answer.Status = 0
                self._write(uid, known | dataset.to_json_dict())
        self._note("set", uid, answer.Status, dataset)
        if self.mode == "mute-set":
            os._exit(1)
        if self.mode == "slow":
            time.sleep(SLOW_S)
        return answer, dataset


def main(port: int, folder: Path, mode: str) -> None:
    from pynetdicom import AE, evt
    from pynetdicom.sop_class import ModalityPerformedProcedureStep

    assert mode in MODES, mode
    memory = _Memory(folder, mode)
    ae = AE(ae_title=AET)
    ae.add_supported_context(ModalityPerformedProcedureStep)
    ae.start_server(
        ("127.0.0.1", port),
        block=False,
        evt_handlers=[(evt.EVT_N_CREATE, memory.create), (evt.EVT_N_SET, memory.set)],
    )
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
