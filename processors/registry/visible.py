"""Waits until what was committed can be read: a commit returns before its markers are written."""

import asyncio
from collections.abc import Iterable
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from processors.log_ends import written_ends
from schemas.kafka import KafkaOptions

_WAIT_SECONDS: Final = 10.0
_PAUSE_SECONDS: Final = 0.02


async def until_readable(kafka: KafkaOptions, topics: Iterable[str]) -> None:
    """Returns when readers of these one-partition topics see all that is there now.

    Raises:
        TimeoutError: the transaction is committed all the same.
    """
    places = [TopicPartition(topic, 0) for topic in topics]
    ends = await written_ends(kafka, places)
    async with AIOKafkaConsumer(**kafka.reader()) as consumer, asyncio.timeout(_WAIT_SECONDS):
        while True:
            stable = await consumer.end_offsets(places)
            if all(stable[place] >= end for place, end in ends.items()):
                return
            await asyncio.sleep(_PAUSE_SECONDS)
