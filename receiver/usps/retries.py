"""When a call is tried again, and how long after: the same for tokens and for the APIs."""

from typing import Final, Protocol

import structlog

from receiver.usps.errors import UspsRefused
from receiver.usps.refusal import RATE_LIMITED
from receiver.usps.timing import Backoff, Timing

log = structlog.get_logger(__name__)
ATTEMPTS: Final = 5
AFTER_FAULT: Final = Backoff(1.0, 30.0)
# A quota of 60 an hour that is spent gives one call a minute back.
AFTER_RATE_LIMIT: Final = Backoff(15.0, 900.0)
_UNAVAILABLE: Final = 503


class Quota(Protocol):
    """The calls that are allowed."""

    async def take(self) -> None:
        """Returns as soon as one call may go."""

    def spent(self, seconds: float) -> None:
        """USPS says that nothing goes for so long."""


class NoQuota:
    """Every call may go; for the simulator and tests."""

    async def take(self) -> None:
        """At once."""

    def spent(self, seconds: float) -> None:
        """The waiting is left to the retries."""


class Retries:
    """Of one client."""

    def __init__(self, timing: Timing, quota: Quota, attempts: int) -> None:
        self._timing = timing
        self._quota = quota
        self._attempts = attempts

    async def again(self, error: UspsRefused, attempt: int, *, repeatable: bool) -> bool:
        """Waits, and says whether the call goes again; attempts count from 1."""
        if attempt >= self._attempts or not _may_repeat(error, repeatable):
            return False
        limited = error.status == RATE_LIMITED
        chance = self._timing.chance()
        if error.retry_after_seconds is None:
            backoff = AFTER_RATE_LIMIT if limited else AFTER_FAULT
            seconds = backoff.seconds(attempt, chance)
        else:
            # Those who were refused together do not come back together.
            seconds = error.retry_after_seconds + chance
        if limited:
            self._quota.spent(seconds)
        log.warning("usps_call_postponed", reason=error.reason, seconds=round(seconds, 1))
        await self._timing.sleep(seconds)
        return True


def _may_repeat(error: UspsRefused, repeatable: bool) -> bool:
    """What was refused as too much, or by an API that is down, was not carried out."""
    if error.status in {RATE_LIMITED, _UNAVAILABLE}:
        return True
    return repeatable and error.retriable
