"""Where logs end, whether or not all of it can be read yet.

`end_offsets` of a client that reads committed stops before the first open transaction. Who
asks how far a log must be read, or whether a position is beyond it, has to ask for the true end.
"""

from collections.abc import Collection

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from schemas.kafka import KafkaOptions


async def written_ends(
    kafka: KafkaOptions, places: Collection[TopicPartition]
) -> dict[TopicPartition, int]:
    """The offset after the last record of each, committed or not. Raises Kafka's errors."""
    everything = kafka.reader() | {"isolation_level": "read_uncommitted"}
    async with AIOKafkaConsumer(**everything) as consumer:
        ends: dict[TopicPartition, int] = await consumer.end_offsets(list(places))
        return ends
