"""The time in which one process alone works on one input partition."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from aiokafka.errors import OffsetOutOfRangeError
from aiokafka.structs import ConsumerRecord, TopicPartition

from processors.consume.stage import OutRecord
from processors.consume.write import SizeLimits, TransactionWriter
from processors.log_ends import written_ends
from schemas.errors import Interrupted, PositionLost
from schemas.kafka import KafkaOptions
from schemas.kafka_clients import end_client, make_consumer, make_producer

log = structlog.get_logger(__name__)
MAX_BATCH_RECORDS: Final = 500
# What one fetch brings into memory per partition; a larger single record comes all the same.
FETCH_BYTES: Final = 4 * 1024 * 1024
POLL_MS: Final = 500
ASK_SECONDS: Final = 20.0
CLOSE_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Claim:
    """What a tenure needs to know of its partition.

    Attributes:
        outputs: The partitions that only this partition's owner writes to.
        committed: Asks the group coordinator for the committed offset, None if there is none.
        too_large: The dead letter in place of a record that the broker refuses.
    """

    kafka: KafkaOptions
    partition: TopicPartition
    group_id: str
    transactional_id: str
    outputs: Sequence[TopicPartition]
    committed: Callable[[TopicPartition], Awaitable[int | None]]
    too_large: Callable[[OutRecord], OutRecord]


class Tenure:
    """A writer that fenced its predecessor, and a reader that stands where that one committed.

    The reader is a client of its own, not the group's: a lost position, a seek or a silent
    client concerns this partition alone, and replacing it disturbs no other.
    """

    def __init__(self, claim: Claim, limits: SizeLimits) -> None:
        self._claim = claim
        self._partition = claim.partition
        producer = make_producer(**claim.kafka.transactional(claim.transactional_id))
        self._writer = TransactionWriter(producer, claim.group_id, limits, claim.too_large)
        self._reader = make_consumer(
            **claim.kafka.reader() | {"max_partition_fetch_bytes": FETCH_BYTES}
        )
        self._watched: int | None = None

    async def begin(self) -> int:
        """1. Fence the former owner and end what it began. 2. Ask what it committed. 3. Go there.

        Returns:
            The offset of the first record that is not processed.

        Raises:
            PositionLost: the broker no longer has that record.
        """
        await self._writer.start(self._claim.outputs)
        async with asyncio.timeout(ASK_SECONDS):
            committed = await self._claim.committed(self._partition)
            await self._reader.start()
            offset = await self._checked(committed)
        # Without an await in between: the reader never has an assignment without a position.
        self._reader.assign([self._partition])
        self._reader.seek(self._partition, offset)
        return offset

    async def poll(self) -> Sequence[ConsumerRecord]:
        """Some records in order, none after a while without. Raises `PositionLost`."""
        try:
            fetched = await self._reader.getmany(timeout_ms=POLL_MS, max_records=MAX_BATCH_RECORDS)
        except OffsetOutOfRangeError:
            async with asyncio.timeout(ASK_SECONDS):
                await self._checked(await self._reader.position(self._partition))
            raise
        records: Sequence[ConsumerRecord] = fetched.get(self._partition, ())
        return records

    async def write(
        self, out: Sequence[OutRecord], next_offset: int | None
    ) -> dict[TopicPartition, int]:
        """One transaction: these records and, unless None, the new position of the group."""
        offsets = {} if next_offset is None else {self._partition: next_offset}
        return await self._writer.write(out, offsets)

    def lag(self, next_offset: int) -> int:
        """Records behind `next_offset` when the last fetch was answered.

        One offset is no backlog: it is the marker of the last transaction, which no reader sees.
        """
        highwater: int | None = self._reader.highwater(self._partition)
        behind = 0 if highwater is None else highwater - next_offset
        return behind if behind > 1 else 0

    async def watch(self) -> int:
        """To be called now and then while nothing arrives: is the reader alive?

        Returns:
            How many offsets there are to read.

        Raises:
            Interrupted: it stood still although there is something to read since the last
                call: aiokafka's fetching may end without an error (#1037, #847).
        """
        async with asyncio.timeout(ASK_SECONDS):
            ends = await self._reader.end_offsets([self._partition])
            position: int = await self._reader.position(self._partition)
        behind: int = max(0, ends[self._partition] - position)
        if behind and self._watched == position:
            raise Interrupted("reader_stalled")
        self._watched = position if behind else None
        return behind

    async def close(self) -> None:
        """Gives both clients up; what is uncommitted stays so."""
        await end_client(self._reader, CLOSE_SECONDS)
        await self._writer.close()

    async def _checked(self, committed: int | None) -> int:
        """The offset to go on from. Raises `PositionLost`."""
        partition = self._partition
        first: int = (await self._reader.beginning_offsets([partition]))[partition]
        # The true end: an open transaction of the program before us may hide some of it.
        end = (await written_ends(self._claim.kafka, [partition]))[partition]
        if committed is None:
            committed = first
        if first <= committed <= end:
            return committed
        gone = (
            f"offsets {committed} to {first - 1} are no longer there"
            if committed < first
            else f"the log ends at {end}, before our offset {committed}: it was made anew"
        )
        name = f"{partition.topic}, partition {partition.partition}"
        raise PositionLost("position_lost", f"{name}: {gone}; group {self._claim.group_id}")
