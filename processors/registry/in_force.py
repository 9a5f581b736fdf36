"""The registry that is in force: what its topic says, read to the end."""

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient

from processors.administration import existing_partitions
from schemas.follow import RegistryFollower
from schemas.kafka import KafkaOptions
from schemas.registry.entities import Entity
from schemas.registry.index import ENTITY_KINDS
from schemas.registry.log import REVISION_KEY, RegistryLog
from schemas.registry.observed import ObservedKind


class InForce(RegistryLog):
    """A registry log that also knows the keys of entities which this version cannot read."""

    def __init__(self) -> None:
        super().__init__()
        self._unread: set[str] = set()

    def apply(self, key: str, value: bytes | None) -> None:
        """Takes one record; see `RegistryLog`."""
        self._unread.discard(key)
        if value is not None and key != REVISION_KEY:
            self._unread.add(key)
        super().apply(key, value)
        self._unread.discard(key)

    @property
    def revision(self) -> int:
        """0: nothing was ever applied."""
        return self.registry.revision

    def keys(self) -> set[str]:
        """The keys of all entities in force, readable or not."""
        return {entity.key for entity in self.entities()} | self._unread

    def entity(self, key: str) -> Entity | None:
        """The entity of this key, if there is one that can be read."""
        kind, _, entity_id = key.partition("/")
        return self.registry.get(kind, entity_id) if kind in ENTITY_KINDS else None

    def entities(self) -> list[Entity]:
        """All that can be read, kind by kind."""
        return [entity for kind in ENTITY_KINDS for entity in self.registry.all(kind)]

    def unread(self) -> list[str]:
        """Keys of entities in force that this version cannot read, so that it does not obey."""
        return sorted(self._unread)

    def start_topic(self, destination_id: str) -> str | None:
        """The topic on which a destination has its start; None: it has none."""
        found = self.observed.get(ObservedKind.START, destination_id)
        return None if found is None else str(found.get("topic"))


async def read_in_force(kafka: KafkaOptions, admin: AIOKafkaAdminClient) -> InForce:
    """Both topics to their end; empty where they do not exist yet. Creates nothing."""
    names = kafka.settings.topics
    in_force = InForce()
    both = (names.registry, names.observed)
    if len(await existing_partitions(admin, both)) < len(both):
        return in_force
    async with AIOKafkaConsumer(**kafka.reader()) as reader:
        await RegistryFollower(reader, names, in_force).catch_up()
    return in_force
