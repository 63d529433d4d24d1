"""Stills: the frame of a trigger as a JPEG on disk, with its sidecar."""

from __future__ import annotations

import hashlib
import logging
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import simplejpeg

from hw.base import Frame, PixelFormat
from hw.video.trim import NOTHING, Trim
from smartbox_tui.capture.clock import elapsed_ms, wall_of
from smartbox_tui.capture.convert import Converter, Undecodable
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.media.jpeg import Jpeg, NotBaseline, repair
from smartbox_tui.model.instance import JPEG_BASELINE
from smartbox_tui.spool.durable import fsync_dir, write_new
from smartbox_tui.spool.sidecar import Sidecar, SidecarState, write_sidecar

log = logging.getLogger(__name__)

QUALITY = 95
_DICOM_SAMPLINGS = ("422", "444")
"""4:2:0 is none of the photometric interpretations that JPEG Baseline has in DICOM (PS3.5 8.2.1)."""


class StillEncoder:
    """Of one source; its converter is used by one thread at a time."""

    def __init__(self, trim: Trim = NOTHING) -> None:
        self._trim = trim
        self._converter = Converter(trim)
        self._lock = threading.Lock()

    def jpeg(self, frame: Frame, sampling: str = "") -> Jpeg:
        """The grabber's own data where it is baseline in a sampling of DICOM's and nothing is cut off or masked,
        else encoded as 4:2:2, full range.

        `sampling`: the one that it must have, as the frames of a burst are all alike (PS3.3 C.7.6.3: the attributes
        hold for every frame). Raises SmartBoxError `refused` when the frame is no picture at all.
        """
        if frame.format.pixel is PixelFormat.MJPEG and not self._trim:
            try:
                own = repair(frame.data)
                if own.sampling in ((sampling,) if sampling else _DICOM_SAMPLINGS):
                    return own
            except NotBaseline as exc:
                log.info("a JPEG of the source is encoded anew: %s", exc)
        with self._lock:
            try:
                picture = self._converter.to_still(frame, sampling or "422")
            except Undecodable as exc:
                raise SmartBoxError(
                    "refused", f"The grabber delivered a broken picture: {exc}", "Take it again; check its cable."
                ) from exc
            data = simplejpeg.encode_jpeg_yuv_planes(*(_plane(each) for each in picture.planes), quality=QUALITY)
        return Jpeg(data, picture.width, picture.height, sampling or "422")


def _plane(plane: Any) -> npt.NDArray[np.uint8]:
    """The plane as (height, width), contiguous: the encoder takes no row padding."""
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]
    return np.ascontiguousarray(rows)


def seen(draft: Sidecar, frame: Frame, jpeg: Jpeg) -> Sidecar:
    """The draft with what frame and JPEG know."""
    return draft.with_(
        frame_ns=frame.timestamp_ns,
        captured_at=wall_of(frame.timestamp_ns),
        width=jpeg.width,
        height=jpeg.height,
        sampling=jpeg.sampling,
        transfer_syntax_uid=JPEG_BASELINE,
    )


def write_still(folder: Path, draft: Sidecar, frame: Frame, jpeg: Jpeg, state: SidecarState) -> Sidecar:
    """Bitstream, sidecar, folder: all durable when this returns the sidecar as written. Raises disk-full.

    `draft` lacks what frame and JPEG know. The answer's `trigger_to_disk_ms` is what it took until everything was
    safe; the sidecar on disk, written a moment before, gets it with `settle`.
    """
    sidecar = seen(draft, frame, jpeg).with_(
        state=state,
        file=f"{draft.id}.jpg",
        bytes=len(jpeg.data),
        sha256=hashlib.sha256(jpeg.data).hexdigest(),
        trigger_to_disk_ms=elapsed_ms(draft.trigger_ns),
    )
    bitstream = folder / sidecar.file
    write_new(bitstream, jpeg.data, sync_folder=False)
    try:
        write_sidecar(folder, sidecar)
    except SmartBoxError:
        bitstream.unlink(missing_ok=True)
        raise
    return sidecar.with_(trigger_to_disk_ms=elapsed_ms(draft.trigger_ns))


def withdraw(folder: Path, sidecar: Sidecar) -> None:
    """Removes a pinned still whose gesture meant something else. Its sidecar goes first: a bitstream alone is
    nothing, a sidecar alone would be a picture that is missing."""
    (folder / f"{sidecar.id}.json").unlink(missing_ok=True)
    (folder / sidecar.file).unlink(missing_ok=True)
    fsync_dir(folder)
