"""A registry on a real broker, seen from outside: what is on its topics and in its groups."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from processors.administration import administration
from processors.program import Tools
from processors.registry.apply import Applied, apply_registry, plan_registry
from processors.registry.in_force import InForce, read_in_force
from processors.registry.load import Loaded, load
from processors.registry.plan import Plan
from schemas.kafka import KafkaOptions
from schemas.secrets import Secrets
from schemas.settings import Settings
from tests.processors.consume.world import read_all

BASE = """\
merchants:
  - {id: acme, name: Acme, role: shipper, terms_accepted_on: 2026-03-20}
  - {id: beta, name: Beta, role: shipper}
mids:
  - {mid: "912345678", owner: acme}
"""


class Cluster:
    """What the tests of plan, apply and show work with."""

    def __init__(self, bootstrap_servers: str, prefix: str, directory: Path) -> None:
        settings = Settings.from_environ(
            {
                "SCANWIRE_KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
                "SCANWIRE_TOPIC_PREFIX": prefix,
                "SCANWIRE_TOPIC_PARTITIONS": "2",
                "SCANWIRE_STATE_DIRECTORY": str(directory),
            }
        )
        secrets = Secrets({}, lambda path: Path(path).read_text(encoding="utf-8"))
        self.tools = Tools(settings, secrets, KafkaOptions.of(settings, secrets))
        self.names = self.tools.settings.topics
        self._directory = directory

    def loaded(self, text: str) -> Loaded:
        """A registry file of this text."""
        path = self._directory / "registry.yaml"
        path.write_text(text)
        return load([path], self.tools.secrets, self.tools.settings)

    async def plan(self, text: str) -> Plan:
        """`registry plan`."""
        return await plan_registry(self.loaded(text), self.tools.kafka)

    async def apply(self, text: str) -> Applied:
        """`registry apply`."""
        return await apply_registry(self.loaded(text), self.tools.kafka, self.tools.clock)

    async def in_force(self) -> InForce:
        """What `registry show` reads."""
        async with administration(self.tools.kafka) as admin:
            return await read_in_force(self.tools.kafka, admin)

    async def records(self, topic: str) -> list[tuple[str, Any]]:
        """Key and value of each committed record; None for a tombstone."""
        return [
            (record.key.decode(), None if record.value is None else orjson.loads(record.value))
            for record in await read_all(self.tools, topic)
        ]

    async def starts(self) -> Mapping[str, Any]:
        """The starts that are observed now, by destination."""
        found: dict[str, Any] = {}
        for key, value in await self.records(self.names.observed):
            found[key.removeprefix("start/")] = value
        return {name: value for name, value in found.items() if value is not None}

    async def position(self, destination_id: str, merchant: str) -> int | None:
        """Where the destination's group reads next on partition 0."""
        place = TopicPartition(self.names.merchant(merchant), 0)
        group = self.names.sink_group(destination_id)
        async with AIOKafkaConsumer(**self.tools.kafka.reader(group)) as consumer:
            consumer.assign([place])
            committed: int | None = await consumer.committed(place)
            return committed

    async def groups(self) -> set[str]:
        """Every group of this prefix."""
        async with administration(self.tools.kafka) as admin:
            listed = await admin.list_consumer_groups()
        return {name for name, _ in listed if name.startswith(self.names.prefix)}
