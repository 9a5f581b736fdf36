"""Time as the USPS client uses it: the clock, waiting, and chance; passed in, all three."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from schemas.clock import Clock, SystemClock

# Longer than the quota's hour nobody waits on one word of USPS; shorter is a busy loop.
MAX_RETRY_AFTER_SECONDS: Final = 3600.0
MIN_RETRY_AFTER_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Timing:
    """`chance` gives numbers from 0 to 1."""

    clock: Clock = field(default_factory=SystemClock)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.SystemRandom().random


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays that double up to a limit, each with jitter, so that many do not come at once."""

    first_seconds: float
    most_seconds: float

    def seconds(self, attempt: int, chance: float) -> float:
        """Before the attempt after this one; attempts count from 1. At least half of the step."""
        step = min(self.most_seconds, self.first_seconds * 2.0 ** min(attempt - 1, 30))
        return step * (0.5 + chance / 2)


def read_retry_after(value: str | None, now: datetime) -> float | None:
    """`Retry-After` in seconds, within bounds; a date or a number (RFC 9110, 10.2.3)."""
    if value is None:
        return None
    seconds = _seconds(value.strip(), now)
    if seconds is None:
        return None
    return min(max(seconds, MIN_RETRY_AFTER_SECONDS), MAX_RETRY_AFTER_SECONDS)


def _seconds(text: str, now: datetime) -> float | None:
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        when = parsedate_to_datetime(text)
        # Without a zone it is GMT, which the header's dates are in by definition.
        return ((when if when.tzinfo else when.replace(tzinfo=UTC)) - now).total_seconds()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
