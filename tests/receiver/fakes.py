"""Stand-ins that behave: a Kafka with producers, a registry topic to read, a clock to set."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from aiokafka.errors import (
    KafkaConnectionError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
)
from aiokafka.structs import TopicPartition
from prometheus_client import CollectorRegistry

from receiver.publishing.door import OutgoingRecord
from receiver.spool.directory import SpoolDirectory
from receiver.spool.spool import Spool
from schemas.clock import Clock
from schemas.metrics import SpoolMetrics


class FakeClock:
    """Time that moves when a test says so."""

    def __init__(self, now: datetime = datetime(2026, 5, 14, 15, 42, 10, tzinfo=UTC)) -> None:
        self._now = now
        self._monotonic = 1000.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Both clocks go on."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds


class FakeKafka:
    """One broker: what was written to it, and whether it is there, answers, or refuses.

    Attributes:
        reachable: False: connections are refused; what is in flight hangs.
        answering: False: batches are kept back until `answer()`, as by a slow broker.
        stuck: Partitions whose batches are kept back although all others are answered.
        max_bytes: Larger batches are refused.
        fail_next: Raised by the next batch, as an idempotent producer's error would be.
    """

    def __init__(self, partitions: Mapping[str, int]) -> None:
        self.partitions = dict(partitions)
        self.batches: list[tuple[TopicPartition, list[OutgoingRecord]]] = []
        self.reachable = True
        self.answering = True
        self.stuck: set[int] = set()
        self.max_bytes = 1_000_000
        self.fail_next: Exception | None = None
        self.producers: list[FakeProducer] = []
        self._kept_back: list[Batch] = []

    @property
    def written(self) -> list[OutgoingRecord]:
        """Every record, in the order of writing."""
        return [record for _, records in self.batches for record in records]

    @property
    def in_flight(self) -> int:
        """Batches that wait for an answer."""
        return len(self._kept_back)

    def values(self, topic: str) -> list[dict[str, Any]]:
        """The JSON values on a topic."""
        return [orjson.loads(record.value) for record in self.written if record.topic == topic]

    def producer(self) -> "FakeProducer":
        """A new producer, to be started."""
        made = FakeProducer(self)
        self.producers.append(made)
        return made

    async def find_partitions(self) -> Mapping[str, int]:
        """Every topic, as the admin client lists them."""
        if not self.reachable:
            raise KafkaConnectionError
        return self.partitions

    def take(self, batch: "Batch") -> None:
        """A produce request arrives, or would."""
        answering = self.answering and batch.partition.partition not in self.stuck
        if self.reachable and answering:
            self._settle(batch)
        else:
            self._kept_back.append(batch)

    def answer(self) -> None:
        """Is there and answers again, first of all what was kept back."""
        self.reachable = self.answering = True
        kept_back, self._kept_back = self._kept_back, []
        for batch in kept_back:
            self.take(batch)

    def lose(self) -> None:
        """What was kept back never arrives."""
        self._kept_back.clear()

    def _settle(self, batch: "Batch") -> None:
        if batch.future.done():
            return
        error = self._error(batch)
        if error is None:
            self.batches.append((batch.partition, list(batch.records)))
            batch.future.set_result(None)
        else:
            # As with Kafka: its sequence numbers have a gap now.
            batch.producer.broken.add(batch.partition)
            batch.future.set_exception(error)

    def _error(self, batch: "Batch") -> Exception | None:
        if batch.partition in batch.producer.broken:
            out_of_order: Exception = OutOfOrderSequenceNumber()
            return out_of_order
        if self.fail_next is not None:
            error, self.fail_next = self.fail_next, None
            return error
        too_large: Exception = MessageSizeTooLargeError()
        size = sum(len(record.value) for record in batch.records)
        return too_large if size > self.max_bytes else None


@dataclass
class Batch:
    """A batch in flight."""

    producer: "FakeProducer"
    partition: TopicPartition
    records: Sequence[OutgoingRecord]
    future: "asyncio.Future[None]" = field(default_factory=asyncio.Future)


class FakeProducer:
    """An idempotent producer of `FakeKafka`."""

    def __init__(self, kafka: FakeKafka) -> None:
        self._kafka = kafka
        self.broken: set[TopicPartition] = set()
        self.closed = False

    async def start(self) -> None:
        if not self._kafka.reachable:
            raise KafkaConnectionError

    async def close(self) -> None:
        self.closed = True

    async def answers(self) -> bool:
        return self._kafka.reachable

    def leader(self, partition: TopicPartition) -> int | None:
        return 1

    async def send(
        self, partition: TopicPartition, records: Sequence[OutgoingRecord], timestamp_ms: int
    ) -> "asyncio.Future[Any]":
        assert not self.closed
        batch = Batch(self, partition, records)
        asyncio.get_running_loop().call_soon(self._kafka.take, batch)
        return batch.future


def counted(kafka: FakeKafka) -> Counter[str]:
    """How often each value was written."""
    return Counter(record.value.decode() for record in kafka.written)


async def eventually(holds: Callable[[], object], seconds: float = 5.0) -> None:
    """Returns as soon as the condition holds; fails if it does not within so many seconds."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 -- there is no event for any condition
            await asyncio.sleep(0.002)


def unusable_spool(clock: Clock) -> Spool:
    """One that was never opened, as on a broken disk: it takes nothing."""
    return Spool(SpoolDirectory(Path("/nowhere")), 1, SpoolMetrics(CollectorRegistry()), clock)
