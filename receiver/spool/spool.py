"""The spool as the event loop sees it: puts and deletions in, durable in groups, by a thread.

What comes while a commit runs is the next commit. Whatever the disk does, nobody waits for
ever, and the receiver goes on: without a spool it serves through Kafka alone.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, TypeVar

import structlog
from aiokafka.structs import TopicPartition

from receiver.door import OutgoingRecord
from receiver.spool.directory import SpoolDirectory
from receiver.spool.rows import Row, to_row
from receiver.spool.salvage import is_damage, replace_damaged, set_aside_files
from receiver.spool.store import Changes, Depth, SpoolStore
from receiver.spool.troubles import Troubles
from schemas.clock import Clock
from schemas.metrics import SpoolMetrics

log = structlog.get_logger(__name__)
REOPEN_SECONDS: Final = 5.0
FAULTS: Final = (sqlite3.Error, OSError)
_Result = TypeVar("_Result")


@dataclass(slots=True)
class Copy:
    """Records that were put together. `kept`: they are durable; `written`: by the broker too."""

    count: int
    first_seq: int
    last_seq: int
    done: Callable[[bool], None]
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
        self._directory = directory
        self._max_bytes = max_bytes
        self._metrics = metrics
        self._clock = clock
        self._troubles = Troubles(directory.path, metrics, clock)
        self._lock: IO[str] | None = None
        self._store: SpoolStore | None = None
        self._thread = ThreadPoolExecutor(1, "spool")
        self._wanted = asyncio.Event()
        self._changes = Changes()
        self._copies: list[Copy] = []
        self._waiting_bytes = 0
        self._depth = Depth()
        self._seq = 0
        self._durable_seq = 0
        self._moved = False
        self._aside: Sequence[Path] = ()
        self.partitions: Mapping[str, int] = {}
        self.on_change: Callable[[], None] = _nothing
        self.on_opened: Callable[[], None] = _nothing
        metrics.oldest_seconds.set_function(self._oldest_seconds)

    def open(self) -> None:
        """At start, before anything is served; blocks. Raises `OperatorError` if it is in use."""
        try:
            self._opened(self._open_store())
        except FAULTS as error:
            self._troubles.note(error)

    def notes(self) -> Sequence[str]:
        """What is wrong with it, if anything."""
        aside = [f"a damaged spool file was set aside: {path}" for path in self._aside]
        full = f"the spool in {self._directory.path} is full; more is refused with 503"
        return [*self._troubles.notes(), *aside, *([full] if self._full else [])]

    @property
    def takes(self) -> bool:
        """Whether it can be given records now."""
        return (
            self._store is not None
            and not self._moved
            and not self._full
            and self._troubles.may_try
        )

    @property
    def _full(self) -> bool:
        return self._depth.bytes + self._waiting_bytes >= self._max_bytes

    def backlog(self, lane: TopicPartition) -> int:
        """How many records of a lane there were when it was opened."""
        store = self._store
        return 0 if store is None else store.backlog.get(lane, (0, 0))[0]

    def put(
        self, lane: TopicPartition, records: Sequence[OutgoingRecord], done: Callable[[bool], None]
    ) -> Copy:
        """Takes records behind all that the lane has. `done` is told whether they are durable."""
        first = self._seq + 1
        self._seq += len(records)
        at = self._clock.now().timestamp()
        rows = [to_row(record, lane, first + place, at) for place, record in enumerate(records)]
        self._changes.rows += rows
        self._waiting_bytes += sum(row.size for row in rows)
        copy = Copy(len(rows), first, self._seq, done)
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
        store = self._store
        if store is None:
            return None
        try:
            return await self._run(store.read, lane, after, self._durable_seq, max_bytes)
        except FAULTS as error:
            await self._recover(error)
            return None

    async def keep_partitions(self, counts: Mapping[str, int]) -> bool:
        """Remembers them. True if they are others than before: nothing fits any more.

        Records then lie in their new lanes, and no new ones are taken: start again.
        """
        store = self._store
        if store is None or all(store.partitions.get(name) == counts[name] for name in counts):
            return False
        self._moved = any(
            store.partitions.get(name, counts[name]) != counts[name] for name in counts
        )
        try:
            await self._run(store.keep_partitions, counts)
        except FAULTS as error:
            await self._recover(error)
        return self._moved

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
        if self._store is not None:
            await self._run(self._store.close)
            self._store = None
        self._thread.shutdown()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def _commit(self) -> None:
        changes, self._changes = self._changes, Changes()
        copies, self._copies = self._copies, []
        if not changes:
            return
        kept = await self._try_commit(changes)
        self._waiting_bytes -= sum(row.size for row in changes.rows)
        if copies:
            self._durable_seq = copies[-1].last_seq
        if kept:
            self._metrics.spooled.inc(len(changes.rows))
        else:
            self._put_back(changes)
        for copy in copies:
            copy.kept = kept
            copy.done(kept)
        self.on_change()

    async def _try_commit(self, changes: Changes) -> bool:
        for _ in range(2):  # once more after a damaged file was replaced
            if self._store is None:
                return False
            try:
                depth = await self._run(self._commit_now, self._store, changes)
            except FAULTS as error:
                if not await self._recover(error):
                    return False
            else:
                self._know(depth)
                self._troubles.over()
                return True
        return False

    @staticmethod
    def _commit_now(store: SpoolStore, changes: Changes) -> Depth:
        if store.vanished():
            raise sqlite3.DatabaseError("its file was taken away")
        return store.commit(changes)

    def _put_back(self, changes: Changes) -> None:
        """Who waits for a row is told; what is to be forgotten is so when the disk works again."""
        for lane, seq in changes.gone.items():
            self._changes.gone[lane] = max(seq, self._changes.gone.get(lane, 0))
        self._changes.parked += changes.parked
        if self._changes:
            asyncio.get_running_loop().call_later(REOPEN_SECONDS, self._wanted.set)

    async def _recover(self, error: Exception) -> bool:
        """Whether there is a working store again."""
        self._troubles.note(error)
        if not is_damage(error):
            return False
        try:
            self._know(await self._run(self._replace))
        except FAULTS as another:
            self._troubles.note(another)
            return False
        return True

    def _replace(self) -> Depth:
        old, self._store = self._store, None
        partitions = {} if old is None else old.partitions
        if old is not None and not old.vanished():
            old.close()
            old = None
        store = replace_damaged(self._directory.path, self._clock.now(), old)
        store.keep_partitions(partitions)
        self._aside = set_aside_files(self._directory.root)
        self._store = store
        return store.depth()

    def _open_store(self) -> SpoolStore:
        path = self._directory.path
        if self._lock is None:
            self._lock = self._directory.take()
        try:
            store = SpoolStore(path)
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            self._troubles.note(error)
            store = replace_damaged(path, self._clock.now())
        if self._directory.adopt(store):
            store.recount()
        self._aside = set_aside_files(self._directory.root)
        return store

    def _opened(self, store: SpoolStore) -> None:
        self._store = store
        self._seq = max(self._seq, store.top_seq)
        self._durable_seq = max(self._durable_seq, store.top_seq)
        self.partitions = store.partitions
        self._know(store.depth())
        self._troubles.over()
        if self._depth.records:
            log.warning("spool_has_records", records=self._depth.records, bytes=self._depth.bytes)

    async def _reopen(self) -> None:
        """A disk that was not usable at start may be later."""
        while True:
            await asyncio.sleep(REOPEN_SECONDS)
            if self._store is None and not self._moved:
                try:
                    self._opened(await self._run(self._open_store))
                except FAULTS as error:
                    self._troubles.note(error)
                else:
                    self.on_opened()

    def _know(self, depth: Depth) -> None:
        was_full = self._full
        self._depth = depth
        if self._full and not was_full:
            self._troubles.count("full")
        self._metrics.records.set(depth.records)
        self._metrics.bytes.set(depth.bytes)

    def _oldest_seconds(self) -> float:
        oldest = self._depth.oldest_at
        return 0.0 if oldest is None else max(0.0, self._clock.now().timestamp() - oldest)

    async def _run(self, work: Callable[..., _Result], *arguments: object) -> _Result:
        """In the store's thread; also when cancelled, it has ended when this returns."""
        task = asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            raise
