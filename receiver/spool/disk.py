"""The store in its thread, whatever its disk does: opened, tried again, replaced if damaged."""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Final, TypeVar

from aiokafka.structs import TopicPartition

from receiver.spool.directory import SpoolDirectory
from receiver.spool.reserve import Reserve
from receiver.spool.rows import Row
from receiver.spool.salvage import is_damage, replace_damaged, set_aside_files
from receiver.spool.store import Changes, Depth, SpoolStore
from receiver.spool.troubles import Troubles, describe_fault
from schemas.clock import Clock

FAULTS: Final = (sqlite3.Error, OSError)
_Result = TypeVar("_Result")


class SpoolDisk:
    """Nothing here raises for a bad disk: it is noted, and told as a result.

    Attributes:
        store: None while there is none that can be used.
    """

    def __init__(self, directory: SpoolDirectory, troubles: Troubles, clock: Clock) -> None:
        self._directory = directory
        self._troubles = troubles
        self._clock = clock
        self._reserve = Reserve(directory.path)
        self._lock: IO[str] | None = None
        self._thread = ThreadPoolExecutor(1, "spool")
        self._aside: Sequence[Path] = ()
        self.store: SpoolStore | None = None

    def notes(self) -> Sequence[str]:
        """What is wrong, a sentence each."""
        aside = [f"a damaged spool file was set aside: {path}" for path in self._aside]
        return [*self._troubles.notes(), *aside]

    def open(self) -> bool:
        """Blocks. Raises `OperatorError` if another process has the directory."""
        try:
            self._open()
        except FAULTS as error:
            self._troubles.note(error)
            return False
        self._troubles.over()
        return True

    async def reopen(self) -> bool:
        """The same, in the thread."""
        return await self._run(self.open)

    async def commit(self, changes: Changes) -> Depth | None:
        """None: nothing of it was done."""
        for _ in range(2):  # once more after a damaged file was replaced
            try:
                depth = await self._run(self._commit, changes)
            except FAULTS as error:
                if not await self._recovered(error):
                    return None
            else:
                if depth is not None:
                    self._troubles.over()
                return depth
        return None

    async def read(
        self, lane: TopicPartition, after: int, last: int, max_bytes: int
    ) -> list[Row] | None:
        """See `SpoolStore.read`. None: it cannot be read now."""
        store = self.store
        if store is None:
            return None
        try:
            return await self._run(store.read, lane, after, last, max_bytes)
        except FAULTS as error:
            await self._recovered(error)
            return None

    async def keep_partitions(self, counts: Mapping[str, int]) -> None:
        """See `SpoolStore.keep_partitions`."""
        try:
            if self.store is not None:
                await self._run(self.store.keep_partitions, counts)
        except FAULTS as error:
            await self._recovered(error)

    async def close(self) -> None:
        """Lets go of the directory."""
        if self.store is not None:
            await self._run(self.store.close)
            self.store = None
        self._thread.shutdown()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _open(self) -> None:
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
        self._reserve.take()
        self.store = store

    def _commit(self, changes: Changes) -> Depth | None:
        if self.store is None:
            return None
        if self.store.vanished():
            raise sqlite3.DatabaseError("its file was taken away")
        try:
            return self.store.commit(changes)
        except sqlite3.OperationalError as error:
            # What comes in may not use the reserve up: else nothing could go out any more.
            full = describe_fault(error) == "disk_full"
            if not full or changes.rows or not self._reserve.give_up():
                raise
            return self.store.commit(changes)
        finally:
            if changes.gone:
                self._reserve.take()

    async def _recovered(self, error: Exception) -> bool:
        """Whether there is a working store again."""
        self._troubles.note(error)
        if not is_damage(error):
            return False
        try:
            await self._run(self._replace)
        except FAULTS as another:
            self._troubles.note(another)
            return False
        return True

    def _replace(self) -> None:
        old, self.store = self.store, None
        partitions, top_seq = ({}, 0) if old is None else (old.partitions, old.top_seq)
        if old is not None and not old.vanished():
            old.close()
            old = None
        store = replace_damaged(self._directory.path, self._clock.now(), old)
        store.keep_partitions(partitions)
        # A number that was given out once means what it meant, also if its row was lost.
        store.top_seq = max(store.top_seq, top_seq)
        self._aside = set_aside_files(self._directory.root)
        self.store = store

    async def _run(self, work: Callable[..., _Result], *arguments: object) -> _Result:
        """In the store's thread; also when cancelled, it has ended when this returns."""
        task = asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.gather(task, return_exceptions=True)
            raise
