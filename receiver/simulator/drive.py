"""Keeps the pace: so many callbacks per second, bursts, an end."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from receiver.simulator.pushers import Pushers
from schemas.clock import Clock

_TICK_SECONDS: Final = 0.004
# What was missed is caught up in portions: the answers want to be read in between.
_AT_ONCE: Final = 200

# Something happens; False: there is nothing left that could.
Step = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast, and for how long.

    Attributes:
        rate: Callbacks per second.
        duration_seconds: None: until all journeys are told, or for ever.
        burst: So many more at once, every `burst_every_seconds`; 0: none.
    """

    rate: float
    duration_seconds: float | None = None
    burst: int = 0
    burst_every_seconds: float = 10.0

    def due_after(self, elapsed_seconds: float) -> int:
        """How many should have been sent by then."""
        bursts = int(elapsed_seconds / self.burst_every_seconds) if self.burst else 0
        return int(elapsed_seconds * self.rate) + 1 + bursts * self.burst


async def drive(
    step: Step, pushers: Pushers, pace: Pace, clock: Clock, stop: asyncio.Event, *, waits: bool
) -> None:
    """Steps on until the time ends, `stop` is set or nothing is left.

    `waits`: more may come up where nothing is left; nothing is caught up then.
    """
    began = clock.monotonic()
    sent = 0
    while not stop.is_set():
        elapsed = clock.monotonic() - began
        if pace.duration_seconds is not None and elapsed >= pace.duration_seconds:
            return
        all_due = pace.due_after(elapsed) - sent
        due = 0 if pushers.overwhelmed else max(0, min(_AT_ONCE, all_due))
        taken = _take(step, due)
        if taken < due and not waits:
            return
        sent += all_due if taken < due else taken
        await asyncio.sleep(_TICK_SECONDS)


def _take(step: Step, most: int) -> int:
    """How many steps there were."""
    for taken in range(most):
        if not step():
            return taken
    return most
