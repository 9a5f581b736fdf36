"""Writes to merchants' topics: one idempotent producer per process, whole batches, awaited.

Outside any transaction: an open one would hold that merchant's readers. What is written and
then not committed by the router is written again, with the same event ids.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaProducer

from processors.consume.errors import BROKER_TROUBLE, TOO_LARGE
from processors.consume.write import RECORD_OVERHEAD_BYTES, SizeLimits
from processors.router.merchant_topics import announce, found_topics
from processors.router.records import MerchantRecord
from schemas.errors import Interrupted
from schemas.kafka import KafkaOptions
from schemas.kafka_clients import end_producer, make_producer
from schemas.partitions import partition_of

log = structlog.get_logger(__name__)
WRITE_SECONDS: Final = 20.0
START_SECONDS: Final = 30.0
CLOSE_SECONDS: Final = 3.0


@dataclass(slots=True)
class _Batch:
    topic: str
    partition: int
    records: list[MerchantRecord]
    size: int


class MerchantWriter:
    """Shared by all partitions of the router; a producer that fails is replaced."""

    def __init__(self, kafka: KafkaOptions) -> None:
        self._kafka = kafka
        self._names = kafka.settings.topics
        self._producer: AIOKafkaProducer | None = None
        self._renewing = asyncio.Lock()
        self._partitions: dict[str, int] = {}
        self._limits = SizeLimits()

    async def learn(self, merchants: Iterable[str]) -> None:
        """Looks for these merchants' topics and announces those that exist."""
        async with self._renewing:
            await self._learn({self._names.merchant(merchant) for merchant in merchants})

    async def write(self, records: Sequence[MerchantRecord]) -> Sequence[MerchantRecord]:
        """Returns when the brokers have all of them, in order per merchant and number.

        Returns:
            Those that the broker calls too large.

        Raises:
            KafkaError, TimeoutError: some may be written, some not.
            Interrupted: a merchant's topic does not exist yet, or a batch was too large; the
                next attempt does it differently.
        """
        if not records:
            return ()
        producer = await self._usable({record.merchant for record in records})
        too_large = [record for record in records if not self._takes(record)]
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                await self._send(producer, self._batches(filter(self._takes, records)))
        except (*BROKER_TROUBLE, Interrupted):
            await self._discard(producer)
            raise
        return too_large

    async def close(self) -> None:
        """Ends the producer, in bounded time."""
        if self._producer is not None:
            await self._discard(self._producer)

    async def _usable(self, merchants: Iterable[str]) -> AIOKafkaProducer:
        topics = {self._names.merchant(merchant) for merchant in merchants}
        async with self._renewing:
            if self._producer is None:
                await self._start()
            if not topics <= self._partitions.keys():
                await self._learn(topics)
            missing = sorted(topics - self._partitions.keys())
            if missing:
                text = f"{', '.join(missing)} does not exist; run registry apply"
                raise Interrupted("merchant_topic_missing", text)
            assert self._producer is not None
            return self._producer

    async def _start(self) -> None:
        producer = make_producer(**self._kafka.producer())
        try:
            async with asyncio.timeout(START_SECONDS):
                await producer.start()
                await announce(producer, self._partitions)
        except BaseException:
            await end_producer(producer, CLOSE_SECONDS)
            raise
        self._producer = producer

    async def _learn(self, topics: set[str]) -> None:
        self._partitions |= await found_topics(self._kafka, topics)
        if self._producer is not None:
            await announce(self._producer, self._partitions)

    def _takes(self, record: MerchantRecord) -> bool:
        return self._limits.takes(self._names.merchant(record.merchant), _size(record))

    def _batches(self, records: Iterable[MerchantRecord]) -> list[_Batch]:
        """In the order of the records per partition; none larger than a broker takes."""
        full: list[_Batch] = []
        growing: dict[tuple[str, int], _Batch] = {}
        for record in records:
            topic, size = self._names.merchant(record.merchant), _size(record)
            partition = partition_of(record.key, self._partitions[topic])
            batch = growing.get((topic, partition))
            if batch is None or batch.size + size > self._limits.batch_bytes(topic):
                if batch is not None:
                    full.append(batch)
                batch = growing[topic, partition] = _Batch(topic, partition, [], 0)
            batch.records.append(record)
            batch.size += size
        return full + list(growing.values())

    async def _send(self, producer: AIOKafkaProducer, batches: Sequence[_Batch]) -> None:
        sent: list[asyncio.Future[Any]] = []
        for batch in batches:
            builder = _built(producer, batch)
            future = await producer.send_batch(builder, batch.topic, partition=batch.partition)
            future.add_done_callback(_retrieved)
            sent.append(future)
        results = await asyncio.gather(*sent, return_exceptions=True)
        self._learn_sizes(batches, results)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    def _learn_sizes(self, batches: Sequence[_Batch], results: Sequence[Any]) -> None:
        """A refused batch leaves a gap in the producer's sequence: it can write no more."""
        refused = [
            batch
            for batch, result in zip(batches, results, strict=True)
            if isinstance(result, TOO_LARGE)
        ]
        for batch in refused:
            log.error("merchant_records_too_large", topic=batch.topic, records=len(batch.records))
            self._limits.learn(batch.topic, batch.size, len(batch.records))
        if refused:
            raise Interrupted("record_too_large")

    async def _discard(self, producer: AIOKafkaProducer) -> None:
        """Some of aiokafka's errors leave a producer that never works again."""
        if self._producer is producer:
            self._producer = None
        await end_producer(producer, CLOSE_SECONDS)


def _size(record: MerchantRecord) -> int:
    """Bytes it takes in a batch, about."""
    return len(record.value) + len(record.key) + RECORD_OVERHEAD_BYTES


def _built(producer: AIOKafkaProducer, batch: _Batch) -> Any:  # noqa: ANN401 -- aiokafka's
    builder = producer.create_batch()
    now = int(time.time() * 1000)
    for record in batch.records:
        builder.append(timestamp=now, key=record.key, value=record.value, headers=record.headers)
    builder.close()
    return builder


def _retrieved(future: "asyncio.Future[Any]") -> None:
    """Marks the error as seen; asyncio would log it otherwise."""
    if not future.cancelled():
        future.exception()
