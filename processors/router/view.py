"""The router's view of the registry: read before anything else, then followed live."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer

from processors.consume.errors import BROKER_TROUBLE
from processors.router.merchant_topics import found_topics
from schemas.follow import RegistryFollower
from schemas.kafka import KafkaOptions
from schemas.kafka_clients import end_client, make_consumer
from schemas.registry.index import Registry
from schemas.registry.log import RegistryLog

log = structlog.get_logger(__name__)
RETRY_SECONDS: Final = 1.0
STOP_SECONDS: Final = 3.0


class RegistryView:
    """`registry` is None until a first revision was read; then always a whole revision.

    A view that loses the broker keeps what it has, and reads all again when it is back.
    """

    def __init__(self, kafka: KafkaOptions, on_change: Callable[[Registry], None]) -> None:
        self._kafka = kafka
        self._on_change = on_change
        self._trouble = "the registry was not read yet"
        self._read = asyncio.Event()
        self.registry: Registry | None = None

    def readiness(self) -> Sequence[str]:
        """Why there is no registry, if so."""
        return [] if self.registry is not None else [self._trouble]

    async def first_revision(self) -> None:
        """Returns once there is a registry to judge by."""
        await self._read.wait()

    async def run(self) -> None:
        """Follows until cancelled."""
        while True:
            try:
                await self._follow()
            except BROKER_TROUBLE as error:
                self._blame(f"the broker cannot be used ({type(error).__name__})")
            await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self) -> None:
        """Reads both topics and follows them; raises when the broker goes away."""
        names = self._kafka.settings.topics
        both = (names.registry, names.observed)
        missing = set(both).difference(await found_topics(self._kafka, both))
        if missing:
            wanted = "run `scanwire-processors topics` or `scanwire-processors registry apply`"
            self._blame(f"topics are missing: {', '.join(sorted(missing))}; {wanted}")
            return
        reader = make_consumer(**self._kafka.reader())
        try:
            await reader.start()
            await self._read_and_follow(reader)
        finally:
            await end_client(reader, STOP_SECONDS)

    async def _read_and_follow(self, reader: AIOKafkaConsumer) -> None:
        caught_up = False

        def changed() -> None:
            if caught_up:
                self._take(registry_log)

        registry_log = RegistryLog(changed)
        follower = RegistryFollower(reader, self._kafka.settings.topics, registry_log)
        await follower.catch_up()
        caught_up = True
        self._take(registry_log)
        await follower.run()

    def _take(self, registry_log: RegistryLog) -> None:
        """Puts what was read in force, once it is a revision at all."""
        if registry_log.marker is None:
            self._blame("no registry was applied yet; run `scanwire-processors registry apply`")
            return
        if self.registry is not registry_log.registry:
            log.info("registry_read", revision=registry_log.registry.revision)
        self.registry = registry_log.registry
        self._read.set()
        self._on_change(registry_log.registry)

    def _blame(self, trouble: str) -> None:
        if trouble != self._trouble:
            log.warning("registry_not_read", reason=trouble)
        self._trouble = trouble
