"""Pictures put into a spool by hand, as capture would leave them."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import numpy as np
import simplejpeg

from smartbox_tui.spool.examfile import ExamFile, RevisionFile, create_exam
from smartbox_tui.spool.sidecar import Sidecar, SidecarState, write_sidecar
from smartbox_tui.wire.current import boot_id


def jpeg(width: int = 320, height: int = 240, shade: int = 0) -> bytes:
    """A 4:2:2 baseline JPEG of a gradient."""
    rows = np.linspace(0, 255, height, dtype=np.uint8)[:, None, None]
    picture = np.broadcast_to(rows, (height, width, 3)).copy()
    picture[:, :, 0] = shade
    data: bytes = simplejpeg.encode_jpeg(picture, quality=90, colorspace="RGB", colorsubsampling="422")
    return data


def put_exam(spool: Path, *, state: str = "closed", patient_id: str = "T-1", exam: str | None = None) -> str:
    identity = exam or str(uuid4())
    from uuid import UUID

    from smartbox_tui.model.uids import uid_of

    opened = "2026-11-20T10:00:00.000+01:00"
    patient = {"id": patient_id, "name": "Test^Spool" if patient_id else "", "birth_date": "1970-01-01", "sex": "O"}
    create_exam(
        spool / identity,
        ExamFile(identity, state, uid_of(UUID(identity)), opened, "engine", boot_id=boot_id()),
        RevisionFile(1, patient, opened),
    )
    return identity


def put_still(
    spool: Path,
    exam: str,
    *,
    number: int = 0,
    state: SidecarState = SidecarState.CLOSED,
    picture: tuple[bytes, int, int] | None = None,
) -> Sidecar:
    """`picture`: a 4:2:2 JPEG, its width and height."""
    data, width, height = picture or (jpeg(shade=number % 256), 320, 240)
    identity = str(uuid4())
    (spool / exam / f"{identity}.jpg").write_bytes(data)
    captured = datetime.fromisoformat(f"2026-11-20T10:{number // 60 % 60:02d}:{number % 60:02d}.000+01:00")
    sidecar = Sidecar(
        id=identity, exam=exam, revision=1, source="endo", kind="still", file=f"{identity}.jpg", state=state,
        command=identity, trigger="api", trigger_ns=1, frame_ns=1, captured_at=captured.isoformat(),
        boot_id=boot_id(), clock="trusted", width=width, height=height, fps_num=30, fps_den=1,
        sop_class="vl-endoscopic", sampling="422", media="jpeg",
        bytes=len(data), sha256=hashlib.sha256(data).hexdigest(),
        trigger_to_disk_ms=5.0,
    )  # fmt: skip
    write_sidecar(spool / exam, sidecar)
    return sidecar
