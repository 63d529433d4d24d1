"""What can be wrong with a folder or medium that pictures go to: how the reasons begin, before the place itself."""

from __future__ import annotations

from typing import Final

NOT_MOUNTED: Final = "Nothing is mounted at "
NO_FOLDER: Final = "There is no folder "
READ_ONLY: Final = "Nothing can be written, only read, at "
NOT_ALLOWED: Final = "The box is not allowed to write at "
WRONG: Final = "Another medium than before is at "
CLAIMED: Final = "Another box is just writing at "
FOREIGN: Final = "A DICOMDIR of another system is at "
DAMAGED: Final = "The DICOMDIR is damaged at "
PULLED: Final = "The medium was pulled out or fails at "
FULL: Final = "There is no space left at "
SILENT: Final = "The medium does not answer at "
EJECTED: Final = "The medium was made ready to be removed at "

TOO_LARGE: Final = "The medium holds no file of 4 GiB or more."
CORRUPT: Final = "The medium gives back other bytes than were written."
"""Answers to one object."""
