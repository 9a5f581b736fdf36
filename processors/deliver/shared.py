"""What all destinations of a process share."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import TopicPartition

from processors.administration import existing_partitions
from processors.deliver.recorder import Recorder
from processors.program import Tools
from schemas.clock import Clock
from schemas.kafka import KafkaOptions
from schemas.kafka_clients import end_client, make_consumer
from schemas.metrics import SinkMetrics
from schemas.registry.log import RegistryLog

ANSWER_MS: Final = 10_000
LOOK_SECONDS: Final = 1.0
STOP_SECONDS: Final = 3.0


class Logs:
    """Where logs begin and end: one consumer without a group, for all destinations."""

    def __init__(self, kafka: KafkaOptions) -> None:
        self._consumer = make_consumer(**kafka.reader())
        self._known: set[str] = set()

    async def start(self) -> None:
        """Connects."""
        await self._consumer.start()

    async def stop(self) -> None:
        """Disconnects."""
        await end_client(self._consumer, STOP_SECONDS)

    async def know(self, topics: Collection[str]) -> None:
        """Learns of existing topics at once: aiokafka would take a round trip for each."""
        if not self._known.issuperset(topics):
            self._known.update(topics)
            await self._consumer._client.set_topics(self._known)  # noqa: SLF001

    async def beginning_offsets(
        self, partitions: Iterable[TopicPartition]
    ) -> Mapping[TopicPartition, int]:
        """The first offsets that still exist. Raises `KafkaError`."""
        found: Mapping[TopicPartition, int] = await self._consumer.beginning_offsets(partitions)
        return found

    async def end_offsets(
        self, partitions: Iterable[TopicPartition]
    ) -> Mapping[TopicPartition, int]:
        """The offsets that the next records will get. Raises `KafkaError`."""
        found: Mapping[TopicPartition, int] = await self._consumer.end_offsets(partitions)
        return found


class TopicDirectory:
    """Which topics exist, asked for all at once: to ask for a missing one may create it."""

    def __init__(self, admin: AIOKafkaAdminClient, clock: Clock) -> None:
        self._admin = admin
        self._clock = clock
        self._wanted: set[str] = set()
        self._asked: set[str] = set()
        self._partitions: Mapping[str, int] = {}
        self._asked_at = float("-inf")
        self._asking = asyncio.Lock()

    async def partitions(self, topic: str) -> int | None:
        """How many the topic has; None: it does not exist. Raises `KafkaError`."""
        self._wanted.add(topic)
        if topic not in self._partitions:
            async with self._asking:
                await self._look()
        return self._partitions.get(topic)

    async def missing(self, topics: Iterable[str]) -> list[str]:
        """Those of the topics that do not exist. Raises `KafkaError`."""
        wanted = list(topics)
        self._wanted.update(wanted)
        return [topic for topic in wanted if await self.partitions(topic) is None]

    async def _look(self) -> None:
        recent = self._clock.monotonic() - self._asked_at < LOOK_SECONDS
        if recent and self._wanted <= self._asked:
            return
        asked = set(self._wanted)
        self._partitions = await existing_partitions(self._admin, asked)
        self._asked = asked
        self._asked_at = self._clock.monotonic()


@dataclass(frozen=True, slots=True)
class Shared:
    """Handed to every destination."""

    tools: Tools
    registry_log: RegistryLog
    recorder: Recorder
    logs: Logs
    topics: TopicDirectory
    metrics: SinkMetrics
    random: Callable[[], float]
