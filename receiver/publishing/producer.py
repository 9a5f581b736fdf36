"""A Kafka producer as the receiver needs it: whole batches out, one future per batch back."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final, Protocol

from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from aiokafka.structs import TopicPartition

from receiver.publishing.door import OutgoingRecord
from schemas.kafka import KafkaOptions
from schemas.kafka_clients import end_producer, make_producer

# A producer that hangs must not hold up its successor or the program's end.
CLOSE_SECONDS: Final = 3.0
START_SECONDS: Final = 10.0
PROBE_SECONDS: Final = 3.0

# What a broker's absence looks like to aiokafka's clients.
BROKER_FAULTS: Final = (KafkaError, OSError, TimeoutError)


class Producer(Protocol):
    """What `GroupCommit` and `Broker` use of a producer."""

    async def start(self) -> None:
        """Connects. Raises one of `BROKER_FAULTS`; then it needs no `close`."""

    async def close(self) -> None:
        """Ends it, in bounded time, whatever state it is in."""

    async def answers(self) -> bool:
        """Whether a broker answers now, in bounded time."""

    def leader(self, partition: TopicPartition) -> int | None:
        """The broker that takes this partition's records, as far as is known."""

    async def send(
        self, partition: TopicPartition, records: Sequence[OutgoingRecord], timestamp_ms: int
    ) -> "asyncio.Future[Any]":
        """Hands a batch over. The future ends with the broker's answer, however late."""


class KafkaProducer:
    """The real one, over aiokafka's idempotent producer with `acks=all`."""

    def __init__(self, options: KafkaOptions, topics: Sequence[str]) -> None:
        self._topics = topics
        self._producer = make_producer(**options.producer())

    async def start(self) -> None:
        """Bootstraps, gets a producer id and learns who leads the topics, which exist."""
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._producer.start()
                for topic in self._topics:
                    await self._producer.partitions_for(topic)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Flushes and ends it; one that cannot flush in time is cut off."""
        await end_producer(self._producer, CLOSE_SECONDS)

    async def answers(self) -> bool:
        """Asks for the topics' metadata."""
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                return bool(await self._producer.client.force_metadata_update())
        except BROKER_FAULTS:
            return False

    def leader(self, partition: TopicPartition) -> int | None:
        """From the metadata that aiokafka keeps."""
        found: int | None = self._producer.client.cluster.leader_for_partition(partition)
        return found

    async def send(
        self, partition: TopicPartition, records: Sequence[OutgoingRecord], timestamp_ms: int
    ) -> "asyncio.Future[Any]":
        """One batch, one future: a future per record costs more than the record."""
        batch = self._producer.create_batch()
        append = batch.append
        for record in records:
            append(
                timestamp=timestamp_ms, key=record.key, value=record.value, headers=record.headers
            )
        batch.close()
        if batch.record_count() != len(records):
            raise MessageSizeTooLargeError
        future: asyncio.Future[Any] = await self._producer.send_batch(
            batch, partition.topic, partition=partition.partition
        )
        return future
