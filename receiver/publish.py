"""Publishing by group commit: what arrives while a batch is in flight becomes the next batch.

Each partition has a lane with at most one batch in flight, so that its order holds also when
a batch is sent again. All records of a batch share the producer's future and one deadline. The
batches for one broker start together, since one produce request is in flight per broker anyway.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.structs import TopicPartition

from receiver.broker import Broker
from receiver.door import Outcome, OutgoingRecord, too_large, unavailable
from receiver.lanes import Flight, Group, Lane
from receiver.producer import Producer
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


class GroupCommit:
    """The door to Kafka."""

    def __init__(
        self,
        broker: Broker,
        metrics: ReceiverMetrics,
        clock: Clock,
        timeout_seconds: float,
        max_waiting: int,
        *,
        lost_after_seconds: float = LOST_AFTER_SECONDS,
    ) -> None:
        self._broker = broker
        self._metrics = metrics
        self._clock = clock
        self._timeout = timeout_seconds
        self._max_waiting = max_waiting
        self._lost_after = lost_after_seconds
        self._waiting = 0
        self._waiting_bytes = 0
        self._lanes: dict[str, list[Lane]] = {}
        self._wanting: set[Lane] = set()
        self._flights: dict[int | None, Flight] = {}
        self._starting = False
        self._tasks: set[asyncio.Task[None]] = set()
        broker.on_started = self._start_soon
        broker.on_lost = self._recall
        metrics.in_flight.set_function(lambda: self._waiting)

    def submit(self, record: OutgoingRecord) -> "asyncio.Future[Outcome]":
        """See `Door`. The future ends before the timeout."""
        size = len(record.value) + len(record.key) + OVERHEAD_BYTES
        self._check_room(size)
        waiter: asyncio.Future[Outcome] = asyncio.Future()
        self._join(self._lane(record), size).add(record, waiter, size)
        self._waiting += 1
        self._waiting_bytes += size
        return waiter

    def _check_room(self, size: int) -> None:
        if size > LARGE_RECORD_BYTES:
            raise too_large()
        if self._waiting >= self._max_waiting or self._waiting_bytes > WAITING_BYTES:
            raise unavailable("too many callbacks wait for the broker")

    def _lane(self, record: OutgoingRecord) -> Lane:
        lanes = self._lanes.get(record.topic) or self._open_lanes(record.topic)
        lane = lanes[partition_of(record.key, len(lanes))]
        if lane.overdue or (self._broker.suspected and self._broker.producer is None):
            raise unavailable("the broker is away")
        return lane

    def _open_lanes(self, topic: str) -> list[Lane]:
        count = self._broker.partitions.get(topic)
        if count is None:
            raise unavailable("no broker was reached yet")
        lanes = [Lane(TopicPartition(topic, number)) for number in range(count)]
        self._lanes[topic] = lanes
        return lanes

    def _join(self, lane: Lane, size: int) -> Group:
        """The lane's last group that has room for so many bytes."""
        group = lane.waiting[-1] if lane.waiting else None
        if group is None or not group.open or group.size + size > GROUP_BYTES:
            group = self._new_group(lane, asyncio.get_running_loop().time() + self._patience)
            lane.waiting.append(group)
            self._wanting.add(lane)
            self._start_soon()
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
        """Answers those who wait. What was not sent is dropped; what was may still be written."""
        self._settle(group, Outcome.NOT_KNOWN)
        self._broker.missed()
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

    def _recall(self) -> None:
        """The producer is gone: what it had and somebody still waits for is sent again."""
        self._flights.clear()
        for lanes in self._lanes.values():
            for lane in lanes:
                lane.call_back()
            self._wanting.update(lane for lane in lanes if lane.waiting)

    def _start_soon(self) -> None:
        # In the loop's next turn: what else arrived in this one comes along.
        if not self._starting:
            self._starting = True
            asyncio.get_running_loop().call_soon(self._start)

    def _start(self) -> None:
        self._starting = False
        producer = self._broker.producer
        if producer is None:
            return
        for leader, lanes in self._ready(producer).items():
            flight = Flight(leader, self._clock.monotonic())
            self._flights[leader] = flight
            batches = [(lane, lane.take_off()) for lane in lanes]
            task = asyncio.create_task(self._fly(producer, flight, batches))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _ready(self, producer: Producer) -> dict[int | None, list[Lane]]:
        """Lanes that may start, by the broker they go to."""
        ready: dict[int | None, list[Lane]] = {}
        for lane in tuple(self._wanting):
            if not lane.waiting:
                self._wanting.discard(lane)
            elif lane.flying is None:
                leader = producer.leader(lane.partition)
                if leader not in self._flights:
                    ready.setdefault(leader, []).append(lane)
        return ready

    async def _fly(
        self, producer: Producer, flight: Flight, batches: Sequence[tuple[Lane, Group]]
    ) -> None:
        now_ms = int(self._clock.now().timestamp() * 1000)
        for lane, group in batches:
            if lane.flying is not group:
                continue  # recalled meanwhile
            try:
                future = await producer.send(lane.partition, group.records, now_ms)
            except Exception as error:  # noqa: BLE001 -- whatever aiokafka raises: not written
                self._land(lane, group, flight, error)
            else:
                future.add_done_callback(partial(self._landed, lane, group, flight))

    def _landed(
        self, lane: Lane, group: Group, flight: Flight, future: "asyncio.Future[Any]"
    ) -> None:
        error = asyncio.CancelledError() if future.cancelled() else future.exception()
        self._land(lane, group, flight, error)

    def _land(self, lane: Lane, group: Group, flight: Flight, error: BaseException | None) -> None:
        if lane.flying is not group:
            return  # recalled: it belongs to a producer that was given up
        lane.flying = None
        if self._flights.get(flight.leader) is flight:
            del self._flights[flight.leader]
        if error is None:
            self._acknowledge(group, flight)
        elif isinstance(error, MessageSizeTooLargeError):
            self._refuse(lane, group)
        else:
            self._retry(lane, group, type(error).__name__)
        if lane.waiting:
            self._wanting.add(lane)
        if self._wanting:
            self._start_soon()

    def _acknowledge(self, group: Group, flight: Flight) -> None:
        if not group.settled:
            self._settle(group, Outcome.WRITTEN)
        self._broker.acknowledged()
        self._metrics.publish_seconds.observe(self._clock.monotonic() - flight.began)
        self._metrics.batch_records.observe(len(group.records))

    def _retry(self, lane: Lane, group: Group, why: str) -> None:
        """Within its deadline, by another producer: this one has lost its sequence numbers."""
        if not group.settled:
            lane.waiting.appendleft(group)
        self._broker.renew(why)

    def _refuse(self, lane: Lane, group: Group) -> None:
        """A record that the broker calls too large is never sent again; others are, alone."""
        if group.settled:
            pass
        elif len(group.records) == 1:
            self._settle(group, Outcome.TOO_LARGE)
        else:
            self._split(lane, group)
        self._broker.renew("record_too_large")

    def _split(self, lane: Lane, group: Group) -> None:
        group.stop_timer()
        singles = [self._new_group(lane, group.due_at) for _ in group.records]
        for single, record, waiter in zip(singles, group.records, group.waiters, strict=True):
            single.add(record, waiter, group.size // len(singles))
            single.open = False
        lane.waiting.extendleft(reversed(singles))
