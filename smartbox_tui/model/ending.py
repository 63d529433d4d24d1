"""Why a recording ended by itself, as its note says it: capture writes these words, the screens know them."""

from __future__ import annotations

from typing import Final

DISK_FULL: Final = "The disk is full: the recording was closed with everything up to now."
