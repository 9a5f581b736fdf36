"""The Kafka of a demo: a local one, started here, or the one that the environment names."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.broker import BrokerError, LocalBroker
from deploy.broker.probe import last_words
from deploy.broker.say import Say
from deploy.demo.layout import Layout
from schemas.kafka import KafkaOptions
from schemas.settings import PREFIX

BOOTSTRAP: Final = f"{PREFIX}KAFKA_BOOTSTRAP_SERVERS"
_AT_A_TIME: Final = 50


class Cluster:
    """Started and stopped with the demo, unless it ran before or is somebody else's."""

    def __init__(self, layout: Layout, environ: Mapping[str, str], say: Say) -> None:
        self._say = say
        self._given = environ.get(BOOTSTRAP)
        ports = layout.ports
        self._broker = (
            None
            if self._given
            else LocalBroker(layout.broker, ports.kafka, ports.kafka_controller, say=say)
        )
        self._started = False

    @property
    def to_start(self) -> bool:
        """Whether a broker has to be started, so that its ports must be free."""
        return self._broker is not None and self._broker.running() is None

    @property
    def bootstrap_servers(self) -> str:
        """Where clients find it."""
        return self._broker.bootstrap_servers if self._broker else self._given or ""

    @property
    def told(self) -> str:
        """Where it is, for the screen."""
        if self._broker is None:
            return f"{self.bootstrap_servers} (yours)"
        return f"{self.bootstrap_servers} (local; log in {self._broker.directory}/broker.log)"

    async def start(self) -> None:
        """Raises `BrokerError`, which says what to do."""
        if self._broker is not None:
            self._started = self.to_start
            await asyncio.to_thread(self._broker.start)

    def raise_if_ended(self) -> None:
        """Raises `BrokerError` with its last lines if the broker started here is gone."""
        if self._broker is not None and self._started and self._broker.running() is None:
            raise BrokerError(f"Kafka has ended. {last_words(self._broker.directory)}")

    async def stop(self) -> None:
        """Ends the broker if it was started here; its data stay."""
        if self._broker is not None and self._started:
            self._say("Kafka: stopping; its data are kept")
            await asyncio.to_thread(self._broker.stop)
            self._started = False


async def ensure_merchant_topics(kafka: KafkaOptions, topics: Iterable[str]) -> None:
    """Makes the topics into which Kafka destinations write: a merchant would have them."""
    admin = AIOKafkaAdminClient(**kafka.client())
    await admin.start()
    try:
        missing = sorted(set(topics) - set(await admin.list_topics()))
        if missing:
            # An empty assignment: the broker's own default of replicas.
            await admin.create_topics([NewTopic(name, 1, -1, {}) for name in missing])
    finally:
        await admin.close()


async def delete_topics(kafka: KafkaOptions, prefix: str) -> int:
    """Deletes every topic of a run by its prefix; how many there were."""
    admin = AIOKafkaAdminClient(**kafka.client())
    await admin.start()
    try:
        names = [name for name in await admin.list_topics() if name.startswith(prefix)]
        for first in range(0, len(names), _AT_A_TIME):
            await admin.delete_topics(names[first : first + _AT_A_TIME])
        return len(names)
    finally:
        await admin.close()
