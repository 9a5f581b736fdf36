"""A back-fill: takes the numbers of a journal, batch by batch, from USPS to Kafka."""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from receiver.feeds.journal import OPEN, Journal
from receiver.feeds.rights import NOT_ASKED, why_not_asked
from receiver.usps.errors import UspsRefused
from receiver.usps.tracking import MAX_NUMBERS, LookupAnswer, LookupOutcome
from schemas.clock import Clock
from schemas.registry.index import Registry

# What a later run of the same job tries again; all else is settled.
_NOT_SETTLED: Final = (LookupOutcome.LATER.value, LookupOutcome.UNREADABLE.value)
_FUTILE: Final = frozenset({LookupOutcome.REFUSED, LookupOutcome.INVALID})
MAX_REFUSED_IN_A_ROW: Final = 2 * MAX_NUMBERS


class LooksUp(Protocol):
    """What a back-fill uses of the Tracking API."""

    async def look_up(self, numbers: Sequence[str]) -> list[LookupAnswer]:
        """An answer for each number. Raises `UspsRefused`."""


class Publishes(Protocol):
    """What it uses of the way to Kafka."""

    async def publish(self, answers: Sequence[LookupAnswer]) -> dict[str, str]:
        """The state of each number, once its updates are durable."""


class Backfill:
    """One job. `batches`: how many it settled in this run."""

    def __init__(
        self,
        journal: Journal,
        api: LooksUp,
        publisher: Publishes,
        registry: Callable[[], Registry],
        clock: Clock,
    ) -> None:
        self._journal = journal
        self._api = api
        self._publisher = publisher
        self._registry = registry
        self._clock = clock
        self.batches = 0
        self._refused = 0

    async def run(self) -> None:
        """Until no number waits. Raises `UspsRefused`; what was done stays done.

        1. Rights are looked at. 2. USPS is asked. 3. Updates are durable. 4. It is written down.
        """
        while numbers := self._next():
            answers = await self._api.look_up(numbers)
            self._journal.settle(await self._publisher.publish(answers))
            self.batches += 1
            self._look_at(answers)

    def _look_at(self, answers: Sequence[LookupAnswer]) -> None:
        """A refusal of everything is about the account, and costs two calls a number."""
        if any(one.outcome not in _FUTILE for one in answers):
            self._refused = 0
            return
        self._refused += len(answers)
        if self._refused >= MAX_REFUSED_IN_A_ROW:
            raise UspsRefused(
                "all_refused",
                f"USPS refused each of the last {self._refused} numbers; see whether the account's "
                "business accepted the terms of 2026 and is authorized for these MIDs",
            )

    def _next(self) -> Sequence[str]:
        """The next batch: only numbers that somebody may have now."""
        while wanted := self._journal.open_numbers(MAX_NUMBERS):
            registry, now = self._registry(), self._clock.now()
            stopped = {
                one.tracking_number: why
                for one in wanted
                if (why := why_not_asked(registry, one, now)) is not None
            }
            if not stopped:
                return [one.tracking_number for one in wanted]
            self._journal.settle(stopped)
        return ()


def resume(journal: Journal) -> int:
    """Opens again what another try may settle. Returns how many numbers wait."""
    without_right = [state for state in journal.counts() if state.startswith(NOT_ASKED)]
    journal.open_again((*_NOT_SETTLED, *without_right))
    return journal.counts().get(OPEN, 0)


def is_settled(journal: Journal) -> bool:
    """Whether another run of the job would find nothing to try again."""
    return not {OPEN, *_NOT_SETTLED} & journal.counts().keys()
