"""Consume, transform, produce: one transaction per batch and input partition (design, section 6).

The consumer group only says who works on which partition. Whoever is told to fences the former
owner's producer, and only then asks where that one stopped: so a member that has not heard yet
that it lost a partition can neither write nor commit, whatever it still does.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.structs import TopicPartition

from processors.consume.dead_letters import dead_letter_for
from processors.consume.errors import BROKER_TROUBLE, told
from processors.consume.member import claimed_member
from processors.consume.stage import OutRecord, Stage
from processors.consume.tenure import Claim
from processors.consume.topics import problems_with_topics
from processors.consume.worker import Observers, PartitionWorker
from processors.program import Tools
from schemas.errors import OperatorError
from schemas.kafka_clients import end_client, make_consumer

log = structlog.get_logger(__name__)
TICK_SECONDS: Final = 0.5
RETRY_SECONDS: Final = 1.0
# A batch in hand is finished within this; then the broker must be away, and it is dropped.
SETTLE_SECONDS: Final = 6.0
LEAVE_SECONDS: Final = 5.0
# Longer than the longest time limit of a step: a write (12 s) and giving its clients up (10 s).
STALLED_SECONDS: Final = 40.0


class TransactionLoop:
    """A `program.Service`: one worker per assigned partition of `topic`.

    `group` is the program's short name ("packages"): the consumer group, the transactional
    ids and the `destination` of dead letters are made of it. `outputs`: topics with the same
    partitions, each written by the owner of its partition alone, but for what is in no
    transaction. `needs`: other topics that must exist before work begins.
    """

    def __init__(
        self,
        tools: Tools,
        *,
        group: str,
        topic: str,
        outputs: Sequence[str],
        needs: Sequence[str],
        make_stage: Callable[[TopicPartition], Stage],
        on_lag: Callable[[int, int], None],
        on_batch_seconds: Callable[[float], None],
        on_abort: Callable[[], None],
        on_lost: Callable[[int, int], None],
        stalled_seconds: float = STALLED_SECONDS,
    ) -> None:
        self._tools = tools
        self._names = tools.settings.topics
        self._group = group
        self._topic = topic
        self._outputs = tuple(outputs)
        self._needs = (*outputs, *needs)
        self._make_stage = make_stage
        self._observers = Observers(on_lag, on_batch_seconds, on_abort, on_lost)
        self._stalled_seconds = stalled_seconds
        self._stopping = asyncio.Event()
        self._doubtful = False
        self._bug: Exception | None = None
        self._workers: dict[TopicPartition, tuple[PartitionWorker, asyncio.Task[None]]] = {}
        self._troubles: list[str] = ["has not joined its consumer group yet"]

    async def run(self) -> None:
        """Works until `stop`; raises a worker's bug."""
        directory = self._tools.settings.state_directory / self._group
        with claimed_member(directory / state_name(self._names.prefix)) as instance_id:
            while not self._stopping.is_set():
                try:
                    if await self._topics_are_there():
                        await self._membership(instance_id)
                    if self._bug is not None:
                        raise self._bug
                except BROKER_TROUBLE as error:
                    self._troubles = [f"the broker cannot be used ({told(error)})"]
                    log.warning("membership_ended", group=self._group, reason=told(error))
                await self._wait(RETRY_SECONDS)

    async def stop(self) -> None:
        """Lets each worker finish the batch in hand, leaves the group, returns from `run`."""
        self._stopping.set()

    def readiness(self) -> Sequence[str]:
        """What stands in the way, a sentence each: missing topics, restoring, lost positions."""
        return self._troubles + [
            f"partition {place.partition} {worker.trouble}"
            for place, (worker, _) in sorted(self._workers.items())
            if worker.trouble is not None
        ]

    async def _topics_are_there(self) -> bool:
        problems = await problems_with_topics(self._tools.kafka, self._topic, self._needs)
        if problems:
            if problems != self._troubles:
                log.warning("topics_not_usable", problems=problems)
            self._troubles = problems
        return not problems

    async def _membership(self, instance_id: str) -> None:
        """From joining the group to leaving it, or to an error of the group's client."""
        self._doubtful = False
        options = self._tools.kafka.reader(self._names.group(self._group))
        consumer = make_consumer(**options, group_instance_id=instance_id)
        consumer.subscribe([self._topic], listener=_Listener(self, consumer))
        try:
            if not await self._until_stop(consumer.start()):
                return
            self._troubles = []
            while not self._stopping.is_set() and not self._doubtful and self._bug is None:
                await self._until_stop(self._tick(consumer))
        finally:
            self._troubles = ["has left its consumer group"]
            await self.settle()
            await end_client(consumer, LEAVE_SECONDS)

    async def _tick(self, consumer: AIOKafkaConsumer) -> None:
        """Raises the group client's errors; notes the workers' bugs."""
        # It never brings a record: every partition of this client is paused. But it counts
        # as polling, without which aiokafka leaves the group, and it raises pending errors.
        await consumer.getmany(timeout_ms=0)
        for worker, task in self._workers.values():
            if task.cancelled() or worker.still_for() > self._stalled_seconds:
                # A wait of aiokafka's that nothing ends, or a cancellation that is not ours:
                # whatever it was, this partition must not rest.
                self._doubt()
            elif task.done() and (error := task.exception()) is not None:
                self._bug = error if isinstance(error, Exception) else self._bug
        await asyncio.sleep(TICK_SECONDS)

    async def _until_stop(self, work: Any) -> bool:  # noqa: ANN401 -- any coroutine
        """Awaits it, at most until `stop`. False: stopped before it was done."""
        task = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait([task, stopping], return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                await task
                return True
            return False
        finally:
            for future in (task, stopping):
                future.cancel()
            await asyncio.gather(task, stopping, return_exceptions=True)

    def begin(self, consumer: AIOKafkaConsumer, assigned: Iterable[TopicPartition]) -> None:
        """Starts a worker for each partition that the group gave us."""
        for place in assigned:
            claim = Claim(
                kafka=self._tools.kafka,
                partition=place,
                group_id=self._names.group(self._group),
                transactional_id=self._names.transactional_id(
                    self._group, place.topic, place.partition
                ),
                outputs=[TopicPartition(topic, place.partition) for topic in self._outputs],
                committed=consumer.committed,
                too_large=partial(self._too_large, place),
            )
            worker = PartitionWorker(
                claim,
                partial(self._make_stage, place),
                self._observers,
                self._tools.clock,
                self._doubt,
            )
            self._workers[place] = (worker, asyncio.create_task(worker.run()))

    async def settle(self) -> None:
        """Finishes or drops the batches in hand; afterwards nothing of ours is under way."""
        if not self._workers:
            return
        workers, self._workers = self._workers, {}
        for worker, _ in workers.values():
            worker.stop()
        tasks = [task for _, task in workers.values()]
        _, late = await asyncio.wait(tasks, timeout=SETTLE_SECONDS)
        for task in late:
            task.cancel()
        ended, stuck = await asyncio.wait(tasks, timeout=SETTLE_SECONDS)
        # Not raised here: aiokafka would only log what its listener raises.
        for task in ended:
            error = None if task.cancelled() else task.exception()
            self._bug = error if isinstance(error, Exception) else self._bug
        if stuck:
            self._bug = OperatorError(
                "worker_stuck", "a partition's work cannot be ended; start the program again"
            )

    def _doubt(self) -> None:
        """Somebody else holds what the group calls ours, or nobody does: join the group anew."""
        if not self._doubtful:
            log.warning("membership_doubted", group=self._group)
        self._doubtful = True

    def _too_large(self, place: TopicPartition, out: OutRecord) -> OutRecord:
        offset = -1 if out.source_offset is None else out.source_offset
        log.error("record_too_large", topic=out.topic, partition=out.partition, offset=offset)
        position = (place.topic, place.partition, offset)
        return dead_letter_for(self._names, self._group, position, out, self._tools.clock.now())

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """What the group tells; aiokafka awaits each call before it goes on with the rebalance."""

    def __init__(self, loop: TransactionLoop, consumer: AIOKafkaConsumer) -> None:
        self._loop = loop
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        del revoked  # always all of them: aiokafka rebalances eagerly
        await self._loop.settle()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        places = sorted(assigned)
        log.info("partitions_assigned", partitions=[place.partition for place in places])
        for place in places:
            # This client only stands for membership; a position keeps it from asking for one.
            self._consumer.seek(place, 0)
        if places:
            self._consumer.pause(*places)
        self._loop.begin(self._consumer, places)


def state_name(prefix: str) -> Path:
    """The folder name of one topic prefix; never `..`, whatever the prefix."""
    return Path(f"topics-{prefix}")
