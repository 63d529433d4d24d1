"""An MPPS server of another maker: dcmjs-dimse, under node. What is missing is a visible skip."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.dcmtk import free_port, need, wait_for_port

_PACKAGE = "dcmjs-dimse@0.3.3"
_SERVER = r"""
const dimse = require('dcmjs-dimse');
const { NCreateResponse, NSetResponse } = dimse.responses;
const { Status, PresentationContextResult, SopClass } = dimse.constants;
const fs = require('fs');
const steps = {};
const save = () => fs.writeFileSync(process.argv[3] + '.tmp', JSON.stringify(steps)) ||
  fs.renameSync(process.argv[3] + '.tmp', process.argv[3]);
class Mpps extends dimse.Scp {
  associationRequested(association) {
    for (const { id } of association.getPresentationContexts()) {
      const pc = association.getPresentationContext(id);
      const ours = pc.getAbstractSyntaxUid() === SopClass.ModalityPerformedProcedureStep;
      for (const syntax of pc.getTransferSyntaxUids()) {
        if (ours) { pc.setResult(PresentationContextResult.Accept, syntax); }
        else { pc.setResult(PresentationContextResult.RejectAbstractSyntaxNotSupported, syntax); }
      }
    }
    this.sendAssociationAccept();
  }
  nCreateRequest(request, callback) {
    const uid = request.getAffectedSopInstanceUid();
    const response = NCreateResponse.fromRequest(request);
    if (steps[uid]) { response.setStatus(Status.DuplicateSOPInstance); }
    else { steps[uid] = request.getDataset().getElements(); save(); response.setStatus(Status.Success); }
    callback(response);
  }
  nSetRequest(request, callback) {
    const uid = request.getRequestedSopInstanceUid();
    const response = NSetResponse.fromRequest(request);
    if (!steps[uid]) { response.setStatus(Status.NoSuchObjectInstance); }
    else {
      Object.assign(steps[uid], request.getDataset().getElements());
      save();
      response.setStatus(Status.Success);
    }
    callback(response);
  }
  associationReleaseRequested() { this.sendAssociationReleaseResponse(); }
}
const server = new dimse.Server(Mpps);
server.on('networkError', () => {});
server.listen(Number(process.argv[2]));
"""


@dataclass(frozen=True)
class DcmjsServer:
    port: int
    _kept: Path

    def steps(self) -> dict[str, Any]:
        """The steps by UID, in dcmjs's own naturalised form."""
        value: dict[str, Any] = json.loads(self._kept.read_text()) if self._kept.exists() else {}
        return value


@contextlib.contextmanager
def dcmjs_mpps(folder: Path) -> Iterator[DcmjsServer]:
    """Runs the server until the block ends. A new one begins with no step."""
    node, modules = need("node"), _modules()
    script = folder / "server.cjs"
    script.write_text(_SERVER)
    port, kept = free_port(), folder / "steps.json"
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [node, str(script), str(port), str(kept)],
            stdout=log,
            stderr=log,
            env=os.environ | {"NODE_PATH": str(modules)},
        )
    try:
        wait_for_port(port, process)
        yield DcmjsServer(port, kept)
    finally:
        process.terminate()
        process.wait(10)


def _modules() -> Path:
    """The folder with the package: from the cache, else fetched once within half a minute."""
    cache = (
        Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "smartbox-tests" / "dcmjs-dimse-0.3.3"
    )
    modules = cache / "node_modules"
    if (modules / "dcmjs-dimse" / "package.json").exists():
        return modules
    npm, temporary = need("npm"), cache.with_name(f"{cache.name}.{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(temporary), _PACKAGE]
    try:
        subprocess.run(command, check=True, timeout=30, stdin=subprocess.DEVNULL, capture_output=True)
        temporary.rename(cache)
    except (subprocess.SubprocessError, OSError) as exc:
        shutil.rmtree(temporary, ignore_errors=True)
        pytest.skip(f"dcmjs-dimse is not installed and cannot be fetched ({type(exc).__name__})")
    return modules
