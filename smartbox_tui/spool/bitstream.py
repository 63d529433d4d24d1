"""Bitstreams that a media child made of a captured one, each with a record beside it that says it is whole.

<picture id>.mp4, <picture id>.mp4.json        the picture itself, remuxed at stop under its own UID
derived/<uuid>.<suffix>, derived/<uuid>.json   of a derived instance, or decoded pixels; remade on demand

The record is written last: no record, no bitstream. A captured bitstream has its sidecar instead.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

from smartbox_tui.spool.durable import write_json
from smartbox_tui.spool.sidecar import Sidecar

DERIVED: Final = "derived"


@dataclass(frozen=True, slots=True)
class Bitstream:
    """`file` relative to the exam's folder; `media` jpeg | jpegs | rgb | {h264,mpeg2,hevc}-{ts,mp4}.

    index     (offset, length) of each frame, of `jpegs` only
    """

    file: str
    bytes: int
    media: str
    transfer_syntax_uid: str
    width: int
    height: int
    frames: int
    sampling: str
    sha256: str
    fps_num: int = 0
    fps_den: int = 1
    index: tuple[tuple[int, int], ...] = ()
    version: int = 1

    @property
    def container(self) -> str:
        """ts, mp4, or empty for what is no clip."""
        return self.media.partition("-")[2]

    @property
    def codec(self) -> str:
        return self.media.partition("-")[0] if "-" in self.media else ""


def captured(sidecar: Sidecar) -> Bitstream:
    """What capture wrote."""
    return Bitstream(
        file=sidecar.file,
        bytes=sidecar.bytes,
        media=sidecar.media,
        transfer_syntax_uid=sidecar.transfer_syntax_uid,
        width=sidecar.width,
        height=sidecar.height,
        frames=sidecar.frames,
        sampling=sidecar.sampling,
        sha256=sidecar.sha256,
        fps_num=sidecar.fps_num,
        fps_den=sidecar.fps_den,
        index=sidecar.index,
    )


def remuxed_name(picture: str) -> str:
    return f"{picture}.mp4"


def derived_name(uuid: str, media: str) -> str:
    """Relative to the exam's folder."""
    return f"{DERIVED}/{uuid}.{media.partition('-')[2] or media}"


def record_of(file: str) -> str:
    """The record's name beside a made bitstream's `file`."""
    return f"{file}.json"


def own(folder: Path, sidecar: Sidecar) -> Bitstream | None:
    """The picture's own bitstream; None while the MP4 that the source asks for is not made.

    Raises OSError, ValueError (a record that is none).
    """
    if sidecar.container != "mp4" or sidecar.kind != "clip":
        return captured(sidecar)
    return read_made(folder, remuxed_name(sidecar.id))


def read_made(folder: Path, file: str) -> Bitstream | None:
    """What the record of a made bitstream says; None when there is none, or the file is gone or of another size."""
    try:
        value = json.loads((folder / record_of(file)).read_bytes())
        size = (folder / file).stat().st_size
    except FileNotFoundError:
        return None
    names = {item.name for item in fields(Bitstream)}
    try:
        known = {key: item for key, item in value.items() if key in names}
        known["index"] = tuple((int(at), int(length)) for at, length in known.get("index", ()))
        made = Bitstream(**known)
    except (TypeError, AttributeError) as exc:
        raise ValueError(f"{record_of(file)} is not readable: {exc}") from exc
    return made if size == made.bytes else None


def write_made(folder: Path, made: Bitstream) -> None:
    """The bitstream is in place and fsynced: now it counts. Durable when it returns. Raises disk-full."""
    write_json(folder / record_of(made.file), asdict(made))
