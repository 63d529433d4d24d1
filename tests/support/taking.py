"""An archive that takes exactly the presentation contexts it is told to, keeps what it gets, and clips for it."""

from __future__ import annotations

import contextlib
import hashlib
import io
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pydicom

from smartbox_tui.model.instance import H264_HP_41
from smartbox_tui.spool.sidecar import Sidecar, SidecarState, write_sidecar
from smartbox_tui.wire.current import boot_id
from tests.support import clips
from tests.support.spooled import jpeg


@dataclass
class Taking:
    """`proposed`: every (SOP class, transfer syntax) that was asked for; `stored` the objects in their order."""

    port: int
    proposed: set[tuple[str, str]] = field(default_factory=set)
    stored: list[pydicom.Dataset] = field(default_factory=list)
    refuse: set[str] = field(default_factory=set)

    def uids(self) -> list[str]:
        return [str(item.SOPInstanceUID) for item in self.stored]


@contextlib.contextmanager
def taking(pairs: Iterable[tuple[str, str]], port: int = 0) -> Iterator[Taking]:
    """AE title ORTHANC; verification is taken, too."""
    from pynetdicom import AE, evt

    entity = AE("ORTHANC")
    entity.maximum_pdu_size = 131072
    entity.add_supported_context("1.2.840.10008.1.1")
    by_class: dict[str, list[str]] = {}
    for sop_class, syntax in pairs:
        by_class.setdefault(sop_class, []).append(syntax)
    for sop_class, syntaxes in by_class.items():
        entity.add_supported_context(sop_class, syntaxes)
    found = Taking(0)
    lock = threading.Lock()

    def requested(event: Any) -> None:
        with lock:
            for context in event.assoc.requestor.requested_contexts:
                found.proposed.update((str(context.abstract_syntax), str(uid)) for uid in context.transfer_syntax)

    def store(event: Any) -> int:
        dataset = pydicom.dcmread(io.BytesIO(event.encoded_dataset()))
        with lock:
            if dataset.SOPInstanceUID in found.refuse:
                return 0xA700
            found.stored.append(dataset)
        return 0

    handlers: list[Any] = [(evt.EVT_REQUESTED, requested), (evt.EVT_C_STORE, store)]
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
    assert server is not None
    found.port = server.server_address[1]
    try:
        yield found
    finally:
        server.shutdown()


def put_clip(
    spool: Path, exam: str, *, container: str = "ts", frames: int = 30, number: int = 0, rest: bytes = b""
) -> Sidecar:
    """As capture leaves it: TS, H.264 High, whatever container the object is to have. `rest`: bytes behind the
    length that the sidecar says, as a crash leaves them."""
    identity = str(uuid4())
    made = clips.clip(
        spool / exam / f"{identity}.made.ts", f"{clips.H264} -profile:v high -level 4.1", frames=frames
    )
    path = clips.ours(spool / exam / f"{identity}.ts", made)
    made.unlink()
    data = path.read_bytes()
    path.write_bytes(data + rest)
    captured = datetime.fromisoformat(f"2026-11-20T11:{number // 60 % 60:02d}:{number % 60:02d}.000+01:00")
    sidecar = Sidecar(
        id=identity, exam=exam, revision=1, source="endo", kind="clip", file=path.name, state=SidecarState.CLOSED,
        command=identity, trigger="api", trigger_ns=1, frame_ns=1, captured_at=captured.isoformat(),
        boot_id=boot_id(), clock="trusted", width=320, height=240, fps_num=30, fps_den=1,
        sop_class="video-endoscopic", sampling="420", media="h264-ts", transfer_syntax_uid=H264_HP_41,
        bytes=len(data), frames=frames, duration_s=frames / 30, sha256=hashlib.sha256(data).hexdigest(),
        container=container,
    )  # fmt: skip
    write_sidecar(spool / exam, sidecar)
    return sidecar


def put_burst(spool: Path, exam: str, *, frames: int = 3) -> Sidecar:
    identity = str(uuid4())
    pictures = [jpeg(shade=60 * number) for number in range(frames)]
    data, index = b"", []
    for picture in pictures:
        index.append((len(data), len(picture)))
        data += picture
    (spool / exam / f"{identity}.mjpeg").write_bytes(data)
    sidecar = Sidecar(
        id=identity, exam=exam, revision=1, source="endo", kind="burst", file=f"{identity}.mjpeg",
        state=SidecarState.CLOSED, command=identity, trigger="api", trigger_ns=1, frame_ns=1,
        captured_at="2026-11-20T12:00:00.000+01:00", boot_id=boot_id(), clock="trusted", width=320, height=240,
        fps_num=30, fps_den=1, sop_class="multiframe-sc", sampling="422", media="jpegs", bytes=len(data),
        frames=frames, frame_time_ms=100.0, sha256=hashlib.sha256(data).hexdigest(), index=tuple(index),
    )  # fmt: skip
    write_sidecar(spool / exam, sidecar)
    return sidecar
