"""When the panel goes dark, and what keeps it from it. Pure: the clock is given."""

from __future__ import annotations

from smartbox_tui.ui.state import BoxState, Presence


class Sleep:
    """All times are monotonic seconds. `after_s` 0: never dark."""

    def __init__(self, after_s: float, now_s: float = 0.0) -> None:
        self.after_s = after_s
        self._stirred_s = now_s
        self._records = False

    def stir(self, now_s: float) -> None:
        """Somebody is there."""
        self._stirred_s = max(self._stirred_s, now_s)

    def due(self, now_s: float) -> bool:
        """Whether the screen is to be dark now. Not while it records: whoever records looks at it."""
        if self._records:
            self.stir(now_s)
        return self.after_s > 0 and now_s - self._stirred_s >= self.after_s

    def heard(self, before: BoxState, after: BoxState, now_s: float) -> bool:
        """Whether what changed is a reason for light: a picture or mark, a recording that begins or ends, a new
        alarm, a process that went away."""
        self._records = after.recording is not None
        reason = (
            (after.taken is not None and after.taken is not before.taken)
            or (before.recording is None) != (after.recording is None)
            or bool(_alarms(after) - _alarms(before))
            or (before.capture, after.capture) == (Presence.HERE, Presence.AWAY)
            or (before.engine, after.engine) == (Presence.HERE, Presence.AWAY)
        )
        if reason:
            self.stir(now_s)
        return reason


def _alarms(box: BoxState) -> set[str]:
    return {alarm.code for alarm in box.status.alarms} if box.status else set()
