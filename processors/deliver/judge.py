"""What the results of an attempt mean for the events and for the destination."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from processors.deliver.breaker import Admission, Breaker
from processors.deliver.ordering import InHand, LaneKey, Window
from processors.deliver.retry import RetrySchedule
from processors.deliver.settlements import Settlements
from processors.sinks.base import AttemptResult, Outcome
from schemas.clock import Clock, rfc3339
from schemas.metrics import SinkMetrics
from schemas.records import AttemptOutcome

# What a dead letter tells of: the last attempts; an outage may have made hundreds.
ATTEMPTS_TOLD: Final = 50


class Judge:
    """Settles, postpones or puts back each event; tells the breaker what was learnt."""

    def __init__(
        self,
        destination_id: str,
        *,
        window: Window,
        breaker: Breaker,
        schedule: RetrySchedule,
        settlements: Settlements,
        clock: Clock,
        metrics: SinkMetrics,
    ) -> None:
        self._window = window
        self._breaker = breaker
        self._schedule = schedule
        self._settlements = settlements
        self._clock = clock
        self._blamed: list[InHand] = []  # whose failures in a row may prove not theirs
        self._attempts = {
            outcome: metrics.attempts.labels(destination_id, outcome.value) for outcome in Outcome
        }
        self._breaker_open = metrics.breaker_open.labels(destination_id)
        self._breaker_open.set(0)

    def judge(
        self,
        items: Sequence[InHand],
        results: Sequence[AttemptResult],
        admission: Admission,
        at: datetime,
    ) -> Outcome:
        """Takes one attempt's results; returns the worst of them in the order of `Outcome`."""
        failed: set[LaneKey] = set()
        worst = Outcome.ACCEPTED
        for item, result in zip(items, results, strict=True):
            item.tries += 1
            item.first_attempt_at = item.first_attempt_at or at
            self._attempts[result.outcome].inc()
            if item.lane in failed:
                continue  # it goes again behind the one that failed, whatever came of it
            if result.outcome is Outcome.ACCEPTED:
                self._answered(admission)
                self._settlements.accepted(item)
                self._window.settle(item)
                continue
            failed.add(item.lane)
            _remember(item, at, result)
            self._failed(item, result, admission)
            worst = max(worst, result.outcome, key=_SEVERITY.__getitem__)
        return worst

    def _failed(self, item: InHand, result: AttemptResult, admission: Admission) -> None:
        if result.outcome is Outcome.GONE:
            self._breaker.withdrawn(admission)
            self._window.put_back(item)
        elif result.outcome is Outcome.REFUSED:
            self._answered(admission)
            self._count(item, result)
        elif self._is_the_destinations(item, result, admission):
            self._window.put_back(item)
        else:
            self._blamed.append(item)
            self._count(item, result)

    def _answered(self, admission: Admission) -> None:
        self._blamed.clear()
        self._breaker.answered(admission)
        self._breaker_open.set(self._breaker.open)

    def _is_the_destinations(
        self, item: InHand, result: AttemptResult, admission: Admission
    ) -> bool:
        now = self._clock.monotonic()
        number = item.event.tracking_number
        if not self._breaker.failed(number, admission, now, result.retry_after_seconds):
            return False
        for blamed in self._blamed:
            blamed.counted -= 1
        self._blamed.clear()
        self._breaker_open.set(1)
        return True

    def _count(self, item: InHand, result: AttemptResult) -> None:
        """An attempt that failed for the record's sake: later again, or given up."""
        item.counted += 1
        delay = self._schedule.delay_after(item.counted) if result.retriable else None
        if delay is None:
            reason = "attempts_exhausted" if result.retriable else (result.detail or "refused")
            self._settlements.dead_lettered(item, reason)
            self._window.give_up(item)
        else:
            self._window.postpone(item, self._clock.monotonic() + delay)


_SEVERITY: Final = {outcome: severity for severity, outcome in enumerate(Outcome)}


def _remember(item: InHand, at: datetime, result: AttemptResult) -> None:
    attempt = AttemptOutcome(
        at=rfc3339(at), outcome=result.outcome.value, status=result.status, detail=result.detail
    )
    item.attempts.append(attempt)
    del item.attempts[:-ATTEMPTS_TOLD]
