"""Topics as the broker has them. Never asks for one by name alone: that could create it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from receiver.publishing.producer import START_SECONDS
from schemas.kafka import KafkaOptions

FindPartitions = Callable[[], Awaitable[Mapping[str, int]]]
_MIN_INSYNC: Final = "min.insync.replicas"
_MAX_BYTES: Final = "max.message.bytes"


@dataclass(frozen=True, slots=True)
class TopicState:
    """What of a topic decides whether the receiver can keep its promises on it."""

    partitions: int
    replicas: int
    min_insync: int
    max_bytes: int


async def describe_topics(options: KafkaOptions, wanted: Iterable[str]) -> Mapping[str, TopicState]:
    """Those of the wanted topics that exist. Raises an aiokafka error or `OSError`."""
    names = frozenset(wanted)
    admin = AIOKafkaAdminClient(**options.client())
    try:
        await admin.start()
        found = {
            topic["topic"]: topic["partitions"]
            for topic in await admin.describe_topics()
            if topic["topic"] in names and not topic["error_code"]
        }
        configs = await _configs(admin, found)
    finally:
        await admin.close()
    return {
        name: TopicState(
            len(partitions),
            min(len(partition["replicas"]) for partition in partitions),
            int(configs[name][_MIN_INSYNC]),
            int(configs[name][_MAX_BYTES]),
        )
        for name, partitions in found.items()
    }


async def partition_counts(options: KafkaOptions) -> Mapping[str, int]:
    """Every topic that exists, with its partitions. Raises one of `BROKER_FAULTS`."""
    admin = AIOKafkaAdminClient(**options.client())
    try:
        async with asyncio.timeout(START_SECONDS):
            await admin.start()
            topics = await admin.describe_topics()
    finally:
        await admin.close()
    return {topic["topic"]: len(topic["partitions"]) for topic in topics if not topic["error_code"]}


async def _configs(admin: AIOKafkaAdminClient, names: Iterable[str]) -> dict[str, dict[str, str]]:
    resources = [
        ConfigResource(ConfigResourceType.TOPIC, name, dict.fromkeys((_MIN_INSYNC, _MAX_BYTES)))
        for name in names
    ]
    responses = await admin.describe_configs(resources) if resources else []
    return {
        resource[3]: {entry[0]: entry[1] for entry in resource[4]}
        for response in responses
        for resource in response.resources
    }
