"""Keeps the pace: so many callbacks per second, bursts, an end."""

import asyncio
from dataclasses import dataclass
from typing import Final

from receiver.simulator.push import Pusher
from receiver.simulator.stream import CallbackStream
from schemas.clock import Clock, rfc3339

_TICK_SECONDS: Final = 0.004
# What was missed is caught up in portions: the answers want to be read in between.
_AT_ONCE: Final = 200


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
    stream: CallbackStream, pusher: Pusher, pace: Pace, clock: Clock, stop: asyncio.Event
) -> None:
    """Pushes until the stream or the time ends, or `stop` is set."""
    began = clock.monotonic()
    sent = 0
    while not stop.is_set():
        elapsed = clock.monotonic() - began
        if pace.duration_seconds is not None and elapsed >= pace.duration_seconds:
            return
        timestamp = rfc3339(clock.now())
        due = 0 if pusher.overwhelmed else min(_AT_ONCE, pace.due_after(elapsed) - sent)
        for _ in range(due):
            request = stream.next(timestamp)
            if request is None:
                return
            pusher.push(request)
        sent += max(0, due)
        await asyncio.sleep(_TICK_SECONDS)
