"""The cut through the running system at which the ledger is drawn up.

Positions of readers are taken first and the ends of topics after: what a reader committed was
written before, so all that must follow from records below its position is there to be read.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import TopicPartition

from processors.administration import existing_partitions
from processors.log_ends import written_ends
from schemas.errors import OperatorError
from schemas.kafka import KafkaOptions
from schemas.registry.destinations import DestinationBase
from schemas.registry.index import Registry
from schemas.topics import TopicNames

_NOTHING: Final[Mapping[TopicPartition, int]] = {}


@dataclass(frozen=True, slots=True)
class Cut:
    """Where readers stand and where topics begin and end.

    `committed`: by group, the next offset to read. `beginnings`, `ends`: of every partition.
    """

    committed: Mapping[str, Mapping[TopicPartition, int]]
    beginnings: Mapping[TopicPartition, int]
    ends: Mapping[TopicPartition, int]

    def read(self, group: str, topic: str, partition: int, offset: int) -> bool:
        """Whether the group has gone past this record."""
        place = TopicPartition(topic, partition)
        return offset < self.committed.get(group, _NOTHING).get(place, 0)

    def places(self, topic: str) -> list[TopicPartition]:
        """The topic's partitions."""
        return [place for place in self.ends if place.topic == topic]

    def whole(self, topic: str) -> bool:
        """Whether the topic still has all its records: nothing has expired."""
        return all(self.beginnings[place] == 0 for place in self.places(topic))


def destinations_of(registry: Registry) -> list[DestinationBase]:
    """Every destination in force."""
    return [one for one in registry.all("destination") if isinstance(one, DestinationBase)]


def topics_needed(names: TopicNames, merchants: Iterable[str]) -> list[str]:
    """Every topic that the ledger reads."""
    return [
        names.tracking_updates,
        names.quarantine,
        names.scan_events,
        names.packages,
        names.dead_letters,
        names.decisions,
        names.withheld,
        names.deliveries,
        *(names.merchant(merchant) for merchant in merchants),
    ]


async def take_cut(
    admin: AIOKafkaAdminClient,
    reader: AIOKafkaConsumer,
    kafka: KafkaOptions,
    registry: Registry,
) -> Cut:
    """Positions first, then ends. Raises `OperatorError` if a topic is missing."""
    names = kafka.settings.topics
    destinations = destinations_of(registry)
    groups = [names.group("packages"), names.group("router")]
    groups += [names.sink_group(destination.id) for destination in destinations]
    committed = {group: await _committed(admin, group) for group in groups}
    merchants = [merchant.entity_id for merchant in registry.all("merchant")]
    places = await partitions_of(admin, topics_needed(names, merchants))
    beginnings = await reader.beginning_offsets(places)
    # The true ends: what was committed a moment ago may not be readable yet, and is waited for.
    return Cut(committed, beginnings, await written_ends(kafka, places))


async def _committed(admin: AIOKafkaAdminClient, group: str) -> dict[TopicPartition, int]:
    offsets = await admin.list_consumer_group_offsets(group)
    return {place: entry.offset for place, entry in offsets.items() if entry.offset >= 0}


async def partitions_of(admin: AIOKafkaAdminClient, topics: list[str]) -> list[TopicPartition]:
    """Every partition of these topics. Raises `OperatorError` if a topic is missing."""
    found = await existing_partitions(admin, topics)
    missing = [topic for topic in topics if topic not in found]
    if missing:
        raise OperatorError(
            "topics_missing",
            f"topics are missing: {', '.join(missing)}; "
            "run scanwire-processors topics or registry apply",
        )
    return [
        TopicPartition(topic, number) for topic, count in found.items() for number in range(count)
    ]
