"""Publishing by group commit: what arrives while a batch is in flight becomes the next batch.

Each partition has a lane with at most one batch in flight, so that its order holds also when
a batch is sent again. All records of a batch share the producer's future and one deadline.

What the broker does not acknowledge in time goes to the spool, and what comes after it in its
lane goes behind it. A lane's records leave the spool in their order and before newer ones: the
last few are awaited in memory, so that a lane comes back to the straight way under any load.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.structs import TopicPartition

from receiver.publishing.broker import Broker
from receiver.publishing.door import Outcome, OutgoingRecord, too_large, unavailable
from receiver.publishing.flights import Flights
from receiver.publishing.lanes import Group, Lane
from receiver.spool.rows import Row
from receiver.spool.spool import Spool
from receiver.spool.way import Instead, SpoolWay
from schemas.clock import Clock
from schemas.metrics import ReceiverMetrics
from schemas.partitions import partition_of
from schemas.topics import LARGE_RECORD_BYTES

# Small enough that a batch never holds up what follows it; a larger record goes alone.
GROUP_BYTES: Final = 512 * 1024
# Of all records that wait: a flood of large callbacks must not fill the memory.
WAITING_BYTES: Final = 64 * 1024 * 1024
# Headers and framing of a record, generously.
OVERHEAD_BYTES: Final = 1024
# While the broker is suspected to be away a callback is answered within a second.
SUSPECTED_TIMEOUT_SECONDS: Final = 0.8
# A batch that stays unanswered although the broker answers: the producer has lost it.
LOST_AFTER_SECONDS: Final = 15.0
# So many records of a lane that the spool still has are awaited in memory by what is newer.
NEARLY_READ: Final = 256


class GroupCommit:
    """The door to Kafka, and to the spool while Kafka is slow or away."""

    def __init__(
        self,
        broker: Broker,
        spool: Spool,
        metrics: ReceiverMetrics,
        clock: Clock,
        *,
        timeout_seconds: float,
        max_waiting: int,
        instead: Instead = lambda _: None,
        lost_after_seconds: float = LOST_AFTER_SECONDS,
    ) -> None:
        self._broker = broker
        self._spool = spool
        self._timeout = timeout_seconds
        self._max_waiting = max_waiting
        self._lost_after = lost_after_seconds
        self._waiting = 0
        self._waiting_bytes = 0
        self._lanes: dict[str, list[Lane]] = {}
        self._flights = Flights(broker, metrics, clock, self._landed)
        self._way = SpoolWay(spool, self._flights, self._settle, self._lane, instead)
        broker.partitions = broker.partitions or spool.partitions
        broker.remember = self.remember
        broker.on_started = self._begin
        broker.on_lost = self._recall
        spool.on_opened = self._reopened
        metrics.in_flight.set_function(lambda: self._waiting)

    @property
    def spools(self) -> bool:
        """Whether it takes records without the broker."""
        return self._spool.takes and bool(self._broker.partitions)

    def lanes(self) -> Iterator[Lane]:
        """Every lane that was opened so far."""
        for lanes in self._lanes.values():
            yield from lanes

    async def remember(self, partitions: Mapping[str, int]) -> bool:
        """Keeps what the broker says. True if records were taken by other numbers already."""
        moved = await self._spool.keep_partitions(partitions) and bool(self._lanes)
        if not moved:
            self._spool.go_on()
        return moved

    def submit(self, record: OutgoingRecord) -> "asyncio.Future[Outcome]":
        """See `Door`. The future ends before the timeout, and the spool's after it."""
        size = len(record.value) + len(record.key) + OVERHEAD_BYTES
        self._check_room(size)
        lane = self._lane(record)
        waiter: asyncio.Future[Outcome] = asyncio.Future()
        if (lane.unread or lane.stuck or self._broker.suspected) and self._spooled(lane):
            group = Group(0.0)
            group.add(record, waiter, size)
            self._divert(lane)
            self._way.copy(lane, group)
        else:
            self._join(lane, size).add(record, waiter, size)
        self._waiting += 1
        self._waiting_bytes += size
        return waiter

    @property
    def drained_bytes(self) -> int:
        """Of what was fed and is not written yet."""
        return self._way.drained_bytes

    def feed(self, lane: Lane, rows: Sequence[Row], expected: int) -> None:
        """The lane's next rows of the spool, of so many, are written before all that waits."""
        group = self._way.group_of(lane, rows)
        if not rows:
            self._way.missing(lane, expected)
        elif group is not None:
            self._watch(lane, group)
            lane.drained.append(group)
        if not lane.idle:
            self._flights.want(lane)

    def _check_room(self, size: int) -> None:
        if size > LARGE_RECORD_BYTES:
            raise too_large()
        if self._waiting >= self._max_waiting or self._waiting_bytes > WAITING_BYTES:
            raise unavailable("too many callbacks wait for the broker")

    def _lane(self, record: OutgoingRecord) -> Lane:
        lanes = self._lanes.get(record.topic) or self._open_lanes(record.topic)
        return lanes[partition_of(record.key, len(lanes))]

    def _open_lanes(self, topic: str) -> list[Lane]:
        count = self._broker.partitions.get(topic)
        if count is None:
            raise unavailable("no broker was reached yet")
        partitions = [TopicPartition(topic, number) for number in range(count)]
        lanes = [Lane(partition, self._spool.backlog(partition)) for partition in partitions]
        self._lanes[topic] = lanes
        return lanes

    def _spooled(self, lane: Lane) -> bool:
        """Whether a lane's new records go to the spool. Raises `PublishFailed`: nowhere."""
        nearly_read = lane.unread <= NEARLY_READ
        if nearly_read and not lane.stuck and not self._broker.suspected:
            return False
        if self._spool.takes:
            return True
        if not nearly_read:
            raise unavailable("the spool takes no more")
        if lane.overdue or (self._broker.suspected and self._broker.producer is None):
            raise unavailable("the broker is away")
        return False

    def _join(self, lane: Lane, size: int) -> Group:
        """The lane's last group that has room for so many bytes."""
        group = lane.waiting[-1] if lane.waiting else None
        if group is None or not group.open or group.size + size > GROUP_BYTES:
            group = self._new_group(lane, asyncio.get_running_loop().time() + self._patience)
            lane.waiting.append(group)
            self._flights.want(lane)
        return group

    @property
    def _patience(self) -> float:
        if self._broker.suspected:
            return min(self._timeout, SUSPECTED_TIMEOUT_SECONDS)
        return self._timeout

    def _new_group(self, lane: Lane, due_at: float) -> Group:
        group = Group(due_at)
        group.timer = asyncio.get_running_loop().call_at(due_at, self._expire, lane, group)
        return group

    def _expire(self, lane: Lane, group: Group) -> None:
        """The broker did not acknowledge in time: to the spool, with all that waits behind."""
        lane.stuck = True
        self._broker.missed()
        if self._spool.takes:
            self._divert(lane)
        else:
            self._drop(lane, group)

    def _divert(self, lane: Lane) -> None:
        for group in lane.take_waiting():
            self._way.copy(lane, group)
            if lane.flying is group:
                self._look_again(lane, group)

    def _drop(self, lane: Lane, group: Group) -> None:
        """Answers those who wait. What was not sent is dropped; what was may still be written."""
        self._settle(group, Outcome.NOT_KNOWN)
        if lane.flying is group:
            while lane.waiting:
                self._settle(lane.waiting.popleft(), Outcome.NOT_KNOWN)
            self._look_again(lane, group)
        elif group in lane.waiting:
            lane.waiting.remove(group)

    def _settle(self, group: Group, outcome: Outcome) -> None:
        self._waiting -= len(group.records)
        self._waiting_bytes -= group.size
        group.settle(outcome)

    def _watch(self, lane: Lane, group: Group) -> None:
        """Nobody waits for what is drained, but a broker that does not take it is noticed."""
        loop = asyncio.get_running_loop()
        group.timer = loop.call_later(self._timeout, self._not_drained, lane, group)

    def _not_drained(self, lane: Lane, group: Group) -> None:
        if lane.flying is group:
            lane.stuck = True
            self._broker.missed()
            self._look_again(lane, group)
        elif not group.settled:
            self._watch(lane, group)

    def _look_again(self, lane: Lane, group: Group) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(self._lost_after, self._give_up, lane, group)

    def _give_up(self, lane: Lane, group: Group) -> None:
        if lane.flying is not group:
            return
        if self._broker.suspected:
            self._look_again(lane, group)
        else:
            self._broker.renew("batch_lost")

    def _begin(self) -> None:
        """There is a producer: also for lanes that only the spool has anything of."""
        for topic in self._broker.partitions:
            if topic not in self._lanes:
                self._open_lanes(topic)
        self._flights.start_soon()

    def _recall(self) -> None:
        self._flights.recall(self.lanes())

    def _reopened(self) -> None:
        """The spool could not be used before; what it has is read from its beginning."""
        self._broker.partitions = self._broker.partitions or self._spool.partitions
        for lane in self.lanes():
            lane.unread = lane.uncommitted + self._spool.backlog(lane.partition)
            lane.read_to = 0

    def _landed(self, lane: Lane, group: Group, error: BaseException | None) -> None:
        if error is None:
            lane.stuck = False
            if not (group.settled or group.seqs):
                self._settle(group, Outcome.WRITTEN)
            self._broker.acknowledged()
            self._way.written(lane, group)
        elif isinstance(error, MessageSizeTooLargeError):
            self._refuse(lane, group)
        else:
            # By another producer: this one has lost its sequence numbers.
            lane.put_back(group)
            self._broker.renew(type(error).__name__)

    def _refuse(self, lane: Lane, group: Group) -> None:
        """A record that the broker calls too large is never sent again; others are, alone."""
        if group.settled or group.copy is not None:
            pass  # nobody waits any more, or it comes again from the spool
        elif len(group.records) > 1:
            self._split(lane, group)
        elif group.seqs:
            self._way.refused(lane, group)
        else:
            self._settle(group, Outcome.TOO_LARGE)
        self._broker.renew("record_too_large")

    def _split(self, lane: Lane, group: Group) -> None:
        group.stop_timer()
        if group.seqs:
            group.settled = True
        for single in reversed(group.singles()):
            if single.seqs:
                self._watch(lane, single)
            else:
                loop = asyncio.get_running_loop()
                single.timer = loop.call_at(single.due_at, self._expire, lane, single)
            lane.put_back(single)
