"""Why a recording ended by itself, or was not begun, in capture's words, which the screens know."""

from __future__ import annotations

from typing import Final

NO_RECORDING: Final = "no recording is begun"
"""Stands in the error of a start for which there is no room; stills have some yet."""
DISK_FULL: Final = "The disk is full: the recording was closed with everything up to now."
