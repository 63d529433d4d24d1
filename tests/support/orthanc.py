"""A real Orthanc on free ports, with its storage in a temporary folder. A missing one is a visible skip."""

from __future__ import annotations

import contextlib
import json
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.dcmtk import free_port, need, wait_for_port


@dataclass(frozen=True)
class Orthanc:
    """`port` speaks DICOM, `http_port` REST, both on this machine without a password."""

    aet: str
    port: int
    http_port: int

    def get(self, path: str) -> bytes:
        """The answer's body. Raises urllib.error.HTTPError."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=60) as answer:
            body: bytes = answer.read()
            return body

    def json(self, path: str) -> Any:
        return json.loads(self.get(path))

    def file_of(self, sop_instance_uid: str) -> bytes:
        """The DICOM file of one instance as Orthanc holds it. Raises LookupError."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http_port}/tools/lookup", data=sop_instance_uid.encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            found = [item for item in json.loads(answer.read()) if item["Type"] == "Instance"]
        if not found:
            raise LookupError(sop_instance_uid)
        return self.get(f"/instances/{found[0]['ID']}/file")

    def instances(self) -> list[str]:
        """Orthanc's own ids."""
        ids: list[str] = self.json("/instances")
        return ids


@contextlib.contextmanager
def orthanc(folder: Path, *, aet: str = "ORTHANC", **configuration: Any) -> Iterator[Orthanc]:
    """Runs Orthanc until the block ends. `configuration`: more keys of its JSON, e.g. `Plugins=[...]`."""
    program = need("Orthanc")
    folder.mkdir(parents=True, exist_ok=True)
    port, http_port = free_port(), free_port()
    values = {
        "Name": aet,
        "DicomAet": aet,
        "DicomPort": port,
        "HttpPort": http_port,
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "index"),
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAlwaysAllowStore": True,
        "DicomCheckCalledAet": False,
        "OverwriteInstances": True,
        "DefaultEncoding": "Utf8",
        "MaximumPduLength": 131072,
        **configuration,
    }
    path = folder / "orthanc.json"
    path.write_text(json.dumps(values))
    with (folder / "orthanc.log").open("wb") as log:
        process = subprocess.Popen([program, str(path)], stdout=log, stderr=log)
    try:
        wait_for_port(port, process)
        wait_for_port(http_port, process)
        yield Orthanc(aet, port, http_port)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
