"""Writes to merchants' topics: one idempotent producer per process, whole batches, awaited.

Outside any transaction: an open one would hold that merchant's readers. What is written and
then not committed by the router is written again, with the same event ids.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from processors.consume.errors import BROKER_TROUBLE, TOO_LARGE
from processors.router.merchant_topics import announce, found_topics
from processors.router.records import MerchantRecord
from schemas.errors import Interrupted
from schemas.kafka import KafkaOptions
from schemas.partitions import partition_of

log = structlog.get_logger(__name__)
# Kafka's usual limit for a batch is 1 MiB; a record beside key and value takes some more.
BATCH_BYTES: Final = 768 * 1024
RECORD_OVERHEAD_BYTES: Final = 600
WRITE_SECONDS: Final = 20.0
START_SECONDS: Final = 30.0
CLOSE_SECONDS: Final = 3.0


class _Batch(NamedTuple):
    topic: str
    partition: int
    records: list[MerchantRecord]


class MerchantWriter:
    """Shared by all partitions of the router; a producer that fails is replaced."""

    def __init__(self, kafka: KafkaOptions) -> None:
        self._kafka = kafka
        self._names = kafka.settings.topics
        self._producer: AIOKafkaProducer | None = None
        self._renewing = asyncio.Lock()
        self._partitions: dict[str, int] = {}

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
            Interrupted: a merchant's topic does not exist yet.
        """
        if not records:
            return ()
        producer = await self._usable({record.merchant for record in records})
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                return await self._send(producer, self._batches(records))
        except BROKER_TROUBLE:
            await self._discard(producer)
            raise

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
        producer = AIOKafkaProducer(**self._kafka.producer())
        try:
            async with asyncio.timeout(START_SECONDS):
                await producer.start()
                await announce(producer, self._partitions)
        except BaseException:
            await _end(producer)
            raise
        self._producer = producer

    async def _learn(self, topics: set[str]) -> None:
        self._partitions |= await found_topics(self._kafka, topics)
        if self._producer is not None:
            await announce(self._producer, self._partitions)

    def _batches(self, records: Sequence[MerchantRecord]) -> list[_Batch]:
        """In the order of the records per partition; none larger than a broker takes."""
        full: list[_Batch] = []
        growing: dict[tuple[str, int], tuple[_Batch, int]] = {}
        for record in records:
            topic = self._names.merchant(record.merchant)
            partition = partition_of(record.key, self._partitions[topic])
            batch, size = growing.get((topic, partition), (None, 0))
            size += len(record.value) + RECORD_OVERHEAD_BYTES
            if batch is None or size > BATCH_BYTES:
                if batch is not None:
                    full.append(batch)
                batch, size = _Batch(topic, partition, []), len(record.value)
            batch.records.append(record)
            growing[topic, partition] = batch, size
        return full + [batch for batch, _ in growing.values()]

    async def _send(
        self, producer: AIOKafkaProducer, batches: Sequence[_Batch]
    ) -> Sequence[MerchantRecord]:
        sent: list[asyncio.Future[Any]] = []
        for batch in batches:
            builder = _built(producer, batch)
            future = await producer.send_batch(builder, batch.topic, partition=batch.partition)
            future.add_done_callback(_retrieved)
            sent.append(future)
        results = await asyncio.gather(*sent, return_exceptions=True)
        refused = []
        for batch, result in zip(batches, results, strict=True):
            if isinstance(result, TOO_LARGE):
                refused.append(batch)
            elif isinstance(result, BaseException):
                raise result
        return await self._singly(producer, refused)

    async def _singly(
        self, producer: AIOKafkaProducer, refused: Sequence[_Batch]
    ) -> Sequence[MerchantRecord]:
        """Records of refused batches one by one; those that are too large alone are returned."""
        too_large: list[MerchantRecord] = []
        for batch in refused:
            if len(batch.records) == 1:
                log.error("merchant_record_too_large", topic=batch.topic)
                too_large.append(batch.records[0])
                continue
            for record in batch.records:
                too_large += await self._send(producer, [batch._replace(records=[record])])
        return too_large

    async def _discard(self, producer: AIOKafkaProducer) -> None:
        """Some of aiokafka's errors leave a producer that never works again."""
        if self._producer is producer:
            self._producer = None
        await _end(producer)


def _built(producer: AIOKafkaProducer, batch: _Batch) -> Any:  # noqa: ANN401 -- aiokafka's
    builder = producer.create_batch()
    now = int(time.time() * 1000)
    for record in batch.records:
        builder.append(timestamp=now, key=record.key, value=record.value, headers=record.headers)
    builder.close()
    return builder


async def _end(producer: AIOKafkaProducer) -> None:
    """Stops it; one that cannot flush in time is cut off."""
    with suppress(KafkaError, TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS):
            await producer.stop()
            return
    # aiokafka's stop() waits for the broker without limit, and has no other way out.
    sender = producer._sender.sender_task  # noqa: SLF001
    if sender is not None:
        sender.cancel()
    producer._message_accumulator.fail_all(KafkaError("closed"))  # noqa: SLF001
    with suppress(KafkaError, TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS):
            await producer.client.close()


def _retrieved(future: "asyncio.Future[Any]") -> None:
    """Marks the error as seen; asyncio would log it otherwise."""
    if not future.cancelled():
        future.exception()
