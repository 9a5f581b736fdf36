"""Which merchants' topics exist, announced to the producer before they are needed.

A topic that the producer does not know costs a round trip that grows with the topics known;
one that does not exist may be created by asking for it. So the admin client looks first.
"""

from collections.abc import Iterable, Mapping

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from processors.administration import existing_partitions
from schemas.kafka import KafkaOptions


async def found_topics(kafka: KafkaOptions, topics: Iterable[str]) -> Mapping[str, int]:
    """Of these topics those that exist, with their partitions. Raises Kafka's errors."""
    admin = AIOKafkaAdminClient(**kafka.client())
    try:
        await admin.start()
        return await existing_partitions(admin, topics)
    finally:
        await admin.close()


async def announce(producer: AIOKafkaProducer, topics: Iterable[str]) -> None:
    """Has the producer learn these topics, which exist, in one request."""
    known = set(topics)
    if known:
        await producer.client.set_topics(known)
