"""The audit trail's producer: aiokafka's, idempotent with `acks=all`, whole batches."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiokafka.errors import MessageSizeTooLargeError

from processors.deliver.recorder import AuditRecord
from schemas.kafka import KafkaOptions
from schemas.kafka_clients import end_producer, make_producer

START_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 3.0


class AuditProducer:
    """A `BatchProducer` over a real broker."""

    def __init__(self, options: KafkaOptions) -> None:
        self._producer = make_producer(**options.producer())

    async def start(self, topics: Sequence[str]) -> Mapping[str, int]:
        """Connects and learns the topics' partitions; they exist already."""
        async with asyncio.timeout(START_SECONDS):
            await self._producer.start()
            return {topic: len(await self._producer.partitions_for(topic)) for topic in topics}

    async def send(self, topic: str, partition: int, records: Sequence[AuditRecord]) -> None:
        """One batch, one future: a future per record costs more than the record."""
        batch = self._producer.create_batch()
        for record in records:
            batch.append(timestamp=None, key=record.key, value=record.value, headers=record.headers)
        if batch.record_count() != len(records):
            raise MessageSizeTooLargeError
        batch.close()
        future: asyncio.Future[Any] = await self._producer.send_batch(
            batch, topic, partition=partition
        )
        await future

    async def close(self) -> None:
        """Flushes and ends it; one that cannot flush in time is cut off."""
        await end_producer(self._producer, CLOSE_SECONDS)
