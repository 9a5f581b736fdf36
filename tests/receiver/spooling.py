"""A door with a spool on a real disk before a fake Kafka; crashes included."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry

from receiver.publishing.broker import Broker
from receiver.publishing.door import OutgoingRecord, publish
from receiver.publishing.publish import GroupCommit
from receiver.spool.directory import SpoolDirectory
from receiver.spool.drain import Drain
from receiver.spool.refused import set_aside
from receiver.spool.spool import Spool
from receiver.spool.way import Instead
from schemas.clock import Clock, SystemClock
from schemas.metrics import ReceiverMetrics, SpoolMetrics
from schemas.topics import TopicNames
from tests.receiver.fakes import FakeKafka, eventually

NAMES = TopicNames("usps.")
TOPIC, QUARANTINE = NAMES.tracking_updates, NAMES.quarantine
# The deadline decides when a test's records go to the spool; none of them measures it.
TIMEOUT_SECONDS = 0.1


def new_kafka(partitions: int = 2) -> FakeKafka:
    """With the topics that the receiver writes."""
    return FakeKafka({TOPIC: partitions, QUARANTINE: partitions})


class SpoolWorld:
    """One process: what it holds in memory, and its directory."""

    def __init__(
        self,
        kafka: FakeKafka,
        root: Path,
        *,
        max_bytes: int = 10_000_000,
        timeout_seconds: float = TIMEOUT_SECONDS,
        clock: Clock | None = None,
        instead: Instead = lambda record: set_aside(record, NAMES),
    ) -> None:
        self.kafka = kafka
        self.root = root
        self.metrics = CollectorRegistry()
        clock = clock or SystemClock()
        receiver_metrics = ReceiverMetrics(self.metrics)
        self.spool = Spool(SpoolDirectory(root), max_bytes, SpoolMetrics(self.metrics), clock)
        self.spool.open()
        self.broker = Broker(
            kafka.producer, kafka.find_partitions, (TOPIC, QUARANTINE), receiver_metrics, clock
        )
        self.door = GroupCommit(
            self.broker,
            self.spool,
            receiver_metrics,
            clock,
            timeout_seconds=timeout_seconds,
            max_waiting=10_000,
            lost_after_seconds=0.3,
            instead=instead,
        )
        self.drain = Drain(self.broker, self.door, self.spool)
        self.tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Its background work."""
        work = (self.spool.run(), self.broker.run(), self.drain.run())
        self.tasks = [asyncio.create_task(one) for one in work]

    async def connected(self) -> None:
        """Returns when there is a producer."""
        await eventually(lambda: self.broker.producer is not None)

    async def end(self) -> None:
        """As at SIGTERM."""
        await self._cancel()
        await self.spool.close()

    async def crash(self, root: Path) -> None:
        """As by kill -9: the disk is as it is now, and nothing more is written there.

        What goes on in memory meanwhile is cut off from `root`, the disk of the next process.
        """
        shutil.copytree(self.root, root)
        await self._cancel()
        await self.spool.close()

    async def _cancel(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.wait(self.tasks)

    def publish(self, value: str, key: str = "key", topic: str = TOPIC) -> "asyncio.Task[None]":
        """Someone waits for this record."""
        record = OutgoingRecord(topic, key.encode(), value.encode(), [("ce_id", value.encode())])
        return asyncio.create_task(publish(self.door, record))

    def counted(self, name: str, labels: Mapping[str, str] | None = None) -> float:
        """A metric's value."""
        return self.metrics.get_sample_value(f"usps_receiver_{name}", dict(labels or {})) or 0.0

    @property
    def waiting(self) -> float:
        """Records in the spool."""
        return self.counted("spool_records")

    async def drained(self) -> None:
        """Returns when nothing waits on the disk."""
        await eventually(lambda: self.waiting == 0, 20)


@asynccontextmanager
async def running(world: SpoolWorld) -> AsyncIterator[SpoolWorld]:
    """Started, and ended afterwards."""
    world.start()
    try:
        yield world
    finally:
        await world.end()


def values(kafka: FakeKafka, topic: str = TOPIC) -> list[str]:
    """What was written, in order, by first occurrence."""
    found = [record.value.decode() for record in kafka.written if record.topic == topic]
    return list(dict.fromkeys(found))
