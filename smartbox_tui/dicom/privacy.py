"""pydicom quotes the values it finds invalid in warnings and log lines: here they may be a patient's."""

from __future__ import annotations


def keep_values_out_of_warnings() -> None:
    """Switches pydicom's own validation off, for the whole process and for good; may be called any time.

    What the box writes is judged by `charset.check_values`, which names attributes and never values.
    """
    from pydicom import config

    config.settings.reading_validation_mode = config.IGNORE
    config.settings.writing_validation_mode = config.IGNORE
