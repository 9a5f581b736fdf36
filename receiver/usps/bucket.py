"""The arithmetic of a quota: a bucket of calls that fills again steadily."""

from dataclasses import dataclass, replace
from typing import Final

HOUR_SECONDS: Final = 3600.0
# What sums of fractions make of 1.
_WHOLE_CALL: Final = 1.0 - 1e-6


@dataclass(frozen=True, slots=True)
class Allowance:
    """At most `per_hour` calls in any hour, `burst` of them at once.

    A full bucket and an hour's refill together are the quota: neither a fixed nor a sliding
    hour of USPS's ever sees more.
    """

    per_hour: int
    burst: int

    @property
    def room(self) -> float:
        """The size of the bucket; of a quota of one call it is one."""
        return float(max(1, min(self.burst, self.per_hour // 2)))

    @property
    def per_second(self) -> float:
        """The refill."""
        return max(self.per_hour - self.room, 0.5) / HOUR_SECONDS


@dataclass(frozen=True, slots=True)
class Bucket:
    """Calls in hand at a moment (wall time, seconds), and until when USPS wants none at all."""

    calls: float
    at: float
    closed_until: float = 0.0

    def filled(self, allowance: Allowance, now: float) -> "Bucket":
        """What it holds now. A clock that was set back fills nothing."""
        gained = max(0.0, now - max(self.at, self.closed_until)) * allowance.per_second
        closed = min(self.closed_until, now + HOUR_SECONDS)
        calls = min(allowance.room, max(0.0, self.calls) + gained)
        return Bucket(calls, now, closed)

    def wait_seconds(self, allowance: Allowance) -> float:
        """Until a call may go; 0: now. To be asked of a filled bucket."""
        closed = max(0.0, self.closed_until - self.at)
        missing = 0.0 if self.calls >= _WHOLE_CALL else 1.0 - self.calls
        return closed + missing / allowance.per_second

    def taken(self) -> "Bucket":
        """One call less."""
        return replace(self, calls=self.calls - 1.0)

    def closed(self, seconds: float) -> "Bucket":
        """Empty, and nothing goes for so long."""
        until = max(self.closed_until, self.at + seconds)
        # The one call that may go when it opens again: whoever waits then tries.
        return Bucket(1.0, self.at, until)
