"""What every kind of sink is: it writes events, and says what came of each attempt.

Order per number, retry, breaker, dead letters, offsets and metrics belong to
`processors.deliver`; a sink only writes and classifies.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Final

from schemas.access import Subject
from schemas.clock import Clock
from schemas.errors import ScanwireError
from schemas.event import EventCategory
from schemas.secrets import Secrets


@dataclass(frozen=True, slots=True, order=True)
class RecordPosition:
    """Where a record stands."""

    topic: str
    partition: int
    offset: int

    @property
    def next_offset(self) -> int:
        """What a consumer group commits once this record is settled."""
        return self.offset + 1


@dataclass(frozen=True, slots=True)
class SinkEvent:
    """One merchant record: what is needed of it, and its bytes, which are never rewritten."""

    event_id: str
    tracking_number: str
    category: EventCategory
    received_at: str  # as the record states it
    subject: Subject  # the evidence on which the router sent it
    grant: str | None  # and the right on which it did
    key: bytes
    value: bytes  # the ScanEvent's JSON
    headers: Sequence[tuple[str, bytes]]
    position: RecordPosition


class Outcome(StrEnum):
    """What came of one attempt to hand an event over."""

    ACCEPTED = "accepted"
    # For the record's own sake, as far as can be told: other records may go.
    REFUSED = "refused"
    # Time-out, connection error, 429, 5xx: the record's fault or the destination's.
    UNAVAILABLE = "unavailable"
    # 410: the destination wants nothing any more.
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """What came of one attempt. `detail` is a fixed slug, never text of the other side."""

    outcome: Outcome
    status: int | None = None
    detail: str | None = None
    retry_after_seconds: float | None = None  # the destination's wish, not yet bounded
    retriable: bool = True  # False: no later attempt of this record can help


ACCEPTED: Final = AttemptResult(Outcome.ACCEPTED)


class SinkUnusable(ScanwireError):
    """A destination that cannot be worked with as it is declared or configured now."""

    retriable = True


@dataclass(frozen=True, slots=True)
class SinkTools:
    """What sinks are given."""

    secrets: Secrets
    clock: Clock


class Sink(ABC):
    """Writes events to one destination.

    `max_batch`: the most events of one `deliver`. `takes_runs`: one `deliver` may hold
    several events of one number, oldest first; the sink then keeps their order, and fails
    every later event of a number of which one failed.
    """

    kind: ClassVar[str]
    max_batch: ClassVar[int] = 1
    takes_runs: ClassVar[bool] = False

    @property
    @abstractmethod
    def max_in_flight(self) -> int:
        """How many `deliver` may run at a time."""

    @abstractmethod
    async def open(self) -> None:
        """Makes ready; need not reach the destination. Raises `SinkUnusable`."""

    @abstractmethod
    async def deliver(self, events: Sequence[SinkEvent]) -> Sequence[AttemptResult]:
        """Writes the events; one result each, in their order. Raises nothing but bugs."""

    @abstractmethod
    async def close(self) -> None:
        """Lets go of everything. May be called twice, or without `open`."""

    def refresh(self) -> None:  # noqa: B027 -- most kinds hold no secret that can change
        """Resolves references again: a secret's file changed."""
