"""What a crash, a pulled plug or somebody's hand left different from what the DICOMDIR says."""

from __future__ import annotations

import logging
import re
from typing import Final

from smartbox_tui.dicom.fileset import FOLDER, FileSet
from smartbox_tui.dicom.fileset_records import describe_file
from smartbox_tui.engine.delivery.medium import plain
from smartbox_tui.engine.delivery.medium.files import MediumError, Parts, Root
from smartbox_tui.engine.delivery.medium.pulse import Pulse
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.uids import IMPLEMENTATION_CLASS_UID

log = logging.getLogger(__name__)

TMP: Final = ".TMP"
_NAME: Final = re.compile(r"^[0-9A-F]{8}$")


def settle(root: Root, found: FileSet, pulse: Pulse) -> tuple[FileSet, bool]:
    """The File-set as it really is, and whether its DICOMDIR must be written anew.

    A file that has its name was whole and read back before it got it, so it is entered: it may have been promised.
    What has no name yet is removed, as are entries whose file somebody has taken away. Raises MediumError.
    """
    files = _files(root, pulse)
    known = {entry.file_id: entry.sop_instance_uid for entry in found.entries()}
    lost = {uid for file_id, uid in known.items() if file_id not in files}
    if lost:
        log.warning("%s: %s objects of its DICOMDIR are gone from it", root.path, len(lost))
        found = found.without(lost)
    entered = 0
    for file_id in sorted(files - known.keys()):
        pulse.check()
        entered += _enter(root, found, file_id)
        pulse.beat()
    if entered:
        log.warning("%s: %s objects were there and not in its DICOMDIR", root.path, entered)
    _sweep_plain(root, {file_id[-1] for file_id in files}, pulse)
    return found, bool(lost or entered)


def _files(root: Root, pulse: Pulse) -> set[Parts]:
    """Those that are called like objects of ours. What was being written is removed."""
    found: set[Parts] = set()
    for folder in _folders(root, FOLDER, pulse):
        for name, is_folder in root.names(folder):
            if is_folder:
                continue
            if _NAME.match(name):
                found.add((*folder, name))
            elif name.endswith(TMP) and _NAME.match(name.removesuffix(TMP)):
                root.remove((*folder, name))
    return found


def _folders(root: Root, top: str, pulse: Pulse) -> list[Parts]:
    found: list[Parts] = []
    for study, is_folder in root.names((top,)):
        pulse.beat()
        if is_folder and _NAME.match(study):
            found += [
                (top, study, name) for name, is_one in root.names((top, study)) if is_one and _NAME.match(name)
            ]
    return found


def _enter(root: Root, found: FileSet, file_id: Parts) -> bool:
    try:
        with root.opened(file_id) as fd:
            described = describe_file(fd, file_id[-1])
        if str(described.header.file_meta.get("ImplementationClassUID", "")) != IMPLEMENTATION_CLASS_UID:
            return False
        if found.entry(described.sop_instance_uid) is None:
            found.add(described, file_id)
            return True
    except (SmartBoxError, OSError) as exc:  # whoever put it there: it is left alone
        log.warning("%s: %s is no object: %s", root.path, file_id[-1], type(exc).__name__)
    return False


def _sweep_plain(root: Root, leaves: set[str], pulse: Pulse) -> None:
    """Plain files of objects that did not get as far as their name."""
    for folder in _folders(root, plain.FOLDER, pulse):
        for name, is_folder in root.names(folder):
            leaf = plain.leaf_of(name)
            if not is_folder and (plain.is_left_over(name) or (leaf is not None and leaf not in leaves)):
                try:
                    root.remove((*folder, name))
                except MediumError as exc:
                    log.warning("%s: a left over picture stays: %s", root.path, exc)
