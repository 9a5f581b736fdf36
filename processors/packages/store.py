"""The states of one input partition on this machine's disk; may be lost, is rebuilt from Kafka.

It takes only what was committed. What it took lies in memory until it is written together, in
one LMDB transaction with its place in the topic: a crash costs a few seconds of reading again.
"""

import asyncio
import fcntl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, Final
from zlib import crc32

import lmdb
import orjson
import structlog

from schemas.errors import Interrupted, OperatorError

log = structlog.get_logger(__name__)
FIRST_MAP_BYTES: Final = 256 * 1024 * 1024
# Held in memory per partition at most, before the next batch has to wait for the disk.
MAX_UNWRITTEN_BYTES: Final = 8 * 1024 * 1024
_STATES: Final = b"states"
_ABOUT: Final = b"about"
_MARK: Final = b"mark"
_DUE_BYTES: Final = 8
_DAMAGE: Final = (
    lmdb.CorruptedError,
    lmdb.InvalidError,
    lmdb.PageNotFoundError,
    lmdb.VersionMismatchError,
    lmdb.IncompatibleError,
    lmdb.PanicError,
)


@dataclass(frozen=True, slots=True)
class Mark:
    """How far in the topic the store is, and the record it had last, to know the topic again.

    A topic that was deleted and made anew has another record there, or none.
    """

    next_offset: int
    last_offset: int
    fingerprint: int


def fingerprint(key: bytes | None, value: bytes | None) -> int:
    """Of a record."""
    return crc32(value or b"", crc32(key or b""))


