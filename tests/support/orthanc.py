"""A real Orthanc on free ports, with its storage in a temporary folder. A missing one is a visible skip."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.dcmtk import free_port, need, wait_for_port

DICOMWEB_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


def dicomweb() -> dict[str, Any]:
    """The keys that switch its web services on, below /dicom-web. Without the plugin (Debian: orthanc-dicomweb) a
    visible skip."""
    if not DICOMWEB_PLUGIN.exists():
        pytest.skip("orthanc-dicomweb is not installed")
    return {"Plugins": [str(DICOMWEB_PLUGIN)], "DicomWeb": {"Enable": True}}


@dataclass(frozen=True)
class Orthanc:
    """`port` speaks DICOM, `http_port` REST, both on this machine without a password."""

    aet: str
    port: int
    http_port: int

    @property
    def web(self) -> str:
        """The address of its DICOMweb services, where they are switched on."""
        return f"http://127.0.0.1:{self.http_port}/dicom-web"

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


def configure(folder: Path, aet: str, port: int, http_port: int, configuration: dict[str, Any]) -> Path:
    """Writes its configuration; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
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
    return path


def launch(configuration: Path, port: int, http_port: int) -> subprocess.Popen[bytes]:
    """Starts it and waits until it listens and answers. Raises RuntimeError, TimeoutError."""
    with (configuration.parent / "orthanc.log").open("ab") as log:
        process = subprocess.Popen([need("Orthanc"), str(configuration)], stdout=log, stderr=log)
    try:
        wait_for_port(port, process)
        wait_for_port(http_port, process)
        _wait_for_answers(http_port)
    except BaseException:
        end(process)
        raise
    return process


def _wait_for_answers(http_port: int, timeout_s: float = 60.0) -> None:
    """Its first connections after a start may be reset. One that wants a password, or TLS, says so."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{http_port}/system", timeout=10) as answer:
                answer.read()
            return
        except urllib.error.HTTPError:
            return
        except (OSError, http.client.HTTPException):
            if time.monotonic() > deadline:
                raise TimeoutError("Orthanc listens, and does not answer") from None
            time.sleep(0.1)


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def orthanc(folder: Path, *, aet: str = "ORTHANC", **configuration: Any) -> Iterator[Orthanc]:
    """Runs Orthanc until the block ends. `configuration`: more keys of its JSON, e.g. `Plugins=[...]`."""
    need("Orthanc")
    port, http_port = free_port(), free_port()
    process = launch(configure(folder, aet, port, http_port, configuration), port, http_port)
    try:
        yield Orthanc(aet, port, http_port)
    finally:
        end(process)
