"""What group commit keeps count of: groups of records, lanes of partitions, flights to brokers."""

import asyncio
import math
from collections import deque
from collections.abc import Sequence
from typing import Self

from aiokafka.structs import TopicPartition

from receiver.publishing.door import Outcome, OutgoingRecord
from receiver.spool.spool import Copy


class Group:
    """Records that are written together: one batch, one future of it, one deadline.

    Who waits for a record has a future of his own: to give up waiting must not take the
    others' answer away. Nobody waits for what is drained from the spool.

    Attributes:
        due_at: In the loop's time.
        size: Bytes, roughly.
        open: More records may join.
        seqs: Of records that were read from the spool, their numbers there.
        copy: The same records in the spool, since the broker did not answer in time.
    """

    __slots__ = (
        "copy",
        "due_at",
        "open",
        "records",
        "seqs",
        "settled",
        "size",
        "timer",
        "waiters",
    )

    def __init__(self, due_at: float) -> None:
        self.due_at = due_at
        self.records: list[OutgoingRecord] = []
        self.waiters: list[asyncio.Future[Outcome]] = []
        self.size = 0
        self.open = True
        self.settled = False
        self.timer: asyncio.TimerHandle | None = None
        self.seqs: Sequence[int] = ()
        self.copy: Copy | None = None

    @classmethod
    def drained(cls, rows: Sequence[tuple[int, OutgoingRecord]], size: int) -> Self:
        """Records that were read from the spool, with their numbers there."""
        group = cls(math.inf)
        group.records = [record for _, record in rows]
        group.seqs = [seq for seq, _ in rows]
        group.size = size
        group.open = False
        return group

    def singles(self) -> "list[Group]":
        """Each record alone, without a timer yet."""
        singles = [Group(self.due_at) for _ in self.records]
        for place, single in enumerate(singles):
            single.records = self.records[place : place + 1]
            single.waiters = self.waiters[place : place + 1]
            single.seqs = self.seqs[place : place + 1]
            single.size = self.size // len(singles)
            single.open = False
        singles[0].size += self.size % len(singles)
        return singles

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
    """One partition: the batch in flight, of which there is one at most, and what waits.

    Attributes:
        drained: Groups read from the spool: older than all that is `waiting`.
        unread: Records in the spool that were not read from it yet. While there are any,
            what is `waiting` stays: it is newer.
        uncommitted: Those of them that are not durable yet.
        held: Nothing goes until its first record has found another place.
        stuck: A batch missed its deadline, and none was written since.
        read_to: The number in the spool of the last record that was read, or need not be.
    """

    __slots__ = (
        "drained",
        "flying",
        "held",
        "partition",
        "read_to",
        "stuck",
        "uncommitted",
        "unread",
        "waiting",
    )

    def __init__(self, partition: TopicPartition, unread: int) -> None:
        self.partition = partition
        self.flying: Group | None = None
        self.waiting: deque[Group] = deque()
        self.drained: deque[Group] = deque()
        self.unread = unread
        self.uncommitted = 0
        self.held = False
        self.stuck = False
        self.read_to = 0

    @property
    def overdue(self) -> bool:
        """Its batch was given up, and nobody knows yet what became of it."""
        return self.flying is not None and self.flying.settled

    @property
    def idle(self) -> bool:
        """Nothing waits."""
        return not self.waiting and not self.drained

    @property
    def may_start(self) -> bool:
        """The next group may go."""
        waits = self.drained or (self.waiting and not self.unread)
        return bool(waits) and self.flying is None and not self.held

    @property
    def may_read(self) -> bool:
        """More may be read from the spool.

        Not while a batch is in flight of which it has a copy: if that batch is written after
        all, the copy is not needed.
        """
        return (
            self.unread > self.uncommitted
            and not self.drained
            and (self.flying is None or self.flying.copy is None)
        )

    def take_off(self) -> Group:
        """The first group goes."""
        self.flying = (self.drained or self.waiting).popleft()
        return self.flying

    def call_back(self) -> None:
        """What is in flight is to be sent again, unless nobody needs it any more."""
        group, self.flying = self.flying, None
        if group is not None:
            self.put_back(group)

    def put_back(self, group: Group) -> None:
        """To the front of where it came from; what the spool has comes back from there."""
        if group.settled or group.copy is not None:
            return
        (self.drained if group.seqs else self.waiting).appendleft(group)

    def take_waiting(self) -> list[Group]:
        """All that is to be written after what the spool has, in its order; none waits then.

        A batch in flight stays so, but its records are among them.
        """
        groups = list(self.waiting)
        self.waiting.clear()
        flying = self.flying
        if flying is not None and not (flying.seqs or flying.settled or flying.copy):
            groups.insert(0, flying)
        return groups


class Flight:
    """The batches that start together to one broker; it is over when the first one lands."""

    __slots__ = ("began", "leader")

    def __init__(self, leader: int | None, began: float) -> None:
        self.leader = leader
        self.began = began
