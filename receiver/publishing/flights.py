"""Batches to the brokers and back: one in flight per lane, those for one broker together."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from receiver.publishing.broker import Broker
from receiver.publishing.lanes import Flight, Group, Lane
from receiver.publishing.producer import Producer
from schemas.clock import Clock
from schemas.metrics import ReceiverMetrics

# What became of a batch: None, it is written.
Landed = Callable[[Lane, Group, BaseException | None], None]


class Flights:
    """Starts what lanes have, as soon as it may go."""

    def __init__(
        self, broker: Broker, metrics: ReceiverMetrics, clock: Clock, landed: Landed
    ) -> None:
        self._broker = broker
        self._metrics = metrics
        self._clock = clock
        self._on_landed = landed
        self._wanting: set[Lane] = set()
        self._flights: dict[int | None, Flight] = {}
        self._starting = False
        self._tasks: set[asyncio.Task[None]] = set()

    def want(self, lane: Lane) -> None:
        """The lane has something."""
        self._wanting.add(lane)
        self.start_soon()

    def recall(self, lanes: Iterable[Lane]) -> None:
        """The producer is gone: what it had and somebody still needs is sent again."""
        self._flights.clear()
        for lane in lanes:
            lane.call_back()
            if not lane.idle:
                self._wanting.add(lane)

    def start_soon(self) -> None:
        """In the loop's next turn: what else arrived in this one comes along."""
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
            if lane.idle:
                self._wanting.discard(lane)
            elif lane.may_start:
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
            self._metrics.publish_seconds.observe(self._clock.monotonic() - flight.began)
            self._metrics.batch_records.observe(len(group.records))
        self._on_landed(lane, group, error)
        if not lane.idle:
            self._wanting.add(lane)
        if self._wanting:
            self.start_soon()
