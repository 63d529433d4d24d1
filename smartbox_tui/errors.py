"""One error family. An error is a sentence for a person: what failed, on what, why; and a hint: what to do.

The codes are CONTRACT's. The sentence is English here (log, command line); the screens translate by code
and fall back to it. No patient data in any of them.
"""

from __future__ import annotations

from typing import Final

CODES: Final = frozenset(
    """no-engine unknown-source device-gone device-busy no-signal no-exam exam-open already-recording
    not-recording disk-full unknown-key bad-value refused no-route timeout tls called-aet-rejected
    calling-aet-rejected no-context archive-refused outcome-unknown not-found in-use invalid-object""".split()
)

PROCESS_AWAY: Final = "no-engine"
"""The code whose exit status is 3: the process that was needed does not answer."""


class SmartBoxError(Exception):
    """`code` is one of CODES, `message` says what and why, `hint` what to do about it."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        if code not in CODES:
            raise ValueError(f"{code!r} is not an error code of the contract")
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def as_dict(self) -> dict[str, str]:
        """The value of `error` in the JSON of the command line and of the sockets."""
        return {"code": self.code, "message": self.message, "hint": self.hint}

    @classmethod
    def from_dict(cls, value: dict[str, str]) -> SmartBoxError:
        """The error another process answered with; an unknown code becomes `refused`."""
        code = value.get("code", "refused")
        return cls(code if code in CODES else "refused", value.get("message", ""), value.get("hint", ""))
