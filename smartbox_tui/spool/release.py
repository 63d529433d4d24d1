"""Pictures that the box no longer has, because archives have promised them: `released.jsonl` in the exam's folder.

One JSON object a line, appended and fsynced before the first byte goes. A picture is released when it has a line
here and its bitstream is gone; a line whose bitstream is there was written by a box that died before it removed it,
and means nothing until that is done. A torn last line is passed over. Sidecar, header and ledger stay.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.spool.bitstream import DERIVED, record_of, remuxed_name
from smartbox_tui.spool.durable import append_lines
from smartbox_tui.spool.reserve import last_room
from smartbox_tui.spool.sidecar import Sidecar

RELEASED_FILE: Final = "released.jsonl"
DISCARDED: Final = "discarded"


@dataclass(frozen=True, slots=True)
class Release:
    """`file`, `bytes` and `sha256` of the picture's own bitstream as it was; `why` is days, room or discarded;
    `holders` (destination, stored | committed, since when)."""

    at: str
    picture: str
    file: str
    bytes: int
    sha256: str
    why: str
    holders: tuple[tuple[str, str, str], ...] = ()
    version: int = 1


_NAMES: Final = frozenset(item.name for item in fields(Release))


def append(folder: Path, releases: Iterable[Release]) -> None:
    """Durable when it returns, on a full disk with the box's last room. Raises disk-full."""
    values = [asdict(item) for item in releases]
    last_room(folder.parent, lambda: append_lines(folder / RELEASED_FILE, values))


def read(folder: Path) -> dict[str, Release]:
    """By picture, the newest of each; empty where nothing was released. Raises OSError."""
    try:
        data = (folder / RELEASED_FILE).read_bytes()
    except FileNotFoundError:
        return {}
    found: dict[str, Release] = {}
    for line in data.split(b"\n"):
        try:
            value = {key: item for key, item in json.loads(line).items() if key in _NAMES}
            value["holders"] = tuple((str(name), str(word), str(at)) for name, word, at in value["holders"])
            release = Release(**value)
        except (ValueError, TypeError, AttributeError, KeyError):
            continue
        found[release.picture] = release
    return found


def own_files(sidecar: Sidecar) -> tuple[str, ...]:
    """The names under which the picture's own bitstream may lie."""
    return tuple(dict.fromkeys((sidecar.file, remuxed_name(sidecar.id))))


def is_here(folder: Path, sidecar: Sidecar) -> bool:
    """Whether a bitstream of the picture's own lies in the folder."""
    return any((folder / name).exists() for name in own_files(sidecar))


def of_picture(folder: Path, sidecar: Sidecar) -> Release | None:
    """How the picture went; None while it is here, and where it is missing for no reason. Raises OSError."""
    if is_here(folder, sidecar):
        return None
    return read(folder).get(sidecar.id)


def check_here(folder: Path, sidecar: Sidecar) -> None:
    """Raises SmartBoxError not-found, with who has it, for a released picture; OSError."""
    release = of_picture(folder, sidecar)
    if release is not None:
        raise gone(release)


def gone(release: Release) -> SmartBoxError:
    """What is to be said to who wants a picture that was released."""
    day = release.at[:10]
    if release.why == DISCARDED:
        return SmartBoxError(
            "not-found",
            f"The box no longer has this picture: it was discarded, and removed on {day}.",
            "A discarded picture is kept for seven days.",
        )
    holders = [f"{name} has it since {at[:10]}" for name, _, at in release.holders]
    return SmartBoxError(
        "not-found",
        f"The box no longer has this picture since {day}; {', '.join(holders) or 'an archive has it'}.",
        "Fetch it from the archive; what is to be changed about it is changed there.",
    )


def remove(folder: Path, sidecar: Sidecar) -> int:
    """The bitstream and all that was made of it go; returns the bytes. To be called when the release is durable;
    the folder is to be fsynced afterwards. Done twice it does nothing. Raises OSError."""
    files = list(made_files(folder, sidecar.id))
    own = [folder / name for name in own_files(sidecar)]
    records = [folder / record_of(remuxed_name(sidecar.id))]
    size = 0
    for path in [*files, *own, *records]:
        with contextlib.suppress(FileNotFoundError):
            size += path.stat().st_blocks * 512
            path.unlink()
    return size


def made_files(folder: Path, picture: str) -> Iterable[Path]:
    """What lies in `derived/` under the picture's own name: small pictures of it, decoded pixels."""
    with contextlib.suppress(FileNotFoundError), os.scandir(folder / DERIVED) as entries:
        for entry in entries:
            if entry.name.startswith(f"{picture}.") and not entry.name.endswith(".dcm"):
                yield Path(entry.path)
