"""Reads one destination's topic as a member of its group, and commits what is settled.

1. The sink has the events, or they are set aside.
2. The records that say so are acknowledged (`settlements`).
3. Commit, by named offsets, only of partitions that are still ours.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.errors import (
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from aiokafka.structs import ConsumerRecord, OffsetAndMetadata, TopicPartition

from processors.deliver.commits import CommitTimer, PartitionProgress
from processors.deliver.deliverer import Deliverer
from processors.deliver.intake import Intake
from processors.deliver.settlements import Settlements
from schemas.clock import Clock
from schemas.errors import DeliveryFailed
from schemas.kafka_clients import end_client

log = structlog.get_logger(__name__)
# How long a request for records waits: with something to commit soon, and with nothing.
POLL_SECONDS: Final = 1.0
IDLE_POLL_SECONDS: Final = 5.0
POLL_RECORDS: Final = 500
# What waits in memory is bounded; the backlog stays in Kafka.
FULL_RECORDS: Final = 10_000
ROOM_RECORDS: Final = 9_000
DRAIN_SECONDS: Final = 10.0
WRITE_SECONDS: Final = 5.0
COMMIT_SECONDS: Final = 5.0
CLOSE_SECONDS: Final = 10.0
STALLED_SECONDS: Final = 60.0

Fetched = Mapping[TopicPartition, Sequence[ConsumerRecord]]
# Where assigned partitions begin. Raises `PositionLost`, or what Kafka's clients raise.
Begin = Callable[[Collection[TopicPartition]], Awaitable[Sequence[PartitionProgress]]]


class DestinationReader(ConsumerRebalanceListener):  # type: ignore[misc]
    """One membership of a destination's group, from `run` to `stop`."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        *,
        begin: Begin,
        intake: Intake,
        deliverer: Deliverer,
        settlements: Settlements,
        clock: Clock,
    ) -> None:
        self._consumer = consumer
        self._begin = begin
        self._intake = intake
        self._deliverer = deliverer
        self._settlements = settlements
        self._clock = clock
        self._commits = CommitTimer(clock.monotonic())
        self._progress: dict[TopicPartition, PartitionProgress] = {}
        self._paused: set[TopicPartition] = set()
        self._moved_at = clock.monotonic()
        # Counts changes of the assignment: what was fetched before one is read again.
        self._assignment = 0
        self._room = asyncio.Event()
        self._ending: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, topic: str) -> None:
        """Reads until `end`, then finishes what is in hand. Raises what made it end."""
        self._consumer.subscribe([topic], listener=self)
        reading = asyncio.create_task(self._read())
        try:
            await asyncio.wait([reading, self._ending], return_when=asyncio.FIRST_COMPLETED)
        finally:
            reading.cancel()
            await asyncio.wait([reading])
            await self._finish_in_hand()
            await self._close()
        if self._ending.done():
            self._ending.result()
        else:
            reading.result()

    def end(self, error: BaseException | None = None) -> None:
        """Makes `run` finish, and raise the error if one is given."""
        if self._ending.done():
            return
        if error is None:
            self._ending.set_result(None)
        else:
            self._ending.set_exception(error)

    def room(self) -> None:
        """There may be room for more events."""
        self._room.set()

    def positions(self) -> dict[TopicPartition, int]:
        """Up to where each assigned partition is settled."""
        return {partition: progress.position for partition, progress in self._progress.items()}

    def watch(self, ends: Mapping[TopicPartition, int]) -> None:
        """Ends the run where records are there and none comes: aiokafka can stop in silence."""
        now = self._clock.monotonic()
        behind = self._deliverer.wants_more and any(
            ends.get(partition, 0) > progress.next_read and partition not in self._paused
            for partition, progress in self._progress.items()
        )
        if not behind:
            self._moved_at = now
        elif now - self._moved_at > STALLED_SECONDS:
            self.end(DeliveryFailed("reader_stalled", "records are there and none comes"))

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:  # noqa: ARG002
        """Finishes what is in hand before others may have the partitions."""
        self._assignment += 1
        if self._progress:
            await self._finish_in_hand()
            self._progress.clear()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Begins the partitions, each at its own position."""
        try:
            for progress in await self._begin(assigned):
                self._consumer.seek(progress.topic_partition, progress.next_read)
                self._progress[progress.topic_partition] = progress
        except Exception as error:  # noqa: BLE001 -- aiokafka would log it and go on
            self.end(error)
        self._assignment += 1
        self._paused.clear()
        self._deliverer.go_on()
        self._room.set()

    async def _read(self) -> None:
        await self._consumer.start()  # returns with the first assignment
        while True:
            if self._commits.due(self._uncommitted(), self._clock.monotonic()):
                await self._commit()
            if self._progress and self._deliverer.wants_more:
                self._pause_full(reading=True)
                idle = not any(one.in_hand or one.uncommitted for one in self._progress.values())
                await self._fetch(IDLE_POLL_SECONDS if idle else POLL_SECONDS)
            else:
                await self._wait_for_room()

    async def _wait_for_room(self) -> None:
        self._room.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS):
                await self._room.wait()
                return
        # aiokafka leaves the group where nobody asks for records for long: ask for none.
        self._pause_full(reading=False)
        await self._fetch(0)

    def _pause_full(self, *, reading: bool) -> None:
        """Pauses partitions with too much in hand (all, unless reading); resumes the others."""
        for partition, progress in self._progress.items():
            paused = partition in self._paused
            full = progress.in_hand >= (ROOM_RECORDS if paused else FULL_RECORDS)
            if paused and reading and not full:
                self._consumer.resume(partition)
                self._paused.discard(partition)
            elif not paused and (full or not reading):
                self._consumer.pause(partition)
                self._paused.add(partition)

    async def _fetch(self, seconds: float) -> None:
        assignment = self._assignment
        try:
            fetched: Fetched = await self._consumer.getmany(
                timeout_ms=round(seconds * 1000), max_records=POLL_RECORDS
            )
        except NoOffsetForPartitionError:
            return  # newly assigned; its beginning is being looked up
        except OffsetOutOfRangeError:
            # Says which range is lost, or begins again where a look shows that none is.
            await self._begin(list(self._progress))
            raise
        if assignment != self._assignment or not self._progress:
            self._read_again(fetched)
            return
        if fetched:
            self._moved_at = self._clock.monotonic()
        for partition, records in fetched.items():
            for record in records:
                self._intake.take(record, self._progress[partition])
        self._deliverer.pump()

    def _read_again(self, fetched: Fetched) -> None:
        """Goes back to where each partition stands: these came amid a change of assignment."""
        for partition in fetched:
            progress = self._progress.get(partition)
            if progress is not None:
                with suppress(IllegalStateError):
                    self._consumer.seek(partition, progress.next_read)

    def _uncommitted(self) -> int:
        return max((progress.uncommitted for progress in self._progress.values()), default=0)

    async def _commit(self) -> None:
        """A commit that fails is normal: the next one says the same and more."""
        self._commits.committed(self._clock.monotonic())
        ahead = [progress for progress in self._progress.values() if progress.uncommitted > 0]
        positions = {progress: progress.position for progress in ahead}
        if not positions:
            return
        try:
            async with asyncio.timeout(COMMIT_SECONDS):
                await self._consumer.commit(
                    {
                        progress.topic_partition: OffsetAndMetadata(position, "")
                        for progress, position in positions.items()
                    }
                )
        except (KafkaError, TimeoutError) as error:
            log.info("commit_failed", error=type(error).__name__)
            return
        for progress, position in positions.items():
            progress.committed = position

    async def _finish_in_hand(self) -> None:
        """Lets attempts under way end, their settlements be written, and commits them."""
        self._deliverer.hold()
        await self._deliverer.quiet(DRAIN_SECONDS)
        with suppress(TimeoutError):
            async with asyncio.timeout(WRITE_SECONDS):
                await self._settlements.written()
        await self._commit()

    async def _close(self) -> None:
        await end_client(self._consumer, CLOSE_SECONDS)
