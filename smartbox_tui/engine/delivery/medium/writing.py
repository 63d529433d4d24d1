"""The steps of one object to a medium: under a temporary name, read back, or taken away again."""

from __future__ import annotations

from smartbox_tui.dicom.compose import Composition
from smartbox_tui.dicom.fileset_records import describe_file
from smartbox_tui.dicom.scu.pace import Pace
from smartbox_tui.engine.delivery.medium.files import Parts, Root
from smartbox_tui.engine.delivery.medium.leftovers import TMP
from smartbox_tui.engine.delivery.medium.plain import Plain
from smartbox_tui.engine.delivery.medium.pulse import Pulse
from smartbox_tui.engine.delivery.medium.streams import chunks
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.answer import Meaning


def size_of(composition: Composition) -> int:
    return len(composition.meta) + composition.dataset_length


def is_object(root: Root, file_id: Parts, sop_instance_uid: str) -> bool:
    try:
        with root.opened(file_id) as fd:
            return describe_file(fd, file_id[-1]).sop_instance_uid == sop_instance_uid
    except SmartBoxError:
        return False


def has_plain(root: Root, item: Plain) -> bool:
    """By its length: it is no promise, and was read back when it was written."""
    found = root.stat(item.parts)
    return found is not None and found.st_size == item.length


def write_object(
    root: Root, parts: Parts, composition: Composition, pulse: Pulse, pace: Pace | None, made: list[Parts]
) -> bool:
    """Whether it reads back as it was composed."""
    root.make_folders(parts[:-1])
    head = len(composition.meta)
    pieces = chunks((composition.meta, *composition.segments), pulse, pace)
    digest = root.write(parts, pieces, pulse, lambda count: pulse.beat(max(0, count - head)))
    made.append(parts)
    return root.holds(parts, digest, pulse)


def write_plain(root: Root, item: Plain, pulse: Pulse, made: list[Parts]) -> bool:
    root.make_folders(item.parts[:-1])
    temporary = (*item.parts[:-1], item.parts[-1] + TMP)
    digest = root.write(temporary, chunks(item.segments, pulse), pulse)
    made.append(temporary)
    if not root.holds(temporary, digest, pulse):
        return False
    made[-1] = item.parts
    root.rename(temporary, item.parts)
    return True


def undo(root: Root, made: list[Parts], said: Meaning) -> Meaning:
    """Removes what was made; `said` is the answer then."""
    for parts in made:
        root.remove(parts)
    return said
