"""So many calls an hour for each client, over all APIs together, as integrators measured it."""

import math
from typing import Final

from receiver.simulator.apis.oddities import ApiOddity
from receiver.simulator.apis.refusals import TOO_MANY, ApiRefusal
from schemas.clock import Clock

# USPS's default product.
CALLS_PER_HOUR: Final = 60
_HOUR_SECONDS: Final = 3600.0


class Quota:
    """A bucket per client: full at first, and filling up evenly over the hour."""

    def __init__(self, oddities: frozenset[ApiOddity], calls_per_hour: int, clock: Clock) -> None:
        told = ApiOddity.TOO_MANY_WITH_RETRY_AFTER in oddities
        bare = ApiOddity.TOO_MANY_BARE in oddities
        self._counts = told or bare
        self._tells = [one for one, on in ((True, told), (False, bare)) if on]
        self._most = float(calls_per_hour)
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}
        self._refused = 0

    def take(self, client_id: str) -> None:
        """Counts a call. Raises `ApiRefusal`: 429."""
        if not self._counts:
            return
        now = self._clock.monotonic()
        left, since = self._left.get(client_id, (self._most, now))
        left = min(self._most, left + (now - since) * self._most / _HOUR_SECONDS)
        if left < 1:
            self._left[client_id] = (left, now)
            raise self._too_many((1 - left) * _HOUR_SECONDS / self._most)
        self._left[client_id] = (left - 1, now)

    def _too_many(self, seconds: float) -> ApiRefusal:
        tells = self._tells[self._refused % len(self._tells)]
        self._refused += 1
        return ApiRefusal(
            TOO_MANY,
            "quota_exceeded",
            "Simulated: too many requests; the quota of this application is used up.",
            retry_after_seconds=max(1, math.ceil(seconds)) if tells else None,
        )
