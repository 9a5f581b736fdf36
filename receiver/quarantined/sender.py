"""Publishes what was verified again: in order per piece, each acknowledged by all replicas."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from receiver.publishing.door import OutgoingRecord
from receiver.publishing.producer import CLOSE_SECONDS, START_SECONDS
from receiver.quarantined.resubmission import Send
from schemas.kafka import KafkaOptions
from schemas.kafka_clients import end_producer, make_producer
from schemas.partitions import partition_of


@asynccontextmanager
async def sender(options: KafkaOptions, partitions: int) -> AsyncIterator[Send]:
    """A sender to a topic of so many partitions. Raises one of `BROKER_FAULTS`."""
    producer = make_producer(**options.producer())

    async def send(records: Sequence[OutgoingRecord]) -> None:
        waiting = [
            await producer.send(
                record.topic,
                record.value,
                key=record.key,
                partition=partition_of(record.key, partitions),
                headers=record.headers,
            )
            for record in records
        ]
        await asyncio.gather(*waiting)

    try:
        async with asyncio.timeout(START_SECONDS):
            await producer.start()
        yield send
    finally:
        await end_producer(producer, CLOSE_SECONDS)