class StateStore:
    """States as JSON by key, each with the time at which something will be due of it.

    Used by one task of one process; the directory is locked against others.
    """

    def __init__(self, directory: Path, first_map_bytes: int = FIRST_MAP_BYTES) -> None:
        self._directory = directory
        self._first_map_bytes = first_map_bytes
        self._lock: IO[str] | None = None
        self._environment: Any = None
        self._unwritten: dict[bytes, bytes | None] = {}
        self._unwritten_bytes = 0
        self._under_way: dict[bytes, bytes | None] = {}
        self._writing: asyncio.Task[None] | None = None
        self.mark: Mark | None = None

    def open(self) -> None:
        """Raises `Interrupted` while another process has it, `OperatorError` for a bad disk."""
        if self._environment is not None:
            return
        with self._told_to_operator():
            self._directory.mkdir(parents=True, exist_ok=True)
            self._lock = (self._directory / "owner.lock").open("a")
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._lock.close()
                raise Interrupted(
                    "state_in_use", f"{self._directory} is still used by another process"
                ) from None
            try:
                self._open()
            except _DAMAGE as error:
                log.error("state_damaged", directory=str(self._directory), error=str(error))
                self._remove()
                self._open()

    def get(self, key: bytes) -> bytes | memoryview | None:
        """The state of a key as JSON, None if there is none."""
        for newer in (self._unwritten, self._under_way):
            if key in newer:
                value = newer[key]
                return None if value is None else memoryview(value)[_DUE_BYTES:]
        with self._environment.begin(db=self._states) as transaction:
            found: bytes | None = transaction.get(key)
        return None if found is None else memoryview(found)[_DUE_BYTES:]

    def take(self, changes: Mapping[bytes, tuple[int, bytes] | None], mark: Mark | None) -> None:
        """Takes committed states, (due, JSON) by key, None for one that is gone.

        `mark`: the place in the topic with them; None if the broker did not tell it.
        """
        for key, change in changes.items():
            value = None if change is None else _packed(*change)
            self._unwritten[key] = value
            self._unwritten_bytes += len(value or b"") + len(key)
        self.mark = mark or self.mark

    @property
    def is_full(self) -> bool:
        """Whether the disk must catch up first."""
        return self._unwritten_bytes > MAX_UNWRITTEN_BYTES

    def write_soon(self) -> None:
        """Begins to write what lies in memory, beside other work."""
        if self._writing is None or self._writing.done():
            self._raise_failure()
            self._writing = asyncio.create_task(self._write())

    async def write(self) -> None:
        """Returns when all that was taken is on disk."""
        if self._writing is not None:
            await self._writing
        await self._write()

    def due(self, after: bytes, count: int, now: int) -> tuple[list[bytes], bytes | None]:
        """Among the next `count` keys: those of which something may be due at `now` (seconds).

        Returns:
            The keys, and where to go on; None after the last one.
        """
        found: list[bytes] = []
        with self._environment.begin(db=self._states, buffers=True) as transaction:
            cursor = transaction.cursor()
            more = cursor.set_range(after) if after else cursor.first()
            for _ in range(count):
                if not more:
                    return found, None
                if int.from_bytes(cursor.value()[:_DUE_BYTES], "big") <= now:
                    found.append(bytes(cursor.key()))
                more = cursor.next()
            return found, bytes(cursor.key()) if more else None

    async def load(self, states: Mapping[bytes, bytes | None], mark: Mark) -> None:
        """Writes states read from the topic; when something is due of them is not known yet."""
        changes = {k: None if v is None else _packed(0, v) for k, v in states.items()}
        await self._to_disk(changes, mark)
        self.mark = mark

    async def clear(self) -> None:
        """Forgets everything, to be filled from the topic's beginning."""
        self._unwritten, self._unwritten_bytes, self.mark = {}, 0, None
        with self._told_to_operator():
            self._environment.close()
            self._remove()
            self._open()

    async def close(self) -> None:
        """Writes what is left and lets go of the directory."""
        if self._environment is None:
            return
        try:
            with suppress(asyncio.CancelledError):
                await self.write()
        finally:
            self._environment.close()
            self._environment = None
            if self._lock is not None:
                self._lock.close()

    async def _write(self) -> None:
        if not self._unwritten:
            return
        self._under_way, self._unwritten, self._unwritten_bytes = self._unwritten, {}, 0
        try:
            await self._to_disk(self._under_way, self.mark)
            self._under_way = {}
        except BaseException:
            self._unwritten = self._under_way | self._unwritten
            raise

    async def _to_disk(self, changes: Mapping[bytes, bytes | None], mark: Mark | None) -> None:
        with self._told_to_operator():
            while True:
                try:
                    await _in_thread(partial(self._put, changes, mark))
                except lmdb.MapFullError:
                    # Only here, on the loop's thread, is it sure that nobody reads meanwhile.
                    self._environment.set_mapsize(2 * self._environment.info()["map_size"])
                else:
                    return

    def _put(self, changes: Mapping[bytes, bytes | None], mark: Mark | None) -> None:
        with self._environment.begin(db=self._states, write=True) as transaction:
            for key in sorted(changes):
                value = changes[key]
                if value is None:
                    transaction.delete(key)
                else:
                    transaction.put(key, value)
            if mark is not None:
                transaction.put(_MARK, orjson.dumps(asdict(mark)), db=self._about)

    def _open(self) -> None:
        size = max(self._first_map_bytes, _size_of(self._directory / "data.mdb"))
        self._environment = lmdb.open(
            str(self._directory), map_size=size, max_dbs=2, readahead=False, max_spare_txns=2
        )
        self._states = self._environment.open_db(_STATES)
        self._about = self._environment.open_db(_ABOUT)
        with self._environment.begin() as transaction:
            mark = transaction.get(_MARK, db=self._about)
        self.mark = None if mark is None else Mark(**orjson.loads(mark))

    def _remove(self) -> None:
        for name in ("data.mdb", "lock.mdb"):
            (self._directory / name).unlink(missing_ok=True)

    def _raise_failure(self) -> None:
        if self._writing is not None and not self._writing.cancelled():
            self._writing.result()

    @contextmanager
    def _told_to_operator(self) -> Iterator[None]:
        try:
            yield
        except (OSError, lmdb.Error) as error:
            raise OperatorError(
                "state_directory_unusable", f"the state in {self._directory} fails: {error}"
            ) from error


async def _in_thread(work: Callable[[], None]) -> None:
    """Runs it beside the loop; also when cancelled, it has ended when this returns."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _packed(due: int, value: bytes) -> bytes:
    """`due` in seconds of the epoch; 0 has it looked at by the next sweep."""
    return max(0, due).to_bytes(_DUE_BYTES, "big") + value


def _size_of(file: Path) -> int:
    """Twice what is there, so that the first write does not have to grow the map."""
    return 2 * file.stat().st_size if file.exists() else 0
