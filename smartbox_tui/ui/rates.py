"""How fast what is being sent goes, from what the engine tells of its progress. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from smartbox_tui.wire import state

WINDOW_S: Final = 6.0
"""So far back the rate looks: long enough to stand still, short enough to show a link that breaks down."""


class Rates:
    """Bytes a second by delivery."""

    def __init__(self) -> None:
        self._heard: dict[int, deque[tuple[float, int]]] = {}

    def hear(self, sending: Iterable[state.Delivery], now_s: float) -> None:
        """What is being sent at this monotonic time; what is not among it is forgotten."""
        rows = {item.id: item.bytes_sent for item in sending}
        for gone in self._heard.keys() - rows.keys():
            del self._heard[gone]
        for identity, sent in rows.items():
            heard = self._heard.setdefault(identity, deque())
            if heard and sent < heard[-1][1]:
                heard.clear()  # it began anew
            if not heard or sent != heard[-1][1]:
                heard.append((now_s, sent))
            while len(heard) > 2 and now_s - heard[1][0] > WINDOW_S:
                heard.popleft()

    def of(self, delivery: int, now_s: float) -> float | None:
        """None while it is not known, 0 when nothing has moved for the whole window."""
        heard = self._heard.get(delivery)
        if not heard or now_s - heard[0][0] < 0.2:
            return None
        if now_s - heard[-1][0] > WINDOW_S:
            return 0.0
        if len(heard) < 2:
            return None
        return (heard[-1][1] - heard[0][1]) / max(0.001, now_s - heard[0][0])
