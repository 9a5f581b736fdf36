"""How many log lines (or looks) of one kind a minute may have, whoever causes them."""

from collections import Counter
from typing import Final

from schemas.clock import Clock

WINDOW_SECONDS: Final = 60.0


class LineLimit:
    """At most so many per key and minute. Keys come from closed sets or from the registry."""

    def __init__(self, clock: Clock, per_window: int) -> None:
        self._clock = clock
        self._per_window = per_window
        self._window = float("-inf")
        self._taken: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()

    def take(self, key: str) -> int | None:
        """None if there were enough; else how many were left out since the last one taken."""
        now = self._clock.monotonic()
        if now - self._window >= WINDOW_SECONDS:
            self._window = now
            self._taken.clear()
        if self._taken[key] >= self._per_window:
            self._left_out[key] += 1
            return None
        self._taken[key] += 1
        return self._left_out.pop(key, 0)
