"""The receiver's view of the registry: follows its topics and re-reads secrets that change."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import structlog

from receiver.following.kept import KeptSubscriptions, document_of
from receiver.following.subscriptions import Resolved, SubscriptionTable, resolve_subscriptions
from receiver.publishing.producer import BROKER_FAULTS, START_SECONDS
from receiver.publishing.topics import FindPartitions
from schemas.follow import Reader, RegistryFollower
from schemas.kafka import KafkaOptions
from schemas.kafka_clients import end_client, make_consumer
from schemas.metrics import ReceiverMetrics, RegistryMetrics
from schemas.registry.index import Registry
from schemas.registry.log import RegistryLog
from schemas.secrets import Secrets
from schemas.topics import TopicNames

log = structlog.get_logger(__name__)
RETRY_SECONDS: Final = 1.0
STOP_SECONDS: Final = 3.0
REFRESH_SECONDS: Final = 1.0


class RegistryReader(Reader, Protocol):
    """A consumer, with its beginning and its end."""

    async def start(self) -> None:
        """Connects. Raises one of `BROKER_FAULTS`."""

    async def stop(self) -> None:
        """Ends it."""


def kafka_reader(options: KafkaOptions) -> RegistryReader:
    """The real one. To be called with a running loop."""
    reader: RegistryReader = make_consumer(**options.reader())
    return reader


class RegistryView:
    """Keeps `table` current. It is None until the registry was read once.

    A view that loses the broker keeps what it has, and reads all again when it is back. What
    it has is kept on disk too: until the broker was reached, `table` is made from that.
    """

    def __init__(
        self,
        *,
        make_reader: Callable[[], RegistryReader],
        find_partitions: FindPartitions,
        topics: TopicNames,
        secrets: Secrets,
        metrics: ReceiverMetrics,
        registry_metrics: RegistryMetrics,
        kept: KeptSubscriptions,
    ) -> None:
        self._make_reader = make_reader
        self._find_partitions = find_partitions
        self._topics = topics
        self._secrets = secrets
        self._metrics = metrics
        self._registry_metrics = registry_metrics
        self._log: RegistryLog | None = None
        self._resolved: Resolved | None = None
        self._trouble = "the registry was not read yet"
        self._kept = kept
        self._current = False
        self._unkept = False
        self.table: SubscriptionTable | None = None

    def restore(self) -> None:
        """At start, before anything is served; blocks: what was kept is in force."""
        self._log = self._kept.read()
        if self._log is not None:
            self._rebuild()
            log.info("registry_restored", revision=self._log.registry.revision)

    def notes(self) -> Sequence[str]:
        """What is in force, if that may be of yesterday."""
        if self._current or self._log is None:
            return []
        revision = self._log.registry.revision
        return [f"subscriptions as last seen (revision {revision}) are in force: {self._trouble}"]

    def readiness(self) -> Sequence[str]:
        """Why there is no table, if so."""
        return [] if self.table is not None else [self._trouble]

    @property
    def registry(self) -> Registry | None:
        """All of it, as of the last revision read; None: none yet. What is kept is not all."""
        return self._log.registry if self._log is not None and self._current else None

    async def run(self) -> None:
        """Follows until cancelled."""
        refreshing = asyncio.create_task(self._refresh_secrets())
        try:
            while True:
                try:
                    await self._follow()
                except BROKER_FAULTS as error:
                    self._blame(f"the broker cannot be reached ({type(error).__name__})")
                await asyncio.sleep(RETRY_SECONDS)
        finally:
            refreshing.cancel()

    async def _follow(self) -> None:
        """Reads both topics and follows them; raises when the broker goes away."""
        if not await self._topics_found():
            return
        reader = self._make_reader()
        try:
            async with asyncio.timeout(START_SECONDS):
                await reader.start()
            await self._read_and_follow(reader)
        finally:
            await end_client(reader, STOP_SECONDS)

    async def _read_and_follow(self, reader: RegistryReader) -> None:
        registry_log = RegistryLog(lambda: self._changed(registry_log))
        follower = RegistryFollower(reader, self._topics, registry_log)
        await follower.catch_up()
        self._log, self._current = registry_log, True
        self._rebuild()
        await self._keep()
        log.info("registry_read", revision=registry_log.registry.revision)
        await follower.run()

    async def _topics_found(self) -> bool:
        found = await self._find_partitions()
        missing = [
            topic for topic in (self._topics.registry, self._topics.observed) if topic not in found
        ]
        if missing:
            self._blame(
                f"topics are missing: {', '.join(missing)}; run `scanwire-processors topics` "
                "or `scanwire-processors registry apply FILE`"
            )
        return not missing

    def _changed(self, registry_log: RegistryLog) -> None:
        # While a new log catches up with the topics the table stays as it is.
        if registry_log is self._log:
            self._rebuild()

    def _rebuild(self) -> None:
        """The table anew, within one step: nobody sees half a revision."""
        if self._log is None:
            return
        resolved = resolve_subscriptions(self._log, self._secrets)
        if self._resolved is None or resolved.problems != self._resolved.problems:
            for problem in resolved.problems:
                log.error("secret_unusable", detail=problem)
        self._resolved = resolved
        self._unkept = self._current
        self.table = resolved.table
        self._metrics.unresolved_secrets.set(len(resolved.without_secret))
        self._registry_metrics.revision.set(self._log.registry.revision)

    async def _refresh_secrets(self) -> None:
        """A rotated `file:` secret works within two seconds, and so does one that was missing."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            # In a thread: files may be many, and some stand on a network.
            changed = await asyncio.to_thread(self._secrets.refresh)
            if changed or (self._resolved is not None and self._resolved.problems):
                self._rebuild()
            await self._keep()

    async def _keep(self) -> None:
        if self._unkept and self._log is not None:
            self._unkept = False
            await asyncio.to_thread(self._kept.write, document_of(self._log))

    def _blame(self, trouble: str) -> None:
        if trouble != self._trouble:
            log.warning("registry_unavailable", detail=trouble)
        self._trouble = trouble
