"""A destination's declared rate limit."""

from typing import Final

# Timers are late by a few milliseconds; what they missed may be made up for, no more.
CATCH_UP_SECONDS: Final = 0.05


class Pace:
    """At most `per_second` attempts; None: no limit. Times are monotonic seconds."""

    def __init__(self, per_second: float | None) -> None:
        self._spacing = 0.0 if per_second is None else 1.0 / per_second
        self._next_at = 0.0

    @property
    def resumes_at(self) -> float:
        """From when on the next attempt may start."""
        return self._next_at

    def spend(self, now: float) -> None:
        """An attempt starts."""
        self._next_at = max(self._next_at, now - CATCH_UP_SECONDS) + self._spacing
