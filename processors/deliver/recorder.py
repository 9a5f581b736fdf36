"""Writes the audit trail: one idempotent producer for all destinations, in batches.

What arrives while a batch is in flight becomes the next batch of its partition; a record's
`acknowledged` is called once the broker has it, in the order of writing per partition.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

import structlog
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from schemas.clock import Clock
from schemas.headers import Headers
from schemas.partitions import partition_of

log = structlog.get_logger(__name__)
# A topic's max.message.bytes, 1 MiB by default, is for a whole batch.
BATCH_BYTES: Final = 512 * 1024
BATCH_RECORDS: Final = 2_000
PAUSE_SECONDS: Final = 1.0
BROKER_FAULTS: Final = (KafkaError, OSError, TimeoutError)
# As long as one produce request may take before the broker counts as away.
SILENCE_SECONDS: Final = 10.0


class AuditRecord(NamedTuple):
    """A record to write."""

    topic: str
    key: bytes
    value: bytes | None
    headers: Headers


Acknowledged = Callable[[], None]
_Entry = tuple[AuditRecord, Acknowledged]


class AuditTrail(Protocol):
    """What destinations use of a `Recorder`."""

    def write(self, record: AuditRecord, acknowledged: Acknowledged) -> None:
        """Hands over a record; `acknowledged` is called once the broker has it."""


class BatchProducer(Protocol):
    """What is used of a producer; `processors.deliver.producer` has the real one."""

    async def start(self, topics: Sequence[str]) -> Mapping[str, int]:
        """Connects; the number of partitions of each topic. Raises one of `BROKER_FAULTS`."""

    async def send(self, topic: str, partition: int, records: Sequence[AuditRecord]) -> None:
        """Returns when the broker has all of them. Raises one of `BROKER_FAULTS`."""

    async def close(self) -> None:
        """Ends it, in bounded time, whatever state it is in."""


@dataclass(slots=True, eq=False)
class _Lane:
    """One partition's records that the broker does not have yet."""

    topic: str
    partition: int
    waiting: deque[_Entry]
    sending_since: float = 0.0


class Recorder:
    """Takes records at once and writes them as soon as it can; it never gives one up."""

    def __init__(
        self,
        make_producer: Callable[[], BatchProducer],
        topics: Sequence[str],
        clock: Clock,
        pause_seconds: float = PAUSE_SECONDS,
    ) -> None:
        self._make_producer = make_producer
        self._topics = topics
        self._clock = clock
        self._pause_seconds = pause_seconds
        self._producer: BatchProducer | None = None
        self._partitions: Mapping[str, int] = {}
        self._renewing = asyncio.Lock()
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self._busy: dict[_Lane, asyncio.Task[None]] = {}
        self._bug: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def start(self) -> None:
        """Connects, trying until the broker answers. The topics exist already."""
        await self._renew(None)

    def write(self, record: AuditRecord, acknowledged: Acknowledged) -> None:
        """Hands over a record."""
        partition = partition_of(record.key, self._partitions[record.topic])
        lane = self._lanes.get((record.topic, partition))
        if lane is None:
            lane = _Lane(record.topic, partition, deque())
            self._lanes[record.topic, partition] = lane
        lane.waiting.append((record, acknowledged))
        if lane not in self._busy:
            self._busy[lane] = asyncio.create_task(self._drain(lane))

    def silent(self) -> bool:
        """Whether the broker leaves a batch without an answer for suspiciously long."""
        now = self._clock.monotonic()
        return any(now - lane.sending_since > SILENCE_SECONDS for lane in self._busy)

    async def flush(self) -> None:
        """Returns when everything handed over so far and meanwhile is acknowledged."""
        while self._busy:
            await asyncio.wait(list(self._busy.values()))

    async def stop(self) -> None:
        """Ends; what is not acknowledged by now stays unwritten, and its offset uncommitted."""
        for task in list(self._busy.values()):
            task.cancel()
        if self._producer is not None:
            await self._producer.close()

    async def _drain(self, lane: _Lane) -> None:
        try:
            while lane.waiting:
                lane.sending_since = self._clock.monotonic()
                entries = _next_batch(lane.waiting)
                await self._write(lane, entries)
        except Exception as error:  # noqa: BLE001 -- raised again by `watch`
            if not self._bug.done():
                self._bug.set_exception(error)
        finally:
            del self._busy[lane]

    async def watch(self) -> None:
        """Returns never; raises the bug that ended a lane, for the process to stop."""
        await asyncio.shield(self._bug)

    async def _write(self, lane: _Lane, entries: Sequence[_Entry]) -> None:
        """Until the broker has them; too large a batch is halved."""
        try:
            await self._until_sent(lane, [record for record, _ in entries])
        except MessageSizeTooLargeError:
            if len(entries) == 1:
                # Its offset stays uncommitted: visible as lag, never passed over.
                log.error("audit_record_too_large", topic=lane.topic)
                return
            middle = len(entries) // 2
            await self._write(lane, entries[:middle])
            await self._write(lane, entries[middle:])
            return
        for _, acknowledged in entries:
            acknowledged()

    async def _until_sent(self, lane: _Lane, records: Sequence[AuditRecord]) -> None:
        while True:
            producer = self._producer
            try:
                if producer is not None:
                    await producer.send(lane.topic, lane.partition, records)
                    return
            except MessageSizeTooLargeError:
                raise
            except BROKER_FAULTS as error:
                log.warning("audit_write_failed", topic=lane.topic, error=type(error).__name__)
                await asyncio.sleep(self._pause_seconds)
            await self._renew(producer)

    async def _renew(self, failed: BatchProducer | None) -> None:
        """Replaces a producer that failed: after some errors aiokafka's never works again."""
        async with self._renewing:
            if self._producer is not failed:
                return
            if failed is not None:
                await failed.close()
                self._producer = None
            while True:
                producer = self._make_producer()
                try:
                    self._partitions = await producer.start(self._topics)
                    self._producer = producer
                    return
                except BROKER_FAULTS as error:
                    log.warning("audit_producer_failed", error=type(error).__name__)
                    with suppress(Exception):
                        await producer.close()
                    await asyncio.sleep(self._pause_seconds)


def _next_batch(waiting: deque[_Entry]) -> list[_Entry]:
    """As many as one batch should hold, one at least."""
    entries: list[_Entry] = []
    size = 0
    while waiting and len(entries) < BATCH_RECORDS:
        value: Any = waiting[0][0].value
        size += len(value or b"")
        if entries and size > BATCH_BYTES:
            break
        entries.append(waiting.popleft())
    return entries
