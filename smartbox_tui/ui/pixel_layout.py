"""Which parts of the screen in front are pixels: the one place that knows, asked before anything is written."""

from __future__ import annotations

from typing import Any

from textual.screen import Screen

from smartbox_tui.ui.live_pixels import Place
from smartbox_tui.ui.pixel_places import NOWHERE, Area, cut
from smartbox_tui.ui.still_pixels import Still
from smartbox_tui.ui.widgets.preview import Preview
from smartbox_tui.ui.widgets.strip import StripWidget


def layout(screen: Screen[Any]) -> Place:
    """The cells that pictures have now, without what lies over them (notices, menus) and what is scrolled away."""
    over: list[Area] = []
    area, free, stills = NOWHERE, (), list[Still]()  # type: tuple[Area, tuple[Area, ...], list[Still]]
    for widget, (region, clip) in screen._compositor.visible_widgets.items():  # those in front first
        seen = Area(*region.intersection(clip))
        if isinstance(widget, Preview):
            area, free = Area(*region), tuple(cut(seen, over))
        elif isinstance(widget, StripWidget):
            for picture in widget.pictures():
                its = picture.area._replace(x=region.x + picture.area.x, y=region.y + picture.area.y)
                stills.append(Still(picture.name, its, tuple(cut(its.common(seen), over)), picture.pixels))
        over.append(seen)
    return Place((screen.app.size.width, screen.app.size.height), area, free, tuple(stills))
