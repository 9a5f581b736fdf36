"""What group commit keeps count of: groups of records, lanes of partitions, flights to brokers."""

import asyncio
from collections import deque

from aiokafka.structs import TopicPartition

from receiver.door import Outcome, OutgoingRecord


class Group:
    """Records that are written together: one batch, one future of it, one deadline.

    Who waits for a record has a future of his own: to give up waiting must not take the
    others' answer away.

    Attributes:
        due_at: In the loop's time.
        size: Bytes, roughly.
        open: More records may join.
    """

    __slots__ = ("due_at", "open", "records", "settled", "size", "timer", "waiters")

    def __init__(self, due_at: float) -> None:
        self.due_at = due_at
        self.records: list[OutgoingRecord] = []
        self.waiters: list[asyncio.Future[Outcome]] = []
        self.size = 0
        self.open = True
        self.settled = False
        self.timer: asyncio.TimerHandle | None = None

    def add(self, record: OutgoingRecord, waiter: "asyncio.Future[Outcome]", size: int) -> None:
        """One more record, which takes `size` bytes."""
        self.records.append(record)
        self.waiters.append(waiter)
        self.size += size

    def settle(self, outcome: Outcome) -> None:
        """Answers all who wait. To be called once."""
        self.stop_timer()
        self.settled = True
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(outcome)

    def stop_timer(self) -> None:
        """There is no deadline any more."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class Lane:
    """One partition: the batch in flight, of which there is one at most, and what waits."""

    __slots__ = ("flying", "partition", "waiting")

    def __init__(self, partition: TopicPartition) -> None:
        self.partition = partition
        self.flying: Group | None = None
        self.waiting: deque[Group] = deque()

    @property
    def overdue(self) -> bool:
        """Its batch was given up, and nobody knows yet what became of it."""
        return self.flying is not None and self.flying.settled

    def take_off(self) -> Group:
        """The first waiting group goes."""
        self.flying = self.waiting.popleft()
        return self.flying

    def call_back(self) -> None:
        """What is in flight is to be sent again, unless nobody waits for it any more."""
        group, self.flying = self.flying, None
        if group is not None and not group.settled:
            self.waiting.appendleft(group)


class Flight:
    """The batches that start together to one broker; it is over when the first one lands."""

    __slots__ = ("began", "leader")

    def __init__(self, leader: int | None, began: float) -> None:
        self.leader = leader
        self.began = began
