"""The check before an object is first sent: what is wrong is blocked here, with a reason, not by an archive."""

from __future__ import annotations

import logging
import traceback

from smartbox_tui.dicom.compose import Composition
from smartbox_tui.dicom.validate import validate_composition
from smartbox_tui.errors import SmartBoxError

log = logging.getLogger(__name__)


def check_before_sending(composition: Composition) -> None:
    """Raises invalid-object with the first error's rule, message and section; OSError when it cannot be read.

    A defect of the validator itself keeps no picture from its archive: it is logged, without the values that
    an exception's own text may quote.
    """
    try:
        findings = validate_composition(composition)
    except OSError:
        raise
    except Exception as exc:  # noqa: BLE001 (whatever it is, the picture goes on)
        place = traceback.extract_tb(exc.__traceback__)[-1]
        log.error(
            "a defect in the validator, the object is sent unchecked: %s in %s, line %s",
            type(exc).__name__,
            place.name,
            place.lineno,
        )
        return
    for item in findings:
        if item.severity == "error":
            raise SmartBoxError("invalid-object", f"{item.rule}: {item.message} ({item.section})", item.hint)
