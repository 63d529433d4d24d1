"""What a screendump shows, as far as a machine can say it."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray


def pixels(png: Path) -> NDArray[np.uint8]:
    """Height, width, 3 (RGB) of the picture in a PNG file."""
    with av.open(str(png)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


def is_console(png: Path) -> bool:
    """Whether it may be the console: text with coloured areas. Boot messages and a login are grey on black."""
    picture = pixels(png).reshape(-1, 3).astype(np.int16)
    coloured = (picture.max(axis=1) - picture.min(axis=1)) > 60
    return bool(coloured.mean() > 0.05)
