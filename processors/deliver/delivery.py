"""One run of one destination: its parts put together, from opening the sink to the last commit."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from aiokafka.structs import TopicPartition

from processors.deliver.commits import PartitionProgress
from processors.deliver.deliverer import Deliverer, Surroundings
from processors.deliver.intake import Intake
from processors.deliver.pace import Pace
from processors.deliver.positions import bounds_of, first_position, observed_start
from processors.deliver.reader import DestinationReader
from processors.deliver.retry import RetrySchedule
from processors.deliver.settlements import Settlements
from processors.deliver.shared import Shared
from processors.sinks.base import SinkEvent, SinkTools
from processors.sinks.table import make_sink
from schemas.access import Access, authorize
from schemas.kafka_clients import make_consumer
from schemas.registry.destinations import Destination, HttpDestination
from schemas.registry.observed import ObservedKind

# A merchant topic's largest record, at least; per destination and partition in memory.
FETCH_BYTES: Final = 1024 * 1024
# An idle destination costs a request this often; what arrives is answered at once.
FETCH_WAIT_MS: Final = 2_000
# With the broker away, hundreds of destinations would else ask and log ten times a second each.
RETRY_MS: Final = 1_000


class Delivery:
    """Used once: `run`, and meanwhile `stop`."""

    def __init__(
        self, destination: Destination, shared: Shared, on_begun: Callable[[], None]
    ) -> None:
        self._destination = destination
        self._shared = shared
        self._on_begun = on_begun  # called once its partitions and their positions are known
        self._sink = make_sink(destination, SinkTools(shared.tools.secrets, shared.tools.clock))
        self._stopping = False
        self._gone = False
        settings = shared.tools.settings
        self._topic = settings.topics.merchant(destination.merchant)
        options = shared.tools.kafka.reader(settings.topics.sink_group(destination.id))
        options |= {
            "max_partition_fetch_bytes": FETCH_BYTES,
            "fetch_max_wait_ms": FETCH_WAIT_MS,
            "retry_backoff_ms": RETRY_MS,
        }
        self._consumer = make_consumer(**options)
        self._reader = self._assemble()

    async def run(self) -> bool:
        """Delivers until `stop`; True: the destination is gone (410).

        Raises:
            ScanwireError: it cannot be worked with, or its position is lost.
            KafkaError: the broker's fault.
        """
        try:
            await self._sink.open()
            if not self._stopping:
                await self._reader.run(self._topic)
        finally:
            await self._sink.close()
        return self._gone

    def stop(self) -> None:
        """Makes `run` finish what is in hand and return."""
        self._stopping = True
        self._reader.end()

    def refresh(self) -> None:
        """A secret's file changed."""
        self._sink.refresh()

    def watch(self, ends: Mapping[TopicPartition, int]) -> None:
        """Ends the run if it reads nothing of what is there; it is then run again."""
        self._reader.watch(ends)

    def positions(self) -> dict[TopicPartition, int]:
        """Up to where each partition that is ours is settled."""
        return self._reader.positions()

    def _assemble(self) -> DestinationReader:
        destination, shared = self._destination, self._shared
        settings, clock = shared.tools.settings, shared.tools.clock
        settlements = Settlements(
            destination, settings.topics, shared.recorder, clock, shared.metrics
        )
        deliverer = Deliverer(
            destination.id,
            self._sink,
            settlements=settlements,
            schedule=RetrySchedule(settings.sink_retry_seconds, shared.random),
            pace=Pace(_rate(destination)),
            around=Surroundings(
                clock=clock,
                call_later=asyncio.get_running_loop().call_later,
                authorize=self._authorize,
                on_room=self._on_room,
                on_end=self._on_end,
            ),
            metrics=shared.metrics,
        )
        return DestinationReader(
            self._consumer,
            begin=self._begin,
            intake=Intake(destination.categories, deliverer, settlements),
            deliverer=deliverer,
            settlements=settlements,
            clock=clock,
        )

    def _authorize(self, event: SinkEvent) -> Access:
        """Asked before each attempt: a right that was removed ends at once."""
        now = self._shared.tools.clock.now()
        registry = self._shared.registry_log.registry
        return authorize(registry, event.subject, self._destination.merchant, now)

    def _on_room(self) -> None:
        self._reader.room()

    def _on_end(self, error: BaseException | None) -> None:
        self._gone = self._gone or error is None
        self._reader.end(error)

    async def _begin(self, partitions: Collection[TopicPartition]) -> list[PartitionProgress]:
        """Where each partition begins. Raises `PositionLost` or `KafkaError`."""
        destination = self._destination
        bounds = await bounds_of(self._shared.logs, partitions)
        observed = self._shared.registry_log.observed.get(ObservedKind.START, destination.id)
        start = observed_start(observed, self._topic)
        begun = []
        for partition in partitions:
            committed: Any = await self._consumer.committed(partition)
            position = first_position(
                partition, committed, start, destination.start, bounds[partition]
            )
            begun.append(PartitionProgress(partition, position, committed=committed is not None))
        self._on_begun()
        return begun


def _rate(destination: Destination) -> float | None:
    if isinstance(destination, HttpDestination):
        return destination.rate_limit_per_second
    return None
