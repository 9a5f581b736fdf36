"""Since when every topic still has all its records: the range over which equations can hold."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from processors.ledger.positions import Cut
from schemas.clock import rfc3339

_FETCH_SECONDS: Final = 30.0


async def retained_since(
    reader: AIOKafkaConsumer, cut: Cut, topics: Iterable[str], now: datetime
) -> str | None:
    """The latest time at which one of these topics begins; None: none has lost a record yet."""
    begins = [
        await _begin_of(reader, cut, place, now)
        for topic in topics
        for place in cut.places(topic)
        if cut.beginnings[place] > 0
    ]
    return max(begins, default=None)


async def _begin_of(
    reader: AIOKafkaConsumer, cut: Cut, place: TopicPartition, now: datetime
) -> str:
    """The time of the first record that is left; nothing left: the present."""
    if cut.beginnings[place] >= cut.ends[place]:
        return rfc3339(now)
    reader.assign([place])
    reader.seek(place, cut.beginnings[place])
    async with asyncio.timeout(_FETCH_SECONDS):
        record = await reader.getone()
    return rfc3339(datetime.fromtimestamp(record.timestamp / 1000, UTC))
