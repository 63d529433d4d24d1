"""Which destinations get a picture, asked when its deliveries are born.

A destination whose rule fits gets its delivery with the picture. A backup gets none then: `standin.py` makes it,
once its primary has been out of reach for `after_s`. Who has had a picture, as a promise or a correction tells, is
told the truth about it whatever its rule says by now.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from smartbox_tui.dicom.iods import IODS
from smartbox_tui.engine import rendition
from smartbox_tui.model import routing
from smartbox_tui.model.instance import SOP_CLASSES
from smartbox_tui.model.routing import Picture
from smartbox_tui.settings import whole
from smartbox_tui.settings.destination import Destination, is_asked
from smartbox_tui.settings.schema import Settings, Source
from smartbox_tui.spool.examfile import ExamFile, RevisionFile
from smartbox_tui.spool.sidecar import Sidecar
from smartbox_tui.store.standins import Pair


def picture_of(exam: ExamFile, revision: RevisionFile, sidecar: Sidecar) -> Picture:
    """What the rules ask about: the picture as captured, whichever class a destination makes of it."""
    sure = not rendition.is_unsure(sidecar, revision)
    return Picture(
        emergency=bool(exam.emergency),
        modality=_modality(sidecar.sop_class) or _modality(sidecar.series_class) or "OT",
        source=sidecar.source,
        minute=routing.minute_of(rendition.captured_at(sidecar, revision)) if sure else None,
    )


def _modality(sop_class: str) -> str:
    iod = IODS.get(SOP_CLASSES.get(sop_class, ""))
    return (iod.modality if iod else None) or ""


def fits(destination: Destination, picture: Picture) -> bool:
    return destination.route.when.rule.fits(picture)


def at_once(destination: Destination, picture: Picture) -> bool:
    """Whether it gets the picture without having to wait for another one's failure."""
    return not destination.route.backup and fits(destination, picture)


def primary_of(settings: Settings, backup: Destination) -> Destination | None:
    """Whom it stands in for; None: for nobody, or for what cannot be stood in for."""
    found = next((item for item in settings.destinations if item.name == backup.route.backup), None)
    return found if found is not None and found.route.role == "primary" and found is not backup else None


def pairs_of(settings: Settings, name: str | None = None) -> list[tuple[Destination, Destination]]:
    """(primary, backup) of all that stand in for somebody; `name`: only those in which this one is either."""
    found = ((primary_of(settings, item), item) for item in settings.destinations if item.route.backup)
    return [
        (primary, backup)
        for primary, backup in found
        if primary is not None and name in (None, primary.name, backup.name)
    ]


def pair_of(primary: Destination, backup: Destination) -> Pair:
    """As the queue sees them."""
    asked = frozenset(item.name for item in (primary, backup) if is_asked(item))
    return Pair(primary.name, backup.name, backup.route.instead, asked)


def keeper(settings: Settings, primary: str, promised: Mapping[str, object]) -> str:
    """The backup that has the picture (`promised`, by destination) in this primary's stead; empty: none."""
    return next(
        (
            item.name
            for item in settings.destinations
            if item.route.backup == primary and item.route.instead and item.name in promised
        ),
        "",
    )


def is_needed(backup: Destination, away_s: float) -> bool:
    """Whether it stands in for a primary that has been out of reach so long."""
    return away_s > 0 and away_s >= backup.route.after_s


def trouble(settings: Settings) -> str:
    """What is wrong with all routes together, in a sentence; empty: nothing. A file can say what screens refuse."""
    return _trouble(settings.destinations, settings.sources)


@lru_cache(maxsize=4)
def _trouble(destinations: tuple[Destination, ...], sources: tuple[Source, ...]) -> str:
    for path, why in whole.routed(destinations, sources):
        return f"{path}: {why}"
    rules = [item.route.when.rule for item in destinations if not item.route.backup]
    made = [
        (item.id, _modality(name) or _modality(item.series_class) or "OT")
        for item in sources
        for name in (item.still_class, item.clip_class, item.burst_class)
    ]
    for gap in routing.gaps(rules, made) if destinations else ():
        urgent = "in an emergency" if gap.emergency else "without an emergency"
        at = f"{(gap.minute or 0) // 60:02d}:{(gap.minute or 0) % 60:02d}"
        return f"No archive gets what {gap.source} takes at {at} {urgent}: the routes leave it out."
    return ""
