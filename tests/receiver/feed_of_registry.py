"""The registry's topics, and a receiver's view of them."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from aiokafka.errors import KafkaConnectionError
from aiokafka.structs import TopicPartition
from prometheus_client import CollectorRegistry

from receiver.following.kept import KeptSubscriptions
from receiver.following.registry import RegistryView
from schemas.metrics import ReceiverMetrics, RegistryMetrics
from schemas.registry.log import REVISION_KEY
from schemas.secrets import Secrets
from schemas.topics import TopicNames
from tests.receiver.fakes import eventually

NAMES = TopicNames("usps.")
REGISTRY = TopicPartition(NAMES.registry, 0)
OBSERVED = TopicPartition(NAMES.observed, 0)
NEW, OLD = "n" * 32, "o" * 32


@dataclass
class Record:
    """A record of a topic."""

    offset: int
    key: bytes
    value: bytes | None


class Topics:
    """The registry's two topics, and readers of them; a reader fails while `away`."""

    def __init__(self) -> None:
        self.logs: dict[TopicPartition, list[Record]] = {REGISTRY: [], OBSERVED: []}
        self.exist = True
        self.away = False
        self.revision = 0

    async def find_partitions(self) -> dict[str, int]:
        """As the admin client lists them."""
        if self.away:
            raise KafkaConnectionError
        return {NAMES.registry: 1, NAMES.observed: 1} if self.exist else {}

    def write(self, partition: TopicPartition, key: str, value: object) -> None:
        """Appends a record."""
        log = self.logs[partition]
        log.append(Record(len(log), key.encode(), orjson.dumps(value) if value else None))

    def apply(self, *subscriptions: dict[str, Any]) -> None:
        """As `registry apply` does: entities, then the marker."""
        for subscription in subscriptions:
            self.write(REGISTRY, f"subscription/{subscription['name']}", subscription)
        self.revision += 1
        marker = {"revision": self.revision, "applied_at": "2026-05-14", "applied_by": "test"}
        self.write(REGISTRY, REVISION_KEY, marker)

    def remove(self, name: str) -> None:
        """As an apply without it."""
        self.write(REGISTRY, f"subscription/{name}", None)
        self.apply()


class Reader:
    """A consumer of the topics."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._positions: dict[TopicPartition, int] = {}

    async def start(self) -> None:
        if self._topics.away:
            raise KafkaConnectionError

    async def stop(self) -> None:
        self._positions = {}

    def assign(self, partitions: list[TopicPartition]) -> None:
        self._positions = dict.fromkeys(partitions, 0)

    async def seek_to_beginning(self, *partitions: TopicPartition) -> None:
        self._positions = dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {partition: len(self._topics.logs[partition]) for partition in partitions}

    async def position(self, partition: TopicPartition) -> int:
        return self._positions[partition]

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int
    ) -> dict[TopicPartition, list[Any]]:
        await asyncio.sleep(0.002)
        if self._topics.away:
            raise KafkaConnectionError
        fetched: dict[TopicPartition, list[Any]] = {}
        for partition, position in self._positions.items():
            fetched[partition] = self._topics.logs[partition][position:]
            self._positions[partition] = position + len(fetched[partition])
        return fetched


class World:
    """A view, its topics and its secrets."""

    def __init__(self, directory: Path, topics: Topics | None = None) -> None:
        self.topics = topics or Topics()
        self.kept = directory / "subscriptions.json"
        self.files: dict[str, str] = {}
        self.metrics = CollectorRegistry()
        self.view = RegistryView(
            make_reader=lambda: Reader(self.topics),
            find_partitions=self.topics.find_partitions,
            topics=NAMES,
            secrets=Secrets({"NEW": NEW, "OLD": OLD, "SHORT": "x"}, self._read),
            metrics=ReceiverMetrics(self.metrics),
            registry_metrics=RegistryMetrics(self.metrics),
            kept=KeptSubscriptions(directory),
        )

    def _read(self, path: str) -> str:
        if path not in self.files:
            raise FileNotFoundError(path)
        return self.files[path]

    def keeps(self, text: bytes) -> bool:
        """Whether the file says so by now."""
        return self.kept.exists() and text in self.kept.read_bytes()

    def secrets_of(self, subscription_id: str) -> tuple[bytes, ...] | None:
        """The secrets under this id, None if there is none."""
        known = (self.view.table or {}).get(subscription_id)
        return None if known is None else known.secrets

    async def start(self) -> None:
        """Follows, and has read all that is there."""
        self.running = asyncio.create_task(self.view.run())
        await eventually(lambda: self.view.table is not None)


def subscription(name: str = "acme", **fields: Any) -> dict[str, Any]:
    """A subscription as the registry's topic has it."""
    return {"name": name, "mid": "912345678", "secrets": ["env:NEW", "env:OLD"], **fields}
