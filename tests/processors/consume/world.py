"""A small world round the loop: topics, records in, committed records out, a stage that copies."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.structs import ConsumerRecord, TopicPartition

from processors.consume import OutRecord, TransactionLoop
from processors.log_ends import written_ends
from processors.program import Tools
from schemas.errors import Interrupted
from schemas.kafka import KafkaOptions
from schemas.secrets import Secrets
from schemas.settings import Settings


def tools_for(bootstrap_servers: str, prefix: str, state_directory: Path) -> Tools:
    """What a program is given, for this broker."""
    settings = Settings.from_environ(
        {
            "SCANWIRE_KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
            "SCANWIRE_TOPIC_PREFIX": prefix,
            "SCANWIRE_STATE_DIRECTORY": str(state_directory),
        }
    )
    secrets = Secrets({}, lambda path: Path(path).read_text(encoding="utf-8"))
    return Tools(settings, secrets, KafkaOptions.of(settings, secrets))


async def until(true: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Waits for something that will come about; fails with `what` if it does not."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 -- what is waited for is the broker's, without an event
            await asyncio.sleep(0.02)
    assert true(), what


async def make_topics(
    tools: Tools, names: Sequence[str], partitions: int, config: dict[str, str] | None = None
) -> None:
    """Topics of a test."""
    admin = AIOKafkaAdminClient(**tools.kafka.client())
    await admin.start()
    try:
        topics = [NewTopic(name, partitions, 1, topic_configs=config or {}) for name in names]
        await admin.create_topics(topics)
    finally:
        await admin.close()


async def send(tools: Tools, topic: str, values: Sequence[tuple[int, bytes]]) -> None:
    """Writes (partition, value) records, outside any transaction."""
    producer = AIOKafkaProducer(**tools.kafka.producer())
    await producer.start()
    try:
        futures = [
            await producer.send(topic, value, key=value[:20], partition=partition)
            for partition, value in values
        ]
        await asyncio.gather(*futures)
    finally:
        await producer.stop()


async def read_all(
    tools: Tools, topic: str, isolation: str = "read_committed"
) -> list[ConsumerRecord]:
    """Every record of a topic, partition by partition, as a reader sees them."""
    options = tools.kafka.reader() | {"isolation_level": isolation}
    consumer = AIOKafkaConsumer(**options)
    await consumer.start()
    try:
        await consumer._client._wait_on_metadata(topic)
        places = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic)]
        ends = await written_ends(tools.kafka, places)
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        records: list[ConsumerRecord] = []
        while any([await consumer.position(place) < ends[place] for place in places]):
            for found in (await consumer.getmany(timeout_ms=200)).values():
                records += found
        return records
    finally:
        await consumer.stop()


@dataclass
class CopyStage:
    """Copies each value to another topic, and keeps a diary."""

    place: TopicPartition
    to: str
    diary: list[str] = field(default_factory=list)
    pending: list[bytes] = field(default_factory=list)
    kept: list[bytes] = field(default_factory=list)
    fail_next: int = 0
    hang: bool = False
    last: dict[TopicPartition, int] = field(default_factory=dict)

    async def restore(self) -> None:
        """Nothing to catch up with."""
        self.diary.append("restore")

    async def transform(self, records: Sequence[ConsumerRecord]) -> Sequence[OutRecord]:
        """One for one."""
        if self.fail_next:
            self.fail_next -= 1
            raise Interrupted("told_to_fail")
        if self.hang:
            await asyncio.Event().wait()
        self.pending = [record.value for record in records]
        return [
            OutRecord(self.to, self.place.partition, record.key, record.value, [], record.offset)
            for record in records
        ]

    def placed(self, last_offsets: dict[TopicPartition, int]) -> None:
        """Keeps them."""
        self.last = dict(last_offsets)

    def committed(self) -> None:
        """Keeps the batch."""
        self.diary.append("committed")
        self.kept += self.pending
        self.pending = []

    def aborted(self) -> None:
        """Drops the batch."""
        self.diary.append("aborted")
        self.pending = []

    async def idle(self) -> Sequence[OutRecord]:
        """Nothing to sweep."""
        return []

    async def close(self) -> None:
        """The end of the diary."""
        self.diary.append("close")


class Copier:
    """A loop of copying stages."""

    def __init__(self, tools: Tools, group: str = "copier", stalled_seconds: float = 40.0) -> None:
        names = tools.settings.topics
        self.source, self.copy = f"{names.prefix}source", f"{names.prefix}copy"
        self.stages: dict[int, CopyStage] = {}
        self.all_stages: list[CopyStage] = []
        self.lags: dict[int, int] = {}
        self.lost: dict[int, int] = {}
        self.aborts = 0
        self.loop = TransactionLoop(
            tools,
            group=group,
            topic=self.source,
            outputs=[self.copy],
            needs=[names.dead_letters],
            make_stage=self._stage,
            on_lag=self.lags.__setitem__,
            on_batch_seconds=lambda _: None,
            on_abort=self._aborted,
            on_lost=self.lost.__setitem__,
            stalled_seconds=stalled_seconds,
        )

    def _stage(self, place: TopicPartition) -> CopyStage:
        stage = self.stages[place.partition] = CopyStage(place, self.copy)
        self.all_stages.append(stage)
        return stage

    def _aborted(self) -> None:
        self.aborts += 1

    @property
    def kept(self) -> int:
        """How many records all stages together, former ones too, saw committed."""
        return sum(len(stage.kept) for stage in self.all_stages)


@asynccontextmanager
async def running(copier: Copier) -> AsyncIterator[asyncio.Task[None]]:
    """The loop at work, and in order ended."""
    task = asyncio.create_task(copier.loop.run())
    try:
        yield task
    finally:
        await copier.loop.stop()
        await asyncio.wait_for(task, 30)


async def make_world(tools: Tools, partitions: int = 2) -> Copier:
    """Topics and a copier for them."""
    copier = Copier(tools)
    names = [copier.source, copier.copy, tools.settings.topics.dead_letters]
    await make_topics(tools, names, partitions)
    return copier
