"""A program's view of the registry goes from revision to revision."""

import asyncio
from dataclasses import dataclass
from typing import Any

import orjson
from aiokafka.structs import TopicPartition

from schemas.follow import RegistryFollower
from schemas.registry.log import RegistryLog
from schemas.topics import TopicNames

NAMES = TopicNames("usps.")
REGISTRY = TopicPartition(NAMES.registry, 0)
OBSERVED = TopicPartition(NAMES.observed, 0)
MERCHANT = {"id": "acme", "name": "Acme", "role": "shipper"}


@dataclass
class Record:
    offset: int
    key: bytes
    value: bytes | None


class FakeReader:
    """A log per partition, read from the beginning, a few records at a time."""

    def __init__(self) -> None:
        self.records: dict[TopicPartition, list[Record]] = {REGISTRY: [], OBSERVED: []}
        self.positions: dict[TopicPartition, int] = {}

    def write(self, partition: TopicPartition, key: str, value: object | None) -> None:
        """Appends one record."""
        log = self.records[partition]
        raw = None if value is None else orjson.dumps(value)
        log.append(Record(len(log), key.encode(), raw))

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.positions = dict.fromkeys(partitions, 0)

    async def seek_to_beginning(self, *partitions: TopicPartition) -> None:
        self.positions.update(dict.fromkeys(partitions, 0))

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {partition: len(self.records[partition]) for partition in partitions}

    async def position(self, partition: TopicPartition) -> int:
        return self.positions[partition]

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int
    ) -> dict[TopicPartition, list[Any]]:
        await asyncio.sleep(0)
        fetched: dict[TopicPartition, list[Any]] = {}
        for partition, start in self.positions.items():
            fetched[partition] = self.records[partition][start : start + 2]
            self.positions[partition] = start + len(fetched[partition])
        return fetched


def marker(revision: int) -> dict[str, object]:
    """The last record of an apply."""
    return {"revision": revision, "applied_at": "2026-11-24T00:00:00Z", "applied_by": "test"}


async def test_a_revision_comes_into_force_at_its_marker() -> None:
    """Entities without their marker are not in force; with it they are."""
    reader, log = FakeReader(), RegistryLog()
    follower = RegistryFollower(reader, NAMES, log)
    reader.write(REGISTRY, "merchant/acme", MERCHANT)
    await follower.catch_up()
    assert log.registry.merchant("acme") is None
    reader.write(REGISTRY, "revision/current", marker(1))
    await follower.catch_up()
    assert log.registry.merchant("acme") is not None
    assert log.registry.revision == 1


async def test_a_tombstone_removes_at_the_next_marker() -> None:
    """What an apply removed is gone with its revision."""
    reader, log = FakeReader(), RegistryLog()
    reader.write(REGISTRY, "merchant/acme", MERCHANT)
    reader.write(REGISTRY, "revision/current", marker(1))
    reader.write(REGISTRY, "merchant/acme", None)
    reader.write(REGISTRY, "revision/current", marker(2))
    await RegistryFollower(reader, NAMES, log).catch_up()
    assert log.registry.merchant("acme") is None
    assert log.registry.revision == 2


async def test_an_unreadable_entity_does_not_stop_the_others() -> None:
    """A record that this version cannot read is not in force, and the rest is."""
    reader, log = FakeReader(), RegistryLog()
    reader.write(REGISTRY, "merchant/odd", {"id": "odd", "name": "Odd", "role": "wizard"})
    reader.write(REGISTRY, "merchant/acme", MERCHANT)
    reader.write(REGISTRY, "revision/current", marker(1))
    await RegistryFollower(reader, NAMES, log).catch_up()
    assert log.registry.merchant("odd") is None
    assert log.registry.merchant("acme") is not None


async def test_observations_are_known_by_kind_and_id() -> None:
    """The id that USPS gave a subscription is found by our name, until it is forgotten."""
    reader, log = FakeReader(), RegistryLog()
    seen = {"subscription_id": "u-1", "observed_at": "2026-11-24T00:00:00Z"}
    reader.write(OBSERVED, "subscription/acme-webhook", seen)
    follower = RegistryFollower(reader, NAMES, log)
    await follower.catch_up()
    assert log.observed.subscription_id("acme-webhook") == "u-1"
    reader.write(OBSERVED, "subscription/acme-webhook", None)
    await follower.catch_up()
    assert log.observed.subscription_id("acme-webhook") is None
