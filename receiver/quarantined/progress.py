"""A line on stderr now and then, while much is read."""

import sys
from typing import Final

from schemas.clock import Clock

EVERY_SECONDS: Final = 5.0


class Progress:
    """Says how far it is; a short run says nothing."""

    def __init__(self, clock: Clock, total: int) -> None:
        self._clock = clock
        self._total = total
        self._done = 0
        self._said_at = clock.monotonic()

    def advance(self, records: int) -> None:
        """So many more were looked at."""
        self._done += records
        now = self._clock.monotonic()
        if now - self._said_at >= EVERY_SECONDS:
            self._said_at = now
            sys.stderr.write(f"{self._done:,} of {self._total:,} records looked at\n")
