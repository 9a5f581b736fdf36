"""The spool's file: SQLite in WAL mode with `synchronous=FULL`, so a commit is on the disk.

SQLite and not a memory map: a damaged or cut file must give an error, not end the process, and
what waits must not count as this process's memory. Everything here blocks: for a thread.
"""

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from aiokafka.structs import TopicPartition

from receiver.spool.rows import Row
from schemas.partitions import partition_of

FILE_NAME: Final = "spool.db"
# What is set aside keeps its lane's number from the drain: no topic has such a partition.
PARKED: Final = -1
READ_ROWS: Final = 500
# An empty file that grew beyond this gives its space back.
SHRINK_BYTES: Final = 32 * 1024 * 1024
_BUSY_SECONDS: Final = 5.0
_WAL_BYTES: Final = 16 * 1024 * 1024
_SCHEMA: Final = (
    # The large column comes last: a look at the others then reads no overflow page.
    (
        "CREATE TABLE IF NOT EXISTS record (seq INTEGER PRIMARY KEY, topic TEXT NOT NULL, "
        "partition INTEGER NOT NULL, size INTEGER NOT NULL, at REAL NOT NULL, checksum INTEGER "
        "NOT NULL, key BLOB NOT NULL, headers BLOB NOT NULL, value BLOB NOT NULL)"
    ),
    "CREATE INDEX IF NOT EXISTS by_lane ON record (topic, partition, seq, size)",
    "CREATE TABLE IF NOT EXISTS partitions (topic TEXT PRIMARY KEY, count INTEGER NOT NULL)",
)
_ROW: Final = "record VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_TO_NEW_LANES: Final = (
    "UPDATE record SET partition = lane_of(key, ?) WHERE topic = ? AND partition != ?"
)
_DELETE: Final = "DELETE FROM record WHERE topic = ? AND partition = ? AND seq <= ? RETURNING size"
_READ: Final = (
    "SELECT * FROM record WHERE topic = ? AND partition = ? AND seq > ? AND seq <= ? "
    "ORDER BY seq LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class Depth:
    """What waits: records, their bytes, and since when (seconds of the epoch) the oldest does.

    `top_seq`: the number of the row that came last.
    """

    records: int = 0
    bytes: int = 0
    oldest_at: float | None = None
    top_seq: int = 0


@dataclass(slots=True)
class Changes:
    """What one commit does: rows in, rows out up to a sequence number by lane, rows parked."""

    rows: list[Row] = field(default_factory=list)
    gone: dict[TopicPartition, int] = field(default_factory=dict)
    parked: list[int] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.rows or self.gone or self.parked)


class SpoolStore:
    """Rows by sequence number and by lane. Raises `sqlite3.Error` or `OSError` throughout."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE_NAME
        # What is kept are callbacks with addresses: for this user's eyes only. SQLite's
        # companion files get the same mode.
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        self.connection = sqlite3.connect(
            self.path, _BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            self._prepare()
            self.partitions: dict[str, int] = dict(
                self.connection.execute("SELECT topic, count FROM partitions")
            )
            self.top_seq = 0
            self.recount()
        except BaseException:
            self.connection.close()
            raise

    def recount(self) -> None:
        """Looks again at what is there. Raises `DatabaseError` if it contradicts itself."""
        self.backlog = self._count()
        self.top_seq = max(self.top_seq, self._one("SELECT coalesce(max(seq), 0) FROM record"))
        self._records = sum(count for count, _ in self.backlog.values())
        self._bytes = sum(size for _, size in self.backlog.values())

    def depth(self) -> Depth:
        """What waits now."""
        oldest = self.connection.execute("SELECT at FROM record ORDER BY seq LIMIT 1").fetchone()
        return Depth(self._records, self._bytes, oldest[0] if oldest else None, self.top_seq)

    def commit(self, changes: Changes) -> Depth:
        """All of it or, with an exception, nothing; on the disk when this returns.

        Rows get the next numbers, in their order.
        """
        first = self.top_seq + 1
        rows = [(first + place, *row[1:]) for place, row in enumerate(changes.rows)]
        with self._transaction():
            self.connection.executemany(f"INSERT INTO {_ROW}", rows)
            for seq in changes.parked:
                self.connection.execute(
                    "UPDATE record SET partition = ? WHERE seq = ?", (PARKED, seq)
                )
            gone = [size for lane, seq in changes.gone.items() for size in self._delete(lane, seq)]
        self.top_seq += len(rows)
        self._records += len(rows) - len(gone)
        self._bytes += sum(row.size for row in changes.rows) - sum(gone)
        if gone and not self._records:
            self._shrink()
        return self.depth()

    def restore(self, rows: Sequence[Row]) -> None:
        """Takes rows of another store with the numbers they have; `recount` afterwards."""
        with self._transaction():
            self.connection.executemany(f"INSERT OR REPLACE INTO {_ROW}", rows)

    def read(self, lane: TopicPartition, after: int, last: int, max_bytes: int) -> list[Row]:
        """The lane's next rows up to `last`, in order: one if there is any, then so many bytes."""
        rows: list[Row] = []
        cursor = self.connection.execute(_READ, (*lane, after, last, READ_ROWS))
        for values in cursor:
            row = Row._make(values)
            rows.append(row)
            max_bytes -= row.size
            if max_bytes <= 0:
                break
        cursor.close()
        return rows

    def keep_partitions(self, counts: Mapping[str, int]) -> None:
        """Remembers how many partitions the topics have; rows go to their lanes anew."""
        self.connection.create_function("lane_of", 2, partition_of, deterministic=True)
        with self._transaction():
            for topic, count in counts.items():
                if self.partitions.get(topic, count) != count:
                    self.connection.execute(_TO_NEW_LANES, (count, topic, PARKED))
                self.connection.execute(
                    "INSERT OR REPLACE INTO partitions VALUES (?, ?)", (topic, count)
                )
        self.partitions.update(counts)
        self.recount()

    def vanished(self) -> bool:
        """Whether its file was taken away: what is committed would be gone with this process."""
        return not self.path.exists()

    def close(self) -> None:
        """Lets go of the file."""
        self.connection.close()

    def _prepare(self) -> None:
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            f"journal_size_limit = {_WAL_BYTES}",
        ):
            self.connection.execute(f"PRAGMA {pragma}")
        for statement in _SCHEMA:
            self.connection.execute(statement)

    def _count(self) -> dict[TopicPartition, tuple[int, int]]:
        """Records and bytes by lane. Raises `DatabaseError` where table and index differ."""
        by_lane = self.connection.execute(
            "SELECT topic, partition, count(*), sum(size) FROM record INDEXED BY by_lane "
            "GROUP BY topic, partition"
        )
        found = {TopicPartition(t, p): (count, size) for t, p, count, size in by_lane}
        in_table = self._one("SELECT count(*) FROM record NOT INDEXED")
        if in_table != sum(count for count, _ in found.values()):
            raise sqlite3.DatabaseError("the index does not match the table")
        return found

    def _delete(self, lane: TopicPartition, seq: int) -> list[int]:
        return [size for (size,) in self.connection.execute(_DELETE, (*lane, seq))]

    def _one(self, query: str) -> int:
        value: int = self.connection.execute(query).fetchone()[0]
        return value

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            # A full disk has rolled back already; what is wrong was told by the first error.
            with suppress(sqlite3.Error):
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
            raise

    def _shrink(self) -> None:
        # The commit stands; that the space is not given back yet is no failure of it.
        with suppress(OSError, sqlite3.Error):
            if self.path.stat().st_size > SHRINK_BYTES:
                self.connection.execute("VACUUM")
                self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
