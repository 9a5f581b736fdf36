"""Writes a batch's records and its input position in one Kafka transaction."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from processors.consume.errors import FENCED, TOO_LARGE
from processors.consume.stage import OutRecord
from processors.lost_markers import end_lost
from schemas.errors import Interrupted
from schemas.kafka_clients import end_producer

# Kafka's usual limit is 1 MiB for a batch; ours stay below it unless one record is larger.
BATCH_BYTES: Final = 900_000
# Of a record beside key and value: attributes, lengths and some headers.
RECORD_OVERHEAD_BYTES: Final = 600
# Below the transaction's time-out (15 s), after which the coordinator would fence us.
WRITE_SECONDS: Final = 12.0
START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 1.0
_Result = TypeVar("_Result")


class SizeLimits:
    """What the broker was found to take per topic; learnt from its refusals, kept for good."""

    def __init__(self) -> None:
        self._batch: dict[str, int] = {}
        self._record: dict[str, int] = {}

    def batch_bytes(self, topic: str) -> int:
        """How large a batch of several records may grow."""
        return self._batch.get(topic, BATCH_BYTES)

    def takes(self, topic: str, size: int) -> bool:
        """Whether no record of this size or less was refused."""
        refused = self._record.get(topic)
        return refused is None or size < refused

    def learn(self, topic: str, size: int, records: int) -> None:
        """A batch was refused: one record is too large, several are tried in smaller batches."""
        if records == 1:
            self._record[topic] = min(size, self._record.get(topic, size))
        else:
            self._batch[topic] = min(size, self.batch_bytes(topic)) // 2


class _Batch:
    """Records on their way to one partition."""

    def __init__(self, place: TopicPartition, builder: Any, limit: int) -> None:  # noqa: ANN401
        self.place = place
        self.builder = builder
        self.limit = limit
        self.size = 0
        self.records = 0

    def append(self, record: OutRecord, size: int, timestamp: int) -> None:
        self.builder.append(
            timestamp=timestamp, key=record.key, value=record.value, headers=record.headers
        )
        self.size += size
        self.records += 1


class TransactionWriter:
    """One transactional producer from its start (which fences its predecessor) to its end."""

    def __init__(
        self,
        producer: AIOKafkaProducer,
        group_id: str,
        limits: SizeLimits,
        too_large: Callable[[OutRecord], OutRecord],
    ) -> None:
        self._producer = producer
        self._group_id = group_id
        self._limits = limits
        self._too_large = too_large

    async def start(self, outputs: Sequence[TopicPartition]) -> None:
        """Fences the former owner; nothing of it is open afterwards. Raises Kafka's errors.

        `outputs`: the partitions that only the owner of this transactional id writes to.
        """
        async with asyncio.timeout(START_SECONDS):
            await self._producer.start()
            await self._in_order(end_lost(self._producer, outputs, self._group_id))

    async def write(
        self, out: Sequence[OutRecord], offsets: dict[TopicPartition, int]
    ) -> dict[TopicPartition, int]:
        """Commits these records and input offsets together, or raises.

        Returns:
            The last offset written per partition, where the broker told it.

        Raises:
            KafkaError, TimeoutError: whether it is committed is unknown.
            Interrupted: a batch was too large; the next attempt does it differently.
        """
        async with asyncio.timeout(WRITE_SECONDS):
            return await self._in_order(self._write(out, offsets))

    async def _write(
        self, out: Sequence[OutRecord], offsets: dict[TopicPartition, int]
    ) -> dict[TopicPartition, int]:
        await self._producer.begin_transaction()
        last = await self._send(self._batches(out), offsets)
        await self._producer.commit_transaction()
        return last

    async def _in_order(self, work: Awaitable[_Result]) -> _Result:
        try:
            return await work
        except AssertionError:
            # aiokafka asserts its state machine; the cause is how its sender died meanwhile.
            raise self._death() from None

    def _batches(self, out: Sequence[OutRecord]) -> list[_Batch]:
        """In the order of `out` per partition, closed before they grow over the limit."""
        now = int(time.time() * 1000)
        full: list[_Batch] = []
        growing: dict[tuple[str, int], _Batch] = {}
        for given in out:
            record, size = self._takeable(given)
            place = (record.topic, record.partition)
            batch = growing.get(place)
            if batch is None or batch.size + size > batch.limit:
                if batch is not None:
                    full.append(batch)
                batch = growing[place] = self._opened(record)
            batch.append(record, size, now)
        return full + list(growing.values())

    def _takeable(self, record: OutRecord) -> tuple[OutRecord, int]:
        """The record, or the dead letter in its place if one of its size was refused before.

        A dead letter that is refused for its size in turn goes without the bytes.
        """
        size = _size(record)
        for _ in range(2):
            if self._limits.takes(record.topic, size):
                break
            record = self._too_large(record)
            size = _size(record)
        return record, size

    def _opened(self, record: OutRecord) -> _Batch:
        place = TopicPartition(record.topic, record.partition)
        return _Batch(place, self._producer.create_batch(), self._limits.batch_bytes(record.topic))

    async def _send(
        self, batches: Sequence[_Batch], offsets: dict[TopicPartition, int]
    ) -> dict[TopicPartition, int]:
        sent: list[asyncio.Future[Any]] = []
        trouble: Exception | None = None
        try:
            for batch in batches:
                topic, partition = batch.place
                future = await self._producer.send_batch(batch.builder, topic, partition=partition)
                future.add_done_callback(_retrieved)
                sent.append(future)
            if offsets:
                await self._producer.send_offsets_to_transaction(offsets, self._group_id)
        except (KafkaError, AssertionError) as error:
            # Perhaps only the consequence of a batch refused before it: look at those first.
            trouble = error
        results = await asyncio.gather(*sent, return_exceptions=True)
        self._learn_sizes(batches, results)
        if trouble is not None:
            raise trouble
        return _last_offsets(batches, results)

    def _learn_sizes(self, batches: Sequence[_Batch], results: Sequence[Any]) -> None:
        refused = [
            batch
            for batch, result in zip(batches, results, strict=False)
            if isinstance(result, TOO_LARGE)
        ]
        for batch in refused:
            self._limits.learn(batch.place.topic, batch.size, batch.records)
        if refused:
            raise Interrupted("record_too_large")

    def _death(self) -> BaseException:
        cause: BaseException = KafkaError("the producer's transaction is in disorder")
        task: asyncio.Task[None] | None = self._producer._sender.sender_task  # noqa: SLF001
        if task is not None and task.done() and not task.cancelled():
            return task.exception() or cause
        return cause

    async def close(self) -> None:
        """Ends the producer, also when no broker takes what it still holds.

        A transaction that is open stays so, for the next owner's start or its time-out to
        abort: an abort asked for while the broker goes away might reach only some partitions
        (`processors.lost_markers`).
        """
        await end_producer(self._producer, STOP_SECONDS)


def _size(record: OutRecord) -> int:
    """Bytes it takes in a batch, about."""
    return len(record.value or b"") + len(record.key or b"") + RECORD_OVERHEAD_BYTES


def _last_offsets(batches: Sequence[_Batch], results: Sequence[Any]) -> dict[TopicPartition, int]:
    """Per partition; left out where the broker had a batch already and forgot its place (-1)."""
    last: dict[TopicPartition, int] = {}
    for batch, result in zip(batches, results, strict=True):
        if isinstance(result, BaseException):
            raise result
        last[batch.place] = result.offset + batch.records - 1
        if result.offset < 0:
            del last[batch.place]
    return last


def is_fence(error: BaseException | None) -> bool:
    """Whether somebody else holds the transactional id, or the transaction was timed out."""
    while error is not None:
        if isinstance(error, FENCED):
            return True
        error = error.__cause__
    return False


def _retrieved(future: "asyncio.Future[Any]") -> None:
    """Marks the error as seen; asyncio would log it otherwise."""
    if not future.cancelled():
        future.exception()
