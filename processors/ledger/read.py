"""Reads a topic from its beginning to where it ended at the cut."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord, TopicPartition

from schemas.errors import OperatorError

# Topic after topic is read: each change waits for what was asked of the one before.
READER_OPTIONS: Final[Mapping[str, int]] = {"fetch_max_wait_ms": 10}
_AT_ONCE: Final = 2_000
_POLL_MS: Final = 200
_SILENCE_SECONDS: Final = 60.0


async def records_of(
    reader: AIOKafkaConsumer,
    topic: str,
    beginnings: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
) -> AsyncIterator[Sequence[ConsumerRecord]]:
    """The topic's committed records, in portions, in order per partition.

    Raises `OperatorError` when the broker gives nothing for a minute.
    """
    places = [place for place in ends if place.topic == topic and beginnings[place] < ends[place]]
    if not places:
        return
    reader.assign(places)
    for place in places:
        reader.seek(place, beginnings[place])
    last_progress = asyncio.get_running_loop().time()
    while open_places := await _unfinished(reader, places, ends):
        fetched = await reader.getmany(*open_places, timeout_ms=_POLL_MS, max_records=_AT_ONCE)
        for place, records in fetched.items():
            last_progress = asyncio.get_running_loop().time()
            within = [record for record in records if record.offset < ends[place]]
            if within:
                yield within
        if asyncio.get_running_loop().time() - last_progress > _SILENCE_SECONDS:
            raise OperatorError(
                "broker_silent", f"Kafka gave no record of {topic} for a minute; try again"
            )


async def _unfinished(
    reader: AIOKafkaConsumer,
    places: Sequence[TopicPartition],
    ends: Mapping[TopicPartition, int],
) -> list[TopicPartition]:
    return [place for place in places if await reader.position(place) < ends[place]]
