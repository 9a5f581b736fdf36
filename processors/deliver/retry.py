"""How long a record that failed for its own sake waits for its next attempt."""

from collections.abc import Callable, Sequence
from typing import Final

# Never sooner than the setting says; spread, so that what failed together is not tried together.
JITTER_SHARE: Final = 0.25


class RetrySchedule:
    """Growing delays; when they are used up, the record is dead-lettered.

    `random` returns a number from 0 to 1.
    """

    def __init__(self, delays_seconds: Sequence[float], random: Callable[[], float]) -> None:
        self._delays = tuple(delays_seconds)
        self._random = random

    def delay_after(self, failed: int) -> float | None:
        """Seconds to wait after this many counted failures (1 or more); None: give up."""
        if failed > len(self._delays):
            return None
        return self._delays[failed - 1] * (1 + JITTER_SHARE * self._random())
