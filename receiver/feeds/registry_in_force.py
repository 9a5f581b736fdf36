"""The registry as it is now, followed while a job runs: a right that ends, ends the asking."""

import asyncio

from receiver.following.registry import STOP_SECONDS, kafka_reader
from receiver.publishing.producer import BROKER_FAULTS, START_SECONDS
from receiver.publishing.topics import partition_counts
from schemas.errors import OperatorError
from schemas.follow import RegistryFollower, keep_running
from schemas.kafka import KafkaOptions
from schemas.kafka_clients import end_client
from schemas.registry.index import Registry
from schemas.registry.log import RegistryLog
from schemas.settings import PREFIX
from schemas.topics import TopicNames

READ_SECONDS = 60.0


class RegistryInForce:
    """What was read last; a lost broker changes nothing until it is read anew."""

    def __init__(self, options: KafkaOptions, topics: TopicNames) -> None:
        self._options = options
        self._topics = topics
        self._log = RegistryLog()
        self._read = asyncio.Event()

    @property
    def registry(self) -> Registry:
        """The current revision."""
        return self._log.registry

    async def run(self) -> None:
        """Reads and follows until cancelled."""
        await keep_running(self._follow, "registry")

    async def until_read(self) -> None:
        """Returns when it was read once. Raises `OperatorError`: it cannot be."""
        try:
            async with asyncio.timeout(READ_SECONDS):
                await self._read.wait()
        except TimeoutError:
            raise OperatorError(
                "registry_unavailable",
                "the registry could not be read from Kafka; run `scanwire-receiver check`, and "
                f"see {PREFIX}KAFKA_BOOTSTRAP_SERVERS",
            ) from None

    async def _follow(self) -> None:
        registry_log = RegistryLog()
        reader = kafka_reader(self._options)
        try:
            async with asyncio.timeout(START_SECONDS):
                await reader.start()
            follower = RegistryFollower(reader, self._topics, registry_log)
            await follower.catch_up()
            self._log = registry_log
            self._read.set()
            await follower.run()
        finally:
            await end_client(reader, STOP_SECONDS)


async def existing_topics(options: KafkaOptions, wanted: tuple[str, ...]) -> dict[str, int]:
    """Partitions of the topics a job needs. Raises `OperatorError`: no broker, or none of it."""
    try:
        found = await partition_counts(options)
    except BROKER_FAULTS as error:
        servers = options.settings.kafka_bootstrap_servers
        raise OperatorError(
            "broker_unavailable",
            f"Kafka at {servers} does not serve us ({type(error).__name__}); start it, or correct "
            f"{PREFIX}KAFKA_BOOTSTRAP_SERVERS",
        ) from None
    missing = [topic for topic in wanted if topic not in found]
    if missing:
        raise OperatorError(
            "topics_missing",
            f"topics are missing: {', '.join(missing)}; run `scanwire-processors topics` or "
            "`scanwire-processors registry apply FILE`",
        )
    return {topic: found[topic] for topic in wanted}
