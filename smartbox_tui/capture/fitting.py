"""A picture in the middle of another size: scaled down where it is too large, black around where it is smaller."""

from __future__ import annotations

from typing import Any, Final

import av
from av.video.reformatter import VideoReformatter

from smartbox_tui.capture.convert import rows
from smartbox_tui.model.formats import Format, placed

_BLACK: Final = (16, 128, 128)


class Fitter:
    """Pictures yuv420p in limited range into one format. One thread."""

    def __init__(self, form: Format) -> None:
        self._form = form
        self._reformatter = VideoReformatter()

    def fit(self, picture: Any) -> Any:
        """The picture itself where it has the format's size; its time stamp and type are not copied."""
        form = self._form
        if (picture.width, picture.height) == (form.width, form.height):
            return picture
        left, top, wide, high = placed(picture.width, picture.height, form)
        if (wide, high) != (picture.width, picture.height):
            picture = self._reformatter.reformat(picture, width=wide, height=high, threads=1)
            if (wide, high) == (form.width, form.height):
                return picture
        # a new one each time: an encoder may keep the one before as its reference
        canvas: Any = av.VideoFrame(form.width, form.height, "yuv420p")
        canvas.color_range = picture.color_range
        for plane, source, black in zip(canvas.planes, picture.planes, _BLACK, strict=True):
            half = 1 if plane.width == form.width else 2
            target, own = rows(plane), rows(source)
            target[:] = black
            target[top // half : (top + high) // half, left // half : (left + wide) // half] = own
        return canvas
