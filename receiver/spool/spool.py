"""The spool as the event loop sees it: puts and deletions in, durable in groups, by a thread.

What comes while a commit runs is the next commit. Whatever the disk does, nobody waits for
ever, and the receiver goes on: without a spool it serves through Kafka alone.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from aiokafka.structs import TopicPartition

from receiver.publishing.door import OutgoingRecord
from receiver.spool.directory import SpoolDirectory
from receiver.spool.disk import SpoolDisk
from receiver.spool.rows import Row, to_row
from receiver.spool.store import Changes, Depth
from receiver.spool.troubles import Troubles
from schemas.clock import Clock
from schemas.metrics import SpoolMetrics

log = structlog.get_logger(__name__)
REOPEN_SECONDS: Final = 5.0


@dataclass(slots=True)
class Copy:
    """Records that were put together. `kept`: they are durable; `written`: by the broker too."""

    count: int
    done: Callable[[bool], None]
    first_seq: int = 0
    last_seq: int = 0
    kept: bool = False
    written: bool = False


def _nothing() -> None:
    """Before anyone listens."""


class Spool:
    """Takes records, gives them back by lane, forgets them.

    Attributes:
        partitions: Partitions by topic as they were last seen; what is there lies in such lanes.
        on_change: Called when there may be something to read.
        on_opened: Called when it could be opened after the start only, with what it holds.
    """

    def __init__(
        self, directory: SpoolDirectory, max_bytes: int, metrics: SpoolMetrics, clock: Clock
    ) -> None:
        self._path = directory.path
        self._max_bytes = max_bytes
        self._metrics = metrics
        self._clock = clock
        self._troubles = Troubles(directory.path, metrics, clock)
        self._disk = SpoolDisk(directory, self._troubles, clock)
        self._wanted = asyncio.Event()
        self._changes = Changes()
        self._copies: list[Copy] = []
        self._waiting_bytes = 0
        self._depth = Depth()
        self._moved = False
        self._seen: Mapping[str, int] = {}
        self.partitions: Mapping[str, int] = {}
        self.on_change: Callable[[], None] = _nothing
        self.on_opened: Callable[[], None] = _nothing
        metrics.oldest_seconds.set_function(self._oldest_seconds)

    def open(self) -> None:
        """At start, before anything is served; blocks. Raises `OperatorError` if it is in use."""
        if self._disk.open():
            self._opened()

    def notes(self) -> Sequence[str]:
        """What is wrong with it, a sentence each."""
        full = f"the spool in {self._path} is full; more is refused with 503"
        return [*self._disk.notes(), *([full] if self._full else [])]

    @property
    def takes(self) -> bool:
        """Whether it can be given records now."""
        usable = self._disk.store is not None and self._troubles.may_try
        return usable and not self._moved and not self._full

    def backlog(self, lane: TopicPartition) -> int:
        """How many records of a lane there were when it was opened."""
        store = self._disk.store
        return 0 if store is None else store.backlog.get(lane, (0, 0))[0]

    def put(
        self, lane: TopicPartition, records: Sequence[OutgoingRecord], done: Callable[[bool], None]
    ) -> Copy:
        """Takes records behind all that the lane has. `done` is told whether they are durable."""
        at = self._clock.now().timestamp()
        rows = [to_row(record, lane, at) for record in records]
        self._changes.rows += rows
        self._waiting_bytes += sum(row.size for row in rows)
        copy = Copy(len(rows), done)
        self._copies.append(copy)
        self._wanted.set()
        return copy

    def delivered(self, lane: TopicPartition, seq: int, count: int) -> None:
        """Forgets the lane's records up to this one, so many."""
        self._metrics.drained.inc(count)
        gone = self._changes.gone
        gone[lane] = max(seq, gone.get(lane, 0))
        self._wanted.set()

    def park(self, seq: int) -> None:
        """Keeps a record for a person to look at: nobody else can do anything with it."""
        self._changes.parked.append(seq)
        self._wanted.set()

    def damaged(self, seq: int) -> None:
        """The same for a record that does not read as it was written."""
        self._troubles.count("damaged", seq=seq)
        self.park(seq)

    def too_slow(self) -> None:
        """Somebody waited for it long enough."""
        self._troubles.count("slow")

    async def read(self, lane: TopicPartition, after: int, max_bytes: int) -> list[Row] | None:
        """The lane's next durable rows after this one, in order. None if it cannot be read now."""
        return await self._disk.read(lane, after, self._depth.top_seq, max_bytes)

    async def keep_partitions(self, counts: Mapping[str, int]) -> bool:
        """Remembers them. True if they are others than before.

        Records lie in their new lanes then, and no new ones are taken until `go_on`.
        """
        store = self._disk.store
        known = {} if store is None else store.partitions
        self._seen = counts
        self._moved = any(known.get(topic, count) != count for topic, count in counts.items())
        await self._disk.keep_partitions(counts)
        return self._moved

    def go_on(self) -> None:
        """Nobody counts on the former partitions."""
        self._moved = False

    async def run(self) -> None:
        """Commits what comes, until cancelled."""
        reopening = asyncio.create_task(self._reopen())
        try:
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                await self._commit()
        finally:
            reopening.cancel()

    async def close(self) -> None:
        """Commits what is left and lets go of the directory."""
        await self._commit()
        await self._disk.close()

    async def _commit(self) -> None:
        changes, self._changes = self._changes, Changes()
        copies, self._copies = self._copies, []
        if not changes:
            return
        depth = await self._disk.commit(changes)
        self._waiting_bytes -= sum(row.size for row in changes.rows)
        if depth is None:
            self._put_back(changes)
        else:
            self._know(depth)
            self._metrics.spooled.inc(len(changes.rows))
            _number(copies, depth.top_seq - len(changes.rows))
        for copy in copies:
            copy.done(copy.kept)
        self.on_change()

    def _put_back(self, changes: Changes) -> None:
        """Who waits for a row is told; the rest is tried again, at once if it may go alone."""
        for lane, seq in changes.gone.items():
            self._changes.gone[lane] = max(seq, self._changes.gone.get(lane, 0))
        self._changes.parked += changes.parked
        if self._changes:
            delay = 0.0 if changes.rows else REOPEN_SECONDS
            asyncio.get_running_loop().call_later(delay, self._wanted.set)

    async def _reopen(self) -> None:
        """A disk that was not usable at start may be later."""
        while True:
            await asyncio.sleep(REOPEN_SECONDS)
            if self._disk.store is None and await self._disk.reopen():
                await self._disk.keep_partitions(self._seen)
                self._opened()
                self.on_opened()

    def _opened(self) -> None:
        store = self._disk.store
        assert store is not None
        self.partitions = store.partitions
        self._know(store.depth())
        if self._depth.records:
            log.warning("spool_has_records", records=self._depth.records, bytes=self._depth.bytes)

    @property
    def _full(self) -> bool:
        return self._depth.bytes + self._waiting_bytes >= self._max_bytes

    def _know(self, depth: Depth) -> None:
        was_full = self._full
        self._depth = depth
        self._metrics.records.set(depth.records)
        self._metrics.bytes.set(depth.bytes)
        if self._full and not was_full:
            self._troubles.count("full")

    def _oldest_seconds(self) -> float:
        oldest = self._depth.oldest_at
        return 0.0 if oldest is None else max(0.0, self._clock.now().timestamp() - oldest)


def _number(copies: Sequence[Copy], top_seq: int) -> None:
    """They are durable, with the numbers after this one."""
    for copy in copies:
        copy.kept = True
        copy.first_seq, top_seq = top_seq + 1, top_seq + copy.count
        copy.last_seq = top_seq
