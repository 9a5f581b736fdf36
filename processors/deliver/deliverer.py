"""Hands one destination's events to its sink: which, when, and how many at a time.

Knows no Kafka. A worker makes attempt after attempt while there is something that may go,
and starts the next worker when there is more; a timer wakes what time alone will allow.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from processors.deliver.breaker import Admission, Breaker
from processors.deliver.judge import Judge
from processors.deliver.ordering import InHand, LaneKey, Window
from processors.deliver.pace import Pace
from processors.deliver.retry import RetrySchedule
from processors.deliver.settlements import Settlements
from processors.sinks.base import Outcome, Sink, SinkEvent
from schemas.access import Access, Withheld
from schemas.clock import Clock
from schemas.metrics import SinkMetrics

# Read ahead as much as keeps every slot busy while the next records are fetched.
READ_AHEAD: Final = 4


class Timer(Protocol):
    """A call that is still to come."""

    def cancel(self) -> None:
        """It does not come."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a deliverer is given beside its own parts."""

    clock: Clock
    call_later: Callable[[float, Callable[[], None]], Timer]
    authorize: Callable[[SinkEvent], Access]
    on_room: Callable[[], None]  # there may be room for more events
    on_end: Callable[[BaseException | None], None]  # None: the destination is gone (410)


class Deliverer:
    """One destination's events, from `take_in` to their settlement."""

    def __init__(
        self,
        destination_id: str,
        sink: Sink,
        *,
        settlements: Settlements,
        schedule: RetrySchedule,
        pace: Pace,
        around: Surroundings,
        metrics: SinkMetrics,
    ) -> None:
        self._sink = sink
        self._settlements = settlements
        self._pace = pace
        self._around = around
        self._clock = around.clock
        self._window = Window()
        self._breaker = Breaker()
        self._judge = Judge(
            destination_id,
            window=self._window,
            breaker=self._breaker,
            schedule=schedule,
            settlements=settlements,
            clock=around.clock,
            metrics=metrics,
        )
        self._workers: set[asyncio.Task[None]] = set()
        self._timer: Timer | None = None
        self._timer_at = 0.0
        self._held = False
        self._attempt_seconds = metrics.attempt_seconds
        self._in_flight = metrics.in_flight.labels(destination_id)

    @property
    def wants_more(self) -> bool:
        """Whether more events would soon find a free slot."""
        if self._held or self._breaker.open:
            return False
        return self._window.ready < READ_AHEAD * self._sink.max_in_flight * self._sink.max_batch

    def take_in(self, item: InHand) -> None:
        """Puts an event in line; call `pump` after the last one."""
        self._window.add(item)

    def pump(self) -> None:
        """Starts what may start now, and sees to it that the rest is started in time."""
        now = self._clock.monotonic()
        self._window.release(now)
        self._start_worker(now)
        self._set_timer(now)
        if self.wants_more:
            self._around.on_room()

    def hold(self) -> None:
        """Starts no further attempt until `go_on`; those under way go on."""
        self._held = True
        self._set_timer(self._clock.monotonic())

    async def quiet(self, at_most_seconds: float) -> None:
        """Waits until no attempt is under way; what takes longer is cut off, to go again."""
        if self._workers:
            _, late = await asyncio.wait(list(self._workers), timeout=at_most_seconds)
            for worker in late:
                worker.cancel()
            if late:
                await asyncio.wait(late)

    def go_on(self) -> None:
        """Ends `hold`, without the events that were in hand."""
        self._window.clear()
        self._held = False

    def _start_worker(self, now: float) -> None:
        if self._may_start(now) and len(self._workers) < self._sink.max_in_flight:
            self._workers.add(asyncio.create_task(self._work()))

    def _may_start(self, now: float) -> bool:
        return (
            self._window.ready > 0
            and not self._held
            and self._breaker.admits(now)
            and now >= self._pace.resumes_at
        )

    async def _work(self) -> None:
        try:
            self._in_flight.set(len(self._workers))
            while (taken := self._next()) is not None:
                await self._attempt(*taken)
        except Exception as error:  # noqa: BLE001 -- a bug: told to who restarts the destination
            self.hold()
            self._around.on_end(error)
        finally:
            self._workers.remove(asyncio.current_task())  # type: ignore[arg-type]
            self._in_flight.set(len(self._workers))
        self.pump()

    def _next(self) -> tuple[list[InHand], Admission] | None:
        """The events of the next attempt; what the merchant may not have is settled here."""
        now = self._clock.monotonic()
        self._window.release(now)
        while self._may_start(now):
            admission = self._breaker.admit()
            most = 1 if admission is Admission.PROBE else self._sink.max_batch
            taken = self._window.take(most, most if self._sink.takes_runs else 1)
            allowed = self._only_allowed(taken)
            if not allowed:
                self._breaker.withdrawn(admission)
                continue
            self._pace.spend(now)
            self._start_worker(now)
            if self.wants_more:
                self._around.on_room()
            return allowed, admission
        return None

    def _only_allowed(self, taken: list[InHand]) -> list[InHand]:
        """Withholds what is refused now; behind an allowed event of its number it waits."""
        allowed: list[InHand] = []
        cut: set[LaneKey] = set()
        for item in taken:
            if item.lane in cut:
                continue
            access = self._around.authorize(item.event)
            if not isinstance(access, Withheld):
                item.grant = access.grant
                allowed.append(item)
            elif self._window.leads(item):
                self._settlements.revoked(item, access.reason)
                self._window.settle(item)
            else:
                cut.add(item.lane)
                self._window.untake(item)
        return allowed

    async def _attempt(self, items: list[InHand], admission: Admission) -> None:
        at = self._clock.now()
        began = self._clock.monotonic()
        try:
            results = await self._sink.deliver([item.event for item in items])
        except BaseException:
            self._breaker.withdrawn(admission)  # else a probe that was cut off blocks for ever
            raise
        self._attempt_seconds.observe(self._clock.monotonic() - began)
        worst = self._judge.judge(items, results, admission, at)
        if worst is Outcome.GONE:
            self.hold()
            self._around.on_end(None)
        elif worst is not Outcome.ACCEPTED:
            self._set_timer(self._clock.monotonic())

    def _set_timer(self, now: float) -> None:
        """One timer, for the earliest of what time alone will allow."""
        at = None if self._held else self._next_start(now)
        if self._timer is not None:
            if at is not None and self._timer_at <= at:
                return
            self._timer.cancel()
            self._timer = None
        if at is not None:
            self._timer_at = at
            self._timer = self._around.call_later(at - now, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self.pump()

    def _next_start(self, now: float) -> float | None:
        """When something may start that may not now; None: an event will tell."""
        due = now if self._window.ready else self._window.next_due
        resumes_at = self._breaker.resumes_at
        if due is None or resumes_at is None:
            return None
        at = max(due, resumes_at, self._pace.resumes_at)
        return at if at > now else None
