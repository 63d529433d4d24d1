"""What no single key can say: keys that need each other. Asked before the box writes, so that it never writes
settings that a process would stumble over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model import routing
from smartbox_tui.model.formats import exact_rate, mpeg2_format
from smartbox_tui.settings import hooks, route, web
from smartbox_tui.settings.destination import NEEDED, Destination, promises
from smartbox_tui.settings.rules import SMALLEST
from smartbox_tui.settings.schema import Settings, Source

NEEDS: Final = {
    "dimse": "a dimse destination needs host, port and aet",
    "dicomweb": "a dicomweb destination needs its url",
    "folder": "a folder destination needs its path",
}
_NO_PROMISE: Final = "retention.release = committed needs commitment or readback at every destination"


def problems(settings: Settings) -> Iterator[tuple[str, str]]:
    """(path, why) of each."""
    for item in settings.destinations:
        for name in NEEDED[item.kind]:
            if not getattr(item, name):
                yield f"destinations.{item.name}.{name}", NEEDS[item.kind]
        for name, why in web.problems(item):
            yield f"destinations.{item.name}.{name}", why
        if item.key_file and not item.cert_file:
            yield f"destinations.{item.name}.cert_file", "a private key needs its certificate"
        if settings.retention.release == "committed" and not promises(item):
            yield f"destinations.{item.name}.commitment", _NO_PROMISE
    yield from hooks.problems(settings.hooks)
    yield from _one_folder_each(settings)
    yield from routed(settings.destinations, settings.sources)
    for name, server in (("worklist", settings.worklist), ("mpps", settings.mpps)):
        if server.host and not server.aet:
            yield f"{name}.aet", "a server needs its AE title"
        if server.key_file and not server.cert_file:
            yield f"{name}.cert_file", "a private key needs its certificate"
    for source in settings.sources:
        if source.kind == "file" and not source.device:
            yield f"sources.{source.id}.device", "a file source needs the file's path"
        if source.kind == "folder" and not source.device.startswith("/"):
            yield f"sources.{source.id}.device", "a watched folder needs its whole path, from / on"
        yield from _trimmed(source)
        yield from _recordable(source)
    for pedal in settings.pedals:
        if pedal.kind != "key" and not pedal.device:
            yield f"pedals.{pedal.id}.device", "a pedal needs its device"


def _one_folder_each(settings: Settings) -> Iterator[tuple[str, str]]:
    """Two that share a medium would each count it as theirs; one within another, too."""
    paths: list[str] = []
    for item in settings.destinations:
        if item.kind != "folder" or not item.path:
            continue
        mine = item.path.rstrip("/") + "/"
        if any(mine.startswith(other) or other.startswith(mine) for other in paths):
            yield f"destinations.{item.name}.path", "another destination has this folder"
        paths.append(mine)


def routed(destinations: Iterable[Destination], sources: Iterable[Source]) -> Iterator[tuple[str, str]]:
    """A backup stands in for a primary, and for nobody that is a backup itself."""
    known = {item.name: item for item in destinations}
    ids = {item.id for item in sources}
    for item in known.values():
        path, mine = f"destinations.{item.name}.route", item.route
        primary = known.get(mine.backup)
        if mine.role == "backup" and not mine.backup:
            yield f"{path}.backup", route.NO_PRIMARY_NAMED
        elif mine.backup and mine.role == "primary":
            yield f"{path}.role", route.BOTH
        elif mine.backup == item.name:
            yield f"{path}.backup", route.ITSELF
        elif mine.backup and primary is None:
            yield f"{path}.backup", route.NO_ARCHIVE
        elif primary is not None and primary.route.role != "primary":
            yield f"{path}.backup", route.NO_PRIMARY
        if routing.values(mine.when.source) - ids:
            yield f"{path}.when.source", route.NO_SOURCE


def _trimmed(source: Source) -> Iterator[tuple[str, str]]:
    """What the recorder would refuse of a picture of the size asked for; a folder's pictures have any size."""
    if source.kind == "folder":
        return
    left, top, right, bottom = source.edges
    if source.width - left - right < SMALLEST[0] or source.height - top - bottom < SMALLEST[1]:
        why = f"of {source.size} less than {SMALLEST[0]}x{SMALLEST[1]} is left"
        yield f"sources.{source.id}.crop", why
    for x, y, width, height in source.masks:
        if x + width > source.width or y + height > source.height:
            yield f"sources.{source.id}.mask", f"{x},{y},{width},{height} lies outside the picture of {source.size}"


def _recordable(source: Source) -> Iterator[tuple[str, str]]:
    """A rate that the codec cannot tell; a file has its own."""
    if source.codec != "mpeg2" or source.kind not in ("v4l2", "pattern"):
        return
    left, top, right, bottom = source.edges
    try:
        mpeg2_format(
            max(2, source.width - left - right), max(2, source.height - top - bottom), exact_rate(source.fps)
        )
    except ValueError as exc:
        yield f"sources.{source.id}.fps", str(exc)


def check(new: Settings, old: Settings) -> None:
    """Raises bad-value for the first problem that `old` did not have: what somebody else left behind must not keep
    anybody from changing something else."""
    known = set(problems(old))
    for path, why in problems(new):
        if (path, why) not in known:
            raise SmartBoxError("bad-value", f"{path}: {why}", f"Give {path}.")
